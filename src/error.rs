//! What can go wrong on the way to the remote server, and all that follows from it: the JSON-RPC error for the client, the
//! exit code, whether the request may be repeated.

mod fatal;
mod kind;

use std::fmt;
use std::time::Duration;

use serde_json::Value;

pub use fatal::{Exit, Fatal};
pub use kind::Kind;

use crate::jsonrpc::Message;

/// An HTTP answer that is not a success.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The wait that `Retry-After` asks for.
    pub retry_after: Option<Duration>,
    /// At most 200 printable characters of the body.
    pub excerpt: Option<String>,
    /// The JSON-RPC error in the body, if it is one.
    pub message: Option<Message>,
    /// Where a redirect that was not followed leads, without its query.
    pub location: Option<String>,
    /// Whether the request had an `Authorization` header of the user's.
    pub authorization_given: bool,
}

impl Refusal {
    /// The status of an error that came with a success.
    pub const IN_A_SUCCESS: u16 = 200;

    /// An error that came with a success.
    pub const fn said(error: Message) -> Self {
        Self {
            status: Self::IN_A_SUCCESS,
            retry_after: None,
            excerpt: None,
            message: Some(error),
            location: None,
            authorization_given: false,
        }
    }
}

/// Why a message got no answer from the remote server.
#[derive(Debug, Clone)]
pub enum Failure {
    /// No connection: DNS, TCP, TLS or proxy. Nothing of the request left.
    Unreachable {
        /// What happened.
        what: String,
        /// What to try.
        hint: &'static str,
    },
    /// The connection or stream broke after bytes of the request left.
    Lost(String),
    /// A time limit passed.
    Timeout {
        /// What took too long.
        what: String,
        /// The option that sets the limit.
        option: &'static str,
    },
    /// A status that is no success.
    Status(Box<Refusal>),
    /// 401: credentials are missing or were refused.
    Unauthorized(Box<Refusal>),
    /// 403: the credentials do not suffice.
    Forbidden(Box<Refusal>),
    /// 401 or 403, and a sign-in may help: what the server said.
    SignInNeeded(Box<Refusal>),
    /// The user has not signed in.
    SignIn {
        /// What there is to know, with the address to open where there is one.
        what: String,
        /// What to try.
        hint: String,
    },
    /// The server asks for a sign-in and offers none.
    NoSignIn,
    /// The store of sign-ins cannot be used.
    Store {
        /// What it said.
        what: String,
        /// What to try.
        hint: String,
    },
    /// No credentials could be had.
    Credentials {
        /// Why not.
        what: String,
        /// What to try.
        hint: &'static str,
    },
    /// A metadata document says of itself what it must not where it was found, so that nothing in it is believed.
    Mismatch {
        /// What it says.
        of: Claim,
        /// In words.
        what: String,
        /// What to try.
        hint: &'static str,
    },
    /// The server no longer knows the session (protocol revision 2025-11-25, transports §Session Management).
    SessionGone {
        /// The generation that is gone.
        generation: u64,
        /// What the server said, if it said anything.
        refusal: Option<Box<Refusal>>,
    },
    /// The session was lost and could not be had again: why.
    Session(String),
    /// The answer is no JSON-RPC, or not the one asked for.
    NotMcp {
        /// What is wrong with it.
        what: String,
        /// At most 200 printable characters of it.
        excerpt: Option<String>,
    },
    /// The server answered the request for a WebSocket as any HTTP server would.
    NoWebSocket {
        /// What it said.
        refusal: Box<Refusal>,
        /// The URL as that of an HTTP server.
        url: String,
    },
    /// Over `--max-message-size`, in bytes.
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// Too many requests in flight.
    Busy {
        /// The limit.
        limit: usize,
    },
    /// A tool that the filter hides.
    Filtered {
        /// Its name.
        tool: String,
    },
    /// We are leaving.
    Closed,
}

/// What a metadata document says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Whose it is (RFC 8414 §3.3).
    Issuer,
    /// What it is about (RFC 9728 §3.3).
    Resource,
}

/// When a request may be sent again (after [`Failure::repeat`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Not at all.
    Never,
    /// Any request: the server did not act on it.
    Any(Option<Duration>),
    /// Only one that reads.
    Reads(Option<Duration>),
}

impl Failure {
    /// The kind that the client sees.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Unreachable { .. } => Kind::Unreachable,
            Self::Timeout { .. } => Kind::Timeout,
            Self::NoWebSocket { refusal, .. } if refusal.status < 300 => Kind::Protocol,
            Self::Status(_) | Self::NoWebSocket { .. } => Kind::Http,
            Self::Unauthorized(_)
            | Self::Forbidden(_)
            | Self::SignInNeeded(_)
            | Self::SignIn { .. }
            | Self::NoSignIn
            | Self::Store { .. }
            | Self::Credentials { .. }
            | Self::Mismatch { .. } => Kind::Auth,
            Self::SessionGone { .. } | Self::Session(_) => Kind::Session,
            Self::Lost(_) | Self::NotMcp { .. } => Kind::Protocol,
            Self::TooLarge { .. } => Kind::TooLarge,
            Self::Busy { .. } => Kind::Busy,
            Self::Filtered { .. } => Kind::Filtered,
            Self::Closed => Kind::Shutdown,
        }
    }

    /// Whether and after what wait the request may be sent again. A lost session is another matter: it is renewed first.
    pub const fn repeat(&self) -> Repeat {
        match self {
            Self::Unreachable { .. } => Repeat::Any(None),
            Self::Lost(_) => Repeat::Reads(None),
            Self::Status(refusal) => match (refusal.status, refusal.retry_after) {
                (429, wait) => Repeat::Any(wait),
                (503, Some(wait)) => Repeat::Reads(Some(wait)),
                _ => Repeat::Never,
            },
            _ => Repeat::Never,
        }
    }

    /// What the server said, where it said anything.
    pub const fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Status(refusal)
            | Self::Unauthorized(refusal)
            | Self::Forbidden(refusal)
            | Self::SignInNeeded(refusal)
            | Self::NoWebSocket { refusal, .. } => Some(refusal),
            Self::SessionGone {
                refusal: Some(refusal),
                ..
            } => Some(refusal),
            _ => None,
        }
    }

    /// The same refusal where no sign-in helps.
    #[must_use]
    pub fn without_sign_in(self) -> Self {
        match self {
            Self::SignInNeeded(refusal) => Self::Unauthorized(refusal),
            other => other,
        }
    }

    /// The server's own words: the JSON-RPC error of a refusal.
    pub fn said(&self) -> Option<&Message> {
        self.refusal().and_then(|refusal| refusal.message.as_ref())
    }

    /// The same with other words of the server's.
    #[must_use]
    pub fn map_said(mut self, change: impl FnOnce(Message) -> Message) -> Self {
        if let Self::Status(refusal) | Self::Unauthorized(refusal) | Self::Forbidden(refusal) =
            &mut self
        {
            refusal.message = refusal.message.take().map(change);
        }
        self
    }

    /// What to do about it, as one sentence.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Unreachable { hint, .. }
            | Self::Credentials { hint, .. }
            | Self::Mismatch { hint, .. } => (*hint).to_owned(),
            Self::SignIn { hint, .. } | Self::Store { hint, .. } => hint.clone(),
            Self::Timeout { option, .. } => format!("raise {option} if the server needs longer"),
            Self::Unauthorized(refusal) if refusal.authorization_given => {
                "check the token in the Authorization header, or take the header away to sign in with the browser"
                    .to_owned()
            }
            Self::Unauthorized(_) | Self::NoSignIn => {
                "give the server's token with --header-file or --header 'Authorization: Bearer ${TOKEN}'"
                    .to_owned()
            }
            Self::SignInNeeded(_) => "sign in with mcp-tether login and the server's URL".to_owned(),
            Self::Forbidden(_) => "ask the server's owner for access, or use another token".to_owned(),
            Self::SessionGone { .. } | Self::Session(_) => {
                "restart this server entry in the client if it does not recover".to_owned()
            }
            Self::Status(refusal) => match (refusal.status, &refusal.location) {
                (300..=399, Some(to)) => format!("if you trust it, use that URL instead: {to}"),
                (404 | 405, _) => "check the path of the URL; MCP endpoints often end in /mcp or /sse".to_owned(),
                (429, _) => "wait before the next call".to_owned(),
                (500..=599, _) => "the server has a problem; try again later".to_owned(),
                _ => return None,
            },
            Self::NotMcp { .. } => "check that the URL is an MCP endpoint; they often end in /mcp or /sse".to_owned(),
            Self::NoWebSocket { url, .. } => {
                format!("if it is an MCP server over HTTP, use {url} without --transport websocket")
            }
            Self::Lost(_) => "the server may have acted on it; check before calling again".to_owned(),
            Self::TooLarge { .. } => "raise --max-message-size".to_owned(),
            Self::Busy { .. } => "wait for answers before sending more".to_owned(),
            Self::Filtered { .. } => {
                "see --ignore-tool, --only-tool and --read-only in the server's entry".to_owned()
            }
            Self::Closed => return None,
        };
        Some(hint)
    }

    /// The figures for `error.data`, beside `source` and `kind`.
    pub fn data(&self) -> Vec<(&'static str, Value)> {
        let mut data = Vec::new();
        if let Some(refusal) = self.refusal() {
            data.push(("httpStatus", refusal.status.into()));
            if let Some(wait) = refusal.retry_after {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                data.push(("retryAfter", seconds.into()));
            }
        }
        let excerpt = match self {
            Self::NotMcp { excerpt, .. } => excerpt.as_ref(),
            _ => self.refusal().and_then(|refusal| refusal.excerpt.as_ref()),
        };
        if let Some(body) = excerpt {
            data.push(("body", body.as_str().into()));
        }
        if let Some(hint) = self.hint() {
            data.push(("hint", hint.into()));
        }
        data
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { what, .. } => f.write_str(what),
            Self::Lost(what) => write!(f, "the connection was lost before the answer came: {what}"),
            Self::Timeout { what, .. } => f.write_str(what),
            Self::Status(refusal) => match &refusal.location {
                Some(to) => write!(
                    f,
                    "the server answered HTTP {} and redirects to {to}",
                    refusal.status
                ),
                None => write!(f, "the server answered HTTP {}", refusal.status),
            },
            Self::Unauthorized(refusal) if refusal.authorization_given => {
                f.write_str("the server refused the given Authorization header (HTTP 401)")
            }
            Self::Unauthorized(_) | Self::SignInNeeded(_) => {
                f.write_str("the server wants a sign-in")?;
                self.refusal()
                    .map_or(Ok(()), |refusal| write!(f, " (HTTP {})", refusal.status))
            }
            Self::Forbidden(_) => f.write_str("the server refused access (HTTP 403)"),
            Self::Credentials { what, .. }
            | Self::Mismatch { what, .. }
            | Self::SignIn { what, .. }
            | Self::Store { what, .. }
            | Self::Session(what) => f.write_str(what),
            Self::SessionGone { .. } => {
                f.write_str("the server does not know the session, not even a new one")
            }
            Self::NotMcp { what, .. } => f.write_str(what),
            Self::NoWebSocket { refusal, .. } => write!(
                f,
                "the server did not open a WebSocket: it answered HTTP {}",
                refusal.status
            ),
            Self::NoSignIn => {
                f.write_str("the server refuses access (HTTP 401) and offers no sign-in")
            }
            Self::TooLarge { limit } => write!(f, "the message is larger than {limit} bytes"),
            Self::Busy { limit } => write!(f, "{limit} requests are in flight already"),
            Self::Filtered { tool } => write!(f, "tool {tool:?} is not available here"),
            Self::Closed => f.write_str("mcp-tether is shutting down"),
        }
    }
}

impl std::error::Error for Failure {}
