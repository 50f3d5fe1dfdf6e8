//! Ways to a token other than a person at the authorization server's page: who asks, with what, and how the token is renewed.
//! Which server is asked, and what becomes of its answer, is the same for all (`sign_in`).

pub mod assertion;
mod client_credentials;
pub mod enterprise;
mod id_token;
mod identify;
mod request;
mod run;
mod source;
mod user;
pub mod workload;

pub(super) use request::{PRIVATE_KEY_JWT, revoke};
pub(super) use run::{named, renew, rest};
pub(super) use workload::is_nobody;

use assertion::SigningKey;
use enterprise::Idp;
use workload::Workload;

/// How tokens are had.
#[derive(Debug, Clone, Default)]
pub enum Grant {
    /// A person signs in.
    #[default]
    Person,
    /// The client itself does, with the secret of a client that is registered by hand, or with a key (RFC 6749 §4.4).
    ClientCredentials {
        /// The key, in place of the secret.
        key: Option<SigningKey>,
    },
    /// The platform vouches for the client (RFC 7523 §2.1).
    Workload(Workload),
    /// The identity provider of a company decides for its user.
    Enterprise(Box<Idp>),
}

impl Grant {
    /// What records call it; nothing for a person.
    pub const fn name(&self) -> Option<&'static str> {
        match self {
            Self::Person => None,
            Self::ClientCredentials { .. } => Some("client_credentials"),
            Self::Workload(_) => Some("workload_identity"),
            Self::Enterprise(_) => Some("enterprise_managed"),
        }
    }

    /// The extension of MCP that it is (2026-07-28 clients declare it).
    pub const fn extension(&self) -> Option<&'static str> {
        match self {
            Self::Person => None,
            Self::ClientCredentials { .. } => {
                Some("io.modelcontextprotocol/oauth-client-credentials")
            }
            Self::Workload(_) => Some("io.modelcontextprotocol/auth/wif"),
            Self::Enterprise(_) => Some("io.modelcontextprotocol/enterprise-managed-authorization"),
        }
    }

    /// What to do about a refusal of the authorization server.
    const fn remedy(&self) -> &'static str {
        match self {
            Self::Person => "sign in again",
            Self::ClientCredentials { key: None } => {
                "check --client-id and --client-secret-file, and that the client may use the client credentials grant"
            }
            Self::ClientCredentials { key: Some(_) } => {
                "check --client-id, that the public half of --private-key-file is registered for it, and this machine's clock"
            }
            Self::Workload(_) => {
                "check that the platform's token is for this authorization server and has not ended; it is read again a minute later"
            }
            Self::Enterprise(_) => {
                "check --client-id and --idp-client-id, and ask whoever runs the identity provider whether this server is allowed"
            }
        }
    }

    /// Whether a person may have to do something for it.
    pub const fn needs_person(&self) -> bool {
        match self {
            Self::Person => true,
            Self::Enterprise(idp) => idp.id_token_file.is_none(),
            Self::ClientCredentials { .. } | Self::Workload(_) => false,
        }
    }

    /// Whether a new token is had by asking again, as the first one was.
    pub const fn asks_again(&self) -> bool {
        !matches!(self, Self::Person)
    }
}
