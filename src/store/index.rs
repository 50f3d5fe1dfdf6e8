//! The list of sign-ins, without secrets: a keyring cannot be asked for it without prompts, and files have names that say
//! nothing. The records themselves count; the list is a help for people.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::file::{replace, set_aside};
use super::lock::{Lock, Outcome};
use super::record::Key;

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

    /// All sign-ins of the list.
    pub(super) fn list(&self) -> io::Result<Vec<Login>> {
        Ok(self.read()?.logins.into_values().collect())
    }

    /// Enters `login`. Nothing is written when it is there already.
    pub(super) fn add(&self, login: &Login) {
        let name = login.key.account();
        self.change(|list| list.logins.insert(name, login.clone()).as_ref() != Some(login));
    }

    /// Takes `key` off the list.
    pub(super) fn remove(&self, key: &Key) {
        self.change(|list| list.logins.remove(&key.account()).is_some());
    }

    /// Changes the list. A failure is only told: the record itself is safe.
    fn change(&self, change: impl FnOnce(&mut List) -> bool) {
        let held = self.lock.wait_blocking(LIMIT);
        if !matches!(held, Outcome::Held(_)) {
            tracing::debug!("the list of sign-ins is changed without a lock: {held:?}");
        }
        let result = self.read_or_begin_anew().and_then(|mut list| {
            if change(&mut list) {
                replace(&self.path, &serde_json::to_vec(&list)?)
            } else {
                Ok(())
            }
        });
        if let Err(wrong) = result {
            let path = self.path.display();
            tracing::warn!("cannot keep the list of sign-ins in {path}: {wrong}");
        }
    }

    fn read(&self) -> io::Result<List> {
        match fs::read(&self.path) {
            Ok(text) => Ok(serde_json::from_slice(&text)?),
            Err(wrong) if wrong.kind() == io::ErrorKind::NotFound => Ok(List::default()),
            Err(wrong) => Err(wrong),
        }
    }

    fn read_or_begin_anew(&self) -> io::Result<List> {
        match self.read() {
            Err(wrong)
                if wrong.kind() == io::ErrorKind::InvalidData
                    || wrong.kind() == io::ErrorKind::UnexpectedEof =>
            {
                let kept = set_aside(&self.path)?;
                tracing::warn!("the list of sign-ins was damaged and is now {kept:?}");
                Ok(List::default())
            }
            other => other,
        }
    }

    /// The file, for errors.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::{Index, Login, Place};
    use crate::store::contract::key;

    #[test]
    fn eight_writers_lose_nothing() {
        let home = tempfile::tempdir().unwrap();
        let index = Index::new(home.path());
        std::thread::scope(|scope| {
            for n in 0..8 {
                let index = index.clone();
                scope.spawn(move || {
                    index.add(&Login {
                        key: key(&n.to_string()),
                        place: Place::File,
                    });
                });
            }
        });
        assert_eq!(index.list().unwrap().len(), 8);
        index.remove(&key("3"));
        assert_eq!(index.list().unwrap().len(), 7);
    }

    #[test]
    fn a_damaged_list_is_told_and_begun_anew_without_losing_it() {
        let home = tempfile::tempdir().unwrap();
        let index = Index::new(home.path());
        std::fs::write(index.path(), "{").unwrap();
        assert!(index.list().is_err());
        let login = Login {
            key: key("default"),
            place: Place::Keyring,
        };
        index.add(&login);
        assert_eq!(index.list().unwrap(), [login]);
        let kept = index.path().with_extension("unreadable-1");
        assert_eq!(std::fs::read_to_string(kept).unwrap(), "{");
    }
}
