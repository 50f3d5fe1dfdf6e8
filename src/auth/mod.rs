//! Credentials for the remote server. Each HTTP attempt asks for them anew; a refusal is told back, so that they can be
//! renewed before the one repeat.

pub mod browser;
pub mod challenge;
mod command;
pub mod discovery;
pub mod flow;
pub mod http;
pub mod leniency;
pub mod loopback;
pub mod metadata;
pub mod registration;

use ::http::HeaderMap;

pub use command::HeaderCommand;

use crate::error::Failure;

/// Where credentials come from.
#[derive(Debug)]
pub enum Authorizer {
    /// There are none beside the headers that the user gave.
    None,
    /// A command prints them as headers (`--header-command`).
    Command(HeaderCommand),
}

/// Headers to send, and which set of credentials they are.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// The headers; their values are marked sensitive.
    pub headers: HeaderMap,
    /// Counts up with each renewal.
    pub generation: u64,
}

/// What came of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// There are other credentials: try once more.
    Renewed,
    /// There is nothing else to try.
    Exhausted,
}

impl Authorizer {
    /// The credentials to send now.
    ///
    /// # Errors
    /// [`Failure::Credentials`] when they cannot be had.
    pub async fn credentials(&self) -> Result<Credentials, Failure> {
        match self {
            Self::None => Ok(Credentials::default()),
            Self::Command(command) => command.credentials().await,
        }
    }

    /// Renews credentials that the server refused with 401.
    ///
    /// # Errors
    /// [`Failure::Credentials`] when the renewal failed for a local reason.
    pub async fn recover(&self, refused: &Credentials) -> Result<Recovery, Failure> {
        match self {
            Self::None => Ok(Recovery::Exhausted),
            Self::Command(command) => command.recover(refused.generation).await,
        }
    }
}
