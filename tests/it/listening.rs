//! The listening stream: opened after `initialized`, opened again for as long as the session lasts
//! (2025-11-25 transports §Listening for Messages from the Server, §Resumability and Redelivery).

use std::time::{Duration, Instant};

use crate::support::gate::Gate;
use crate::support::http::{Feed, Request, Response};
use crate::support::mcp::{Legacy, LegacyPlan};
use crate::support::rpc;
use crate::support::tether::Tether;

const NOTE: &str = r#"{"jsonrpc":"2.0","method":"notifications/x","params":{}}"#;

fn index(log: &[Request], wanted: impl Fn(&Request) -> bool) -> usize {
    log.iter().position(wanted).expect("it was sent")
}

#[test]
fn the_stream_is_opened_once_initialized_was_accepted() {
    let mcp = LegacyPlan::default().listens().serve();
    let tether = Tether::to(&mcp);
    tether.initialize();
    mcp.listening(1).event(NOTE);
    assert_eq!(tether.notification("notifications/x").text, NOTE);
    let log = mcp.server.requests();
    let initialized = |r: &Request| r.rpc_method().as_deref() == Some("notifications/initialized");
    assert!(index(&log, initialized) < index(&log, |r| r.method == "GET"));
}

#[test]
fn a_405_means_that_there_is_none() {
    let mcp = Legacy::new();
    let tether = Tether::to(&mcp);
    tether.initialize();
    mcp.wait_calls("GET", 1);
    for id in ["1", "2", "3"] {
        tether.ask(id, "ping", "{}");
    }
    assert_eq!(tether.finish(), 0);
    assert_eq!(mcp.calls("GET").len(), 1);
}

#[test]
fn other_refusals_are_tried_again_and_do_not_touch_the_calls() {
    for status in [503, 400, 500] {
        let mcp = LegacyPlan::default().listens().serve();
        mcp.times(1, "GET", move |_| async move { Response::status(status) });
        let tether = Tether::to(&mcp);
        tether.initialize();
        mcp.wait_calls("GET", 1);
        tether.call("1", "echo", "{}");
        mcp.listening(1).event(NOTE);
        tether.notification("notifications/x");
        assert_eq!(mcp.calls("initialize").len(), 1, "{status}");
    }
}

#[test]
fn a_404_to_the_first_stream_is_a_lost_session() {
    let mcp = LegacyPlan::default().listens().serve();
    let (arrived, restarted) = (Gate::new(), Gate::new());
    let gates = (arrived.clone(), restarted.clone());
    mcp.times(1, "notifications/initialized", move |_| {
        let (arrived, restarted) = gates.clone();
        async move {
            arrived.open();
            restarted.opened().await;
            Response::accepted()
        }
    });
    let tether = Tether::to(&mcp);
    tether.initialize();
    arrived.wait("the end of the handshake");
    mcp.forget_sessions();
    restarted.open();
    mcp.listening(1).event(NOTE);
    tether.notification("notifications/x");
    let gets = mcp.calls("GET");
    assert_eq!(gets[0].header("mcp-session-id"), Some("session-1"));
    assert_eq!(gets[1].header("mcp-session-id"), Some("session-2"));
    assert_eq!(mcp.calls("initialize").len(), 2);
    assert_eq!(mcp.calls("notifications/initialized").len(), 2);
}

#[test]
fn a_404_to_the_stream_of_a_session_that_stands_means_that_there_is_none() {
    let mcp = Legacy::new();
    mcp.on("GET", |_| async { Response::status(404) });
    let tether = Tether::to(&mcp);
    tether.initialize();
    mcp.wait_calls("ping", 1);
    // Longer than the first wait before another try.
    tether.call("1", "slow", r#"{"ms":1500}"#).result();
    assert_eq!(mcp.calls("GET").len(), 1);
    assert_eq!(mcp.calls("ping").len(), 1);
    assert_eq!(mcp.calls("initialize").len(), 1);
}

#[test]
fn a_server_that_finds_neither_stream_nor_ping_gets_one_more_session() {
    let mcp = Legacy::new();
    for method in ["GET", "ping"] {
        mcp.on(method, |_| async { Response::status(404) });
    }
    let tether = Tether::to(&mcp);
    tether.initialize();
    mcp.wait_calls("GET", 2);
    // Longer than the first wait before another try.
    tether.call("1", "slow", r#"{"ms":1500}"#).result();
    assert_eq!(mcp.calls("GET").len(), 2);
    assert_eq!(mcp.calls("initialize").len(), 2);
    // Nor does another new session have one.
    mcp.forget_sessions();
    tether.call("2", "slow", r#"{"ms":500}"#).result();
    assert_eq!(mcp.calls("GET").len(), 3);
    assert_eq!(mcp.calls("initialize").len(), 3);
}

#[test]
fn a_404_without_a_session_means_that_there_is_none() {
    let mcp = LegacyPlan::default().stateless().serve();
    mcp.on("GET", |_| async { Response::status(404) });
    let tether = Tether::to(&mcp);
    tether.initialize();
    mcp.wait_calls("GET", 1);
    // Longer than the first wait before another try.
    tether.call("1", "slow", r#"{"ms":1500}"#).result();
    assert_eq!(mcp.calls("GET").len(), 1);
    assert_eq!(mcp.calls("initialize").len(), 1);
}

#[test]
fn a_stream_that_ends_is_opened_again_after_the_last_event() {
    for ending in [Feed::end, Feed::cut, Feed::reset] {
        let mcp = LegacyPlan::default().listens().serve();
        let tether = Tether::to(&mcp);
        tether.initialize();
        let first = mcp.listening(1);
        first.event_with_id("a-1", NOTE);
        tether.notification("notifications/x");
        first.send("id: a-2\ndata:\n\n");
        ending(&first);
        mcp.listening(2).event(NOTE);
        tether.notification("notifications/x");
        let gets = mcp.calls("GET");
        assert_eq!(gets[0].header("last-event-id"), None);
        assert_eq!(gets[1].header("last-event-id"), Some("a-2"));
    }
}

#[test]
fn the_wait_that_the_server_names_is_kept_exactly() {
    let mcp = LegacyPlan::default().listens().serve();
    let tether = Tether::to(&mcp);
    tether.initialize();
    let retry = Duration::from_millis(500);
    let first = mcp.listening(1);
    first.send("retry: 500\nid: 1\ndata:\n\n");
    let ended = Instant::now();
    first.end();
    mcp.listening(2);
    let waited = mcp.calls("GET")[1].at - ended;
    assert!(waited >= retry && waited <= 2 * retry, "{waited:?}");
    drop(tether);
}

#[test]
fn a_server_that_is_down_is_not_stormed_however_short_its_retry() {
    let mcp = LegacyPlan::default().listens().serve();
    mcp.times(1, "GET", |_| async {
        let (response, feed) = Response::events();
        feed.send("retry: 10\nid: 1\ndata:\n\n");
        response
    });
    mcp.times(6, "GET", |_| async { Response::status(503) });
    let tether = Tether::to(&mcp);
    tether.initialize();
    mcp.listening(1);
    let gets = mcp.calls("GET");
    // 20, 40, .. 640 ms: doubled each time.
    let took = gets[7].at - gets[1].at;
    assert!(took >= Duration::from_millis(1260), "{took:?}");
    drop(tether);
}

#[test]
fn the_stream_survives_a_restart_of_the_server() {
    let mcp = LegacyPlan::default().listens().serve();
    let tether = Tether::to(&mcp);
    tether.initialize();
    mcp.listening(1).send("retry: 50\n\n");
    mcp.server.stop();
    mcp.server.start();
    mcp.listening(2).event(NOTE);
    tether.notification("notifications/x");
    assert_eq!(mcp.calls("initialize").len(), 1);
}

#[test]
fn a_new_session_gets_a_stream_of_its_own() {
    let mcp = LegacyPlan::default().listens().serve();
    let tether = Tether::to(&mcp);
    tether.initialize();
    let first = mcp.listening(1);
    first.event_with_id("old-1", NOTE);
    tether.notification("notifications/x");
    mcp.forget_sessions();
    tether.call("1", "echo", "{}");
    mcp.listening(2).event(NOTE);
    tether.notification("notifications/x");
    first.gone().wait("the old stream to be closed");
    let get = &mcp.calls("GET")[1];
    assert_eq!(get.header("mcp-session-id"), Some("session-2"));
    assert_eq!(get.header("last-event-id"), None, "ids belong to a session");
}

#[test]
fn nothing_but_messages_of_the_stream_reaches_the_client() {
    let mcp = LegacyPlan::default().listens().serve();
    let tether = Tether::to(&mcp);
    tether.initialize();
    let listening = mcp.listening(1);
    for noise in [
        ": comment\n\n",
        "event: ping\ndata: {}\n\n",
        "data: ping\n\n",
        "data:\n\n",
        "data: {\"broken\":\n\n",
        "data: {\"jsonrpc\":\"2.0\",\"error\":{\"code\":1,\"message\":\"x\"},\"id\":null}\n\n",
        "event: message\r\ndata: {\"jsonrpc\":\"2.0\",\r\ndata: \"method\":\"notifications/y\"}\r\n\r\n",
    ] {
        listening.send(noise);
    }
    let note = tether.recv();
    assert_eq!(note.method.as_deref(), Some("notifications/y"));
    tether.send(&rpc::request("1", "ping", "{}"));
    assert!(tether.recv().is_answer());
}
