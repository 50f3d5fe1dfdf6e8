//! What the server sends in mid-call and by itself: requests, progress and notifications, on the
//! stream of a call and on the listening stream (2025-11-25 transports §Streamable HTTP).

use std::sync::Arc;

use crate::support::gate::Gate;
use crate::support::http::{Feed, Response};
use crate::support::mcp::{ANSWER, Call, Legacy, LegacyPlan, initialize_result};
use crate::support::rpc::{self, Rpc};
use crate::support::tether::Tether;

/// What servers ask of clients, and a fitting answer.
const ASKED: [(&str, &str, &str); 4] = [
    (
        "sampling/createMessage",
        r#"{"messages":[],"maxTokens":1}"#,
        r#"{"role":"assistant","content":{"type":"text","text":"x"},"model":"m"}"#,
    ),
    (
        "elicitation/create",
        r#"{"message":"who?","requestedSchema":{"type":"object","properties":{}}}"#,
        r#"{"action":"accept","content":{}}"#,
    ),
    ("roots/list", "{}", r#"{"roots":[{"uri":"file:///x"}]}"#),
    ("ping", "{}", "{}"),
];

/// Answers each call on a stream once the client has answered what `ask` sent in mid-call.
fn answered_in_between(mcp: &Legacy, ask: impl Fn(&Feed, &Call) + Send + Sync + 'static) {
    let ask = Arc::new(ask);
    let answers = Arc::new(tokio::sync::Notify::new());
    let answered = Arc::clone(&answers);
    mcp.on(ANSWER, move |_| {
        answered.notify_one();
        async { Response::accepted() }
    });
    mcp.on("tools/call", move |call| {
        let (ask, answers) = (Arc::clone(&ask), Arc::clone(&answers));
        async move {
            let (response, feed) = Response::events();
            tokio::spawn(async move {
                ask(&feed, &call);
                answers.notified().await;
                feed.event(&call.says("went on"));
            });
            response
        }
    });
}

/// The bodies of the client's answers.
fn answers(mcp: &Legacy) -> Vec<String> {
    let bodies = mcp.server.requests().into_iter().filter_map(|r| r.rpc());
    bodies.filter(Rpc::is_answer).map(|rpc| rpc.text).collect()
}

#[test]
fn server_requests_on_the_stream_of_a_call_are_answered_in_mid_call() {
    for (method, params, result) in ASKED {
        let mcp = Legacy::new();
        let request = rpc::request(r#""s-1""#, method, params);
        let sent = request.clone();
        answered_in_between(&mcp, move |feed, _| feed.event(&request));
        let tether = Tether::to(&mcp);
        tether.initialize();
        tether.send(&rpc::call("1", "any", "{}"));
        assert_eq!(tether.request(method).text, sent);
        let answer = rpc::result(r#""s-1""#, result);
        tether.send(&answer);
        assert_eq!(tether.answer("1").result()["content"][0]["text"], "went on");
        assert_eq!(answers(&mcp), [answer]);
    }
}

#[test]
fn server_requests_on_the_listening_stream_are_answered_in_mid_call() {
    for (method, params, result) in ASKED {
        let mcp = LegacyPlan::default().listens().serve();
        answered_in_between(&mcp, |_, _| {});
        let tether = Tether::to(&mcp);
        tether.initialize();
        let listening = mcp.listening(1);
        tether.send(&rpc::call("1", "any", "{}"));
        mcp.wait_calls("tools/call", 1);
        let request = rpc::request("77", method, params);
        listening.event(&request);
        assert_eq!(tether.request(method).text, request);
        let answer = rpc::result("77", result);
        tether.send(&answer);
        assert_eq!(tether.answer("1").result()["content"][0]["text"], "went on");
        assert_eq!(answers(&mcp), [answer]);
    }
}

#[test]
fn progress_goes_both_ways_in_mid_call() {
    let mcp = Legacy::new();
    let seen = Gate::new();
    let opened = seen.clone();
    mcp.on("notifications/progress", move |_| {
        opened.open();
        async { Response::accepted() }
    });
    mcp.on("tools/call", move |call| {
        let seen = seen.clone();
        async move {
            let (response, feed) = Response::events();
            tokio::spawn(async move {
                feed.event(&call.progress(1, 2).unwrap());
                seen.opened().await;
                feed.event(&call.progress(2, 2).unwrap());
                feed.event(&call.says("done"));
            });
            response
        }
    });
    let tether = Tether::to(&mcp);
    tether.initialize();
    let params = r#"{"name":"any","_meta":{"progressToken":7}}"#;
    tether.send(&rpc::request("1", "tools/call", params));
    let first = tether.notification("notifications/progress");
    assert_eq!(first.params()["progressToken"], 7);
    tether.notify(
        "notifications/progress",
        r#"{"progressToken":"theirs","progress":1}"#,
    );
    let second = tether.notification("notifications/progress");
    assert_eq!(second.params()["progress"], 2);
    tether.answer("1");
    let sent = mcp.calls("notifications/progress");
    assert_eq!(sent[0].json()["params"]["progressToken"], "theirs");
}

#[test]
fn the_order_of_messages_on_a_stream_is_kept() {
    let mcp = Legacy::new();
    mcp.on("tools/call", |call| async move {
        let (response, feed) = Response::events();
        for step in 0..200 {
            feed.event(&call.progress(step, 200).unwrap());
        }
        feed.event(&call.says("done"));
        response
    });
    let tether = Tether::to(&mcp);
    tether.initialize();
    let params = r#"{"name":"any","_meta":{"progressToken":"t"}}"#;
    tether.send(&rpc::request("1", "tools/call", params));
    for step in 0..200 {
        let note = tether.recv();
        assert_eq!(note.params()["progress"], step, "{}", note.text);
    }
    assert!(tether.recv().is_answer());
}

#[test]
fn server_messages_other_than_ping_and_logging_wait_for_initialized() {
    let mcp = Legacy::new();
    mcp.on("initialize", |call| async move {
        let (response, feed) = Response::events();
        feed.event(&rpc::request("1", "roots/list", "{}"));
        feed.event(&rpc::notification("notifications/tools/list_changed", "{}"));
        feed.event(&rpc::request("2", "ping", "{}"));
        feed.event(&rpc::notification(
            "notifications/message",
            r#"{"level":"info","data":1}"#,
        ));
        feed.event(&call.result(&initialize_result("2025-11-25")));
        response.header("mcp-session-id", "mine")
    });
    mcp.admit("mine");
    let tether = Tether::to(&mcp);
    let params = r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{}}"#;
    tether.ask("0", "initialize", params);
    assert!(tether.request("ping").is_request());
    tether.send(&rpc::result("2", "{}"));
    tether.notification("notifications/message");
    assert!(tether.unread().is_empty(), "the rest waits");
    tether.notify("notifications/initialized", "{}");
    assert!(tether.recv().method.as_deref() == Some("roots/list"));
    let changed = tether.recv();
    assert_eq!(
        changed.method.as_deref(),
        Some("notifications/tools/list_changed")
    );
    let log = mcp.wait_calls("notifications/initialized", 1);
    assert_eq!(log[0].header("mcp-session-id"), Some("mine"));
    tether.send(&rpc::result("1", r#"{"roots":[]}"#));
}

#[test]
fn an_answer_is_matched_by_its_id_whatever_stream_brings_it() {
    let mcp = LegacyPlan::default().listens().serve();
    mcp.on("tools/call", |_| async {
        let (response, feed) = Response::events();
        feed.keep_open();
        response
    });
    mcp.on("tools/list", |call| async move {
        let (response, feed) = Response::events();
        feed.event(&rpc::result("2", r#"{"from":"a list"}"#));
        feed.event(&call.result(r#"{"tools":[]}"#));
        response
    });
    let tether = Tether::to(&mcp);
    tether.initialize();
    let listening = mcp.listening(1);
    tether.send(&rpc::call("1", "any", "{}"));
    tether.send(&rpc::call("2", "any", "{}"));
    mcp.wait_calls("tools/call", 2);
    listening.event(&rpc::result("1", r#"{"from":"the listening stream"}"#));
    assert_eq!(tether.answer("1").result()["from"], "the listening stream");
    tether.send(&rpc::request("3", "tools/list", "{}"));
    assert_eq!(tether.answer("2").result()["from"], "a list");
    tether.answer("3");
    // One of the same id again finds nobody.
    listening.event(&rpc::result("1", r#"{"from":"twice"}"#));
    listening.event(&rpc::notification("notifications/x", "{}"));
    tether.notification("notifications/x");
    assert!(tether.unread().is_empty());
}

#[test]
fn an_answer_of_the_client_that_nobody_asked_for_is_dropped() {
    let mcp = Legacy::new();
    let tether = Tether::to(&mcp);
    tether.initialize();
    tether.send(&rpc::result("12", "{}"));
    tether.wait_stderr("dropped an answer");
    tether.ask("1", "ping", "{}");
    assert!(answers(&mcp).is_empty());
}
