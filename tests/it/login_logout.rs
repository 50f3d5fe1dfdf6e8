//! `login`, `logout` and `status`: what they print, what they keep, and how they exit.
#![cfg(unix)]

use serde_json::Value;

use crate::support::authserver::Consent;
use crate::support::browser::Browser;
use crate::support::launch::{self, Launch, Output};
use crate::support::mcp::{Legacy, LegacyPlan};
use crate::support::scene::{Scene, address, say_hello};
use crate::support::server::{Peer, Plan};
use crate::support::visit;

fn json(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

fn no_secret(scene: &Scene, output: &Output) {
    for secret in scene.auth.secrets() {
        assert!(!output.stdout.contains(&secret), "{output:?}");
        assert!(!output.stderr.contains(&secret), "{output:?}");
    }
}

fn login(scene: &Scene) -> Output {
    let output = scene.command("login").run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    output
}

#[test]
fn login_signs_in_and_says_where_and_until_when() {
    let scene = Scene::following();
    scene.mcp.set(|door| door.challenge = Some("read"));
    let output = login(&scene);
    assert_eq!(scene.browser.page(1).status, 200);
    for wanted in [&scene.mcp.url(), &scene.auth.issuer(), "read"] {
        assert!(output.stdout.contains(wanted), "{wanted}: {output:?}");
    }
    assert!(
        output.stderr.contains(&scene.browser.address(1)),
        "{output:?}"
    );
    no_secret(&scene, &output);
    let bridge = scene.again();
    bridge.call("1", "echo", "{}").result();
    assert_eq!(bridge.stderr(), "");
    assert_eq!(scene.browser.opened(), 1);
}

#[test]
fn login_json_is_one_document_with_stable_names() {
    let scene = Scene::following();
    scene.mcp.set(|door| door.challenge = Some("read"));
    let output = scene.command("login").arg("--json").run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    let document = json(&output);
    assert_eq!(document["servers"], serde_json::json!([scene.mcp.url()]));
    assert_eq!(document["issuer"], scene.auth.issuer());
    assert_eq!(document["scope"], "read");
    assert_eq!(document["profile"], "default");
    assert_eq!(document["store"], "file");
    assert_eq!(document["refreshable"], true);
    let ends = document["expiresAt"].as_str().unwrap();
    assert!(ends.starts_with("20") && ends.ends_with('Z'), "{ends}");
    no_secret(&scene, &output);
}

#[test]
fn login_again_needs_no_browser() {
    let scene = Scene::following();
    login(&scene);
    login(&scene);
    assert_eq!(scene.browser.opened(), 1);
    assert_eq!(scene.auth.authorizations().len(), 1);
}

#[test]
fn login_takes_the_redirected_address_from_stdin() {
    let scene = Scene::new();
    let tether = scene.command("login").arg("--no-browser").start();
    let back = visit::location(&address(&tether));
    tether.send_raw("nonsense\n");
    tether.send_raw(format!("{back}\n"));
    assert_eq!(tether.wait(), 0);
    // What it prints is for people.
    tether.wait_hung_up();
    tether.forgive();
    assert_eq!(scene.browser.opened(), 0);
    assert_eq!(scene.records().len(), 1);
}

#[test]
fn a_login_that_is_refused_or_that_nobody_finishes_exits_with_3() {
    let scene = Scene::following();
    scene.auth.set(|conduct| conduct.consent = Consent::Denied);
    let output = scene.command("login").run("");
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (Some(3), ""),
        "{output:?}"
    );
    assert!(output.stderr.contains("refused"), "{output:?}");
    assert!(output.stderr.contains("hint: "), "{output:?}");

    let scene = Scene::new();
    let output = scene.command("login").args(["--auth-timeout", "1"]).run("");
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (Some(3), ""),
        "{output:?}"
    );
    assert!(output.stderr.contains("within 1 s"), "{output:?}");
}

#[test]
fn a_login_at_a_server_that_is_not_there_exits_with_4() {
    let mcp = LegacyPlan::default().serve_on(Plan::default().down());
    mcp.server.allow_idle();
    let output = launch::run(&["login", &mcp.url(), "--store", "file"], "");
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (Some(4), ""),
        "{output:?}"
    );

    let scene = Scene::of(Plan::default().down(), Browser::new());
    scene.auth.server.allow_idle();
    let output = scene.command("login").run("");
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (Some(4), ""),
        "{output:?}"
    );
}

#[test]
fn a_login_at_a_server_that_asks_for_none_is_done() {
    let mcp = Legacy::new();
    let output = launch::run(&["login", &mcp.url(), "--store", "file"], "");
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stderr.contains("no sign-in"), "{output:?}");
}

#[test]
fn status_lists_what_is_kept_without_a_secret() {
    let scene = Scene::following();
    let empty = scene.program().args(["status", "--json"]).run("");
    assert_eq!((empty.code, json(&empty)), (Some(0), serde_json::json!([])));
    login(&scene);
    for command in [scene.command("status"), scene.program().arg("status")] {
        let output = command.run("");
        assert_eq!(output.code, Some(0), "{output:?}");
        assert!(output.stdout.contains(&scene.mcp.url()), "{output:?}");
        assert!(output.stdout.contains(&scene.auth.issuer()), "{output:?}");
        no_secret(&scene, &output);
    }
    let output = scene.program().args(["status", "--json"]).run("");
    let all = json(&output);
    assert_eq!(all.as_array().unwrap().len(), 1, "{all}");
    assert_eq!(all[0]["servers"], serde_json::json!([scene.mcp.url()]));
    assert_eq!(all[0]["signedIn"], true);
    assert_eq!(all[0]["refreshable"], true);
    no_secret(&scene, &output);
    let asked = scene.auth.server.requests().len();
    scene.command("status").run("");
    assert_eq!(scene.auth.server.requests().len(), asked, "it asks nobody");
}

/// A bridge that registers a client, and whose user never signs in.
fn abandoned(launch: Launch) {
    let mut tether = launch.start();
    say_hello(&tether);
    address(&tether);
    tether.close_stdin();
    tether.answer("0").error();
    assert_eq!(tether.wait(), 0);
}

#[test]
fn a_registration_whose_sign_in_nobody_finished_is_no_sign_in() {
    let scene = Scene::new();
    let at = |path: &str| scene.launch().args(["--callback-path", path]);
    for path in ["/1", "/2", "/3"] {
        abandoned(at(path));
    }
    assert_eq!(scene.auth.registrations(), 3);
    assert_eq!(scene.records().len(), 1, "one takes the place of the other");
    let output = scene.program().args(["status", "--json"]).run("");
    assert_eq!(json(&output), serde_json::json!([]));
    let output = scene.command("status").run("");
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), ""));
    assert!(output.stderr.contains("not signed in there"), "{output:?}");

    assert_eq!(scene.sign_in(at("/3")).finish(), 0);
    assert_eq!(scene.auth.registrations(), 3, "the last one is used again");
    scene.auth.end_grants();
    abandoned(at("/4"));
    abandoned(at("/5"));
    let kept = scene.records().len();
    assert!(kept <= 2, "{kept} records");
    let output = scene.program().args(["logout", "--all"]).run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(scene.records().len(), 0);
}

#[test]
fn a_registration_that_is_given_up_is_not_kept() {
    let scene = Scene::new();
    for _ in 0..2 {
        let tether = scene.launch().args(["--auth-timeout", "3"]).start();
        say_hello(&tether);
        address(&tether);
        tether.answer("0").error();
        assert_eq!(tether.finish(), 0);
    }
    assert_eq!(scene.auth.registrations(), 1);
    assert_eq!(scene.records().len(), 0, "the next one registers anew");
    let listed = std::fs::read_to_string(scene.home().join("state/index.json")).unwrap();
    assert!(!listed.contains("issuer"), "{listed}");
}

#[test]
fn logout_revokes_and_forgets() {
    for all in [false, true] {
        let scene = Scene::following();
        login(&scene);
        let output = if all {
            scene.program().args(["logout", "--all"]).run("")
        } else {
            scene.command("logout").run("")
        };
        assert_eq!(output.code, Some(0), "{output:?}");
        assert!(output.stdout.contains("revoked"), "{output:?}");
        no_secret(&scene, &output);
        let revoked = scene.auth.revocations();
        assert!(
            revoked
                .iter()
                .any(|params| params["token"].starts_with("refresh")),
            "{revoked:?}"
        );
        assert_eq!(scene.records().len(), 0);
        let status = scene.program().args(["status", "--json"]).run("");
        assert_eq!(json(&status), serde_json::json!([]));
        let bridge = scene.launch().start();
        bridge.initialize();
        assert_eq!(scene.browser.opened(), 2);
    }
}

#[test]
fn logout_forgets_even_when_nothing_can_be_revoked() {
    let scene = Scene::following();
    scene.auth.set(|conduct| conduct.revocation = false);
    login(&scene);
    let output = scene.command("logout").arg("--json").run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(json(&output)[0]["revoked"], false);
    assert_eq!(scene.records().len(), 0);

    let scene = Scene::following();
    login(&scene);
    scene.auth.server.stop();
    let output = scene.command("logout").run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stdout.contains("not revoked"), "{output:?}");
    assert_eq!(scene.records().len(), 0);
}

#[test]
fn logout_of_a_client_with_a_secret_proves_who_it_is() {
    for method in ["client_secret_basic", "client_secret_post"] {
        let scene = Scene::following();
        scene.auth.set(|conduct| conduct.secret = Some(method));
        login(&scene);
        let output = scene.command("logout").run("");
        assert!(
            output.stdout.contains("revoked and forgotten"),
            "{output:?}"
        );
        assert!(!scene.auth.revocations().is_empty());
    }
}

#[test]
fn logout_without_a_sign_in_is_no_failure() {
    let scene = Scene::new();
    scene.auth.server.allow_idle();
    scene.mcp.mcp.server.allow_idle();
    let output = scene.command("logout").run("");
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (Some(0), ""),
        "{output:?}"
    );
}
