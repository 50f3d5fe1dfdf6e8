//! The sign-ins of one server and account in the store: found by the server's name, changed under the lock of their key.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::oauth::now;
use super::options::{Options, server_name};
use crate::error::Failure;
use crate::store::{
    Board, Folders, Guard, Key, Kind, Lock, Login, Memory, Outcome, Place, Record, Store,
    StoreError, logins,
};

/// The longest wait for another process that changes the same sign-in; a refresh takes less.
pub(super) const LOCK_WAIT: Duration = Duration::from_secs(30);

/// Where the sign-ins of one server are kept.
#[derive(Debug)]
pub(super) struct Vault {
    options: Arc<Options>,
    server: String,
    /// The store in use, once there is something to keep in it.
    store: Mutex<Option<Store>>,
    /// What was to be kept last could not be.
    unkept: AtomicBool,
}

impl Vault {
    pub fn new(options: Arc<Options>) -> Self {
        let alone = options.folders.is_none() || options.store == Kind::Memory;
        Self {
            server: server_name(&options.server),
            unkept: AtomicBool::new(false),
            store: Mutex::new(alone.then(|| Store::Memory(Memory::default()))),
            options,
        }
    }

    /// Whether what this process kept under a key has been deleted since. A list that cannot be read says nothing of that.
    pub async fn is_gone(&self, key: &Key) -> bool {
        let kept = !self.unkept.load(Ordering::Relaxed);
        kept && matches!(self.load(key).await, Ok(None)) && self.opened().is_some()
    }

    /// The name of the server.
    pub fn server(&self) -> &str {
        &self.server
    }

    fn folders(&self) -> Option<&Folders> {
        self.options.folders.as_ref()
    }

    fn opened(&self) -> Option<Store> {
        self.store
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set_opened(&self, store: &Store) {
        *self.store.lock().unwrap_or_else(PoisonError::into_inner) = Some(store.clone());
    }

    /// The store for a login of the list.
    fn at(&self, place: Place) -> Option<Store> {
        match self.opened() {
            Some(store) if store.place() == place => Some(store),
            _ => Some(Store::at(place, self.folders()?)),
        }
    }

    /// The store for new sign-ins.
    async fn open(&self) -> Result<Store, StoreError> {
        if let Some(store) = self.opened() {
            return Ok(store);
        }
        let Some(folders) = self.folders() else {
            return Ok(Store::Memory(Memory::default()));
        };
        let store = Store::open(self.options.store, folders).await?;
        self.set_opened(&store);
        Ok(store)
    }

    /// Whether there is a keyring at all: one that is locked may be unlocked later.
    pub async fn reach(&self) -> Result<(), Failure> {
        let Some(folders) = self.folders() else {
            return Ok(());
        };
        // Any key will do: it is only asked for.
        let nobody = Key {
            issuer: String::new(),
            client_id: String::new(),
            resource: String::new(),
            profile: String::new(),
            grant: None,
        };
        match Store::at(Place::Keyring, folders).load(&nobody).await {
            Err(wrong @ StoreError::Absent(_)) => Err(Failure::Store {
                what: wrong.to_string(),
                hint: wrong.hint(),
            }),
            _ => Ok(()),
        }
    }

    /// Whether new sign-ins can be kept.
    pub async fn check(&self) -> Result<(), Failure> {
        let opened = self.open().await;
        opened.map(|_| ()).map_err(|wrong| Failure::Store {
            what: format!("the sign-in cannot be kept: {wrong}"),
            hint: wrong.hint(),
        })
    }

    /// The logins of this account, of any server.
    async fn logins(&self) -> Vec<Login> {
        let listed = match (self.opened(), self.folders()) {
            (Some(store @ Store::Memory(_)), _) => store.list().await,
            (_, Some(folders)) => logins(folders).await,
            (_, None) => return Vec::new(),
        };
        let mut listed = listed.unwrap_or_else(|wrong| {
            tracing::warn!("cannot read the list of sign-ins: {wrong}");
            Vec::new()
        });
        let client = self.options.client.registered.as_ref();
        listed.retain(|login| {
            login.key.profile == self.options.profile
                && client.is_none_or(|(id, _)| *id == login.key.client_id)
                && match self.options.store {
                    Kind::Auto => true,
                    Kind::Keyring => login.place == Place::Keyring,
                    Kind::File => login.place == Place::File,
                    Kind::Memory => login.place == Place::Memory,
                }
        });
        listed
    }

    /// The issuers with whom there is a login.
    pub async fn issuers(&self) -> Vec<String> {
        let logins = self.logins().await;
        logins.into_iter().map(|login| login.key.issuer).collect()
    }

    /// The sign-in of this server.
    pub async fn find(&self) -> Result<Option<Record>, StoreError> {
        let mut logins = self.logins().await;
        logins.retain(|login| login.servers.contains(&self.server));
        self.best(&logins).await
    }

    /// The sign-in for a resource of an issuer, whichever server it was made for; one without tokens may still have a client.
    pub async fn find_for(&self, issuer: &str, resource: &str) -> Option<Record> {
        let mut logins = self.logins().await;
        logins.retain(|login| login.key.issuer == issuer && login.key.resource == resource);
        // An unreadable one is replaced.
        self.best(&logins).await.ok().flatten()
    }

    /// The record that is of most use: one with tokens, then one with a client, then the newest.
    async fn best(&self, logins: &[Login]) -> Result<Option<Record>, StoreError> {
        let mut found = Vec::new();
        for login in logins {
            found.extend(self.read(login).await?);
        }
        // Tokens that were had in another way are for another identity.
        found.retain(|record| record.grant.as_deref() == self.options.grant.name());
        Ok(found.into_iter().max_by_key(|record| {
            (
                record.tokens.is_some(),
                record.client.is_some(),
                record.generation,
            )
        }))
    }

    async fn read(&self, login: &Login) -> Result<Option<Record>, StoreError> {
        let Some(store) = self.at(login.place) else {
            return Ok(None);
        };
        match store.load(&login.key).await {
            Ok(record) => {
                self.set_opened(&store);
                Ok(record)
            }
            Err(wrong @ StoreError::Corrupt(..)) => {
                tracing::warn!("{wrong}");
                Ok(None)
            }
            // As over SSH, where the keyring of the desktop is not to be had: this session gets a sign-in of its own.
            Err(wrong @ StoreError::Absent(_)) if self.options.store == Kind::Auto => {
                tracing::warn!("the stored sign-in is out of reach: {wrong}");
                Ok(None)
            }
            Err(wrong) => Err(wrong),
        }
    }

    /// What is kept under a key.
    pub async fn load(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        match self.opened() {
            Some(store) => store.load(key).await,
            None => Ok(None),
        }
    }

    /// Keeps a record. One that cannot be kept still serves this process.
    pub async fn save(&self, record: &Record) {
        let kept = match self.open().await {
            Ok(store) => store.save(record).await,
            Err(wrong) => Err(wrong),
        };
        self.unkept.store(kept.is_err(), Ordering::Relaxed);
        if let Err(wrong) = kept {
            tracing::warn!(
                "the sign-in cannot be kept and is lost when mcp-tether ends: {wrong}; hint: {}",
                wrong.hint()
            );
        }
    }

    /// Keeps a record, or says why that is not possible.
    pub async fn keep(&self, record: &Record) -> Result<(), Failure> {
        let kept = match self.open().await {
            Ok(store) => store.save(record).await,
            Err(wrong) => Err(wrong),
        };
        kept.map_err(|wrong| Failure::Store {
            what: format!("the sign-in cannot be kept: {wrong}"),
            hint: wrong.hint(),
        })
    }

    /// Forgets what is kept under a key.
    pub async fn forget(&self, key: &Key) {
        if let Some(store) = self.opened()
            && let Err(wrong) = store.delete(key).await
        {
            tracing::debug!("a former sign-in stays: {wrong}");
        }
    }

    /// Forgets other registrations for the same as `current` with which nobody has signed in.
    pub async fn forget_unfinished(&self, current: &Key) {
        for login in self.logins().await {
            let same = login.key.issuer == current.issuer
                && login.key.resource == current.resource
                && login.key.grant == current.grant;
            if !same || login.key == *current {
                continue;
            }
            let (Some(store), Ok(_guard)) = (self.at(login.place), self.locked(&login.key).await)
            else {
                continue;
            };
            if let Ok(Some(record)) = store.load(&login.key).await
                && record.is_unfinished()
                && let Err(wrong) = store.delete(&login.key).await
            {
                tracing::debug!("a former registration stays: {wrong}");
            }
        }
    }

    /// Takes this server off all other sign-ins of its account: a former client of the same issuer is forgotten, another
    /// issuer's sign-in stays, since the server may go back to it.
    pub async fn retire_others(&self, current: &Key) {
        for login in self.logins().await {
            if login.key == *current || !login.servers.contains(&self.server) {
                continue;
            }
            let Some(store) = self.at(login.place) else {
                continue;
            };
            let Ok(_guard) = self.locked(&login.key).await else {
                continue;
            };
            let retired = match store.load(&login.key).await {
                Ok(Some(record)) if record.grant.as_deref() != self.options.grant.name() => {
                    continue;
                }
                Ok(Some(mut record))
                    if login.key.issuer != current.issuer || record.servers.len() > 1 =>
                {
                    record.servers.remove(&self.server);
                    record.changed(now());
                    store.save(&record).await
                }
                _ => store.delete(&login.key).await,
            };
            if let Err(wrong) = retired {
                tracing::debug!("a former sign-in stays: {wrong}");
            }
        }
    }

    /// Where new and known sign-ins are kept, once one was.
    pub fn place(&self) -> Place {
        self.opened().map_or(Place::Memory, |store| store.place())
    }

    /// The lock of a key. Where there can be none, the work goes on without.
    pub async fn locked(&self, key: &Key) -> Result<Option<Guard>, Failure> {
        let Some(folders) = self.folders() else {
            return Ok(None);
        };
        match Lock::of_key(&folders.state, key).wait(LOCK_WAIT).await {
            Outcome::Held(guard) => Ok(Some(guard)),
            Outcome::Unsupported(wrong) => {
                tracing::debug!("the sign-in is changed without a lock: {wrong}");
                Ok(None)
            }
            Outcome::TimedOut => Err(Failure::Store {
                what: format!(
                    "another mcp-tether has been busy with this sign-in for {} s",
                    LOCK_WAIT.as_secs()
                ),
                hint: "end the other process, then try again".to_owned(),
            }),
        }
    }

    /// The lock of whole sign-ins to this server, and what its holder tells the others.
    pub fn turn(&self) -> Option<(Lock, Board)> {
        let folders = self.folders()?;
        if self.options.store == Kind::Memory {
            return None;
        }
        // A machine does not wait for a person.
        let account = match self.options.grant.name() {
            None => self.options.profile.clone(),
            Some(grant) => format!("{} {grant}", self.options.profile),
        };
        let lock = Lock::of_server(&folders.state, &self.server, &account);
        let board = Board::of(&lock);
        Some((lock, board))
    }
}
