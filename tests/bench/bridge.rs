//! The local client of a bridge: starts it as a host would, with pipes, and does the work
//! through it.

use std::fs::{self, File};
use std::io::Write;
#[cfg(unix)]
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use crate::lines::{Line, Lines};
use crate::options::Launch;
use crate::plan::{Era, Scheme};
use crate::scene::Scene;
use crate::{payload, process};

/// How long a bridge gets to leave after its stdin was closed.
const FAREWELL: Duration = Duration::from_secs(2);

/// A running bridge. Dropping it ends the process.
pub struct Bridge {
    child: Child,
    stdin: Option<ChildStdin>,
    /// What the bridge writes to stdout.
    pub lines: Lines<ChildStdout>,
    last_id: u64,
    /// What its client speaks.
    era: Era,
    /// What the bridge writes to stderr.
    log: PathBuf,
    watchdog: Watchdog,
}

impl Bridge {
    /// Starts a bridge to the server; after `limit` it is killed, so that reading from it ends.
    pub fn start(
        launch: &Launch,
        scene: &Scene,
        scheme: Scheme,
        limit: Duration,
    ) -> anyhow::Result<Self> {
        let mut words = launch.words.iter();
        let program = words.next().context("an empty command")?;
        let log = scene.folder().join("stderr");
        let mut command = Command::new(program);
        command
            .args(words.map(|w| w.replace("{url}", scene.url(scheme))))
            .env("MCP_TETHER_HOME", scene.folder())
            .env("MCP_REMOTE_CONFIG_DIR", scene.folder())
            .env("NO_PROXY", no_proxy())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).context("create the log")?);
        if scheme == Scheme::Https {
            command.env("NODE_EXTRA_CA_CERTS", scene.ca_file());
            command.env("SSL_CERT_FILE", scene.ca_file());
        }
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command
            .spawn()
            .with_context(|| format!("start {program}"))?;
        Ok(Self {
            stdin: child.stdin.take(),
            lines: Lines::new(child.stdout.take().context("no stdout")?),
            last_id: 0,
            era: Era::Legacy,
            log,
            watchdog: Watchdog::new(child.id(), limit),
            child,
        })
    }

    /// Starts a bridge and goes through the handshake.
    pub fn ready(
        launch: &Launch,
        scene: &Scene,
        scheme: Scheme,
        limit: Duration,
    ) -> anyhow::Result<Self> {
        let mut bridge = Self::start(launch, scene, scheme, limit)?;
        let done = bridge.handshake().and_then(|()| bridge.echo());
        match done {
            Ok(()) => Ok(bridge),
            Err(error) => Err(bridge.explain(error)),
        }
    }

    /// Starts a bridge for a client of 2026-07-28, which begins with `server/discover`.
    pub fn ready_modern(
        launch: &Launch,
        scene: &Scene,
        scheme: Scheme,
        limit: Duration,
    ) -> anyhow::Result<Self> {
        let mut bridge = Self::start(launch, scene, scheme, limit)?;
        bridge.era = Era::Modern;
        let id = bridge.next_id();
        let done = bridge.ask(id, payload::discover(id).into_bytes());
        match done.and_then(|_| bridge.echo()) {
            Ok(()) => Ok(bridge),
            Err(error) => Err(bridge.explain(error)),
        }
    }

    /// `initialize`, up to its answer.
    pub fn initialize(&mut self) -> anyhow::Result<()> {
        let id = self.next_id();
        self.ask(id, payload::initialize(id).into_bytes())?;
        Ok(())
    }

    /// `initialize` and `notifications/initialized`.
    fn handshake(&mut self) -> anyhow::Result<()> {
        self.initialize()?;
        self.send(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.to_vec())
    }

    /// One small call.
    pub fn echo(&mut self) -> anyhow::Result<()> {
        let id = self.next_id();
        let call = match self.era {
            Era::Legacy => payload::echo(id),
            Era::Modern => payload::modern_echo(id),
        };
        self.ask(id, call.into_bytes())?;
        Ok(())
    }

    /// An id that was not used before.
    pub fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// The process at the root of whatever the command started.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a request and waits for its answer, which must not be an error.
    pub fn ask(&mut self, id: u64, message: Vec<u8>) -> anyhow::Result<Line> {
        self.send(message)?;
        self.answer(id)
    }

    /// Waits for the answer to a request, which must not be an error.
    pub fn answer(&mut self, id: u64) -> anyhow::Result<Line> {
        loop {
            let line = self.lines.next()?;
            if line.answers(id) {
                line.check()?;
                return Ok(line);
            }
        }
    }

    /// Writes a message as a line, in one piece.
    pub fn send(&mut self, mut message: Vec<u8>) -> anyhow::Result<()> {
        message.push(b'\n');
        self.write(&message)
    }

    /// Writes bytes, which end in a newline.
    pub fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let stdin = self.stdin.as_mut().context("stdin is closed")?;
        stdin.write_all(bytes).context("write to the bridge")
    }

    /// Ends the bridge as a host does, however long that takes it, and gives what it wrote to stderr.
    pub fn finish(mut self) -> anyhow::Result<String> {
        drop(self.stdin.take());
        self.child.wait().context("wait for the bridge")?;
        fs::read_to_string(&self.log).context("read the log")
    }

    /// Says why something failed, as far as the bridge itself knows.
    pub fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        if self.watchdog.fired.load(Ordering::Relaxed) {
            let limit = self.watchdog.limit.as_secs();
            return error.context(format!("no end within {limit} s"));
        }
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let telling = |l: &&str| l.to_lowercase().contains("error");
        let last = log.lines().rfind(telling).or(log.lines().last());
        match last {
            Some(last) => error.context(format!("it said: {last}")),
            None => error,
        }
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let closed = Instant::now();
        while closed.elapsed() < FAREWELL {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        process::kill_group(self.child.id());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The hosts that need no proxy, and the server among them.
fn no_proxy() -> String {
    let others = std::env::var("NO_PROXY").unwrap_or_default();
    format!("127.0.0.1,localhost,{others}")
}

/// Kills a bridge that hangs.
struct Watchdog {
    limit: Duration,
    fired: Arc<AtomicBool>,
    /// Dropping it calls the watchdog off.
    _leash: Sender<()>,
}

impl Watchdog {
    fn new(pid: u32, limit: Duration) -> Self {
        let (leash, dropped) = channel();
        let fired = Arc::new(AtomicBool::new(false));
        let bark = Arc::clone(&fired);
        std::thread::spawn(move || {
            if dropped.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                bark.store(true, Ordering::Relaxed);
                process::kill_group(pid);
            }
        });
        let _leash = leash;
        Self {
            limit,
            fired,
            _leash,
        }
    }
}

/// A text that the server is to have received in full.
pub fn check_received(answer: &[u8], at_least: usize) -> anyhow::Result<()> {
    let text = memchr::memmem::find(answer, b"received ").and_then(|at| answer.get(at + 9..));
    let digits = text.map(|t| t.iter().take_while(|b| b.is_ascii_digit()));
    let count = digits.map_or(0, |d| {
        d.fold(0_usize, |n, b| n * 10 + usize::from(b - b'0'))
    });
    ensure!(count >= at_least, "{count} of {at_least} bytes arrived");
    Ok(())
}

/// An error unless a large answer came in full.
pub fn check_length(len: usize, at_least: usize) -> anyhow::Result<()> {
    if len < at_least {
        bail!("{len} of {at_least} bytes came back");
    }
    Ok(())
}
