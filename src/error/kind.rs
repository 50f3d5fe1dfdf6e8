//! The kinds of local errors, by their codes and names. Neither changes: clients and scripts know them.

/// The kind of a local error: one JSON-RPC code each, outside the ranges that JSON-RPC and MCP reserve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// DNS, TCP, TLS, proxy.
    Unreachable,
    /// A limit of ours passed.
    Timeout,
    /// A status without a usable body.
    Http,
    /// Sign-in needed or refused.
    Auth,
    /// The session was lost and could not be had again.
    Session,
    /// The answer is no JSON-RPC, has another id, or its stream ended without one.
    Protocol,
    /// Over `--max-message-size`.
    TooLarge,
    /// We are leaving.
    Shutdown,
    /// Too many requests in flight.
    Busy,
    /// A tool that the filter hides.
    Filtered,
}

impl Kind {
    /// The JSON-RPC error code.
    pub const fn code(self) -> i64 {
        match self {
            Self::Unreachable => -31001,
            Self::Timeout => -31002,
            Self::Http => -31003,
            Self::Auth => -31004,
            Self::Session => -31005,
            Self::Protocol => -31006,
            Self::TooLarge => -31007,
            Self::Shutdown => -31008,
            Self::Busy => -31009,
            Self::Filtered => -32602,
        }
    }

    /// The stable name in `data.kind`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Http => "http",
            Self::Auth => "auth",
            Self::Session => "session",
            Self::Protocol => "protocol",
            Self::TooLarge => "too-large",
            Self::Shutdown => "shutdown",
            Self::Busy => "busy",
            Self::Filtered => "filtered",
        }
    }
}
