//! The page that shows each host's configuration shows what `install` writes.

use super::Home;

/// A heading of the page, and the host that is typed for it.
const HOSTS: [(&str, &str); 9] = [
    ("Claude Desktop", "claude-desktop"),
    ("VS Code", "vscode"),
    ("Copilot CLI", "copilot-cli"),
    ("Zed", "zed"),
    ("Codex", "codex"),
    ("Goose", "goose"),
    ("Continue", "continue"),
    ("OpenCode", "opencode"),
    ("Cursor", "cursor"),
];

const PAGE: &str = include_str!("../../../packaging/docs/hosts.md");

/// The first block of code under a heading.
fn block(heading: &str) -> &'static str {
    let section = PAGE.split("\n## ").find(|part| part.starts_with(heading));
    let block = section.unwrap().split("```").nth(1).unwrap();
    block.split_once('\n').unwrap().1
}

#[test]
fn the_page_of_hosts_shows_what_is_written() {
    for (heading, host) in HOSTS {
        // It has the shape of another one.
        let heading = if heading == "Cursor" {
            "Claude Desktop"
        } else {
            heading
        };
        let home = Home::new();
        let done = home.json(&["install", host, "https://example.com/mcp", "--json"]);
        let written = std::fs::read_to_string(done["file"].as_str().unwrap()).unwrap();
        let command = done["command"].as_str().unwrap();
        let written = written.replace(command, "/usr/local/bin/mcp-tether");
        assert_eq!(written, block(heading), "{host}");
    }
}
