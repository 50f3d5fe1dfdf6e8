//! A client of 2026-07-28 and a server of an earlier revision: one session for all requests, and each result in the client's
//! words.

mod live;
mod rounds;
mod subscriptions;

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

use crate::support::DEADLINE;
use crate::support::http::{Feed, Request, Response};
use crate::support::launch::Launch;
use crate::support::mcp::{Call, Legacy, LegacyPlan, Sse, TOOLS, WebSocket};
use crate::support::modern::{enveloped, going_on, id, params, said};
use crate::support::rpc::{self, Rpc};
use crate::support::server::Peer;
use crate::support::tether::Tether;

/// From now on each call of `method` is in the test's hands: the call, and the stream that answers it.
fn hand_over(server: &Legacy, method: &str) -> Receiver<(Call, Feed)> {
    let (sender, receiver) = channel();
    server.on(method, move |call| {
        let (response, feed) = Response::events();
        sender.send((call, feed)).expect("the test goes on");
        async { response }
    });
    receiver
}

fn next(calls: &Receiver<(Call, Feed)>) -> (Call, Feed) {
    calls.recv_timeout(DEADLINE).expect("a call")
}

/// Waits until the server has so many answers to its own requests, and gives them.
fn answers(server: &Legacy, count: usize) -> Vec<Rpc> {
    server.log().wait("answers to the server", |log| {
        let found: Vec<_> = log
            .iter()
            .filter_map(Request::rpc)
            .filter(Rpc::is_answer)
            .collect();
        (found.len() >= count).then_some(found)
    })
}

/// The `tools/call` of a tool without arguments, with these capabilities.
fn call(id: &str, capabilities: &str) -> String {
    let params = enveloped(capabilities, "", r#","name":"t","arguments":{}"#);
    rpc::request(id, "tools/call", &params)
}

fn is_discovered(answer: &Rpc) {
    let result = answer.result();
    assert_eq!(result["resultType"], "complete");
    assert_eq!(
        result["supportedVersions"],
        serde_json::json!(["2026-07-28"])
    );
    assert_eq!(result["capabilities"]["tools"]["listChanged"], true);
    assert_eq!(result["ttlMs"], 0);
    assert_eq!(result["cacheScope"], "private");
    let info = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
    assert_eq!(info["name"], "scripted");
    assert!(result.get("protocolVersion").is_none());
    assert!(result.get("serverInfo").is_none());
}

#[test]
fn discover_is_answered_from_initialize() {
    let server = Legacy::new();
    let tether = Tether::to(&server);
    is_discovered(&tether.ask("1", "server/discover", &params("")));
    let opened = said(&server.calls("initialize")[0]).params();
    assert_eq!(opened["protocolVersion"], "2025-11-25");
    assert_eq!(opened["capabilities"], serde_json::json!({}));
    assert!(opened["clientInfo"]["name"].is_string());
    server.wait_calls("notifications/initialized", 1);
    assert_eq!(server.calls("server/discover").len(), 1);
}

#[test]
fn discover_is_answered_over_http_and_sse() {
    let server = Sse::new();
    let tether = Tether::to(&server);
    is_discovered(&tether.ask("1", "server/discover", &params("")));
    let answer = tether.call_modern("2");
    assert_eq!(answer.result()["content"][0]["text"], "hi");
    // The first one was refused: it found the transport.
    assert_eq!(server.calls("initialize").len(), 2);
}

#[test]
fn a_handshake_without_an_answer_is_made_again_on_another_stream() {
    let server = Sse::new();
    server.times(1, "initialize", |_| async { None });
    let tether = Launch::to(&server).args(["--request-timeout", "3"]).start();
    assert_eq!(
        tether.ask("1", "server/discover", &params("")).code(),
        -31002
    );
    let answer = tether.call_modern("2");
    assert_eq!(answer.result()["content"][0]["text"], "hi");
    server.stream(2);
}

#[test]
fn discover_is_answered_over_websocket() {
    let server = WebSocket::new();
    let tether = Tether::to(&server);
    is_discovered(&tether.ask("1", "server/discover", &params("")));
    let answer = tether.call_modern("2");
    assert_eq!(answer.result()["content"][0]["text"], "hi");
    assert_eq!(server.calls("initialize").len(), 1);
}

impl Tether {
    /// Calls `echo` as a client of 2026-07-28 that can do nothing.
    fn call_modern(&self, id: &str) -> Rpc {
        let params = params(r#","name":"echo","arguments":{"text":"hi"}"#);
        self.ask(id, "tools/call", &params)
    }
}

#[test]
fn many_first_requests_share_one_session_and_have_ids_of_the_bridges_own() {
    let server = LegacyPlan::default().streams().serve();
    let tether = Tether::to(&server);
    for number in 0..20 {
        let text = format!(r#","name":"echo","arguments":{{"text":"{number}"}}"#);
        let id = number.to_string();
        tether.send(&rpc::request(&id, "tools/call", &params(&text)));
    }
    for number in 0..20 {
        let answer = tether.answer(&number.to_string());
        let text = answer.result()["content"][0]["text"].clone();
        assert_eq!(text, number.to_string());
    }
    assert_eq!(server.calls("initialize").len(), 1);
    assert_eq!(server.calls("notifications/initialized").len(), 1);
    assert_eq!(server.sessions().len(), 1);
    let calls = server.calls("tools/call");
    let inside = calls
        .iter()
        .filter(|call| call.header("mcp-session-id").is_some());
    let ids: BTreeSet<String> = inside.map(id).collect();
    assert_eq!(ids.len(), 20, "each call once in the session");
    assert!(ids.iter().all(|id| id.starts_with("\"mcp-tether:")));
}

#[test]
fn the_envelope_is_taken_off_and_other_metadata_stays() {
    let server = Legacy::new();
    let tether = Tether::to(&server);
    tether.ask("1", "server/discover", &params(""));
    let keys = r#","io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},"io.modelcontextprotocol/logLevel":"error","traceparent":"00-1-2-01","progressToken":7"#;
    let more = r#","name":"slow","arguments":{"ms":1, "x":1.0}"#;
    tether.ask("2", "tools/call", &enveloped("{}", keys, more));
    let sent = said(&server.calls("tools/call")[0]);
    let upstream = sent.id.clone().expect("an id");
    let meta = format!(r#"{{"traceparent":"00-1-2-01","progressToken":{upstream}}}"#);
    let expected = format!(r#"{{"_meta":{meta}{more}}}"#);
    assert_eq!(sent.params.as_deref(), Some(expected.as_str()));
    let progress = tether.notification("notifications/progress").params();
    assert_eq!(progress["progressToken"], 7);
    tether.ask("3", "tools/list", &params(""));
    let sent = said(&server.calls("tools/list")[0]).params();
    assert!(
        sent.get("_meta")
            .is_none_or(|meta| meta == &serde_json::json!({}))
    );
}

#[test]
fn an_envelope_that_is_incomplete_or_of_another_revision_is_refused_here() {
    let server = Legacy::new();
    let tether = Tether::to(&server);
    tether.ask("1", "server/discover", &params(""));
    let before = server.server.requests().len();
    let version = r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#;
    assert_eq!(tether.ask("2", "tools/list", version).code(), -32602);
    let later = params("").replace("2026-07-28", "2027-01-01");
    let answer = tether.ask("3", "tools/list", &later);
    assert_eq!(answer.code(), -32022);
    let data = &answer.error()["data"];
    assert_eq!(data["supported"], serde_json::json!(["2026-07-28"]));
    assert_eq!(data["requested"], "2027-01-01");
    for (id, method) in [
        ("4", "ping"),
        ("5", "logging/setLevel"),
        ("6", "resources/subscribe"),
        ("7", "resources/unsubscribe"),
        ("8", "tasks/get"),
    ] {
        let params = params(r#","level":"info","uri":"file:///x","taskId":"x""#);
        assert_eq!(tether.ask(id, method, &params).code(), -32601, "{method}");
    }
    let log = server.server.requests();
    let posts = log.iter().skip(before).filter(|sent| sent.method == "POST");
    let met: Vec<_> = posts.filter_map(Request::rpc_method).collect();
    let others: Vec<&String> = met
        .iter()
        .filter(|method| *method != "notifications/initialized")
        .collect();
    assert!(others.is_empty(), "the server was asked {others:?}");
}

#[test]
fn results_get_what_the_clients_revision_asks_for() {
    let server = Legacy::new();
    let tools = TOOLS.replacen(
        r#""name":"echo","#,
        r#""name":"echo","execution":{"taskSupport":"optional"},"#,
        1,
    );
    server.on("tools/list", move |call| {
        let answer = call.reply(&tools);
        async { answer }
    });
    server.on("resources/read", |call| async move {
        call.reply(r#"{"contents":[]}"#)
    });
    server.on("tools/call", |call| async move {
        call.reply(r#"{"structuredContent":{"n":1.0}}"#)
    });
    server.on("prompts/get", |call| async move {
        call.reply(r#"{"messages":[]}"#)
    });
    let tether = Tether::to(&server);
    let mut number = 0;
    for (method, cacheable) in [
        ("server/discover", true),
        ("tools/list", true),
        ("prompts/list", true),
        ("resources/list", true),
        ("resources/templates/list", true),
        ("resources/read", true),
        ("tools/call", false),
        ("prompts/get", false),
    ] {
        number += 1;
        let params = params(r#","name":"t","uri":"file:///x""#);
        let result = tether.ask(&number.to_string(), method, &params).result();
        assert_eq!(result["resultType"], "complete", "{method}");
        let info = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
        assert_eq!(info["name"], "scripted", "{method}");
        let kept = result.get("ttlMs").zip(result.get("cacheScope"));
        let expected = (Value::from(0), Value::from("private"));
        assert_eq!(
            kept,
            cacheable.then_some((&expected.0, &expected.1)),
            "{method}"
        );
        match method {
            "tools/list" => assert!(!result.to_string().contains("execution")),
            "tools/call" => assert_eq!(result["content"], serde_json::json!([])),
            _ => {}
        }
    }
    assert!(tether.unread().is_empty());
}

#[test]
fn codes_that_mean_something_else_now_are_translated() {
    let server = Legacy::new();
    server.on("resources/read", |call| async move {
        let code = call.params()["uri"].as_str().expect("a uri").to_owned();
        let error = format!(
            r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":{code},"message":"no","data":{{"uri":"file:///x"}}}}}}"#,
            call.id()
        );
        Response::json(200, error)
    });
    let tether = Tether::to(&server);
    tether.ask("0", "server/discover", &params(""));
    for (number, code, expected) in [
        ("1", -32002, -32602),
        ("2", -32050, -32603),
        ("3", -32021, -32603),
        ("4", -32001, -32001),
        ("5", -32601, -32601),
        ("6", 7, 7),
    ] {
        let params = params(&format!(r#","uri":"{code}""#));
        let error = tether.ask(number, "resources/read", &params);
        assert_eq!(error.code(), expected, "{code}");
        let data = error.error()["data"].clone();
        if expected == -32603 {
            assert_eq!(data["code"], code);
            assert_eq!(data["data"]["uri"], "file:///x");
        } else {
            assert_eq!(data["uri"], "file:///x", "{code}");
        }
    }
}

const URL_ELICITATION: &str = r#"{"elicitations":[{"mode":"url","elicitationId":"e1","url":"https://example.com/a","message":"Open it"}]}"#;

fn wants_a_visit(server: &Legacy, times: usize) {
    server.times(times, "tools/call", |call| async move {
        let error = format!(
            r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-32042,"message":"visit","data":{URL_ELICITATION}}}}}"#,
            call.id()
        );
        Response::json(200, error)
    });
}

#[test]
fn pages_that_the_user_must_visit_are_a_round_of_input() {
    let server = Legacy::new();
    let tether = Tether::to(&server);
    tether.ask("0", "server/discover", &params(""));
    wants_a_visit(&server, 2);
    let able = r#"{"elicitation":{"url":{}}}"#;
    let more = r#","name":"echo","arguments":{"text":"hi"}"#;
    for (id, answer) in [("1", "decline"), ("3", "accept")] {
        let asked = tether
            .ask(id, "tools/call", &enveloped(able, "", more))
            .result();
        assert_eq!(asked["resultType"], "input_required");
        let (key, input) = only_input(&asked);
        assert_eq!(input["method"], "elicitation/create");
        assert_eq!(
            input["params"],
            serde_json::json!({"mode":"url","url":"https://example.com/a","message":"Open it"})
        );
        let responses = format!(r#"{{"{key}":{{"action":"{answer}"}}}}"#);
        let params = going_on(able, more, &asked, &responses);
        let result = tether
            .ask(&format!("\"{id}b\""), "tools/call", &params)
            .result();
        match answer {
            "accept" => assert_eq!(result["content"][0]["text"], "hi"),
            _ => assert_eq!(result["isError"], true),
        }
    }
    assert_eq!(server.calls("tools/call").len(), 3);
    wants_a_visit(&server, 1);
    let error = tether.ask("5", "tools/call", &params(more));
    assert_eq!(error.code(), -32021);
    let required = &error.error()["data"]["requiredCapabilities"];
    assert_eq!(required, &serde_json::json!({"elicitation":{"url":{}}}));
}

/// The only input that a result asks for: its key and what it is.
fn only_input(asked: &Value) -> (String, Value) {
    let inputs = asked["inputRequests"].as_object().expect("inputRequests");
    assert_eq!(inputs.len(), 1, "{asked}");
    let (key, input) = inputs.iter().next().expect("an input");
    (key.clone(), input.clone())
}

#[test]
fn a_client_of_both_dialects_gets_each_in_its_own_form() {
    let server = Legacy::new();
    let tether = Tether::to(&server);
    is_discovered(&tether.ask("1", "server/discover", &params("")));
    let opened = tether.initialize();
    assert_eq!(opened.result()["protocolVersion"], "2025-11-25");
    let list = tether.ask("2", "tools/list", "{}");
    assert_eq!(list.result.as_deref(), Some(TOOLS));
    let list = tether.ask("3", "tools/list", &params("")).result();
    assert_eq!(list["resultType"], "complete");
    let called = tether.call("4", "echo", r#"{"text":"old"}"#);
    assert!(called.result().get("resultType").is_none());
    assert_eq!(tether.call_modern("5").result()["content"][0]["text"], "hi");
    assert_eq!(tether.finish(), 0);
    assert_eq!(server.calls("initialize").len(), 2);
}
