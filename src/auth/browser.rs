//! Shows the sign-in page in the user's browser.
//!
//! The remote server chooses that address, and launchers hand it on to programs that were not written with an enemy in mind:
//! only a [`SafeUrl`] is ever opened, always as one argument and never through a shell.

use std::ffi::OsString;
use std::fmt::{self, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use url::Url;

use super::metadata;

/// The longest URL, in bytes. Windows cannot open longer ones.
const MAX_URL: usize = 8 * 1024;

/// A command of `$BROWSER` that runs longer than this is taken to be the browser itself.
const STARTED: Duration = Duration::from_secs(1);

/// How often a command is asked whether it has ended.
const POLL: Duration = Duration::from_millis(10);

/// The longest that a launcher may take before it is given up.
const LIMIT: Duration = Duration::from_secs(20);

/// What separates the commands in `$BROWSER`.
const SEPARATOR: char = if cfg!(windows) { ';' } else { ':' };

/// An address that any launcher may be handed: https, or http on this machine, written in harmless characters only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafeUrl(String);

/// Why an address is not opened. It does not repeat the address, which a hostile server may have made up to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsafe {
    /// Over 8 KiB.
    TooLong,
    /// White space or control characters.
    Characters,
    /// No URL at all.
    Unparsable,
    /// Neither https, nor http on this machine.
    Scheme,
    /// A user name or password.
    UserInfo,
    /// No host, or one with characters that no host name has.
    Host,
}

impl fmt::Display for Unsafe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the sign-in URL is longer than 8 KiB",
            Self::Characters => "the sign-in URL holds white space or control characters",
            Self::Unparsable => "the sign-in URL is not a URL",
            Self::Scheme => "the sign-in URL is neither https nor on this machine",
            Self::UserInfo => "the sign-in URL holds a user name or password",
            Self::Host => "the sign-in URL has no proper host",
        })
    }
}

impl std::error::Error for Unsafe {}

impl SafeUrl {
    /// Checks and rewrites an address (MCP security best practices §OAuth Authorization URL Validation; CVE-2025-6514).
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn new(text: &str) -> Result<Self, Unsafe> {
        if text.len() > MAX_URL {
            return Err(Unsafe::TooLong);
        }
        // The parser drops some of these silently.
        if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(Unsafe::Characters);
        }
        let url = Url::parse(text).map_err(|_| Unsafe::Unparsable)?;
        if !metadata::is_safe(&url) {
            return Err(Unsafe::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Unsafe::UserInfo);
        }
        let host = url.host_str().unwrap_or_default().as_bytes();
        let of_hosts = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(byte);
        if host.is_empty() || !host.iter().all(of_hosts) {
            return Err(Unsafe::Host);
        }
        let harmless = encode(url.as_str());
        if harmless.len() > MAX_URL {
            return Err(Unsafe::TooLong);
        }
        Ok(Self(harmless))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Encodes what the parser leaves as it is although shells see more in it: `$ ( ) | ^ { } \ '` and the backtick.
fn encode(url: &str) -> String {
    url.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~:/?#[]@=&+,%!*;".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

/// Why no browser came up. The address is not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotOpened(String);

impl fmt::Display for NotOpened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotOpened {}

/// Opens the address: with `browser`, the value of `$BROWSER`, if there is one, else as the desktop does it. It returns once
/// the browser runs or handed the address to one that does.
///
/// # Errors
/// Nothing could be started. The user still has the address on stderr.
pub async fn open(url: &SafeUrl, browser: Option<&str>) -> Result<(), NotOpened> {
    let (report, outcome) = oneshot::channel();
    let url = url.clone();
    let commands = browser.map(|list| commands(list, &url));
    // Launchers block. A thread of the runtime would also keep the program from leaving.
    std::thread::Builder::new()
        .name("browser".to_owned())
        .spawn(move || match commands.filter(|list| !list.is_empty()) {
            Some(commands) => start_first(commands, report),
            None => {
                let _ = report.send(open_on_desktop(&url));
            }
        })
        .map_err(|wrong| NotOpened(format!("cannot start a thread: {wrong}")))?;
    match tokio::time::timeout(LIMIT, outcome).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(NotOpened("the browser launcher failed".to_owned())),
        Err(_) => Err(NotOpened(format!(
            "the browser did not start within {} s",
            LIMIT.as_secs()
        ))),
    }
}

fn open_on_desktop(url: &SafeUrl) -> Result<(), NotOpened> {
    // The error's own text repeats the address.
    open::that_detached(url.as_str()).map_err(|wrong| {
        let why = match wrong.kind() {
            std::io::ErrorKind::Other => String::new(),
            kind => format!(" ({kind})"),
        };
        NotOpened(format!("no browser could be opened on this desktop{why}"))
    })
}

/// The commands of a `$BROWSER`, each as a program and its arguments. The address is one of these, or part of one.
fn commands(list: &str, url: &SafeUrl) -> Vec<Vec<OsString>> {
    list.split(SEPARATOR)
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .map(|entry| {
            // Programs may have a space in their path.
            let whole = Path::new(entry).is_absolute() && Path::new(entry).is_file();
            let mut words: Vec<&str> = if whole {
                vec![entry]
            } else {
                entry.split_whitespace().collect()
            };
            if !words.iter().skip(1).any(|word| word.contains("%s")) {
                words.push("%s");
            }
            let filled = |(place, word): (usize, &str)| match place {
                // A server must not choose the program.
                0 => word.into(),
                _ => word.replace("%s", url.as_str()).into(),
            };
            words.into_iter().enumerate().map(filled).collect()
        })
        .collect()
}

/// Starts the first command that works, reports, and waits for its end so that no zombie stays.
fn start_first(commands: Vec<Vec<OsString>>, report: oneshot::Sender<Result<(), NotOpened>>) {
    let mut wrongs = Vec::new();
    for command in commands {
        match start(&command) {
            Ok(mut child) => {
                let _ = report.send(Ok(()));
                let _ = child.wait();
                return;
            }
            Err(wrong) => {
                let name = command.first().map(|name| name.to_string_lossy());
                wrongs.push(format!("{}: {wrong}", name.unwrap_or_default()));
            }
        }
    }
    let said = wrongs.join("; ");
    let _ = report.send(Err(NotOpened(format!("$BROWSER does not work ({said})"))));
}

fn start(command: &[OsString]) -> Result<Child, String> {
    let (program, arguments) = command.split_first().ok_or("no command")?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        // Ours carry the protocol.
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // The browser outlives a client that ends our whole group.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().map_err(|wrong| wrong.to_string())?;
    let begun = Instant::now();
    while begun.elapsed() < STARTED {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(POLL),
            Ok(Some(status)) if status.success() => break,
            Ok(Some(status)) => return Err(status.to_string()),
            Err(wrong) => return Err(wrong.to_string()),
        }
    }
    Ok(child)
}

#[cfg(test)]
mod tests;
