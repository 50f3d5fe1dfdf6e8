//! What is kept on disk between runs: sign-ins in a [`Store`], under a [`Lock`] between processes, and [`verdicts`].

pub mod checkup;
mod chunks;
#[cfg(test)]
mod contract;
mod error;
mod file;
mod index;
mod keyring;
mod lock;
mod memory;
mod notice;
mod platform;
mod record;
pub mod verdicts;

use std::path::PathBuf;
use std::time::Duration;

pub use error::StoreError;
pub use file::Files;
pub use index::{Index, Login, Place, logins};
pub use keyring::Keyring;
pub use lock::{Guard, Lock, Outcome};
pub use memory::Memory;
pub use notice::{Board, Notice};
pub use record::{Client, Identity, Key, Record, Revocation, Tokens, Unreadable, hex};

/// How long files may take, those of slow networks included.
const FILES: Duration = Duration::from_secs(30);

/// How long the list of sign-ins may keep a record from the keyring: its lock, and a write.
const LIST: Duration = Duration::from_secs(10);

/// The name of this program in keyrings.
const SERVICE: &str = "mcp-tether";

/// Which store the user wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The keyring if it can be written, else files.
    Auto,
    /// The keyring of the system.
    Keyring,
    /// Files.
    File,
    /// This process alone.
    Memory,
}

/// The folders of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// The folder of sign-ins in files.
    pub credentials: PathBuf,
    /// The folder of the list of sign-ins and of locks.
    pub state: PathBuf,
}

/// Where sign-ins are kept. A call that its caller drops goes on by itself.
#[derive(Debug, Clone)]
pub enum Store {
    /// The keyring of the system.
    Keyring(Keyring, Index),
    /// Files of this user.
    File(Files, Index),
    /// This process alone.
    Memory(Memory),
}

impl Store {
    /// Opens the store that the user wants. A keyring is written to once, to see whether it works; files are taken in its
    /// stead only with [`Kind::Auto`], and with a warning.
    pub async fn open(kind: Kind, folders: &Folders) -> Result<Self, StoreError> {
        let keyring = Keyring::new(SERVICE);
        let place = match kind {
            Kind::Keyring => keyring.probe().await.map(|()| Place::Keyring)?,
            Kind::Auto => match keyring.probe().await {
                Ok(()) => Place::Keyring,
                Err(wrong) => {
                    let folder = folders.credentials.display();
                    tracing::warn!("sign-ins are kept in files in {folder}: {wrong}");
                    Place::File
                }
            },
            Kind::File => Place::File,
            Kind::Memory => Place::Memory,
        };
        Ok(Self::at(place, folders))
    }

    /// The store at a place where a sign-in is known to be: nothing is written to see whether it works. Memory is empty.
    pub fn at(place: Place, folders: &Folders) -> Self {
        let index = || Index::new(&folders.state);
        match place {
            Place::Keyring => Self::Keyring(Keyring::new(SERVICE), index()),
            Place::File => Self::File(Files::new(&folders.credentials), index()),
            Place::Memory => Self::Memory(Memory::default()),
        }
    }

    /// Where its records are.
    pub fn place(&self) -> Place {
        match self {
            Self::Keyring(..) => Place::Keyring,
            Self::File(..) => Place::File,
            Self::Memory(_) => Place::Memory,
        }
    }

    /// The record of `key`, if there is one.
    pub async fn load(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        match self {
            Self::Keyring(keyring, _) => keyring.load(key).await,
            Self::File(files, _) => {
                let (files, key) = (files.clone(), key.clone());
                on_thread(FILES, move || files.load(&key)).await
            }
            Self::Memory(memory) => Ok(memory.load(key)),
        }
    }

    /// Keeps `record` under its key in place of what was there. Once this returns it is durable. The list comes first: a
    /// record that is not on it would never be found nor deleted, and a name without a record goes with the next sign-in.
    /// But it has no say: a list that cannot be changed keeps no record back.
    pub async fn save(&self, record: &Record) -> Result<(), StoreError> {
        match self {
            Self::Keyring(keyring, index) => {
                let login = Login::new(record, Place::Keyring);
                let (index, keyring, record) = (index.clone(), keyring.clone(), record.clone());
                let saved = tokio::spawn(async move {
                    let listed = on_thread(LIST, move || {
                        index.add(&login);
                        Ok(())
                    });
                    if let Err(wrong) = listed.await {
                        tracing::warn!("cannot keep the list of sign-ins: {wrong}");
                    }
                    keyring.save(&record).await
                });
                saved
                    .await
                    .unwrap_or_else(|wrong| Err(StoreError::Absent(wrong.to_string())))
            }
            Self::File(files, index) => {
                let (files, index, record) = (files.clone(), index.clone(), record.clone());
                on_thread(FILES, move || {
                    index.add(&Login::new(&record, Place::File));
                    files.save(&record)
                })
                .await
            }
            Self::Memory(memory) => {
                memory.save(record.clone());
                Ok(())
            }
        }
    }

    /// Forgets the record of `key`, if there is one.
    pub async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        match self {
            Self::Keyring(keyring, index) => {
                keyring.delete(key).await?;
                let (index, key) = (index.clone(), key.clone());
                on_thread(FILES, move || {
                    index.remove(&key);
                    Ok(())
                })
                .await
            }
            Self::File(files, index) => {
                let (files, index, key) = (files.clone(), index.clone(), key.clone());
                on_thread(FILES, move || {
                    files.delete(&key)?;
                    index.remove(&key);
                    Ok(())
                })
                .await
            }
            Self::Memory(memory) => {
                memory.delete(key);
                Ok(())
            }
        }
    }

    /// All sign-ins that are known, those of other places included, without their secrets.
    pub async fn list(&self) -> Result<Vec<Login>, StoreError> {
        match self {
            Self::Keyring(_, index) | Self::File(_, index) => index.list(),
            Self::Memory(memory) => Ok(memory.logins()),
        }
    }
}

/// Runs `work`, which blocks, on a thread of its own and waits at most `limit`. A thread that hangs is left behind: unlike
/// one of the runtime it does not keep the process from ending.
async fn on_thread<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let (done, result) = tokio::sync::oneshot::channel();
    let spawned = std::thread::Builder::new()
        .name("store".to_owned())
        .spawn(move || {
            // Nobody may be waiting any more.
            let _ = done.send(work());
        });
    spawned.map_err(|wrong| StoreError::Absent(wrong.to_string()))?;
    match tokio::time::timeout(limit, result).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(StoreError::Absent("it failed without a word".to_owned())),
        Err(_) => Err(StoreError::TimedOut(limit)),
    }
}
