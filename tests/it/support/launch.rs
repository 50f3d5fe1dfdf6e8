//! Starts the real binary in an environment of its own: nothing of the developer's machine reaches
//! it, and nothing of it reaches the machine.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc;

use tempfile::TempDir;

use super::DEADLINE;
use super::gate::Shelf;
use super::http::Request;
use super::server::Peer;
use super::tether::Tether;

/// What is going to be started.
pub struct Launch {
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    pub(super) home: Arc<TempDir>,
    pub(super) logs: Vec<Arc<Shelf<Request>>>,
    pub(super) deaf: bool,
}

/// What a finished run left.
#[derive(Debug)]
pub struct Output {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// All of stdout.
    pub stdout: String,
    /// All of stderr.
    pub stderr: String,
}

impl Default for Launch {
    fn default() -> Self {
        Self::new()
    }
}

impl Launch {
    /// The binary without arguments, with a home of its own.
    pub fn new() -> Self {
        Self::program(env!("CARGO_BIN_EXE_mcp-tether"))
    }

    /// The bridge to a fake server, whose log is printed when the test fails.
    pub fn to(peer: &impl Peer) -> Self {
        Self::new().arg(peer.url()).watch(peer)
    }

    /// Another program in the same environment.
    pub fn program(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            home: Arc::new(TempDir::new().expect("a folder")),
            logs: Vec::new(),
            deaf: false,
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of the child's environment.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Prints that server's log too when the test fails.
    pub fn watch(mut self, peer: &impl Peer) -> Self {
        self.logs.push(peer.log());
        self
    }

    /// Shares the home (state, credentials, config) of another bridge.
    pub fn home_of(mut self, other: &Tether) -> Self {
        self.home = other.shared_home();
        self
    }

    /// Lives in that home (state, credentials, config).
    pub fn at_home(mut self, home: &Arc<TempDir>) -> Self {
        self.home = Arc::clone(home);
        self
    }

    /// The private home folder. `MCP_TETHER_HOME` is `tether` in it, and does not exist yet.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The same folder, which stays when the run is over.
    pub fn keep_home(&self) -> Arc<TempDir> {
        Arc::clone(&self.home)
    }

    /// Gives it a stdout whose reading end is closed. Answers may then be missing.
    pub fn closed_stdout(mut self) -> Self {
        self.deaf = true;
        self
    }

    /// Starts it as a bridge to talk to.
    pub fn start(self) -> Tether {
        Tether::start(self)
    }

    /// Starts it with a terminal of 80 columns for all three streams.
    #[cfg(unix)]
    pub fn on_terminal(self) -> super::pty::Pty {
        super::pty::Pty::start(self)
    }

    /// Starts it with three pipes as a process that stops itself, and becomes the program when it is let go on.
    #[cfg(unix)]
    pub fn stopped(mut self) -> Child {
        let script = "kill -STOP $$; exec \"$0\" \"$@\"";
        let program = std::mem::replace(&mut self.program, "sh".into());
        self.args
            .splice(0..0, ["-c".into(), script.into(), program]);
        self.spawn()
    }

    /// Runs it to its end with that stdin, closed after the last byte. Panics when it takes longer
    /// than three deadlines: a run may have to drain.
    pub fn run(self, stdin: impl Into<Vec<u8>>) -> Output {
        let mut child = self.spawn();
        let pid = child.id();
        let mut pipe = child.stdin.take().expect("stdin is piped");
        let stdin = stdin.into();
        // A child that does not read must not block the test; one that left early is its affair.
        std::thread::spawn(move || pipe.write_all(&stdin));
        let (done, ended) = mpsc::channel();
        std::thread::spawn(move || done.send(child.wait_with_output()));
        let Ok(output) = ended.recv_timeout(DEADLINE * 3) else {
            signal(pid, "KILL");
            let output = ended.recv().expect("it was killed").expect("its output");
            panic!("{:?} did not end: {output:?}", self.args);
        };
        let output = output.expect("wait for the child");
        Output {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts the process with three pipes.
    pub fn spawn(&self) -> Child {
        self.command().spawn().expect("start the child")
    }

    /// What is started, with three pipes.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .env_clear()
            .env("HOME", self.home.path())
            .env("MCP_TETHER_HOME", self.home.path().join("tether"))
            .current_dir(self.home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // Windows sockets do not start without SystemRoot.
        for kept in ["PATH", "SystemRoot"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        if self.deaf {
            let (reader, writer) = std::io::pipe().expect("a pipe");
            drop(reader);
            command.stdout(writer);
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// Runs the binary once, with arguments and a whole stdin.
pub fn run(args: &[&str], stdin: &str) -> Output {
    Launch::new().args(args.iter().copied()).run(stdin)
}

/// Sends a signal (`TERM`, `INT`, `KILL`) to a process that the test started.
pub(super) fn signal(pid: u32, name: &str) {
    let status = Command::new("kill")
        .args([format!("-{name}"), pid.to_string()])
        .stderr(Stdio::null())
        .status();
    // It may have ended since the caller looked; only a machine without `kill` is wrong.
    status.expect("run kill");
}
