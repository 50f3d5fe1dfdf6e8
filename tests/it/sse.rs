//! HTTP+SSE (2024-11-05 transports §HTTP with SSE): the endpoint, and the one stream that brings
//! everything.

use crate::support::http::Response;
use crate::support::launch::Launch;
use crate::support::mcp::Sse;
use crate::support::rpc;
use crate::support::server::{Peer, Server};
use crate::support::tether::Tether;

/// The params of an `initialize`.
pub const HELLO: &str = r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"it","version":"1.0.0"}}"#;

fn sse_only(sse: &Sse) -> Tether {
    Launch::to(sse).args(["--transport", "sse-only"]).start()
}

#[test]
fn the_endpoint_may_be_relative_or_absolute_and_keeps_its_query() {
    let sse = Sse::new();
    let absolute = sse.server.at("/abs/m?sessionId={session}");
    let table = [
        ("/messages?a=b%20c&sessionId={session}", "/messages"),
        ("post/here?sessionId={session}", "/post/here"),
        (absolute.as_str(), "/abs/m"),
    ];
    for (endpoint, path) in table {
        sse.endpoint(endpoint);
        let tether = sse_only(&sse);
        assert_eq!(
            tether.initialize().result()["protocolVersion"],
            "2024-11-05"
        );
        assert_eq!(tether.finish(), 0);
        let calls = sse.calls("initialize");
        let last = calls.last().unwrap();
        let query = endpoint.split_once('?').unwrap().1;
        assert_eq!(last.path, path, "{endpoint}");
        let opened = calls.len();
        let query = query.replace("{session}", &opened.to_string());
        assert_eq!(last.query.as_deref(), Some(query.as_str()));
    }
}

#[test]
fn a_broken_answer_is_an_error_of_its_request_alone() {
    let sse = Sse::new();
    let tether = sse_only(&sse);
    tether.initialize();
    sse.times(1, "tools/call", |_| async { None });
    tether.send(&rpc::call("1", "echo", "{}"));
    sse.wait_calls("tools/call", 1);
    sse.on("tools/list", |_| async {
        Some(r#"{"jsonrpc":"2.0","id":2,"result":{oops}}"#.to_owned())
    });
    let error = tether.ask("2", "tools/list", "{}");
    assert_eq!(error.code(), -31006, "{}", error.text);
    assert_eq!(tether.waiting(), ["1"]);
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    sse.stream(1).event(answer);
    assert_eq!(tether.answer("1").text, answer);
    assert_eq!(tether.finish(), 0);
}

#[test]
fn an_endpoint_of_another_origin_is_refused() {
    let other = Server::new(|_| async { Response::accepted() });
    other.allow_idle();
    let sse = Sse::new();
    sse.endpoint(&other.at("/messages?sessionId={session}"));
    let tether = Launch::to(&sse)
        .args(["--transport", "sse-only"])
        .args(["--header", "Authorization: Bearer abc"])
        .start();
    let error = tether.ask("0", "initialize", HELLO);
    assert_eq!(error.code(), -31006, "{}", error.text);
    assert_eq!(error.error()["data"]["kind"], "protocol");
    assert!(other.requests().is_empty());
    assert_eq!(tether.finish(), 0);
}

#[test]
fn answers_and_server_messages_come_on_the_stream() {
    let sse = Sse::new();
    let tether = sse_only(&sse);
    tether.initialize_as("2025-11-25", r#"{"roots":{}}"#);
    let echo = tether.call("\"7\"", "echo", r#"{"n":1.0,"big":12345678901234567890}"#);
    assert!(
        echo.text
            .contains(r#"{"n":1.0,"big":12345678901234567890}"#)
    );
    sse.wait_calls("notifications/initialized", 1);
    let feed = sse.stream(1);
    feed.event(&rpc::notification(
        "notifications/message",
        r#"{"level":"info","data":"x"}"#,
    ));
    feed.event(&rpc::request("\"srv-1\"", "roots/list", "{}"));
    let note = tether.notification("notifications/message");
    assert_eq!(note.params()["data"], "x");
    assert_eq!(
        tether.request("roots/list").id.as_deref(),
        Some("\"srv-1\"")
    );
    tether.send(&rpc::result("\"srv-1\"", r#"{"roots":[]}"#));
    let answered = sse.server.log();
    answered.wait("the client's answer", |log| {
        let answer = |rpc: rpc::Rpc| rpc.is_answer() && rpc.id.as_deref() == Some("\"srv-1\"");
        log.iter()
            .any(|r| r.rpc().is_some_and(answer))
            .then_some(())
    });
    assert_eq!(tether.finish(), 0);
}

#[test]
fn progress_comes_before_its_answer() {
    let sse = Sse::new();
    let tether = sse_only(&sse);
    tether.initialize();
    let params = r#"{"name":"slow","arguments":{"ms":3,"steps":3},"_meta":{"progressToken":"p"}}"#;
    tether.send(&rpc::request("1", "tools/call", params));
    for step in 1..=3 {
        let note = tether.recv();
        assert_eq!(note.params()["progress"], step, "{}", note.text);
    }
    assert_eq!(tether.recv().id.as_deref(), Some("1"));
    assert_eq!(tether.finish(), 0);
}

#[test]
fn without_an_endpoint_the_posts_own_error_is_the_answer() {
    let server = Server::new(|request| async move {
        if request.method == "GET" {
            return Response::event_bytes(": hello\n\nevent: other\ndata: /messages\n\n");
        }
        Response::html(405, "<h1>Method Not Allowed</h1>")
    });
    let tether = Tether::to(&server);
    let error = tether.ask("0", "initialize", HELLO);
    assert_eq!(error.code(), -31003, "{}", error.text);
    assert_eq!(error.error()["data"]["httpStatus"], 405);
    let asked: Vec<String> = server
        .requests()
        .iter()
        .map(|request| request.method.to_string())
        .collect();
    assert_eq!(asked, ["POST", "GET"]);
    assert_eq!(tether.finish(), 0);
}

#[test]
fn a_second_endpoint_is_followed_within_the_origin_only() {
    let sse = Sse::new();
    sse.endpoint("/deep/messages?sessionId={session}");
    let tether = sse_only(&sse);
    tether.initialize();
    sse.wait_calls("notifications/initialized", 1);
    let feed = sse.stream(1);
    // Relative to the URL of the stream, as the first one is.
    feed.send("event: endpoint\ndata: moved?sessionId=1\n\n");
    feed.event(&rpc::notification("notifications/one", "{}"));
    tether.notification("notifications/one");
    tether.ask("1", "ping", "{}").result();
    assert_eq!(sse.calls("ping")[0].path, "/moved");
    feed.send("event: endpoint\ndata: http://127.0.0.1:1/x?sessionId=1\n\n");
    feed.event(&rpc::notification("notifications/two", "{}"));
    tether.notification("notifications/two");
    tether.ask("2", "ping", "{}").result();
    assert_eq!(sse.calls("ping")[1].path, "/moved");
    tether.wait_stderr("another origin");
    assert_eq!(tether.finish(), 0);
}

#[test]
fn requests_before_any_handshake_share_one_stream() {
    let sse = Sse::new();
    let tether = sse_only(&sse);
    let ids: Vec<String> = (1..=8).map(|id: u32| id.to_string()).collect();
    for id in &ids {
        tether.send(&rpc::call(id, "echo", r#"{"text":"x"}"#));
    }
    for id in &ids {
        tether.answer(id).result();
    }
    let gets = sse.server.requests();
    let gets = gets
        .iter()
        .filter(|request| request.method == "GET")
        .count();
    assert_eq!(gets, 1);
    assert_eq!(tether.finish(), 0);
}

#[test]
fn an_answer_with_an_id_of_another_type_is_an_error_of_the_request_that_was_meant() {
    let sse = Sse::new();
    let tether = sse_only(&sse);
    tether.initialize();
    sse.times(1, "tools/call", |_| async {
        Some(r#"{"jsonrpc":"2.0","id":"7","result":{}}"#.to_owned())
    });
    let error = tether.call("7", "echo", "{}");
    assert_eq!(error.code(), -31006, "{}", error.text);
    assert_eq!(tether.finish(), 0);
}
