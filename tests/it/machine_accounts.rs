//! Sign-ins of machines beside others: of another process, of a person with the same client, at a server in its own way; and
//! their end.
#![cfg(unix)]

use crate::machine::{asked, by_key, by_secret, key, with_key, with_secret};
use crate::support::authserver::{CLIENT, Dpop, METADATA, TOKEN};
use crate::support::gate::Gate;
use crate::support::http::{Request, Response};
use crate::support::launch::Launch;
use crate::support::protected::Asks;
use crate::support::rpc;
use crate::support::scene::{say_hello, welcomed};
use crate::support::server::Server;
use crate::support::visit;

#[test]
fn two_processes_of_one_machine_ask_once_and_renew_once() {
    let (scene, file) = with_secret("client_secret_basic");
    let gate = Gate::new();
    scene.auth.set(|conduct| conduct.hold = Some(gate.clone()));
    let start = || by_secret(scene.launch(), &file).start();
    let (one, two) = (start(), start());
    say_hello(&one);
    say_hello(&two);
    scene.mcp.mcp.wait_calls("initialize", 2);
    scene.auth.wait_asked(TOKEN, 1);
    gate.open();
    welcomed(&one);
    welcomed(&two);
    assert_eq!(asked(&scene), 1);
    // Neither has anything else to say.
    scene.mcp.wait_admitted("GET", 2);
    let gate = Gate::new();
    scene.auth.set(|conduct| conduct.hold = Some(gate.clone()));
    scene.auth.end_access();
    one.send(&rpc::call("1", "echo", "{}"));
    two.send(&rpc::call("1", "echo", "{}"));
    scene.mcp.mcp.wait_calls("tools/call", 2);
    scene.auth.wait_asked(TOKEN, 2);
    gate.open();
    one.answer("1").result();
    two.answer("1").result();
    assert_eq!((asked(&scene), scene.records().len()), (2, 1));
}

#[test]
fn a_person_and_a_machine_with_the_same_client_are_two_accounts() {
    let (scene, file) = with_secret("client_secret_post");
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    drop(socket);
    let back = format!("http://127.0.0.1:{port}/oauth/callback");
    let secret = std::fs::read_to_string(&file).unwrap();
    scene.auth.forget_clients();
    scene.auth.admit_client(CLIENT, Some(secret.trim()), &back);
    let by_person = |launch: Launch| {
        let launch = launch.arg(&port).args(["--client-id", CLIENT]);
        launch.arg("--client-secret-file").arg(&file)
    };
    // The machine does not wait for the person, who has yet to sign in.
    let person = by_person(scene.launch()).start();
    say_hello(&person);
    let shown = crate::support::scene::address(&person);
    let machine = by_secret(scene.launch(), &file).start();
    machine.initialize();
    assert_eq!(visit::follow(&shown).status, 200);
    welcomed(&person);
    person.call("1", "echo", "{}").result();
    machine.call("1", "echo", "{}").result();
    assert_eq!(scene.records().len(), 2);
    let bearer = |nth: usize| {
        let calls = scene.mcp.mcp.calls("tools/call");
        calls[nth].header("authorization").map(str::to_owned)
    };
    assert_ne!(bearer(0), bearer(1));
    // Each renews its own, in its own way.
    scene.auth.end_access();
    person.call("2", "echo", "{}").result();
    machine.call("2", "echo", "{}").result();
    assert_eq!((scene.auth.refreshes(), asked(&scene)), (1, 2));
    let output = scene.program().args(["status", "--json"]).run("");
    let all: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    let mut grants: Vec<_> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["grant"])
        .collect();
    grants.sort_by_key(|grant| grant.is_null());
    assert_eq!(grants[0], "client_credentials");
    assert!(grants[1].is_null(), "{all}");
}

#[test]
fn a_provider_that_wants_the_secret_in_another_way_than_it_says_gets_it_so() {
    let (scene, file) = with_secret("client_secret_basic");
    scene.auth.prove_by("client_secret_post");
    let login = by_secret(scene.command("login"), &file).args(["--provider", "figma"]);
    let output = login.run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    let tether = by_secret(scene.launch(), &file)
        .args(["--provider", "figma"])
        .start();
    tether.initialize();
    scene.auth.end_access();
    tether.call("1", "echo", "{}").result();
    assert_eq!(asked(&scene), 2);
}

#[test]
fn a_challenge_for_bound_tokens_is_met_at_an_endpoint_that_the_user_names() {
    for asks in [Asks::Challenge, Asks::Either] {
        let scene = with_key();
        scene.auth.set(|conduct| conduct.dpop = Dpop::Binds);
        scene.mcp.set(|door| door.asks = asks);
        let endpoint = format!("{}{TOKEN}", scene.auth.issuer());
        let start = || {
            let launch = by_key(scene.launch()).args(["--token-endpoint", &endpoint]);
            launch.start()
        };
        let tether = start();
        tether.initialize();
        scene.auth.end_access();
        tether.call("1", "echo", "{}").result();
        assert_eq!(scene.auth.asked(METADATA), 0);
        for request in scene.mcp.with_token("tools/call") {
            assert!(request.header("dpop").is_some());
        }
    }
    // An endpoint that binds nothing is told from one that was not asked to.
    let scene = with_key();
    scene.mcp.set(|door| door.asks = Asks::Challenge);
    let endpoint = format!("{}{TOKEN}", scene.auth.issuer());
    let login = by_key(scene.command("login")).args(["--token-endpoint", &endpoint]);
    let output = login.run("");
    assert_eq!(output.code, Some(3), "{output:?}");
    assert!(output.stderr.contains("DPoP"), "{output:?}");
}

#[test]
fn a_client_with_a_key_revokes_with_it() {
    let scene = with_key();
    assert_eq!(by_key(scene.command("login")).run("").code, Some(0));
    let logout = scene.command("logout");
    let output = logout
        .args(["--private-key-file".to_owned(), key("p256-sec1")])
        .run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(
        output.stdout.contains("revoked and forgotten"),
        "{output:?}"
    );
    let revoked = scene.auth.revocations();
    assert!(revoked[0].contains_key("client_assertion"), "{revoked:?}");
    // Without it, that is what is said.
    assert_eq!(by_key(scene.command("login")).run("").code, Some(0));
    let output = scene.command("logout").run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stdout.contains("not revoked"), "{output:?}");
    assert!(output.stderr.contains("--private-key-file"), "{output:?}");
    assert_eq!(
        (scene.auth.revocations().len(), scene.records().len()),
        (1, 0)
    );
}

/// A server of 2026-07-28 that asks for no token.
fn modern(request: &Request) -> Response {
    let id = request.rpc().expect("a request").id.expect("an id");
    let result = r#"{"resultType":"complete","tools":[],"content":[]}"#;
    Response::json(200, rpc::result(&id, result))
}

#[test]
fn a_modern_client_declares_the_extension_as_well() {
    const SAID: &str = "io.modelcontextprotocol/clientCapabilities";
    let params = format!(
        r#"{{"x":1.0,"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","{SAID}":{{"roots":{{}}}}}}}}"#
    );
    for machine in [true, false] {
        let server = Server::new(|request| async move { modern(&request) });
        let launch = Launch::to(&server);
        let launch = if machine { by_key(launch) } else { launch };
        let tether = launch.start();
        let line = rpc::request("1", "tools/list", &params);
        tether.send(&line);
        tether.answer("1").result();
        let sent = server.requests().pop().expect("a request");
        if !machine {
            assert_eq!(sent.text(), line, "nothing is added");
            continue;
        }
        assert!(sent.text().contains(r#""x":1.0"#), "{}", sent.text());
        let said = sent.rpc().expect("a request").params()["_meta"][SAID].clone();
        assert!(said["roots"].is_object(), "{said}");
        let ours = &said["extensions"]["io.modelcontextprotocol/oauth-client-credentials"];
        assert!(ours.is_object(), "{said}");
    }
}
