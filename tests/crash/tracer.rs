//! Runs the program one step at a time, and kills it at any of them. A step is a call to the system that changes files, takes a lock,
//! or speaks to somebody: it is counted before it is done, and what is heard once it has been heard. Nothing else about the
//! program is looked at or changed.

use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::process::Child;

use nix::errno::Errno;
use nix::libc::{self, user_regs_struct};
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::talk::Talk;

/// What the program did.
pub struct Story {
    /// Its steps, those that were done.
    pub steps: Vec<Step>,
    /// The exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// Whether it was killed.
    pub killed: bool,
    /// All of stdout.
    pub stdout: String,
    /// All of stderr.
    pub stderr: String,
}

/// A call to the system.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its name, without the variants of which none differs from the others.
    pub call: &'static str,
    /// The file or whatever else it is about.
    pub about: String,
    /// The new name, where there is one.
    pub to: Option<String>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.call, self.about)?;
        self.to.iter().try_for_each(|to| write!(f, " to {to}"))
    }
}

/// Lets `child`, which has stopped itself, run to its end, or to the moment before its step number `last`, counted from 0. Then
/// `held` is called, and the child is killed. It is given `lines` as [`Talk::begin`] says.
pub fn follow(mut child: Child, lines: String, last: Option<usize>, held: impl FnOnce()) -> Story {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    let talk = Talk::begin(&mut child, lines);
    let mut tracer = Tracer {
        pid,
        steps: Vec::new(),
        begun: false,
    };
    let end = tracer.run(last, held);
    let (stdout, stderr) = talk.end();
    Story {
        steps: tracer.steps,
        killed: matches!(end, WaitStatus::Signaled(_, Signal::SIGKILL, _)),
        code: match end {
            WaitStatus::Exited(_, code) => Some(code),
            _ => None,
        },
        stdout,
        stderr,
    }
}

struct Tracer {
    pid: Pid,
    steps: Vec<Step>,
    /// The program has taken the place of the shell.
    begun: bool,
}

impl Tracer {
    fn run(&mut self, last: Option<usize>, held: impl FnOnce()) -> WaitStatus {
        let stopped = waitpid(self.pid, Some(WaitPidFlag::WUNTRACED)).unwrap();
        assert!(matches!(stopped, WaitStatus::Stopped(..)), "{stopped:?}");
        let options = Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEEXEC
            | Options::PTRACE_O_EXITKILL;
        ptrace::seize(self.pid, options).unwrap();
        kill(self.pid, Signal::SIGCONT).unwrap();
        let mut held = Some(held);
        loop {
            // The threads of the program, and no child of any other test.
            let of_ours = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
            let (thread, signal) = match waitpid(None, Some(of_ours)) {
                Ok(WaitStatus::PtraceSyscall(thread)) => {
                    if let Some(step) = self.step(thread) {
                        if last == Some(self.steps.len()) {
                            held.take().into_iter().for_each(|held| held());
                            kill(self.pid, Signal::SIGKILL).unwrap();
                            continue;
                        }
                        self.steps.push(step);
                    }
                    (thread, None)
                }
                Ok(WaitStatus::PtraceEvent(thread, _, event)) => {
                    self.begun |= event == libc::PTRACE_EVENT_EXEC;
                    (thread, None)
                }
                Ok(WaitStatus::Stopped(thread, signal)) => (thread, Some(signal)),
                Ok(end) if end.pid() == Some(self.pid) => return end,
                Ok(_) | Err(Errno::EINTR) => continue,
                Err(wrong) => panic!("cannot wait for the program: {wrong}"),
            };
            // It may have been killed since.
            let _ = ptrace::syscall(thread, signal);
        }
    }

    /// The step that a thread is about to do, or has done if it is one of hearing.
    fn step(&self, thread: Pid) -> Option<Step> {
        let regs = ptrace::getregs(thread).ok()?;
        if !self.begun {
            return None;
        }
        let call = i64::try_from(regs.orig_rax).ok()?;
        let result = regs.rax.cast_signed();
        let begins = result == -i64::from(libc::ENOSYS);
        match call {
            libc::SYS_read | libc::SYS_readv | libc::SYS_recvfrom | libc::SYS_recvmsg => {
                let socket = self.socket(regs.rdi).filter(|_| !begins && result > 0)?;
                Some(step("hear", socket))
            }
            _ if begins => self.act(call, &regs),
            _ => None,
        }
    }

    /// The step that a call is, before it is done.
    fn act(&self, call: i64, regs: &user_regs_struct) -> Option<Step> {
        let (first, second, third) = (regs.rdi, regs.rsi, regs.rdx);
        let moved = |from: u64, to: u64| {
            let mut moved = step("rename", self.text(from)?);
            moved.to = self.text(to);
            Some(moved)
        };
        let writes = u64::try_from(libc::O_CREAT | libc::O_TRUNC).unwrap();
        match call {
            libc::SYS_openat if third & writes != 0 => Some(step("create", self.text(second)?)),
            libc::SYS_rename => moved(first, second),
            libc::SYS_renameat | libc::SYS_renameat2 => moved(second, regs.r10),
            libc::SYS_link => Some(step("link", self.text(second)?)),
            libc::SYS_linkat => Some(step("link", self.text(regs.r10)?)),
            libc::SYS_unlink | libc::SYS_rmdir => Some(step("remove", self.text(first)?)),
            libc::SYS_unlinkat => Some(step("remove", self.text(second)?)),
            libc::SYS_mkdir => Some(step("make folder", self.text(first)?)),
            libc::SYS_chmod | libc::SYS_chown => Some(step("own", self.text(first)?)),
            libc::SYS_fchmod | libc::SYS_fchown => Some(step("own", self.target(first)?)),
            libc::SYS_fchmodat | libc::SYS_fchownat => Some(step("own", self.text(second)?)),
            libc::SYS_ftruncate => Some(step("cut", self.target(first)?)),
            libc::SYS_fsync | libc::SYS_fdatasync => Some(step("sync", self.target(first)?)),
            libc::SYS_flock => Some(step("lock", self.target(first)?)),
            libc::SYS_bind => Some(step("bind", String::new())),
            libc::SYS_connect => Some(step("connect", String::new())),
            libc::SYS_sendto | libc::SYS_sendmsg => Some(step("say", self.socket(first)?)),
            libc::SYS_write | libc::SYS_writev | libc::SYS_pwrite64 => {
                let target = self.target(first)?;
                match target.split_once(':') {
                    None => Some(step("write", target)),
                    Some(("socket", _)) => Some(step("say", String::new())),
                    Some(("pipe", _)) if first <= 2 => Some(step("print", String::new())),
                    Some(_) => None,
                }
            }
            libc::SYS_exit_group => Some(step("leave", String::new())),
            _ => None,
        }
    }

    /// What a descriptor leads to: a path, or such as `socket:[1]`.
    fn target(&self, descriptor: u64) -> Option<String> {
        let link = format!("/proc/{}/fd/{descriptor}", self.pid);
        Some(fs::read_link(link).ok()?.to_string_lossy().into_owned())
    }

    /// An empty text where a descriptor is a socket.
    fn socket(&self, descriptor: u64) -> Option<String> {
        let target = self.target(descriptor)?;
        target.starts_with("socket:").then(String::new)
    }

    /// The text at an address of the program.
    fn text(&self, address: u64) -> Option<String> {
        let memory = File::open(format!("/proc/{}/mem", self.pid)).ok()?;
        let mut text = Vec::new();
        let mut byte = [0];
        while memory
            .read_at(&mut byte, address + text.len() as u64)
            .ok()?
            == 1
            && byte != [0]
        {
            text.extend(byte);
        }
        String::from_utf8(text).ok()
    }
}

fn step(call: &'static str, about: String) -> Step {
    Step {
        call,
        about,
        to: None,
    }
}
