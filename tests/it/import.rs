//! `import`: sign-ins and entries of `mcp-remote` move over, and nobody has to sign in again.
#![cfg(unix)]

mod entries;
mod shop;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::authserver::Refresh;
use crate::support::launch::{Launch, Output};
use crate::support::scene::Scene;
use crate::support::server::Peer;
use shop::{Layout, Login, REDIRECT};

/// A scene in which `mcp-remote` has signed in.
fn signed_in() -> (Scene, Login) {
    let scene = Scene::new();
    let login = shop::sign_in(&scene.auth, &scene.mcp.url());
    (scene, login)
}

/// The folder that `HOME` names.
fn home(scene: &Scene) -> std::path::PathBuf {
    scene.home().parent().unwrap().to_owned()
}

fn keep(scene: &Scene, layout: Layout, login: &Login, ago: u64) -> std::path::PathBuf {
    shop::write(&home(scene), layout, &scene.mcp.url(), login, ago)
}

/// Runs `import` with these words; no token is ever seen.
fn import(scene: &Scene, words: &[&str]) -> Output {
    let output = scene
        .program()
        .arg("import")
        .args(words.iter().copied())
        .run("");
    for secret in scene.auth.secrets() {
        assert!(!output.stdout.contains(&secret), "{output:?}");
        assert!(!output.stderr.contains(&secret), "{output:?}");
    }
    output
}

fn document(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

/// A bridge calls a tool without anybody signing in.
fn calls(scene: &Scene, launch: Launch) {
    let before = scene.auth.authorizations().len();
    let registered = scene.auth.registrations();
    let bridge = launch.start();
    bridge.initialize();
    bridge.call("1", "echo", "{}").result();
    assert_eq!(scene.auth.authorizations().len(), before);
    assert_eq!(scene.auth.registrations(), registered);
    assert_eq!(scene.browser.opened(), 0);
}

#[test]
fn a_sign_in_of_each_layout_is_taken_over() {
    let layouts = [
        Layout::Raw("0.0.22"),
        Layout::Raw("0.1.29"),
        Layout::Raw("0.1.37"),
        Layout::Raw("0.2.0"),
        Layout::Stamped,
    ];
    for layout in layouts {
        let (scene, mut login) = signed_in();
        if matches!(layout, Layout::Stamped) {
            for part in [&mut login.tokens, &mut login.client] {
                part["issuer"] = scene.auth.issuer().into();
            }
        }
        keep(&scene, layout, &login, 10);
        let output = import(&scene, &[&scene.mcp.url()]);
        assert_eq!(output.code, Some(0), "{layout:?} {output:?}");
        assert!(output.stdout.contains("sign-in moved"), "{output:?}");
        calls(&scene, scene.launch());
        assert_eq!(scene.auth.refreshes(), 0, "{layout:?}");
    }
}

#[test]
fn an_access_token_that_is_over_is_renewed_with_the_registration_that_came_along() {
    for layout in [Layout::Raw("0.1.29"), Layout::Stamped] {
        let (scene, login) = signed_in();
        keep(&scene, layout, &login, 100_000);
        scene.auth.end_access();
        assert_eq!(import(&scene, &[&scene.mcp.url()]).code, Some(0));
        assert_eq!(scene.auth.refreshes(), 0, "it is for the first use");
        calls(&scene, scene.launch());
        assert_eq!(scene.auth.refreshes(), 1);
        let asked = &scene.auth.exchanges("refresh_token")[0];
        assert_eq!(
            asked["client_id"],
            login.client["client_id"].as_str().unwrap()
        );
        calls(&scene, scene.launch());
        assert_eq!(scene.auth.refreshes(), 1);
    }
}

#[test]
fn a_client_with_a_secret_goes_on_to_prove_itself() {
    for method in ["client_secret_basic", "client_secret_post"] {
        let scene = Scene::new();
        scene.auth.set(|conduct| conduct.secret = Some(method));
        // It signs in by hand: how it proves itself then is of no matter here.
        let url = scene.mcp.url();
        scene
            .auth
            .admit_client("mine", Some("sup3rs3cret"), REDIRECT);
        let tokens = shop::sign_in_as(&scene.auth, "mine", "sup3rs3cret", &url);
        scene.auth.prove_by(method);
        let client = json!({
            "client_id": "mine", "client_secret": "sup3rs3cret", "redirect_uris": [REDIRECT],
            "token_endpoint_auth_method": method,
        });
        let login = Login { tokens, client };
        keep(&scene, Layout::Raw("0.1.37"), &login, 100_000);
        scene.auth.end_access();
        let output = import(&scene, &[&url]);
        assert!(!format!("{output:?}").contains("sup3rs3cret"));
        calls(&scene, scene.launch());
        assert_eq!(scene.auth.refreshes(), 1);
    }
}

#[test]
fn a_client_that_was_given_by_hand_comes_from_the_options() {
    let scene = Scene::new();
    let url = scene.mcp.url();
    scene
        .auth
        .admit_client("mine", Some("sup3rs3cret"), REDIRECT);
    scene
        .auth
        .set(|conduct| conduct.secret = Some("client_secret_post"));
    let tokens = shop::sign_in_as(&scene.auth, "mine", "sup3rs3cret", &url);
    let login = Login {
        tokens,
        client: Value::Null,
    };
    keep(&scene, Layout::Stamped, &login, 100_000);
    scene.auth.end_access();
    let output = import(&scene, &[&url]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("registration"), "{output:?}");
    let info = r#"{"client_id":"mine","client_secret":"${SECRET}"}"#;
    let with = |launch: Launch| {
        launch
            .args(["--static-oauth-client-info", info])
            .env("SECRET", "sup3rs3cret")
    };
    let output = with(scene.command("import")).run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    calls(&scene, with(scene.launch()));
    assert_eq!(scene.auth.refreshes(), 1);
}

#[test]
fn the_next_sign_in_uses_the_registration_and_its_address() {
    let (scene, login) = signed_in();
    keep(&scene, Layout::Stamped, &login, 100_000);
    assert_eq!(import(&scene, &[&scene.mcp.url()]).code, Some(0));
    scene.auth.end_grants();
    let registered = scene.auth.registrations();
    drop(scene.signed_in());
    assert_eq!(scene.auth.registrations(), registered);
    let asked = scene.auth.authorizations().pop().unwrap();
    assert_eq!(asked["redirect_uri"], REDIRECT);
}

#[test]
fn the_newest_counts_and_nothing_newer_is_overwritten() {
    let (scene, old) = signed_in();
    let new = shop::sign_in(&scene.auth, &scene.mcp.url());
    keep(&scene, Layout::Stamped, &old, 5000);
    keep(&scene, Layout::Raw("0.1.29"), &new, 100);
    let url = scene.mcp.url();
    assert_eq!(import(&scene, &[&url]).code, Some(0));
    let client = |scene: &Scene| {
        let records = scene.records();
        assert_eq!(records.len(), 1);
        let text = fs::read_to_string(&records[0]).unwrap();
        let record: Value = serde_json::from_str(&text).unwrap();
        record["key"]["client_id"].as_str().unwrap().to_owned()
    };
    assert_eq!(client(&scene), new.client["client_id"].as_str().unwrap());
    let files = || fs::read_to_string(&scene.records()[0]).unwrap();
    let before = files();
    let again = import(&scene, &[&url, "--json"]);
    assert_eq!(document(&again)["signIns"][0]["signIn"]["result"], "known");
    assert_eq!(files(), before);
    // mcp-remote has been used on.
    let newest = shop::sign_in(&scene.auth, &url);
    keep(&scene, Layout::Stamped, &newest, 10);
    assert_eq!(import(&scene, &[&url]).code, Some(0));
    assert_eq!(client(&scene), newest.client["client_id"].as_str().unwrap());
    // And now ours is renewed, which makes it the newest.
    scene.auth.end_access();
    calls(&scene, scene.launch());
    let again = import(&scene, &[&url, "--json"]);
    assert_eq!(document(&again)["signIns"][0]["signIn"]["result"], "known");
}

#[test]
fn what_the_hash_is_made_of_finds_the_sign_in() {
    let (scene, login) = signed_in();
    scene.mcp.mcp.server.allow_idle();
    let url = scene.mcp.url();
    let headers = r#"{"X-A":"${A}","X-B":"2"}"#;
    let seed = format!("{url}|https://other.example/|{headers}");
    shop::write(&home(&scene), Layout::Stamped, &seed, &login, 10);
    let words = |resource: &'static str| {
        [
            url.as_str(),
            "--header",
            "X-B: 2",
            "--header",
            "X-A:${A}",
            "--resource",
            resource,
        ]
        .map(str::to_owned)
    };
    let run = |words: [String; 7]| {
        let launch = scene.program().arg("import").args(words);
        launch.env("A", "x").arg("--dry-run").run("")
    };
    assert_eq!(run(words("https://other.example/")).code, Some(0));
    assert_eq!(run(words("https://another.example/")).code, Some(1));
}

#[test]
fn a_dry_run_asks_nobody_and_keeps_nothing() {
    let (scene, login) = signed_in();
    scene.mcp.mcp.server.allow_idle();
    keep(&scene, Layout::Stamped, &login, 10);
    let asked = scene.auth.server.requests().len();
    let output = import(&scene, &[&scene.mcp.url(), "--dry-run"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stdout.contains("would be moved"), "{output:?}");
    assert_eq!(scene.auth.server.requests().len(), asked);
    assert!(scene.records().is_empty());
}

#[test]
fn a_server_that_is_not_there_keeps_its_sign_in_for_another_time() {
    let (scene, login) = signed_in();
    keep(&scene, Layout::Stamped, &login, 10);
    scene.mcp.mcp.server.stop();
    let output = import(&scene, &[&scene.mcp.url()]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("was not moved"), "{output:?}");
    assert!(scene.records().is_empty());
    scene.mcp.mcp.server.start();
    assert_eq!(import(&scene, &[&scene.mcp.url()]).code, Some(0));
    calls(&scene, scene.launch());
}

#[test]
fn tokens_of_another_authorization_server_stay() {
    let (scene, mut login) = signed_in();
    login.tokens["issuer"] = "https://elsewhere.example".into();
    keep(&scene, Layout::Stamped, &login, 10);
    let output = import(&scene, &[&scene.mcp.url()]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("elsewhere.example"), "{output:?}");
    assert!(scene.records().is_empty());
}

#[test]
fn what_has_ended_for_good_is_told() {
    let (scene, mut login) = signed_in();
    scene.mcp.mcp.server.allow_idle();
    login
        .tokens
        .as_object_mut()
        .unwrap()
        .remove("refresh_token");
    keep(&scene, Layout::Raw("0.1.29"), &login, 100_000);
    let output = import(&scene, &[&scene.mcp.url()]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stdout.contains("has ended"), "{output:?}");
    assert!(scene.records().is_empty());
}

#[test]
fn damaged_files_are_named_and_an_older_sign_in_counts() {
    let (scene, login) = signed_in();
    let url = scene.mcp.url();
    let newest = keep(&scene, Layout::Stamped, &login, 10);
    fs::write(&newest, "{\"access_token\": \"s3cret").unwrap();
    let output = import(&scene, &[&url]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(
        output.stderr.contains(newest.to_str().unwrap()),
        "{output:?}"
    );
    assert!(!output.stderr.contains("s3cret"), "{output:?}");
    keep(&scene, Layout::Raw("0.1.37"), &login, 1000);
    assert_eq!(import(&scene, &[&url]).code, Some(0));
    calls(&scene, scene.launch());
}

#[test]
fn the_folder_can_be_another_one() {
    let (scene, login) = signed_in();
    keep(&scene, Layout::Stamped, &login, 10);
    let elsewhere = home(&scene).join("elsewhere");
    fs::rename(shop::base(&home(&scene)), &elsewhere).unwrap();
    let url = scene.mcp.url();
    assert_eq!(import(&scene, &[&url]).code, Some(1));
    let launch = scene
        .command("import")
        .env("MCP_REMOTE_CONFIG_DIR", &elsewhere);
    assert_eq!(launch.run("").code, Some(0));
}

#[test]
fn a_refresh_that_was_lost_meanwhile_asks_for_a_sign_in_and_loses_nothing_else() {
    let (scene, login) = signed_in();
    keep(&scene, Layout::Stamped, &login, 100_000);
    assert_eq!(import(&scene, &[&scene.mcp.url()]).code, Some(0));
    scene.auth.end_access();
    scene
        .auth
        .set(|conduct| conduct.refresh = Refresh::Fails(503));
    let bridge = scene.launch().start();
    bridge.ask("0", "initialize", r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"it","version":"1"}}"#);
    drop(bridge);
    scene.auth.set(|conduct| conduct.refresh = Refresh::Rotates);
    calls(&scene, scene.launch());
}

#[test]
fn other_files_than_ours_are_not_touched() {
    let (scene, login) = signed_in();
    let path = keep(&scene, Layout::Stamped, &login, 10);
    let read = |path: &Path| {
        (
            fs::read(path).unwrap(),
            fs::metadata(path).unwrap().modified().unwrap(),
        )
    };
    let before = read(&path);
    assert_eq!(import(&scene, &[&scene.mcp.url()]).code, Some(0));
    assert_eq!(read(&path), before);
}
