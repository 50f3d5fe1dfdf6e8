//! A stream that ends before its answer: resumed where the server numbered its events, else one
//! error at once, or a repeat where that does no harm (2025-11-25 transports §Resumability and
//! Redelivery; SEP-1699).

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::gate::lock;
use crate::support::http::{Feed, Request, Response};
use crate::support::mcp::{Call, Legacy};
use crate::support::rpc;
use crate::support::tether::Tether;

const NOTE: &str = r#"{"jsonrpc":"2.0","method":"notifications/x","params":{}}"#;

/// The GETs that resume a stream; the listening stream asks without an event id.
fn resumes(mcp: &Legacy) -> Vec<Request> {
    let gets = mcp.calls("GET").into_iter();
    gets.filter(|get| get.header("last-event-id").is_some())
        .collect()
}

/// Answers GETs that resume a stream with `answer`, which gets the last event id, and the listening
/// stream with 405.
fn on_resume(mcp: &Legacy, answer: impl Fn(&str) -> Response + Send + Sync + 'static) {
    let answer = Arc::new(answer);
    mcp.on("GET", move |call: Call| {
        let answer = Arc::clone(&answer);
        async move {
            match call.request.header("last-event-id") {
                Some(id) => answer(id),
                None => Response::status(405),
            }
        }
    });
}

/// Answers every tool call with a stream of these bytes, ended like that.
fn streams(mcp: &Legacy, bytes: &'static str, ending: fn(&Feed)) {
    mcp.on("tools/call", move |_| async move {
        let (response, feed) = Response::events();
        feed.send(bytes);
        ending(&feed);
        response
    });
}

fn events(text: String) -> Response {
    Response::event_bytes(text)
}

#[test]
fn a_stream_cut_after_an_id_goes_on_with_a_get() {
    for ending in [Feed::end, Feed::cut, Feed::reset] {
        let mcp = Legacy::new();
        mcp.on("tools/call", move |_| async move {
            let (response, feed) = Response::events();
            feed.send("retry: 20\n");
            feed.event_with_id("e-1", NOTE);
            ending(&feed);
            response
        });
        on_resume(&mcp, |_| {
            events(format!("id: e-2\ndata: {}\n\n", rpc::result("1", "{}")))
        });
        let tether = Tether::to(&mcp);
        tether.initialize();
        assert_eq!(tether.call("1", "any", "{}").text, rpc::result("1", "{}"));
        tether.notification("notifications/x");
        let resumes = resumes(&mcp);
        assert_eq!(resumes.len(), 1);
        assert_eq!(resumes[0].header("last-event-id"), Some("e-1"));
        assert_eq!(resumes[0].header("accept"), Some("text/event-stream"));
        assert_eq!(resumes[0].header("mcp-session-id"), Some("session-1"));
        assert_eq!(
            resumes[0].header("mcp-protocol-version"),
            Some("2025-11-25")
        );
        assert_eq!(mcp.calls("tools/call").len(), 1, "the call is not repeated");
    }
}

#[test]
fn a_priming_event_without_data_makes_a_stream_resumable_and_retry_is_exact() {
    let mcp = Legacy::new();
    let retry = Duration::from_millis(500);
    let ended: Arc<Mutex<Option<Instant>>> = Arc::default();
    let noted = Arc::clone(&ended);
    mcp.on("tools/call", move |_| {
        let noted = Arc::clone(&noted);
        async move {
            let (response, feed) = Response::events();
            feed.send("id: prime\nretry: 500\ndata:\n\n");
            *lock(&noted) = Some(Instant::now());
            feed.end();
            response
        }
    });
    on_resume(&mcp, |_| {
        events(format!("data: {}\n\n", rpc::result("1", "{}")))
    });
    let tether = Tether::to(&mcp);
    tether.initialize();
    tether.call("1", "any", "{}");
    let resumes = resumes(&mcp);
    assert_eq!(resumes[0].header("last-event-id"), Some("prime"));
    let waited = resumes[0].at - lock(&ended).expect("it was called");
    assert!(waited >= retry && waited <= 2 * retry, "{waited:?}");
}

#[test]
fn a_server_may_close_and_be_polled_until_the_answer_is_there() {
    let mcp = Legacy::new();
    streams(&mcp, "retry: 10\nid: 1\ndata:\n\n", Feed::end);
    on_resume(&mcp, |id| match id {
        "9" => events(format!("id: 10\ndata: {}\n\n", rpc::result("1", "{}"))),
        other => {
            let next = other.parse::<u32>().unwrap() + 1;
            events(format!("id: {next}\ndata:\n\n"))
        }
    });
    let tether = Tether::to(&mcp);
    tether.initialize();
    assert_eq!(tether.call("1", "any", "{}").text, rpc::result("1", "{}"));
    assert_eq!(
        resumes(&mcp).len(),
        9,
        "polls that bring something are free"
    );
}

#[test]
fn an_event_that_was_cut_in_two_was_not_received() {
    let mcp = Legacy::new();
    streams(
        &mcp,
        "retry: 10\nid: 1\ndata:\n\nid: 2\ndata: {\"jsonrpc\":\"2.0\",",
        Feed::cut,
    );
    on_resume(&mcp, |_| {
        events(format!("id: 2\ndata: {}\n\n", rpc::result("1", "{}")))
    });
    let tether = Tether::to(&mcp);
    tether.initialize();
    tether.call("1", "any", "{}");
    assert_eq!(resumes(&mcp)[0].header("last-event-id"), Some("1"));
}

#[test]
fn messages_of_a_resumed_stream_come_once_and_server_requests_work_on_it() {
    let mcp = Legacy::new();
    streams(&mcp, "retry: 10\nid: 1\ndata:\n\n", Feed::end);
    on_resume(&mcp, |_| {
        let ask = rpc::request("\"s\"", "roots/list", "{}");
        events(format!(
            "id: 2\ndata: {ask}\n\nid: 3\ndata: {}\n\n",
            rpc::result("1", "{}")
        ))
    });
    let tether = Tether::to(&mcp);
    tether.initialize();
    tether.call("1", "any", "{}");
    tether.request("roots/list");
    tether.send(&rpc::result("\"s\"", r#"{"roots":[]}"#));
    assert!(tether.unread().is_empty());
}

#[test]
fn a_refused_resume_is_one_error_at_once() {
    for status in [405, 404, 400] {
        let mcp = Legacy::new();
        streams(&mcp, "retry: 10\nid: 1\ndata:\n\n", Feed::cut);
        on_resume(&mcp, move |_| Response::status(status));
        let tether = Tether::to(&mcp);
        tether.initialize();
        let error = tether.call("1", "any", "{}").error();
        assert_eq!(error["code"], -31006, "{status}: {error}");
        assert_eq!(error["data"]["kind"], "protocol");
        assert_eq!(resumes(&mcp).len(), 1, "{status}");
        assert_eq!(mcp.calls("tools/call").len(), 1, "never done twice");
        assert_eq!(mcp.calls("initialize").len(), 1, "the session stands");
        tether.call("2", "any", "{}");
    }
}

#[test]
fn five_resumes_that_bring_nothing_are_enough() {
    let replies: [fn(&str) -> Response; 2] = [
        |_| Response::status(503),
        |_| Response::event_bytes(": nothing new\n\n"),
    ];
    for reply in replies {
        let mcp = Legacy::new();
        streams(&mcp, "retry: 10\nid: 1\ndata:\n\n", Feed::end);
        on_resume(&mcp, reply);
        let tether = Tether::to(&mcp);
        tether.initialize();
        assert_eq!(tether.call("1", "any", "{}").code(), -31006);
        let resumes = resumes(&mcp);
        assert_eq!(resumes.len(), 5);
        // 10 ms, then doubled with each that brought nothing.
        assert!(resumes[4].at - resumes[0].at >= Duration::from_millis(20 + 40 + 80 + 160));
        assert_eq!(mcp.calls("tools/call").len(), 1);
    }
}

#[test]
fn a_resume_may_fail_a_few_times_before_it_succeeds() {
    let mcp = Legacy::new();
    streams(&mcp, "retry: 10\nid: 1\ndata:\n\n", Feed::end);
    let tries = std::sync::atomic::AtomicUsize::new(0);
    on_resume(&mcp, move |_| {
        match tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => Response::status(503),
            1 => Response::reset(),
            2 => Response::status(429),
            _ => events(format!("data: {}\n\n", rpc::result("1", "{}"))),
        }
    });
    let tether = Tether::to(&mcp);
    tether.initialize();
    assert_eq!(tether.call("1", "any", "{}").text, rpc::result("1", "{}"));
}

#[test]
fn a_call_whose_stream_ends_without_ids_is_an_error_at_once_and_never_repeated() {
    for ending in [Feed::end, Feed::cut, Feed::reset] {
        let mcp = Legacy::new();
        streams(
            &mcp,
            "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}\n\n",
            ending,
        );
        let tether = Tether::to(&mcp);
        tether.initialize();
        let error = tether.call("1", "any", "{}").error();
        assert_eq!(error["code"], -31006, "{error}");
        tether.notification("notifications/x");
        tether.ask("2", "ping", "{}");
        assert_eq!(mcp.calls("tools/call").len(), 1);
        assert!(resumes(&mcp).is_empty());
    }
}

#[test]
fn a_read_whose_stream_ends_without_ids_is_repeated() {
    for method in [
        "tools/list",
        "resources/list",
        "prompts/list",
        "logging/setLevel",
    ] {
        let mcp = Legacy::new();
        mcp.times(1, method, |_| async {
            let (response, feed) = Response::events();
            feed.cut();
            response
        });
        mcp.times(1, method, |_| async { Response::reset() });
        let tether = Tether::to(&mcp);
        tether.initialize();
        assert!(tether.ask("1", method, "{}").error.is_none(), "{method}");
        assert_eq!(mcp.calls(method).len(), 3);
    }
}

#[test]
fn a_read_is_sent_three_times_at_most() {
    let mcp = Legacy::new();
    mcp.on("tools/list", |_| async { Response::reset() });
    let tether = Tether::to(&mcp);
    tether.initialize();
    assert_eq!(tether.ask("1", "tools/list", "{}").code(), -31006);
    assert_eq!(mcp.calls("tools/list").len(), 3);
}

#[test]
fn a_break_after_the_answer_is_no_loss() {
    let mcp = Legacy::new();
    mcp.on("tools/call", |call| async move {
        let (response, feed) = Response::events();
        feed.event_with_id("1", &call.result("{}"));
        feed.reset();
        response
    });
    let tether = Tether::to(&mcp);
    tether.initialize();
    assert_eq!(tether.call("1", "any", "{}").text, rpc::result("1", "{}"));
    assert_eq!(tether.call("2", "any", "{}").text, rpc::result("2", "{}"));
    assert!(resumes(&mcp).is_empty());
}
