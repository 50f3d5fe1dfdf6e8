//! What was typed: names, options, secrets, projects, lists, and what is refused.

use serde_json::json;

use super::{Home, URL, refused};
use crate::support::mcp::Legacy;
use crate::support::server::Peer;

#[test]
fn the_entry_starts_a_bridge_that_reaches_the_server() {
    let mcp = Legacy::new();
    let home = Home::new();
    home.ok(&[
        "install",
        "cursor",
        &mcp.url(),
        "--name",
        "here",
        "--header",
        "X-Api-Key: hush",
    ]);
    let file: serde_json::Value = serde_json::from_str(&home.read(".cursor/mcp.json")).unwrap();
    let entry = &file["mcpServers"]["here"];
    let mut launch = crate::support::launch::Launch::program(entry["command"].as_str().unwrap());
    for arg in entry["args"].as_array().unwrap() {
        launch = launch.arg(arg.as_str().unwrap());
    }
    for (name, value) in entry["env"].as_object().unwrap() {
        launch = launch.env(name, value.as_str().unwrap());
    }
    let tether = launch.watch(&mcp).start();
    tether.initialize();
    assert_eq!(tether.finish(), 0);
    let request = mcp.calls("initialize").pop().unwrap();
    assert_eq!(request.headers["x-api-key"], "hush");
}

#[test]
fn a_secret_does_not_stand_in_arguments_and_not_in_output() {
    let home = Home::new();
    for host in ["cursor", "claude-code", "codex", "goose"] {
        let args = [
            "install",
            host,
            URL,
            "--header",
            "Authorization: Bearer hush",
        ];
        let output = home.ok(&args);
        assert!(output.stderr.contains("--header-file"), "{output:?}");
        assert!(
            !output.stdout.contains("hush") && !output.stderr.contains("hush"),
            "{output:?}"
        );
        let told = home.json(&[&args[..], &["--json"]].concat());
        assert!(!told.to_string().contains("hush"), "{told}");
    }
}

#[test]
fn what_is_there_under_that_name_is_not_replaced_unasked() {
    let home = Home::new();
    let text = "{\"mcpServers\": {\"linear\": {\"command\": \"npx\"}, \"other\": {\"url\": \"https://x\"}}}";
    home.write(".cursor/mcp.json", text);
    for name in ["linear", "other"] {
        let output = home.run(&["install", "cursor", URL, "--name", name]);
        refused(
            &output,
            2,
            &["something else under the name", "--name", "--force"],
        );
    }
    assert_eq!(home.read(".cursor/mcp.json"), text);
    home.ok(&["install", "cursor", URL, "--force"]);
    let output = home.run(&["install", "cursor", "https://mcp.linear.app/sse"]);
    refused(&output, 2, &["another server under the name"]);
    let output = home.ok(&["install", "cursor", URL, "--silent"]);
    assert!(
        output.stdout.starts_with("linear updated in Cursor"),
        "{output:?}"
    );
}

#[test]
fn only_our_entries_are_removed_unasked() {
    let home = Home::new();
    home.write(
        ".cursor/mcp.json",
        "{\"mcpServers\": {\"x\": {\"command\": \"npx\"}}}",
    );
    refused(
        &home.run(&["uninstall", "cursor", "x"]),
        2,
        &["not one of mcp-tether", "--force"],
    );
    refused(
        &home.run(&["uninstall", "cursor", "y"]),
        1,
        &["no entry \"y\"", "install --list cursor"],
    );
    home.ok(&["uninstall", "cursor", "x", "--force"]);
    assert!(!home.read(".cursor/mcp.json").contains("npx"));
    home.ok(&["install", "cursor", URL]);
    let output = home.ok(&["uninstall", "cursor", "linear"]);
    assert!(
        !output.stderr.contains("switch the server on"),
        "{output:?}"
    );
    assert!(output.stderr.contains("start Cursor again"), "{output:?}");
    assert!(
        output.stderr.contains(&format!("mcp-tether logout {URL}")),
        "{output:?}"
    );
}

#[test]
fn a_project_has_its_own_file_and_no_secrets_in_it() {
    let home = Home::new();
    home.ok(&["install", "claude-code", URL, "--project"]);
    assert!(home.read(".mcp.json").contains(URL));
    let secret = ["--header", "Authorization: Bearer hush"];
    let output = home.run(&[&["install", "vscode", URL, "--project"], &secret[..]].concat());
    refused(
        &output,
        2,
        &["a secret does not belong in the project's file", "${TOKEN}"],
    );
    let variable = ["--header", "Authorization: Bearer ${TOKEN}"];
    let output = home.ok(&[&["install", "vscode", URL, "--project"], &variable[..]].concat());
    assert!(
        output
            .stderr
            .contains("TOKEN has to be in the environment of VS Code"),
        "{output:?}"
    );
    assert!(home.read(".vscode/mcp.json").contains("Bearer ${TOKEN}"));
    let output = home.run(&["install", "claude-desktop", URL, "--project"]);
    refused(&output, 2, &["has no file for single projects"]);
    home.ok(&["uninstall", "claude-code", "linear", "--project"]);
    assert!(!home.read(".mcp.json").contains(URL));
}

#[test]
fn a_header_with_spaces_is_no_secret() {
    let home = Home::new();
    let header = ["--header", "X-Team: blue and green"];
    for host in ["cursor", "claude-code"] {
        let output = home.ok(&[&["install", host, URL, "--project"], &header[..]].concat());
        assert!(!output.stderr.contains("secret"), "{output:?}");
    }
    for file in [".cursor/mcp.json", ".mcp.json"] {
        assert!(home.read(file).contains("blue and green"));
    }
    let secret = ["--header", "X-Team: Bearer 0123abcd"];
    let output = home.run(&[&["install", "cursor", URL, "--project"], &secret[..]].concat());
    refused(&output, 2, &["a secret does not belong"]);
}

#[test]
fn what_looks_like_a_secret_in_a_projects_file_is_told() {
    let home = Home::new();
    let install = |project: &[&str]| {
        let url = "https://mcp.linear.app/mcp?api_key=hush";
        let words = ["--authorize-param", "login_token=hush", "--force"];
        let output = home.ok(&[&["install", "cursor", url], &words[..], project].concat());
        assert!(!output.stderr.contains("hush"), "{output:?}");
        output.stderr
    };
    let told = install(&["--project", "--header-command", "cat headers"]);
    for wanted in [
        "the URL has what looks like a secret",
        "--authorize-param has what looks like a secret",
        "runs the command of --header-command",
    ] {
        assert!(told.contains(wanted), "{told}");
    }
    assert!(!install(&[]).contains("looks like a secret"));
    let output = home.ok(&["install", "cursor", URL, "--project", "--force"]);
    assert!(!output.stderr.contains("secret"), "{output:?}");
}

#[test]
fn a_dry_run_shows_no_secret_of_other_entries() {
    let home = Home::new();
    let text = r#"{
  "mcpServers": {
    "other": {
      "command": "npx",
      "args": ["--access-token", "hush1", "X-Api-Key: hush2", "https://a.example/?key=hush3"],
      "env": { "SLACK_TOKEN": "hush4", "TEAM": "blue" }
    }
  }
}
"#;
    let path = home.write(".cursor/mcp.json", text);
    let args = ["install", "cursor", URL, "--dry-run"];
    for output in [home.ok(&args), home.ok(&[&args[..], &["--json"]].concat())] {
        assert!(output.stdout.contains("TEAM"), "{output:?}");
        assert!(output.stdout.contains("(redacted)"), "{output:?}");
        assert!(!output.stdout.contains("hush"), "{output:?}");
    }
    home.ok(&args[..3]);
    let after = home.read(".cursor/mcp.json");
    assert_eq!(after.matches("hush").count(), 4, "{after}");
    assert!(path.exists());
}

#[test]
fn a_dry_run_shows_no_password_of_a_url() {
    let home = Home::new();
    let text = "{\"mcpServers\":{\"db\":{\"command\":\"x\",\"args\":[\"postgresql://user:hush@localhost/db\"]}}}\n";
    home.write(".cursor/mcp.json", text);
    let proxy = ["--proxy", "http://me:hush@proxy:8080"];
    let output = home.ok(&[&["install", "cursor", URL, "--dry-run"], &proxy[..]].concat());
    assert!(
        output.stdout.contains("http://me:(redacted)@proxy:8080"),
        "{output:?}"
    );
    assert!(!output.stdout.contains("hush"), "{output:?}");
    let url = "https://auth.corp.example:8443/mcp";
    let output = home.ok(&["install", "cursor", url, "--project", "--dry-run"]);
    assert!(output.stdout.contains(url), "{output:?}");
    assert!(!output.stderr.contains("secret"), "{output:?}");
}

#[test]
fn a_file_that_would_hide_another_is_not_made() {
    let home = Home::new();
    home.write(".github/mcp.json", "{}");
    let output = home.run(&["install", "claude-code", URL, "--project"]);
    refused(
        &output,
        2,
        &[".github/mcp.json would no longer be read", "--force"],
    );
    home.ok(&["install", "copilot-cli", URL, "--project"]);
    assert!(home.read(".github/mcp.json").contains(URL));
    assert!(!home.path(".mcp.json").exists());
    home.write(".continue/config.json", "{}");
    refused(
        &home.run(&["install", "continue", URL]),
        2,
        &["config.json would no longer be read"],
    );
}

#[test]
fn a_variable_of_the_host_survives() {
    let home = Home::new();
    let output = home.ok(&[
        "install",
        "vscode",
        URL,
        "--header",
        "Authorization: Bearer ${input:token}",
    ]);
    assert!(!output.stderr.contains("input:token"), "{output:?}");
    assert!(
        home.read(".config/Code/User/mcp.json")
            .contains("Bearer ${input:token}")
    );
    let output = home.ok(&["install", "cursor", URL, "--header", "A: ${input:token}"]);
    assert!(
        output
            .stderr
            .contains("Cursor does not know ${input:token}"),
        "{output:?}"
    );
    let output = home.ok(&["install", "claude-code", URL, "--header", "A: ${TOKEN}"]);
    assert!(
        output
            .stderr
            .contains("Claude Code replaces variables itself"),
        "{output:?}"
    );
}

#[test]
fn a_server_of_the_config_file_is_installed_by_its_name() {
    let home = Home::new();
    home.write(
        "tether/config.toml",
        &format!("[servers.work]\nurl = \"{URL}\"\n"),
    );
    home.ok(&["install", "cursor", "work"]);
    let file: serde_json::Value = serde_json::from_str(&home.read(".cursor/mcp.json")).unwrap();
    let config = home.path("tether/config.toml");
    assert_eq!(
        file["mcpServers"]["work"]["args"],
        json!(["work", "--config", config])
    );
    refused(&home.run(&["install", "cursor", "home"]), 2, &["home"]);
}

#[test]
fn mistakes_are_told_before_anything_is_written() {
    let home = Home::new();
    let table: [(&[&str], &str); 8] = [
        (&["install"], "HOST"),
        (&["install", "notepad", URL], "notepad"),
        (&["install", "cursor"], "no server given"),
        (&["install", "cursor", "ftp://x"], "is not an http"),
        (&["install", "cursor", URL, "--nmae", "x"], "--name"),
        (
            &["install", "cursor", URL, "--name", "a/b"],
            "letters, digits",
        ),
        (
            &["install", "cursor", URL, "--header", "nonsense"],
            "no colon",
        ),
        (&["uninstall", "cursor"], "NAME"),
    ];
    for (args, word) in table {
        refused(&home.run(args), 2, &[word]);
    }
    assert!(home.names("").is_empty(), "{:?}", home.names(""));
}

#[test]
fn hosts_and_their_servers_are_listed() {
    let home = Home::new();
    let output = home.ok(&["install", "--list"]);
    assert_eq!(output.stdout, "");
    assert!(output.stderr.contains("no hosts found"), "{output:?}");
    home.ok(&["install", "cursor", "https://mcp.linear.app/mcp?key=hush"]);
    home.write(
        ".claude.json",
        "{\"mcpServers\": {\"old\": {\"command\": \"npx\", \"args\": [\"-y\", \"mcp-remote@latest\", \"https://old.example/sse\"]}, \"far\": {\"url\": \"https://far.example\"}}, \"projects\": {\"/p\": {\"mcpServers\": {\"f\\u001b[31mx\": {\"command\": \"files\"}}}}}",
    );
    home.write(".config/zed/settings.json", "{\n \"a\" 1}");
    std::fs::create_dir(home.path(".kiro")).unwrap();
    let output = home.ok(&["install", "--list"]);
    for words in [
        "Cursor (cursor)\n",
        "\n  linear  mcp-tether  https://mcp.linear.app/mcp?key=..\n",
        "\n  old  mcp-remote  https://old.example/sse\n",
        "\n  fx   files  in /p\n",
        "\n  cannot be read: line 2, column ",
    ] {
        assert!(
            output.stdout.contains(words),
            "no {words:?}: {}",
            output.stdout
        );
    }
    assert!(
        !output.stdout.contains("hush") && !output.stdout.contains('\u{1b}'),
        "{output:?}"
    );
    let listed = home.json(&["install", "--list", "claude-code", "--json"]);
    let servers = listed[0]["servers"].as_array().unwrap();
    let kinds: Vec<&str> = servers
        .iter()
        .map(|server| server["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["mcp-remote", "other"]);
    assert_eq!(servers[1]["folder"], "/p");
}

#[test]
fn json_has_stable_names() {
    let home = Home::new();
    let told = home.json(&["install", "goose", URL, "--json"]);
    assert_eq!(told["host"], "goose");
    assert_eq!(told["name"], "linear");
    assert_eq!(told["done"], "added");
    assert_eq!(told["args"], json!([URL]));
    assert_eq!(told["backup"], json!(null));
    let told = home.json(&["install", "goose", URL, "--json"]);
    assert_eq!(told["done"], "unchanged");
    let told = home.json(&["uninstall", "goose", "linear", "--dry-run", "--json"]);
    assert_eq!(
        (&told["done"], &told["dryRun"]),
        (&json!("removed"), &json!(true))
    );
    assert!(
        told["diff"].as_str().unwrap().contains("-  linear:"),
        "{told}"
    );
}
