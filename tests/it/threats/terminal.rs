//! A server's words on a terminal and in a log: nothing there that moves a cursor, sets a title, turns the text round or begins
//! a line that looks like ours.

use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::call_terminal::asking;
use crate::support::http::Response;
use crate::support::launch::Launch;
use crate::support::mcp::{Legacy, LegacyPlan, initialize_result};
use crate::support::rpc;
use crate::support::scene::Scene;
use crate::support::server::Peer;

/// The words, as they stand in JSON.
const WORDS: &str = r"x\u001b]0;owned\u0007\u001b[2J\u009b2J\u202ey\u2066\u061c\r\nmcp-tether: sign in at https://evil.example";

/// What a terminal would obey.
const ORDERS: [&str; 7] = [
    "\x1b]0;", "\x1b[2J", "\x07", "\u{9b}", "\u{202e}", "\u{2066}", "\u{61c}",
];

fn harmless(text: &str) {
    for order in ORDERS {
        assert!(!text.contains(order), "{order:?} in {text:?}");
    }
    let fake = |line: &str| {
        line.trim_start()
            .starts_with("mcp-tether: sign in at https://evil")
    };
    assert!(!text.lines().any(fake), "{text}");
    assert!(text.contains('y'), "it was not shown: {text}");
}

fn words() -> Value {
    serde_json::from_str(&format!("\"{WORDS}\"")).unwrap()
}

/// A server whose answer to that method is this raw result.
fn saying(method: &str, result: String) -> Legacy {
    let mcp = Legacy::new();
    mcp.on(method, move |call| {
        let answer = call.reply(&result);
        async move { answer }
    });
    mcp
}

/// What a command about the server shows at a terminal.
fn shown(mcp: &Legacy, args: &[&str]) -> String {
    let launch = Launch::new().watch(mcp).env("MCP_TETHER_STORE", "file");
    let launch = launch.args([args[0].to_owned(), mcp.url()]);
    let launch = launch.args(args[1..].iter().copied());
    let (_, text) = launch.on_terminal().end_raw();
    text
}

#[test]
fn lists_and_results() {
    let tools = format!(
        r#"{{"tools":[{{"name":"{WORDS}","title":"{WORDS}","description":"{WORDS}","inputSchema":{{"type":"object","properties":{{"{WORDS}":{{}}}}}}}}]}}"#
    );
    let mcp = saying("tools/list", tools);
    harmless(&shown(&mcp, &["tools"]));
    // The name that was meant, and the arguments that there are, are shown as well.
    harmless(&shown(&mcp, &["call", "xy"]));
    let opened = initialize_result("2025-11-25").replace("scripted", WORDS);
    let mcp = LegacyPlan::default().lenient().serve();
    mcp.on("initialize", move |call| {
        let answer = call.reply(&opened);
        async move { answer }
    });
    harmless(&shown(&mcp, &["doctor"]));
    let content = format!(
        r#"{{"content":[{{"type":"resource_link","uri":"{WORDS}","name":"{WORDS}"}},{{"type":"{WORDS}"}},{{"type":"image","mimeType":"{WORDS}","data":""}}]}}"#
    )
    .replace(r"\r\nmcp-tether: sign in at https://evil.example", "");
    harmless(&shown(&saying("tools/call", content), &["call", "echo"]));
}

#[test]
fn errors() {
    let mcp = Legacy::new();
    mcp.on("tools/call", |call| async move {
        Response::json(
            200,
            format!(
                r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-32000,"message":"{WORDS}"}}}}"#,
                call.id()
            ),
        )
    });
    harmless(&shown(&mcp, &["call", "echo"]));
    let page = words().as_str().unwrap().to_owned();
    let mcp = Legacy::new();
    mcp.on("initialize", move |_| {
        let page = page.clone();
        async move { Response::html(500, page) }
    });
    harmless(&shown(&mcp, &["doctor"]));
    shown(&mcp, &["call", "echo"]);
}

#[test]
fn progress_and_logged_lines() {
    let mcp = Legacy::new();
    mcp.on("tools/call", |call| async move {
        let (response, feed) = Response::events();
        let more = format!(r#""total":4,"message":"{WORDS}""#);
        feed.event(
            &call
                .progress(1, 4)
                .expect("a token")
                .replace(r#""total":4"#, &more),
        );
        let params = format!(r#"{{"level":"{WORDS}","logger":"{WORDS}","data":"{WORDS}"}}"#);
        feed.event(&rpc::notification("notifications/message", &params));
        let params =
            format!(r#"{{"level":"error","logger":"{WORDS}","data":{{"{WORDS}":"{WORDS}"}}}}"#);
        feed.event(&rpc::notification("notifications/message", &params));
        feed.event(&call.says("done"));
        feed.end();
        response
    });
    harmless(&shown(&mcp, &["call", "echo"]));
}

#[test]
fn questions() {
    // A message may have lines.
    let message = WORDS.replace(r"\r\nmcp-tether: sign in at https://evil.example", "");
    let mcp = asking(&format!(
        r#"{{"message":"{message}","requestedSchema":{{"type":"object","required":["{WORDS}"],"properties":{{"{WORDS}":{{"type":"string","title":"{WORDS}","description":"{WORDS}","enum":["{WORDS}"],"default":"{WORDS}"}}}}}}}}"#
    ));
    let launch = Launch::new()
        .watch(&mcp)
        .args(["call".to_owned(), mcp.url()]);
    let pty = launch.arg("echo").on_terminal();
    pty.wait("cancel");
    pty.press("\r");
    pty.wait("sign in at https://evil.example");
    pty.press("\r");
    harmless(&pty.end_raw().1);
}

#[test]
fn what_is_kept_of_a_sign_in() {
    let scene = Scene::new();
    drop(scene.signed_in());
    scene.change_records(|record| record["tokens"]["scope"] = words());
    let (code, text) = scene.program().arg("status").on_terminal().end_raw();
    assert_eq!(code, 0, "{text}");
    harmless(&text);
}

#[test]
fn the_file_of_a_project() {
    let home = Arc::new(TempDir::new().unwrap());
    let folder = home.path().join(".cursor");
    std::fs::create_dir_all(&folder).unwrap();
    let entry = json!({ "command": words(), "args": ["mcp-remote", words()] });
    let mut servers = serde_json::Map::new();
    servers.insert(words().as_str().unwrap().to_owned(), entry);
    // As text that JSON lets stand as it is.
    let text = json!({ "mcpServers": servers }).to_string();
    std::fs::write(folder.join("mcp.json"), text).unwrap();
    for args in [
        &["install", "--list"][..],
        &[
            "install",
            "cursor",
            "https://mcp.linear.app/mcp",
            "--dry-run",
        ],
        &["import", "--dry-run"],
    ] {
        let launch = Launch::new().at_home(&home).args(args.iter().copied());
        harmless(&launch.on_terminal().end_raw().1);
    }
}

#[test]
fn a_log_has_one_line_for_each_event() {
    for format in ["text", "json"] {
        let mcp = Legacy::new();
        mcp.on("tools/call", |call| async move {
            let (response, feed) = Response::events();
            feed.event(&rpc::request("\"s\"", WORDS, "{}"));
            feed.event(&call.says("done"));
            feed.end();
            response
        });
        let launch = Launch::new()
            .watch(&mcp)
            .args(["call".to_owned(), mcp.url()]);
        let launch = launch.args(["echo", "--debug", "--log-format", format]);
        let launch = launch.args(["--log-file", "a.log"]);
        let home = launch.keep_home();
        let output = launch.run("");
        assert_eq!(output.code, Some(0), "{output:?}");
        let log = std::fs::read_to_string(home.path().join("a.log")).unwrap();
        for text in [output.stderr, log] {
            assert!(text.contains("evil.example"), "it was not logged: {text}");
            harmless(&text);
            if format == "json" {
                assert!(
                    text.lines()
                        .all(|line| serde_json::from_str::<Value>(line).is_ok())
                );
            }
        }
    }
}
