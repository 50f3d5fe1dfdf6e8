//! The harness around the bridge, tried on shell scripts that play a good or a bad bridge.
#![cfg(unix)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::support::launch::Launch;
use crate::support::ledger::Ledger;
use crate::support::rpc;
use crate::support::tether::Tether;

/// Answers each request in order with a result, until EOF.
const GOOD: &str = r#"
    echo ready >&2
    while read -r line; do
        id=$(printf '%s\n' "$line" | sed -n 's/.*"id":\([^,]*\),.*/\1/p')
        [ -n "$id" ] && printf '{"jsonrpc":"2.0","id":%s,"result":{"h":"%s"}}\n' "$id" "$MCP_TETHER_HOME"
    done
    exit 3
"#;

fn sh(script: &str) -> Launch {
    Launch::program("/bin/sh").args(["-c", script])
}

/// The text of the panic that the harness must end with.
fn panic_of(test: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(test)).expect_err("it panics");
    *panic.downcast::<String>().expect("a text")
}

fn play(script: &str, lines: &[&str]) -> String {
    let mut tether = sh(script).start();
    lines.iter().for_each(|line| tether.send(line));
    panic_of(move || {
        tether.close_stdin();
        tether.wait();
        drop(tether);
    })
}

#[test]
fn a_good_bridge_passes() {
    let tether = sh(GOOD).start();
    tether.wait_stderr("ready");
    tether.initialize();
    let answer = tether.ask("\"7\"", "ping", "{}");
    let home = tether.home().join("tether");
    assert_eq!(answer.result()["h"], home.to_str().unwrap());
    assert!(!home.exists());
    tether.send(&rpc::request("8", "ping", "{}"));
    tether.send(&rpc::request("9", "ping", "{}"));
    assert_eq!(tether.answer("9").id.as_deref(), Some("9"));
    assert_eq!(tether.recv().id.as_deref(), Some("8"));
    assert_eq!(tether.finish(), 3);
}

#[test]
fn a_bridge_is_ended_on_drop_and_by_signals() {
    drop(sh(GOOD).start());
    let tether = sh("trap 'exit 5' TERM; echo ready >&2; while :; do read -r x; done").start();
    tether.wait_stderr("ready");
    tether.signal("TERM");
    assert_eq!(tether.wait(), 5);
    drop(tether);
    let mut tether = sh("cat >/dev/null").start();
    tether.send(&rpc::request("1", "ping", "{}"));
    tether.kill();
}

#[test]
fn messages_of_each_kind_wait_for_their_reader() {
    let script = r#"
        echo '{"jsonrpc":"2.0","method":"notifications/a"}'
        echo '{"jsonrpc":"2.0","id":1,"method":"roots/list"}'
        echo '{"jsonrpc":"2.0","method":"notifications/b"}'
        read -r line
        echo '{"jsonrpc":"2.0","id":1,"result":null}'
    "#;
    let tether = sh(script).start();
    tether.request("roots/list");
    assert!(tether.ask("1", "ping", "{}").result().is_null());
    tether.notification("notifications/b");
    let left: Vec<_> = tether
        .notifications()
        .into_iter()
        .map(|rpc| rpc.method)
        .collect();
    assert_eq!(left, [Some("notifications/a".to_owned())]);
    assert!(tether.requests().is_empty());
    assert_eq!(tether.finish(), 0);
}

#[test]
fn stray_output_fails_the_test() {
    let table = [
        ("echo hello", "no JSON object"),
        (
            r#"echo '{"jsonrpc":"2.0","method":"a"} x'"#,
            "trailing characters",
        ),
        (
            r#"echo '[{"jsonrpc":"2.0","method":"a"}]'"#,
            "no JSON object",
        ),
        (
            r#"printf '{"jsonrpc":"2.0","method":"a"}'"#,
            "ends inside a line",
        ),
        (
            r#"printf '{"jsonrpc":"2.0","method":"a"}\r\n'"#,
            "ends with CR",
        ),
        (r#"echo '{"method":"a"}'"#, "jsonrpc is not"),
        ("echo", "no JSON object"),
    ];
    for (script, wanted) in table {
        let text = play(script, &[]);
        assert!(text.contains(wanted), "{script}: {text}");
    }
}

#[test]
fn answers_too_few_or_too_many_fail_the_test() {
    let seven = rpc::request("7", "ping", "{}");
    let text = play("read -r line", &[&seven]);
    assert!(text.contains(r#"waiting: ["7"]"#), "{text}");
    let twice =
        r#"read -r line; for i in 1 2; do echo '{"jsonrpc":"2.0","id":7,"result":{}}'; done"#;
    let text = play(twice, &[&seven]);
    assert!(
        text.contains("answer 2 to an id that was asked 1 times"),
        "{text}"
    );
    let string = r#"read -r line; echo '{"jsonrpc":"2.0","id":"7","result":{}}'"#;
    let text = play(string, &[&seven]);
    assert!(
        text.contains("answer 1 to an id that was asked 0 times"),
        "{text}"
    );
}

#[test]
fn a_failed_wait_says_what_happened() {
    let tether = sh("echo trouble >&2").start();
    let text = panic_of(|| drop(tether.answer("1")));
    assert!(text.contains("waited for the answer to 1"), "{text}");
    drop(tether);
}

#[test]
fn cancelled_and_excused_ids_may_stay_open() {
    let mut ledger = Ledger::default();
    for id in ["1", "2", "\"2\"", "3"] {
        ledger.sent(&rpc::request(id, "ping", "{}"));
    }
    ledger.sent(&rpc::notification(
        "notifications/cancelled",
        r#"{"requestId":2}"#,
    ));
    ledger.excuse("3");
    assert_eq!(ledger.waiting(), ["\"2\"", "1"]);
    ledger.received(&rpc::result("2", "{}"));
    assert!(ledger.problems().is_empty());
    ledger.received(&rpc::result("2", "{}"));
    assert_eq!(ledger.forgive().len(), 1);
    ledger.sent(&format!("[{}]", rpc::request("4", "ping", "{}")));
    assert_eq!(ledger.waiting(), ["\"2\"", "1", "4"]);
}

#[test]
fn a_run_takes_stdin_and_gives_its_output() {
    let output = sh("cat; echo note >&2; exit 4").run("in\n");
    assert_eq!(
        (output.stdout.as_str(), output.stderr.as_str()),
        ("in\n", "note\n")
    );
    assert_eq!(output.code, Some(4));
}

#[test]
fn the_environment_is_scrubbed() {
    let output = sh("env | cut -d= -f1 | sort | tr '\\n' ' '")
        .env("EXTRA", "1")
        .run("");
    let names: Vec<&str> = output.stdout.split_whitespace().collect();
    let shell_sets = ["PWD", "OLDPWD", "SHLVL", "_"];
    let given: Vec<_> = names
        .into_iter()
        .filter(|name| !shell_sets.contains(name))
        .collect();
    assert_eq!(given, ["EXTRA", "HOME", "MCP_TETHER_HOME", "PATH"]);
}

#[test]
fn a_host_may_hang_up_before_the_first_line() {
    let script = r#"read -r line; trap '' PIPE; echo '{}' 2>/dev/null || exit 6"#;
    let tether: Tether = sh(script).closed_stdout().start();
    tether.send("x");
    assert_eq!(tether.wait(), 6);
}
