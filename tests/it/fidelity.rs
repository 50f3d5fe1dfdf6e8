//! Bytes that need no change are not changed, either way, however large a message is.

use std::time::Duration;

use crate::support::http::Response;
use crate::support::mcp::Legacy;
use crate::support::rpc;
use crate::support::tether::Tether;

/// What a parser that is not careful changes.
const AWKWARD: &str = r#"{"z":1.0,"a":-0.0,"big":12345678901234567890123,"e":1e400,"E":1E-2,"esc":"\u00e9\/\ud83d\ude00\n\u0000","raw":"é😀","__proto__":{"x":null},"":[[],{}],"z":2,"sp" : [ 1 , 2 ]}"#;

#[test]
fn requests_and_notifications_reach_the_server_byte_for_byte() {
    let mcp = Legacy::new();
    mcp.on("tools/call", |call| async move { call.reply("{}") });
    let tether = Tether::to(&mcp);
    tether.initialize();
    let line = format!(
        r#" {{ "params":{{"arguments":{AWKWARD},"name":"echo"}},"extra":{AWKWARD}, "id":"\u0041-1","method":"tools/call","jsonrpc":"2.0" }} "#
    );
    tether.send(&line);
    tether.answer(r#""\u0041-1""#);
    assert_eq!(mcp.calls("tools/call")[0].text().trim(), line.trim());
    let note = format!(r#"{{"method":"notifications/x","jsonrpc":"2.0","params":{AWKWARD}}}"#);
    tether.send(&note);
    assert_eq!(mcp.wait_calls("notifications/x", 1)[0].text(), note);
}

#[test]
fn answers_reach_the_client_byte_for_byte() {
    let body = format!(r#"{{"x":{AWKWARD},"result":{AWKWARD},"id":"i\u0064","jsonrpc":"2.0"}}"#);
    let error = format!(
        r#"{{"error":{{"data":{AWKWARD},"message":"\u00e9","code":-5}},"id":2,"jsonrpc":"2.0"}}"#
    );
    let mcp = Legacy::new();
    let (json, event) = (body.clone(), body.clone());
    mcp.times(1, "tools/call", move |_| {
        let json = json.clone();
        async { Response::json(200, json) }
    });
    mcp.times(1, "tools/call", move |_| {
        let event = format!("data: {event}\n\n");
        async { Response::event_bytes(event) }
    });
    let refused = error.clone();
    mcp.times(1, "tools/call", move |_| {
        let refused = refused.clone();
        async { Response::json(400, refused) }
    });
    let tether = Tether::to(&mcp);
    tether.initialize();
    for _ in 0..2 {
        assert_eq!(tether.call(r#""i\u0064""#, "any", "{}").text, body);
    }
    assert_eq!(tether.call("2", "any", "{}").text, error);
}

#[test]
fn server_requests_and_the_clients_answers_are_not_changed_either() {
    let request = format!(
        r#"{{"params":{AWKWARD},"id":9007199254740993,"method":"sampling/createMessage","jsonrpc":"2.0"}}"#
    );
    let answer = format!(r#"{{"result":{AWKWARD},"id":9007199254740993,"jsonrpc":"2.0","x":1.0}}"#);
    let mcp = crate::support::mcp::LegacyPlan::default().listens().serve();
    let tether = Tether::to(&mcp);
    tether.initialize();
    mcp.listening(1).event(&request);
    assert_eq!(tether.request("sampling/createMessage").text, request);
    tether.send(&answer);
    let log = crate::support::server::Peer::log(&mcp);
    let sent =
        |log: &[crate::support::http::Request]| log.iter().find(|r| r.text() == answer).map(|_| ());
    log.wait("the answer as it was", sent);
}

#[test]
fn a_pretty_printed_body_becomes_one_line_and_keeps_its_strings() {
    let pretty = "{\r\n  \"jsonrpc\": \"2.0\",\n\t\"id\": 1,\n  \"result\": {\n    \"t\": \"a\\nb  c\",\n    \"n\": 1.0\n  }\n}\n";
    let mcp = Legacy::new();
    mcp.times(1, "tools/call", move |_| async move {
        Response::json(200, pretty)
    });
    mcp.times(1, "tools/call", move |_| async move {
        let data: String = pretty
            .lines()
            .map(|line| format!("data: {line}\r\n"))
            .collect();
        Response::event_bytes(data + "\r\n")
    });
    let tether = Tether::to(&mcp);
    tether.initialize();
    for _ in 0..2 {
        let answer = tether.call("1", "any", "{}");
        assert_eq!(
            answer
                .result
                .as_deref()
                .map(|r| r.split_whitespace().collect::<String>())
                .as_deref(),
            Some(r#"{"t":"a\nbc","n":1.0}"#)
        );
        assert_eq!(answer.result()["t"], "a\nb  c");
    }
}

/// How long a huge message may take in a debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A JSON string of so many bytes that repeats nothing a compressor would like less.
fn filling(bytes: usize) -> String {
    "0123456789abcdef".repeat(bytes / 16)
}

#[test]
fn sixty_four_mebibytes_go_to_the_server() {
    let mcp = Legacy::new();
    mcp.on("tools/call", |call| async move {
        call.reply(&format!(r#"{{"bytes":{}}}"#, call.request.body.len()))
    });
    let tether = Tether::to(&mcp);
    tether.initialize();
    let line = rpc::call("1", "any", &format!(r#"{{"x":"{}"}}"#, filling(64 << 20)));
    let bytes = line.len();
    tether.send(&line);
    assert_eq!(tether.answer_within(PATIENCE, "1").result()["bytes"], bytes);
    let sent = mcp.server.requests().into_iter().any(|r| r.body == line);
    assert!(sent, "byte for byte");
}

#[test]
fn sixty_four_mebibytes_come_from_the_server_as_json_and_as_one_event() {
    let mcp = Legacy::new();
    mcp.times(1, "tools/call", |call| async move {
        Response::json(200, call.says(&filling(64 << 20)))
    });
    mcp.times(1, "tools/call", |call| async move {
        let (response, feed) = Response::events();
        feed.event(&call.says(&filling(64 << 20)));
        response
    });
    let tether = Tether::to(&mcp);
    tether.initialize();
    let wanted = filling(64 << 20);
    for id in ["1", "2"] {
        tether.send(&rpc::call(id, "any", "{}"));
        let answer = tether.answer_within(PATIENCE, id).text;
        assert!(answer.contains(&wanted) && answer.len() < wanted.len() + 100);
    }
}
