//! `tools`: what a server has to offer, as tables and as one document.

use serde_json::{Value, json};

use crate::support::golden::golden;
use crate::support::http::Response;
use crate::support::launch::{self, Output};
use crate::support::mcp::{Legacy, LegacyPlan, Modern, Sse, TOOLS, WebSocket};
use crate::support::modern::reply;
use crate::support::server::{Peer, Plan};

const BIG: &str = r#"{"name":"big","title":"Big \u001b[31mone","inputSchema":{"type":"object","required":["z"],"properties":{"z":{"type":"integer"},"a":{}}},"annotations":{"destructiveHint":true,"openWorldHint":true},"x": 1.0,"n":123456789012345678901234567890}"#;

fn json(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

fn run(peer: &impl Peer, more: &[&str]) -> Output {
    let url = peer.url();
    let args = ["tools", &url, "--store", "file"];
    let args: Vec<&str> = args.iter().chain(more).copied().collect();
    launch::run(&args, "")
}

/// A server with two pages of tools, resources, templates and prompts.
pub fn rich() -> Legacy {
    let mcp = Legacy::new();
    mcp.on("tools/list", |call| async move {
        let cursor = call.params()["cursor"].as_str().map(str::to_owned);
        call.reply(&match cursor.as_deref() {
            None => format!(r#"{{"tools":[{BIG}],"nextCursor":""}}"#),
            Some("") => r#"{"tools":[{"name":"search_everything","description":"Searches the whole knowledge base for documents that match a query and gives the best of them.\nMore text.","inputSchema":{"type":"object","properties":{"query":{"type":"string"},"limit":{"type":"integer"},"filter":{"type":"object"}},"required":["query"]},"annotations":{"readOnlyHint":true,"idempotentHint":true}},{"name":"odd","description":7,"inputSchema":[]}]}"#.to_owned(),
            Some(other) => panic!("no cursor {other}"),
        })
    });
    mcp.on("resources/list", |call| async move {
        call.reply(r#"{"resources":[{"uri":"file:///notes/today.md","name":"today","mimeType":"text/markdown","description":"What is to be done today"},{"uri":"db://x","name":"x"}]}"#)
    });
    mcp.on("resources/templates/list", |call| async move {
        call.reply(r#"{"resourceTemplates":[{"uriTemplate":"file:///notes/{day}.md","name":"day","title":"Notes of a day"}]}"#)
    });
    mcp.on("prompts/list", |call| async move {
        call.reply(r#"{"prompts":[{"name":"review","description":"Reviews a change","arguments":[{"name":"change","required":true},{"name":"tone"}]}]}"#)
    });
    mcp
}

#[test]
fn tables_show_all_pages_one_line_each_where_they_are_piped() {
    let output = run(&rich(), &[]);
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
    golden("tools/piped.txt", &output.stdout);
}

#[test]
fn json_is_what_the_server_sent() {
    let mcp = rich();
    let output = run(&mcp, &["--json"]);
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
    assert!(output.stdout.contains(BIG), "{output:?}");
    let document = json(&output);
    assert_eq!(
        document["server"],
        json!({ "name": "scripted", "version": "1.0.0" })
    );
    assert_eq!(document["protocolVersion"], "2025-11-25");
    let lengths = ["tools", "resources", "resourceTemplates", "prompts"]
        .map(|list| document[list].as_array().unwrap().len());
    assert_eq!(lengths, [3, 2, 1, 1]);
}

#[test]
fn only_what_the_server_announces_is_asked_for() {
    let mcp = LegacyPlan::default().stateless().serve();
    mcp.on("initialize", |call| async move {
        call.reply(r#"{"protocolVersion":"2025-06-18","capabilities":{"prompts":{}},"serverInfo":{"name":"p","title":"The Prompts","version":"2"}}"#)
    });
    let output = run(&mcp, &[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(
        output.stdout,
        "The Prompts 2, MCP 2025-06-18\n\nno prompts\n"
    );
    assert_eq!(mcp.calls("prompts/list").len(), 1);
    assert!(mcp.calls("tools/list").is_empty() && mcp.calls("resources/list").is_empty());
    let document = json(&run(&mcp, &["--json"]));
    assert_eq!(document["tools"], json!([]));
}

#[test]
fn the_filter_applies() {
    let document = json(&run(&rich(), &["--json", "--read-only"]));
    assert_eq!(document["tools"].as_array().unwrap().len(), 1);
    assert_eq!(document["tools"][0]["name"], "search_everything");
}

#[test]
fn servers_of_every_kind_say_the_same() {
    let sse = Sse::new();
    let modern = Modern::new(r#"{"tools":{}}"#, |request| reply(request, TOOLS));
    let socket = WebSocket::new();
    for url in [sse.url(), modern.url(), socket.url()] {
        let output = launch::run(&["tools", &url, "--json"], "");
        assert_eq!(output.code, Some(0), "{output:?}");
        assert!(!json(&output)["tools"].as_array().unwrap().is_empty());
    }
}

#[test]
fn a_list_that_cannot_be_had_is_told() {
    let mcp = rich();
    mcp.on("prompts/list", |call| async move {
        call.refuse(-32603, "the \u{1b}[31mcat sat\non it")
    });
    mcp.on("resources/templates/list", |call| async move {
        call.refuse(-32601, "what?")
    });
    let output = run(&mcp, &[]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stdout.contains("search_everything"), "{output:?}");
    let wanted = "mcp-tether: no prompts: the server answered: the cat sat on it (-32603)\n";
    assert_eq!(output.stderr, wanted);
}

#[test]
fn exit_codes_say_what_is_wrong() {
    let refused = Legacy::new();
    refused.on("initialize", |call| async move {
        call.refuse(-32600, "not with you")
    });
    let web = LegacyPlan::default()
        .guarded(|_| Some(Response::of(200, "text/html", "<html>".to_owned())))
        .serve();
    let down = LegacyPlan::default().serve_on(Plan::default().down());
    down.server.allow_idle();
    let locked = LegacyPlan::default()
        .guarded(|_| {
            Some(Response::json(
                401,
                r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no"}}"#,
            ))
        })
        .serve();
    let late = Legacy::new();
    late.on(
        "tools/list",
        |call| async move { call.refuse(-32603, "no") },
    );
    for (peer, more, code) in [
        (&refused, &[][..], 5),
        (&web, &[], 5),
        (&down, &["--initialize-wait", "0"], 4),
        (&locked, &["--auth", "none"], 3),
        (&locked, &[], 3),
        (&late, &[], 1),
    ] {
        let output = run(peer, more);
        assert_eq!(
            (output.code, output.stdout.as_str()),
            (Some(code), ""),
            "{output:?}"
        );
        assert!(output.stderr.starts_with("mcp-tether: "), "{output:?}");
    }
    let output = launch::run(&["tools"], "");
    assert_eq!(output.code, Some(2), "{output:?}");
}
