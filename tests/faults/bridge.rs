//! One real bridge, driven over its pipes, with books on every id. It must not wait without end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;

use crate::case::Era;
use crate::support::gate::lock;
use crate::support::ledger::Ledger;
use crate::support::modern;
use crate::support::rpc::{self, Rpc};

/// Who has not answered by now hangs. Every limit that the bridge is given is far below.
pub const WATCHDOG: Duration = Duration::from_secs(30);

/// How long a bridge may take to leave.
const LEAVING: Duration = Duration::from_secs(20);

/// The limits that end a stall, in seconds.
pub const SHORT: [(&str, &str); 4] = [
    ("--request-timeout", "4"),
    ("--headers-timeout", "3"),
    ("--body-timeout", "3"),
    ("--connect-timeout", "4"),
];

/// A running bridge. Dropping it kills it.
pub struct Bridge {
    child: Child,
    stdin: Option<ChildStdin>,
    seen: Arc<Mutex<Seen>>,
    changed: watch::Receiver<usize>,
    era: Era,
    last: u64,
    /// Where it lives.
    pub home: PathBuf,
}

/// What came of it so far.
#[derive(Default)]
struct Seen {
    ledger: Ledger,
    answers: BTreeMap<String, Rpc>,
    stderr: String,
    over: bool,
}

impl Bridge {
    /// Starts one with these arguments, living in that folder.
    pub fn start(era: Era, home: &Path, args: &[String]) -> Self {
        let built = env!("CARGO_BIN_EXE_mcp-tether").into();
        let program = std::env::var_os("MCP_TETHER_BINARY").unwrap_or(built);
        let mut command = Command::new(program);
        command
            .args(args)
            .env_clear()
            .env("HOME", home)
            .env("MCP_TETHER_HOME", home.join("tether"))
            .env("MCP_TETHER_STORE", "file")
            .current_dir(home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        for kept in ["PATH", "SystemRoot"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        let mut child = command.spawn().expect("start the bridge");
        let (change, changed) = watch::channel(0);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let stdout = child.stdout.take().expect("stdout is piped");
        let books = Arc::clone(&seen);
        tokio::spawn(async move {
            let mut lines = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                lock(&books).received(&line);
                change.send_modify(|count| *count += 1);
            }
            lock(&books).over = true;
            change.send_modify(|count| *count += 1);
        });
        let mut stderr = child.stderr.take().expect("stderr is piped");
        let books = Arc::clone(&seen);
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok(count) = stderr.read(&mut buffer).await
                && count > 0
            {
                let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
                lock(&books).stderr.push_str(&text);
            }
        });
        Self {
            stdin: child.stdin.take(),
            child,
            seen,
            changed,
            era,
            last: 100_000,
            home: home.to_owned(),
        }
    }

    /// Says hello as its client does, and gives the id of that.
    pub async fn hello(&mut self) -> String {
        let id = self.next_id();
        let line = match self.era {
            Era::Legacy => rpc::request(
                &id,
                "initialize",
                r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"faults","version":"1"}}"#,
            ),
            Era::Modern => rpc::request(&id, "server/discover", &modern::params("")),
        };
        self.send(&line).await;
        id
    }

    /// Ends the handshake.
    pub async fn welcomed(&mut self) {
        if self.era == Era::Legacy {
            self.send(&rpc::notification("notifications/initialized", "{}"))
                .await;
        }
    }

    /// Calls the tool with that text, and gives the id of the call.
    pub async fn call(&mut self, text: &str) -> String {
        let id = self.next_id();
        let rest = format!(r#""name":"echo","arguments":{{"text":"{text}"}}"#);
        let params = match self.era {
            Era::Legacy => format!("{{{rest}}}"),
            Era::Modern => modern::params(&format!(",{rest}")),
        };
        self.send(&rpc::request(&id, "tools/call", &params)).await;
        id
    }

    /// The answer to that id; `None` when the watchdog had to bark, or the bridge has gone.
    pub async fn answer(&mut self, id: &str) -> Option<Rpc> {
        let seen = Arc::clone(&self.seen);
        let there = move |_: &usize| {
            let seen = lock(&seen);
            seen.answers.contains_key(id) || seen.over
        };
        let _ = tokio::time::timeout(WATCHDOG, self.changed.wait_for(there)).await;
        lock(&self.seen).answers.remove(id)
    }

    /// Whether it has gone by itself.
    pub fn has_gone(&self) -> bool {
        lock(&self.seen).over
    }

    /// Closes stdin, waits for the end, and gives what is wrong with the books or the end.
    pub async fn finish(mut self) -> Vec<String> {
        drop(self.stdin.take());
        let ended = tokio::time::timeout(LEAVING, self.child.wait()).await;
        // The last lines may still be on their way.
        let over = |_: &usize| lock(&self.seen).over;
        let _ = tokio::time::timeout(LEAVING, self.changed.wait_for(over)).await;
        let seen = lock(&self.seen);
        let mut wrong = seen.ledger.problems().to_vec();
        match ended {
            Ok(Ok(status)) if status.success() => {}
            Ok(status) => wrong.push(format!("it ended with {status:?}")),
            Err(_) => wrong.push("it did not leave".to_owned()),
        }
        wrong.extend(
            seen.ledger
                .waiting()
                .iter()
                .map(|id| format!("no answer to {id}")),
        );
        wrong
    }

    /// What it has said on stderr, the end of it.
    pub fn stderr(&self) -> String {
        let seen = lock(&self.seen);
        let from = seen.stderr.len().saturating_sub(6000);
        String::from_utf8_lossy(&seen.stderr.as_bytes()[from..]).into_owned()
    }

    fn next_id(&mut self) -> String {
        self.last += 1;
        self.last.to_string()
    }

    async fn send(&mut self, line: &str) {
        lock(&self.seen).ledger.sent(line);
        if let Some(stdin) = &mut self.stdin {
            // One that has gone is seen by its missing answer.
            let _ = stdin.write_all(format!("{line}\n").as_bytes()).await;
        }
    }
}

impl Seen {
    fn received(&mut self, line: &str) {
        let Some(rpc) = self.ledger.received(line) else {
            return;
        };
        if let (Some(id), true) = (rpc.id.clone(), rpc.is_answer()) {
            self.answers.insert(id, rpc);
        }
    }
}
