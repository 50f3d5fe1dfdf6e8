//! `--header-command`: run once, run again when the server answers 401, once for all who wait.
#![cfg(unix)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::sse::HELLO;
use crate::support::gate::Gate;
use crate::support::http::Response;
use crate::support::launch::Launch;
use crate::support::mcp::{Call, Legacy, LegacyPlan};
use crate::support::rpc;

/// Prints a token that counts the runs, and keeps count in the file `runs`.
const COUNTING: &str = "echo x >> runs; echo \"Authorization: Bearer $(wc -l < runs | tr -d ' ')\"";

fn runs(home: &Path) -> usize {
    let text = std::fs::read_to_string(home.join("runs")).unwrap_or_default();
    text.lines().count()
}

fn token(call: &Call) -> String {
    let header = call.request.header("authorization").unwrap_or_default();
    header.trim_start_matches("Bearer ").to_owned()
}

/// Answers tool calls only if they have that token.
fn wants(mcp: &Legacy, wanted: &'static str) {
    mcp.on("tools/call", move |call| async move {
        if token(&call) == wanted {
            call.reply("{}")
        } else {
            Response::status(401)
        }
    });
}

#[test]
fn it_runs_once_and_its_headers_go_with_every_request() {
    let mcp = LegacyPlan::default().listens().serve();
    let command = "echo run >> runs; printf 'Authorization: Bearer t\\nX-B: ${NOT_EXPANDED}\\n\\n'";
    let tether = Launch::to(&mcp)
        .args([
            "--header-command",
            command,
            "--header",
            "authorization: other",
        ])
        .start();
    tether.initialize();
    mcp.listening(1);
    for id in ["1", "2", "3"] {
        tether.call(id, "echo", "{}").result();
    }
    assert_eq!(runs(tether.home()), 1);
    assert_eq!(tether.stderr(), "");
    assert_eq!(tether.finish(), 0);
    for request in mcp.server.requests() {
        assert_eq!(
            request.header("authorization"),
            Some("Bearer t"),
            "{request}"
        );
        assert_eq!(request.header("x-b"), Some("${NOT_EXPANDED}"), "{request}");
    }
    assert_eq!(mcp.calls("DELETE").len(), 1);
}

#[test]
fn a_401_runs_it_again_and_repeats_the_request() {
    let mcp = Legacy::new();
    wants(&mcp, "2");
    let tether = Launch::to(&mcp)
        .args(["--header-command", COUNTING])
        .start();
    tether.initialize();
    tether.call("1", "x", "{}").result();
    tether.call("2", "x", "{}").result();
    assert_eq!(runs(tether.home()), 2);
    assert_eq!(mcp.calls("tools/call").len(), 3);
    assert_eq!(tether.finish(), 0);
}

#[test]
fn several_401s_at_once_run_it_once() {
    let mcp = Legacy::new();
    let all = Gate::new();
    let seen = Arc::new(AtomicUsize::new(0));
    let gate = all.clone();
    mcp.on("tools/call", move |call| {
        let (gate, seen) = (gate.clone(), Arc::clone(&seen));
        async move {
            if token(&call) == "2" {
                return call.reply("{}");
            }
            if seen.fetch_add(1, Ordering::SeqCst) == 5 {
                gate.open();
            }
            gate.opened().await;
            Response::status(401)
        }
    });
    let tether = Launch::to(&mcp)
        .args(["--header-command", COUNTING])
        .start();
    tether.initialize();
    let ids: Vec<String> = (1..=6).map(|id: u32| id.to_string()).collect();
    for id in &ids {
        tether.send(&rpc::call(id, "x", "{}"));
    }
    for id in &ids {
        tether.answer(id).result();
    }
    assert!(all.is_open());
    assert_eq!(runs(tether.home()), 2);
    assert_eq!(mcp.calls("tools/call").len(), 12);
    assert_eq!(tether.finish(), 0);
}

#[test]
fn a_second_401_is_the_answer() {
    let mcp = Legacy::new();
    wants(&mcp, "never");
    let tether = Launch::to(&mcp)
        .args(["--header-command", COUNTING])
        .start();
    tether.initialize();
    let error = tether.call("1", "x", "{}");
    assert_eq!(error.code(), -31004, "{}", error.text);
    assert_eq!(error.error()["data"]["httpStatus"], 401);
    assert_eq!(mcp.calls("tools/call").len(), 2);
    assert_eq!(runs(tether.home()), 2);
    assert_eq!(tether.finish(), 0);
}

#[test]
fn a_failure_is_an_auth_error_and_the_next_request_tries_again() {
    let mcp = Legacy::new();
    let tether = Launch::to(&mcp)
        .args([
            "--header-command",
            "cat headers || { echo no token today >&2; exit 3; }",
        ])
        .start();
    let error = tether.ask("1", "initialize", HELLO);
    assert_eq!(error.code(), -31004, "{}", error.text);
    let message = error.error()["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains("--header-command") && message.contains("exit status: 3"),
        "{message}"
    );
    // What it says on stderr may be a secret too.
    assert!(!error.text.contains("no token today"), "{}", error.text);
    let hint = error.error()["data"]["hint"].to_string();
    assert!(hint.contains("--header-command"), "{hint}");
    // A line that is no header is an error as well, and is not repeated: it may be a secret.
    std::fs::write(tether.home().join("headers"), "s3cret\n").unwrap();
    let error = tether.ask("2", "initialize", HELLO);
    assert_eq!(error.code(), -31004, "{}", error.text);
    assert!(!error.text.contains("s3cret"), "{}", error.text);
    assert!(mcp.server.requests().is_empty());
    std::fs::write(tether.home().join("headers"), "X-A: 1\n").unwrap();
    tether.initialize();
    assert_eq!(tether.finish(), 0);
}
