//! The sign-in by device code (RFC 8628): how the user is told, when it is the way to go, and that nothing else differs.
#![cfg(unix)]

use std::fs;

use serde_json::{Value, json};

use crate::support::authserver::{DEVICE, DEVICE_GRANT, Device, TOKEN};
use crate::support::launch::Launch;
use crate::support::rpc;
use crate::support::scene::{Scene, enter, nth_code, say_hello, welcomed};
use crate::support::server::Peer;
use crate::support::visit;

/// A scene whose server gives codes.
fn offering() -> Scene {
    Scene::with(|conduct| conduct.device = Some(Device::default()))
}

fn forced(scene: &Scene) -> Launch {
    scene.launch().arg("--device-code")
}

fn text(answer: &Value) -> &str {
    answer["content"][0]["text"].as_str().unwrap_or_default()
}

#[test]
fn the_user_enters_the_code_anywhere_and_the_server_is_there() {
    let scene = offering();
    scene.mcp.set(|door| door.challenge = Some("read"));
    let tether = forced(&scene).start();
    say_hello(&tether);
    let shown = nth_code(&tether, 1);
    let link = format!("{}?user_code={}", shown.0, shown.1);
    assert_eq!(
        tether.stderr(),
        format!(
            "mcp-tether: sign in at {} with the code {}, or at {link}\n",
            shown.0, shown.1
        )
    );
    enter(&shown);
    welcomed(&tether);
    tether.call("1", "echo", "{}").result();
    let asked = scene.auth.device_requests().remove(0);
    assert_eq!(
        (&asked["resource"], &asked["scope"]),
        (&scene.mcp.url(), &"read".to_owned())
    );
    assert_eq!(asked.get("redirect_uri"), None);
    let polls = scene.auth.exchanges(DEVICE_GRANT);
    assert!(polls.iter().all(|poll| poll["resource"] == scene.mcp.url()));
    assert_eq!(scene.browser.opened(), 0);
    assert_eq!(scene.auth.authorizations().len(), 0);
    let grants = &scene.auth.clients()[0].document["grant_types"];
    assert_eq!(
        *grants,
        json!(["authorization_code", "refresh_token", DEVICE_GRANT])
    );
    // From here on it is a sign-in like any other.
    scene.auth.end_access();
    tether.call("2", "echo", "{}").result();
    assert_eq!(scene.auth.refreshes(), 1);
    assert_eq!(tether.finish(), 0);
    let again = scene.again();
    assert_eq!(again.stderr(), "");
    assert_eq!(scene.auth.asked(DEVICE), 1);
}

#[test]
fn the_client_is_told_the_address_and_the_code() {
    for filled_in in [true, false] {
        let scene = offering();
        scene.auth.set(|conduct| {
            conduct.device = Some(Device {
                filled_in,
                ..Device::default()
            });
        });
        let tether = forced(&scene).args(["--initialize-wait", "1"]).start();
        say_hello(&tether);
        let shown = nth_code(&tether, 1);
        let (page, code) = &shown;
        let link = format!("{page}?user_code={code}");
        let wanted = if filled_in { &link } else { page };
        let hello = welcomed(&tether).result();
        let instructions = hello["instructions"].as_str().unwrap();
        assert!(
            instructions.contains(&format!("open {wanted} in a browser and")),
            "{instructions}"
        );
        assert!(
            instructions.contains(&format!("the code {code}")),
            "{instructions}"
        );
        let params = r#"{"name":"sign_in","_meta":{"progressToken":"p"}}"#;
        tether.send(&rpc::request("1", "tools/call", params));
        let progress = tether.notification("notifications/progress").params();
        let told = progress["message"].as_str().unwrap();
        assert!(
            told.contains(page.as_str()) && told.contains(code.as_str()),
            "{told}"
        );
        enter(&shown);
        assert!(text(&tether.answer("1").result()).starts_with("Signed in"));
        tether.notification("notifications/tools/list_changed");
    }
}

#[test]
fn a_client_that_shows_addresses_shows_the_one_with_the_code() {
    let scene = offering();
    let open = ["initialize", "notifications/initialized"];
    scene.mcp.set(|door| door.open.extend(open));
    let tether = forced(&scene).start();
    tether.initialize_as("2025-11-25", r#"{"elicitation":{"url":{}}}"#);
    tether.send(&rpc::call("1", "echo", "{}"));
    let asked = tether.request("elicitation/create");
    let (page, code) = nth_code(&tether, 1);
    let params = asked.params();
    assert_eq!(params["url"], format!("{page}?user_code={code}"));
    assert!(
        params["message"].as_str().unwrap().contains(&code),
        "{params}"
    );
    let id = asked.id.as_deref().unwrap();
    tether.send(&rpc::result(id, r#"{"action":"accept"}"#));
    visit::follow(params["url"].as_str().unwrap());
    tether.answer("1").result();
    tether.notification("notifications/elicitation/complete");
}

#[test]
fn without_a_browser_it_is_the_way_to_go_where_it_is_offered() {
    let variants = [
        ("none", true, true),
        ("none", false, false),
        ("flag", true, true),
        ("BROWSER", true, false),
        ("DISPLAY", true, false),
        ("WAYLAND_DISPLAY", true, false),
    ];
    for (browser, offered, device) in variants {
        let scene = Scene::new();
        scene
            .auth
            .set(|conduct| conduct.device = offered.then(Device::default));
        let launch = scene.launch().env("BROWSER", "");
        let launch = match browser {
            "none" => launch,
            "flag" => scene.launch().arg("--no-browser"),
            // Nothing may open on the machine of the tests.
            "BROWSER" => scene.launch(),
            name => launch.env(name, ":9999").env("PATH", "/nowhere"),
        };
        let tether = launch.start();
        say_hello(&tether);
        let line = tether.wait_stderr("sign in at ");
        assert_eq!(
            line.contains(" with the code "),
            device,
            "{browser} {offered}: {line}"
        );
        if device {
            enter(&nth_code(&tether, 1));
            welcomed(&tether);
        } else {
            tether.excuse("0");
            scene.auth.server.allow_idle();
        }
    }
}

#[test]
fn another_process_shows_the_same_code_and_is_signed_in_with_the_first() {
    let scene = offering();
    let leader = forced(&scene).start();
    say_hello(&leader);
    let shown = nth_code(&leader, 1);
    let follower = scene
        .launch()
        .args(["--no-browser", "--initialize-wait", "1"])
        .start();
    say_hello(&follower);
    assert_eq!(nth_code(&follower, 1), shown);
    let hello = welcomed(&follower).result();
    let instructions = hello["instructions"].as_str().unwrap();
    assert!(instructions.contains(&shown.1), "{instructions}");
    enter(&shown);
    welcomed(&leader);
    follower.notification("notifications/tools/list_changed");
    for tether in [&leader, &follower] {
        tether.call("1", "echo", "{}").result();
        assert_eq!(tether.stderr().matches("sign in at").count(), 1);
    }
    assert_eq!(
        (scene.auth.asked(DEVICE), scene.auth.registrations()),
        (1, 1)
    );
}

/// Without a display, a bus or a home.
fn bare(scene: &Scene, store: &str) -> Launch {
    let binary = env!("CARGO_BIN_EXE_mcp-tether");
    let launch = Launch::program("env").args(["-u", "HOME", "-u", "PATH"]);
    let launch = match store {
        "memory" => launch.args(["-u", "MCP_TETHER_HOME"]),
        _ => launch,
    };
    launch
        .args([
            binary,
            "login",
            &scene.mcp.url(),
            "--device-code",
            "--store",
            store,
        ])
        .watch(&scene.mcp)
        .watch(&scene.auth)
}

#[test]
fn login_works_without_a_display_a_bus_or_a_home() {
    for store in ["file", "memory"] {
        let scene = offering();
        let launch = bare(&scene, store);
        let home = launch.home().join("tether");
        let tether = launch.start();
        enter(&nth_code(&tether, 1));
        assert_eq!(tether.wait(), 0, "{store}");
        tether.wait_hung_up();
        let told = tether.forgive().join("\n");
        assert!(told.contains("signed in to"), "{store}: {told}");
        assert!(!tether.stderr().contains("paste"), "{}", tether.stderr());
        let kept = fs::read_dir(home.join("credentials")).into_iter().flatten();
        let records = kept.filter(|entry| {
            let path = entry.as_ref().unwrap().path();
            path.extension().is_some_and(|own| own == "json")
        });
        assert_eq!(records.count(), usize::from(store == "file"));
        for secret in scene.auth.secrets() {
            assert!(!told.contains(&secret) && !tether.stderr().contains(&secret));
        }
    }
}

#[test]
fn a_client_that_registered_for_browsers_registers_anew() {
    let scene = Scene::new();
    assert_eq!(scene.signed_in().finish(), 0);
    scene.auth.end_grants();
    scene
        .auth
        .set(|conduct| conduct.device = Some(Device::default()));
    let tether = forced(&scene).start();
    say_hello(&tether);
    enter(&nth_code(&tether, 1));
    welcomed(&tether);
    assert_eq!(scene.auth.registrations(), 2);
    // The other way round there is no need to.
    assert_eq!(tether.finish(), 0);
    scene.auth.end_grants();
    assert_eq!(scene.signed_in().finish(), 0);
    assert_eq!(scene.auth.registrations(), 2);
}

#[test]
fn a_client_that_the_user_brings_proves_itself_at_both_endpoints() {
    for method in ["client_secret_basic", "client_secret_post"] {
        let scene = offering();
        scene.auth.set(|conduct| conduct.secret = Some(method));
        let tether = forced(&scene).start();
        say_hello(&tether);
        enter(&nth_code(&tether, 1));
        welcomed(&tether);
        scene.auth.wait_asked(TOKEN, 1);
    }
}
