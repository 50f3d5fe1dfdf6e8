//! The list of sign-ins, without secrets: a keyring cannot be asked for it without prompts, and files have names that say
//! nothing. The records themselves count; the list is a help for people.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::file::{replace, set_aside};
use super::lock::{Lock, Outcome};
use super::record::{Key, Record, Unreadable};
use super::{Folders, StoreError};

/// How long to wait for another process that changes the list.
const LIMIT: Duration = Duration::from_secs(5);

/// Where a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// The keyring of the system.
    Keyring,
    /// A file of its own.
    File,
    /// This process alone.
    Memory,
}

/// One sign-in of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// Which it is.
    #[serde(flatten)]
    pub key: Key,
    /// Where its record is.
    pub place: Place,
    /// The MCP servers that it was made for, by name without secrets; those of its record.
    #[serde(default)]
    pub servers: BTreeSet<String>,
}

impl Login {
    /// What the list says of a `record` that is at `place`.
    pub(super) fn new(record: &Record, place: Place) -> Self {
        Self {
            key: record.key.clone(),
            place,
            servers: record.servers.clone(),
        }
    }
}

/// All sign-ins that are known, without their secrets. No store is opened, and nothing is written: this is one read of a
/// small file, for each start. A list that is damaged is an error, which need not keep anyone from going on.
pub async fn logins(folders: &Folders) -> Result<Vec<Login>, StoreError> {
    Index::new(&folders.state).list()
}

/// The list as it stands in the file, by account name.
#[derive(Default, Serialize, Deserialize)]
struct List {
    logins: BTreeMap<String, Login>,
}

/// The file `index.json` in the state folder.
#[derive(Debug, Clone)]
pub struct Index {
    path: PathBuf,
    lock: Lock,
}

impl Index {
    /// The list in the folder `state`.
    pub(super) fn new(state: &Path) -> Self {
        Self {
            path: state.join("index.json"),
            lock: Lock::named(state, "index"),
        }
    }

    /// All sign-ins of the list; none when there is no file.
    pub(super) fn list(&self) -> Result<Vec<Login>, StoreError> {
        Ok(self.read()?.logins.into_values().collect())
    }

    /// Enters `login`. Nothing is locked nor written when it is there already, as with every refresh.
    pub(super) fn add(&self, login: &Login) {
        let name = login.key.account();
        let known = self.read().ok();
        if known.is_some_and(|list| list.logins.get(&name) == Some(login)) {
            return;
        }
        self.change(|list| list.logins.insert(name, login.clone()).as_ref() != Some(login));
    }

    /// Takes `key` off the list.
    pub(super) fn remove(&self, key: &Key) {
        self.change(|list| list.logins.remove(&key.account()).is_some());
    }

    /// Changes the list. A failure is only told: the record is kept or deleted all the same.
    fn change(&self, change: impl FnOnce(&mut List) -> bool) {
        let held = self.lock.wait_blocking(LIMIT);
        if !matches!(held, Outcome::Held(_)) {
            tracing::debug!("the list of sign-ins is changed without a lock: {held:?}");
        }
        let result = self.read_or_begin_anew().and_then(|mut list| {
            if !change(&mut list) {
                return Ok(());
            }
            // A list has nothing that JSON cannot say, so that writing it cannot fail.
            let text = serde_json::to_vec(&list).unwrap_or_default();
            replace(&self.path, &text).map_err(|wrong| self.failed(wrong))
        });
        if let Err(wrong) = result {
            tracing::warn!("cannot keep the list of sign-ins: {wrong}");
        }
    }

    fn read(&self) -> Result<List, StoreError> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(wrong) if wrong.kind() == io::ErrorKind::NotFound => return Ok(List::default()),
            Err(wrong) => return Err(self.failed(wrong)),
        };
        serde_json::from_slice(&text).map_err(|wrong| {
            let why = Unreadable::Malformed(wrong.line(), wrong.column());
            StoreError::Corrupt(self.path.display().to_string(), why)
        })
    }

    fn read_or_begin_anew(&self) -> Result<List, StoreError> {
        match self.read() {
            Err(StoreError::Corrupt(..)) => {
                let kept = set_aside(&self.path).map_err(|wrong| self.failed(wrong))?;
                tracing::warn!("the list of sign-ins was damaged and is now {kept:?}");
                Ok(List::default())
            }
            other => other,
        }
    }

    fn failed(&self, wrong: io::Error) -> StoreError {
        StoreError::File(self.path.clone(), wrong)
    }
}

#[cfg(test)]
mod tests;
