//! The keyring of each system: how it is reached, what its errors mean, whether it may be asking the user something.

use std::collections::HashMap;
use std::sync::Arc;

use keyring_core::api::CredentialStore;
use keyring_core::{Entry, Error};

use super::StoreError;

#[cfg(target_os = "linux")]
mod system {
    use super::{Arc, CredentialStore, Error, StoreError};
    use dbus_secret_service::{EncryptionType, Error as Service, SecretService};

    pub(super) fn connect() -> Result<Arc<CredentialStore>, Error> {
        Ok(dbus_secret_service_keyring_store::Store::new()?)
    }

    pub(super) fn prompting() -> bool {
        let service = SecretService::connect(EncryptionType::Plain);
        // Asked on a connection of its own: the one that waits for the user is busy.
        service.is_ok_and(|service| {
            let collection = service.get_default_collection();
            collection.is_ok_and(|collection| collection.is_locked().unwrap_or(false))
        })
    }

    pub(super) fn meaning(wrong: &(dyn std::error::Error + 'static)) -> StoreError {
        match wrong.downcast_ref() {
            Some(Service::Locked | Service::Prompt) => StoreError::Locked,
            Some(Service::Dbus(said)) if said.name() == Some(NO_REPLY) => {
                // The limit of the library itself.
                StoreError::TimedOut(std::time::Duration::from_secs(2))
            }
            Some(Service::Dbus(said)) if said.name() == Some(DENIED) => {
                StoreError::Denied(said.to_string())
            }
            // No bus, no service on it, or no collection to write to.
            _ => StoreError::Absent(wrong.to_string()),
        }
    }

    const NO_REPLY: &str = "org.freedesktop.DBus.Error.NoReply";
    const DENIED: &str = "org.freedesktop.DBus.Error.AccessDenied";
}

#[cfg(target_os = "macos")]
mod system {
    use super::{Arc, CredentialStore, Error, StoreError};

    pub(super) fn connect() -> Result<Arc<CredentialStore>, Error> {
        Ok(apple_native_keyring_store::keychain::Store::new()?)
    }

    /// The system cannot be asked; what takes long there is a prompt.
    pub(super) fn prompting() -> bool {
        true
    }

    pub(super) fn meaning(wrong: &(dyn std::error::Error + 'static)) -> StoreError {
        StoreError::Denied(wrong.to_string())
    }
}

#[cfg(windows)]
mod system {
    use super::{Arc, CredentialStore, Error, StoreError};

    pub(super) fn connect() -> Result<Arc<CredentialStore>, Error> {
        Ok(windows_native_keyring_store::Store::new()?)
    }

    pub(super) fn prompting() -> bool {
        false
    }

    pub(super) fn meaning(wrong: &(dyn std::error::Error + 'static)) -> StoreError {
        StoreError::Denied(wrong.to_string())
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
mod system {
    use super::{Arc, CredentialStore, Error, StoreError};

    pub(super) fn connect() -> Result<Arc<CredentialStore>, Error> {
        Err(Error::NoDefaultStore)
    }

    pub(super) fn prompting() -> bool {
        false
    }

    pub(super) fn meaning(wrong: &(dyn std::error::Error + 'static)) -> StoreError {
        StoreError::Absent(wrong.to_string())
    }
}

/// A connection to the keyring.
pub(super) fn connect() -> Result<Arc<CredentialStore>, Error> {
    system::connect()
}

/// Whether the keyring may be waiting for the user.
pub(super) fn prompting() -> bool {
    system::prompting()
}

/// The item `name` of `service`.
pub(super) fn entry(store: &CredentialStore, service: &str, name: &str) -> Result<Entry, Error> {
    // By default Windows would carry the item to the user's other machines.
    let local = HashMap::from([("persistence", "local")]);
    store.build(service, name, cfg!(windows).then_some(&local))
}

/// What an error of the keyring means to the user. It must never show the bytes that some errors carry.
pub(super) fn meaning(wrong: &Error) -> StoreError {
    match wrong {
        Error::NoStorageAccess(said) | Error::PlatformFailure(said) => {
            system::meaning(said.as_ref())
        }
        Error::BadEncoding(_) | Error::BadDataFormat(..) => {
            StoreError::Denied("an item cannot be read".to_owned())
        }
        Error::Ambiguous(_) => StoreError::Denied("an item is there twice".to_owned()),
        Error::NoDefaultStore => StoreError::Absent("none is known for this system".to_owned()),
        other => StoreError::Denied(other.to_string()),
    }
}
