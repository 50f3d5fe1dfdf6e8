//! What a process that holds the lock of a sign-in lets the others know, in a file beside the lock: so that they can show
//! the same URL, and need not repeat what has just failed. A file that cannot be read or written is no failure; the others
//! then know nothing. Its contents are for no log: the URL may hold `state`.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::file::replace_loosely;
use super::lock::Lock;

/// The most bytes of a notice: what is longer is none.
const LONGEST: u64 = 64 * 1024;

/// What there is to know about a sign-in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Notice {
    /// It waits for the user to open a page.
    Open {
        /// The address of the page.
        url: String,
        /// The code to enter there, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        /// The address with that code in it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        link: Option<String>,
    },
    /// It failed.
    Failed {
        /// What failed, as one line for people.
        what: String,
        /// When, in seconds since 1970.
        at: u64,
    },
}

impl fmt::Debug for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { .. } => f.debug_struct("Open").finish_non_exhaustive(),
            Self::Failed { at, .. } => {
                let mut shown = f.debug_struct("Failed");
                shown.field("at", at).finish_non_exhaustive()
            }
        }
    }
}

/// Where the notice of one lock is.
#[derive(Debug, Clone)]
pub struct Board {
    path: PathBuf,
}

impl Board {
    /// The board of `lock`. Who holds the lock posts and takes down; the others read. A process that is killed leaves its
    /// notice, so that a page to open counts only while someone holds the lock.
    pub fn of(lock: &Lock) -> Self {
        let mut path = OsString::from(lock.path());
        path.push(".json");
        Self { path: path.into() }
    }

    /// The notice, if there is one that can be read.
    pub fn read(&self) -> Option<Notice> {
        let mut text = Vec::new();
        let file = File::open(&self.path).ok()?;
        file.take(LONGEST).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Puts up `notice` in place of what was there, for this user alone.
    pub fn post(&self, notice: &Notice) {
        // It has nothing that JSON cannot say.
        let text = serde_json::to_vec(notice).unwrap_or_default();
        if let Err(wrong) = replace_loosely(&self.path, &text) {
            tracing::debug!("cannot let other processes know about a sign-in: {wrong}");
        }
    }

    /// Takes the notice down.
    pub fn clear(&self) {
        match fs::remove_file(&self.path) {
            Err(wrong) if wrong.kind() != io::ErrorKind::NotFound => {
                tracing::debug!("cannot take down what was said about a sign-in: {wrong}");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
