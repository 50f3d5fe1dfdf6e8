use super::{Lock, Outcome};
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
