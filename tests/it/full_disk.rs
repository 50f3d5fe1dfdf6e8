//! stdout that cannot be written: a command that prints data has failed then, unless its reader left.
#![cfg(target_os = "linux")]

use crate::support::launch::{Launch, Output};
use crate::support::mcp::Legacy;
use crate::support::scene::Scene;
use crate::support::server::Peer;

/// Runs the binary with stdout as the shell's redirection says.
fn redirected(launch: Launch, to: &str, args: &[&str]) -> Output {
    launch
        .args(["-c", &format!("exec \"$@\" {to}"), "sh"])
        .arg(env!("CARGO_BIN_EXE_mcp-tether"))
        .args(args.iter().copied())
        .run("")
}

fn full(args: &[&str]) {
    let output = redirected(Launch::program("sh"), "> /dev/full", args);
    told(&output, args);
}

fn told(output: &Output, args: &[&str]) {
    assert_eq!(output.code, Some(1), "{args:?}: {output:?}");
    let wanted = "mcp-tether: cannot write to stdout: No space left on device";
    assert!(output.stderr.contains(wanted), "{args:?}: {output:?}");
}

#[test]
fn what_cannot_be_written_is_told() {
    let mcp = Legacy::new();
    let url = mcp.url();
    for args in [
        &["--version"][..],
        &["--help"],
        &["call", "--help"],
        &["completions", "bash"],
        &["install", "--list", "cursor"],
        &["install", "--list", "--json"],
        &["install", "cursor", "https://mcp.invalid/", "--dry-run"],
        &["install", "cursor", "https://mcp.invalid/", "--json"],
        &["import", "--json"],
        &["status", "--json"],
        &["logout", "--all", "--json"],
        &["doctor", &url],
        &["doctor", &url, "--json"],
        &["tools", &url],
        &["tools", &url, "--json"],
        &["call", &url, "echo", "text=x"],
        &["call", &url, "echo", "text=x", "--json"],
    ] {
        full(args);
    }
}

#[test]
fn a_sign_in_that_cannot_be_told_is_kept() {
    let scene = Scene::following();
    let url = scene.mcp.url();
    for args in [
        &["login", &url][..],
        &["login", &url, "--json"],
        &["status"],
    ] {
        let launch = scene.around("sh");
        told(&redirected(launch, "> /dev/full", args), args);
    }
    assert_eq!(scene.records().len(), 1);
}

#[test]
fn a_reader_that_left_is_no_failure() {
    for args in [&["--version"][..], &["completions", "bash"]] {
        let output = redirected(Launch::program("sh").closed_stdout(), "", args);
        assert_eq!(
            (output.code, output.stderr.as_str()),
            (Some(0), ""),
            "{args:?}"
        );
    }
}
