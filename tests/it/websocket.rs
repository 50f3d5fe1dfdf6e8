//! WebSocket (RFC 6455) as a transport: the upgrade, the frames, the ways to be refused.

use tokio_tungstenite::tungstenite::Message as Frame;

use crate::relay::{Kind, Relay};
use crate::sse::HELLO;
use crate::support::http::Response;
use crate::support::launch::Launch;
use crate::support::mcp::WebSocket;
use crate::support::protected;
use crate::support::rpc;
use crate::support::scene::{Scene, address, say_hello, welcomed};
use crate::support::server::{Peer, Server};
use crate::support::tether::Tether;
use crate::support::tls::{Ca, Mutual};
use crate::support::visit;

fn ready(server: &WebSocket) -> Tether {
    let tether = Tether::to(server);
    tether.initialize();
    server.wait_calls("notifications/initialized", 1);
    tether
}

/// The error that the handshake ends with.
fn refused(launch: Launch, code: i64) -> String {
    let tether = launch.args(["--initialize-wait", "0"]).start();
    let error = tether.ask("0", "initialize", HELLO);
    assert_eq!(error.code(), code, "{}", error.text);
    assert_eq!(tether.finish(), 0);
    error.text
}

#[test]
fn the_upgrade_has_the_subprotocol_and_the_users_headers() {
    let server = WebSocket::new();
    let url = format!("{}?key=value", server.http_url());
    let tether = Launch::new()
        .watch(&server)
        .args([url.as_str(), "--transport", "websocket"])
        .args(["--header", "X-Team: blue"])
        .args(["--header", "Authorization: Bearer abc"])
        .start();
    tether.initialize();
    assert_eq!(tether.finish(), 0);
    let upgrades = server.upgrades();
    assert_eq!(upgrades.len(), 1);
    let upgrade = &upgrades[0];
    assert_eq!(upgrade.path, "/mcp");
    assert_eq!(upgrade.query.as_deref(), Some("key=value"));
    for (name, value) in [
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "mcp"),
        ("x-team", "blue"),
        ("authorization", "Bearer abc"),
    ] {
        assert_eq!(upgrade.header(name), Some(value));
    }
    assert_eq!(upgrade.header("origin"), None);
    assert_eq!(upgrade.header("sec-websocket-extensions"), None);
}

#[test]
fn messages_are_text_frames_and_keep_their_bytes() {
    let server = WebSocket::new();
    let tether = ready(&server);
    let echo = tether.call("\"7\"", "echo", r#"{"n":1.0,"big":12345678901234567890}"#);
    assert!(
        echo.text
            .contains(r#"{"n":1.0,"big":12345678901234567890}"#)
    );
    let params = r#"{"name":"slow","arguments":{"ms":3,"steps":3},"_meta":{"progressToken":"p"}}"#;
    tether.send(&rpc::request("1", "tools/call", params));
    for step in 1..=3 {
        assert_eq!(tether.recv().params()["progress"], step);
    }
    assert_eq!(tether.recv().id.as_deref(), Some("1"));
    let line = server.line(1);
    line.text(rpc::request("\"srv-1\"", "roots/list", "{}"));
    tether.request("roots/list");
    tether.send(&rpc::result("\"srv-1\"", r#"{"roots":[]}"#));
    server.log().wait("the client's answer", |log| {
        let text = rpc::result("\"srv-1\"", r#"{"roots":[]}"#);
        log.iter().any(|r| r.text() == text).then_some(())
    });
    assert_eq!(tether.stderr(), "");
    assert_eq!(tether.finish(), 0);
    assert_eq!(server.upgrades().len(), 1);
    let left = |frame: &Frame| matches!(frame, Frame::Close(Some(why)) if why.code == 1000.into());
    server.wait_control("a close frame", left);
}

#[test]
fn fragments_and_binary_frames_are_messages_too() {
    let server = WebSocket::new();
    let tether = ready(&server);
    let line = server.line(1);
    let long = format!(r#"{{"text":"{}"}}"#, "ä".repeat(1000));
    line.fragments(&rpc::notification("notifications/parts", &long), 7);
    let note = tether.notification("notifications/parts");
    assert_eq!(note.params.as_deref(), Some(long.as_str()));
    let note = rpc::notification("notifications/bytes", "{}");
    line.frame(Frame::binary(note.into_bytes()));
    tether.notification("notifications/bytes");
    line.frame(Frame::binary(vec![0xff, 0xfe]));
    line.text("no JSON");
    tether.wait_stderr("no JSON-RPC message");
    tether.call("1", "echo", "{}").result();
    assert_eq!(server.upgrades().len(), 1);
    assert_eq!(tether.finish(), 0);
}

#[test]
fn a_broken_answer_is_an_error_of_its_request_alone() {
    let server = WebSocket::new();
    let tether = ready(&server);
    server.times(1, "tools/call", |_| async { None });
    tether.send(&rpc::call("1", "echo", "{}"));
    server.wait_calls("tools/call", 1);
    server.times(1, "tools/list", |_| async {
        Some(r#"{"jsonrpc":"2.0","id":2,"result":{oops}}"#.to_owned())
    });
    let error = tether.ask("2", "tools/list", "{}");
    assert_eq!(error.code(), -31006, "{}", error.text);
    assert_eq!(tether.waiting(), ["1"]);
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    server.line(1).text(answer);
    assert_eq!(tether.answer("1").text, answer);
    assert_eq!(tether.finish(), 0);
}

#[test]
fn a_message_over_the_limit_is_an_error_and_the_next_call_works() {
    for parts in [1, 50] {
        let server = WebSocket::new();
        let tether = Launch::to(&server)
            .args(["--max-message-size", "10KiB"])
            .start();
        tether.initialize();
        server.wait_calls("notifications/initialized", 1);
        server.times(1, "tools/list", |_| async { None });
        tether.send(&rpc::request("1", "tools/list", "{}"));
        server.wait_calls("tools/list", 1);
        let result = rpc::result("1", &format!("{:?}", "x".repeat(20_000)));
        server.line(1).fragments(&result, parts);
        let error = tether.answer("1");
        assert_eq!(error.code(), -31007, "{}", error.text);
        let wanted =
            |frame: &Frame| matches!(frame, Frame::Close(Some(why)) if why.code == 1009.into());
        server.wait_control("a close frame that says why", wanted);
        tether.call("2", "echo", "{}").result();
        assert_eq!(server.calls("tools/list").len(), 1);
        assert_eq!(tether.finish(), 0);
    }
}

#[test]
fn messages_larger_than_the_librarys_own_limits_pass() {
    let server = WebSocket::new();
    let tether = ready(&server);
    server.times(1, "tools/list", |call| async move {
        Some(call.result(&format!(r#"{{"tools":[],"x":"{}"}}"#, "x".repeat(20 << 20))))
    });
    let answer = tether.ask("1", "tools/list", "{}");
    assert!(answer.text.len() > 20 << 20);
    assert_eq!(tether.finish(), 0);
}

#[test]
fn pings_of_the_server_are_answered() {
    let server = WebSocket::new();
    let tether = ready(&server);
    server.line(1).frame(Frame::Ping("are you there".into()));
    let pong = Frame::Pong("are you there".into());
    server.wait_control("a pong", |frame| *frame == pong);
    assert_eq!(tether.finish(), 0);
}

#[test]
fn a_server_that_does_not_upgrade_is_told_apart() {
    let plain = Server::new(|_| async { Response::json(200, "{}") });
    let url = plain.url().replacen("http", "ws", 1);
    let text = refused(Launch::new().arg(url), -31006);
    assert!(text.contains("WebSocket"), "{text}");
    assert!(plain.requests().iter().all(|r| r.method == "GET"));

    for (bent, told) in [
        ([("sec-websocket-accept", "AAAA")], "Sec-WebSocket-Accept"),
        ([("sec-websocket-protocol", "graphql-ws")], "subprotocol"),
        ([("sec-websocket-extensions", "x-deflate")], "extension"),
        ([("upgrade", "h2c")], "another protocol"),
    ] {
        let server = WebSocket::new();
        server.bend(&bent);
        let text = refused(Launch::to(&server), -31006);
        assert!(text.contains(told), "{text}");
    }
}

#[test]
fn a_server_that_answers_the_upgrade_as_http_is_told_with_the_url_to_use() {
    let gone =
        r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Method not allowed."},"id":null}"#;
    for status in [200, 400, 404, 405, 406, 426] {
        let plain = Server::new(move |_| async move { Response::json(status, gone) });
        let (found, url) = (format!("HTTP {status}"), plain.at("/mcp"));
        let wanted = format!("use {url} without --transport websocket");
        let ws = url.replacen("http", "ws", 1);
        let ways = [
            &[ws.as_str()][..],
            &[url.as_str(), "--transport", "websocket"],
        ];
        for args in ways {
            let tether = Launch::new().args(args.iter().copied()).start();
            let error = tether.ask("0", "initialize", HELLO).error();
            let told = error["message"].as_str().unwrap();
            assert!(told.contains("did not open a WebSocket"), "{error}");
            assert!(told.contains(&found), "{error}");
            let hint = error["data"]["hint"].as_str().unwrap_or_default();
            assert!(hint.contains(&wanted), "{error}");
            assert_eq!(error["data"]["httpStatus"], status, "{error}");
            assert_eq!(tether.finish(), 0);
        }
        let output = Launch::new().args(["tools", &ws]).run("");
        assert_eq!(output.code, Some(5), "{output:?}");
        assert!(output.stderr.contains(&found), "{output:?}");
        assert!(output.stderr.contains(&wanted), "{output:?}");
    }
}

#[test]
fn a_server_that_chooses_no_subprotocol_is_tolerated() {
    let server = WebSocket::new();
    server.bend(&[("sec-websocket-protocol", "")]);
    assert_eq!(ready(&server).finish(), 0);
}

#[test]
fn a_token_that_is_refused_is_an_error_that_says_so() {
    for (status, told) in [(401, "the given Authorization header"), (403, "HTTP 403")] {
        let server = WebSocket::new();
        server.refuse(status, &[]);
        let launch = Launch::to(&server).args(["--header", "Authorization: Bearer s3cret"]);
        let text = refused(launch, -31004);
        assert!(text.contains(told) && !text.contains("s3cret"), "{text}");
        assert_eq!(server.upgrades().len(), 1);
    }
}

#[test]
fn other_refusals_are_http_errors() {
    let server = WebSocket::new();
    server.refuse(404, &[]);
    let text = refused(Launch::to(&server), -31003);
    assert!(text.contains("404"), "{text}");
}

#[cfg(unix)]
#[test]
fn a_header_command_is_run_again_when_the_upgrade_is_refused() {
    let server = WebSocket::new();
    server.refuse(401, &[]);
    let tether = Launch::to(&server)
        .args(["--header-command", "echo Authorization: Bearer $$"])
        .start();
    tether.initialize();
    assert_eq!(tether.finish(), 0);
    let tokens = server.upgrades();
    let tokens: Vec<_> = tokens.iter().map(|r| r.header("authorization")).collect();
    assert_eq!(tokens.len(), 2);
    assert_ne!(tokens[0], tokens[1]);
}

#[cfg(unix)]
#[test]
fn the_user_signs_in_when_the_upgrade_is_refused() {
    let scene = Scene::new();
    let server = WebSocket::new();
    scene
        .mcp
        .set(|door| door.resource = Some(server.http_url()));
    let metadata = scene.mcp.mcp.server.at(protected::METADATA);
    server.wants_token(&format!(r#"Bearer resource_metadata="{metadata}""#));
    let tether = scene.program().arg(server.url()).watch(&server).start();
    say_hello(&tether);
    let page = visit::follow(&address(&tether));
    assert_eq!(page.status, 200, "{page}");
    welcomed(&tether);
    tether.call("1", "echo", "{}").result();
    assert_eq!(tether.finish(), 0);
    let upgrades = server.upgrades();
    let token = upgrades.last().unwrap().header("authorization").unwrap();
    assert!(token.starts_with("Bearer "), "{token}");
    assert!(upgrades.iter().all(|upgrade| upgrade.query.is_none()));

    // What was kept is found again, and `login` knows how to ask.
    let login = scene.program().args(["login".to_owned(), server.url()]);
    let output = login.run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stderr.contains("already signed in"), "{output:?}");
}

#[test]
fn tls_is_that_of_the_other_transports_and_http_2_is_not_spoken() {
    let ca = Ca::new();
    let server = WebSocket::tls(&ca, Mutual::Required);
    let (cert, key) = ca.client_files();
    let tether = Launch::to(&server)
        .arg("--ca-file")
        .arg(ca.file())
        .arg("--client-cert")
        .arg(cert)
        .arg("--client-key")
        .arg(key)
        .start();
    tether.initialize();
    tether.call("1", "echo", "{}").result();
    assert_eq!(tether.finish(), 0);
    let text = refused(Launch::to(&server), -31001);
    assert!(text.contains("--ca-file"), "{text}");
    assert_eq!(server.upgrades().len(), 1);
}

#[test]
fn proxies_are_those_of_the_other_transports() {
    let ca = Ca::new();
    for (kind, scheme) in [(Kind::Http, "http"), (Kind::Socks, "socks5h")] {
        let server = WebSocket::tls(&ca, Mutual::None);
        let relay = Relay::new(kind, server.address());
        let tether = Launch::to(&server)
            .args(["--proxy", &format!("{scheme}://{}", relay.address)])
            .arg("--ca-file")
            .arg(ca.file())
            .start();
        tether.initialize();
        tether.call("1", "echo", "{}").result();
        assert_eq!(tether.finish(), 0);
        assert_eq!(relay.heard().len(), 1);
    }
}

#[test]
fn insecure_holds_for_wss() {
    let ca = Ca::new();
    let server = WebSocket::tls(&ca, Mutual::None);
    let tether = Launch::to(&server).arg("--insecure").start();
    tether.initialize();
    assert_eq!(tether.finish(), 0);
}

#[test]
fn urls_that_contradict_the_options_or_could_be_read_are_usage_errors() {
    for (args, told) in [
        (&["ws://example.com/mcp"][..], "--allow-http"),
        (
            &["wss://example.com/mcp", "--transport", "http-only"],
            "--transport websocket",
        ),
        (&["wss://u:p@example.com/mcp"], "--header-file"),
    ] {
        let output = Launch::new().args(args.iter().copied()).run("");
        assert_eq!(output.code, Some(2), "{output:?}");
        assert!(output.stderr.contains(told), "{output:?}");
    }
}
