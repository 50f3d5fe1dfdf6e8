//! The end: EOF, signals, a client that no longer reads. What was taken in is answered first.

use std::time::{Duration, Instant};

use crate::support::gate::Gate;
use crate::support::http::Response;
use crate::support::launch::Launch;
use crate::support::mcp::{ANSWER, LATEST, Legacy, LegacyPlan};
use crate::support::rpc;
use crate::support::server::{Plan, Server};
use crate::support::tether::Tether;

fn hello() -> String {
    let params =
        format!(r#"{{"protocolVersion":"{LATEST}","capabilities":{{}},"clientInfo":{{}}}}"#);
    rpc::request("0", "initialize", &params)
}

/// A server whose next tool call waits for the gate.
fn with_a_slow_call() -> (Legacy, Gate) {
    let (mcp, gate) = (Legacy::new(), Gate::new());
    let opened = gate.clone();
    mcp.times(1, "tools/call", move |call| {
        let gate = opened.clone();
        async move {
            gate.opened().await;
            call.reply("{}")
        }
    });
    (mcp, gate)
}

#[test]
fn a_shell_pipe_gets_its_answers() {
    let mcp = Legacy::new();
    let lines = [
        hello(),
        rpc::notification("notifications/initialized", "{}"),
        rpc::call("1", "add", r#"{"a":20,"b":22}"#),
    ];
    let output = Launch::to(&mcp).run(lines.join("\n") + "\n");
    assert_eq!(output.code, Some(0), "{output:?}");
    let answers: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(answers.len(), 2, "{output:?}");
    assert!(answers[0].contains(r#""id":0"#) && answers[1].contains("42"));
    assert_eq!(output.stderr, "", "quiet by default");
    assert_eq!(mcp.calls("DELETE").len(), 1);
    assert!(mcp.sessions().is_empty());
}

#[test]
fn a_stream_that_stays_open_after_its_answer_does_not_keep_us() {
    let mcp = Legacy::new();
    mcp.times(1, "tools/call", |call| async move {
        let (response, feed) = Response::events();
        feed.event(&call.result("{}"));
        feed.keep_open();
        response
    });
    let mut tether = Tether::to(&mcp);
    tether.initialize();
    tether.call("1", "any", "{}").result();
    let closed = Instant::now();
    tether.close_stdin();
    assert_eq!(tether.wait(), 0);
    assert!(closed.elapsed() < Duration::from_millis(700));
}

#[test]
fn calls_in_flight_at_eof_are_finished() {
    let (mcp, gate) = with_a_slow_call();
    let mut tether = Tether::to(&mcp);
    tether.initialize();
    tether.send(&rpc::call("1", "any", "{}"));
    tether.close_stdin();
    mcp.wait_calls("tools/call", 1);
    assert!(mcp.calls("DELETE").is_empty(), "not yet");
    gate.open();
    assert!(tether.answer("1").error.is_none());
    assert_eq!(tether.wait(), 0);
    assert_eq!(mcp.calls("DELETE").len(), 1);
}

#[test]
fn the_grace_bounds_what_is_finished_after_eof() {
    let (mcp, _gate) = with_a_slow_call();
    let mut tether = Launch::to(&mcp).args(["--grace", "0.5"]).start();
    tether.initialize();
    tether.send(&rpc::call("1", "any", "{}"));
    mcp.wait_calls("tools/call", 1);
    let closed = Instant::now();
    tether.close_stdin();
    let error = tether.answer("1").error();
    assert!(closed.elapsed() >= Duration::from_millis(500));
    assert_eq!(error["code"], -31008, "{error}");
    assert_eq!(error["data"]["kind"], "shutdown");
    assert_eq!(tether.wait(), 0);
    assert_eq!(mcp.calls("DELETE").len(), 1);
}

#[test]
fn what_the_server_asks_around_eof_is_declined() {
    for (method, declined) in [
        ("elicitation/create", r#""result":{"action":"cancel"}"#),
        ("sampling/createMessage", r#""error":{"code":-31008"#),
    ] {
        let (mcp, answered) = (Legacy::new(), Gate::new());
        let opened = answered.clone();
        mcp.on(ANSWER, move |call| {
            let text = call.rpc.unwrap().text;
            // Asked before and after EOF: both have to be declined.
            if text.contains(r#""id":"late""#) {
                opened.open();
            }
            async { Response::accepted() }
        });
        let (asked_late, method_sent) = (Gate::new(), method.to_owned());
        let ended = asked_late.clone();
        mcp.on("tools/call", move |call| {
            let (answered, ended) = (answered.clone(), ended.clone());
            let (early, late) = (
                rpc::request("\"early\"", &method_sent, "{}"),
                rpc::request("\"late\"", &method_sent, "{}"),
            );
            async move {
                let (response, feed) = Response::events();
                tokio::spawn(async move {
                    feed.event(&early);
                    ended.opened().await;
                    feed.event(&late);
                    answered.opened().await;
                    feed.event(&call.says("went on"));
                });
                response
            }
        });
        let mut tether = Tether::to(&mcp);
        tether.initialize();
        tether.send(&rpc::call("1", "any", "{}"));
        tether.request(method);
        tether.close_stdin();
        let is_answer =
            |r: &crate::support::http::Request| r.rpc().is_some_and(|rpc| rpc.is_answer());
        let log = crate::support::server::Peer::log(&mcp);
        log.wait("the early refusal", |log| {
            log.iter().any(is_answer).then_some(())
        });
        asked_late.open();
        assert!(tether.answer("1").error.is_none());
        assert_eq!(tether.wait(), 0);
        let answers: Vec<_> = mcp
            .server
            .requests()
            .into_iter()
            .filter(is_answer)
            .collect();
        assert_eq!(answers.len(), 2);
        for answer in answers {
            assert!(answer.text().contains(declined), "{}", answer.text());
        }
        assert!(
            tether.unread().is_empty(),
            "the late one is not told to anybody"
        );
    }
}

#[test]
fn eof_before_initialize_ends_at_once() {
    let server = Server::new(|_| async { Response::status(500) });
    server.allow_idle();
    let started = Instant::now();
    let output = Launch::to(&server).run("");
    assert!(started.elapsed() < Duration::from_secs(3));
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), ""));
    assert_eq!(output.stderr, "");
    assert_eq!(server.connections(), 0, "a start asks nothing");
}

#[test]
fn eof_while_the_server_is_down_still_answers() {
    let server = Plan::default()
        .down()
        .serve(|_| async { Response::status(500) });
    server.allow_idle();
    let output = Launch::to(&server)
        .args(["--initialize-wait", "0.3"])
        .run(hello());
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stdout.contains("-31001"), "{output:?}");
}

#[test]
fn a_signal_answers_what_is_in_flight_leaves_the_session_and_is_quick() {
    for name in ["TERM", "INT", "HUP"] {
        let mcp = LegacyPlan::default().listens().serve();
        mcp.on("tools/call", |_| async { Response::stall() });
        let tether = Tether::to(&mcp);
        tether.initialize();
        let listening = mcp.listening(1);
        for id in ["1", "2", "3"] {
            tether.send(&rpc::call(id, "any", "{}"));
        }
        mcp.wait_calls("tools/call", 3);
        let told = Instant::now();
        tether.signal(name);
        for id in ["1", "2", "3"] {
            assert_eq!(tether.answer(id).code(), -31008, "{name}");
        }
        assert_eq!(tether.wait(), 0);
        assert!(
            told.elapsed() < Duration::from_millis(1500),
            "{:?}",
            told.elapsed()
        );
        assert_eq!(mcp.calls("DELETE").len(), 1);
        listening.gone().wait("the listening stream to be closed");
    }
}

#[test]
fn a_signal_during_the_handshake_answers_it_and_what_waits_for_it() {
    let mcp = Legacy::new();
    mcp.on("initialize", |_| async { Response::stall() });
    let tether = Tether::to(&mcp);
    tether.send(&hello());
    tether.send(&rpc::call("1", "any", "{}"));
    mcp.wait_calls("initialize", 1);
    tether.ask("2", "ping", "{}");
    tether.signal("TERM");
    assert_eq!(tether.answer("0").code(), -31008);
    assert_eq!(tether.answer("1").code(), -31008);
    assert_eq!(tether.wait(), 0);
}

#[test]
fn a_signal_during_the_grace_ends_it() {
    let (mcp, _gate) = with_a_slow_call();
    let mut tether = Tether::to(&mcp);
    tether.initialize();
    tether.send(&rpc::call("1", "any", "{}"));
    mcp.wait_calls("tools/call", 1);
    tether.close_stdin();
    tether.signal("TERM");
    assert_eq!(tether.answer("1").code(), -31008);
    assert_eq!(tether.wait(), 0);
}

#[test]
fn a_second_signal_ends_at_once_with_130() {
    let mcp = Legacy::new();
    mcp.on("DELETE", |_| async { Response::stall() });
    let tether = Tether::to(&mcp);
    tether.initialize();
    tether.ask("1", "ping", "{}");
    tether.signal("TERM");
    mcp.wait_calls("DELETE", 1);
    tether.signal("TERM");
    assert_eq!(tether.wait(), 130);
}

#[test]
fn a_client_that_no_longer_reads_is_the_end() {
    let mcp = Legacy::new();
    let mut tether = Tether::to(&mcp);
    tether.initialize();
    tether.hang_up();
    tether.send(&rpc::call("1", "echo", "{}"));
    tether.wait_hung_up();
    tether.send(&rpc::call("2", "echo", "{}"));
    assert_eq!(tether.wait(), 0);
    assert_eq!(mcp.calls("DELETE").len(), 1);
}

#[test]
fn a_stdout_that_was_closed_from_the_start_is_the_end() {
    let mcp = Legacy::new();
    let tether = Launch::to(&mcp).closed_stdout().start();
    tether.send(&hello());
    assert_eq!(tether.wait(), 0);
}
