//! What the README tells a newcomer to paste works as it stands, but for the address.

use serde_json::Value;

use crate::support::launch::Launch;
use crate::support::mcp::Legacy;
use crate::support::server::Peer;

const README: &str = include_str!("../../README.md");
const ADDRESS: &str = "https://example.com/mcp";

/// The text of the first code block of this language that holds `mark`.
fn block(language: &str, mark: &str) -> &'static str {
    let fence = format!("```{language}\n");
    let blocks = README.split(fence.as_str()).skip(1);
    let mut texts = blocks.map(|rest| rest.split("```").next().unwrap());
    texts.find(|text| text.contains(mark)).unwrap()
}

#[test]
fn the_config_example_works_as_a_host_uses_it() {
    let config: Value = serde_json::from_str(block("json", "mcpServers")).unwrap();
    let entry = &config["mcpServers"]["example"];
    assert_eq!(entry["command"], "mcp-tether");
    let args = entry["args"].as_array().unwrap();
    let server = Legacy::new();
    let args = args
        .iter()
        .map(|arg| arg.as_str().unwrap().replace(ADDRESS, &server.url()));
    let tether = Launch::new()
        .watch(&server)
        .args(args.collect::<Vec<_>>())
        .start();
    tether.initialize();
    let tools = tether.ask("1", "tools/list", "{}").result();
    assert_eq!(tools["tools"][0]["name"], "echo");
    tether.call("2", "echo", r#"{"text":"hello"}"#).result();
    assert_eq!(tether.finish(), 0);
    assert_eq!(server.calls("DELETE").len(), 1);
}

#[test]
#[cfg(unix)]
fn the_shell_example_prints_the_answers() {
    use std::process::{Command, Stdio};

    let server = Legacy::new();
    let script = block("sh", "printf")
        .replace(ADDRESS, &server.url())
        .replace(
            "mcp-tether http",
            concat!(env!("CARGO_BIN_EXE_mcp-tether"), " http"),
        );
    let output = Command::new("sh")
        .args(["-c", &script])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let ids: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone())
        .collect();
    assert_eq!(ids, [0, 1]);
}
