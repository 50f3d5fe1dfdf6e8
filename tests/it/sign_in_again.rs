//! Sign-ins that are there already: other processes end and renew them, clients and endpoints change under them, and a bridge
//! that runs meanwhile neither loses nor deletes what is good.
#![cfg(unix)]

use std::net::TcpListener;

use crate::support::authserver::{AuthServer, Exchange, METADATA, Refresh, TOKEN};
use crate::support::gate::Gate;
use crate::support::http::Response;
use crate::support::launch::Launch;
use crate::support::rpc;
use crate::support::scene::{Scene, address, addresses, nth_address, say_hello, welcomed};
use crate::support::server::Plan;
use crate::support::tether::Tether;
use crate::support::visit;

fn works(tether: &Tether, id: &str) {
    tether.call(id, "echo", r#"{"text":"x"}"#).result();
}

/// A port that nobody listens at.
fn free_port() -> String {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().port().to_string()
}

/// A `login` that is about to start, in a process of its own.
fn login(scene: &Scene) -> Launch {
    scene.command("login").arg("--no-browser")
}

/// Waits for the end of a `login`.
fn ended(login: &Tether) {
    assert_eq!(login.wait(), 0, "{}", login.stderr());
    // What it prints is for people.
    login.wait_hung_up();
    login.forgive();
}

/// Signs in by `login`.
fn logged_in(launch: Launch) {
    let login = launch.start();
    let page = visit::follow(&address(&login));
    assert_eq!(page.status, 200, "{page}");
    ended(&login);
}

/// What is kept of the one sign-in.
fn record(scene: &Scene) -> serde_json::Value {
    let records = scene.records();
    assert_eq!(records.len(), 1, "{records:?}");
    serde_json::from_slice(&std::fs::read(&records[0]).unwrap()).unwrap()
}

/// Waits until the server's handshake is kept with the sign-in, beside other work: nothing of it is written after that.
fn remembered(scene: &Scene, tether: &Tether) {
    let kept = (1000..2000).any(|id| {
        works(tether, &id.to_string());
        record(scene)["initialize_result"].is_string()
    });
    assert!(kept, "nothing is remembered");
}

/// A sign-in of long ago, and a bridge that uses it.
fn signed_in_long_ago(scene: &Scene, args: &[String]) -> Tether {
    let first = scene.sign_in(scene.launch().args(args));
    remembered(scene, &first);
    assert_eq!(first.finish(), 0);
    scene.change_records(|record| {
        record["generation"] = 1.into();
        record["tokens"]["obtained_at"] = 1000.into();
    });
    let bridge = scene.launch().args(args).start();
    bridge.initialize();
    scene.mcp.wait_admitted("GET", 2);
    bridge
}

#[test]
fn a_logout_and_a_login_elsewhere_with_the_same_client_id_give_a_running_bridge_the_new_tokens() {
    for brought in [true, false] {
        let scene = Scene::with(|conduct| conduct.one_id = Some("the-client"));
        let mut args = Vec::new();
        if brought {
            let port = free_port();
            let back = format!("http://127.0.0.1:{port}/oauth/callback");
            scene.auth.admit_client("the-client", None, &back);
            args.extend([port, "--client-id".to_owned(), "the-client".to_owned()]);
        }
        let bridge = signed_in_long_ago(&scene, &args);
        let output = scene.command("logout").run("");
        assert_eq!(output.code, Some(0), "{output:?}");
        assert_eq!(scene.records().len(), 0);
        logged_in(login(&scene).args(&args));
        works(&bridge, "1");
        assert_eq!(scene.auth.refreshes(), 0, "with the token of before");
        assert_eq!(scene.auth.authorizations().len(), 2);
        assert_eq!(bridge.stderr(), "");
        assert!(record(&scene)["tokens"]["refresh"].is_string());
        scene.auth.end_access();
        works(&bridge, "2");
        assert_eq!(bridge.finish(), 0);
        let again = scene.again();
        works(&again, "1");
        assert_eq!(again.stderr(), "");
        assert_eq!((scene.auth.refreshes(), scene.auth.reuses()), (1, 0));
    }
}

#[test]
fn a_new_registration_of_the_same_id_leaves_the_tokens_as_they_are() {
    for change in ["path", "port"] {
        let scene = Scene::with(|conduct| conduct.one_id = Some("the-client"));
        scene.mcp.set(|door| {
            door.challenge = Some("read");
            door.scopes.insert("add", "write");
        });
        assert_eq!(scene.signed_in().finish(), 0);
        let first = scene.auth.authorizations()[0]["redirect_uri"].clone();
        let port = url::Url::parse(&first).unwrap().port().unwrap();
        let taken = (change == "port").then(|| TcpListener::bind(("127.0.0.1", port)).unwrap());
        let path = taken.as_ref().map_or("/elsewhere", |_| "/oauth/callback");
        let mut bridge = scene.launch().args(["--callback-path", path]).start();
        bridge.initialize();
        bridge.send(&rpc::call("1", "add", "{}"));
        let shown = address(&bridge);
        assert_ne!(visit::parameter(&shown, "redirect_uri"), Some(first));
        assert_eq!(scene.auth.registrations(), 2);
        bridge.close_stdin();
        bridge.answer("1").error();
        assert_eq!(bridge.wait(), 0);

        let again = scene.again();
        works(&again, "1");
        scene.auth.end_access();
        works(&again, "2");
        assert_eq!(again.stderr(), "", "{change}");
        assert_eq!(scene.auth.refreshes(), 1);
        assert_eq!(scene.auth.authorizations().len(), 1);
    }
}

#[test]
fn no_refresh_is_begun_for_the_end_of_the_session() {
    for ended in [false, true] {
        let scene = Scene::new();
        let mut tether = scene.signed_in();
        // From now on each token is due for a refresh as soon as it is there.
        scene.auth.set(|conduct| conduct.lifetime = Some(0));
        scene.auth.end_access();
        works(&tether, "1");
        if ended {
            scene.auth.end_access();
        }
        let asked = scene.auth.asked(TOKEN);
        assert!(asked > 1, "a refresh");
        tether.close_stdin();
        assert_eq!(tether.wait(), 0);
        assert_eq!(scene.mcp.mcp.calls("DELETE").len(), 1);
        assert_eq!(scene.auth.asked(TOKEN), asked);
    }
}

#[test]
fn a_damaged_list_does_not_sign_a_running_bridge_out() {
    for damage in [
        Some(""),
        Some("{"),
        Some("[1]"),
        Some(r#"{"logins":{}}"#),
        None,
    ] {
        let scene = Scene::new();
        let tether = scene.signed_in();
        let list = scene.home().join("state/index.json");
        match damage {
            Some(text) => std::fs::write(&list, text).unwrap(),
            None => std::fs::remove_file(&list).unwrap(),
        }
        scene.auth.end_access();
        works(&tether, "1");
        assert_eq!(scene.auth.refreshes(), 1, "{damage:?}");
        assert_eq!(tether.finish(), 0);
        let again = scene.again();
        works(&again, "1");
        assert_eq!(again.stderr(), "", "{damage:?}");
        assert_eq!(scene.auth.authorizations().len(), 1);
    }
}

#[test]
fn a_token_endpoint_that_has_moved_is_found_by_one_look_at_the_metadata() {
    for (refused, clock) in [(false, true), (false, false), (true, true)] {
        let scene = Scene::new();
        let gone = AuthServer::on(Plan::default().down());
        gone.server.allow_idle();
        assert_eq!(scene.signed_in().finish(), 0);
        let before = if refused {
            gone.server.at(TOKEN)
        } else {
            scene.auth.server.at("/token-of-before")
        };
        scene.change_records(|record| {
            assert!(record["server_metadata"]["token_endpoint"].is_string());
            record["server_metadata"]["token_endpoint"] = before.as_str().into();
        });
        assert_eq!(scene.auth.asked(METADATA), 1);
        let tether = if clock {
            scene.expire();
            scene.again()
        } else {
            let tether = scene.again();
            scene.auth.end_access();
            tether
        };
        works(&tether, "1");
        scene.auth.end_access();
        works(&tether, "2");
        assert_eq!(scene.auth.asked(METADATA), 2);
        assert_eq!(tether.stderr(), "", "{refused} {clock}");
        assert_eq!(scene.auth.refreshes(), 2);
        assert_eq!(scene.auth.authorizations().len(), 1);
        assert_eq!(tether.finish(), 0);
        scene.expire();
        let login = login(&scene).start();
        ended(&login);
        assert_eq!(addresses(&login.stderr()), Vec::<String>::new());
        assert_eq!(scene.auth.asked(METADATA), 2, "the new place is kept");
    }
}

#[test]
fn an_authorization_server_that_is_gone_while_another_one_is_named_leads_to_a_sign_in_there() {
    let scene = Scene::new();
    let tether = scene.signed_in();
    let new = AuthServer::new();
    scene.mcp.move_to(&new);
    scene.auth.server.stop();
    tether.send(&rpc::call("1", "echo", "{}"));
    let shown = nth_address(&tether, 2);
    assert!(shown.starts_with(&new.issuer()), "{shown}");
    assert_eq!(visit::follow(&shown).status, 200);
    tether.answer("1").result();
    assert_eq!(new.registrations(), 1);
}

#[test]
fn login_signs_in_at_the_server_that_is_named_now() {
    let scene = Scene::new();
    assert_eq!(scene.signed_in().finish(), 0);
    scene.expire();
    let new = AuthServer::new();
    scene.mcp.move_to(&new);
    scene.auth.server.stop();
    logged_in(login(&scene));
    assert_eq!(new.authorizations().len(), 1);
    let again = scene.again();
    works(&again, "1");
    assert_eq!(again.stderr(), "");
}

#[test]
fn a_client_that_the_server_has_forgotten_is_registered_anew_after_a_sign_in_that_nobody_finished()
{
    let scene = Scene::with(|conduct| conduct.exchange = Exchange::AccessOnly);
    assert_eq!(scene.signed_in().finish(), 0);
    scene.auth.forget_clients();
    scene.auth.end_grants();

    let second = scene.launch().args(["--auth-timeout", "1"]).start();
    say_hello(&second);
    let page = visit::follow(&address(&second));
    assert_eq!(page.status, 400, "an error page that stays: {page}");
    let error = second.answer("0").error();
    let told = error["message"].as_str().unwrap();
    assert!(told.contains("within 1 s"), "{error}");
    assert_eq!(second.finish(), 0);
    assert_eq!(scene.auth.faults().take().len(), 1);
    assert_eq!(scene.auth.registrations(), 1);

    let third = scene.signed_in();
    works(&third, "1");
    assert_eq!(scene.auth.registrations(), 2);
    assert_eq!(third.finish(), 0);
    record(&scene);
}

#[test]
fn logout_removes_a_registration_that_has_no_tokens() {
    let scene = Scene::new();
    let mut tether = scene.launch().start();
    say_hello(&tether);
    address(&tether);
    tether.close_stdin();
    tether.answer("0").error();
    assert_eq!(tether.wait(), 0);
    assert_eq!(record(&scene).get("tokens"), None, "a registration alone");
    let output = scene.command("logout").run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(scene.records().len(), 0, "{output:?}");
    works(&scene.signed_in(), "1");
    assert_eq!(scene.auth.registrations(), 2);
}

#[test]
fn a_token_that_is_refused_right_after_its_sign_in_is_replaced_by_that_of_a_login_elsewhere() {
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
    let bridge = scene.launch().start();
    say_hello(&bridge);
    assert_eq!(visit::follow(&address(&bridge)).status, 200);
    used.wait("the new token in use");
    scene.auth.end_grants();
    logged_in(login(&scene));
    gate.open();
    let hello = welcomed(&bridge).result();
    assert_eq!(hello["serverInfo"]["name"], "scripted", "{hello}");
    works(&bridge, "1");
    assert_eq!(addresses(&bridge.stderr()).len(), 1);
    assert_eq!(scene.auth.authorizations().len(), 2);
}

#[test]
fn a_token_that_another_process_has_renewed_meanwhile_is_not_renewed_again() {
    // Whether the other's token is first seen by the renewal or by the write of the handshake is left to chance.
    for round in 1..=6 {
        let scene = Scene::new();
        let one = scene.signed_in();
        remembered(&scene, &one);
        scene.change_records(|record| record["initialize_result"] = serde_json::Value::Null);
        scene.mcp.mcp.times(1, "tools/call", |_| async {
            Response::status(401).header("www-authenticate", r#"Bearer error="invalid_token""#)
        });
        let gate = Gate::new();
        scene.auth.set(|conduct| conduct.hold = Some(gate.clone()));
        one.send(&rpc::call("1", "echo", "{}"));
        scene.auth.wait_asked(TOKEN, 2);
        let two = scene.launch().start();
        two.initialize();
        scene.mcp.wait_admitted("GET", 2);
        scene.auth.end_access();
        let calls = scene.mcp.mcp.calls("tools/call").len();
        two.send(&rpc::call("1", "echo", "{}"));
        scene.mcp.mcp.wait_calls("tools/call", calls + 1);
        gate.open();
        one.answer("1").result();
        two.answer("1").result();
        assert_eq!(scene.auth.refreshes(), 1, "in round {round}");
    }
}

#[test]
fn a_login_in_the_second_of_the_sign_in_before_is_taken_too() {
    let scene = Scene::with(|conduct| conduct.one_id = Some("the-client"));
    let bridge = scene.signed_in();
    remembered(&scene, &bridge);
    scene.command("logout").run("");
    logged_in(login(&scene));
    works(&bridge, "1");
    assert_eq!(scene.auth.refreshes(), 0, "with the token of before");
    assert_eq!(scene.records().len(), 1);
}
#[test]
fn login_signs_in_where_refreshes_fail() {
    let scene = Scene::new();
    assert_eq!(scene.signed_in().finish(), 0);
    scene.expire();
    scene
        .auth
        .set(|conduct| conduct.refresh = Refresh::Fails(503));
    logged_in(login(&scene));
    assert_eq!(scene.auth.authorizations().len(), 2);
    let again = scene.again();
    works(&again, "1");
    assert_eq!(again.stderr(), "");
}
