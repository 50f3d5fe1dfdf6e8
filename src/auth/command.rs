//! Headers printed by a command of the user's: run once, kept, and run again when the server refuses them.

use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use http::HeaderMap;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::{Credentials, Recovery};
use crate::error::Failure;
use crate::net::headers;

/// The longest that the command may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Bytes of its output that are read.
const MAX_OUTPUT: u64 = 1 << 20;

type Run = Shared<BoxFuture<'static, Result<Credentials, Failure>>>;

/// A shell command whose stdout lines are headers.
#[derive(Debug)]
pub struct HeaderCommand {
    command: String,
    /// The current run, in progress or done; all requests share it.
    run: Mutex<(u64, Option<Run>)>,
}

impl HeaderCommand {
    /// A command for the platform's shell.
    pub const fn new(command: String) -> Self {
        Self {
            command,
            run: Mutex::new((0, None)),
        }
    }

    /// The headers of the latest run; the first call starts it.
    pub(super) async fn credentials(&self) -> Result<Credentials, Failure> {
        let (generation, run) = {
            let mut state = self.run.lock().unwrap_or_else(PoisonError::into_inner);
            let generation = state.0;
            let begin = || start(self.command.clone(), generation);
            (generation, state.1.get_or_insert_with(begin).clone())
        };
        let result = run.await;
        if result.is_err() {
            // The next request tries again.
            self.renew(generation);
        }
        result
    }

    /// The headers of the latest run, if it is through.
    pub(super) fn at_hand(&self) -> Credentials {
        let state = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = state.1.as_ref().and_then(Shared::peek).cloned();
        ended.and_then(Result::ok).unwrap_or_default()
    }

    /// Runs the command again, unless that has happened since.
    pub(super) async fn recover(&self, refused: u64) -> Result<Recovery, Failure> {
        self.renew(refused);
        self.credentials().await.map(|_| Recovery::Renewed)
    }

    fn renew(&self, refused: u64) {
        let mut state = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        if refused == state.0 {
            *state = (state.0 + 1, None);
        }
    }
}

fn start(command: String, generation: u64) -> Run {
    async move {
        let text = output(&command, "--header-command").await.map_err(failed)?;
        let headers = headers_of(&text).map_err(failed)?;
        Ok(Credentials {
            headers,
            generation,
        })
    }
    .boxed()
    .shared()
}

fn failed(what: String) -> Failure {
    Failure::Credentials {
        what,
        hint: "run the --header-command by hand to see what it prints",
    }
}

/// What a command of the user's prints; `option` is the one that gave it.
pub(super) async fn output(command: &str, option: &str) -> Result<String, String> {
    let (shell, flag) = if cfg!(windows) {
        ("cmd", "/C")
    } else {
        ("sh", "-c")
    };
    // What it says on stderr may hold a secret: it is for whoever runs it by hand.
    let mut child = Command::new(shell)
        .args([flag, command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|wrong| format!("cannot run the {option}: {wrong}"))?;
    let stdout = child.stdout.take();
    let finished = async {
        let mut text = String::new();
        if let Some(stdout) = stdout {
            stdout.take(MAX_OUTPUT).read_to_string(&mut text).await?;
        }
        Ok::<_, std::io::Error>((text, child.wait().await?))
    };
    let (text, status) = tokio::time::timeout(LIMIT, finished)
        .await
        .map_err(|_| format!("the {option} took longer than {} s", LIMIT.as_secs()))?
        .map_err(|wrong| format!("cannot read the {option}: {wrong}"))?;
    if !status.success() {
        return Err(format!("the {option} failed ({status})"));
    }
    Ok(text)
}

fn headers_of(text: &str) -> Result<HeaderMap, String> {
    // What a command prints is meant as it stands, `${` included.
    let verbatim = |name: &str| Some(format!("${{{name}}}"));
    headers::parse("--header-command", text.lines(), verbatim).map_err(|wrong| wrong.message)
}
