//! What the operating system says about a process and those it started. Linux only: elsewhere
//! every question is answered with nothing, and the table says so.

use std::collections::HashMap;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// User and system time of a process and its descendants, in seconds.
pub fn cpu_seconds(pid: u32) -> Option<f64> {
    let parents = parents()?;
    let ticks: u64 = tree(pid, &parents).filter_map(ticks).sum();
    Some(as_f64(ticks) / ticks_per_second())
}

/// User and system time of this process alone, in seconds.
pub fn own_cpu_seconds() -> Option<f64> {
    Some(as_f64(ticks(std::process::id())?) / ticks_per_second())
}

/// Resident memory in bytes: of the largest process in the tree, so that a launcher such as `npx`
/// is not held against the bridge that it started.
pub fn resident(pid: u32) -> Option<f64> {
    largest(pid, "VmRSS:")
}

/// The most resident memory there ever was, in bytes, likewise.
pub fn peak_resident(pid: u32) -> Option<f64> {
    largest(pid, "VmHWM:")
}

/// Ends a process group the hard way. It may be gone already.
pub fn kill_group(pid: u32) {
    let mut kill = Command::new("kill");
    kill.args(["-KILL", "--", &format!("-{pid}")]);
    let _ = kill.stderr(Stdio::null()).status();
}

/// The largest value of a line of `/proc/PID/status` in the tree.
fn largest(pid: u32, key: &str) -> Option<f64> {
    let parents = parents()?;
    let sizes = tree(pid, &parents).filter_map(|pid| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|l| l.strip_prefix(key))?;
        let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kib * 1024)
    });
    sizes.max().map(as_f64)
}

/// Each process and its parent.
fn parents() -> Option<HashMap<u32, u32>> {
    let mut parents = HashMap::new();
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let pid = entry.file_name().to_str().and_then(|n| n.parse().ok());
        let Some(pid) = pid else { continue };
        if let Some(parent) = stat_field(pid, 1).and_then(|p| u32::try_from(p).ok()) {
            parents.insert(pid, parent);
        }
    }
    Some(parents)
}

/// A process and its descendants.
fn tree(root: u32, parents: &HashMap<u32, u32>) -> impl Iterator<Item = u32> {
    let inside = move |pid: &u32| {
        let mut at = Some(*pid);
        while let Some(pid) = at {
            if pid == root {
                return true;
            }
            at = parents.get(&pid).copied();
        }
        false
    };
    parents.keys().copied().filter(inside)
}

/// User and system time of one process.
fn ticks(pid: u32) -> Option<u64> {
    Some(stat_field(pid, 11)? + stat_field(pid, 12)?)
}

/// A field of `/proc/PID/stat`, counted from the state that follows the name in brackets.
fn stat_field(pid: u32, index: usize) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(index)?.parse().ok()
}

/// The unit of the times in `/proc`.
fn ticks_per_second() -> f64 {
    static TICKS: OnceLock<f64> = OnceLock::new();
    *TICKS.get_or_init(|| {
        let answer = Command::new("getconf").arg("CLK_TCK").output().ok();
        let text = answer.and_then(|a| String::from_utf8(a.stdout).ok());
        text.and_then(|t| t.trim().parse().ok()).unwrap_or(100.0)
    })
}

/// A count as a floating-point number; what is counted here stays far below 2^53.
pub fn as_f64(count: u64) -> f64 {
    count as f64
}
