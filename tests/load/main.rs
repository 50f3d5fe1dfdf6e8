//! Load: the real program under many requests, many notifications, many copies of itself and a server that restarts. Nothing is
//! lost, nothing comes twice, nothing grows.
//!
//! ```text
//! cargo test --test load -- --whole              everything, as the documentation has it
//! cargo test --test load -- --sample             the same, smaller
//! cargo test --test load -- --whole --only NAME  the loads whose names begin so
//! ```
//!
//! What takes hours, or a hundred thousand bridges, is a test of the library under a virtual clock, which this one starts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking, and this one reports by itself"
)]

mod bridge;
mod calls;
mod far;
#[path = "../harness/mod.rs"]
#[allow(dead_code, reason = "the others use the rest")]
mod harness;
mod notes;
mod options;
mod restart;
mod shared;
#[path = "../it/support/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "the integration tests use the rest"
)]
mod support;
mod table;
mod virtually;

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::harness::verdict;
use crate::options::Options;
use crate::table::{Row, TITLES};

/// Who has not answered by now hangs, however busy the machine is.
const HANG: Duration = Duration::from_secs(120);

/// A load: its name, and what makes its rows.
type Load = (&'static str, fn(&Options) -> Vec<Row>);

const LOADS: [Load; 5] = [
    ("calls", calls::run),
    ("notifications", notes::run),
    ("one sign-in", shared::run),
    ("restart", restart::run),
    ("virtual", virtually::run),
];

const USAGE: &str =
    "cargo test --test load -- --whole | --sample [--only NAME]... [--plot FILE]

--whole takes some minutes, --sample does the same on a smaller scale. --only runs the loads whose name begins with NAME: calls,
notifications, one sign-in, restart, virtual. --plot makes an SVG of how bridges come back to a server that restarts.";

fn main() -> ExitCode {
    harness::run("load", USAGE, None, |asked| {
        let started = Instant::now();
        let options = Options::of(asked)?;
        let mut rows = Vec::new();
        for (name, load) in LOADS.iter().filter(|(name, _)| asked.wants(name)) {
            let made = catch_unwind(|| load(&options));
            // What went wrong has been printed by then.
            let made = made.unwrap_or_else(|_| vec![Row::broken(name)]);
            made.iter().for_each(|row| println!("{row}"));
            rows.extend(made);
        }
        println!("\n{TITLES}");
        rows.iter().for_each(|row| println!("{row}"));
        println!();
        let passed = rows.iter().filter(|row| row.is_right()).count();
        Ok(verdict(passed, rows.len() - passed, started))
    })
}

/// Runs a load that waits for many things at a time.
fn wait_for<T>(load: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(load)
}
