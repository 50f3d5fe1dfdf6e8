//! WebSocket when its connection is lost: each call in flight is answered once, and the session comes back without the
//! client's doing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::support::gate::Gate;
use crate::support::http::Request;
use crate::support::mcp::WebSocket;
use crate::support::rpc;
use crate::support::server::Peer;
use crate::support::tether::Tether;

fn ready(server: &WebSocket) -> Tether {
    let tether = Tether::to(server);
    tether.initialize();
    server.wait_calls("notifications/initialized", 1);
    tether
}

fn going_away() -> Frame {
    Frame::Close(Some(CloseFrame {
        code: 1001.into(),
        reason: "restarting".into(),
    }))
}

#[test]
fn a_lost_connection_answers_each_call_and_repeats_reads() {
    for closes in [false, true] {
        let server = WebSocket::new();
        let tether = ready(&server);
        // The connection goes only when all four were taken.
        let (taken, all) = (Arc::new(AtomicUsize::new(0)), Gate::new());
        for method in ["tools/call", "tools/list"] {
            let (taken, all) = (Arc::clone(&taken), all.clone());
            server.times(3, method, move |call| {
                let count = taken.fetch_add(1, Ordering::SeqCst) + 1;
                if count == 4 {
                    all.open();
                }
                let text = (count > 4).then(|| call.result(r#"{"tools":[]}"#));
                async { text }
            });
        }
        for id in ["1", "2", "3"] {
            tether.send(&rpc::call(id, "echo", "{}"));
        }
        tether.send(&rpc::request("4", "tools/list", "{}"));
        all.wait("four requests");
        if closes {
            server.line(1).frame(going_away());
        } else {
            server.line(1).cut();
        }
        for id in ["1", "2", "3"] {
            let error = tether.answer(id);
            assert_eq!(error.code(), -31006, "{}", error.text);
            assert_eq!(error.text.contains("1001: restarting"), closes);
        }
        assert!(tether.answer("4").result()["tools"].is_array());
        assert_eq!(
            server.calls("tools/call").len(),
            3,
            "no call was sent twice"
        );
        assert_eq!(server.calls("tools/list").len(), 2);
        assert_eq!(tether.finish(), 0);
    }
}

#[test]
fn a_close_is_answered() {
    let server = WebSocket::new();
    let tether = ready(&server);
    server.line(1).frame(going_away());
    server.wait_control(
        "the answer to the close",
        |frame| matches!(frame, Frame::Close(Some(why)) if why.code == 1001.into()),
    );
    server.line(2);
    tether.call("1", "echo", "{}").result();
    assert_eq!(tether.finish(), 0);
}

#[test]
fn a_new_connection_gets_the_handshake_and_what_the_client_had_set_up() {
    let server = WebSocket::new();
    let tether = ready(&server);
    for level in ["debug", "warning"] {
        let params = format!(r#"{{"level":"{level}"}}"#);
        tether.ask("1", "logging/setLevel", &params).result();
    }
    tether
        .ask("2", "resources/subscribe", r#"{"uri":"b:2"}"#)
        .result();
    let before = server.log().with(<[Request]>::len);
    server.line(1).cut();
    server.line(2);
    server.wait_calls("resources/subscribe", 2);
    tether.ask("3", "ping", "{}").result();
    let after = server.log().all().split_off(before);
    let said: Vec<String> = after.iter().filter_map(Request::rpc_method).collect();
    assert_eq!(
        said,
        [
            "initialize",
            "notifications/initialized",
            "logging/setLevel",
            "resources/subscribe",
            "ping"
        ]
    );
    assert!(after[3].text().contains("warning"), "{}", after[3]);
    let again = server.calls("initialize")[1].rpc().unwrap();
    assert!(again.id.unwrap().starts_with("\"mcp-tether:"));
    assert!(tether.unread().is_empty(), "the client does not notice");
    assert_eq!(tether.stderr(), "");
    assert_eq!(tether.finish(), 0);
}

#[test]
fn a_request_waits_for_the_new_connection() {
    let server = WebSocket::new();
    let tether = ready(&server);
    server.refuse(503, &[]);
    server.refuse(503, &[]);
    server.line(1).cut();
    server.log().wait("a second upgrade", |log| {
        let upgrades = log.iter().filter(|request| request.method == "GET");
        (upgrades.count() >= 2).then_some(())
    });
    tether.call("1", "echo", r#"{"text":"x"}"#).result();
    let last = server.calls("tools/call").pop().unwrap();
    assert_eq!(last.connection, 4);
    assert_eq!(server.calls("tools/call").len(), 1);
    assert_eq!(tether.finish(), 0);
}

#[test]
fn a_refused_reconnect_is_not_the_end() {
    let server = WebSocket::new();
    let tether = ready(&server);
    // More refusals than one renewal tries.
    for _ in 0..5 {
        server.refuse(503, &[]);
    }
    server.line(1).cut();
    server.line(2);
    server.wait_calls("notifications/initialized", 2);
    tether.ask("1", "ping", "{}").result();
    assert_eq!(server.upgrades().len(), 7);
    assert_eq!(tether.finish(), 0);
}

#[test]
fn connections_that_end_at_once_are_reopened_with_growing_waits() {
    let server = WebSocket::new();
    server.on("notifications/initialized", |_| async { None });
    let tether = ready(&server);
    for nth in 1..=3 {
        server.wait_calls("notifications/initialized", nth);
        server.line(nth).cut();
    }
    server.line(4);
    let at: Vec<_> = server.upgrades().iter().map(|get| get.at).collect();
    for pair in at[1..].windows(2) {
        let gap = pair[1] - pair[0];
        assert!(gap > Duration::from_millis(150), "{gap:?}");
    }
    assert_eq!(tether.finish(), 0);
}

#[test]
fn requests_that_meet_a_dropped_connection_each_get_one_answer() {
    let server = WebSocket::new();
    let tether = ready(&server);
    server.line(1).cut();
    for id in 1..=20 {
        // Wherever the loss is noticed, each gets one answer.
        tether.send(&rpc::request(&id.to_string(), "tools/list", "{}"));
    }
    for id in 1..=20 {
        tether.answer(&id.to_string()).result();
    }
    assert_eq!(server.calls("initialize").len(), 2);
    assert_eq!(tether.finish(), 0);
}
