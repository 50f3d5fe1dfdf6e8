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

impl Kind {
    const ALL: [Self; 10] = [
        Self::Unreachable,
        Self::Timeout,
        Self::Http,
        Self::Auth,
        Self::Session,
        Self::Protocol,
        Self::TooLarge,
        Self::Shutdown,
        Self::Busy,
        Self::Filtered,
    ];

    /// The kind of that name in `data.kind`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl From<Kind> for Exit {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Auth => Self::Auth,
            Kind::Unreachable | Kind::Timeout => Self::Unreachable,
            Kind::Http | Kind::Session | Kind::Protocol | Kind::TooLarge => Self::NotMcp,
            Kind::Shutdown | Kind::Busy | Kind::Filtered => Self::Failed,
        }
    }
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
            exit: match failure {
                Failure::Store { .. } => Exit::Store,
                _ => failure.kind().into(),
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
