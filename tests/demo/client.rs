//! The local side: what a host does with the bridge. It starts it as a child process, writes
//! one JSON-RPC message a line to its stdin and reads one a line from its stdout.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value answers a missing key with null"
)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

/// The protocol revision that both ends speak.
const REVISION: &str = "2025-11-25";

/// How long the client waits for a line, and for the bridge to leave.
const PATIENCE: Duration = Duration::from_secs(20);

/// Longer lines are cut when printed.
const WIDTH: usize = 160;

/// Holds the whole conversation, printing it. Anything unexpected is an error.
pub fn talk(url: &str) -> anyhow::Result<()> {
    println!("client  <- stdin/stdout ->  mcp-tether  <- HTTP ->  {url}");
    let started = Instant::now();
    let mut bridge = Bridge::start(url)?;

    say("the handshake");
    let hello = bridge.ask("initialize", &introduction())?;
    let revision = &hello["protocolVersion"];
    ensure!(revision == REVISION, "the server speaks {revision}");
    bridge.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)?;

    say("what can the server do?");
    let list = bridge.ask("tools/list", &json!({}))?;
    let tools = list["tools"].as_array().map_or(0, Vec::len);
    ensure!(tools == 3, "three tools expected, {tools} listed");

    say("two quick calls");
    let echo = json!({"name": "echo", "arguments": {"text": "hello, far away"}});
    bridge.call(&echo, "hello, far away")?;
    let add = json!({"name": "add", "arguments": {"a": 2, "b": 40}});
    bridge.call(&add, "42")?;

    say("a slow call, with progress while it runs");
    let count =
        json!({"name": "count", "arguments": {"to": 4}, "_meta": {"progressToken": "slow"}});
    bridge.call(&count, "counted to 4")?;
    let progress = bridge.progress;
    ensure!(
        progress == 4,
        "4 progress notifications expected, {progress} came"
    );

    say("close stdin: the bridge ends the session and leaves");
    let requests = bridge.requests;
    bridge.close()?;
    println!(
        "\nAll well: {requests} requests, {requests} answers, {progress} progress notifications, exit code 0, {:.1} s.",
        started.elapsed().as_secs_f64()
    );
    println!("Next: `cargo run --example demo -- serve` keeps the server up for a real host.");
    Ok(())
}

/// The parameters with which a client introduces itself.
fn introduction() -> Value {
    json!({
        "protocolVersion": REVISION,
        "capabilities": {},
        "clientInfo": {"name": "demo", "version": "1.0"},
    })
}

/// The bridge as its host sees it: a process with two pipes.
struct Bridge {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    requests: u64,
    progress: u32,
}

impl Bridge {
    /// Starts this very program again, as the bridge to `url`.
    fn start(url: &str) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([crate::AS_BRIDGE, url])
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

    /// Calls a tool and checks the text that comes back.
    fn call(&mut self, params: &Value, expected: &str) -> anyhow::Result<()> {
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
    fn close(mut self) -> anyhow::Result<()> {
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

/// Prints a headline of the conversation.
fn say(what: &str) {
    println!("\n# {what}");
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
