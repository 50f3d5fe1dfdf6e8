//! One process at a time: a lock for each key or server, on a file of its own. The system frees it when its process ends, however it
//! ends. The file stays: a lock on a file that someone else deletes locks nothing.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::file::private_folder;
use super::record::{Key, digest};

/// The first pause between two tries; it doubles.
const SHORTEST: Duration = Duration::from_millis(1);
/// The longest pause between two tries.
const LONGEST: Duration = Duration::from_millis(25);

/// A lock between processes, and between the tasks of one.
#[derive(Debug, Clone)]
pub struct Lock {
    path: PathBuf,
}

/// What came of waiting for a lock.
#[derive(Debug)]
pub enum Outcome {
    /// It is ours until the guard is dropped. What it protects must be read again now.
    Held(Guard),
    /// Someone else held it for the whole time.
    TimedOut,
    /// This file system has no locks, or the file cannot be made: go on without, and warn.
    Unsupported(io::Error),
}

/// A lock that is held.
#[derive(Debug)]
pub struct Guard {
    _file: File,
}

impl Lock {
    /// The lock of `key`, in the folder `state`.
    pub fn of_key(state: &Path, key: &Key) -> Self {
        Self::named(state, &key.account())
    }

    /// The lock of a whole sign-in to `server`, its name without secrets, and account, in the folder `state`: of the
    /// time when the key is not known yet. No key has a lock of this name.
    pub fn of_server(state: &Path, server: &str, account: &str) -> Self {
        Self::named(state, &format!("sign-in-{}", digest(&[server, account])))
    }

    /// The lock called `name`, in the folder `state`.
    pub(super) fn named(state: &Path, name: &str) -> Self {
        Self {
            path: state.join(format!("{name}.lock")),
        }
    }

    /// Its file, which exists once somebody has tried to lock it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tries once, without waiting: [`Outcome::TimedOut`] when someone else holds it.
    pub fn try_once(&self) -> Outcome {
        self.wait_blocking(Duration::ZERO)
    }

    /// Waits for the lock, at most `limit`.
    pub async fn wait(&self, limit: Duration) -> Outcome {
        let mut pauses = Pauses::new(limit);
        let mut file = match self.open() {
            Ok(file) => file,
            Err(wrong) => return Outcome::Unsupported(wrong),
        };
        loop {
            file = match attempt(file) {
                Ok(outcome) => return outcome,
                Err(busy) => busy,
            };
            match pauses.next() {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Outcome::TimedOut,
            }
        }
    }

    /// As [`Lock::wait`], for a thread that may block.
    pub(super) fn wait_blocking(&self, limit: Duration) -> Outcome {
        let mut pauses = Pauses::new(limit);
        let mut file = match self.open() {
            Ok(file) => file,
            Err(wrong) => return Outcome::Unsupported(wrong),
        };
        loop {
            file = match attempt(file) {
                Ok(outcome) => return outcome,
                Err(busy) => busy,
            };
            match pauses.next() {
                Some(pause) => std::thread::sleep(pause),
                None => return Outcome::TimedOut,
            }
        }
    }

    fn open(&self) -> io::Result<File> {
        private_folder(self.path.parent().unwrap_or(Path::new(".")))?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&self.path)
    }
}

/// Tries once: how it went, or the file again while somebody else holds the lock.
fn attempt(file: File) -> Result<Outcome, File> {
    match file.try_lock() {
        Ok(()) => Ok(Outcome::Held(Guard { _file: file })),
        Err(TryLockError::Error(wrong)) => Ok(Outcome::Unsupported(wrong)),
        Err(TryLockError::WouldBlock) => Err(file),
    }
}

/// The pauses between tries, until the time is over. The standard library has no lock with a time limit.
struct Pauses {
    end: Instant,
    next: Duration,
}

impl Pauses {
    fn new(limit: Duration) -> Self {
        Self {
            end: Instant::now() + limit,
            next: SHORTEST,
        }
    }

    fn next(&mut self) -> Option<Duration> {
        let left = self.end.saturating_duration_since(Instant::now());
        let pause = self.next.min(left);
        self.next = (self.next * 2).min(LONGEST);
        (!pause.is_zero()).then_some(pause)
    }
}

#[cfg(test)]
mod tests;
