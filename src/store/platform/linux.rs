//! Linux: the Secret Service of the desktop, over D-Bus.

use std::sync::Arc;

use dbus_secret_service::{EncryptionType, Error as Service, SecretService};
use keyring_core::Error;
use keyring_core::api::CredentialStore;

use crate::store::StoreError;

const NO_REPLY: &str = "org.freedesktop.DBus.Error.NoReply";
const DENIED: &str = "org.freedesktop.DBus.Error.AccessDenied";

/// A connection to the keyring.
pub(in crate::store) fn connect() -> Result<Arc<CredentialStore>, Error> {
    Ok(dbus_secret_service_keyring_store::Store::new()?)
}

/// Whether the keyring may be waiting for the user.
pub(in crate::store) fn prompting() -> bool {
    let service = SecretService::connect(EncryptionType::Plain);
    // Asked on a connection of its own: the one that waits for the user is busy.
    service.is_ok_and(|service| {
        let collection = service.get_default_collection();
        collection.is_ok_and(|collection| collection.is_locked().unwrap_or(false))
    })
}

/// What an error of the system itself means to the user.
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
