//! Tokens for machines: no person, no browser, and an answer to each request whatever happens.
#![cfg(unix)]

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::support::authserver::{CLIENT, Dpop, METADATA};
use crate::support::http::{Request, Response};
use crate::support::launch::{Launch, Output};
use crate::support::rpc;
use crate::support::scene::Scene;
use crate::support::server::{Peer, Server};

const SECRET: &str = "a s%cret:of the machine";

/// A file beside the tests' own keys.
pub(crate) fn key(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys");
    format!("{folder}/{name}.pem")
}

/// The public half of the P-256 key: the last 65 bytes of its DER.
fn public_key() -> Vec<u8> {
    let text = std::fs::read_to_string(key("public")).unwrap();
    let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(body).unwrap();
    der[der.len() - 65..].to_vec()
}

/// A scene whose authorization server knows the machine by a secret.
pub(crate) fn with_secret(method: &'static str) -> (Scene, PathBuf) {
    let scene = Scene::new();
    scene.auth.admit_machine(method, SECRET);
    let file = file(&scene, "secret", &format!("{SECRET}\n"));
    (scene, file)
}

/// A scene whose authorization server knows the machine by its key.
pub(crate) fn with_key() -> Scene {
    let scene = Scene::new();
    scene.auth.set(|conduct| {
        conduct.secret = Some("private_key_jwt");
        conduct.public_key = Some(public_key());
    });
    scene
}

fn file(scene: &Scene, name: &str, text: &str) -> PathBuf {
    std::fs::create_dir_all(scene.home()).unwrap();
    let path = scene.home().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

pub(crate) fn by_secret(launch: Launch, file: &std::path::Path) -> Launch {
    launch
        .args(["--client-credentials", "--client-id", CLIENT])
        .arg("--client-secret-file")
        .arg(file)
}

pub(crate) fn by_key(launch: Launch) -> Launch {
    launch
        .args(["--client-credentials", "--client-id", CLIENT])
        .args(["--private-key-file".to_owned(), key("p256-sec1")])
}

pub(crate) fn asked(scene: &Scene) -> usize {
    scene.auth.exchanges("client_credentials").len()
}

fn no_secret(scene: &Scene, text: &str) {
    for secret in scene.auth.secrets() {
        assert!(!text.contains(&secret), "{secret}: {text}");
    }
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

#[test]
fn a_machine_with_a_secret_works_without_a_browser() {
    for method in ["client_secret_basic", "client_secret_post"] {
        let (scene, file) = with_secret(method);
        scene
            .mcp
            .set(|door| door.challenge = Some("read offline_access"));
        scene
            .auth
            .set(|conduct| conduct.scopes = vec!["offline_access"]);
        let tether = by_secret(scene.launch(), &file).arg("--debug").start();
        tether.initialize();
        tether.call("1", "echo", "{}").result();
        let all = scene.auth.exchanges("client_credentials");
        assert_eq!(all.len(), 1);
        assert_eq!(all[0]["resource"], scene.mcp.url());
        assert_eq!(all[0]["scope"], "read");
        no_secret(&scene, &tether.stderr());
        assert_eq!(tether.finish(), 0);
        assert_eq!((scene.browser.opened(), scene.auth.registrations()), (0, 0));
        // The next one finds the token.
        let again = by_secret(scene.launch(), &file).start();
        again.initialize();
        assert_eq!((again.stderr().as_str(), asked(&scene)), ("", 1));
    }
}

#[test]
fn a_machine_with_a_key_proves_itself_with_it() {
    let scene = with_key();
    let tether = by_key(scene.launch()).start();
    tether.initialize();
    tether.call("1", "echo", "{}").result();
    assert_eq!(asked(&scene), 1);
    // A token that the server no longer takes is replaced at once, with another assertion.
    scene.auth.end_access();
    tether.call("2", "echo", "{}").result();
    assert_eq!(asked(&scene), 2);
}

#[test]
fn a_token_is_replaced_ahead_of_its_end() {
    let (scene, file) = with_secret("client_secret_basic");
    let tether = by_secret(scene.launch(), &file).start();
    tether.initialize();
    assert_eq!(tether.finish(), 0);
    scene.change_records(|record| {
        record["tokens"]["obtained_at"] = 1000.into();
        record["tokens"]["expires_at"] = 2000.into();
    });
    let refused = scene.mcp.mcp.calls("initialize").len();
    let again = by_secret(scene.launch(), &file).start();
    again.initialize();
    assert_eq!(asked(&scene), 2);
    let sent = scene.mcp.mcp.calls("initialize").len();
    assert_eq!(sent, refused + 1, "no request went out with the old token");
}

#[test]
fn a_refusal_is_told_and_not_repeated_at_once() {
    let (scene, file) = with_secret("client_secret_basic");
    scene
        .auth
        .set(|conduct| conduct.refuses_machines = Some("unauthorized_client"));
    let tether = by_secret(scene.launch(), &file).start();
    for id in ["1", "2", "3"] {
        let error = tether.call(id, "echo", "{}").error();
        assert_eq!(error["code"], -31004);
        let told = error.to_string();
        assert!(told.contains("unauthorized_client"), "{told}");
        assert!(told.contains("--client-secret-file"), "{told}");
    }
    assert_eq!(asked(&scene), 1);
}

#[test]
fn one_that_does_not_answer_is_asked_again_later() {
    let (scene, file) = with_secret("client_secret_basic");
    scene.auth.server.stop();
    let output = by_secret(scene.command("login"), &file).run("");
    assert_eq!(output.code, Some(4), "{output:?}");
    assert!(output.stderr.contains("hint: "), "{output:?}");
    scene.auth.server.start();
    let output = by_secret(scene.command("login"), &file).run("");
    assert_eq!(output.code, Some(0), "{output:?}");
}

#[test]
fn lines_from_a_pipe_are_answered() {
    let (scene, file) = with_secret("client_secret_basic");
    let params = r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"it","version":"1"}}"#;
    let hello = rpc::request("0", "initialize", params);
    let output = by_secret(scene.launch(), &file).run(format!("{hello}\n"));
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stdout.contains(r#""serverInfo""#), "{output:?}");
}

#[test]
fn login_asks_at_once_and_status_says_how() {
    let (scene, file) = with_secret("client_secret_basic");
    for times in 1..=2 {
        let output = by_secret(scene.command("login"), &file).run("");
        assert_eq!(output.code, Some(0), "{output:?}");
        assert!(
            output.stdout.contains("client credentials, as machine"),
            "{output:?}"
        );
        assert!(output.stdout.contains("renewed by itself"), "{output:?}");
        no_secret(&scene, &format!("{output:?}"));
        assert_eq!(asked(&scene), times, "each login tries it");
    }
    let output = scene.program().args(["status", "--json"]).run("");
    let all = json(&output);
    assert_eq!(all[0]["grant"], "client_credentials");
    assert_eq!(all[0]["signedIn"], true);
    let output = scene.command("logout").run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(scene.records().len(), 0);
}

#[test]
fn a_server_that_names_nobody_needs_the_address() {
    let (scene, file) = with_secret("client_secret_post");
    scene.mcp.set(|door| door.metadata = Some(404));
    scene.auth.server.allow_idle();
    let output = by_secret(scene.command("login"), &file).run("");
    assert_eq!(output.code, Some(3), "{output:?}");
    assert_eq!(asked(&scene), 0, "the secret goes to nobody");
    // Without metadata the secret goes as RFC 6749 §2.3.1 prefers it.
    let (scene, file) = with_secret("client_secret_basic");
    let before = scene.auth.asked(METADATA);
    let endpoint = format!("{}/token", scene.auth.issuer());
    let login = by_secret(scene.command("login"), &file).args(["--token-endpoint", &endpoint]);
    let output = login.run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!((asked(&scene), scene.auth.asked(METADATA)), (1, before));
    let scene = with_key();
    let endpoint = format!("{}/token", scene.auth.issuer());
    let login = by_key(scene.command("login")).args(["--token-endpoint", &endpoint]);
    let output = login.run("");
    assert_eq!(output.code, Some(0), "{output:?}");
}

#[test]
fn without_a_home_it_works_from_memory() {
    let (scene, file) = with_secret("client_secret_basic");
    let launch = by_secret(scene.launch(), &file);
    let tether = launch
        .env("MCP_TETHER_STORE", "memory")
        .env("MCP_TETHER_HOME", "")
        .env("HOME", "")
        .start();
    tether.initialize();
    tether.call("1", "echo", "{}").result();
    assert_eq!(scene.records().len(), 0);
}

#[test]
fn a_mistake_in_the_options_is_told_before_anything_is_asked() {
    let scene = Scene::new();
    scene.auth.server.allow_idle();
    scene.mcp.mcp.server.allow_idle();
    let (secret, missing) = (file(&scene, "secret", "x"), "/nowhere/key.pem".to_owned());
    let secret = secret.display().to_string();
    let id = ["--client-id", "machine"];
    let p256 = key("p256-sec1");
    let table: Vec<(Vec<&str>, &str)> = vec![
        (vec!["--client-credentials"], "without a client"),
        (vec!["--client-credentials", id[0], id[1]], "proves who"),
        (
            vec!["--private-key-file", &p256],
            "without --client-credentials",
        ),
        (
            vec!["--signing-algorithm", "ES256"],
            "without --private-key-file",
        ),
        (
            vec!["--token-endpoint", "https://as/t"],
            "without --client-credentials",
        ),
        (
            vec![
                "--client-credentials",
                id[0],
                id[1],
                "--private-key-file",
                &missing,
            ],
            "/nowhere/key.pem",
        ),
        (
            vec![
                "--client-credentials",
                id[0],
                id[1],
                "--private-key-file",
                &secret,
            ],
            "holds no private key",
        ),
        (
            vec![
                "--client-credentials",
                id[0],
                id[1],
                "--private-key-file",
                &p256,
                "--signing-algorithm",
                "RS256",
            ],
            "for ES256, not for RS256",
        ),
        (
            vec![
                "--client-credentials",
                id[0],
                id[1],
                "--private-key-file",
                &p256,
                "--client-secret-file",
                &secret,
            ],
            "cannot be used with",
        ),
        (
            vec![
                "--client-credentials",
                id[0],
                id[1],
                "--client-secret-file",
                &secret,
                "--token-endpoint",
                "http://as.example/t",
            ],
            "neither https",
        ),
        (
            vec![
                "--client-credentials",
                id[0],
                id[1],
                "--client-secret-file",
                &secret,
                "--header",
                "Authorization: Bearer x",
            ],
            "leave one of them out",
        ),
    ];
    for (args, expected) in table {
        let output = scene.launch().args(args.clone()).run("");
        assert_eq!(output.code, Some(2), "{args:?} {output:?}");
        assert!(output.stderr.contains(expected), "{args:?} {output:?}");
    }
}

#[test]
fn an_algorithm_that_the_server_does_not_take_is_named() {
    let scene = with_key();
    let login = by_key(scene.command("login")).args(["--signing-algorithm", "es256"]);
    assert_eq!(login.run("").code, Some(0));
    // It wants secrets.
    let scene = Scene::new();
    scene
        .auth
        .set(|conduct| conduct.secret = Some("client_secret_basic"));
    let output = by_key(scene.command("login")).run("");
    assert_eq!(output.code, Some(3), "{output:?}");
    assert!(output.stderr.contains("private_key_jwt"), "{output:?}");
}

/// A server of 2026-07-28 that asks for no token.
fn modern(request: &Request) -> Response {
    let rpc = request.rpc().expect("a request");
    let id = rpc.id.clone().expect("an id");
    let result = match rpc.method.as_deref() {
        Some("server/discover") => {
            r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"private"}"#
        }
        _ => r#"{"resultType":"complete","tools":[],"content":[]}"#,
    };
    Response::json(200, rpc::result(&id, result))
}

#[test]
fn requests_that_the_bridge_words_declare_the_extension() {
    for machine in [true, false] {
        let server = Server::new(|request| async move { modern(&request) });
        let launch = Launch::to(&server).args(["--protocol", "modern"]);
        let launch = if machine { by_key(launch) } else { launch };
        let tether = launch.start();
        tether.initialize_as("2025-11-25", r#"{"roots":{}}"#);
        tether.ask("1", "tools/list", "{}").result();
        let all = server.requests();
        assert!(all.len() >= 2);
        for request in all {
            let params = request.rpc().expect("a request").params();
            let said = &params["_meta"]["io.modelcontextprotocol/clientCapabilities"];
            assert!(said["roots"].is_object(), "{params}");
            let ours = &said["extensions"]["io.modelcontextprotocol/oauth-client-credentials"];
            assert_eq!(ours.is_object(), machine, "{params}");
        }
    }
}

#[test]
fn the_token_of_a_machine_is_renewed_with_the_key_that_it_is_bound_to() {
    let scene = with_key();
    scene.auth.set(|conduct| conduct.dpop = Dpop::Binds);
    let start = || by_key(scene.launch()).arg("--dpop").start();
    let first = start();
    first.initialize();
    assert_eq!(first.finish(), 0);
    assert_eq!(asked(&scene), 1);
    scene.expire();
    // The server of the tests refuses a bound token without a proof, and one of another key.
    let second = start();
    second.initialize();
    second.call("1", "echo", "{}").result();
    assert_eq!(second.finish(), 0);
    assert_eq!(asked(&scene), 2);
    let keys: Vec<_> = scene.auth.exchanges("client_credentials");
    assert_eq!(keys[0]["(key)"], keys[1]["(key)"]);
}
