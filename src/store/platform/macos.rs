//! macOS: the login keychain.

use std::sync::Arc;

use keyring_core::Error;
use keyring_core::api::CredentialStore;

use crate::store::StoreError;

/// A connection to the keyring.
pub(in crate::store) fn connect() -> Result<Arc<CredentialStore>, Error> {
    Ok(apple_native_keyring_store::keychain::Store::new()?)
}

/// Whether the keyring may be waiting for the user. The system cannot be asked; what takes long there is a prompt.
pub(in crate::store) fn prompting() -> bool {
    true
}

/// What an error of the system itself means to the user.
pub(super) fn meaning(wrong: &(dyn std::error::Error + 'static)) -> StoreError {
    StoreError::Denied(wrong.to_string())
}
