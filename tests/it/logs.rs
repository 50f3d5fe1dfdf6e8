//! stderr and the log file: quiet unless asked, and never a secret.

use std::path::Path;

use serde_json::Value;

use crate::sse::HELLO;
use crate::support::http::Response;
use crate::support::launch::Launch;
use crate::support::mcp::{Legacy, LegacyPlan, initialize_result};
use crate::support::server::{Peer, Plan};
use crate::support::tether::Tether;

fn talk(tether: &Tether) {
    tether.initialize();
    tether.ask("1", "tools/list", "{}").result();
    tether.call("2", "echo", r#"{"text":"x"}"#).result();
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn a_normal_run_says_nothing() {
    for plan in [
        LegacyPlan::default(),
        LegacyPlan::default().listens().streams(),
    ] {
        let mcp = plan.serve();
        let mut tether = Tether::to(&mcp);
        talk(&tether);
        tether.close_stdin();
        assert_eq!(tether.wait(), 0);
        assert_eq!(tether.stderr(), "");
    }
}

#[test]
fn debug_tells_on_stderr_and_in_a_file() {
    let mcp = Legacy::new();
    let mut tether = Launch::to(&mcp).arg("--debug").start();
    talk(&tether);
    tether.close_stdin();
    assert_eq!(tether.wait(), 0);
    let stderr = tether.stderr();
    assert!(
        stderr.lines().all(|line| line.starts_with("mcp-tether: ")),
        "{stderr}"
    );
    assert!(stderr.contains("debug: "), "{stderr}");
    let log = read(&tether.home().join("tether/state/mcp-tether.log"));
    let pid = format!("[{}]", tether.pid());
    assert!(log.lines().all(|line| line.contains(&pid)), "{log}");
    assert!(log.lines().count() > 3, "{log}");
}

#[cfg(unix)]
#[test]
fn the_folder_of_the_log_is_closed_to_others_unless_it_was_there() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let launch = Launch::new().args(["status", "--debug"]);
    let home = launch.keep_home();
    assert_eq!(launch.run("").code, Some(0));
    for folder in ["tether", "tether/state"] {
        assert_eq!(mode(&home.path().join(folder)), 0o700, "{folder}");
    }
    let open = home.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o755)).unwrap();
    let launch = Launch::new().at_home(&home);
    let output = launch.args(["status", "--log-file", "open/a.log"]).run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(mode(&open), 0o755);
}

#[test]
fn a_log_file_leaves_stderr_quiet() {
    let mcp = Legacy::new();
    let mut tether = Launch::to(&mcp)
        .args(["--log-file", "logs/own.log"])
        .start();
    talk(&tether);
    tether.close_stdin();
    assert_eq!(tether.wait(), 0);
    assert_eq!(tether.stderr(), "");
    let path = tether.home().join("logs/own.log");
    assert!(read(&path).contains("debug: "));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert!(!tether.home().join("tether").exists());
}

#[test]
fn json_logs_are_one_object_a_line() {
    let mcp = Legacy::new();
    let mut tether = Launch::to(&mcp)
        .args(["--debug", "--log-format", "json", "--log-file", "a.log"])
        .start();
    tether.send_raw("{\"access_token\": \"nonsense\n");
    talk(&tether);
    tether.close_stdin();
    assert_eq!(tether.wait(), 0);
    for text in [tether.stderr(), read(&tether.home().join("a.log"))] {
        assert!(text.lines().count() > 3, "{text}");
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
            for key in ["timestamp", "level", "message"] {
                assert!(line[key].is_string(), "{line}");
            }
        }
    }
}

#[test]
fn silent_says_nothing_but_why_it_ends() {
    let mcp = Legacy::new();
    let tether = Launch::to(&mcp).args(["--silent", "--insecure"]).start();
    tether.send_raw("nonsense\n");
    talk(&tether);
    assert_eq!(tether.stderr(), "");
    assert_eq!(tether.finish(), 0);
    let output = Launch::new().args(["nowhere", "--silent"]).run("");
    assert_eq!(output.code, Some(2));
    assert!(output.stderr.contains("nowhere"), "{output:?}");
}

#[test]
fn colour_is_asked_for() {
    let mcp = Legacy::new();
    for (color, wanted) in [("always", true), ("never", false), ("auto", false)] {
        let tether = Launch::to(&mcp)
            .args(["--color", color, "--insecure"])
            .start();
        talk(&tether);
        let stderr = tether.wait_stderr("--insecure");
        assert_eq!(stderr.contains('\x1b'), wanted, "{stderr:?}");
        assert_eq!(tether.finish(), 0);
    }
}

#[test]
fn no_secret_is_ever_written() {
    let mcp = LegacyPlan::default().listens().lenient().serve();
    let session = "s3cret-session";
    mcp.on("initialize", move |call| async move {
        call.reply(&initialize_result("2025-11-25"))
            .header("mcp-session-id", session)
            .header("set-cookie", "c=s3cret-cookie")
    });
    mcp.admit(session);
    for status in [500, 401, 403, 404, 429] {
        let body = format!("{status} s3cret-body");
        mcp.times(1, "resources/read", move |_| {
            let body = body.clone();
            async move { Response::of(status, "text/plain", body) }
        });
    }
    mcp.times(1, "resources/read", |_| async { Response::reset() });
    mcp.times(1, "resources/read", |_| async {
        Response::status(307).header("location", "https://x.invalid/?a=s3cret-location")
    });
    let url = format!("{}?token=s3cret-query&s3cret-bare", mcp.url());
    let mut tether = Launch::new()
        .arg(url)
        .watch(&mcp)
        .args([
            "--debug",
            "--log-file",
            "a.log",
            "--header",
            "X-Key: s3cret-header",
        ])
        .args(["--header", "Authorization: Bearer ${TOKEN}"])
        .args(["--header-command", "echo X-Cmd: s3cret-command"])
        .env("TOKEN", "s3cret-token")
        .start();
    talk(&tether);
    for id in 10..18 {
        let answer = tether.ask(&id.to_string(), "resources/read", r#"{"uri":"s3cret:uri"}"#);
        let clean = answer.text.replace("s3cret-body", "");
        assert!(!clean.contains("s3cret"), "{}", answer.text);
    }
    mcp.listening(1).cut();
    mcp.listening(2);
    tether.close_stdin();
    assert_eq!(tether.wait(), 0);
    let (stderr, log) = (tether.stderr(), read(&tether.home().join("a.log")));
    assert!(stderr.contains("debug: ") && log.contains("debug: "));
    for text in [stderr, log] {
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[test]
fn an_unreachable_server_is_named_without_its_secrets() {
    let server = Plan::default()
        .down()
        .serve(|_| async { Response::accepted() });
    server.allow_idle();
    let url = format!("{}?token=s3cret-query&s3cret-bare#s3cret", server.url());
    let tether = Launch::new()
        .args([
            &url,
            "--debug",
            "--initialize-wait",
            "0",
            "--header",
            "X-Key: s3cret",
        ])
        .start();
    let error = tether.ask("1", "initialize", HELLO);
    assert_eq!(error.code(), -31001);
    let stderr = tether.wait_stderr("cannot reach");
    for text in [error.text, stderr] {
        assert!(!text.contains("s3cret") && text.contains("token"), "{text}");
    }
    assert_eq!(tether.finish(), 0);
}
