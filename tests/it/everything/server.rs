//! Starts the server in each of its forms.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use crate::support::gate::Shelf;
use crate::support::launch::Launch;
use crate::support::mcp::LATEST;
use crate::support::rpc::Rpc;
use crate::support::tether::Tether;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/everything");

/// The server registers some tools only for a client that can all this.
pub const CAPABILITIES: &str =
    r#"{"sampling":{},"elicitation":{"form":{},"url":{}},"roots":{"listChanged":true}}"#;

/// A remote form of the server.
#[derive(Clone, Copy, PartialEq)]
pub enum Mode {
    Http,
    Sse,
}

/// The server as a remote one. Dropping it ends it.
pub struct Server {
    mode: Mode,
    child: Child,
    port: u16,
    log: Arc<Shelf<String>>,
}

/// The arguments of node for the server in that form.
pub fn node(form: &str) -> [String; 4] {
    let preload = format!("{FOLDER}/preload.cjs");
    let package = format!("{FOLDER}/node_modules/@modelcontextprotocol/server-everything");
    let program = format!("{package}/dist/index.js");
    ["--require".to_owned(), preload, program, form.to_owned()]
}

impl Server {
    /// Starts it at a free port and waits until it listens.
    pub fn start(mode: Mode) -> Self {
        let log = Arc::default();
        let mut server = Self {
            mode,
            child: Self::spawn(mode, 0, &log),
            port: 0,
            log,
        };
        server.port = server.log.wait("the port", |lines| {
            let found = lines
                .iter()
                .find_map(|line| line.strip_prefix("listening at "));
            found?.parse().ok()
        });
        server
    }

    fn spawn(mode: Mode, port: u16, log: &Arc<Shelf<String>>) -> Child {
        let name = match mode {
            Mode::Http => "streamableHttp",
            Mode::Sse => "sse",
        };
        let mut child = Command::new("node")
            .args(node(name))
            .env("PORT", port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start node");
        collect(child.stdout.take().expect("stdout is piped"), log);
        collect(child.stderr.take().expect("stderr is piped"), log);
        child
    }

    /// Where it is.
    pub fn url(&self) -> String {
        let path = match self.mode {
            Mode::Http => "mcp",
            Mode::Sse => "sse",
        };
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// The bridge to it, after the handshake and when the server can reach the client.
    pub fn bridge(&self) -> (Tether, Rpc) {
        let bridge = Launch::new().arg(self.url()).start();
        let answer = bridge.initialize_as(LATEST, CAPABILITIES);
        self.wait_for_listener(1);
        (bridge, answer)
    }

    /// Waits until so many listening streams were opened; what it says before that gets lost.
    pub fn wait_for_listener(&self, times: usize) {
        if self.mode == Mode::Http {
            self.wait("Establishing new SSE stream", times);
        }
    }

    /// Waits until so many lines of its log contain that text.
    pub fn wait(&self, text: &str, times: usize) {
        self.log.wait(text, |lines| {
            let found = lines.iter().filter(|line| line.contains(text)).count();
            (found >= times).then_some(())
        });
    }

    /// Takes it down at once and starts it anew at the same port, with no memory.
    pub fn restart(&mut self) {
        self.end();
        self.child = Self::spawn(self.mode, self.port, &self.log);
        self.wait("listening at ", 2);
    }

    /// Ends the bridge by the end of its stdin; the server has to hear of it.
    pub fn leave(&self, bridge: Tether) {
        assert_eq!(bridge.finish(), 0);
        let farewell = match self.mode {
            Mode::Http => "Received session termination request",
            Mode::Sse => "Client Disconnected",
        };
        self.wait(farewell, 1);
    }

    fn end(&mut self) {
        // It may have ended by itself; the log then says why.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    #[expect(clippy::print_stderr, reason = "the panic has no room for the log")]
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            eprintln!("log of the everything server:\n{}", self.log);
        }
    }
}

/// Reads a pipe into the log, line by line.
fn collect(pipe: impl Read + Send + 'static, log: &Arc<Shelf<String>>) {
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            log.push(line);
        }
    });
}
