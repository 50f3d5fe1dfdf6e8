//! One real bridge, driven over its pipes at full speed. It must not judge what comes.

use std::fs::File;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, BufWriter, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::HANG;
use crate::support::mcp::LATEST;
use crate::support::rpc;

/// A running bridge. Dropping it kills it.
pub struct Bridge {
    child: Child,
    stdin: Option<BufWriter<ChildStdin>>,
    stdout: Lines<BufReader<ChildStdout>>,
    home: TempDir,
}

impl Bridge {
    /// Starts one with these arguments, in a home of its own.
    pub fn start(args: &[String]) -> Self {
        let home = TempDir::new().expect("a folder");
        let stderr = File::create(home.path().join("stderr")).expect("a file");
        let built = env!("CARGO_BIN_EXE_mcp-tether").into();
        let program = std::env::var_os("MCP_TETHER_BINARY").unwrap_or(built);
        let mut child = Command::new(program)
            .args(args)
            .env_clear()
            .env("HOME", home.path())
            .env("MCP_TETHER_HOME", home.path().join("tether"))
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(std::env::var_os("SystemRoot").map(|root| ("SystemRoot", root)))
            .current_dir(home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .expect("start the bridge");
        Self {
            stdin: child.stdin.take().map(BufWriter::new),
            stdout: BufReader::new(child.stdout.take().expect("stdout is piped")).lines(),
            child,
            home,
        }
    }

    /// The handshake.
    pub async fn hello(&mut self) {
        let params = format!(
            r#"{{"protocolVersion":"{LATEST}","capabilities":{{}},"clientInfo":{{"name":"load","version":"1"}}}}"#
        );
        self.say(&rpc::request("0", "initialize", &params)).await;
        let answer = self.line().await;
        assert!(answer.contains("serverInfo"), "{answer}");
        self.say(&rpc::notification("notifications/initialized", "{}"))
            .await;
    }

    /// Writes a line, which may stay in a buffer.
    pub async fn send(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        let written = async {
            stdin.write_all(line.as_bytes()).await?;
            stdin.write_all(b"\n").await
        };
        let written = timeout(HANG, written).await;
        written.expect("it reads on").expect("write a line");
    }

    /// Writes what is in the buffer.
    pub async fn flush(&mut self) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        let flushed = timeout(HANG, stdin.flush()).await;
        flushed.expect("it reads on").expect("write a line");
    }

    /// Writes lines at once; `None` when it does not take them.
    pub async fn offer(&mut self, lines: &str) -> Option<()> {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        let written = async {
            stdin.write_all(lines.as_bytes()).await?;
            stdin.flush().await
        };
        let written = timeout(HANG, written).await.ok()?;
        written.expect("write lines");
        Some(())
    }

    /// Writes a line at once.
    pub async fn say(&mut self, line: &str) {
        self.send(line).await;
        self.flush().await;
    }

    /// The next line of its stdout.
    pub async fn line(&mut self) -> String {
        let next = timeout(HANG, self.stdout.next_line()).await;
        match next {
            Ok(Ok(Some(line))) => line,
            other => panic!("no line came but {other:?}; it said {:?}", self.stderr()),
        }
    }

    /// The same; `None` when none comes.
    pub async fn next_line(&mut self) -> Option<String> {
        let next = timeout(HANG, self.stdout.next_line()).await.ok()?;
        let line = next.expect("read a line");
        assert!(line.is_some(), "it ended; it said {:?}", self.stderr());
        line
    }

    /// What it has told people.
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(self.home.path().join("stderr")).unwrap_or_default()
    }

    /// Resident memory in KiB, where the system tells.
    pub fn memory(&self) -> Option<u64> {
        let pid = self.child.id()?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.split_whitespace().next()?.parse().ok()
    }

    /// Closes its stdin and waits for its end. Nothing more may come, and it must be content.
    pub async fn finish(mut self) {
        drop(self.stdin.take());
        let rest = timeout(HANG, self.stdout.next_line()).await;
        let rest = rest.expect("it leaves").expect("read its end");
        assert_eq!(rest, None, "a line too many");
        let ended = timeout(HANG, self.child.wait()).await;
        let ended = ended.expect("it leaves").expect("wait for it");
        assert!(ended.success(), "{ended}");
    }
}
