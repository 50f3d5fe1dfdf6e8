//! A client of an earlier revision and a server of 2026-07-28: a handshake without one, an envelope on each request, and
//! results as the client knows them.

mod rounds;
mod subscriptions;

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

use crate::support::DEADLINE;
use crate::support::http::{Feed, Request, Response};
use crate::support::mcp::{LATEST, Modern};
use crate::support::modern::{id, refuse, refuse_with, reply, said};
use crate::support::rpc;
use crate::support::tether::Tether;

/// What most servers here can do.
const CAPABILITIES: &str = r#"{"tools":{"listChanged":true},"prompts":{},"resources":{"subscribe":true,"listChanged":true},"logging":{},"tasks":{"list":{}},"extensions":{"com.example/x":{}}}"#;

/// A server that answers what it does not know with an empty result.
fn plain() -> Modern {
    Modern::new(CAPABILITIES, |request| {
        reply(request, r#"{"resultType":"complete"}"#)
    })
}

/// A server whose calls are in the test's hands: each request, and the stream that answers it.
fn handed_over() -> (Modern, Receiver<(Request, Feed)>) {
    let (sender, receiver) = channel();
    let sender = Mutex::new(sender);
    let server = Modern::new(CAPABILITIES, move |request| {
        let (response, feed) = Response::events();
        let sender = sender.lock().expect("lock");
        sender
            .send((request.clone(), feed))
            .expect("the test goes on");
        response
    });
    (server, receiver)
}

fn next(calls: &Receiver<(Request, Feed)>) -> (Request, Feed) {
    calls.recv_timeout(DEADLINE).expect("a call")
}

/// Answers a request on its stream.
fn answer(request: &Request, feed: &Feed, result: &str) {
    feed.event(&rpc::result(&id(request), result));
    feed.end();
}

fn meta(request: &Request) -> Value {
    said(request).params()["_meta"].clone()
}

#[test]
fn the_handshake_is_answered_from_discover() {
    for (asked, expected) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("1999-01-01", LATEST),
    ] {
        let server = plain();
        let tether = Tether::to(&server);
        let able = r#"{"roots":{"listChanged":true},"tasks":{},"extensions":{"com.example/y":{}}}"#;
        let opened = tether.initialize_as(asked, able).result();
        let wanted = json!({
            "protocolVersion": expected,
            "capabilities": {
                "tools": {"listChanged": true},
                "prompts": {},
                "resources": {"subscribe": true, "listChanged": true},
                "logging": {},
                "extensions": {"com.example/x": {}},
            },
            "serverInfo": {"name": "modern", "version": "2.0.0"},
            "instructions": "Be kind.",
        });
        assert_eq!(opened, wanted);
        server.listen(1);
        let methods = server.methods();
        assert_eq!(
            methods,
            ["initialize", "server/discover", "subscriptions/listen"]
        );
        let meta = meta(&server.calls("server/discover")[0]);
        assert_eq!(meta["io.modelcontextprotocol/clientInfo"]["name"], "it");
        assert_eq!(
            meta["io.modelcontextprotocol/clientCapabilities"],
            json!({"roots": {}, "extensions": {"com.example/y": {}}})
        );
    }
}

const TOOLS: &str = r#"{"resultType":"complete","ttlMs":5,"cacheScope":"public","tools":[{"name":"t","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}},"outputSchema":{"type":"array"}},{"name":"bad","inputSchema":{"x-mcp-header":"Bad"}}]}"#;

#[test]
fn each_request_gets_an_envelope_and_keeps_what_it_says() {
    let server = Modern::new(CAPABILITIES, |request| {
        let list = request.rpc_method().as_deref() == Some("tools/list");
        reply(request, if list { TOOLS } else { "{}" })
    });
    let tether = Tether::to(&server);
    tether.initialize_as(LATEST, r#"{"sampling":{}}"#);
    let listed = tether.ask("1", "tools/list", "{}");
    let schema =
        r#"{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}"#;
    assert_eq!(
        listed.result.as_deref(),
        Some(format!(r#"{{"tools":[{{"name":"t","inputSchema":{schema}}}]}}"#).as_str())
    );
    let rest =
        r#""name":"t","arguments":{"region":"eu", "n":1.0,"big":123456789012345678901234567890}"#;
    let params = format!(
        r#"{{{rest},"_meta":{{"traceparent":"x","progressToken":5,"com.example/k":1e2}},"task":{{"ttl":1}}}}"#
    );
    tether.ask("2", "tools/call", &params);
    let sent = server.calls("tools/call").pop().expect("a call");
    let raw = said(&sent).params.expect("params");
    let kept =
        format!(r#"{{{rest},"_meta":{{"traceparent":"x","progressToken":5,"com.example/k":1e2,"#);
    assert!(raw.starts_with(&kept), "{raw}");
    assert!(!raw.contains("\"task\""), "{raw}");
    let meta = meta(&sent);
    assert_eq!(
        meta["io.modelcontextprotocol/clientCapabilities"],
        json!({"sampling": {}})
    );
    assert!(meta.get("io.modelcontextprotocol/logLevel").is_none());
    assert_eq!(sent.header("mcp-name"), Some("t"));
    assert_eq!(sent.header("mcp-param-region"), Some("eu"));
    tether.ask("3", "prompts/get", r#"{"name":" p"}"#);
    let sent = server.calls("prompts/get").pop().expect("a request");
    assert_eq!(sent.header("mcp-name"), Some("=?base64?IHA=?="));
    tether.ask("4", "resources/read", r#"{"uri":"file:///x"}"#);
    let sent = server.calls("resources/read").pop().expect("a request");
    assert_eq!(sent.header("mcp-name"), Some("file:///x"));
    tether.send(r#"{"jsonrpc":"2.0","id":5,"method":"prompts/list"}"#);
    tether.answer("5");
    assert_eq!(tether.finish(), 0);
    assert!(
        !server
            .methods()
            .iter()
            .any(|method| method == "GET" || method == "DELETE")
    );
}

#[test]
fn what_the_server_does_not_know_is_answered_here() {
    let server = plain();
    let tether = Tether::to(&server);
    tether.initialize();
    server.listen(1);
    let before = server.methods();
    assert_eq!(tether.ask("1", "ping", "{}").result(), json!({}));
    let bad = tether.ask("2", "logging/setLevel", r#"{"level":"loud"}"#);
    assert_eq!(bad.code(), -32602);
    let good = tether.ask("3", "logging/setLevel", r#"{"level":"warning"}"#);
    assert_eq!(good.result(), json!({}));
    for (id, method) in [
        ("4", "tasks/list"),
        ("5", "tasks/get"),
        ("6", "tasks/result"),
    ] {
        assert_eq!(tether.ask(id, method, r#"{"taskId":"x"}"#).code(), -32601);
    }
    tether.notify("notifications/roots/list_changed", "{}");
    tether.notify(
        "notifications/progress",
        r#"{"progressToken":1,"progress":1}"#,
    );
    assert_eq!(server.methods(), before);
    tether.ask("7", "tools/list", "{}");
    let meta = meta(&server.calls("tools/list")[0]);
    assert_eq!(meta["io.modelcontextprotocol/logLevel"], "warning");
    assert_eq!(server.methods().len(), before.len() + 1);
}

#[test]
fn results_lose_what_the_client_does_not_know() {
    let (server, calls) = handed_over();
    let tether = Tether::to(&server);
    tether.initialize();
    for (id, given, expected) in [
        (
            "1",
            r#"{"resultType":"complete","ttlMs":1,"cacheScope":"private","content":[],"x": 1.0,"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1"},"k":1}}"#,
            r#"{"content":[],"x":1.0,"_meta":{"k":1}}"#,
        ),
        (
            "2",
            r#"{"content":[],"structuredContent":[1],"resultType":"complete"}"#,
            r#"{"content":[]}"#,
        ),
        (
            "3",
            r#"{"content": [ ],"structuredContent":{"n":1.0}}"#,
            r#"{"content": [ ],"structuredContent":{"n":1.0}}"#,
        ),
    ] {
        tether.send(&rpc::call(id, "t", "{}"));
        let (request, feed) = next(&calls);
        answer(&request, &feed, given);
        assert_eq!(tether.answer(id).result.as_deref(), Some(expected));
    }
    for (id, kind) in [("4", "\"task\""), ("5", "7"), ("6", "\"input_required\"")] {
        tether.send(&rpc::call(id, "t", "{}"));
        let (request, feed) = next(&calls);
        answer(&request, &feed, &format!(r#"{{"resultType":{kind}}}"#));
        assert_eq!(tether.answer(id).code(), -32603, "{kind}");
    }
}

#[test]
fn errors_are_told_as_the_client_knows_them() {
    let server = Modern::new(
        CAPABILITIES,
        |request| match said(request).params()["uri"].as_str() {
            Some("capability") => {
                let data = r#"{"requiredCapabilities":{"sampling":{}}}"#;
                refuse_with(request, 400, -32021, data)
            }
            Some("unknown") => refuse(request, 404, -32601),
            Some("missing") => refuse(request, 200, -32602),
            Some("own") => refuse(request, 200, 7),
            _ => Response::status(500),
        },
    );
    let tether = Tether::to(&server);
    tether.initialize();
    for (id, uri, code) in [
        ("1", "capability", -32603),
        ("2", "unknown", -32601),
        ("3", "missing", -32602),
        ("4", "own", 7),
    ] {
        let error = tether.ask(id, "resources/read", &format!(r#"{{"uri":"{uri}"}}"#));
        assert_eq!(error.code(), code, "{}", error.text);
        if uri == "capability" {
            assert!(
                error.error()["message"]
                    .as_str()
                    .expect("text")
                    .contains("sampling")
            );
        }
    }
    assert_eq!(server.calls("resources/read").len(), 4);
    assert_eq!(
        server.calls("initialize").len(),
        1,
        "it is known what the server speaks"
    );
}

#[test]
fn a_header_mismatch_is_mended_and_not_told() {
    let server = Modern::new(CAPABILITIES, |request| {
        match (
            request.rpc_method().as_deref(),
            request.header("mcp-param-region"),
        ) {
            (Some("tools/list"), _) => reply(request, TOOLS),
            (_, None) => refuse(request, 400, -32020),
            _ => reply(request, r#"{"content":[]}"#),
        }
    });
    let tether = Tether::to(&server);
    tether.initialize();
    let called = tether.call("1", "t", r#"{"region":"eu"}"#);
    assert_eq!(called.result.as_deref(), Some(r#"{"content":[]}"#));
    let calls = server.calls("tools/call");
    assert_eq!(calls.len(), 2);
    assert_ne!(id(&calls[0]), id(&calls[1]));
}

#[test]
fn a_cancel_closes_the_stream_and_is_not_sent() {
    let (server, calls) = handed_over();
    let tether = Tether::to(&server);
    tether.initialize();
    tether.send(&rpc::call("1", "t", "{}"));
    let (_, feed) = next(&calls);
    tether.notify("notifications/cancelled", r#"{"requestId":1}"#);
    feed.gone().wait("the end of the stream");
    tether.ask("2", "ping", "{}");
    assert!(server.calls("notifications/cancelled").is_empty());
    assert!(tether.unread().is_empty());
}
