//! Windows: Credential Manager.

use std::sync::Arc;

use keyring_core::Error;
use keyring_core::api::CredentialStore;

use crate::store::StoreError;

/// A connection to the keyring.
pub(in crate::store) fn connect() -> Result<Arc<CredentialStore>, Error> {
    Ok(windows_native_keyring_store::Store::new()?)
}

/// Whether the keyring may be waiting for the user.
pub(in crate::store) fn prompting() -> bool {
    false
}

/// What an error of the system itself means to the user.
pub(super) fn meaning(wrong: &(dyn std::error::Error + 'static)) -> StoreError {
    StoreError::Denied(wrong.to_string())
}
