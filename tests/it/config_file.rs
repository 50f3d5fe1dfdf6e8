//! The config file, the environment and flags: who wins, and what is wrong with a file.

use std::path::PathBuf;

use crate::support::launch::{Launch, Output};
use crate::support::mcp::Legacy;
use crate::support::server::Peer;

/// A launch whose own config file has that text.
fn with_config(text: &str) -> Launch {
    let launch = Launch::new();
    let folder = launch.home().join("tether");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), text).unwrap();
    launch
}

fn other_config(launch: &Launch, text: &str) -> PathBuf {
    let path = launch.home().join("other.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// The headers x-a, x-b and so on that the handshake carried.
fn sent(mcp: &Legacy, launch: Launch) -> Vec<(String, String)> {
    let tether = launch.watch(mcp).start();
    tether.initialize();
    assert_eq!(tether.stderr(), "");
    assert_eq!(tether.finish(), 0);
    let request = mcp.calls("initialize").pop().unwrap();
    let ours = request
        .headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-"));
    ours.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    pairs.iter().map(owned).collect()
}

fn refused(output: &Output, words: &[&str]) {
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (Some(2), ""),
        "{output:?}"
    );
    for word in words {
        assert!(output.stderr.contains(word), "no {word:?}: {output:?}");
    }
}

#[test]
fn a_named_server_stands_where_a_url_stands() {
    let mcp = Legacy::new();
    let url = mcp.url();
    let text = format!(
        "[defaults]\nheader = [\"X-A: default\"]\n\n[servers.here]\nurl = \"{url}\"\nheader = [\"X-B: own\"]\n\n[servers.plain]\nurl = \"{url}\"\n"
    );
    let found = sent(&mcp, with_config(&text).arg("here"));
    assert_eq!(found, pairs(&[("x-b", "own")]));
    let found = sent(&mcp, with_config(&text).args(["run", "plain"]));
    assert_eq!(found, pairs(&[("x-a", "default")]));
    let found = sent(&mcp, with_config(&text).arg(&url));
    assert_eq!(found, pairs(&[("x-a", "default")]));
}

#[test]
fn flag_then_environment_then_file_then_default() {
    let mcp = Legacy::new();
    let url = mcp.url();
    let text = format!("[servers.s]\nurl = \"{url}\"\nheader = \"X-From: file\"\n");
    let found = sent(&mcp, with_config(&text).arg("s"));
    assert_eq!(found, pairs(&[("x-from", "file")]));
    let env = || {
        with_config(&text)
            .arg("s")
            .env("MCP_TETHER_HEADER", "X-From: env")
    };
    assert_eq!(sent(&mcp, env()), pairs(&[("x-from", "env")]));
    let found = sent(&mcp, env().args(["--header", "X-From: flag"]));
    assert_eq!(found, pairs(&[("x-from", "flag")]));
}

#[test]
fn another_file_can_be_given() {
    let mcp = Legacy::new();
    let text = format!(
        "[servers.s]\nurl = \"{}\"\nheader = [\"X-A: other\"]\n",
        mcp.url()
    );
    let launch = with_config("[servers.s]\nurl = \"https://mcp.invalid/\"\n");
    let path = other_config(&launch, &text);
    let found = sent(&mcp, launch.arg("s").arg("--config").arg(&path));
    assert_eq!(found, pairs(&[("x-a", "other")]));
    let launch = Launch::new();
    let path = other_config(&launch, &text);
    let found = sent(&mcp, launch.arg("s").env("MCP_TETHER_CONFIG", path));
    assert_eq!(found, pairs(&[("x-a", "other")]));
    let missing = Launch::new()
        .args(["s", "--config", "/no/such.toml"])
        .run("");
    refused(&missing, &["/no/such.toml"]);
}

#[test]
fn switches_and_single_values_of_each_source() {
    let mcp = Legacy::new();
    let url = mcp.url();
    // Without a session the server refuses the ping that gets through.
    let limited = |launch: Launch| {
        let tether = launch.watch(&mcp).start();
        let padding = "x".repeat(2000);
        let params = format!(r#"{{"x":"{padding}"}}"#);
        let refused = tether.ask("1", "ping", &params).code() == -31007;
        assert_eq!(tether.finish(), 0);
        refused
    };
    let open = || with_config("[defaults]\nmax-message-size = 1024\n").arg(&url);
    assert!(limited(open()));
    assert!(limited(
        Launch::new()
            .arg(&url)
            .env("MCP_TETHER_MAX_MESSAGE_SIZE", "1KiB")
    ));
    let raised = open().env("MCP_TETHER_MAX_MESSAGE_SIZE", "1MiB");
    assert!(!limited(raised));
    let last = open().args(["--max-message-size=2MiB", "--max-message-size=1MiB"]);
    assert!(!limited(last));
    for (value, on) in [("1", true), ("true", true), ("0", false), ("false", false)] {
        let launch = Launch::new()
            .arg("http://mcp.invalid/")
            .env("MCP_TETHER_ALLOW_HTTP", value);
        let code = if on { 0 } else { 2 };
        assert_eq!(launch.run("").code, Some(code), "{value}");
        let file = with_config("[defaults]\nallow-http = true\n");
        let launch = file
            .arg("http://mcp.invalid/")
            .env("MCP_TETHER_ALLOW_HTTP", value);
        assert_eq!(launch.run("").code, Some(code), "{value}");
    }
    let wrong = Launch::new()
        .arg(&url)
        .env("MCP_TETHER_ALLOW_HTTP", "perhaps")
        .run("");
    refused(&wrong, &["MCP_TETHER_ALLOW_HTTP"]);
    let wrong = Launch::new()
        .arg(&url)
        .env("MCP_TETHER_TRANSPORT", "carrier-pigeon")
        .run("");
    refused(&wrong, &["MCP_TETHER_TRANSPORT", "carrier-pigeon"]);
    let url_of_env = Launch::new()
        .env("MCP_TETHER_GRACE", "soon")
        .arg(&url)
        .run("");
    refused(&url_of_env, &["MCP_TETHER_GRACE"]);
}

#[test]
fn an_option_wins_over_a_lower_sources_opposite() {
    let url = "https://mcp.invalid/mcp";
    let table = [
        ("proxy = \"http://127.0.0.1:1\"", "--no-proxy"),
        ("no-proxy = true", "--proxy=http://127.0.0.1:1"),
        ("ipv4 = true", "--ipv6"),
        ("silent = true", "--debug"),
    ];
    for (setting, flag) in table {
        let launch = with_config(&format!("[defaults]\n{setting}\n"));
        let output = launch.args([url, flag]).run("");
        assert_eq!(output.code, Some(0), "{setting} {flag}: {output:?}");
    }
    let output = with_config("[defaults]\nipv4 = true\n")
        .env("MCP_TETHER_IPV6", "1")
        .arg(url)
        .run("");
    assert_eq!(output.code, Some(0), "{output:?}");
}

#[test]
fn what_is_wrong_in_the_file_is_named_with_its_line() {
    let table = [
        (
            "[defaults]\nignor-tool = [\"x\"]\n",
            vec!["config.toml:2", "ignor-tool", "ignore-tool"],
        ),
        ("[default]\n", vec!["config.toml:1", "defaults"]),
        ("\n[servers.x]\nheader = []\n", vec!["config.toml:2", "url"]),
        (
            "[servers.run]\nurl = \"https://x.invalid\"\n",
            vec!["config.toml:1", "run"],
        ),
        (
            "[defaults]\n\ngrace = \"soon\"\n",
            vec!["config.toml:3", "soon"],
        ),
        (
            "[defaults]\nread-only = \"yes\"\n",
            vec!["config.toml:2", "read-only"],
        ),
        (
            "[defaults]\ntransport = [\"http-only\"]\n",
            vec!["config.toml:2", "transport"],
        ),
        ("[defaults\n", vec!["config.toml:1"]),
        (
            "[defaults]\nconfig = \"x\"\n",
            vec!["config.toml:2", "config"],
        ),
    ];
    for (text, words) in table {
        let output = with_config(text).arg("https://mcp.invalid/").run("");
        refused(&output, &words);
        assert!(output.stderr.contains("hint: "), "{output:?}");
    }
}

#[test]
fn an_unknown_server_is_named_with_the_nearest() {
    let text = "[servers.linear]\nurl = \"https://x.invalid\"\n";
    refused(
        &with_config(text).arg("linaer").run(""),
        &["linaer", "\"linear\"?"],
    );
    refused(&Launch::new().arg("linear").run(""), &["linear", "hint: "]);
}
