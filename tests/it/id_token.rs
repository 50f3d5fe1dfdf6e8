//! Gateways that want to see who signed in: the ID token in place of the access token (`--use-id-token`).
#![cfg(unix)]

use crate::support::http::Request;
use crate::support::launch::{Launch, run};
use crate::support::proofs::access_of;
use crate::support::rpc;
use crate::support::scene::{Scene, address, nth_address, say_hello};
use crate::support::tether::Tether;
use crate::support::visit;

fn works(tether: &Tether, id: &str) {
    tether.call(id, "echo", r#"{"text":"x"}"#).result();
}

/// A server that takes ID tokens only, and an authorization server that gives them for so many seconds.
fn scene(seconds: Option<u64>) -> Scene {
    let scene = Scene::with(|conduct| conduct.id_tokens = seconds);
    scene.mcp.set(|door| door.id_tokens = true);
    scene
}

fn launch(scene: &Scene) -> Launch {
    scene.launch().arg("--use-id-token")
}

fn is_id_token(request: &Request) -> bool {
    let header = request.header("authorization").unwrap_or_default();
    header.strip_prefix("Bearer ").and_then(access_of).is_some()
}

#[test]
fn the_id_token_is_sent_and_renewed_in_place_of_the_access_token() {
    let scene = scene(Some(3600));
    let tether = scene.sign_in(launch(&scene));
    works(&tether, "1");
    scene.auth.end_access();
    works(&tether, "2");
    assert_eq!(scene.auth.refreshes(), 1);
    assert!(scene.mcp.with_token("tools/call").iter().all(is_id_token));
    assert_eq!(tether.finish(), 0);
    let before = scene.mcp.with_token("initialize").len();
    let again = launch(&scene).start();
    again.initialize();
    works(&again, "1");
    assert_eq!(again.stderr(), "");
    assert!(is_id_token(&scene.mcp.with_token("initialize")[before]));
}

#[test]
fn the_end_that_is_kept_is_its_own() {
    // The access token lasts an hour.
    let scene = scene(Some(2));
    let tether = scene.sign_in(launch(&scene));
    assert_eq!(tether.finish(), 0);
    let records = scene.records();
    let record = std::fs::read(&records[0]).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    let tokens = &record["tokens"];
    let lasts = tokens["expires_at"].as_u64().unwrap() - tokens["obtained_at"].as_u64().unwrap();
    assert!(lasts <= 2, "{lasts}");
}

#[test]
fn without_an_id_token_the_sign_in_fails_and_says_so() {
    let scene = scene(None);
    let tether = launch(&scene).args(["--initialize-wait", "20"]).start();
    say_hello(&tether);
    visit::follow(&address(&tether));
    let error = tether.answer("0");
    assert_eq!(error.code(), -31004, "{}", error.text);
    assert!(error.text.contains("--use-id-token"), "{}", error.text);
    assert!(error.text.contains("openid"), "{}", error.text);
    assert!(scene.mcp.with_token("initialize").is_empty());
}

#[test]
fn a_sign_in_without_one_is_made_anew() {
    let scene = Scene::new();
    assert_eq!(scene.signed_in().finish(), 0);
    scene.auth.set(|conduct| conduct.id_tokens = Some(3600));
    scene.mcp.set(|door| door.id_tokens = true);
    let before = scene.mcp.with_token("initialize").len();
    let tether = scene.sign_in(launch(&scene));
    works(&tether, "1");
    assert_eq!(scene.auth.authorizations().len(), 2);
    let hellos = scene.mcp.with_token("initialize").split_off(before);
    assert!(hellos.iter().all(is_id_token));
}

#[test]
fn a_refresh_without_one_leads_to_a_sign_in() {
    let scene = scene(Some(3600));
    let tether = scene.sign_in(launch(&scene));
    scene.auth.end_access();
    scene.auth.set(|conduct| conduct.id_tokens = None);
    tether.send(&rpc::call("1", "echo", "{}"));
    let shown = nth_address(&tether, 2);
    scene.auth.set(|conduct| conduct.id_tokens = Some(3600));
    assert_eq!(visit::follow(&shown).status, 200);
    tether.answer("1").result();
    assert_eq!(scene.auth.refreshes(), 1);
}

#[test]
fn it_cannot_be_bound_to_a_key() {
    let args = ["https://example.com/mcp", "--dpop", "--use-id-token"];
    let output = run(&args, "");
    assert_eq!(output.code, Some(2), "{output:?}");
}
