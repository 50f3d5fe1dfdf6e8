//! The binary at a terminal, as a person has it: what is typed, and what stands there.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::ExitStatus;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use tempfile::TempDir;

use super::DEADLINE;
use super::gate::lock;
use super::launch::{Launch, signal};

/// A running program and its terminal.
pub struct Pty {
    pid: u32,
    keys: File,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    _home: Arc<TempDir>,
}

#[derive(Default)]
struct Seen {
    /// All that was written, escape sequences included.
    bytes: Vec<u8>,
    /// How much of the text a wait has passed.
    passed: usize,
    exit: Option<ExitStatus>,
    over: bool,
}

impl Pty {
    pub(super) fn start(launch: Launch) -> Self {
        let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&keys).expect("grant it");
        unlockpt(&keys).expect("unlock it");
        let name = ptsname(&keys, Vec::new()).expect("its name");
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let screen = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlags::NOCTTY.bits().try_into().expect("a flag"))
            .open(name.to_str().expect("UTF-8"))
            .expect("open it");
        tcsetwinsize(&screen, size).expect("80 columns");
        let mut command = launch.command();
        let own = || screen.try_clone().expect("clone");
        command.stdin(own()).stdout(own()).stderr(own());
        command.env("TERM", "xterm-256color");
        let mut child = command.spawn().expect("start the child");
        drop(command);
        let seen: Arc<(Mutex<Seen>, Condvar)> = Arc::default();
        let keys = File::from(keys);
        let mut output = keys.try_clone().expect("clone");
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            // The end is an error on Linux.
            while let Ok(read @ 1..) = output.read(&mut piece) {
                change(&shared, |seen| seen.bytes.extend(&piece[..read]));
            }
            change(&shared, |seen| seen.over = true);
        });
        let pid = child.id();
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            let exit = child.wait().expect("wait for the child");
            // It has to be as it was found, since a shell goes on with it.
            let modes = tcgetattr(&screen).expect("its modes").local_modes;
            let sane = LocalModes::ICANON | LocalModes::ECHO;
            assert!(modes.contains(sane), "the terminal is left raw");
            drop(screen);
            change(&shared, |seen| seen.exit = Some(exit));
        });
        Self {
            pid,
            keys,
            seen,
            _home: launch.home,
        }
    }

    /// Types that.
    pub fn keys(&self, keys: &str) {
        (&self.keys).write_all(keys.as_bytes()).expect("type");
    }

    /// Types that once the program reads single keys.
    pub fn press(&self, keys: &str) {
        let until = Instant::now() + DEADLINE;
        let is_raw = || {
            let modes = tcgetattr(&self.keys).expect("its modes").local_modes;
            !modes.contains(LocalModes::ICANON)
        };
        while !is_raw() {
            assert!(
                Instant::now() < until,
                "nobody reads keys:\n{}",
                self.text()
            );
            std::thread::yield_now();
        }
        self.keys(keys);
    }

    /// Waits until that stands after what was waited for before.
    #[track_caller]
    pub fn wait(&self, wanted: &str) -> &Self {
        let found = self.until(|seen| {
            let text = plain(&seen.bytes);
            let at = text.get(seen.passed..)?.find(wanted)?;
            seen.passed += at + wanted.len();
            Some(())
        });
        assert!(found.is_some(), "{wanted:?} is not there:\n{}", self.text());
        self
    }

    /// All that was written, without escape sequences.
    pub fn text(&self) -> String {
        plain(&lock(&self.seen.0).bytes)
    }

    /// Waits for the end; the exit code, and all that was written.
    #[track_caller]
    pub fn end(self) -> (i32, String) {
        let exit = self.until(|seen| seen.exit.filter(|_| seen.over));
        let Some(exit) = exit else {
            panic!("it did not end:\n{}", self.text());
        };
        (exit.code().expect("no signal"), self.text())
    }

    /// The same with the escape sequences.
    #[track_caller]
    pub fn end_raw(self) -> (i32, String) {
        let seen = Arc::clone(&self.seen);
        let (code, _) = self.end();
        let raw = String::from_utf8_lossy(&lock(&seen.0).bytes).into_owned();
        (code, raw)
    }

    /// Sends it `TERM` or `INT`.
    pub fn signal(&self, name: &str) {
        signal(self.pid, name);
    }

    fn until<R>(&self, mut look: impl FnMut(&mut Seen) -> Option<R>) -> Option<R> {
        let until = Instant::now() + DEADLINE;
        let (seen, changed) = &*self.seen;
        let mut seen = lock(seen);
        loop {
            if let Some(found) = look(&mut seen) {
                return Some(found);
            }
            let left = until.checked_duration_since(Instant::now())?;
            (seen, _) = changed.wait_timeout(seen, left).expect("wait");
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        if lock(&self.seen.0).exit.is_none() {
            signal(self.pid, "KILL");
        }
    }
}

fn change(shared: &(Mutex<Seen>, Condvar), change: impl FnOnce(&mut Seen)) {
    change(&mut lock(&shared.0));
    shared.1.notify_all();
}

/// The text without escape sequences and carriage returns.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => {
                // CSI up to its final letter.
                if chars.next() == Some('[') {
                    chars.find(char::is_ascii_alphabetic);
                }
            }
            '\r' => {}
            _ => plain.push(c),
        }
    }
    plain
}
