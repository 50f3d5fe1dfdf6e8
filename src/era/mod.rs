//! The revisions of the protocol: what a server speaks, read from its answers, and what a message of one era is in the
//! other. Only where client and server are of different eras is a message written anew, and only the members named
//! here change. Pure: no IO, no clock.

pub mod detect;
pub mod down;
pub mod envelope;
pub mod headers;
pub mod mrtr;
mod parts;
pub mod subscriptions;
pub mod up;

/// The revision whose requests name it themselves, in `_meta` (2026-07-28 versioning §Terminology).
pub const MODERN: &str = "2026-07-28";

/// The revisions that begin with `initialize`, the latest last.
pub const LEGACY: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", LATEST_LEGACY];

/// The revision that the bridge offers where it opens such a session itself.
pub const LATEST_LEGACY: &str = "2025-11-25";

/// The levels of log messages, the most verbose first (2025-11-25 logging §Log Levels).
pub const LEVELS: [&str; 8] = [
    "debug",
    "info",
    "notice",
    "warning",
    "error",
    "critical",
    "alert",
    "emergency",
];

/// `MissingRequiredClientCapability` (2026-07-28 basic §Error Codes).
pub const MISSING_CAPABILITY: i64 = -32021;
