//! `--keep-alive` and `--ping-interval`: pings of our own while there is a session.

use std::time::Duration;

use crate::support::launch::Launch;
use crate::support::mcp::{Legacy, Sse};
use crate::support::server::Peer;
use crate::support::tether::Tether;

fn pinging(peer: &impl Peer) -> Tether {
    Launch::to(peer).args(["--ping-interval", "0.1"]).start()
}

#[test]
fn pings_begin_with_the_session_and_stay_out_of_the_clients_way() {
    let mcp = Legacy::new();
    let tether = pinging(&mcp);
    tether.initialize();
    let pings = mcp.wait_calls("ping", 3);
    for pair in pings.windows(2) {
        let gap = pair[1].at - pair[0].at;
        assert!(gap > Duration::from_millis(80), "{gap:?}");
    }
    for ping in &pings {
        let id = ping.rpc().unwrap().id.unwrap();
        assert!(id.starts_with("\"mcp-tether:"), "{id}");
        assert_eq!(ping.header("mcp-session-id"), Some("session-1"));
    }
    let first = mcp.server.requests()[0].rpc_method();
    assert_eq!(first.as_deref(), Some("initialize"));
    assert!(tether.unread().is_empty());
    assert_eq!(tether.stderr(), "");
    assert_eq!(tether.finish(), 0);
}

#[test]
fn a_ping_that_fails_is_no_news_to_the_client() {
    let mcp = Legacy::new();
    mcp.times(2, "ping", |call| async move {
        call.refuse(-32601, "no ping here")
    });
    let tether = pinging(&mcp);
    tether.initialize();
    mcp.wait_calls("ping", 3);
    assert!(tether.unread().is_empty());
    assert_eq!(tether.stderr(), "");
    assert_eq!(tether.finish(), 0);
}

#[test]
fn a_ping_finds_out_that_the_session_is_lost() {
    let mcp = Legacy::new();
    let tether = pinging(&mcp);
    tether.initialize();
    mcp.wait_calls("notifications/initialized", 1);
    mcp.forget_sessions();
    mcp.wait_calls("initialize", 2);
    assert_eq!(tether.finish(), 0);
}

#[test]
fn pings_go_over_http_sse_too() {
    let sse = Sse::new();
    let tether = pinging(&sse);
    tether.initialize();
    sse.wait_calls("ping", 2);
    assert!(tether.unread().is_empty());
    assert_eq!(tether.finish(), 0);
}

#[test]
fn a_ping_that_stays_unanswered_fails_no_request() {
    let sse = Sse::new();
    sse.times(1, "ping", |_| async { None });
    let tether = Launch::to(&sse)
        .args(["--ping-interval", "0.1", "--request-timeout", "1"])
        .start();
    tether.initialize();
    sse.wait_calls("ping", 1);
    for id in ["1", "2"] {
        tether.call(id, "slow", r#"{"ms":700}"#).result();
    }
    assert_eq!(sse.calls("notifications/initialized").len(), 1);
    assert_eq!(tether.finish(), 0);
}

#[test]
fn nothing_is_pinged_unless_asked_for() {
    let mcp = Legacy::new();
    let tether = Launch::to(&mcp).arg("--keep-alive").start();
    tether.initialize();
    tether.call("1", "slow", r#"{"ms":300}"#).result();
    // The default interval is half a minute.
    assert!(mcp.calls("ping").is_empty());
    assert_eq!(tether.finish(), 0);
}
