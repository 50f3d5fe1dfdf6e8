//! A token that does not reach far enough: more scope is asked for, never less than before, and not for ever (2026-07-28
//! authorization §Step-Up Authorization Flow).
#![cfg(unix)]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::http::Response;
use crate::support::rpc;
use crate::support::scene::{Scene, deny, nth_address};
use crate::support::tether::Tether;
use crate::support::visit;

/// A bridge that is signed in for `read`; the tool `add` needs `write`.
fn reader(scene: &Scene) -> Tether {
    scene.mcp.set(|door| {
        door.challenge = Some("read");
        door.scopes.insert("add", "write");
        door.scopes.insert("slow", "admin");
    });
    scene.signed_in()
}

fn scopes(scene: &Scene, nth: usize) -> BTreeSet<String> {
    let asked = &scene.auth.authorizations()[nth - 1];
    asked["scope"].split(' ').map(str::to_owned).collect()
}

fn set(scopes: &[&str]) -> BTreeSet<String> {
    scopes.iter().map(|scope| (*scope).to_owned()).collect()
}

#[test]
fn a_403_asks_for_the_union_of_the_scopes_and_repeats_the_call() {
    let scene = Scene::new();
    let tether = reader(&scene);
    tether.call("1", "echo", "{}").result();
    tether.send(&rpc::call("2", "add", r#"{"a":1,"b":2}"#));
    let address = nth_address(&tether, 2);
    let scope = visit::parameter(&address, "scope").unwrap();
    assert_eq!(
        scope.split(' ').map(str::to_owned).collect::<BTreeSet<_>>(),
        set(&["read", "write"])
    );
    assert_eq!(visit::follow(&address).status, 200);
    let answer = tether.answer("2").result();
    assert_eq!(answer["content"][0]["text"], "3");
    tether.send(&rpc::call("3", "slow", r#"{"ms":0}"#));
    visit::follow(&nth_address(&tether, 3));
    tether.answer("3").result();
    assert_eq!(scopes(&scene, 3), set(&["read", "write", "admin"]));
    tether.call("4", "echo", "{}").result();
    assert_eq!(scene.auth.authorizations().len(), 3);
    assert_eq!(scene.auth.registrations(), 1);
    assert_eq!(scene.auth.refreshes(), 0, "a refresh cannot widen");
    assert_eq!(
        scene.mcp.mcp.calls("initialize").len(),
        2,
        "the session stays"
    );
}

#[test]
fn the_wider_sign_in_is_the_one_that_is_kept() {
    let scene = Scene::new();
    let tether = reader(&scene);
    tether.send(&rpc::call("1", "add", r#"{"a":1,"b":2}"#));
    visit::follow(&nth_address(&tether, 2));
    tether.answer("1").result();
    assert_eq!(tether.finish(), 0);
    let again = scene.again();
    again.call("1", "add", r#"{"a":1,"b":2}"#).result();
    scene.auth.end_access();
    again.call("2", "add", r#"{"a":1,"b":2}"#).result();
    assert_eq!(scene.auth.authorizations().len(), 2);
    assert_eq!(again.stderr(), "");
}

#[test]
fn a_server_that_never_has_enough_is_asked_three_times_at_most() {
    let scene = Scene::new();
    scene.auth.set(|conduct| conduct.narrows = Some("read"));
    let tether = reader(&scene);
    tether.send(&rpc::call("1", "add", "{}"));
    visit::follow(&nth_address(&tether, 2));
    let answer = tether.answer("1");
    assert!(answer.error.is_some(), "{}", answer.text);
    for id in ["2", "3", "4"] {
        let error = tether.call(id, "add", "{}").error();
        assert_eq!(error["data"]["kind"], "auth", "{error}");
    }
    assert!(addresses_shown(&tether) <= 3, "{}", tether.stderr());
    assert!(scene.auth.authorizations().len() <= 3);
    tether.call("5", "echo", "{}").result();
}

#[test]
fn a_server_that_wants_another_scope_each_time_is_asked_three_times_for_a_call() {
    let scene = Scene::new();
    let tether = reader(&scene);
    let wanted = AtomicUsize::new(0);
    scene.mcp.mcp.on("tools/call", move |_| {
        let number = wanted.fetch_add(1, Ordering::SeqCst);
        let challenge = format!(r#"Bearer error="insufficient_scope", scope="s{number}""#);
        async move { Response::status(403).header("www-authenticate", &challenge) }
    });
    tether.send(&rpc::call("1", "echo", "{}"));
    for nth in 2..=4 {
        assert_eq!(visit::follow(&nth_address(&tether, nth)).status, 200);
    }
    let error = tether.answer("1").error();
    assert_eq!(error["data"]["kind"], "auth", "{error}");
    assert_eq!(scene.auth.authorizations().len(), 4);
}

fn addresses_shown(tether: &Tether) -> usize {
    crate::support::scene::addresses(&tether.stderr()).len()
}

#[test]
fn a_scope_that_the_user_denies_leaves_the_rest_as_it_was() {
    let scene = Scene::new();
    let tether = reader(&scene);
    tether.send(&rpc::call("1", "add", "{}"));
    assert_eq!(deny(&nth_address(&tether, 2)).status, 403);
    let error = tether.answer("1").error();
    assert_eq!(error["code"], -31004, "{error}");
    tether.call("2", "echo", "{}").result();
    tether.ask("3", "tools/list", "{}").result();
    assert_eq!(scene.auth.authorizations().len(), 2);
}

#[test]
fn a_403_of_another_kind_is_told_and_no_sign_in() {
    let challenges = [
        None,
        Some(r#"Bearer error="invalid_request""#),
        Some(r#"Basic realm="x""#),
    ];
    for challenge in challenges {
        let scene = Scene::new();
        let tether = reader(&scene);
        scene.mcp.mcp.on("tools/call", move |_| async move {
            let response = Response::of(403, "text/plain", "no");
            match challenge {
                Some(challenge) => response.header("www-authenticate", challenge),
                None => response,
            }
        });
        let error = tether.call("1", "echo", "{}").error();
        assert_eq!(error["data"]["httpStatus"], 403, "{error}");
        assert_eq!(scene.auth.authorizations().len(), 1);
        assert_eq!(scene.auth.refreshes(), 0);
        assert_eq!(addresses_shown(&tether), 1);
    }
}

#[test]
fn a_scope_that_the_user_gives_is_the_one_that_is_asked_for() {
    let scene = Scene::new();
    scene.mcp.set(|door| door.challenge = Some("read"));
    let _tether = scene.sign_in(scene.launch().args(["--scope", "x y"]));
    assert_eq!(scopes(&scene, 1), set(&["x", "y"]));
}
