//! Why the program ends, and the exit code that says so.

use std::fmt;

use super::{Failure, Kind};

/// How the program ended, as its exit code says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// An operation failed.
    Failed = 1,
    /// Bad flag, URL or config.
    Usage = 2,
    /// Authorization needed or refused.
    Auth = 3,
    /// Remote unreachable: DNS, TCP, TLS, proxy.
    Unreachable = 4,
    /// The remote is not a usable MCP server.
    NotMcp = 5,
    /// The credential store failed.
    Store = 6,
}

/// An error that ends the program: a sentence, and what to type next.
#[derive(Debug)]
pub struct Fatal {
    /// The exit code.
    pub exit: Exit,
    /// One sentence, lower case, no full stop.
    pub message: String,
    /// The next thing to try.
    pub hint: Option<String>,
}

impl Fatal {
    /// A mistake in what was typed or configured.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            message: message.into(),
            hint: Some(hint.into()),
        }
    }
}

impl From<&Failure> for Fatal {
    fn from(failure: &Failure) -> Self {
        Self {
            exit: match (failure, failure.kind()) {
                (Failure::Store { .. }, _) => Exit::Store,
                (_, Kind::Auth) => Exit::Auth,
                (_, Kind::Unreachable | Kind::Timeout) => Exit::Unreachable,
                (_, Kind::Http | Kind::Session | Kind::Protocol | Kind::TooLarge) => Exit::NotMcp,
                (_, Kind::Shutdown | Kind::Busy | Kind::Filtered) => Exit::Failed,
            },
            message: failure.to_string(),
            hint: failure.hint(),
        }
    }
}

impl fmt::Display for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fatal {}
