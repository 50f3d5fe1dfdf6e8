//! Credentials for the remote server. Each HTTP attempt asks for them anew; a refusal is told back, so that they can be
//! renewed before the one repeat.

pub mod account;
mod binding;
pub mod browser;
pub mod challenge;
mod command;
mod device;
pub mod discovery;
pub mod dpop;
pub mod examine;
pub mod flow;
mod follow;
mod foreign;
pub mod grant;
pub mod http;
mod identity;
pub mod leniency;
pub mod loopback;
pub mod metadata;
mod oauth;
pub mod options;
mod present;
pub mod prompt;
pub mod provider;
mod recovery;
mod refresh;
pub mod registration;
mod sign_in;
#[cfg(test)]
pub mod stage;
mod turn;
mod user;
mod vault;
mod visit;
mod wishes;

use std::net::IpAddr;
use std::sync::Arc;

use ::http::{HeaderMap, Method, StatusCode};

pub use command::HeaderCommand;
pub use foreign::{Foreign, Taken};
pub use oauth::Oauth;
use url::Url;
pub use user::{SignIn, Waiting};

use crate::error::Failure;

/// Where credentials come from.
#[derive(Debug)]
pub enum Authorizer {
    /// There are none beside the headers that the user gave.
    None,
    /// A command prints them as headers (`--header-command`).
    Command(HeaderCommand),
    /// The user signs in with OAuth.
    Oauth(Arc<Oauth>),
}

/// Headers to send, and which set of credentials they are.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// The headers; their values are marked sensitive.
    pub headers: HeaderMap,
    /// Counts up with each renewal.
    pub generation: u64,
}

/// An answer with 401 or 403.
#[derive(Debug, Clone, Copy)]
pub struct Refused<'a> {
    /// Which of them.
    pub status: StatusCode,
    /// Its headers, the challenge among them.
    pub headers: &'a HeaderMap,
    /// Where it came from, where that is known.
    pub peer: Option<IpAddr>,
}

/// What came of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// There are other credentials: try once more.
    Renewed,
    /// The user has to sign in first ([`Oauth::sign_in`]).
    SignIn,
    /// There is nothing else to try.
    Exhausted,
}

impl Authorizer {
    /// The credentials for one request, to be sent now and once.
    ///
    /// # Errors
    /// [`Failure::Credentials`] when they cannot be had.
    pub async fn credentials(&self, method: &Method, url: &Url) -> Result<Credentials, Failure> {
        match self {
            Self::None => Ok(Credentials::default()),
            Self::Command(command) => command.credentials().await,
            Self::Oauth(oauth) => oauth.credentials(method, url).await,
        }
    }

    /// The credentials at hand, without any work: for a message that is not worth it.
    pub fn at_hand(&self, method: &Method, url: &Url) -> Credentials {
        match self {
            Self::None => Credentials::default(),
            Self::Command(command) => command.at_hand(),
            Self::Oauth(oauth) => oauth.current(method, url),
        }
    }

    /// Notes what a response says for the proofs of later requests (RFC 9449 §8.2), whatever its status.
    pub fn observe(&self, url: &Url, headers: &HeaderMap) {
        if let Self::Oauth(oauth) = self {
            oauth.presenter.nonces().observe(url, headers);
        }
    }

    /// Whether a 401 wants the same credentials with another nonce (RFC 9449 §9), and nothing else.
    pub fn wants_nonce(&self, sent: &Credentials, answer: &HeaderMap) -> bool {
        matches!(self, Self::Oauth(_)) && present::wants_nonce(&sent.headers, answer)
    }

    /// The server took these credentials, whatever it made of the request.
    pub fn accepted(&self, credentials: &Credentials) {
        if let Self::Oauth(oauth) = self {
            oauth.accepted(credentials.generation);
        }
    }

    /// Renews credentials that the server refused with 401 or 403.
    ///
    /// # Errors
    /// Why the renewal failed.
    pub async fn recover(
        &self,
        refused: &Credentials,
        refusal: &Refused<'_>,
    ) -> Result<Recovery, Failure> {
        match self {
            Self::Command(command) if refusal.status == StatusCode::UNAUTHORIZED => {
                command.recover(refused.generation).await
            }
            Self::None | Self::Command(_) => Ok(Recovery::Exhausted),
            Self::Oauth(oauth) => oauth.recover(refused, refusal).await,
        }
    }

    /// How often a request's credentials may be recovered: those that another process has kept meanwhile, refreshed ones, and
    /// then there is only a sign-in.
    pub const fn renewals(&self) -> u32 {
        match self {
            Self::None => 0,
            Self::Command(_) => 1,
            Self::Oauth(_) => 3,
        }
    }

    /// The sign-in of the user, where there is one.
    pub const fn oauth(&self) -> Option<&Arc<Oauth>> {
        match self {
            Self::Oauth(oauth) => Some(oauth),
            Self::None | Self::Command(_) => None,
        }
    }
}
