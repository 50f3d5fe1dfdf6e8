//! The keyring of the system: how it is reached, what its errors mean, whether it may be asking the user something. What
//! differs is in a file for each system.

use std::collections::HashMap;

use keyring_core::api::CredentialStore;
use keyring_core::{Entry, Error};

use super::StoreError;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
mod other;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(target_os = "macos")]
use macos as system;
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
use other as system;
#[cfg(windows)]
use windows as system;

pub(super) use system::{connect, prompting};

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
