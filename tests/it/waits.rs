//! `Retry-After`, and the limits of `--request-timeout`, `--headers-timeout` and `--body-timeout`.

use std::time::{Duration, Instant};

use crate::support::http::Response;
use crate::support::launch::Launch;
use crate::support::mcp::Legacy;
use crate::support::rpc;
use crate::support::tether::Tether;

fn wait(status: u16, seconds: &'static str) -> impl Fn() -> Response {
    move || Response::html(status, "<p>busy</p>").header("retry-after", seconds)
}

#[test]
fn a_429_is_repeated_after_the_wait_it_names() {
    for method in ["tools/call", "tools/list"] {
        let mcp = Legacy::new();
        let busy = wait(429, "1");
        mcp.times(1, method, move |_| {
            let response = busy();
            async { response }
        });
        let tether = Tether::to(&mcp);
        tether.initialize();
        let params = r#"{"name":"echo","arguments":{}}"#;
        assert!(tether.ask("1", method, params).error.is_none(), "{method}");
        let calls = mcp.calls(method);
        assert_eq!(calls.len(), 2);
        assert_eq!(calls[0].body, calls[1].body);
        assert!(calls[1].at - calls[0].at >= Duration::from_secs(1));
    }
}

#[test]
fn a_429_is_repeated_twice_at_most_and_then_says_how_long_to_wait() {
    let mcp = Legacy::new();
    let busy = wait(429, "0");
    mcp.on("tools/call", move |_| {
        let response = busy();
        async { response }
    });
    let tether = Tether::to(&mcp);
    tether.initialize();
    let error = tether.call("1", "echo", "{}").error();
    assert_eq!(error["code"], -31003);
    assert_eq!(error["data"]["httpStatus"], 429);
    assert_eq!(error["data"]["retryAfter"].to_string(), "0");
    assert_eq!(mcp.calls("tools/call").len(), 3);
}

#[test]
fn a_wait_of_more_than_30_seconds_is_told_at_once() {
    for (method, status) in [
        ("tools/call", 429),
        ("tools/list", 429),
        ("tools/list", 503),
    ] {
        let mcp = Legacy::new();
        let busy = wait(status, "31");
        mcp.on(method, move |_| {
            let response = busy();
            async { response }
        });
        let tether = Tether::to(&mcp);
        tether.initialize();
        let started = Instant::now();
        let error = tether.ask("1", method, r#"{"name":"echo"}"#).error();
        assert!(started.elapsed() < Duration::from_secs(5));
        assert_eq!(error["data"]["httpStatus"], status);
        assert_eq!(error["data"]["retryAfter"].to_string(), "31");
        assert_eq!(error["data"]["kind"], "http");
        assert!(error["data"]["hint"].is_string());
        assert_eq!(mcp.calls(method).len(), 1);
    }
}

#[test]
fn waits_that_no_sum_can_hold_are_told_too() {
    let mcp = Legacy::new();
    for seconds in ["1", "18446744073709551615"] {
        let busy = wait(429, seconds);
        mcp.times(1, "tools/call", move |_| {
            let response = busy();
            async { response }
        });
    }
    let tether = Tether::to(&mcp);
    tether.initialize();
    let error = tether.call("1", "echo", "{}").error();
    assert_eq!(error["data"]["httpStatus"], 429);
    assert_eq!(
        error["data"]["retryAfter"].to_string(),
        "18446744073709551615"
    );
    assert_eq!(mcp.calls("tools/call").len(), 2);
    assert_eq!(tether.finish(), 0);
}

#[test]
fn a_503_with_retry_after_is_repeated_for_reads_alone() {
    let mcp = Legacy::new();
    for method in ["tools/call", "tools/list"] {
        let busy = wait(503, "0");
        mcp.times(1, method, move |_| {
            let response = busy();
            async { response }
        });
    }
    let tether = Tether::to(&mcp);
    tether.initialize();
    let error = tether.call("1", "echo", "{}").error();
    assert_eq!(error["data"]["httpStatus"], 503);
    assert_eq!(error["data"]["retryAfter"].to_string(), "0");
    assert_eq!(mcp.calls("tools/call").len(), 1);
    assert!(tether.ask("2", "tools/list", "{}").error.is_none());
    assert_eq!(mcp.calls("tools/list").len(), 2);
}

#[test]
fn a_503_without_retry_after_is_not_repeated() {
    let mcp = Legacy::new();
    mcp.on("tools/list", |_| async { Response::status(503) });
    let tether = Tether::to(&mcp);
    tether.initialize();
    let error = tether.ask("1", "tools/list", "{}").error();
    assert_eq!(error["data"]["httpStatus"], 503);
    assert_eq!(error["data"].get("retryAfter"), None);
    assert_eq!(mcp.calls("tools/list").len(), 1);
}

#[test]
fn a_call_cancelled_while_it_waits_is_not_sent_again() {
    let mcp = Legacy::new();
    for (id, seconds) in [("1", "1"), ("2", "2")] {
        let busy = wait(429, seconds);
        mcp.times(1, "tools/call", move |call| {
            assert_eq!(call.id(), id);
            let response = busy();
            async { response }
        });
    }
    let tether = Tether::to(&mcp);
    tether.initialize();
    tether.send(&rpc::call("1", "echo", "{}"));
    mcp.wait_calls("tools/call", 1);
    tether.send(&rpc::call("2", "echo", "{}"));
    mcp.wait_calls("tools/call", 2);
    tether.notify("notifications/cancelled", r#"{"requestId":1}"#);
    // The second one waits longer: were the first one sent again, it would be by now.
    assert!(tether.answer("2").error.is_none());
    assert_eq!(mcp.calls("tools/call").len(), 3);
}

#[test]
fn request_timeout_is_an_error_and_tells_the_server_to_stop() {
    let mcp = Legacy::new();
    mcp.times(2, "tools/call", |_| async { Response::stall() });
    let tether = Launch::to(&mcp).args(["--request-timeout", "0.5"]).start();
    tether.initialize();
    for (nth, id) in ["123456789012345678901234567890", "\"a \\u00e9\""]
        .into_iter()
        .enumerate()
    {
        let error = tether.call(id, "any", "{}").error();
        assert_eq!(error["code"], -31002, "{error}");
        assert_eq!(error["data"]["kind"], "timeout");
        assert!(
            error["data"]["hint"]
                .as_str()
                .unwrap()
                .contains("--request-timeout")
        );
        let cancelled = mcp.wait_calls("notifications/cancelled", nth + 1);
        let text = cancelled[nth].text();
        assert!(text.contains(&format!(r#""requestId":{id}"#)), "{text}");
    }
    assert!(tether.call("3", "echo", "{}").error.is_none());
}

#[test]
fn request_timeout_holds_while_events_come() {
    let mcp = Legacy::new();
    mcp.on("tools/call", |call| async move {
        let (response, feed) = Response::events();
        tokio::spawn(async move {
            while !feed.gone().is_open() {
                feed.event(&call.progress(1, 2).unwrap());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        response
    });
    let tether = Launch::to(&mcp).args(["--request-timeout", "0.5"]).start();
    tether.initialize();
    let params = r#"{"name":"any","_meta":{"progressToken":1}}"#;
    assert_eq!(tether.ask("1", "tools/call", params).code(), -31002);
}

#[test]
fn request_timeout_holds_for_initialize() {
    let mcp = Legacy::new();
    mcp.times(1, "initialize", |_| async { Response::stall() });
    let tether = Launch::to(&mcp).args(["--request-timeout", "0.5"]).start();
    assert_eq!(tether.ask("9", "initialize", "{}").code(), -31002);
    tether.initialize();
    tether.call("1", "echo", "{}");
    assert!(
        mcp.calls("notifications/cancelled").is_empty(),
        "initialize is never cancelled"
    );
}

#[test]
fn headers_timeout_is_an_error_that_names_its_option() {
    let mcp = Legacy::new();
    mcp.times(1, "tools/call", |_| async { Response::stall() });
    let tether = Launch::to(&mcp).args(["--headers-timeout", "0.4"]).start();
    tether.initialize();
    let error = tether.call("1", "any", "{}").error();
    assert_eq!(error["code"], -31002, "{error}");
    assert!(
        error["data"]["hint"]
            .as_str()
            .unwrap()
            .contains("--headers-timeout")
    );
    assert!(tether.call("2", "echo", "{}").error.is_none());
    assert_eq!(mcp.calls("tools/call").len(), 2);
}

#[test]
fn body_timeout_bounds_the_gaps_of_a_body_and_not_those_of_a_stream() {
    let mcp = Legacy::new();
    mcp.times(1, "tools/call", |_| async {
        let (response, feed) = Response::streamed(200, "application/json");
        feed.send("{\"jsonrpc\":");
        feed.keep_open();
        response
    });
    mcp.times(1, "tools/call", |call| async move {
        let (response, feed) = Response::events();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(900)).await;
            feed.event(&call.says("slow"));
        });
        response
    });
    let tether = Launch::to(&mcp).args(["--body-timeout", "0.4"]).start();
    tether.initialize();
    let error = tether.call("1", "any", "{}").error();
    assert_eq!(error["code"], -31002, "{error}");
    assert!(
        error["data"]["hint"]
            .as_str()
            .unwrap()
            .contains("--body-timeout")
    );
    assert!(tether.call("2", "any", "{}").error.is_none());
}
