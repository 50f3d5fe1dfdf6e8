//! Tokens that are bound to a key (RFC 9449): asked for by whoever may ask, sent with a fresh proof for each request, and nonces
//! on the way. The fake servers check each proof; what is wrong with one fails the test.
#![cfg(unix)]

use std::collections::BTreeSet;

use crate::support::authserver::{Dpop, METADATA, Refresh, TOKEN};
use crate::support::http::{Request, Response};
use crate::support::launch::Launch;
use crate::support::mcp::{Call, WebSocket};
use crate::support::proofs::Wants;
use crate::support::protected::{self, Asks};
use crate::support::rpc;
use crate::support::scene::{Scene, address, addresses, nth_address, say_hello, welcomed};
use crate::support::server::Peer;
use crate::support::tether::Tether;
use crate::support::visit;

fn works(tether: &Tether, id: &str) {
    tether.call(id, "echo", r#"{"text":"x"}"#).result();
}

/// A scene whose authorization server binds tokens.
fn binding() -> Scene {
    Scene::with(|conduct| conduct.dpop = Dpop::Binds)
}

/// The bridge with `--dpop`.
fn bound(scene: &Scene) -> Launch {
    scene.launch().arg("--dpop")
}

/// What is kept of the one sign-in.
fn record(scene: &Scene) -> serde_json::Value {
    let records = scene.records();
    assert_eq!(records.len(), 1, "{records:?}");
    serde_json::from_slice(&std::fs::read(&records[0]).unwrap()).unwrap()
}

/// The schemes of the tokens that the server was sent.
fn schemes(requests: &[Request]) -> BTreeSet<String> {
    let headers = requests.iter().filter_map(|r| r.header("authorization"));
    let schemes = headers.filter_map(|header| header.split_once(' '));
    schemes.map(|(scheme, _)| scheme.to_owned()).collect()
}

fn sent(scene: &Scene) -> BTreeSet<String> {
    schemes(&scene.mcp.log().all())
}

fn only(scheme: &str) -> BTreeSet<String> {
    BTreeSet::from([scheme.to_owned()])
}

/// Refuses the sign-in at its end; gives the error of the handshake.
fn fails(scene: &Scene, launch: Launch) -> String {
    let tether = launch.args(["--initialize-wait", "20"]).start();
    say_hello(&tether);
    let page = visit::follow(&address(&tether));
    assert_ne!(page.status, 200, "{page}");
    let error = tether.answer("0");
    assert_eq!(error.code(), -31004, "{}", error.text);
    assert_eq!(tether.finish(), 0);
    for secret in scene.auth.secrets() {
        assert!(!error.text.contains(&secret));
    }
    error.text
}

#[test]
fn each_request_has_a_proof_of_its_own_from_the_sign_in_to_the_end_of_the_session() {
    let scene = binding();
    let tether = scene.sign_in(bound(&scene));
    works(&tether, "1");
    scene.auth.end_access();
    works(&tether, "2");
    assert_eq!(scene.auth.refreshes(), 1);
    assert_eq!(tether.finish(), 0);
    assert_eq!(sent(&scene), only("DPoP"));
    for method in ["GET", "DELETE"] {
        let calls = scene.mcp.with_token(method);
        assert!(!calls.is_empty(), "{method}");
        assert!(calls.iter().all(|call| call.header("dpop").is_some()));
    }
    let asked = scene.auth.authorizations().remove(0);
    assert!(asked.contains_key("dpop_jkt"));
    let document = &scene.auth.clients()[0].document;
    assert_eq!(document["dpop_bound_access_tokens"], true);

    // Another process has the same key, and needs no option for that.
    let again = scene.again();
    works(&again, "1");
    scene.auth.end_access();
    works(&again, "2");
    assert_eq!(again.stderr(), "");
    assert_eq!(again.finish(), 0);
    assert_eq!(scene.auth.refreshes(), 2);
    assert_eq!(scene.auth.authorizations().len(), 1);
    assert_eq!(sent(&scene), only("DPoP"));
}

#[test]
fn a_server_that_asks_for_proofs_gets_them_where_the_authorization_server_can() {
    for (asks, dpop, scheme) in [
        (Asks::Metadata, Dpop::Binds, "DPoP"),
        (Asks::Metadata, Dpop::BindsSilently, "DPoP"),
        (Asks::Challenge, Dpop::Binds, "DPoP"),
        (Asks::Either, Dpop::Binds, "DPoP"),
        (Asks::Either, Dpop::Breaks, "Bearer"),
        (Asks::Either, Dpop::OtherAlgorithm, "Bearer"),
        (Asks::Challenge, Dpop::Unknown, "Bearer"),
        (Asks::Nothing, Dpop::Binds, "Bearer"),
    ] {
        let scene = Scene::with(|conduct| conduct.dpop = dpop);
        scene.mcp.set(|door| door.asks = asks);
        let tether = scene.signed_in();
        works(&tether, "1");
        assert_eq!(sent(&scene), only(scheme));
        let kept = record(&scene);
        assert_eq!(kept["tokens"]["token_type"], scheme);
        assert_eq!(kept["tokens"]["dpop_key"].is_string(), scheme == "DPoP");
    }
}

#[test]
fn where_tokens_cannot_be_bound_as_they_have_to_be_the_sign_in_ends_before_it_begins() {
    for flag in [true, false] {
        let scene = Scene::with(|conduct| conduct.dpop = Dpop::OtherAlgorithm);
        let launch = if flag {
            bound(&scene)
        } else {
            scene.mcp.set(|door| door.asks = Asks::Metadata);
            scene.launch()
        };
        let tether = launch.start();
        say_hello(&tether);
        let error = tether.answer("0");
        assert_eq!(error.code(), -31004, "{}", error.text);
        assert!(error.text.contains("ES256"), "{}", error.text);
        assert_eq!(error.text.contains("leave out --dpop"), flag);
        assert_eq!(scene.auth.authorizations().len(), 0);
    }
}

#[test]
fn a_token_that_is_not_bound_is_refused_where_it_has_to_be() {
    for asks in [Asks::Nothing, Asks::Metadata, Asks::Challenge] {
        let scene = Scene::with(|conduct| conduct.dpop = Dpop::Breaks);
        scene.mcp.set(|door| door.asks = asks);
        let launch = if asks == Asks::Nothing {
            bound(&scene)
        } else {
            scene.launch()
        };
        let error = fails(&scene, launch);
        assert!(error.contains("not bound to the key"), "{error}");
        assert_eq!(sent(&scene), BTreeSet::new(), "it was not even sent");
        assert!(record(&scene)["tokens"].is_null());
    }
}

#[test]
fn a_refresh_that_brings_an_unbound_token_leads_to_a_sign_in() {
    let scene = binding();
    let tether = scene.sign_in(bound(&scene));
    scene.auth.end_access();
    scene.auth.set(|conduct| conduct.dpop = Dpop::Breaks);
    tether.send(&rpc::call("1", "echo", "{}"));
    let shown = nth_address(&tether, 2);
    scene.auth.set(|conduct| conduct.dpop = Dpop::Binds);
    assert_eq!(visit::follow(&shown).status, 200);
    tether.answer("1").result();
    assert_eq!(sent(&scene), only("DPoP"));
}

#[test]
fn nonces_of_both_servers_are_taken_up_without_a_refresh_or_a_sign_in() {
    let scene = binding();
    scene.auth.set(|conduct| conduct.proofs = Wants::Nonce);
    scene.mcp.set(|door| door.proofs = Wants::Nonce);
    let tether = scene.sign_in(bound(&scene));
    assert_eq!(scene.auth.asked(TOKEN), 2);
    let before = scene.mcp.mcp.calls("tools/call").len();
    works(&tether, "1");
    assert_eq!(scene.mcp.mcp.calls("tools/call").len(), before + 1);
    // One that has ended costs one more request.
    scene.mcp.proofs.end_nonce();
    works(&tether, "2");
    assert_eq!(scene.mcp.mcp.calls("tools/call").len(), before + 3);
    scene.auth.end_access();
    works(&tether, "3");
    assert_eq!(scene.auth.refreshes(), 1);
    assert_eq!(scene.auth.asked(TOKEN), 3, "the nonce was known");
    scene.mcp.proofs.end_nonce();
    assert_eq!(tether.finish(), 0);
    assert_eq!(scene.mcp.mcp.calls("DELETE").len(), 2);
    assert_eq!(scene.auth.authorizations().len(), 1);
    assert_eq!(scene.auth.refreshes(), 1);
}

#[test]
fn a_storm_of_nonces_of_the_server_ends_with_an_error_and_begins_no_sign_in() {
    for wants in [Wants::Storm, Wants::Silence] {
        let scene = binding();
        let tether = scene.sign_in(bound(&scene));
        scene.mcp.set(|door| door.proofs = wants);
        let error = tether.call("1", "echo", "{}");
        assert_eq!(error.code(), -31004, "{}", error.text);
        assert!(error.text.contains("nonce"), "{}", error.text);
        let tries = if wants == Wants::Storm { 3 } else { 1 };
        assert_eq!(scene.mcp.mcp.calls("tools/call").len(), tries);
        assert_eq!(addresses(&tether.stderr()).len(), 1, "no other sign-in");
        assert_eq!(scene.auth.refreshes(), 0);
        scene.mcp.set(|door| door.proofs = Wants::Nonce);
        works(&tether, "2");
        assert_eq!(scene.auth.authorizations().len(), 1);
    }
}

#[test]
fn a_storm_of_nonces_of_the_authorization_server_ends_with_an_error_and_loses_nothing() {
    let scene = binding();
    scene.auth.set(|conduct| conduct.proofs = Wants::Storm);
    let error = fails(&scene, bound(&scene));
    assert!(error.contains("use_dpop_nonce"), "{error}");
    assert_eq!(scene.auth.asked(TOKEN), 3);
    scene.auth.set(|conduct| conduct.proofs = Wants::NoNonce);
    let tether = scene.sign_in(bound(&scene));
    scene.auth.end_access();
    scene.auth.set(|conduct| conduct.proofs = Wants::Storm);
    let error = tether.call("1", "echo", "{}");
    assert_eq!(error.code(), -31004, "{}", error.text);
    assert_eq!(addresses(&tether.stderr()).len(), 1, "no other sign-in");
    assert_eq!(tether.finish(), 0);
    scene.auth.set(|conduct| conduct.proofs = Wants::NoNonce);
    let again = scene.again();
    works(&again, "1");
    assert_eq!(again.stderr(), "");
}

#[test]
fn a_proof_that_the_server_finds_wrong_is_an_error_that_speaks_of_the_clock() {
    let scene = binding();
    let tether = scene.sign_in(bound(&scene));
    scene.mcp.set(|door| door.proofs = Wants::Perfection);
    let error = tether.call("1", "echo", "{}");
    assert_eq!(error.code(), -31004, "{}", error.text);
    assert!(error.text.contains("clock"), "{}", error.text);
    assert_eq!(scene.auth.refreshes(), 0);
    assert_eq!(addresses(&tether.stderr()).len(), 1, "no other sign-in");
    scene.mcp.set(|door| door.proofs = Wants::NoNonce);
    works(&tether, "2");
}

#[test]
fn a_step_up_stays_bound_whatever_the_challenge_calls_itself() {
    let scene = binding();
    scene.mcp.set(|door| {
        door.asks = Asks::Challenge;
        door.challenge = Some("read");
        door.scopes.insert("add", "write");
    });
    let tether = scene.signed_in();
    works(&tether, "1");
    tether.send(&rpc::call("2", "add", r#"{"a":1,"b":2}"#));
    assert_eq!(visit::follow(&nth_address(&tether, 2)).status, 200);
    tether.answer("2").result();
    assert_eq!(sent(&scene), only("DPoP"));
    assert_eq!(record(&scene)["tokens"]["token_type"], "DPoP");
}

#[test]
fn a_lost_key_leads_to_a_sign_in_and_the_token_is_not_sent_without_it() {
    for damage in [None, Some(""), Some("AAAA")] {
        let scene = binding();
        assert_eq!(scene.sign_in(bound(&scene)).finish(), 0);
        scene.change_records(|record| {
            let tokens = record["tokens"].as_object_mut().unwrap();
            match damage {
                None => tokens.remove("dpop_key"),
                Some(text) => tokens.insert("dpop_key".to_owned(), text.into()),
            };
        });
        let before = scene.mcp.log().with(<[Request]>::len);
        let tether = scene.sign_in(bound(&scene));
        works(&tether, "1");
        let since = scene.mcp.log().all().split_off(before);
        assert_eq!(schemes(&since), only("DPoP"));
        assert_eq!(scene.auth.refreshes(), 0, "it is bound to the key as well");
        assert_eq!(scene.auth.authorizations().len(), 2);
        assert!(record(&scene)["tokens"]["dpop_key"].is_string());
    }
}

#[test]
fn an_unbound_sign_in_of_before_is_not_used_with_the_option() {
    let scene = binding();
    assert_eq!(scene.signed_in().finish(), 0);
    scene.expire();
    let before = scene.mcp.log().with(<[Request]>::len);
    let tether = scene.sign_in(bound(&scene));
    works(&tether, "1");
    let since = scene.mcp.log().all().split_off(before);
    assert_eq!(schemes(&since), only("DPoP"));
    assert_eq!(scene.auth.refreshes(), 0);
}

#[test]
fn a_resumed_stream_has_a_proof_of_its_own() {
    let scene = binding();
    scene.mcp.mcp.on("tools/call", |_| async move {
        let (response, feed) = Response::events();
        feed.send("retry: 20\nid: e-1\ndata: \n\n");
        feed.cut();
        response
    });
    scene.mcp.mcp.on("GET", |call: Call| async move {
        match call.request.header("last-event-id") {
            Some(_) => {
                let answer = rpc::result("1", "{}");
                Response::event_bytes(format!("id: e-2\ndata: {answer}\n\n"))
            }
            None => Response::status(405),
        }
    });
    let tether = scene.sign_in(bound(&scene));
    assert_eq!(tether.call("1", "any", "{}").text, rpc::result("1", "{}"));
    let resumed = scene.mcp.with_token("GET");
    assert!(
        resumed
            .iter()
            .any(|get| get.header("last-event-id").is_some())
    );
    assert!(resumed.iter().all(|get| get.header("dpop").is_some()));
}

#[test]
fn a_redirect_within_the_origin_gets_a_proof_for_where_it_leads() {
    let scene = binding();
    let origin = scene.mcp.url().trim_end_matches("/mcp").to_owned();
    scene.mcp.set(|door| {
        door.former = Some("/former");
        door.resource = Some(origin.clone());
    });
    let launch = scene
        .program()
        .args([format!("{origin}/former?key=value"), "--dpop".to_owned()]);
    let tether = scene.sign_in(launch);
    works(&tether, "1");
    assert_eq!(tether.finish(), 0);
    assert_eq!(scene.mcp.mcp.calls("DELETE").len(), 2);
}

#[test]
fn the_upgrade_to_websocket_has_a_proof_and_takes_up_nonces() {
    let scene = binding();
    let server = WebSocket::new();
    let url = server.http_url();
    scene.mcp.set(|door| door.resource = Some(url.clone()));
    let metadata = scene.mcp.mcp.server.at(protected::METADATA);
    let challenge = format!(r#"DPoP algs="ES256", resource_metadata="{metadata}""#);
    server.wants_token(&challenge);
    let tether = scene.program().arg(server.url()).watch(&server).start();
    say_hello(&tether);
    let page = visit::follow(&address(&tether));
    assert_eq!(page.status, 200, "{page}");
    welcomed(&tether);
    works(&tether, "1");
    assert_eq!(tether.finish(), 0);

    let before = server.upgrades().len();
    server.refuse(
        401,
        &[
            ("www-authenticate", r#"DPoP error="use_dpop_nonce""#),
            ("dpop-nonce", "the-nonce"),
        ],
    );
    let again = scene.program().arg(server.url()).watch(&server).start();
    again.initialize();
    assert_eq!(again.finish(), 0);
    let upgrades = server.upgrades().split_off(before);
    assert_eq!(upgrades.len(), 2);
    let proofs = &scene.mcp.proofs;
    for upgrade in &upgrades {
        let token = upgrade.header("authorization").unwrap();
        let token = token.strip_prefix("DPoP ").unwrap();
        proofs.check(upgrade, Some(token)).map(drop).unwrap();
    }
}

#[test]
fn neither_the_key_nor_a_proof_is_in_a_log() {
    let scene = binding();
    let log = scene.home().join("the.log");
    std::fs::create_dir_all(scene.home()).unwrap();
    let launch = bound(&scene).args(["--debug", "--log-file"]).arg(&log);
    let tether = scene.sign_in(launch);
    works(&tether, "1");
    scene
        .auth
        .set(|conduct| conduct.refresh = Refresh::Fails(503));
    scene.auth.end_access();
    tether.call("2", "echo", "{}").error();
    let key = record(&scene)["tokens"]["dpop_key"].clone();
    let mut secrets = vec![key.as_str().unwrap().to_owned()];
    secrets.extend(scene.auth.secrets());
    let requests = scene.mcp.log().all().into_iter();
    secrets.extend(requests.filter_map(|r| r.header("dpop").map(str::to_owned)));
    let said = tether.stderr() + &std::fs::read_to_string(&log).unwrap();
    for secret in secrets {
        assert!(!said.contains(&secret), "{secret}");
    }
    let listed = scene.program().args(["status", "--json"]).run("");
    assert!(!listed.stdout.contains(key.as_str().unwrap()));
}

#[test]
fn login_binds_the_tokens_that_a_bridge_then_uses() {
    let scene = Scene::following();
    scene.auth.set(|conduct| {
        conduct.dpop = Dpop::Binds;
        conduct.proofs = Wants::Nonce;
    });
    let output = scene.command("login").arg("--dpop").run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    let tether = bound(&scene).start();
    tether.initialize();
    works(&tether, "1");
    assert_eq!(tether.stderr(), "");
    assert_eq!(sent(&scene), only("DPoP"));
    assert_eq!(scene.auth.asked(METADATA), 1);
    assert_eq!(tether.finish(), 0);
    let output = scene.command("logout").run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(scene.records().len(), 0);
}
