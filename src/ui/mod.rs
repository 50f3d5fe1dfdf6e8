//! The only door to people: what they read on stderr, the log, and the data that commands print on stdout.

mod log;
mod plain;
mod redact;
mod table;

use std::io::{self, ErrorKind, IsTerminal, Write, stderr};

use crate::error::{Exit, Fatal};

pub use log::{Format, LogOptions, Verbosity, start as start_log};
pub use plain::{is_control, line, text};
pub use redact::{change, names_secret, settings};
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
///
/// # Errors
/// Those of [`bytes()`].
pub fn data(data: &str) -> Result<(), Fatal> {
    if io::stdout().is_terminal() {
        painted(&text(data))
    } else {
        painted(data)
    }
}

/// The same of text that has colours of ours, and nothing of a server's that was not made plain before.
///
/// # Errors
/// Those of [`bytes()`].
pub fn painted(text: &str) -> Result<(), Fatal> {
    bytes(format!("{text}\n").as_bytes())
}

/// The same for data that has its own line ends.
///
/// # Errors
/// It cannot be written: a full disk, say.
pub fn bytes(data: &[u8]) -> Result<(), Fatal> {
    let mut out = io::stdout().lock();
    written(out.write_all(data).and_then(|()| out.flush()))
}

/// What became of data that was written to stdout. Whoever closed it does not want it, which is no failure.
///
/// # Errors
/// It was not written.
pub fn written(outcome: io::Result<()>) -> Result<(), Fatal> {
    match outcome {
        Err(wrong) if wrong.kind() != ErrorKind::BrokenPipe => Err(Fatal {
            exit: Exit::Failed,
            message: format!("cannot write to stdout: {wrong}"),
            hint: Some("see where the output goes, and whether there is space".to_owned()),
        }),
        _ => Ok(()),
    }
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
