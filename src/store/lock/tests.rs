use super::{Lock, Outcome};
use crate::store::Key;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(30);

/// The folder that the child process locks; only the parent sets it.
const FOLDER: &str = "MCP_TETHER_TEST_LOCK";

/// The child: holds the lock until its stdin ends. Without a parent it has nothing to do.
#[test]
fn child_that_holds_a_lock() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let held = Lock::named(&PathBuf::from(folder), "key").wait_blocking(LONG);
    assert!(matches!(held, Outcome::Held(_)));
    println!("\nheld");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

fn holder(folder: &Path) -> Child {
    let name = "store::lock::tests::child_that_holds_a_lock";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(FOLDER, folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "held"));
    child
}

#[tokio::test]
async fn another_process_waits_and_kill_frees_the_lock() {
    let home = tempfile::tempdir().unwrap();
    let lock = Lock::named(home.path(), "key");
    let mut child = holder(home.path());
    let meanwhile = lock.wait(Duration::from_millis(40)).await;
    assert!(matches!(meanwhile, Outcome::TimedOut));
    child.kill().unwrap();
    assert!(matches!(lock.wait(LONG).await, Outcome::Held(_)));
    child.wait().unwrap();
    assert!(home.path().join("key.lock").exists());
}

/// Nobody else can open it, and so nobody else can hold it.
#[cfg(unix)]
#[test]
fn a_lock_is_0600_and_its_folder_0700() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("state");
    let lock = Lock::named(&folder, "key");
    assert!(matches!(lock.try_once(), Outcome::Held(_)));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(lock.path()), mode(&folder)), (0o600, 0o700));
}

#[tokio::test]
async fn a_second_task_waits_until_the_guard_is_dropped() {
    let home = tempfile::tempdir().unwrap();
    let lock = Lock::named(home.path(), "key");
    let Outcome::Held(guard) = lock.wait(Duration::ZERO).await else {
        panic!("it is free");
    };
    let now = lock.wait(Duration::ZERO).await;
    assert!(matches!(now, Outcome::TimedOut));
    let (second, ()) = tokio::join!(lock.wait(LONG), async { drop(guard) });
    assert!(matches!(second, Outcome::Held(_)));
}

#[test]
fn one_try_does_not_wait() {
    let home = tempfile::tempdir().unwrap();
    let lock = Lock::of_server(home.path(), "https://example.com/mcp", "default");
    let Outcome::Held(guard) = lock.try_once() else {
        panic!("it is free");
    };
    assert!(lock.path().exists());
    assert!(matches!(lock.try_once(), Outcome::TimedOut));
    drop(guard);
    assert!(matches!(lock.try_once(), Outcome::Held(_)));
}

#[test]
fn one_try_meets_another_process() {
    let home = tempfile::tempdir().unwrap();
    let mut child = holder(home.path());
    let lock = Lock::named(home.path(), "key");
    assert!(matches!(lock.try_once(), Outcome::TimedOut));
    drop(child.stdin.take());
    child.wait().unwrap();
    assert!(matches!(lock.try_once(), Outcome::Held(_)));
}

#[test]
fn no_two_servers_profiles_or_keys_share_a_lock() {
    let state = Path::new("state");
    let key = Key {
        issuer: String::new(),
        client_id: String::new(),
        resource: "ab".to_owned(),
        profile: "c".to_owned(),
        grant: None,
    };
    let locks = [
        Lock::of_server(state, "ab", "c"),
        Lock::of_server(state, "a", "bc"),
        Lock::of_server(state, "ab", "d"),
        Lock::of_server(state, "abc", ""),
        Lock::of_key(state, &key),
        Lock::named(state, "index"),
    ];
    let names: BTreeSet<&Path> = locks.iter().map(Lock::path).collect();
    assert_eq!(names.len(), locks.len());
    assert_eq!(
        locks[0].path(),
        Lock::of_server(state, "ab", "c").path(),
        "the same in each process"
    );
    for (at, lock) in locks.iter().enumerate() {
        let name = lock.path().file_name().unwrap().to_str().unwrap();
        assert_eq!(name.starts_with("sign-in-"), at < 4, "{name}");
    }
}

#[test]
fn two_locks_do_not_wait_for_each_other() {
    let home = tempfile::tempdir().unwrap();
    let held = Lock::named(home.path(), "one").wait_blocking(Duration::ZERO);
    let other = Lock::named(home.path(), "two").wait_blocking(Duration::ZERO);
    assert!(matches!(
        (held, other),
        (Outcome::Held(_), Outcome::Held(_))
    ));
}

#[test]
fn a_file_that_cannot_be_made_is_no_lock() {
    let home = tempfile::tempdir().unwrap();
    let taken = home.path().join("taken");
    std::fs::write(&taken, "").unwrap();
    let outcome = Lock::named(&taken, "key").wait_blocking(LONG);
    assert!(matches!(outcome, Outcome::Unsupported(_)));
}
