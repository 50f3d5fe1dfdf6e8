//! With a real keyring, one that holds nothing of value: `.ci/run` starts one for each of these tests.

use std::process::{Command, Output};

use super::LIMIT;
use crate::store::contract::{check, record};
use crate::store::{Folders, Kind, Place, Store, StoreError};

fn folders(home: &tempfile::TempDir) -> Folders {
    Folders {
        credentials: home.path().join("credentials"),
        state: home.path().join("state"),
    }
}

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().unwrap()
}

fn secret_tool(account: &str) -> Output {
    run(
        "secret-tool",
        &["lookup", "service", "mcp-tether", "username", account],
    )
}

#[tokio::test]
#[ignore = "needs a keyring of its own"]
async fn unlocked_does_what_a_store_has_to_do() {
    let home = tempfile::tempdir().unwrap();
    check(&Store::open(Kind::Keyring, &folders(&home)).await.unwrap()).await;
}

#[tokio::test]
#[ignore = "needs a keyring of its own"]
async fn unlocked_is_what_auto_takes_and_others_can_read_it() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(Kind::Auto, &folders(&home)).await.unwrap();
    assert!(matches!(store, Store::Keyring(..)));
    assert!(!secret_tool("probe").status.success(), "the probe is gone");
    let record = record("secret tool");
    let account = record.key.account();
    store.save(&record).await.unwrap();
    let found = secret_tool(&account);
    assert_eq!(found.stdout, record.to_text().expose().as_bytes());
    let again = Store::open(Kind::Keyring, &folders(&home)).await.unwrap();
    assert_eq!(again.load(&record.key).await.unwrap(), Some(record.clone()));
    assert_eq!(again.list().await.unwrap()[0].place, Place::Keyring);
    again.delete(&record.key).await.unwrap();
    assert!(!secret_tool(&account).status.success());
}

#[tokio::test]
#[ignore = "needs a keyring of its own"]
async fn locked_is_told_and_auto_takes_files() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(Kind::Keyring, &folders(&home)).await.unwrap();
    let record = record("locked");
    store.save(&record).await.unwrap();
    let lock = run(
        "dbus-send",
        &[
            "--session",
            "--print-reply",
            "--dest=org.freedesktop.secrets",
            "/org/freedesktop/secrets",
            "org.freedesktop.Secret.Service.Lock",
            "array:objpath:/org/freedesktop/secrets/collection/login",
        ],
    );
    assert!(lock.status.success());
    let load = store.load(&record.key).await;
    assert!(matches!(load, Err(StoreError::Locked)), "{load:?}");
    let save = store.save(&record).await;
    assert!(matches!(save, Err(StoreError::Locked)), "{save:?}");
    let auto = Store::open(Kind::Auto, &folders(&home)).await.unwrap();
    assert!(matches!(auto, Store::File(..)));
}

#[tokio::test]
#[ignore = "needs a keyring of its own"]
async fn hanging_costs_a_few_seconds() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(Kind::Keyring, &folders(&home)).await.unwrap();
    let asked = run(
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
    let asked = String::from_utf8(asked.stdout).unwrap();
    let daemon = asked.split_whitespace().last().unwrap();
    assert!(run("kill", &["-STOP", daemon]).status.success());
    let started = std::time::Instant::now();
    let load = store.load(&record("hanging").key).await;
    let took = started.elapsed();
    assert!(run("kill", &["-CONT", daemon]).status.success());
    assert!(matches!(load, Err(StoreError::TimedOut(_))), "{load:?}");
    assert!(took < 3 * LIMIT, "{took:?}");
    assert_eq!(store.load(&record("hanging").key).await.unwrap(), None);
}

#[tokio::test]
#[ignore = "needs a session without a keyring"]
async fn absent_is_told_and_auto_takes_files() {
    let home = tempfile::tempdir().unwrap();
    let keyring = Store::open(Kind::Keyring, &folders(&home)).await;
    let wrong = keyring.unwrap_err();
    assert!(matches!(wrong, StoreError::Absent(_)), "{wrong:?}");
    let auto = Store::open(Kind::Auto, &folders(&home)).await.unwrap();
    assert!(matches!(auto, Store::File(..)));
    check(&auto).await;
}
