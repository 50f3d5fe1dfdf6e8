//! HTTP+SSE when its stream is lost: each call in flight is answered, and the session comes back
//! without the client's doing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::gate::{Gate, lock};
use crate::support::http::{Request, Response};
use crate::support::launch::Launch;
use crate::support::mcp::{LATEST, Sse, initialize_result};
use crate::support::rpc;
use crate::support::server::{Peer, Server};
use crate::support::tether::Tether;

fn ready(sse: &Sse) -> Tether {
    let tether = Launch::to(sse).args(["--transport", "sse-only"]).start();
    tether.initialize();
    sse.wait_calls("notifications/initialized", 1);
    tether
}

fn gets(sse: &Sse) -> Vec<Request> {
    let mut all = sse.server.requests();
    all.retain(|request| request.method == "GET");
    all
}

#[test]
fn a_lost_stream_answers_each_call_and_repeats_reads() {
    for reset in [false, true] {
        let sse = Sse::new();
        let tether = ready(&sse);
        // The stream goes only when all four were taken, or the late ones would meet a 404.
        let (taken, all) = (Arc::new(AtomicUsize::new(0)), Gate::new());
        for method in ["tools/call", "tools/list"] {
            let (taken, all) = (Arc::clone(&taken), all.clone());
            sse.times(3, method, move |call| {
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
        if reset {
            sse.stream(1).reset();
        } else {
            sse.stream(1).end();
        }
        for id in ["1", "2", "3"] {
            let error = tether.answer(id);
            assert_eq!(error.code(), -31006, "{}", error.text);
            assert_eq!(error.error()["data"]["kind"], "protocol");
        }
        assert!(tether.answer("4").result()["tools"].is_array());
        assert_eq!(sse.calls("tools/call").len(), 3, "no call was sent twice");
        assert_eq!(tether.finish(), 0);
    }
}

#[test]
fn a_new_stream_gets_the_handshake_and_what_the_client_had_set_up() {
    let sse = Sse::new();
    let tether = ready(&sse);
    for level in ["debug", "warning"] {
        let params = format!(r#"{{"level":"{level}"}}"#);
        tether.ask("1", "logging/setLevel", &params).result();
    }
    for (method, uri) in [
        ("resources/subscribe", "a:1"),
        ("resources/subscribe", "b:2"),
        ("resources/unsubscribe", "a:1"),
    ] {
        let params = format!(r#"{{"uri":"{uri}"}}"#);
        tether.ask("2", method, &params).result();
    }
    let before = sse.server.requests().len();
    sse.stream(1).cut();
    sse.stream(2);
    sse.wait_calls("resources/subscribe", 3);
    tether.ask("3", "ping", "{}").result();
    let after: Vec<_> = sse.server.requests().split_off(before);
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
    assert!(after[4].text().contains("b:2"), "{}", after[4]);
    let first = sse.calls("initialize")[0].rpc().unwrap();
    let again = sse.calls("initialize")[1].rpc().unwrap();
    assert_eq!(first.params, again.params);
    assert!(again.id.unwrap().starts_with("\"mcp-tether:"));
    assert!(tether.unread().is_empty(), "the client does not notice");
    assert_eq!(tether.stderr(), "");
    assert_eq!(tether.finish(), 0);
}

fn hello(id: &str) -> String {
    let params =
        format!(r#"{{"protocolVersion":"{LATEST}","capabilities":{{}},"clientInfo":{{}}}}"#);
    rpc::request(id, "initialize", &params)
}

#[test]
fn a_hello_and_a_renewal_share_the_stream_that_is_being_opened() {
    let sse = Sse::new();
    let tether = ready(&sse);
    sse.no_endpoint();
    sse.stream(1).cut();
    let stream = sse.stream(2);
    tether.send(&hello("1"));
    // It is answered here once the client's handshake is under way.
    tether.ask("2", "ping", "{}").result();
    stream.send("event: endpoint\ndata: /messages?sessionId=2\n\n");
    tether.answer("1").result();
    tether.call("3", "echo", "{}").result();
    assert_eq!(gets(&sse).len(), 2);
    assert_eq!(tether.finish(), 0);
}

#[test]
fn a_session_that_the_client_has_begun_is_not_renewed() {
    let sse = Sse::new();
    let tether = ready(&sse);
    sse.on("initialize", |call| async move {
        Some(if call.id().starts_with("\"mcp-tether:") {
            call.error(-32603, "only for the client")
        } else {
            call.result(&initialize_result(LATEST))
        })
    });
    sse.stream(1).cut();
    sse.wait_calls("initialize", 2);
    // It may meet one more renewal, which takes its stream away.
    let mut tries = (1..9).map(|id| {
        tether.send(&hello(&id.to_string()));
        tether.answer(&id.to_string())
    });
    assert!(tries.any(|answer| answer.error.is_none()));
    let streams = gets(&sse).len();
    // Longer than the bridge waits before it renews a stream by itself.
    tether.call("10", "slow", r#"{"ms":800}"#).result();
    assert_eq!(gets(&sse).len(), streams);
    assert_eq!(tether.finish(), 0);
}

#[test]
fn a_refused_reconnect_is_not_the_end() {
    let sse = Sse::new();
    let tether = ready(&sse);
    // More refusals than one renewal tries.
    sse.refuse_streams(5);
    sse.stream(1).cut();
    sse.stream(2);
    sse.wait_calls("notifications/initialized", 2);
    tether.ask("1", "ping", "{}").result();
    assert_eq!(gets(&sse).len(), 7);
    assert_eq!(tether.finish(), 0);
}

#[test]
fn a_server_that_talks_first_does_not_hold_up_the_new_session() {
    let sse = Sse::new();
    let tether = ready(&sse);
    sse.times(1, "initialize", |call| async move {
        let feed = call.feed.as_ref().unwrap();
        for _ in 0..200 {
            feed.event(r#"{"jsonrpc":"2.0","method":"notifications/x"}"#);
        }
        Some(call.result(&initialize_result("2024-11-05")))
    });
    let started = Instant::now();
    sse.stream(1).cut();
    sse.wait_calls("notifications/initialized", 2);
    tether.call("1", "echo", r#"{"text":"x"}"#).result();
    assert!(started.elapsed() < Duration::from_secs(8));
    assert_eq!(sse.calls("initialize").len(), 2);
    assert_eq!(tether.finish(), 0);
}

#[test]
fn a_request_waits_for_the_new_stream() {
    let sse = Sse::new();
    let tether = ready(&sse);
    sse.refuse_streams(2);
    sse.stream(1).cut();
    // It has noticed once it asks for the next one.
    sse.log().wait("a second GET", |requests| {
        let gets = requests.iter().filter(|request| request.method == "GET");
        (gets.count() >= 2).then_some(())
    });
    tether.call("1", "echo", r#"{"text":"x"}"#).result();
    let last = sse.calls("tools/call").pop().unwrap();
    assert_eq!(last.query.as_deref(), Some("sessionId=2"));
    assert_eq!(tether.finish(), 0);
}

#[test]
fn a_server_that_was_killed_is_found_again() {
    let sse = Sse::new();
    let tether = ready(&sse);
    sse.server.stop();
    sse.server.start();
    sse.stream(2);
    sse.wait_calls("notifications/initialized", 2);
    tether.ask("1", "ping", "{}").result();
    assert_eq!(tether.finish(), 0);
}

#[test]
fn a_post_answered_404_is_a_lost_session() {
    let sse = Sse::new();
    let tether = ready(&sse);
    // The scripted server knows no session of that number.
    sse.stream(1)
        .send("event: endpoint\ndata: /messages?sessionId=99\n\n");
    sse.stream(1)
        .event(&rpc::notification("notifications/moved", "{}"));
    tether.notification("notifications/moved");
    tether.call("1", "echo", r#"{"text":"x"}"#).result();
    let calls = sse.calls("tools/call");
    let sessions: Vec<_> = calls.iter().map(|call| call.query.as_deref()).collect();
    assert_eq!(sessions, [Some("sessionId=99"), Some("sessionId=2")]);
    assert_eq!(sse.calls("initialize").len(), 2);
    assert_eq!(tether.finish(), 0);
}

#[test]
fn streams_that_end_at_once_are_reopened_with_growing_waits() {
    let sse = Sse::new();
    sse.on("notifications/initialized", |call| async move {
        call.feed.unwrap().end();
        None
    });
    let tether = Launch::to(&sse).args(["--transport", "sse-only"]).start();
    tether.initialize();
    sse.stream(4);
    let at: Vec<_> = gets(&sse).iter().map(|get| get.at).collect();
    for pair in at[1..].windows(2) {
        let gap = pair[1] - pair[0];
        assert!(gap > Duration::from_millis(150), "{gap:?}");
    }
    assert_eq!(tether.finish(), 0);
}

#[test]
fn a_notification_that_hangs_does_not_keep_a_lost_stream() {
    let streams = Arc::new(Mutex::new(Vec::new()));
    let open = Arc::clone(&streams);
    let server = Server::new(move |request| {
        let open = Arc::clone(&open);
        async move {
            if request.method == "GET" {
                let (response, feed) = Response::events();
                feed.send("event: endpoint\ndata: /messages\n\n");
                lock(&open).push(feed);
                return response;
            }
            let asked = request.rpc().expect("a message");
            if asked.method.as_deref() == Some("notifications/hangs") {
                return Response::stall();
            }
            if let (Some(id), Some(feed)) = (asked.id, lock(&open).last()) {
                feed.event(&rpc::result(&id, &initialize_result("2024-11-05")));
            }
            Response::accepted()
        }
    });
    let tether = Launch::to(&server)
        .args(["--transport", "sse-only"])
        .start();
    tether.initialize();
    tether.send(&rpc::notification("notifications/hangs", "{}"));
    let hangs = |log: &[Request]| {
        let mut methods = log.iter().filter_map(Request::rpc_method);
        methods.any(|method| method == "notifications/hangs")
    };
    let log = server.log();
    log.wait("the notification", |log| hangs(log).then_some(()));
    lock(&streams)[0].end();
    log.wait("another stream", |log| {
        let gets = log.iter().filter(|request| request.method == "GET");
        (gets.count() >= 2).then_some(())
    });
}
