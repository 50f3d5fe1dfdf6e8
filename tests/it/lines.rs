//! stdin line by line: sizes, line ends, what is no message, arrays (MCP transports §stdio).

use crate::support::http::{Request, Response};
use crate::support::launch::Launch;
use crate::support::mcp::{ANSWER, Legacy, LegacyPlan};
use crate::support::rpc;
use crate::support::server::Peer;
use crate::support::tether::Tether;

fn limited(mcp: &Legacy) -> Tether {
    let tether = Launch::to(mcp).args(["--max-message-size", "4KiB"]).start();
    tether.initialize();
    tether
}

fn padding() -> String {
    format!(
        r#"{{"text":"{}","id":"inner","method":"x"}}"#,
        "\\\"x".repeat(3000)
    )
}

#[test]
fn a_line_over_the_limit_is_answered_and_skipped() {
    let mcp = Legacy::new();
    let tether = limited(&mcp);
    let params = padding();
    let early = rpc::request("\"early\"", "tools/call", &params);
    let late = format!(r#"{{"params":{params},"method":"tools/call","jsonrpc":"2.0","id": 17 }}"#);
    for (line, id) in [(early, "\"early\""), (late, "17")] {
        tether.send(&line);
        let error = tether.answer(id);
        assert_eq!(error.code(), -31007, "{}", error.text);
        assert_eq!(error.error()["data"]["kind"], "too-large");
        let hint = error.error()["data"]["hint"].to_string();
        assert!(hint.contains("--max-message-size"), "{hint}");
    }
    tether.call("18", "echo", r#"{"text":"x"}"#).result();
    assert_eq!(mcp.calls("tools/call").len(), 1);
    assert_eq!(tether.finish(), 0);
}

#[test]
fn an_answer_over_the_limit_becomes_an_error_for_the_server() {
    let mcp = LegacyPlan::default().listens().serve();
    mcp.on(ANSWER, |_| async { Response::accepted() });
    let tether = limited(&mcp);
    let feed = mcp.listening(1);
    feed.event(&rpc::request("\"s1\"", "sampling/createMessage", "{}"));
    tether.request("sampling/createMessage");
    tether.send(&rpc::result("\"s1\"", &padding()));
    mcp.server.log().wait("the error", |log| {
        let answer = log.iter().filter_map(Request::rpc);
        let mut answer = answer.filter(rpc::Rpc::is_answer);
        answer.next().map(|error| {
            assert_eq!(error.id.as_deref(), Some("\"s1\""));
            assert_eq!(error.code(), -31007);
        })
    });
    assert_eq!(tether.finish(), 0);
}

#[test]
fn a_reply_over_the_limit_is_an_error() {
    let mcp = Legacy::new();
    let tether = limited(&mcp);
    mcp.times(
        1,
        "tools/call",
        |call| async move { call.reply(&padding()) },
    );
    mcp.times(1, "tools/call", |call| async move {
        let (response, feed) = Response::streamed(200, "application/json");
        feed.send(call.result(&padding()));
        response
    });
    mcp.times(1, "tools/call", |call| async move {
        let (response, feed) = Response::events();
        feed.event(&call.result(&padding()));
        response
    });
    for id in ["1", "2", "3"] {
        let error = tether.call(id, "echo", "{}");
        assert_eq!(error.code(), -31007, "{}", error.text);
    }
    tether.call("4", "echo", "{}").result();
    assert_eq!(mcp.calls("tools/call").len(), 4, "none was repeated");
    assert_eq!(tether.finish(), 0);
}

#[test]
fn line_ends_bom_and_blank_lines_do_no_harm() {
    let mcp = LegacyPlan::default().stateless().serve();
    let tether = Tether::to(&mcp);
    for id in ["1", "2", "3"] {
        tether.excuse(id);
    }
    let [one, two, three] = ["1", "2", "3"].map(|id| rpc::call(id, "echo", r#"{"a":1}"#));
    tether.send_raw(format!("\u{feff}{one}\r\n\r\n\n  \t\r\n {two} \r\n"));
    tether.answer("1").result();
    tether.answer("2").result();
    // In pieces, the line end in one of its own.
    for byte in three.bytes() {
        tether.send_raw(vec![byte]);
    }
    tether.send_raw("\r");
    tether.send_raw("\n");
    tether.answer("3").result();
    assert_eq!(mcp.calls("tools/call")[0].text(), one);
    assert_eq!(tether.stderr(), "");
    assert_eq!(tether.finish(), 0);
}

#[test]
fn the_last_line_needs_no_line_end() {
    let mcp = LegacyPlan::default().stateless().serve();
    let lines = [rpc::call("1", "echo", "{}"), rpc::call("2", "echo", "{}")].join("\n");
    let output = Launch::to(&mcp).run(lines);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(output.stdout.lines().count(), 2, "{output:?}");
    let cut = Launch::to(&mcp).run(r#"{"jsonrpc":"2.0","id":3,"meth"#);
    assert_eq!((cut.code, cut.stdout.as_str()), (Some(0), ""), "{cut:?}");
}

#[test]
fn invalid_json_is_answered_on_2025_11_25_links_only() {
    let mcp = Legacy::new();
    let tether = Tether::to(&mcp);
    tether.send_raw("{nonsense\n");
    tether.wait_stderr("not valid JSON");
    tether.initialize();
    for line in [
        &b"{nonsense\n"[..],
        b"hello\n",
        b"{\"a\":\"\xff\"}\n",
        b"{} {}\n",
    ] {
        tether.send_raw(line);
        let error = tether.answer_without_id();
        assert_eq!(error.code(), -32700, "{}", error.text);
    }
    tether.call("1", "echo", "{}").result();
    assert_eq!(tether.finish(), 0);

    let tether = Tether::to(&mcp);
    tether.initialize_as("2025-06-18", "{}");
    tether.send_raw("{nonsense\n");
    tether.wait_stderr("not valid JSON");
    tether.call("1", "echo", "{}").result();
    assert!(tether.unread().is_empty());
    assert_eq!(tether.finish(), 0);
}

#[test]
fn json_that_is_no_message_is_an_invalid_request() {
    let mcp = Legacy::new();
    let tether = Tether::to(&mcp);
    tether.initialize();
    for (line, id) in [
        (r#"{"id":5}"#, Some("5")),
        (r#"{"jsonrpc":"2.0","id":"6"}"#, Some("\"6\"")),
        (r#"{"jsonrpc":"2.0","id":7,"method":7}"#, Some("7")),
        (
            r#"{"jsonrpc":"2.0","id":8,"id":8,"method":"ping"}"#,
            Some("8"),
        ),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, None),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, None),
        (r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#, None),
        (r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#, None),
        ("{}", None),
        ("5", None),
        ("null", None),
        ("\"x\"", None),
    ] {
        if let Some(id) = id {
            tether.excuse(id);
        }
        tether.send_raw(format!("{line}\n"));
        let error = tether.recv();
        assert_eq!(error.code(), -32600, "{line}: {}", error.text);
        assert_eq!(error.id.as_deref(), id, "{line}: {}", error.text);
    }
    tether.ask("1", "tools/list", "{}").result();
    assert_eq!(tether.finish(), 0);
}

#[test]
fn arrays_are_taken_apart_where_2025_03_26_was_negotiated() {
    let mcp = Legacy::new();
    let tether = Tether::to(&mcp);
    tether.initialize_as("2025-03-26", "{}");
    let parts = [
        rpc::call("1", "echo", r#"{"n":1.0}"#),
        rpc::notification("notifications/x", "{}"),
        rpc::call("\"2\"", "echo", "{}"),
    ];
    tether.send(&format!("[ {} ]", parts.join(" , ")));
    tether.answer("1").result();
    tether.answer("\"2\"").result();
    mcp.wait_calls("notifications/x", 1);
    let calls = mcp.calls("tools/call");
    assert!(calls.iter().any(|call| call.text() == parts[0]));
    assert_eq!(tether.finish(), 0);
}

#[test]
fn arrays_are_invalid_elsewhere() {
    let mcp = Legacy::new();
    let tether = Tether::to(&mcp);
    tether.initialize();
    let parts = [rpc::call("1", "echo", "{}"), rpc::call("2", "echo", "{}")];
    tether.send(&format!("[{}]", parts.join(",")));
    for id in ["1", "2"] {
        assert_eq!(tether.answer(id).code(), -32600);
    }
    for line in ["[]\n", "[1]\n", "[{\"method\":\"x\"}]\n"] {
        tether.send_raw(line);
        let error = tether.answer_without_id();
        assert_eq!(error.code(), -32600, "{line}: {}", error.text);
    }
    tether.ask("3", "tools/list", "{}").result();
    assert!(mcp.calls("tools/call").is_empty());
    assert_eq!(tether.finish(), 0);
}
