//! The pipes of one child: threads that carry bytes, what came so far, and waiting for more. It
//! must not decide what is wrong; the ledger does.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{ChildStdin, ChildStdout, ExitStatus};
use std::sync::mpsc::Receiver;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::gate::lock;
use super::ledger::Ledger;
use super::rpc::Rpc;

/// What came from one child so far, and a way to wait for more.
#[derive(Default)]
pub(super) struct Watch {
    pub(super) seen: Mutex<Seen>,
    pub(super) changed: Condvar,
}

/// What was read and is known.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) unread: VecDeque<Rpc>,
    pub(super) ledger: Ledger,
    pub(super) stderr: Vec<u8>,
    pub(super) stdout_over: bool,
    pub(super) stderr_over: bool,
    pub(super) deaf: bool,
    pub(super) exit: Option<ExitStatus>,
}

impl Watch {
    /// Changes what is known and wakes those who wait.
    pub(super) fn change(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut lock(&self.seen));
        self.changed.notify_all();
    }

    /// Waits until `look` finds something; `None` when the time is over.
    pub(super) fn wait<R>(
        &self,
        within: Duration,
        mut look: impl FnMut(&mut Seen) -> Option<R>,
    ) -> Option<R> {
        let end = Instant::now() + within;
        let mut seen = lock(&self.seen);
        loop {
            if let Some(found) = look(&mut seen) {
                return Some(found);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let woken = self.changed.wait_timeout(seen, left);
            seen = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Writes until the sender is dropped, then closes the pipe.
pub(super) fn write_all(mut pipe: ChildStdin, lines: &Receiver<Vec<u8>>) {
    for bytes in lines {
        if pipe.write_all(&bytes).and_then(|()| pipe.flush()).is_err() {
            return;
        }
    }
}

/// Reads stdout line by line into the books.
pub(super) fn read_messages(pipe: ChildStdout, watch: &Watch) {
    let mut pipe = BufReader::new(pipe);
    let mut bytes = Vec::new();
    while !lock(&watch.seen).deaf {
        bytes.clear();
        // A read error means a dead child, as EOF does.
        if pipe.read_until(b'\n', &mut bytes).unwrap_or(0) == 0 {
            break;
        }
        let whole = bytes.last() == Some(&b'\n');
        let line = String::from_utf8_lossy(&bytes);
        let valid = std::str::from_utf8(&bytes).is_ok();
        watch.change(|seen| {
            if !whole {
                seen.ledger.problem("stdout ends inside a line", &line);
            } else if !valid {
                seen.ledger.problem("a stdout line is no UTF-8", &line);
            }
            let rpc = seen.ledger.received(line.trim_end_matches('\n'));
            seen.unread.extend(rpc);
        });
    }
    drop(pipe);
    watch.change(|seen| seen.stdout_over = true);
}

/// Reads stderr.
pub(super) fn read_notes(mut pipe: impl Read, watch: &Watch) {
    let mut buffer = [0; 8192];
    loop {
        let count = pipe.read(&mut buffer).unwrap_or(0);
        if count == 0 {
            return watch.change(|seen| seen.stderr_over = true);
        }
        watch.change(|seen| seen.stderr.extend_from_slice(&buffer[..count]));
    }
}
