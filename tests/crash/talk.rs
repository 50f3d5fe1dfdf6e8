//! What is said to the program and what it says.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::DEADLINE;
use crate::support::launch::{Launch, Output};
use crate::support::rpc::Rpc;

/// A talk that goes on.
pub struct Talk {
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
}

impl Talk {
    /// Gives the program `lines` and reads what it says. Its stdin ends with the answer to request 1, or at once where there
    /// is no line.
    pub fn begin(child: &mut Child, lines: String) -> Self {
        let stdin = child.stdin.take().unwrap();
        let stdout = child.stdout.take().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let (answered, heard) = channel();
        std::thread::spawn(move || speak(stdin, &lines, &heard));
        Self {
            stdout: std::thread::spawn(move || listen(stdout, &answered)),
            stderr: std::thread::spawn(move || {
                let mut text = String::new();
                stderr.read_to_string(&mut text).unwrap();
                text
            }),
        }
    }

    /// All that it said on stdout and stderr.
    pub fn end(self) -> (String, String) {
        (self.stdout.join().unwrap(), self.stderr.join().unwrap())
    }
}

fn speak(mut stdin: ChildStdin, lines: &str, heard: &Receiver<()>) {
    // One that was killed hears nothing.
    if stdin.write_all(lines.as_bytes()).is_ok() && !lines.is_empty() {
        let _ = heard.recv();
    }
}

fn listen(stdout: ChildStdout, answered: &Sender<()>) -> String {
    let mut text = String::new();
    for line in BufReader::new(stdout).lines() {
        let line = line.expect("stdout is UTF-8");
        if Rpc::parse(&line).is_ok_and(|rpc| rpc.is_answer() && rpc.id.as_deref() == Some("1")) {
            let _ = answered.send(());
        }
        text += &line;
        text.push('\n');
    }
    text
}

/// Runs the program to its end. Panics when it takes longer than three deadlines.
pub fn run(launch: &Launch, lines: String) -> Output {
    let mut child = launch.spawn();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    let talk = Talk::begin(&mut child, lines);
    let (done, ended) = channel();
    std::thread::spawn(move || done.send(child.wait()));
    let Ok(status) = ended.recv_timeout(DEADLINE * 3) else {
        kill(pid, Signal::SIGKILL).unwrap();
        panic!("it did not end: {:?}", talk.end());
    };
    let (stdout, stderr) = talk.end();
    Output {
        code: status.unwrap().code(),
        stdout,
        stderr,
    }
}
