//! Links that stand where a file is going to be, and what others may read.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::support::launch::Launch;
use crate::support::mcp::Legacy;
use crate::support::scene::Scene;
use crate::support::server::Peer;

fn mode(path: &Path) -> u32 {
    let of_itself = fs::symlink_metadata(path).unwrap();
    assert!(!of_itself.is_symlink(), "{} is a link", path.display());
    of_itself.permissions().mode() & 0o777
}

/// Puts a link in the place of a file; what it leads to, and what that says.
fn baited(path: &Path) -> (std::path::PathBuf, Vec<u8>) {
    let bait = path.with_extension("bait");
    fs::rename(path, &bait).unwrap();
    symlink(&bait, path).unwrap();
    let said = fs::read(&bait).unwrap();
    (bait, said)
}

#[test]
fn a_link_in_place_of_a_sign_in_is_replaced_and_not_written_through() {
    let scene = Scene::new();
    drop(scene.signed_in());
    let mut files = scene.records();
    files.push(scene.home().join("credentials/index.json"));
    files.retain(|path| path.exists());
    let baits: Vec<_> = files.iter().map(|path| baited(path)).collect();
    scene.auth.end_access();
    let tether = scene.again();
    tether.call("1", "echo", "{}").result();
    assert_eq!(scene.auth.refreshes(), 1);
    assert_eq!(mode(&files[0]), 0o600);
    for (bait, said) in baits {
        assert_eq!(fs::read(&bait).unwrap(), said, "{}", bait.display());
    }
}

#[test]
fn a_link_in_place_of_a_report_is_replaced_and_not_written_through() {
    let mcp = Legacy::new();
    let launch = Launch::new()
        .watch(&mcp)
        .args(["doctor".to_owned(), mcp.url()]);
    let launch = launch.args(["--report", "report.json"]);
    let (bait, report) = (
        launch.home().join("bait"),
        launch.home().join("report.json"),
    );
    let home = launch.keep_home();
    fs::write(&bait, "mine").unwrap();
    symlink(&bait, &report).unwrap();
    launch.env("MCP_TETHER_STORE", "file").run("");
    assert_eq!(fs::read_to_string(&bait).unwrap(), "mine");
    assert_eq!(mode(&report), 0o600);
    drop(home);
}

#[test]
fn a_log_and_its_folders_are_for_this_user_alone() {
    let mcp = Legacy::new();
    let tether = Launch::to(&mcp).arg("--debug").start();
    tether.initialize();
    let state = tether.home().join("tether/state");
    assert_eq!(mode(&state), 0o700);
    assert_eq!(mode(&state.join("mcp-tether.log")), 0o600);
}

#[test]
fn a_file_that_is_nested_too_deeply_is_an_error() {
    const DEEP: usize = 100_000;
    let nested = format!("{}{}", "[".repeat(DEEP), "]".repeat(DEEP));
    for (host, path, text) in [
        ("cursor", ".cursor/mcp.json", format!("{{\"a\":{nested}}}")),
        ("codex", ".codex/config.toml", format!("a={nested}\n")),
        (
            "goose",
            ".config/goose/config.yaml",
            format!("a: {nested}\n"),
        ),
    ] {
        let launch = Launch::new().args(["install", host, "https://x.example/mcp"]);
        let path = launch.home().join(path);
        let home = launch.keep_home();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
        let output = launch.run("");
        assert_eq!(output.code, Some(1), "{host}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        drop(home);
    }
}
