//! A platform that vouches for the program: its token is read anew each time, shown once, and never shown again to a server
//! that refused it.
#![cfg(unix)]

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::authserver::{JWT_BEARER, unsigned};
use crate::support::launch::Launch;
use crate::support::scene::Scene;
use crate::support::server::Peer;

const FIRST: &str = "aGVhZA.Zmlyc3Q.c2ln";
const SECOND: &str = "aGVhZA.c2Vjb25k.c2ln";

/// A scene whose authorization server takes the first token, and the file that holds it.
fn scene() -> (Scene, PathBuf) {
    let scene = Scene::with(|conduct| conduct.assertions = vec![FIRST.to_owned()]);
    std::fs::create_dir_all(scene.home()).unwrap();
    let file = scene.home().join("workload");
    std::fs::write(&file, format!("{FIRST}\n")).unwrap();
    (scene, file)
}

fn by_file(launch: Launch, file: &Path) -> Launch {
    launch.arg("--workload-token-file").arg(file)
}

fn asked(scene: &Scene) -> Vec<String> {
    let all = scene.auth.exchanges(JWT_BEARER);
    all.iter()
        .map(|params| params["assertion"].clone())
        .collect()
}

#[test]
fn the_token_of_the_platform_is_read_anew_each_time() {
    let (scene, file) = scene();
    scene.mcp.set(|door| door.challenge = Some("read"));
    let tether = by_file(scene.launch(), &file).arg("--debug").start();
    tether.initialize();
    std::fs::write(&file, SECOND).unwrap();
    scene
        .auth
        .set(|conduct| conduct.assertions = vec![SECOND.to_owned()]);
    scene.auth.end_access();
    tether.call("1", "echo", "{}").result();
    assert_eq!(asked(&scene), [FIRST, SECOND]);
    let params = &scene.auth.exchanges(JWT_BEARER)[0];
    assert_eq!(params["resource"], scene.mcp.url());
    assert_eq!(params["scope"], "read");
    for absent in ["client_id", "client_secret"] {
        assert!(!params.contains_key(absent), "{params:?}");
    }
    let said = tether.stderr();
    assert!(!said.contains(FIRST) && !said.contains(SECOND), "{said}");
    assert_eq!((scene.browser.opened(), scene.auth.registrations()), (0, 0));
}

#[test]
fn a_command_may_print_it() {
    let (scene, _) = scene();
    let command = format!("echo {FIRST}");
    let args = ["--workload-token-command", &command, "--client-id", "me"];
    let output = scene.command("login").args(args).run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stdout.contains("workload identity"), "{output:?}");
    assert_eq!(scene.auth.exchanges(JWT_BEARER)[0]["client_id"], "me");
    // It is a public client: its id is all that it has to show.
    scene.auth.admit_client("me", None, "http://127.0.0.1/");
    let output = scene.command("logout").run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(
        output.stdout.contains("revoked and forgotten"),
        "{output:?}"
    );
    assert_eq!(scene.auth.revocations()[0]["client_id"], "me");
}

#[test]
fn what_cannot_be_revoked_is_said_to_be_so() {
    let (scene, file) = scene();
    assert_eq!(by_file(scene.command("login"), &file).run("").code, Some(0));
    let output = scene.command("logout").arg("--json").run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    let told: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(told[0]["revoked"], false);
    let why = told[0]["told"].as_str().unwrap();
    assert!(
        why.contains("not revoked") && !why.contains("offers no"),
        "{why}"
    );
    assert_eq!(
        (scene.auth.revocations().len(), scene.records().len()),
        (0, 0)
    );
}

#[test]
fn a_token_of_the_platform_that_has_ended_is_refused_once_and_a_fresh_one_is_taken() {
    let (scene, file) = scene();
    let token = |exp: u64| unsigned(&json!({ "alg": "none" }), &json!({ "exp": exp }));
    let (ended, fresh) = (token(1000), token(4_000_000_000));
    let both = vec![ended.clone(), fresh.clone()];
    scene.auth.set(|conduct| conduct.assertions = both);
    std::fs::write(&file, &ended).unwrap();
    let tether = by_file(scene.launch(), &file).start();
    for id in ["1", "2"] {
        let error = tether.call(id, "echo", "{}").error();
        assert_eq!(error["code"], -31004, "{error}");
        let told = error.to_string();
        assert!(
            told.contains("invalid_grant") && told.contains("has not ended"),
            "{told}"
        );
        assert!(!told.contains(&ended), "{told}");
    }
    assert_eq!(asked(&scene), std::slice::from_ref(&ended));
    std::fs::write(&file, &fresh).unwrap();
    let output = by_file(scene.command("login"), &file).run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(asked(&scene), [ended, fresh]);
}

#[test]
fn a_refused_token_is_not_shown_again() {
    let (scene, file) = scene();
    for code in ["invalid_grant", "invalid_scope", "unauthorized_client"] {
        let before = asked(&scene).len();
        scene
            .auth
            .set(|conduct| conduct.refuses_machines = Some(code));
        let tether = by_file(scene.launch(), &file).start();
        for id in ["1", "2"] {
            let error = tether.call(id, "echo", "{}").error();
            assert_eq!(error["code"], -31004);
            let told = error.to_string();
            assert!(told.contains(code) && !told.contains(FIRST), "{told}");
        }
        assert_eq!(asked(&scene).len(), before + 1);
        assert_eq!(scene.auth.authorizations().len(), 0, "no other grant");
    }
}

#[test]
fn a_token_that_is_not_there_is_named_and_nothing_is_asked() {
    let (scene, file) = scene();
    std::fs::write(&file, "<html>not found</html>").unwrap();
    let output = by_file(scene.command("login"), &file).run("");
    assert_eq!(output.code, Some(3), "{output:?}");
    assert!(
        output.stderr.contains("holds no JSON Web Token"),
        "{output:?}"
    );
    assert!(!output.stderr.contains("not found"), "{output:?}");
    std::fs::remove_file(&file).unwrap();
    let output = by_file(scene.command("login"), &file).run("");
    assert_eq!(output.code, Some(3), "{output:?}");
    assert!(output.stderr.contains("workload"), "{output:?}");
    let failing = ["--workload-token-command", "echo hush; exit 3"];
    let output = scene.command("login").args(failing).run("");
    assert_eq!(output.code, Some(3), "{output:?}");
    assert!(!output.stderr.contains("hush"), "{output:?}");
    assert_eq!(asked(&scene).len(), 0);
    let both = by_file(scene.launch(), &file).args(failing).run("");
    assert_eq!(both.code, Some(2), "{both:?}");
}
