//! The store in a real keyring that does not work; `.ci/run` starts one for each of these tests.

use std::process::Command;

use super::{Doctor, run};
use crate::support::launch::Launch;
use crate::support::mcp::Legacy;
use crate::support::server::Peer;

/// What a program says on the bus of the keyring.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn doctor(store: &str) -> Doctor {
    let mcp = Legacy::new();
    let bus = std::env::var_os("DBUS_SESSION_BUS_ADDRESS").unwrap();
    let launch = Launch::new().env("DBUS_SESSION_BUS_ADDRESS", bus);
    let launch = launch.args(["doctor", &mcp.url(), "--store", store]);
    run(launch.watch(&mcp))
}

/// Asserts that the keyring keeps what it is given, as yet.
fn works() {
    let found = doctor("keyring");
    assert_eq!(found.is("store", "ok")["details"]["store"], "keyring");
}

/// Asserts that the fault is one for who insists on the keyring, and that files take its place for others.
fn recognised(fault: &str, remedy: &str) {
    doctor("keyring").fails("store", fault, 6, remedy);
    let auto = doctor("auto");
    auto.warns("store", fault, remedy);
    assert_eq!(auto.check("store")["details"]["store"], "file");
    assert_eq!(auto.output.code, Some(0), "{:#}", auto.document);
}

#[test]
#[ignore = "needs a keyring of its own"]
fn locked_it_is_recognised() {
    works();
    let login = "array:objpath:/org/freedesktop/secrets/collection/login";
    said(
        "dbus-send",
        &[
            "--session",
            "--print-reply",
            "--dest=org.freedesktop.secrets",
            "/org/freedesktop/secrets",
            "org.freedesktop.Secret.Service.Lock",
            login,
        ],
    );
    recognised("keyring-locked", "unlock");
}

#[test]
#[ignore = "needs a keyring of its own"]
fn hanging_it_is_recognised() {
    works();
    let owner = said(
        "dbus-send",
        &[
            "--session",
            "--print-reply=literal",
            "--dest=org.freedesktop.DBus",
            "/org/freedesktop/DBus",
            "org.freedesktop.DBus.GetConnectionUnixProcessID",
            "string:org.freedesktop.secrets",
        ],
    );
    let daemon = owner.split_whitespace().last().unwrap();
    said("kill", &["-STOP", daemon]);
    let found = std::panic::catch_unwind(|| recognised("keyring-hangs", "prompt of the keyring"));
    // The session waits for its end.
    said("kill", &["-CONT", daemon]);
    found.unwrap_or_else(|wrong| std::panic::resume_unwind(wrong));
}
