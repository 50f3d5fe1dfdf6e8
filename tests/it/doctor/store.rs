//! The store of sign-ins.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::run;
use crate::support::launch::Launch;
use crate::support::mcp::Legacy;
use crate::support::server::Peer;

fn doctor(mcp: &Legacy, store: &str) -> Launch {
    Launch::new()
        .watch(mcp)
        .args(["doctor", &mcp.url(), "--store", store])
}

fn open(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn files_are_written_read_and_deleted() {
    let mcp = Legacy::new();
    let launch = doctor(&mcp, "file");
    let credentials = launch.home().join("tether/credentials");
    let home = launch.home().to_owned();
    let found = run(launch);
    assert_eq!(found.is("store", "ok")["details"]["store"], "file");
    drop((credentials, home));
    run(doctor(&mcp, "memory")).is("store", "ok");
}

#[test]
fn no_trace_is_left() {
    let mcp = Legacy::new();
    let home = std::sync::Arc::new(tempfile::TempDir::new().unwrap());
    run(doctor(&mcp, "file").at_home(&home)).is("store", "ok");
    let credentials = home.path().join("tether/credentials");
    assert_eq!(std::fs::read_dir(credentials).unwrap().count(), 0);
    let index = home.path().join("tether/state/index.json");
    assert!(!index.exists(), "the list of sign-ins knows nothing of it");
}

#[test]
fn without_a_keyring_files_are_used_unless_it_is_insisted_on() {
    let mcp = Legacy::new();
    let found = run(doctor(&mcp, "auto"));
    found.warns("store", "no-keyring", "--store file");
    assert_eq!(found.output.code, Some(0));
    mcp.server.allow_idle();
    run(doctor(&mcp, "keyring")).fails("store", "no-keyring", 6, "--store file");
}

#[test]
fn files_that_others_may_read_are_recognised() {
    let mcp = Legacy::new();
    let home = std::sync::Arc::new(tempfile::TempDir::new().unwrap());
    let credentials = home.path().join("tether/credentials");
    std::fs::create_dir_all(&credentials).unwrap();
    std::fs::write(credentials.join("a.json"), "{}").unwrap();
    open(&credentials, 0o700);
    open(&credentials.join("a.json"), 0o644);
    let found = run(doctor(&mcp, "file").at_home(&home));
    found.warns("files", "open-files", "chmod -R go= ");
    let named = found.check("files")["details"]["open"][0].as_str().unwrap();
    assert!(named.ends_with("a.json"), "{named}");
    open(&credentials.join("a.json"), 0o600);
    run(doctor(&mcp, "file").at_home(&home)).is("files", "ok");
}

#[test]
fn a_folder_that_cannot_be_written_fails_the_store() {
    let mcp = Legacy::new();
    let home = std::sync::Arc::new(tempfile::TempDir::new().unwrap());
    std::fs::create_dir_all(home.path().join("tether")).unwrap();
    // A file where the folder should be: nobody can write there, root included.
    std::fs::write(home.path().join("tether/credentials"), "").unwrap();
    let found = run(doctor(&mcp, "file").at_home(&home));
    found.fails("store", "files", 6, "writable");
    found.is("tools", "ok");
}
