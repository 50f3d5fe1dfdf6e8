//! The server is down, goes down, comes back: what the client gets, and that the process stays.

use crate::support::http::{Request, Response};
use crate::support::launch::Launch;
use crate::support::mcp::{LATEST, Legacy, LegacyPlan};
use crate::support::rpc;
use crate::support::server::Plan;
use crate::support::tether::Tether;

fn hello(id: &str) -> String {
    let params =
        format!(r#"{{"protocolVersion":"{LATEST}","capabilities":{{}},"clientInfo":{{}}}}"#);
    rpc::request(id, "initialize", &params)
}

#[test]
fn a_server_that_comes_up_within_initialize_wait_is_no_error() {
    let mcp = LegacyPlan::default().serve_on(Plan::default().down());
    let tether = Launch::to(&mcp).arg("--debug").start();
    tether.send(&hello("0"));
    // What is sent meanwhile waits.
    tether.send(&rpc::notification("notifications/initialized", "{}"));
    tether.send(&rpc::request("1", "tools/list", "{}"));
    tether.wait_stderr("sending again");
    assert!(tether.unread().is_empty());
    mcp.server.start();
    assert!(tether.answer("0").error.is_none());
    assert!(tether.answer("1").result()["tools"].is_array());
    let methods: Vec<_> = mcp
        .server
        .requests()
        .iter()
        .filter_map(Request::rpc_method)
        .collect();
    assert_eq!(
        methods,
        ["initialize", "notifications/initialized", "tools/list"]
    );
}

#[test]
fn a_server_that_stays_down_is_an_error_and_the_next_try_may_work() {
    let mcp = LegacyPlan::default().serve_on(Plan::default().down());
    let tether = Launch::to(&mcp).args(["--initialize-wait", "0.4"]).start();
    let started = std::time::Instant::now();
    tether.send(&hello("0"));
    let error = tether.answer("0").error();
    assert!(
        started.elapsed().as_millis() < 3000,
        "{:?}",
        started.elapsed()
    );
    assert_eq!(error["code"], -31001);
    assert_eq!(error["data"]["source"], "mcp-tether");
    assert_eq!(error["data"]["kind"], "unreachable");
    assert!(
        error["data"]["hint"]
            .as_str()
            .is_some_and(|hint| !hint.is_empty())
    );
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains(&mcp.server.address().to_string()),
        "{message}"
    );
    assert!(tether.is_running());
    mcp.server.start();
    tether.send(&hello("1"));
    assert!(tether.answer("1").error.is_none());
    tether.notify("notifications/initialized", "{}");
    tether.call("2", "echo", "{}");
}

#[test]
fn what_waited_for_a_failed_handshake_is_answered_too() {
    let mcp = LegacyPlan::default().serve_on(Plan::default().down());
    mcp.server.allow_idle();
    let tether = Launch::to(&mcp).args(["--initialize-wait", "0"]).start();
    tether.send(&hello("0"));
    tether.send(&rpc::request("1", "tools/list", "{}"));
    tether.send(&rpc::call("2", "any", "{}"));
    for id in ["0", "1", "2"] {
        assert_eq!(tether.answer(id).code(), -31001);
    }
}

#[test]
fn a_reset_before_the_headers_is_an_error_for_a_call_and_a_repeat_for_a_read() {
    let mcp = Legacy::new();
    mcp.times(1, "tools/call", |_| async { Response::reset() });
    mcp.times(1, "tools/list", |_| async { Response::reset() });
    let tether = Tether::to(&mcp);
    tether.initialize();
    let error = tether.call("1", "echo", "{}").error();
    assert_eq!(error["code"], -31006, "{error}");
    assert!(
        error["data"]["hint"]
            .as_str()
            .unwrap()
            .contains("may have acted")
    );
    assert_eq!(mcp.calls("tools/call").len(), 1, "done once at most");
    assert!(tether.ask("2", "tools/list", "{}").error.is_none());
    assert_eq!(mcp.calls("tools/list").len(), 2);
    assert_eq!(mcp.calls("initialize").len(), 1);
}

#[test]
fn a_reset_initialize_can_be_sent_again() {
    let mcp = Legacy::new();
    mcp.times(1, "initialize", |_| async { Response::reset() });
    let tether = Tether::to(&mcp);
    tether.send(&hello("9"));
    assert_eq!(tether.answer("9").code(), -31006);
    tether.initialize();
    tether.call("1", "echo", "{}");
}

#[test]
fn a_server_killed_with_calls_in_flight_answers_them_with_errors_and_works_after_its_restart() {
    let mcp = Legacy::new();
    mcp.times(3, "tools/call", |_| async { Response::stall() });
    let tether = Tether::to(&mcp);
    tether.initialize();
    for id in ["1", "2", "3"] {
        tether.send(&rpc::call(id, "echo", "{}"));
    }
    mcp.wait_calls("tools/call", 3);
    mcp.server.stop();
    for id in ["1", "2", "3"] {
        assert_eq!(tether.answer(id).code(), -31006);
    }
    mcp.forget_sessions();
    mcp.server.start();
    let answer = tether.call("4", "echo", r#"{"text":"back"}"#);
    assert_eq!(answer.result()["content"][0]["text"], "back");
    assert_eq!(mcp.calls("initialize").len(), 2, "its sessions are gone");
    assert_eq!(mcp.calls("tools/call").len(), 5, "3 lost, 404, repeated");
}

#[test]
fn a_server_that_is_down_in_mid_session_is_unreachable_until_it_is_back() {
    let mcp = LegacyPlan::default().serve_on(Plan::default().one_shot());
    let tether = Tether::to(&mcp);
    tether.initialize();
    tether.call("1", "echo", "{}");
    mcp.server.stop();
    assert_eq!(tether.call("2", "echo", "{}").code(), -31001);
    mcp.server.start();
    assert!(tether.call("3", "echo", "{}").error.is_none());
    assert_eq!(mcp.calls("tools/call").len(), 2);
}

#[test]
fn a_call_outlives_a_short_outage_since_nothing_of_it_left() {
    let mcp = LegacyPlan::default().serve_on(Plan::default().one_shot());
    let tether = Launch::to(&mcp).arg("--debug").start();
    tether.initialize();
    mcp.wait_calls("GET", 1);
    mcp.server.stop();
    tether.send(&rpc::call("2", "echo", "{}"));
    tether.wait_stderr("sending again");
    mcp.server.start();
    assert!(tether.answer("2").error.is_none());
    assert_eq!(mcp.calls("tools/call").len(), 1);
}
