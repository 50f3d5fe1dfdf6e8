//! Many requests at once, cancelled ones, ids that look alike, and the barriers of the handshake.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::gate::Gate;
use crate::support::http::Response;
use crate::support::mcp::{LATEST, Legacy, LegacyPlan, Sse, initialize_result};
use crate::support::rpc;
use crate::support::tether::Tether;

/// Holds the next `times` messages of a method until the gate opens, then answers with `result`.
fn held(mcp: &Legacy, times: usize, method: &str, result: &str) -> Gate {
    let (gate, result): (Gate, Arc<str>) = (Gate::new(), result.into());
    let opened = gate.clone();
    mcp.times(times, method, move |call| {
        let (gate, result) = (opened.clone(), Arc::clone(&result));
        async move {
            gate.opened().await;
            call.reply(&result)
        }
    });
    gate
}

fn cancel(id: &str) -> String {
    rpc::notification(
        "notifications/cancelled",
        &format!(r#"{{"requestId":{id}}}"#),
    )
}

fn hello(id: &str) -> String {
    let params =
        format!(r#"{{"protocolVersion":"{LATEST}","capabilities":{{}},"clientInfo":{{}}}}"#);
    rpc::request(id, "initialize", &params)
}

#[test]
fn a_slow_call_holds_up_nobody() {
    let mcp = Legacy::new();
    let gate = held(&mcp, 1, "tools/call", "{}");
    let tether = Tether::to(&mcp);
    tether.initialize();
    tether.send(&rpc::call("1", "any", "{}"));
    mcp.wait_calls("tools/call", 1);
    for id in 2..50 {
        tether.call(&id.to_string(), "echo", "{}");
    }
    assert_eq!(tether.waiting(), ["1"]);
    gate.open();
    assert!(tether.answer("1").error.is_none());
}

#[test]
fn ids_that_look_alike_are_different_ids() {
    let mcp = Legacy::new();
    let arrived = Arc::new(AtomicUsize::new(0));
    let all = Gate::new();
    let opened = all.clone();
    let ids = [
        "7",
        "\"7\"",
        "\"07\"",
        "7.5",
        "12345678901234567890",
        "12345678901234567891",
    ];
    mcp.on("tools/call", move |call| {
        if arrived.fetch_add(1, Ordering::SeqCst) + 1 == ids.len() {
            opened.open();
        }
        let all = opened.clone();
        async move {
            all.opened().await;
            call.reply(&format!(r#"{{"id":{}}}"#, call.id()))
        }
    });
    let tether = Tether::to(&mcp);
    tether.initialize();
    for id in ids {
        tether.send(&rpc::call(id, "any", "{}"));
    }
    all.wait("all calls at once");
    for id in ids {
        assert_eq!(
            tether.answer(id).text,
            rpc::result(id, &format!(r#"{{"id":{id}}}"#))
        );
    }
}

#[test]
fn a_request_whose_id_is_in_flight_is_ignored_and_the_first_one_is_unharmed() {
    let mcp = Legacy::new();
    let gate = held(&mcp, 1, "tools/call", r#"{"which":"first"}"#);
    let tether = Tether::to(&mcp);
    tether.initialize();
    tether.send(&rpc::call("1", "any", "{}"));
    mcp.wait_calls("tools/call", 1);
    tether.send_raw(format!("{}\n", rpc::call("1", "echo", "{}")));
    tether.wait_stderr("in flight already");
    gate.open();
    assert_eq!(tether.answer("1").result()["which"], "first");
    assert_eq!(mcp.calls("tools/call").len(), 1);
    assert!(tether.call("1", "echo", "{}").error.is_none(), "free again");
}

#[test]
fn two_hundred_requests_are_in_flight_at_once() {
    const CALLS: usize = 200;
    let mcp = Legacy::new();
    let gate = held(&mcp, CALLS, "tools/call", "{}");
    let tether = Tether::to(&mcp);
    tether.initialize();
    for id in 1..=CALLS {
        tether.send(&rpc::call(&id.to_string(), "any", "{}"));
    }
    mcp.wait_calls("tools/call", CALLS);
    gate.open();
    for id in 1..=CALLS {
        assert!(tether.answer(&id.to_string()).error.is_none());
    }
}

#[test]
#[cfg(unix)]
fn a_low_limit_of_file_handles_is_raised() {
    use crate::support::launch::Launch;
    use crate::support::server::Peer;

    const CALLS: usize = 200;
    let mcp = Legacy::new();
    let gate = held(&mcp, CALLS, "tools/call", "{}");
    let script = "ulimit -Sn 100; exec \"$0\" \"$1\"";
    let program = env!("CARGO_BIN_EXE_mcp-tether");
    let tether = Launch::program("sh")
        .args(["-c", script, program, mcp.url().as_str()])
        .watch(&mcp)
        .start();
    tether.initialize();
    for id in 1..=CALLS {
        tether.send(&rpc::call(&id.to_string(), "any", "{}"));
    }
    mcp.wait_calls("tools/call", CALLS);
    gate.open();
    for id in 1..=CALLS {
        assert!(tether.answer(&id.to_string()).error.is_none());
    }
}

#[test]
fn a_thousand_requests_are_in_flight_at_once() {
    // Over HTTP+SSE, where a request that waits holds no connection: file handles are scarce.
    let sse = Sse::new();
    let gate = Gate::new();
    let opened = gate.clone();
    sse.on("tools/call", move |call| {
        let gate = opened.clone();
        async move {
            gate.opened().await;
            Some(call.result("{}"))
        }
    });
    let tether = Tether::to(&sse);
    tether.initialize_as("2024-11-05", "{}");
    for id in 1..=1000 {
        tether.send(&rpc::call(&id.to_string(), "any", "{}"));
    }
    sse.wait_calls("tools/call", 1000);
    gate.open();
    for id in 1..=1000 {
        assert!(tether.answer(&id.to_string()).error.is_none());
    }
}

#[test]
fn past_4096_requests_in_flight_the_bridge_is_busy() {
    let mcp = LegacyPlan::default().stateless().serve();
    let gate = held(&mcp, 1, "initialize", &initialize_result(LATEST));
    mcp.on(
        "tools/list",
        |call| async move { call.reply(r#"{"tools":[]}"#) },
    );
    let tether = Tether::to(&mcp);
    tether.send(&hello("0"));
    // With initialize itself 4096.
    for id in 1..=4095 {
        tether.send(&cancellable(id));
    }
    tether.send(&rpc::request("5000", "tools/list", "{}"));
    let error = tether.answer("5000").error();
    assert_eq!(error["code"], -31009, "{error}");
    assert_eq!(error["data"]["kind"], "busy");
    for id in 1..=4095 {
        tether.send(&cancel(&id.to_string()));
    }
    tether.send(&rpc::request("5001", "ping", "{}"));
    tether.answer("5001");
    gate.open();
    tether.answer("0");
    assert!(
        mcp.calls("notifications/cancelled").is_empty(),
        "the server never saw them"
    );
}

fn cancellable(id: usize) -> String {
    rpc::request(&id.to_string(), "tools/list", "{}")
}

#[test]
fn a_cancelled_call_is_cancelled_at_the_server_and_gets_no_answer() {
    let mcp = Legacy::new();
    let gate = held(&mcp, 1, "tools/call", "{}");
    let tether = Tether::to(&mcp);
    tether.initialize();
    tether.send(&rpc::call("1", "any", "{}"));
    mcp.wait_calls("tools/call", 1);
    tether.send(&cancel("1"));
    let told = mcp.wait_calls("notifications/cancelled", 1);
    assert_eq!(told[0].text(), cancel("1"));
    gate.open();
    tether.call("2", "echo", "{}");
    tether.call("3", "echo", "{}");
    assert!(tether.unread().is_empty());
    assert_eq!(tether.finish(), 0);
}

#[test]
fn server_requests_still_pass_after_a_cancel_and_progress_does_not() {
    let mcp = Legacy::new();
    let gate = Gate::new();
    let opened = gate.clone();
    mcp.times(1, "tools/call", move |call| {
        let gate = opened.clone();
        async move {
            let (response, feed) = Response::events();
            tokio::spawn(async move {
                gate.opened().await;
                feed.event(&call.progress(1, 2).unwrap());
                feed.event(&rpc::request("\"s\"", "roots/list", "{}"));
                feed.event(&call.says("too late"));
            });
            response
        }
    });
    let tether = Tether::to(&mcp);
    tether.initialize();
    let params = r#"{"name":"any","_meta":{"progressToken":1}}"#;
    tether.send(&rpc::request("1", "tools/call", params));
    mcp.wait_calls("tools/call", 1);
    tether.send(&cancel("1"));
    mcp.wait_calls("notifications/cancelled", 1);
    gate.open();
    tether.request("roots/list");
    tether.send(&rpc::result("\"s\"", "{}"));
    tether.call("2", "echo", "{}");
    assert!(tether.unread().is_empty());
}

#[test]
fn cancelling_what_is_unknown_or_done_is_ignored() {
    let mcp = Legacy::new();
    let tether = Tether::to(&mcp);
    tether.initialize();
    tether.call("1", "echo", "{}");
    for line in [
        cancel("1"),
        cancel("\"nobody\""),
        rpc::notification("notifications/cancelled", "{}"),
        rpc::notification("notifications/cancelled", r#"{"requestId":null}"#),
    ] {
        tether.send(&line);
    }
    tether.call("2", "echo", "{}");
    assert!(mcp.calls("notifications/cancelled").is_empty());
    assert_eq!(tether.finish(), 0);
}

#[test]
fn initialize_cannot_be_cancelled() {
    let mcp = LegacyPlan::default().stateless().serve();
    let gate = held(&mcp, 1, "initialize", &initialize_result(LATEST));
    let tether = Tether::to(&mcp);
    tether.send(&hello("0"));
    mcp.wait_calls("initialize", 1);
    tether.send(&cancel("0"));
    tether.ask("1", "ping", "{}");
    gate.open();
    assert!(tether.answer("0").error.is_none());
    assert!(mcp.calls("notifications/cancelled").is_empty());
}

#[test]
fn initialize_is_a_barrier_and_ping_and_cancel_are_served_meanwhile() {
    let mcp = LegacyPlan::default().stateless().serve();
    let hello_gate = held(&mcp, 1, "initialize", &initialize_result(LATEST));
    let gate = Gate::new();
    let opened = gate.clone();
    mcp.on("notifications/initialized", move |_| {
        let gate = opened.clone();
        async move {
            gate.opened().await;
            Response::accepted()
        }
    });
    let tether = Tether::to(&mcp);
    tether.send(&hello("0"));
    tether.notify("notifications/initialized", "{}");
    tether.send(&rpc::call("1", "echo", "{}"));
    tether.send(&rpc::call("2", "echo", "{}"));
    tether.notify("notifications/x", "{}");
    tether.send(&cancel("1"));
    assert_eq!(tether.ask("3", "ping", "{}").text, rpc::result("3", "{}"));
    mcp.wait_calls("initialize", 1);
    assert_eq!(mcp.server.requests().len(), 1, "the rest waits");
    hello_gate.open();
    tether.answer("0");
    mcp.wait_calls("notifications/initialized", 1);
    tether.ask("4", "ping", "{}");
    assert_eq!(
        mcp.server.requests().len(),
        2,
        "initialized is a barrier too"
    );
    gate.open();
    tether.answer("2");
    mcp.wait_calls("notifications/x", 1);
    assert_eq!(
        mcp.calls("tools/call").len(),
        1,
        "the cancelled one never left"
    );
    assert!(mcp.calls("notifications/cancelled").is_empty());
    assert!(mcp.calls("ping").is_empty());
}

#[test]
fn an_id_that_was_cancelled_while_it_waited_may_be_used_again() {
    let mcp = LegacyPlan::default().stateless().serve();
    let gate = held(&mcp, 1, "initialize", &initialize_result(LATEST));
    let tether = Tether::to(&mcp);
    mcp.on("tools/call", |call| async move {
        call.reply(&call.params()["name"].to_string())
    });
    tether.send(&hello("0"));
    tether.send(&rpc::call("1", "first", "{}"));
    tether.send(&cancel("1"));
    tether.send(&rpc::call("1", "second", "{}"));
    tether.ask("2", "ping", "{}");
    gate.open();
    tether.answer("0");
    assert_eq!(tether.answer("1").result(), "second");
    assert_eq!(mcp.calls("tools/call").len(), 1);
}

#[test]
fn notifications_are_sent_in_their_order() {
    let mcp = Legacy::new();
    let tether = Tether::to(&mcp);
    tether.initialize();
    for step in 0..100 {
        tether.notify("notifications/x", &format!(r#"{{"step":{step}}}"#));
    }
    let sent = mcp.wait_calls("notifications/x", 100);
    for (step, request) in sent.iter().enumerate() {
        assert_eq!(request.json()["params"]["step"], step);
    }
}

#[test]
fn an_array_of_the_client_is_a_batch_under_2025_03_26_alone() {
    for (version, code) in [
        ("2025-03-26", None),
        ("2025-06-18", Some(-32600)),
        (LATEST, Some(-32600)),
    ] {
        let mcp = LegacyPlan::default().version(version).serve();
        let tether = Tether::to(&mcp);
        tether.initialize();
        let (one, two) = (
            rpc::call("1", "echo", "{}"),
            rpc::request("2", "ping", "{}"),
        );
        tether.send(&format!("[{one}, {two}]"));
        for id in ["1", "2"] {
            let answer = tether.answer(id);
            assert_eq!(
                answer.error.is_some().then(|| answer.code()),
                code,
                "{version}"
            );
        }
    }
}
