//! Streamable HTTP as the revisions 2025-03-26 to 2025-11-25 ask for it: the headers, the session,
//! the kinds of answers, leaving.

use std::time::Duration;

use crate::support::http::Response;
use crate::support::mcp::{LATEST, Legacy, LegacyPlan, initialize_result};
use crate::support::rpc;
use crate::support::tether::Tether;

const SESSION: &str = "mcp-session-id";
const VERSION: &str = "mcp-protocol-version";

#[test]
fn an_answer_may_be_json_or_an_event_stream() {
    for plan in [LegacyPlan::default(), LegacyPlan::default().streams()] {
        let mcp = plan.serve();
        let tether = Tether::to(&mcp);
        tether.initialize();
        let sum = tether.call("1", "add", r#"{"a":1,"b":2}"#).result();
        assert_eq!(sum["content"][0]["text"], "3");
        assert_eq!(tether.finish(), 0);
    }
}

#[test]
fn the_kind_of_an_answer_is_its_media_type_without_parameters() {
    let mcp = Legacy::new();
    mcp.times(1, "tools/list", |call| async move {
        let text = call.result(r#"{"tools":[]}"#);
        Response::of(200, "Application/JSON; charset=utf-8", text)
    });
    mcp.times(1, "tools/list", |call| async move {
        let (response, feed) = Response::streamed(200, "Text/Event-Stream;charset=utf-8");
        feed.event(&call.result(r#"{"tools":[]}"#));
        response
    });
    let tether = Tether::to(&mcp);
    tether.initialize();
    for id in ["1", "2"] {
        assert!(tether.ask(id, "tools/list", "{}").result()["tools"].is_array());
    }
}

#[test]
fn every_post_accepts_both_media_types_and_is_json() {
    let mcp = LegacyPlan::default().listens().serve();
    let tether = Tether::to(&mcp);
    tether.initialize();
    tether.ask("1", "tools/list", "{}");
    mcp.listening(1);
    assert_eq!(tether.finish(), 0);
    let requests = mcp.server.requests();
    for request in &requests {
        assert_eq!(request.header("origin"), None, "a native client: {request}");
        let accept = request.header("accept").unwrap_or_default();
        match request.method.as_str() {
            "POST" => {
                assert_eq!(accept, "application/json, text/event-stream", "{request}");
                assert_eq!(request.header("content-type"), Some("application/json"));
            }
            "GET" => assert_eq!(accept, "text/event-stream", "{request}"),
            _ => {}
        }
    }
    let methods: Vec<&str> = requests.iter().map(|r| r.method.as_str()).collect();
    assert!(methods.contains(&"GET") && methods.contains(&"DELETE"));
}

#[test]
fn the_version_header_names_what_was_negotiated_and_is_not_on_initialize() {
    for version in ["2025-06-18", LATEST] {
        let mcp = LegacyPlan::default().version(version).listens().serve();
        let tether = Tether::to(&mcp);
        tether.initialize();
        tether.ask("1", "tools/list", "{}");
        mcp.listening(1);
        assert_eq!(tether.finish(), 0);
        for (at, request) in mcp.server.requests().iter().enumerate() {
            let wanted = (at > 0).then_some(version);
            assert_eq!(request.header(VERSION), wanted, "{request}");
        }
        assert_eq!(mcp.calls("DELETE").len(), 1);
    }
}

#[test]
fn a_server_of_2025_03_26_gets_no_version_header() {
    let mcp = LegacyPlan::default()
        .version("2025-03-26")
        .listens()
        .serve();
    let tether = Tether::to(&mcp);
    let answer = tether.initialize().result();
    assert_eq!(answer["protocolVersion"], "2025-03-26");
    tether.ask("1", "tools/list", "{}");
    mcp.listening(1);
    assert_eq!(tether.finish(), 0);
    for request in mcp.server.requests() {
        assert_eq!(request.header(VERSION), None, "{request}");
    }
}

#[test]
fn the_session_id_goes_with_every_later_request() {
    let mcp = LegacyPlan::default().listens().serve();
    let tether = Tether::to(&mcp);
    tether.initialize();
    tether.ask("1", "tools/list", "{}");
    tether.notify("notifications/roots/list_changed", "{}");
    mcp.wait_calls("notifications/roots/list_changed", 1);
    mcp.listening(1)
        .event(&rpc::request("5", "roots/list", "{}"));
    tether.request("roots/list");
    tether.send(&rpc::result("5", r#"{"roots":[]}"#));
    assert_eq!(tether.finish(), 0);
    let requests = mcp.server.requests();
    let answer = requests.iter().find(|r| r.text().contains("roots\":[]"));
    assert!(answer.is_some(), "the client's answer was sent");
    for (at, request) in requests.iter().enumerate() {
        let wanted = (at > 0).then_some("session-1");
        assert_eq!(request.header(SESSION), wanted, "{request}");
    }
    assert_eq!(mcp.calls("DELETE").len(), 1);
    assert!(mcp.sessions().is_empty());
}

#[test]
fn the_session_id_is_taken_from_the_answer_to_initialize_alone() {
    let mcp = Legacy::new();
    mcp.times(1, "initialize", |call| async move {
        call.refuse(-32602, "no").header(SESSION, "of-an-error")
    });
    mcp.on("tools/list", |call| async move {
        call.reply(r#"{"tools":[]}"#).header(SESSION, "of-a-list")
    });
    let tether = Tether::to(&mcp);
    let hello =
        format!(r#"{{"protocolVersion":"{LATEST}","capabilities":{{}},"clientInfo":{{}}}}"#);
    assert_eq!(tether.ask("99", "initialize", &hello).code(), -32602);
    tether.initialize();
    tether.ask("1", "tools/list", "{}");
    tether.ask("2", "tools/list", "{}");
    assert_eq!(tether.finish(), 0);
    let later = mcp.server.requests().split_off(2);
    for request in later {
        assert_eq!(request.header(SESSION), Some("session-1"), "{request}");
    }
}

#[test]
fn a_server_without_sessions_gets_no_session_id_and_no_delete() {
    let mcp = LegacyPlan::default().stateless().serve();
    let tether = Tether::to(&mcp);
    tether.initialize();
    tether.ask("1", "tools/list", "{}");
    assert_eq!(tether.finish(), 0);
    for request in mcp.server.requests() {
        assert_eq!(request.header(SESSION), None, "{request}");
    }
    assert!(mcp.calls("DELETE").is_empty());
}

#[test]
fn a_request_before_any_initialize_goes_to_the_server_as_it_is() {
    let mcp = LegacyPlan::default().stateless().serve();
    let tether = Tether::to(&mcp);
    assert!(tether.ask("1", "tools/list", "{}").result()["tools"].is_array());
    assert_eq!(tether.finish(), 0);
    assert_eq!(mcp.server.requests().len(), 1, "and nothing else is asked");
}

#[test]
fn leaving_takes_any_answer_to_the_delete() {
    for status in [405, 404, 500] {
        let mcp = Legacy::new();
        mcp.on("DELETE", move |_| async move { Response::status(status) });
        let tether = Tether::to(&mcp);
        tether.initialize();
        tether.ask("1", "ping", "{}");
        assert_eq!(tether.finish(), 0, "{status}");
        assert_eq!(mcp.calls("DELETE").len(), 1);
    }
}

#[test]
fn a_delete_that_is_never_answered_does_not_keep_us() {
    let mcp = Legacy::new();
    mcp.on("DELETE", |_| async { Response::stall() });
    let mut tether = Tether::to(&mcp);
    tether.initialize();
    tether.ask("1", "ping", "{}");
    tether.close_stdin();
    mcp.wait_calls("DELETE", 1);
    assert_eq!(tether.wait_within(Duration::from_secs(4)), 0);
}

#[test]
fn notifications_may_be_accepted_with_any_2xx() {
    let mcp = Legacy::new();
    mcp.on("notifications/initialized", |_| async {
        Response::status(200)
    });
    mcp.times(1, "notifications/x", |_| async { Response::status(204) });
    mcp.times(1, "notifications/x", |_| async {
        Response::json(200, "{}")
    });
    let tether = Tether::to(&mcp);
    tether.initialize();
    tether.notify("notifications/x", "{}");
    tether.notify("notifications/x", "{}");
    tether.notify("notifications/x", "{}");
    mcp.wait_calls("notifications/x", 3);
    assert!(tether.unread().is_empty());
    assert_eq!(tether.finish(), 0);
}

#[test]
fn a_refused_notification_is_never_told_to_the_client_as_an_answer() {
    let mcp = LegacyPlan::default().stateless().serve();
    mcp.on("notifications/x", |call| async move {
        Response::json(400, call.error(-32600, "no"))
    });
    let tether = Tether::to(&mcp);
    tether.initialize();
    tether.notify("notifications/x", "{}");
    mcp.wait_calls("notifications/x", 1);
    tether.wait_stderr("could not send notifications/x");
    tether.ask("1", "ping", "{}");
    assert!(tether.unread().is_empty());
}

#[test]
fn a_body_or_an_event_may_hold_an_array_of_messages() {
    let mcp = LegacyPlan::default().version("2025-03-26").serve();
    mcp.times(1, "tools/call", |call| async move {
        let note = rpc::notification("notifications/message", r#"{"level":"info","data":1}"#);
        Response::json(200, format!("[{note}, {}]", call.says("body")))
    });
    mcp.times(1, "tools/call", |call| async move {
        let note = rpc::notification("notifications/message", r#"{"level":"info","data":2}"#);
        let (response, feed) = Response::events();
        feed.event(&format!("[{note},{}]", call.says("event")));
        response
    });
    let tether = Tether::to(&mcp);
    tether.initialize();
    for (id, said) in [("1", "body"), ("2", "event")] {
        let answer = tether.call(id, "any", "{}");
        assert_eq!(answer.result()["content"][0]["text"], said);
        let note = tether.notification("notifications/message");
        assert_eq!(note.params()["data"].to_string(), id);
    }
}

#[test]
fn the_newest_revision_the_server_names_is_told_to_the_client_untouched() {
    let mcp = LegacyPlan::default().version("2025-06-18").serve();
    let tether = Tether::to(&mcp);
    let answer = tether.initialize();
    assert_eq!(
        answer.text,
        rpc::result("0", &initialize_result("2025-06-18"))
    );
}
