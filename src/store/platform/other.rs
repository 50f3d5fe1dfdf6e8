//! Systems without a keyring that is known: there is none to reach.

use std::sync::Arc;

use keyring_core::Error;
use keyring_core::api::CredentialStore;

use crate::store::StoreError;

/// A connection to the keyring.
pub(in crate::store) fn connect() -> Result<Arc<CredentialStore>, Error> {
    Err(Error::NoDefaultStore)
}

/// Whether the keyring may be waiting for the user.
pub(in crate::store) fn prompting() -> bool {
    false
}

/// What an error of the system itself means to the user.
pub(super) fn meaning(wrong: &(dyn std::error::Error + 'static)) -> StoreError {
    StoreError::Absent(wrong.to_string())
}
