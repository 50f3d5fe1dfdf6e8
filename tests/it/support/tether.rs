//! Talks to a running bridge in lines, as a host does, and checks in every test that stdout is
//! nothing but messages and that each id got one answer.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use tempfile::TempDir;

use super::DEADLINE;
use super::gate::{Shelf, lock};
use super::http::Request;
use super::launch::{Launch, signal};
use super::mcp::LATEST;
use super::pipes::{Seen, Watch, read_messages, read_notes, write_all};
use super::rpc::{self, Rpc};
use super::server::Peer;

/// How long a bridge may take to leave after SIGTERM before the test fails.
const LEAVING: Duration = Duration::from_secs(5);

/// A running bridge. Dropping it ends it and fails the test if its books do not balance.
pub struct Tether {
    pid: u32,
    stdin: Option<Sender<Vec<u8>>>,
    watch: Arc<Watch>,
    home: Arc<TempDir>,
    logs: Vec<Arc<Shelf<Request>>>,
    /// Answers may be missing: the test killed it, or does not read its stdout.
    lossy: bool,
    checked: bool,
}

impl Tether {
    /// The bridge to a fake server, with no more options.
    pub fn to(peer: &impl Peer) -> Self {
        Launch::to(peer).start()
    }

    pub(super) fn start(launch: Launch) -> Self {
        let mut child = launch.spawn();
        let watch = Arc::new(Watch::default());
        let (stdin, lines) = channel();
        let pipe = child.stdin.take().expect("stdin is piped");
        std::thread::spawn(move || write_all(pipe, &lines));
        if let Some(pipe) = child.stdout.take() {
            let seen = Arc::clone(&watch);
            std::thread::spawn(move || read_messages(pipe, &seen));
        } else {
            watch.change(|seen| seen.stdout_over = true);
        }
        let pipe = child.stderr.take().expect("stderr is piped");
        let seen = Arc::clone(&watch);
        std::thread::spawn(move || read_notes(pipe, &seen));
        let pid = child.id();
        let seen = Arc::clone(&watch);
        std::thread::spawn(move || {
            let exit = child.wait().expect("wait for the child");
            seen.change(|seen| seen.exit = Some(exit));
        });
        Self {
            pid,
            stdin: Some(stdin),
            watch,
            lossy: launch.deaf,
            home: launch.home,
            logs: launch.logs,
            checked: false,
        }
    }

    /// Writes a line; its newline is added. Never blocks: a thread does the writing.
    pub fn send(&self, line: &str) {
        lock(&self.watch.seen).ledger.sent(line);
        self.send_raw(format!("{line}\n"));
    }

    /// Writes bytes as they are. Requests in them are not booked: `excuse` their ids.
    pub fn send_raw(&self, bytes: impl Into<Vec<u8>>) {
        let stdin = self.stdin.as_ref().expect("stdin is open");
        // The writer leaves only when the child closed its stdin, which other waits report.
        let _ = stdin.send(bytes.into());
    }

    /// Sends a request and waits for its answer. `id` and `params` are raw JSON.
    pub fn ask(&self, id: &str, method: &str, params: &str) -> Rpc {
        self.send(&rpc::request(id, method, params));
        self.answer(id)
    }

    /// Calls a tool and waits for the answer. `id` and `arguments` are raw JSON.
    pub fn call(&self, id: &str, tool: &str, arguments: &str) -> Rpc {
        self.send(&rpc::call(id, tool, arguments));
        self.answer(id)
    }

    /// Sends a notification. `params` is raw JSON.
    pub fn notify(&self, method: &str, params: &str) {
        self.send(&rpc::notification(method, params));
    }

    /// The handshake of 2025-11-25 with id 0 and no capabilities; gives the `initialize` answer.
    pub fn initialize(&self) -> Rpc {
        self.initialize_as(LATEST, "{}")
    }

    /// The handshake of that revision with these capabilities (raw JSON).
    pub fn initialize_as(&self, version: &str, capabilities: &str) -> Rpc {
        let params = format!(
            r#"{{"protocolVersion":"{version}","capabilities":{capabilities},"clientInfo":{{"name":"it","version":"1.0.0"}}}}"#
        );
        let answer = self.ask("0", "initialize", &params);
        assert!(answer.error.is_none(), "{}", self.report(&answer.text));
        self.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        answer
    }

    /// The next unread message of any kind.
    pub fn recv(&self) -> Rpc {
        self.find("a message", |_| true)
    }

    /// The answer to that raw id. Other messages stay unread.
    pub fn answer(&self, id: &str) -> Rpc {
        self.answer_within(DEADLINE, id)
    }

    /// The answer to that raw id, which may take so long: huge messages in a debug build do.
    pub fn answer_within(&self, within: Duration, id: &str) -> Rpc {
        let what = format!("the answer to {id}");
        self.find_within(within, &what, |rpc| {
            rpc.is_answer() && rpc.id.as_deref() == Some(id)
        })
    }

    /// The next error answer without an id, as -32700 may be.
    pub fn answer_without_id(&self) -> Rpc {
        self.find("an answer without id", |rpc| {
            rpc.is_answer() && rpc.id.is_none()
        })
    }

    /// The next unread notification of that method.
    pub fn notification(&self, method: &str) -> Rpc {
        self.find(method, |rpc| {
            rpc.is_notification() && rpc.method.as_deref() == Some(method)
        })
    }

    /// The server's next unread request of that method.
    pub fn request(&self, method: &str) -> Rpc {
        self.find(method, |rpc| {
            rpc.is_request() && rpc.method.as_deref() == Some(method)
        })
    }

    /// Takes the unread notifications so far. Does not wait.
    pub fn notifications(&self) -> Vec<Rpc> {
        self.take(Rpc::is_notification)
    }

    /// Takes the server's unread requests so far. Does not wait.
    pub fn requests(&self) -> Vec<Rpc> {
        self.take(Rpc::is_request)
    }

    /// Takes all unread messages so far. Does not wait.
    pub fn unread(&self) -> Vec<Rpc> {
        self.take(|_| true)
    }

    /// Lets an id stay without an answer, or be answered although `send` never booked it.
    pub fn excuse(&self, id: &str) {
        lock(&self.watch.seen).ledger.excuse(id);
    }

    /// The ids that still need an answer.
    pub fn waiting(&self) -> Vec<String> {
        lock(&self.watch.seen).ledger.waiting()
    }

    /// Takes away what was found wrong on stdout so far, so that it does not fail the test.
    pub fn forgive(&self) -> Vec<String> {
        lock(&self.watch.seen).ledger.forgive()
    }

    /// Closes stdin after what was sent.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Closes the reading end of stdout once the next line has arrived.
    pub fn hang_up(&mut self) {
        self.lossy = true;
        lock(&self.watch.seen).deaf = true;
    }

    /// Waits until the reading end of stdout is closed.
    pub fn wait_hung_up(&self) {
        let over = |seen: &mut Seen| seen.stdout_over.then_some(());
        let closed = self.watch.wait(DEADLINE, over);
        closed.unwrap_or_else(|| panic!("{}", self.report("stdout is still read")));
    }

    /// Waits for the end and gives the exit code. Panics when a signal ended it.
    pub fn wait(&self) -> i32 {
        self.wait_within(DEADLINE)
    }

    /// Waits at most so long for the end and gives the exit code.
    pub fn wait_within(&self, within: Duration) -> i32 {
        let exit = self.watch.wait(within, |seen| seen.exit);
        let exit = exit.unwrap_or_else(|| panic!("{}", self.report("it did not end")));
        exit.code()
            .unwrap_or_else(|| panic!("{}", self.report(&exit.to_string())))
    }

    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        lock(&self.watch.seen).exit.is_none()
    }

    /// Closes stdin, waits for the end, checks the books and gives the exit code.
    pub fn finish(mut self) -> i32 {
        self.close_stdin();
        let code = self.wait();
        self.check();
        code
    }

    /// What stderr has so far.
    pub fn stderr(&self) -> String {
        text(&lock(&self.watch.seen).stderr)
    }

    /// Waits until stderr contains that text and gives all of it.
    pub fn wait_stderr(&self, wanted: &str) -> String {
        let found = self.watch.wait(DEADLINE, |seen| {
            let stderr = text(&seen.stderr);
            stderr.contains(wanted).then_some(stderr)
        });
        found.unwrap_or_else(|| panic!("{}", self.report(&format!("stderr lacks {wanted:?}"))))
    }

    /// Waits until `look` finds something in stderr and gives that.
    pub fn wait_stderr_for<R>(&self, what: &str, look: impl Fn(&str) -> Option<R>) -> R {
        let found = self.watch.wait(DEADLINE, |seen| look(&text(&seen.stderr)));
        found.unwrap_or_else(|| panic!("{}", self.report(&format!("stderr lacks {what}"))))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends it `TERM` or `INT`.
    pub fn signal(&self, name: &str) {
        if self.is_running() {
            signal(self.pid, name);
        }
    }

    /// Kills it as a host may. Unanswered ids are excused.
    pub fn kill(&mut self) {
        self.lossy = true;
        self.signal("KILL");
        self.close_stdin();
    }

    /// The private home folder; `MCP_TETHER_HOME` is `tether` in it.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub(super) fn shared_home(&self) -> Arc<TempDir> {
        Arc::clone(&self.home)
    }

    fn find(&self, what: &str, wanted: impl Fn(&Rpc) -> bool) -> Rpc {
        self.find_within(DEADLINE, what, wanted)
    }

    fn find_within(&self, within: Duration, what: &str, wanted: impl Fn(&Rpc) -> bool) -> Rpc {
        let found = self.watch.wait(within, |seen| {
            let at = seen.unread.iter().position(&wanted);
            match at.and_then(|at| seen.unread.remove(at)) {
                Some(rpc) => Some(Some(rpc)),
                // Nothing more can come: fail now instead of at the deadline.
                None => seen.stdout_over.then_some(None),
            }
        });
        let found = found.flatten();
        found.unwrap_or_else(|| panic!("{}", self.report(&format!("waited for {what}"))))
    }

    fn take(&self, wanted: impl Fn(&Rpc) -> bool) -> Vec<Rpc> {
        let mut seen = lock(&self.watch.seen);
        let unread = std::mem::take(&mut seen.unread);
        let (taken, left): (VecDeque<Rpc>, _) = unread.into_iter().partition(|rpc| wanted(rpc));
        seen.unread = left;
        Vec::from(taken)
    }

    /// All that helps to see why a test failed.
    fn report(&self, what: &str) -> String {
        let seen = lock(&self.watch.seen);
        let logs: String = self
            .logs
            .iter()
            .map(|log| format!("server log:\n{log}"))
            .collect();
        let unread: String = seen.unread.iter().map(|rpc| line(&rpc.text)).collect();
        format!(
            "{what}\nexit: {:?}\nwaiting: {:?}\nproblems: {:#?}\nunread:\n{unread}stderr:\n{}\n{logs}",
            seen.exit,
            seen.ledger.waiting(),
            seen.ledger.problems(),
            text(&seen.stderr),
        )
    }

    /// Ends the child: by EOF when nothing is open, else by SIGTERM, which also has to answer what
    /// is open; gives whether that worked.
    fn leave(&mut self) -> bool {
        self.close_stdin();
        let exited = |seen: &mut Seen| seen.exit;
        if self.waiting().is_empty() && self.watch.wait(LEAVING, exited).is_some() {
            return true;
        }
        if cfg!(unix) {
            self.signal("TERM");
            if self.watch.wait(LEAVING, exited).is_some() {
                return true;
            }
        }
        self.kill();
        false
    }

    fn check(&mut self) {
        self.checked = true;
        // A grandchild may hold a pipe open, so this wait may end without its event.
        let over = |seen: &mut Seen| (seen.stdout_over && seen.stderr_over).then_some(());
        let _ = self.watch.wait(Duration::from_secs(2), over);
        let sound = {
            let seen = lock(&self.watch.seen);
            seen.ledger.problems().is_empty() && (self.lossy || seen.ledger.waiting().is_empty())
        };
        assert!(sound, "{}", self.report("the books do not balance"));
    }
}

impl Drop for Tether {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return self.signal("KILL");
        }
        if self.checked {
            return;
        }
        let left = self.lossy && !self.is_running() || self.leave();
        assert!(left, "{}", self.report("it did not leave after SIGTERM"));
        self.check();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn line(message: &str) -> String {
    let start: String = message.chars().take(300).collect();
    format!("  {start}\n")
}
