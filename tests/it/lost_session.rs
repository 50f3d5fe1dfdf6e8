//! A lost session is had again once for all that wait, and brought to the state it was in
//! (2025-11-25 transports §Session Management).

use crate::support::gate::Gate;
use crate::support::http::{Request, Response};
use crate::support::mcp::{Legacy, LegacyPlan, initialize_result};
use crate::support::rpc::{self, Rpc};
use crate::support::tether::Tether;

fn methods(requests: &[Request]) -> Vec<String> {
    let posts = requests.iter().filter(|request| request.method == "POST");
    posts.filter_map(Request::rpc_method).collect()
}

fn started(mcp: &Legacy) -> Tether {
    let tether = Tether::to(mcp);
    tether.initialize();
    mcp.wait_calls("GET", 1);
    tether
}

#[test]
fn twenty_calls_that_meet_a_404_cause_one_initialize_and_are_all_answered() {
    let mcp = Legacy::new();
    let tether = started(&mcp);
    mcp.forget_sessions();
    for id in 1..=20 {
        tether.send(&rpc::call(
            &id.to_string(),
            "echo",
            &format!(r#"{{"text":"{id}"}}"#),
        ));
    }
    for id in 1..=20 {
        let answer = tether.answer(&id.to_string()).result();
        assert_eq!(answer["content"][0]["text"], id.to_string());
    }
    assert_eq!(mcp.calls("initialize").len(), 2);
    assert_eq!(mcp.calls("notifications/initialized").len(), 2);
    assert_eq!(mcp.sessions(), ["session-2"]);
}

#[test]
fn a_listening_stream_that_meets_a_404_has_lost_the_session_too() {
    let mcp = LegacyPlan::default().listens().serve();
    let tether = Tether::to(&mcp);
    tether.initialize();
    let first = mcp.listening(1);
    mcp.forget_sessions();
    first.end();
    let note = r#"{"jsonrpc":"2.0","method":"notifications/x"}"#;
    mcp.listening(2).event(note);
    assert_eq!(tether.notification("notifications/x").text, note);
    assert_eq!(mcp.sessions(), ["session-2"]);
    tether.call("1", "echo", r#"{"text":"x"}"#).result();
    assert_eq!(mcp.calls("initialize").len(), 2);
}

#[test]
fn calls_that_come_while_the_session_is_renewed_wait_for_it() {
    let mcp = Legacy::new();
    let tether = started(&mcp);
    mcp.forget_sessions();
    let gate = Gate::new();
    let opened = gate.clone();
    mcp.admit("renewed");
    mcp.times(1, "initialize", move |call| {
        let gate = opened.clone();
        async move {
            gate.opened().await;
            call.reply(&initialize_result("2025-11-25"))
                .header("mcp-session-id", "renewed")
        }
    });
    for id in 1..=10 {
        tether.send(&rpc::call(&id.to_string(), "echo", "{}"));
    }
    // Some of them may come too late to meet the lost session: they wait as well.
    mcp.wait_calls("initialize", 2);
    for id in 11..=20 {
        tether.send(&rpc::call(&id.to_string(), "echo", "{}"));
    }
    gate.open();
    for id in 1..=20 {
        assert!(tether.answer(&id.to_string()).error.is_none());
    }
    assert_eq!(mcp.calls("initialize").len(), 2);
    for request in mcp.calls("tools/call") {
        let id = request.rpc().unwrap().id.unwrap();
        if id.parse::<u32>().unwrap() > 10 {
            assert_eq!(request.header("mcp-session-id"), Some("renewed"), "{id}");
        }
    }
}

#[test]
fn the_handshake_of_the_client_is_said_again_without_the_old_session() {
    let mcp = Legacy::new();
    let tether = started(&mcp);
    mcp.forget_sessions();
    tether.call("1", "echo", "{}");
    let hellos = mcp.calls("initialize");
    let (first, again) = (hellos[0].rpc().unwrap(), hellos[1].rpc().unwrap());
    assert_eq!(first.params, again.params);
    assert_ne!(first.id, again.id);
    assert!(again.id.unwrap().starts_with("\"mcp-tether:"));
    assert_eq!(hellos[1].header("mcp-session-id"), None);
    assert_eq!(hellos[1].header("mcp-protocol-version"), None);
    assert!(
        tether.unread().is_empty(),
        "the client learns nothing of it"
    );
}

#[test]
fn log_level_and_subscriptions_are_set_again_before_anything_else_goes_on() {
    let mcp = Legacy::new();
    let tether = started(&mcp);
    let subscribe = |id: &str, what: &str, uri: &str| {
        tether.ask(
            id,
            &format!("resources/{what}"),
            &format!(r#"{{"uri":"{uri}"}}"#),
        );
    };
    tether.ask("1", "logging/setLevel", r#"{"level":"info"}"#);
    tether.ask("2", "logging/setLevel", r#"{"level":"debug"}"#);
    subscribe("3", "subscribe", "x://a");
    subscribe("4", "subscribe", "x://b");
    subscribe("5", "unsubscribe", "x://a");
    mcp.times(1, "resources/subscribe", |call| async move {
        call.refuse(-32002, "no")
    });
    tether.ask("6", "resources/subscribe", r#"{"uri":"x://refused"}"#);
    mcp.forget_sessions();
    let before = mcp.server.requests().len();
    tether.call("7", "echo", "{}");
    let log = mcp.server.requests().split_off(before);
    assert_eq!(
        methods(&log)[..],
        [
            "tools/call",
            "initialize",
            "notifications/initialized",
            "logging/setLevel",
            "resources/subscribe",
            "tools/call",
        ]
    );
    let posts: Vec<&Request> = log.iter().filter(|r| r.method == "POST").collect();
    assert_eq!(posts[3].json()["params"]["level"], "debug");
    assert_eq!(posts[4].json()["params"]["uri"], "x://b");
    for post in &posts[2..] {
        assert_eq!(post.header("mcp-session-id"), Some("session-2"));
    }
    assert!(tether.unread().is_empty());
}

#[test]
fn a_404_to_a_notification_renews_the_session_and_the_notification_is_sent_again() {
    let mcp = Legacy::new();
    let tether = started(&mcp);
    mcp.forget_sessions();
    tether.notify("notifications/roots/list_changed", "{}");
    let sent = mcp.wait_calls("notifications/roots/list_changed", 2);
    assert_eq!(sent[0].header("mcp-session-id"), Some("session-1"));
    assert_eq!(sent[1].header("mcp-session-id"), Some("session-2"));
    assert_eq!(sent[0].body, sent[1].body);
}

#[test]
fn a_404_to_an_answer_of_the_client_renews_nothing() {
    let mcp = LegacyPlan::default().listens().serve();
    let tether = started(&mcp);
    mcp.listening(1)
        .event(&rpc::request("5", "roots/list", "{}"));
    tether.request("roots/list");
    mcp.forget_sessions();
    tether.send(&rpc::result("5", r#"{"roots":[]}"#));
    tether.wait_stderr("could not send an answer to the server");
    assert_eq!(mcp.calls("initialize").len(), 1);
    assert!(tether.call("1", "echo", "{}").error.is_none());
    assert_eq!(mcp.calls("initialize").len(), 2);
    let answers = mcp.server.requests().into_iter().filter_map(|r| r.rpc());
    assert_eq!(answers.filter(Rpc::is_answer).count(), 1, "dropped");
}

#[test]
fn a_400_with_an_error_that_names_no_request_is_a_lost_session() {
    for body in [
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no valid session"}}"#,
        r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"no valid session"}}"#,
        r#"{"error":{"code":-32000,"message":"no valid session"}}"#,
    ] {
        let mcp = Legacy::new();
        let tether = started(&mcp);
        mcp.times(1, "tools/call", move |_| async move {
            Response::json(400, body)
        });
        assert!(tether.call("1", "echo", "{}").error.is_none());
        assert_eq!(mcp.calls("initialize").len(), 2);
    }
}

#[test]
fn a_400_that_a_new_session_does_not_mend_is_what_the_server_says_and_no_lost_session() {
    let mcp = Legacy::new();
    let tether = started(&mcp);
    mcp.on("tools/call", |_| async {
        let error = r#"{"code":-32000,"message":"bad","data":{"x":1.0}}"#;
        Response::json(
            400,
            format!(r#"{{"jsonrpc":"2.0","id":null,"error":{error}}}"#),
        )
    });
    for id in ["1", "2", "3"] {
        let answer = tether.call(id, "echo", "{}");
        assert_eq!(
            answer.error.unwrap(),
            r#"{"code":-32000,"message":"bad","data":{"x":1.0}}"#
        );
    }
    assert_eq!(
        mcp.calls("initialize").len(),
        2,
        "tried once, then believed"
    );
}

#[test]
fn a_400_about_the_request_itself_is_no_lost_session() {
    let mcp = Legacy::new();
    let tether = started(&mcp);
    mcp.on("tools/call", |call| async move {
        Response::json(400, call.error(-32602, "bad arguments"))
    });
    mcp.on("tools/list", |_| async {
        Response::of(400, "text/plain", "no")
    });
    assert_eq!(tether.call("1", "echo", "{}").code(), -32602);
    assert_eq!(tether.ask("2", "tools/list", "{}").code(), -31003);
    assert_eq!(mcp.calls("initialize").len(), 1);
}

#[test]
fn a_session_that_is_lost_again_at_once_is_an_error() {
    let mcp = Legacy::new();
    let tether = started(&mcp);
    mcp.on("tools/call", |_| async { Response::status(404) });
    let error = tether.call("1", "echo", "{}").error();
    assert_eq!(error["code"], -31005, "{error}");
    assert_eq!(error["data"]["kind"], "session");
    assert_eq!(mcp.calls("initialize").len(), 2);
    assert_eq!(mcp.calls("tools/call").len(), 2, "sent again once");
}

#[test]
fn a_renewal_that_fails_at_first_is_tried_again() {
    let refusals: [fn() -> Response; 3] = [
        || Response::status(503),
        Response::reset,
        || Response::status(404),
    ];
    for refusal in refusals {
        let mcp = Legacy::new();
        let tether = started(&mcp);
        mcp.forget_sessions();
        mcp.times(1, "initialize", move |_| async move { refusal() });
        assert!(tether.call("1", "echo", "{}").error.is_none());
        assert_eq!(mcp.calls("initialize").len(), 3);
    }
}

#[test]
fn a_renewal_that_fails_for_good_is_an_error_and_the_next_request_tries_again() {
    let mcp = Legacy::new();
    let tether = started(&mcp);
    mcp.forget_sessions();
    mcp.on("initialize", |_| async { Response::status(503) });
    let error = tether.call("1", "echo", "{}").error();
    assert_eq!(error["code"], -31005, "{error}");
    mcp.default_for("initialize");
    assert!(tether.call("2", "echo", "{}").error.is_none());
    assert!(tether.call("3", "echo", "{}").error.is_none());
    assert_eq!(mcp.sessions(), ["session-2"]);
}

#[test]
fn a_server_that_comes_back_with_other_capabilities_is_an_error() {
    let changed = [
        initialize_result("2025-11-25").replace(r#""prompts":{},"#, ""),
        initialize_result("2025-06-18"),
    ];
    for changed in changed {
        let mcp = Legacy::new();
        let tether = started(&mcp);
        mcp.forget_sessions();
        mcp.on("initialize", move |call| {
            let changed = changed.clone();
            async move { call.reply(&changed).header("mcp-session-id", "other") }
        });
        let error = tether.call("1", "echo", "{}").error();
        assert_eq!(error["code"], -31005, "{error}");
        assert_eq!(
            mcp.calls("tools/call").len(),
            1,
            "not sent to another server"
        );
    }
}

#[test]
fn a_server_that_gives_no_session_any_more_clears_the_old_one() {
    let mcp = LegacyPlan::default().stateless().serve();
    mcp.times(1, "initialize", |call| async move {
        call.reply(&initialize_result("2025-11-25"))
            .header("mcp-session-id", "only-once")
    });
    mcp.times(1, "tools/call", |_| async { Response::status(404) });
    let tether = started(&mcp);
    assert!(tether.call("1", "echo", "{}").error.is_none());
    let calls = mcp.calls("tools/call");
    assert_eq!(calls[0].header("mcp-session-id"), Some("only-once"));
    assert_eq!(calls[1].header("mcp-session-id"), None);
    assert_eq!(tether.finish(), 0);
    assert!(mcp.calls("DELETE").is_empty());
}
