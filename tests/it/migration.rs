//! A server that moves to another authorization server: the new one is found, and learns nothing of the old one (2026-07-28
//! authorization §Client Registration, Binding).
#![cfg(unix)]

use crate::support::authserver::AuthServer;
use crate::support::rpc;
use crate::support::scene::{Scene, addresses, nth_address};
use crate::support::visit;

/// That server has seen nothing which came from the other one.
fn knows_nothing_of(new: &AuthServer, old: &AuthServer) {
    let mut theirs = old.secrets();
    theirs.extend(old.clients().into_iter().map(|client| client.id));
    for request in new.server.requests() {
        let all = format!("{request} {} {:?}", request.text(), request.headers);
        for word in &theirs {
            assert!(!all.contains(word.as_str()), "{word} in {all}");
        }
    }
}

#[test]
fn metadata_that_names_another_server_after_a_401_leads_to_a_registration_there() {
    let scene = Scene::new();
    let tether = scene.signed_in();
    let new = AuthServer::new();
    scene.mcp.move_to(&new);
    tether.send(&rpc::call("1", "echo", "{}"));
    let address = nth_address(&tether, 2);
    assert!(address.starts_with(&new.issuer()), "{address}");
    assert_eq!(visit::follow(&address).status, 200);
    tether.answer("1").result();
    assert_eq!((new.registrations(), new.authorizations().len()), (1, 1));
    knows_nothing_of(&new, &scene.auth);
    new.end_access();
    tether.call("2", "echo", "{}").result();
    assert_eq!(new.refreshes(), 1);
    knows_nothing_of(&new, &scene.auth);
    knows_nothing_of(&scene.auth, &new);
    assert_eq!(tether.finish(), 0);
    let again = scene.again();
    again.call("1", "echo", "{}").result();
    assert_eq!(again.stderr(), "");
}

#[test]
fn the_old_server_is_not_forgotten_and_may_come_back() {
    let scene = Scene::new();
    let tether = scene.signed_in();
    let new = AuthServer::new();
    scene.mcp.move_to(&new);
    tether.send(&rpc::call("1", "echo", "{}"));
    visit::follow(&nth_address(&tether, 2));
    tether.answer("1").result();
    assert_eq!(scene.records().len(), 2);
    scene.mcp.move_to(&scene.auth);
    tether.send(&rpc::call("2", "echo", "{}"));
    if scene.auth.authorizations().len() > 1 {
        visit::follow(&nth_address(&tether, 3));
    }
    tether.answer("2").result();
    assert_eq!(
        scene.auth.registrations(),
        1,
        "the client is still known there"
    );
    knows_nothing_of(&scene.auth, &new);
}

#[test]
fn an_old_server_that_is_gone_does_not_hold_the_move_up() {
    let scene = Scene::new();
    let tether = scene.signed_in();
    let new = AuthServer::new();
    scene.mcp.move_to(&new);
    scene.auth.server.stop();
    tether.send(&rpc::call("1", "echo", "{}"));
    assert_eq!(visit::follow(&nth_address(&tether, 2)).status, 200);
    tether.answer("1").result();
    knows_nothing_of(&new, &scene.auth);
}

#[test]
fn a_client_that_the_user_brought_is_not_shown_to_another_server() {
    let scene = Scene::new();
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port().to_string()
    };
    let back = format!("http://127.0.0.1:{port}/oauth/callback");
    scene.auth.admit_client("brought", None, &back);
    let launch = scene
        .launch()
        .args([port.as_str(), "--client-id", "brought"]);
    let tether = scene.sign_in(launch);
    let new = AuthServer::new();
    scene.mcp.move_to(&new);
    let error = tether.call("1", "echo", "{}").error();
    assert_eq!(error["code"], -31004, "{error}");
    assert!(
        error["message"].as_str().unwrap().contains("brought"),
        "{error}"
    );
    assert_eq!(addresses(&tether.stderr()).len(), 1);
    knows_nothing_of(&new, &scene.auth);
    assert_eq!((new.registrations(), new.authorizations().len()), (0, 0));
}
