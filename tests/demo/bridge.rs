//! The bridge as its host sees it: a process that reads one JSON-RPC message a line from stdin, and writes one a line to
//! stdout.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value answers a missing key with null"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

/// The protocol revision that both ends speak.
const REVISION: &str = "2025-11-25";

/// How long the client waits for a line, and for the bridge to leave.
const PATIENCE: Duration = Duration::from_secs(20);

/// Longer lines are cut when printed.
const WIDTH: usize = 160;

/// A running bridge.
pub struct Bridge {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    /// How many requests were sent, and answered.
    pub requests: u64,
    /// How many progress notifications came.
    pub progress: u32,
}

/// This very program again, as `mcp-tether` with these arguments. All that it keeps goes into `home`, and what it shows in a
/// browser comes to this program, too: nothing of yours is touched.
pub fn command(home: &Path, args: &[&str]) -> anyhow::Result<Command> {
    let program = std::env::current_exe().context("find this program")?;
    let mut command = Command::new(&program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MCP_TETHER_") {
            command.env_remove(name);
        }
    }
    command
        .arg(crate::AS_BRIDGE)
        .args(args)
        .env("MCP_TETHER_HOME", home)
        .env("MCP_TETHER_STORE", "file")
        .env("BROWSER", program);
    Ok(command)
}

impl Bridge {
    /// Starts the bridge to `url`.
    pub fn start(url: &str, home: &Path) -> anyhow::Result<Self> {
        let mut child = command(home, &[url])?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start the bridge")?;
        let stdin = child.stdin.take().context("no stdin")?;
        let stdout = BufReader::new(child.stdout.take().context("no stdout")?);
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            child,
            stdin,
            lines,
            requests: 0,
            progress: 0,
        })
    }

    /// The handshake with which each client begins.
    pub fn initialize(&mut self) -> anyhow::Result<()> {
        let introduction = json!({
            "protocolVersion": REVISION,
            "capabilities": {},
            "clientInfo": {"name": "demo", "version": "1.0"},
        });
        let hello = self.ask("initialize", &introduction)?;
        let revision = &hello["protocolVersion"];
        ensure!(revision == REVISION, "the server speaks {revision}");
        self.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
    }

    /// Asks for the tools, and checks that they are those of the server.
    pub fn list_tools(&mut self) -> anyhow::Result<()> {
        let list = self.ask("tools/list", &json!({}))?;
        let tools = list["tools"].as_array().map_or(0, Vec::len);
        ensure!(tools == 3, "three tools expected, {tools} listed");
        Ok(())
    }

    /// Calls a tool and checks the text that comes back.
    pub fn call(&mut self, params: &Value, expected: &str) -> anyhow::Result<()> {
        let result = self.ask("tools/call", params)?;
        let text = &result["content"][0]["text"];
        ensure!(text == expected, "{text} instead of {expected:?}");
        Ok(())
    }

    /// Sends a request and reads until its answer, counting the progress that comes before.
    fn ask(&mut self, method: &str, params: &Value) -> anyhow::Result<Value> {
        self.requests += 1;
        let id = self.requests;
        self.send(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#
        ))?;
        loop {
            let mut message = self.read()?;
            if message["method"] == "notifications/progress" {
                self.progress += 1;
            } else if message["id"] == id {
                ensure!(message.get("error").is_none(), "{method} was refused");
                return Ok(message
                    .get_mut("result")
                    .map(Value::take)
                    .unwrap_or_default());
            }
        }
    }

    /// Writes one message as one line.
    fn send(&mut self, line: &str) -> anyhow::Result<()> {
        show("->", line);
        writeln!(self.stdin, "{line}").context("write to the bridge")
    }

    /// Reads one line, which has to be one message.
    fn read(&mut self) -> anyhow::Result<Value> {
        let line = self
            .lines
            .recv_timeout(PATIENCE)
            .context("the bridge said nothing")?;
        show("<-", &line);
        serde_json::from_str(&line).context("this line is no message")
    }

    /// Closes stdin, expects silence, then exit code 0.
    pub fn close(mut self) -> anyhow::Result<()> {
        drop(self.stdin);
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => bail!("a line after the end: {line}"),
            Err(RecvTimeoutError::Timeout) => {
                self.child.kill().ok();
                bail!("the bridge did not leave");
            }
            Err(RecvTimeoutError::Disconnected) => {}
        }
        let status = self.child.wait().context("wait for the bridge")?;
        ensure!(status.success(), "the bridge left with {status}");
        Ok(())
    }
}

/// Prints one line of the conversation, shortened if long.
fn show(arrow: &str, line: &str) {
    if line.chars().count() > WIDTH {
        let start: String = line.chars().take(WIDTH).collect();
        println!("{arrow} {start}…");
    } else {
        println!("{arrow} {line}");
    }
}
