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

use crate::options::{Extent, Options, USAGE};
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

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("load: {error:#}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if options.extent == Extent::Nothing {
        // As one of all tests, which are many and short, it has no part.
        println!("{USAGE}\n\ntest result: ok. 0 passed; 0 failed; 0 ignored");
        return ExitCode::SUCCESS;
    }
    let started = Instant::now();
    let mut rows = Vec::new();
    for (name, load) in LOADS.iter().filter(|(name, _)| options.wants(name)) {
        let made = catch_unwind(|| load(&options));
        // What went wrong has been printed by then.
        let made = made.unwrap_or_else(|_| vec![Row::broken(name)]);
        made.iter().for_each(|row| println!("{row}"));
        rows.extend(made);
    }
    println!("\n{TITLES}");
    rows.iter().for_each(|row| println!("{row}"));
    let passed = rows.iter().filter(|row| row.is_right()).count();
    let failed = rows.len() - passed;
    let word = if failed == 0 { "ok" } else { "FAILED" };
    let took = started.elapsed().as_secs();
    println!(
        "\ntest result: {word}. {passed} passed; {failed} failed; 0 ignored; finished in {took}s"
    );
    ExitCode::from(u8::from(failed > 0 || passed == 0))
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
