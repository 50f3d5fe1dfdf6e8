//! The fault matrix: the real binary against real servers over a line that cuts, stalls, splits, reorders, resets, half-closes,
//! slows, corrupts and limits at every place worth trying. Whatever happens, each request gets one answer, in time, nothing is
//! done twice, and the next call works.
//!
//! ```text
//! cargo test --test faults -- --whole            everything
//! cargo test --test faults -- --sample           a few of each kind
//! cargo test --test faults -- --only CASE        the cases whose names begin so, with their bytes
//! ```
//!
//! Each lane has servers, a proxy and bridges of its own, and runs cases one after another. Nothing is random: a name says which
//! byte of which message is met.

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
mod case;
mod far;
mod lane;
mod mercy;
mod options;
mod plan;
mod proxy;
mod stage;
#[path = "../it/support/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "the integration tests use the rest"
)]
mod support;
mod table;
mod units;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::case::Case;
use crate::lane::Outcome;
use crate::options::{Extent, Options, USAGE};
use crate::support::gate::lock;
use crate::table::Table;

/// So many lanes that wait run for each that works.
const IDLERS: usize = 8;

/// Reports of failures that are printed in full.
const REPORTS: usize = 12;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("faults: {error:#}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if options.extent == Extent::Nothing {
        // As one of all tests, which are many and short, it has no part.
        println!("{USAGE}\n\ntest result: ok. 0 passed; 0 failed; 0 ignored");
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(measure(options))
}

async fn measure(options: Options) -> ExitCode {
    let started = Instant::now();
    let lists = plan::plan(&options).await;
    let total: usize = lists.iter().map(Vec::len).sum();
    if options.list {
        lists.iter().flatten().for_each(|case| println!("{case}"));
        return ExitCode::SUCCESS;
    }
    println!("{total} cases");
    let debug = !options.only.is_empty();
    let board = Arc::new(Mutex::new(Board {
        table: Table::default(),
        reports: 0,
        total,
        verbose: options.verbose || debug && total < 8,
    }));
    run_all(lists, options.jobs, debug, &board).await;
    let board = lock(&board);
    let (tried, failed) = board.table.count();
    println!("\n{}", board.table.show());
    let (word, passed) = (if failed == 0 { "ok" } else { "FAILED" }, tried - failed);
    let took = started.elapsed().as_secs();
    println!(
        "test result: {word}. {passed} passed; {failed} failed; 0 ignored; finished in {took}s"
    );
    ExitCode::from(u8::from(failed > 0 || tried == 0))
}

async fn run_all(lists: Vec<Vec<Case>>, jobs: usize, debug: bool, board: &Arc<Mutex<Board>>) {
    // Those that mostly wait need no processor.
    let busy = Arc::new(Semaphore::new(jobs));
    let waiting = Arc::new(Semaphore::new(jobs * IDLERS));
    let mut tasks = JoinSet::new();
    for cases in lists {
        let waits = cases
            .first()
            .is_some_and(|case| case.fault.waits() || case.leg.is_sign_in());
        let turns = Arc::clone(if waits { &waiting } else { &busy });
        let board = Arc::clone(board);
        tasks.spawn(async move {
            let _turn = turns.acquire_owned().await;
            for outcome in lane::run(&cases, debug).await {
                lock(&board).add(&outcome);
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("a lane runs to its end");
    }
}

/// What is known so far.
struct Board {
    table: Table,
    reports: usize,
    total: usize,
    verbose: bool,
}

impl Board {
    fn add(&mut self, outcome: &Outcome) {
        self.table.add(outcome);
        let failed = !outcome.wrong.is_empty();
        if failed {
            self.reports += 1;
            println!("\nFAILED {}: {:?}", outcome.case, outcome.wrong);
        }
        if self.verbose || failed && self.reports <= REPORTS {
            let (case, by, took) = (outcome.case, outcome.by, outcome.took);
            println!(
                "{case}: answered by {by:?} after {took:?}\n{}",
                outcome.report
            );
        }
        let (tried, failed) = self.table.count();
        if std::io::stderr().is_terminal() || tried % 1000 == 0 {
            eprintln!("{tried} of {}, {failed} failed", self.total);
        }
    }
}
