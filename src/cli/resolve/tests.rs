use std::ffi::OsString;

use super::{Unresolved, resolve};
use crate::cli::args::{Bridge, Command, Transport};

fn with(args: &[&str], env: &[(&str, &str)], file: &str) -> Result<Bridge, Unresolved> {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("config.toml"), file).unwrap();
    let argv: Vec<OsString> = std::iter::once("mcp-tether")
        .chain(args.iter().copied())
        .map(OsString::from)
        .collect();
    let home = home.path().to_str().unwrap().to_owned();
    let command = resolve(&argv, &|name: &str| {
        if name == "MCP_TETHER_HOME" {
            return Some(home.clone());
        }
        env.iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).to_owned())
    })?;
    let Command::Run(bridge) = command else {
        panic!("another command: {command:?}");
    };
    Ok(bridge)
}

fn wrong(args: &[&str], env: &[(&str, &str)], file: &str) -> String {
    match with(args, env, file).unwrap_err() {
        Unresolved::Said(said) => said.to_string(),
        Unresolved::Wrong(fatal) => {
            format!("{} | {}", fatal.message, fatal.hint.unwrap_or_default())
        }
    }
}

const FILE: &str = "[defaults]\ngrace = 1\nignore-tool = [\"d*\"]\n[servers.a]\nurl = \"https://a.example/mcp\"\ntransport = \"sse-only\"\ninsecure = true\n";

#[test]
fn flag_beats_environment_beats_file_beats_default() {
    let file = with(&["a"], &[], FILE).unwrap();
    assert_eq!(file.server.as_deref(), Some("https://a.example/mcp"));
    assert_eq!(file.remote.transport, Transport::SseOnly);
    assert!(file.network.insecure);
    assert_eq!(file.remote.grace.0.as_secs(), 1);
    assert_eq!(file.filter.ignore_tool, ["d*"]);
    assert_eq!(file.remote.initialize_wait.0.as_secs(), 8);

    let env = [
        ("MCP_TETHER_TRANSPORT", "sse-first"),
        ("MCP_TETHER_INSECURE", "0"),
        ("MCP_TETHER_IGNORE_TOOL", "x\ny"),
    ];
    let environment = with(&["a"], &env, FILE).unwrap();
    assert_eq!(environment.remote.transport, Transport::SseFirst);
    assert!(!environment.network.insecure);
    assert_eq!(environment.filter.ignore_tool, ["x", "y"]);

    let flags = [
        "--transport=http-only",
        "a",
        "--ignore-tool",
        "z",
        "--grace",
        "2",
        "--grace",
        "3",
    ];
    let typed = with(&flags, &env, FILE).unwrap();
    assert_eq!(typed.remote.transport, Transport::HttpOnly);
    assert_eq!(typed.filter.ignore_tool, ["z"]);
    assert_eq!(typed.remote.grace.0.as_secs(), 3, "the last one wins");
}

#[test]
fn run_is_the_same_as_the_server_alone() {
    let run = with(&["run", "a", "--read-only"], &[], FILE).unwrap();
    assert!(run.filter.read_only && run.network.insecure);
    let url = with(&["https://b.example/mcp"], &[], FILE).unwrap();
    assert_eq!(url.server.as_deref(), Some("https://b.example/mcp"));
    assert_eq!(url.remote.transport, Transport::HttpFirst);
    assert_eq!(
        url.remote.grace.0.as_secs(),
        1,
        "defaults hold for a plain URL too"
    );
}

#[test]
fn what_is_said_after_an_address_is_said_by_the_whole_definition() {
    let said: [&[&str]; 6] = [
        &["--help"],
        &["--version"],
        &["--nope"],
        &["login"],
        &["--transport", "x"],
        &["--ipv4", "--ipv6"],
    ];
    for rest in said {
        let args = [&["https://a.example/mcp"], rest].concat();
        let argv = [&["mcp-tether"], &args[..]].concat();
        let whole = crate::cli::args::command().try_get_matches_from(argv);
        assert_eq!(wrong(&args, &[], ""), whole.unwrap_err().to_string());
    }
}

#[test]
fn mistakes_name_what_is_wrong_and_where() {
    assert!(wrong(&["a", "--transprot", "x"], &[], FILE).contains("--transport"));
    assert!(wrong(&["b"], &[], FILE).contains("neither a URL nor a server"));
    assert!(wrong(&["run"], &[], FILE).contains("no server given"));
    let env = wrong(&["a"], &[("MCP_TETHER_GRACE", "soon")], FILE);
    assert!(
        env.starts_with("MCP_TETHER_GRACE: ") && env.contains("soon"),
        "{env}"
    );
    let file = wrong(
        &["https://a"],
        &[],
        "[defaults]\n\ntransport = \"carrier-pigeon\"\n",
    );
    assert!(
        file.contains("config.toml:3: ") && file.contains("carrier-pigeon"),
        "{file}"
    );
    assert!(
        wrong(&["https://a", "--config", "/nonexistent/x.toml"], &[], "")
            .contains("/nonexistent/x.toml")
    );
    assert!(wrong(&["https://a", "--ipv4", "--ipv6"], &[], "").contains("--ipv6"));
}
