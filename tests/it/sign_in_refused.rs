//! Sign-ins that the user, the clock or a stranger would end: who is told, and what goes on all the same.
#![cfg(unix)]

use std::net::TcpListener;

use crate::support::authserver::Exchange;
use crate::support::http::Response;
use crate::support::launch::Launch;
use crate::support::mcp::Legacy;
use crate::support::rpc;
use crate::support::scene::{Scene, address, deny, nth_address, say_hello, welcomed};
use crate::support::tether::Tether;
use crate::support::visit;

/// A bridge whose server leaves the handshake open, so that refusals meet a call.
fn open_handshake(scene: &Scene, launch: Launch) -> Tether {
    let open = ["initialize", "notifications/initialized"];
    scene.mcp.set(|door| door.open.extend(open));
    let tether = launch.start();
    tether.initialize();
    tether
}

fn auth_error(tether: &Tether, id: &str) -> String {
    let error = tether.answer(id).error();
    assert_eq!(
        (&error["code"], &error["data"]["kind"]),
        (&(-31004).into(), &"auth".into())
    );
    format!("{} {}", error["message"], error["data"]["hint"])
}

#[test]
fn a_denial_is_told_and_shown_and_only_a_tool_call_asks_again() {
    let scene = Scene::new();
    let tether = open_handshake(&scene, scene.launch());
    tether.send(&rpc::call("1", "echo", "{}"));
    let first = address(&tether);
    let page = deny(&first);
    assert_eq!(page.status, 403, "{page}");
    assert!(page.text.contains("Access was not given"), "{}", page.text);
    let told = auth_error(&tether, "1");
    assert!(told.contains("refused"), "{told}");
    tether.send(&rpc::request("2", "tools/list", "{}"));
    let told = auth_error(&tether, "2");
    assert!(told.contains("refused"), "{told}");
    assert_eq!(scene.auth.authorizations().len(), 1);
    tether.send(&rpc::call("3", "echo", "{}"));
    let again = nth_address(&tether, 2);
    assert_ne!(again, first);
    assert_eq!(visit::follow(&again).status, 200);
    tether.answer("3").result();
    tether.ask("4", "tools/list", "{}").result();
    assert_eq!(scene.auth.registrations(), 1);
}

#[test]
fn a_sign_in_that_nobody_finishes_ends_with_auth_timeout() {
    let scene = Scene::new();
    let tether = open_handshake(&scene, scene.launch().args(["--auth-timeout", "1"]));
    tether.send(&rpc::call("1", "echo", "{}"));
    let first = address(&tether);
    let told = auth_error(&tether, "1");
    assert!(told.contains("within 1 s"), "{told}");
    let back = visit::parameter(&first, "redirect_uri").unwrap();
    assert!(
        visit::request("GET", &back, &[]).is_none(),
        "the listener is gone"
    );
    // Another call is another sign-in, with a second of its own.
    tether.send(&rpc::call("2", "echo", "{}"));
    assert_ne!(nth_address(&tether, 2), first);
    auth_error(&tether, "2");
}

#[test]
fn initialize_is_answered_although_nobody_signs_in() {
    let scene = Scene::new();
    let tether = scene.launch().args(["--auth-timeout", "1"]).start();
    say_hello(&tether);
    let told = auth_error(&tether, "0");
    assert!(told.contains("within 1 s"), "{told}");
    assert_eq!(tether.finish(), 0);
    scene.auth.server.allow_idle();
}

#[test]
fn a_wrong_authorization_header_is_a_clear_refusal_without_a_browser() {
    for place in ["flag", "file", "environment"] {
        let scene = Scene::new();
        scene.auth.server.allow_idle();
        let header = "Authorization: Bearer wrong";
        let launch = scene.launch();
        let file = launch.home().join("headers");
        std::fs::write(&file, header).unwrap();
        let tether = match place {
            "flag" => launch.args(["--header", header]),
            "file" => launch.arg("--header-file").arg(file),
            _ => launch.env("MCP_TETHER_HEADER", header),
        }
        .start();
        say_hello(&tether);
        let told = auth_error(&tether, "0");
        assert!(
            told.to_lowercase().contains("authorization"),
            "{place}: {told}"
        );
        assert_eq!(tether.finish(), 0);
        assert_eq!(scene.auth.server.requests().len(), 0, "{place}");
        assert_eq!(scene.browser.opened(), 0, "{place}");
    }
}

#[test]
fn auth_none_asks_nobody() {
    let scene = Scene::new();
    scene.auth.server.allow_idle();
    let tether = scene.launch().args(["--auth", "none"]).start();
    say_hello(&tether);
    auth_error(&tether, "0");
    assert_eq!(scene.auth.server.requests().len(), 0);
}

#[test]
fn junk_a_wrong_state_and_a_foreign_host_do_not_end_the_wait() {
    let scene = Scene::new();
    let tether = scene.launch().start();
    say_hello(&tether);
    let address = address(&tether);
    let back = visit::parameter(&address, "redirect_uri").unwrap();
    let state = visit::parameter(&address, "state").unwrap();
    let issuer = scene.auth.issuer();
    let with = |query: &str| format!("{back}?{query}");
    let right = with(&format!("code=made-up&state={state}&iss={issuer}"));
    let origin = back.trim_end_matches("/oauth/callback");
    let favicon = format!("{origin}/favicon.ico");
    let wrong = with("code=x&state=wrong");
    let refusal = with("error=access_denied&state=wrong");
    let table = [
        ("GET", &favicon, 404),
        ("GET", &origin.to_owned(), 404),
        ("GET", &back, 400),
        ("GET", &wrong, 400),
        ("GET", &refusal, 400),
        ("POST", &right, 405),
        ("OPTIONS", &right, 405),
    ];
    for (method, url, status) in table {
        let page = visit::request(method, url, &[]).unwrap();
        assert_eq!(page.status, status, "{method} {url}");
        assert!(!page.text.contains("made-up"), "{page}");
    }
    let foreign = visit::request("GET", &right, &[("host", "evil.example")]).unwrap();
    assert_eq!(foreign.status, 400);
    assert!(!foreign.text.contains("evil"), "{foreign}");
    assert_eq!(scene.auth.exchanges("authorization_code").len(), 0);
    assert_eq!(visit::follow(&address).status, 200);
    welcomed(&tether);
}

#[test]
fn a_link_works_once() {
    let scene = Scene::new();
    let tether = scene.launch().start();
    say_hello(&tether);
    let back = visit::location(&address(&tether));
    assert_eq!(visit::request("GET", &back, &[]).unwrap().status, 200);
    welcomed(&tether);
    let late = visit::request("GET", &back, &[]);
    assert!(
        late.is_none_or(|page| page.status == 410),
        "the listener is gone or says so"
    );
}

#[test]
fn a_given_port_that_is_taken_is_told() {
    let scene = Scene::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let tether = open_handshake(&scene, scene.launch().arg(port.clone()));
    tether.send(&rpc::call("1", "echo", "{}"));
    let told = auth_error(&tether, "1");
    assert!(told.contains(&port), "{told}");
    assert_eq!((scene.auth.registrations(), scene.browser.opened()), (0, 0));
    drop(taken);
    tether.send(&rpc::call("2", "echo", "{}"));
    let address = address(&tether);
    let back = visit::parameter(&address, "redirect_uri").unwrap();
    assert_eq!(back, format!("http://127.0.0.1:{port}/oauth/callback"));
    assert_eq!(visit::follow(&address).status, 200);
    tether.answer("2").result();
}

#[test]
fn a_registered_port_is_used_again_and_one_that_is_taken_is_registered_anew() {
    let scene = Scene::new();
    let tether = scene.signed_in();
    let first = scene.auth.authorizations()[0]["redirect_uri"].clone();
    scene.auth.end_grants();
    tether.send(&rpc::call("1", "echo", "{}"));
    let again = nth_address(&tether, 2);
    assert_eq!(
        visit::parameter(&again, "redirect_uri"),
        Some(first.clone())
    );
    assert_eq!(visit::follow(&again).status, 200);
    tether.answer("1").result();
    assert_eq!(scene.auth.registrations(), 1);

    let port = first.trim_start_matches("http://127.0.0.1:");
    let port: u16 = port.split('/').next().unwrap().parse().unwrap();
    let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    scene.auth.end_grants();
    tether.send(&rpc::call("2", "echo", "{}"));
    let other = nth_address(&tether, 3);
    assert_ne!(visit::parameter(&other, "redirect_uri"), Some(first));
    assert_eq!(visit::follow(&other).status, 200);
    tether.answer("2").result();
    assert_eq!(scene.auth.registrations(), 2);
    drop(taken);
}

#[test]
fn a_server_that_refuses_the_token_of_the_sign_in_is_told_and_not_asked_for_ever() {
    let scene = Scene::new();
    scene.mcp.set(|door| door.shut = true);
    let tether = scene.launch().start();
    say_hello(&tether);
    visit::follow(&address(&tether));
    for id in ["0", "1", "2"] {
        let told = auth_error(&tether, id);
        assert!(told.contains("refuses the token"), "{told}");
        tether.send(&rpc::call(
            &(id.parse::<u32>().unwrap() + 1).to_string(),
            "echo",
            "{}",
        ));
    }
    auth_error(&tether, "3");
    assert_eq!(scene.auth.authorizations().len(), 1);
    assert_eq!(scene.auth.refreshes(), 1, "one try, for all requests");
}

#[test]
fn a_server_with_no_way_to_register_says_what_to_do() {
    let scene = Scene::with(|conduct| conduct.registration = false);
    let tether = scene.launch().start();
    say_hello(&tether);
    let told = auth_error(&tether, "0");
    assert!(told.contains("--client-id"), "{told}");
}

#[test]
fn a_denial_before_the_handshake_answers_initialize() {
    let scene = Scene::new();
    let tether = scene.launch().start();
    say_hello(&tether);
    deny(&address(&tether));
    let told = auth_error(&tether, "0");
    assert!(told.contains("refused"), "{told}");
}

#[test]
fn a_code_that_is_not_taken_starts_the_sign_in_once_more() {
    let scene = Scene::with(|c| c.exchange = Exchange::Refused("invalid_grant"));
    let tether = scene.launch().start();
    say_hello(&tether);
    let page = visit::follow(&address(&tether));
    assert_eq!(page.status, 500, "{page}");
    scene
        .auth
        .set(|conduct| conduct.exchange = Exchange::Tokens);
    assert_eq!(visit::follow(&nth_address(&tether, 2)).status, 200);
    welcomed(&tether);
}

#[test]
fn a_server_that_wants_a_key_and_offers_no_sign_in_is_told_as_it_is() {
    for challenge in [None, Some("Basic realm=\"x\""), Some("Bearer")] {
        let mcp = Legacy::new();
        mcp.on("initialize", move |_| async move {
            let response = Response::status(401);
            match challenge {
                Some(challenge) => response.header("www-authenticate", challenge),
                None => response,
            }
        });
        let tether = Launch::to(&mcp).args(["--store", "file"]).start();
        say_hello(&tether);
        auth_error(&tether, "0");
        assert_eq!(tether.stderr(), "", "{challenge:?}");
    }
}

#[test]
fn a_signal_ends_the_sign_in_and_answers_what_waits() {
    let scene = Scene::new();
    let tether = scene.launch().start();
    say_hello(&tether);
    let back = visit::parameter(&address(&tether), "redirect_uri").unwrap();
    tether.signal("TERM");
    tether.answer("0").error();
    assert_eq!(tether.wait(), 0);
    assert!(
        visit::request("GET", &back, &[]).is_none(),
        "the listener is gone"
    );
}
