//! Tokens that end: renewed once for all who wait, ahead of time, without a browser, and without a loss when something
//! breaks in the middle.
#![cfg(unix)]

use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::authserver::{Conduct, Exchange, Refresh, TOKEN};
use crate::support::gate::Gate;
use crate::support::http::{Request, Response};
use crate::support::rpc;
use crate::support::scene::{Scene, address, addresses, nth_address, say_hello, welcomed};
use crate::support::server::Peer;
use crate::support::tether::Tether;
use crate::support::visit;

fn works(tether: &Tether, id: &str) {
    tether.call(id, "echo", r#"{"text":"x"}"#).result();
}

fn bearer(request: &Request) -> String {
    let header = request.header("authorization").unwrap_or_default();
    header.trim_start_matches("Bearer ").to_owned()
}

/// Whether each kept sign-in still has its tokens.
fn has_tokens(scene: &Scene) -> bool {
    let kept = |path: &std::path::PathBuf| std::fs::read_to_string(path).unwrap();
    let records = scene.records();
    !records.is_empty()
        && records
            .iter()
            .all(|path| kept(path).contains("\"refresh\""))
}

#[test]
fn five_calls_on_one_ended_token_cause_one_refresh_and_no_browser() {
    let scene = Scene::new();
    let tether = scene.signed_in();
    scene.auth.end_access();
    let gate = Gate::new();
    scene.auth.set(|conduct| conduct.hold = Some(gate.clone()));
    let ids = ["1", "2", "3", "4", "5"];
    for id in ids {
        tether.send(&rpc::call(id, "echo", "{}"));
    }
    scene.mcp.mcp.wait_calls("tools/call", 5);
    scene.auth.wait_asked(TOKEN, 2);
    gate.open();
    for id in ids {
        tether.answer(id).result();
    }
    assert_eq!(scene.auth.refreshes(), 1);
    assert_eq!(scene.mcp.mcp.calls("tools/call").len(), 10);
    assert_eq!(addresses(&tether.stderr()).len(), 1, "no other sign-in");
    assert_eq!(scene.auth.authorizations().len(), 1);
}

#[test]
fn five_calls_on_a_token_that_ended_by_the_clock_cause_one_refresh() {
    let scene = Scene::new();
    assert_eq!(scene.signed_in().finish(), 0);
    scene.expire();
    let tether = scene.again();
    let ids = ["1", "2", "3", "4", "5"];
    for id in ids {
        tether.send(&rpc::call(id, "echo", "{}"));
    }
    for id in ids {
        tether.answer(id).result();
    }
    assert_eq!(tether.stderr(), "");
    assert_eq!(scene.auth.refreshes(), 1);
    // It was not sent once its end had come.
    let hellos = scene.mcp.with_token("initialize");
    assert_eq!(hellos.len(), 2);
    assert_ne!(bearer(&hellos[0]), bearer(&hellos[1]));
}

#[test]
fn a_token_is_refreshed_ahead_of_its_end() {
    let scene = Scene::new();
    assert_eq!(scene.signed_in().finish(), 0);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    scene.change_records(|record| {
        record["tokens"]["obtained_at"] = (now - 3570).into();
        record["tokens"]["expires_at"] = (now + 30).into();
    });
    let tether = scene.again();
    works(&tether, "1");
    assert_eq!(scene.auth.refreshes(), 1);
    let hellos = scene.mcp.with_token("initialize");
    assert_ne!(
        bearer(&hellos[0]),
        bearer(&hellos[1]),
        "the old one was still good"
    );
}

#[test]
fn tokens_of_30_seconds_are_not_refreshed_on_each_call() {
    let scene = Scene::with(|conduct| conduct.lifetime = Some(30));
    let tether = scene.signed_in();
    for id in 1..=20 {
        works(&tether, &id.to_string());
    }
    assert_eq!(scene.auth.refreshes(), 0);
    scene.auth.end_access();
    works(&tether, "21");
    works(&tether, "22");
    assert_eq!(scene.auth.refreshes(), 1);
}

#[test]
fn tokens_without_an_end_are_refreshed_on_401_alone() {
    let scene = Scene::with(|conduct| conduct.lifetime = None);
    let tether = scene.signed_in();
    works(&tether, "1");
    assert_eq!(scene.auth.refreshes(), 0);
    scene.auth.end_access();
    works(&tether, "2");
    assert_eq!(scene.auth.refreshes(), 1);
}

#[test]
fn a_refresh_names_the_resource_and_asks_for_no_more_scope() {
    let scene = Scene::new();
    scene.mcp.set(|door| door.challenge = Some("a b"));
    let tether = scene.signed_in();
    scene.auth.set(|conduct| conduct.narrows = Some("a"));
    scene.auth.end_access();
    works(&tether, "1");
    let refresh = scene.auth.exchanges("refresh_token").remove(0);
    assert_eq!(
        refresh.get("resource"),
        scene.auth.authorizations()[0].get("resource")
    );
}

#[test]
fn a_refresh_that_fails_is_an_error_and_loses_nothing() {
    let fails = |scene: &Scene, status| {
        scene
            .auth
            .set(|conduct| conduct.refresh = Refresh::Fails(status));
    };
    for status in [Some(503), Some(500), None] {
        let scene = Scene::new();
        let tether = scene.signed_in();
        scene.auth.end_access();
        match status {
            Some(status) => fails(&scene, status),
            None => scene.auth.server.stop(),
        }
        let error = tether.call("1", "echo", "{}").error();
        assert!(error["code"].as_i64().unwrap() <= -31001, "{error}");
        assert!(has_tokens(&scene));
        assert_eq!(addresses(&tether.stderr()).len(), 1, "no other sign-in");
        assert_eq!(scene.auth.authorizations().len(), 1);
        assert_eq!(tether.finish(), 0);
        scene.auth.server.start();
        scene.auth.set(|conduct| conduct.refresh = Refresh::Rotates);
        let again = scene.again();
        works(&again, "1");
        assert_eq!(again.stderr(), "");
        assert_eq!(scene.auth.authorizations().len(), 1);
    }
}

#[test]
fn a_token_that_ends_before_its_first_use_is_refreshed_and_nobody_is_asked_again() {
    let scene = Scene::new();
    let (used, gate) = (Gate::new(), Gate::new());
    let (seen, held) = (used.clone(), gate.clone());
    scene.mcp.mcp.times(1, "initialize", move |_| {
        let (seen, held) = (seen.clone(), held.clone());
        async move {
            seen.open();
            held.opened().await;
            Response::status(401).header("www-authenticate", r#"Bearer error="invalid_token""#)
        }
    });
    let tether = scene.launch().start();
    say_hello(&tether);
    assert_eq!(visit::follow(&address(&tether)).status, 200);
    used.wait("the new token in use");
    scene.auth.end_access();
    gate.open();
    welcomed(&tether);
    works(&tether, "1");
    assert_eq!((scene.auth.refreshes(), scene.auth.reuses()), (1, 0));
    assert_eq!(scene.auth.authorizations().len(), 1);
}

#[test]
fn an_older_sign_in_of_another_url_is_refreshed_before_anybody_is_asked() {
    for lost in [false, true] {
        let scene = Scene::new();
        scene.mcp.set(|door| door.resource = Some(scene.mcp.url()));
        assert_eq!(scene.signed_in().finish(), 0);
        scene.change_records(|record| record["tokens"]["obtained_at"] = 1000.into());
        if lost {
            scene.auth.end_grants();
        } else {
            scene.auth.end_access();
        }
        let other = format!("{}?team=2", scene.mcp.url());
        let tether = scene.program().arg(other).start();
        say_hello(&tether);
        if lost {
            assert_eq!(visit::follow(&address(&tether)).status, 200);
        }
        welcomed(&tether);
        works(&tether, "1");
        assert_eq!(scene.auth.refreshes(), 1, "{lost}");
        assert_eq!(scene.auth.authorizations().len(), 1 + usize::from(lost));
    }
}

#[test]
fn many_calls_while_the_refresh_fails_do_not_storm_the_server() {
    let scene = Scene::new();
    let tether = scene.signed_in();
    scene.auth.end_access();
    scene
        .auth
        .set(|conduct| conduct.refresh = Refresh::Fails(503));
    for id in 1..=10 {
        tether.call(&id.to_string(), "echo", "{}").error();
    }
    assert!(scene.auth.refreshes() <= 3, "{}", scene.auth.refreshes());
}

/// The next call leads to a sign-in anew; gives how many clients are registered then.
fn leads_to_a_sign_in(scene: &Scene) -> usize {
    let tether = scene.signed_in();
    scene.auth.end_access();
    scene
        .auth
        .set(|conduct| conduct.exchange = Exchange::Tokens);
    tether.send(&rpc::call("1", "echo", "{}"));
    let page = visit::follow(&nth_address(&tether, 2));
    assert_eq!(page.status, 200, "{page}");
    tether.answer("1").result();
    works(&tether, "2");
    assert_eq!(scene.mcp.mcp.calls("initialize").len(), 2);
    scene.auth.registrations()
}

#[test]
fn invalid_grant_leads_to_a_sign_in_of_the_same_client() {
    let scene = Scene::with(|c| c.refresh = Refresh::Refused("invalid_grant"));
    assert_eq!(leads_to_a_sign_in(&scene), 1);
    assert_eq!(scene.auth.refreshes(), 1);
}

#[test]
fn invalid_client_leads_to_a_registration_anew() {
    let scene = Scene::with(|c| c.refresh = Refresh::Refused("invalid_client"));
    assert_eq!(leads_to_a_sign_in(&scene), 2);
    assert_eq!(scene.auth.refreshes(), 1);
}

#[test]
fn without_a_refresh_token_a_401_leads_to_a_sign_in() {
    let scene = Scene::with(|c: &mut Conduct| c.exchange = Exchange::AccessOnly);
    assert_eq!(leads_to_a_sign_in(&scene), 1);
    assert_eq!(scene.auth.refreshes(), 0);
}

#[test]
fn a_server_that_does_not_rotate_gets_the_same_refresh_token_again() {
    let scene = Scene::with(|conduct| conduct.refresh = Refresh::Keeps);
    let tether = scene.signed_in();
    for id in ["1", "2", "3"] {
        scene.auth.end_access();
        works(&tether, id);
    }
    let mut tokens = scene.auth.exchanges("refresh_token");
    assert_eq!(tokens.len(), 3);
    tokens.dedup();
    assert_eq!(tokens.len(), 1, "{tokens:?}");
}

#[test]
fn a_rotated_token_is_kept_before_it_is_used_so_that_kill_9_loses_nothing() {
    let scene = Scene::new();
    let mut tether = scene.signed_in();
    for round in 1..=3 {
        scene.auth.end_access();
        let (used, gate) = (Gate::new(), Gate::new());
        let (seen, held) = (used.clone(), gate.clone());
        scene.mcp.mcp.times(1, "tools/call", move |call| {
            let (seen, held) = (seen.clone(), held.clone());
            async move {
                seen.open();
                held.opened().await;
                call.reply("{}")
            }
        });
        tether.send(&rpc::call("1", "echo", "{}"));
        used.wait("the new token in use");
        tether.kill();
        gate.open();
        drop(tether);
        tether = scene.again();
        scene.auth.end_access();
        works(&tether, "2");
        assert_eq!(tether.stderr(), "", "no browser after round {round}");
        assert_eq!(scene.auth.refreshes(), 2 * round);
    }
    assert_eq!(scene.auth.reuses(), 0);
    assert_eq!(scene.auth.authorizations().len(), 1);
}

#[test]
fn a_refresh_that_is_on_its_way_is_finished_and_kept_before_the_end() {
    for end in ["eof", "TERM"] {
        let scene = Scene::new();
        let mut tether = scene.signed_in();
        scene.auth.end_access();
        let gate = Gate::new();
        scene.auth.set(|conduct| conduct.hold = Some(gate.clone()));
        tether.send(&rpc::call("1", "echo", "{}"));
        scene.auth.wait_asked(TOKEN, 2);
        if end == "TERM" {
            tether.signal(end);
        } else {
            tether.close_stdin();
        }
        gate.open();
        tether.answer("1");
        assert_eq!(tether.wait(), 0);
        scene.auth.set(|conduct| conduct.hold = None);
        scene.auth.end_access();
        let again = scene.again();
        works(&again, "1");
        assert_eq!(again.stderr(), "", "{end}");
        assert_eq!(scene.auth.reuses(), 0);
    }
}

#[test]
fn a_refresh_outlives_the_call_that_caused_it() {
    let scene = Scene::new();
    let tether = scene.signed_in();
    scene.auth.end_access();
    let gate = Gate::new();
    scene.auth.set(|conduct| conduct.hold = Some(gate.clone()));
    tether.send(&rpc::call("1", "echo", "{}"));
    scene.auth.wait_asked(TOKEN, 2);
    tether.notify("notifications/cancelled", r#"{"requestId":1}"#);
    gate.open();
    works(&tether, "2");
    assert_eq!((scene.auth.refreshes(), scene.auth.reuses()), (1, 0));
    assert_eq!(scene.auth.authorizations().len(), 1);
}
