//! Sign-ins in the keyring of the system: Secret Service, Keychain, Credential Manager.
//!
//! A keyring may hang, or wait for its user to type a password. So each call runs on a thread of its own, which is left
//! behind when its time is over. A connection is made for each call: a keyring that was restarted is found again.

use std::sync::Arc;
use std::time::Duration;

use keyring_core::Error;
use keyring_core::api::CredentialStore;

use super::chunks::{self, Items, Text};
use super::record::{Key, Record, Unreadable};
use super::{StoreError, on_thread, platform};

/// How long a keyring may take that asks nobody.
const LIMIT: Duration = Duration::from_secs(2);
/// How long its user may take to unlock it.
const PROMPT_LIMIT: Duration = Duration::from_secs(120);
/// The account of the item that is written to find out whether the keyring works.
const PROBE: &str = "probe";

/// The sign-ins in the keyring, all under one service name.
#[derive(Debug, Clone)]
pub struct Keyring {
    service: Arc<str>,
}

impl Keyring {
    /// The sign-ins under the service name `service`.
    pub(super) fn new(service: &str) -> Self {
        Self {
            service: service.into(),
        }
    }

    /// Whether it can be written. Reading shows nothing: a keyring that cannot be written has no entries either.
    pub(super) async fn probe(&self) -> Result<(), StoreError> {
        self.call(|items| {
            match items.set(PROBE, b"probe") {
                // Another process probes as well, which shows as much.
                Ok(()) | Err(Error::Ambiguous(_)) => {}
                Err(wrong) => return Err(platform::meaning(&wrong)),
            }
            // What is left is overwritten by the next probe.
            let _ = items.delete(PROBE);
            Ok(())
        })
        .await
    }

    pub(super) async fn load(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        let key = key.clone();
        self.call(move |items| {
            let corrupt = |why| StoreError::Corrupt("the keyring".to_owned(), why);
            match items.read(&key.account()) {
                Ok(Text::Absent) => Ok(None),
                Ok(Text::Incomplete) => Err(corrupt(Unreadable::Incomplete)),
                Ok(Text::Whole(text)) => Record::from_text(&key, &text).map(Some).map_err(corrupt),
                Err(wrong) => Err(platform::meaning(&wrong)),
            }
        })
        .await
    }

    pub(super) async fn save(&self, record: &Record) -> Result<(), StoreError> {
        let (account, text) = (record.key.account(), record.to_text());
        self.call(move |items| {
            let written = items.write(&account, text.expose().as_bytes());
            written.map_err(|wrong| platform::meaning(&wrong))
        })
        .await
    }

    pub(super) async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let account = key.account();
        self.call(move |items| {
            let deleted = items.remove(&account);
            deleted.map_err(|wrong| platform::meaning(&wrong))
        })
        .await
    }

    /// Runs `work` with a connection, in the time that it may take.
    async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let service = self.service.clone();
        let working = on_thread(PROMPT_LIMIT, move || {
            let store = platform::connect().map_err(|wrong| platform::meaning(&wrong))?;
            work(&Connection { store, service })
        });
        tokio::pin!(working);
        if let Ok(result) = tokio::time::timeout(LIMIT, &mut working).await {
            return result;
        }
        // It hangs, or it waits for its user; only the latter is worth more time.
        if !on_thread(LIMIT, || Ok(platform::prompting())).await? {
            return Err(StoreError::TimedOut(LIMIT));
        }
        tracing::warn!("the keyring is locked: waiting for you to answer its prompt");
        working.await
    }
}

/// A keyring that was reached.
struct Connection {
    store: Arc<CredentialStore>,
    service: Arc<str>,
}

impl Connection {
    // Only Windows has small items; elsewhere one item is one sign-in, which people can find and understand.

    fn read(&self, account: &str) -> Result<Text, Error> {
        if cfg!(windows) {
            return chunks::read(self, account);
        }
        Ok(self.get(account)?.map_or(Text::Absent, Text::Whole))
    }

    fn write(&self, account: &str, text: &[u8]) -> Result<(), Error> {
        if cfg!(windows) {
            return chunks::write(self, account, text);
        }
        self.set(account, text)
    }

    fn remove(&self, account: &str) -> Result<(), Error> {
        if cfg!(windows) {
            return chunks::delete(self, account);
        }
        self.delete(account)
    }
}

impl Items for Connection {
    type Error = Error;

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        match platform::entry(self.store.as_ref(), &self.service, name)?.get_secret() {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::NoEntry) => Ok(None),
            Err(wrong) => Err(wrong),
        }
    }

    fn set(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        platform::entry(self.store.as_ref(), &self.service, name)?.set_secret(bytes)
    }

    fn delete(&self, name: &str) -> Result<(), Error> {
        match platform::entry(self.store.as_ref(), &self.service, name)?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(wrong) => Err(wrong),
        }
    }
}

#[cfg(test)]
mod tests;
