//! `--report`: what others need to understand a problem, and no secret.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::support::scene::Scene;
use crate::support::server::Peer;

/// No part of these may stand in the report.
const SECRETS: [&str; 10] = [
    "s3cret-query",
    "s3cret-user",
    "s3cret-password",
    "s3cret-header",
    "s3cret-env",
    "s3cret-parameter",
    "s3cret-command",
    "s3cret-client",
    "s3cret-config",
    "s3cret-log",
];

#[test]
fn a_report_has_no_secret() {
    let scene = Scene::following();
    let url = format!("{}?key=s3cret-query", scene.mcp.url());
    let output = scene.program().args(["login", &url]).run("");
    assert_eq!(output.code, Some(0), "{output:?}");

    let home = scene.home();
    std::fs::create_dir_all(home.join("state")).unwrap();
    let log = home.join("state/mcp-tether.log");
    let line =
        "Authorization: Bearer s3cret-log\nhttp url=https://h/a?code=s3cret-log\nX s3cret-header\n";
    std::fs::write(&log, line).unwrap();
    let config = home.join("config.toml");
    let text = "[servers.other]\nurl = \"https://other.example/mcp?key=s3cret-config\"\nheader = [\"X-A: s3cret-config\"]\n";
    std::fs::write(&config, text).unwrap();

    let path = home.join("report.json");
    let launch = scene.program().args(["doctor", &url]);
    let launch = launch.arg("--report").arg(&path);
    let launch = launch
        .args(["--header", "X-Api-Key: s3cret-header"])
        .args(["--header", "X-Env: ${S3}"])
        .args(["--authorize-param", "hint=s3cret-parameter"])
        .args([
            "--static-oauth-client-metadata",
            r#"{"software_id":"s3cret-client"}"#,
        ])
        .env("S3", "s3cret-env")
        .env("MCP_TETHER_TOKEN_SECRET", "s3cret-env")
        .env(
            "HTTPS_PROXY",
            "http://s3cret-user:s3cret-password@proxy.invalid:3128/s3",
        )
        .env("NO_PROXY", "corp.invalid")
        .env("TERM", "xterm");
    let output = launch.run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stderr.contains("report.json"), "{output:?}");

    let text = std::fs::read_to_string(&path).unwrap();
    for secret in SECRETS
        .into_iter()
        .map(str::to_owned)
        .chain(scene.auth.secrets())
    {
        assert!(!text.contains(&secret), "{secret}: {text}");
    }
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["doctor"]["verdict"], "ok", "{text}");
    assert_eq!(report["options"]["header"][0], "X-Api-Key: (redacted)");
    assert!(report["options"]["Authorization"].is_null(), "{text}");
    assert_eq!(report["options"]["store"][0], "file");
    assert_eq!(
        report["environment"]["HTTPS_PROXY"],
        "http://proxy.invalid:3128/s3"
    );
    assert_eq!(report["environment"]["MCP_TETHER_STORE"], "file");
    assert_eq!(report["environment"]["TERM"], "xterm");
    assert_eq!(report["configFile"]["servers"]["other"]["url"], "(set)");
    assert_eq!(report["logins"][0]["store"], "file");
    assert!(report["log"].as_array().unwrap().len() >= 3, "{text}");
}

#[test]
fn a_report_that_cannot_be_written_is_an_error() {
    let scene = Scene::new();
    let launch = scene
        .command("doctor")
        .args(["--report", "no/such/folder/report.json"]);
    let output = launch.run("");
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("hint: "), "{output:?}");
}

#[test]
fn a_command_that_prints_headers_is_not_shown() {
    let scene = Scene::new();
    scene.auth.server.allow_idle();
    let path = scene.home().with_file_name("report.json");
    let launch = scene.command("doctor").arg("--report").arg(&path);
    launch
        .args(["--header-command", "echo X-Key: s3cret-command"])
        .run("");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("s3cret-command"), "{text}");
    assert!(text.contains("header-command"), "{text}");
}

#[test]
fn a_report_that_cannot_be_written_is_told_by_its_own_path() {
    let url = "http://127.0.0.1:1/";
    let output = crate::support::launch::run(&["doctor", url, "--report", "no/folder/r"], "");
    assert_eq!(output.code, Some(1), "{output:?}");
    let wanted = "cannot write the report no/folder/r: No such file or directory (os error 2)\n";
    assert!(output.stderr.contains(wanted), "{output:?}");
}
