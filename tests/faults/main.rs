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
#[path = "../harness/mod.rs"]
#[allow(dead_code, reason = "the others use the rest")]
mod harness;
mod lane;
mod mercy;
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

use anyhow::Context;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::case::Case;
use crate::harness::{Options, verdict};
use crate::lane::Outcome;
use crate::support::gate::lock;
use crate::table::Table;

/// So many lanes that wait run for each that works.
const IDLERS: usize = 8;

/// Reports of failures that are printed in full.
const REPORTS: usize = 12;

const USAGE: &str =
    "cargo test --test faults -- --whole | --sample | --only CASE... [--list] [--jobs N] [--verbose]

--whole runs all cases, --sample a few of each kind. --only runs those whose name begins with CASE, such as
json/legacy-legacy/open/call/answer/cut/17, and shows what was said and what the bridge logs. --list shows names.";

fn main() -> ExitCode {
    harness::run("faults", USAGE, None, |options| {
        // So many lanes work at a time.
        let jobs = options.value("--jobs")?.map(|jobs| jobs.parse());
        let jobs = jobs.transpose().context("read --jobs")?.unwrap_or(4);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        Ok(runtime.block_on(measure(options, jobs)))
    })
}

async fn measure(options: &Options, jobs: usize) -> ExitCode {
    let started = Instant::now();
    let lists = plan::plan(options).await;
    let total: usize = lists.iter().map(Vec::len).sum();
    if options.has("--list") {
        lists.iter().flatten().for_each(|case| println!("{case}"));
        return ExitCode::SUCCESS;
    }
    println!("{total} cases");
    let debug = !options.only.is_empty();
    let board = Arc::new(Mutex::new(Board {
        table: Table::default(),
        reports: 0,
        total,
        verbose: options.has("--verbose") || debug && total < 8,
    }));
    run_all(lists, jobs, debug, &board).await;
    let board = lock(&board);
    let (tried, failed) = board.table.count();
    println!("\n{}", board.table.show());
    verdict(tried - failed, failed, started)
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
