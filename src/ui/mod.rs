//! The only door to people: what they read on stderr, the log, and the data that commands print on stdout.

mod log;
mod plain;
mod redact;
mod table;

use std::io::{IsTerminal, Write, stderr};

use crate::error::Fatal;

pub use log::{Format, LogOptions, Verbosity, start as start_log};
pub use plain::{is_control, line, text};
pub use table::table;

/// When to colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether stderr gets colour; `no_color` is whether `NO_COLOR` is set and not empty.
    pub fn applies(self, no_color: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => !no_color && stderr().is_terminal(),
        }
    }
}

/// Prints the data that a command was asked for on stdout: as it is where a program reads it, without what a terminal would
/// obey where a person does. Never in bridge mode, where stdout belongs to the protocol.
pub fn data(data: &str) {
    if std::io::stdout().is_terminal() {
        painted(&text(data));
    } else {
        painted(data);
    }
}

/// The same of text that has colours of ours, and nothing of a server's that was not made plain before.
pub fn painted(text: &str) {
    let mut out = std::io::stdout().lock();
    // Whoever closed it does not want it.
    let _ = writeln!(out, "{text}");
}

/// Text without what looks like a credential in it.
pub fn redacted(text: &str) -> String {
    redact::text(text).into_owned()
}

/// A note beside the data.
pub fn note(note: &str) {
    let _ = writeln!(stderr(), "mcp-tether: {}", redact::text(&text(note)));
}

/// Tells the address at which the user signs in, and what to do first where there is something.
pub fn sign_in(address: &str, first: Option<&str>) {
    let mut text = format!("mcp-tether: sign in at {address}\n");
    if let Some(first) = first {
        text.push_str(&format!("hint: {first}\n"));
    }
    let _ = stderr().write_all(text.as_bytes());
}

/// Tells why the program ends.
pub fn fatal(fatal: &Fatal) {
    let mut told = format!("mcp-tether: {}\n", redact::text(&line(&fatal.message)));
    if let Some(hint) = &fatal.hint {
        told.push_str(&format!("hint: {}\n", redact::text(&text(hint))));
    }
    // If stderr is closed there is nobody to tell.
    let _ = stderr().write_all(told.as_bytes());
}
