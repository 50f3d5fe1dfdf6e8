//! What the bridge costs, beside a plain HTTP client that does the same work in the same run.
//!
//! ```text
//! cargo bench                                          all rows, a few minutes
//! cargo bench -- --quick                               fewer rounds
//! cargo bench -- --only stream                         one measurement
//! cargo bench -- --large                               also answers of 64, 128 and 256 MiB
//! cargo bench -- --only instructions                   counted by valgrind, the same on any machine
//! cargo bench -- --only parts                          the same of a call and a notification, by the parts of the program
//! cargo bench -- --against 'other=npx -y mcp-remote@0.15.1 {url}'
//! ```
//!
//! Three processes take part: this one is the local client, the release binary (or another
//! bridge) its child, and this executable once more the remote server. Everybody is measured in
//! turn within each round, and a ratio compares values of one round only, since machines drift.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark reports on stdout and its progress on stderr"
)]

mod answers;
mod bridge;
mod direct;
mod instructions;
mod lines;
mod options;
mod parts;
mod payload;
mod plan;
mod process;
mod scene;
mod server;
mod subject;
mod table;
mod through;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use options::{Mode, Options};
use plan::Measurement;
use scene::Scene;
use subject::Subject;
use table::{Cell, Table};

fn main() -> ExitCode {
    let outcome = match options::parse(std::env::args().skip(1)) {
        Ok(Mode::Empty) => return ExitCode::SUCCESS,
        Ok(Mode::Serve(folder)) => server::run(&folder).map(|()| true),
        Ok(Mode::Direct(words)) => instructions::direct(&words).map(|()| true),
        Ok(Mode::Help) => {
            options::print_help();
            return ExitCode::SUCCESS;
        }
        Ok(Mode::Measure(options)) => measure(&options),
        Err(error) => {
            eprintln!("{error:#}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A subject that took so long over one measurement is not asked for more rounds of it.
const ENOUGH: Duration = Duration::from_secs(30);

/// Runs the plan and prints the table. False if our own bridge failed at anything; a missed goal
/// shows in the table and is no failure, since a loaded machine can cause it.
fn measure(options: &Options) -> anyhow::Result<bool> {
    let scene = Scene::set(options.quick)?;
    let mut subjects = vec![Subject::Direct, Subject::ours()];
    subjects.extend(options.against.iter().cloned().map(Subject::Bridge));
    let names: Vec<&str> = subjects.iter().map(Subject::name).collect();
    let mut table = Table::open(&names, &scene);
    for measurement in plan::plan(options) {
        let cells = rounds(&measurement, &subjects, &scene);
        table.add(&measurement, &cells);
    }
    Ok(table.close())
}

/// All rounds of one measurement: one list of rows for each subject.
fn rounds(measurement: &Measurement, subjects: &[Subject], scene: &Scene) -> Vec<Cell> {
    let mut cells = vec![Cell::default(); subjects.len()];
    let rounds = measurement.rounds(scene.quick);
    for round in 1..=rounds {
        for (subject, cell) in subjects.iter().zip(&mut cells) {
            if cell.failure.is_some() || cell.spent > ENOUGH {
                continue;
            }
            progress(&format!(
                "{} {round}/{rounds}: {}",
                measurement.name,
                subject.name()
            ));
            let started = Instant::now();
            let outcome = subject.measure(measurement.work, scene, measurement.limit);
            cell.spent += started.elapsed();
            match outcome {
                Ok(values) => cell.rounds.push(values),
                Err(error) => cell.failure = Some(format!("{error:#}")),
            }
        }
    }
    progress("");
    cells
}

/// Shows what is going on, to a person only. An empty text wipes it out.
fn progress(text: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K{text}");
    }
}
