//! All cases, and the table of what came of them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::case::{self, Again, Case, Outcome, WRONGS};
use crate::harness::{self, Extent, Options};
use crate::operation::{ALL, Operation};
use crate::power;
use crate::support::gate::lock;
use crate::tracer::Step;

/// The cases that run at a time.
const JOBS: usize = 4;

/// Of so many cases one is in the sample.
const SAMPLE: usize = 7;

const USAGE: &str = "cargo test --test crash -- --whole | --sample | --only CASE... | --steps

--whole runs all cases, --sample every seventh. --only runs those whose name begins with CASE, such as login/after/17.
--steps shows what each operation does.";

/// Does what the arguments say.
pub fn main() -> ExitCode {
    harness::run("crash", USAGE, Some("--steps"), |options| Ok(run(options)))
}

fn run(options: &Options) -> ExitCode {
    let started = Instant::now();
    let begins = |operation: &Operation| options.concerns(&format!("{operation}/"));
    let operations: Vec<Operation> = ALL.into_iter().filter(begins).collect();
    let steps = parallel(&operations, |operation| case::rehearse(*operation));
    if options.has("--steps") {
        for (operation, steps) in operations.iter().zip(&steps) {
            println!("\n{operation}");
            steps.iter().for_each(|step| println!("  {step}"));
        }
        return ExitCode::SUCCESS;
    }
    let risks: Vec<String> = steps.iter().flat_map(|own| power::at_risk(own)).collect();
    risks.iter().for_each(|risk| println!("FAILED {risk}"));
    let mut cases = plan(&operations, &steps);
    cases.retain(|case| options.wants(&case.to_string()));
    if options.extent == Extent::Sample {
        cases = cases.into_iter().step_by(SAMPLE).collect();
    }
    println!("{} cases", cases.len());
    // A browser finds nobody at the address of a program that was killed. What ends a case is told with it.
    std::panic::set_hook(Box::new(|_| {}));
    let outcomes = parallel(&cases, |case| {
        let outcome = case::run(*case);
        for (kind, what) in &outcome.wrong {
            let step = outcome.step.as_ref().map(Step::to_string);
            println!(
                "FAILED {case} after {}: {kind:?}: {what}",
                step.unwrap_or_default()
            );
        }
        outcome
    });
    println!("\n{}", table(&outcomes));
    println!("at risk when power is lost: {}", risks.len());
    let failed = outcomes.iter().filter(|own| !own.wrong.is_empty()).count();
    let passed = outcomes.len() - failed;
    // A case that ended before its step says nothing.
    let killed = outcomes.iter().filter(|own| own.killed).count();
    let is_tried = killed * 10 >= outcomes.len() * 9;
    if !is_tried {
        println!("FAILED only {killed} of {} were killed", outcomes.len());
    }
    let failed = failed + risks.len() + usize::from(!is_tried);
    harness::verdict(passed, failed, started)
}

fn plan(operations: &[Operation], steps: &[Vec<Step>]) -> Vec<Case> {
    let mut cases = Vec::new();
    for (operation, steps) in operations.iter().zip(steps) {
        for again in [Again::After, Again::Beside] {
            cases.extend((0..steps.len()).map(|at| Case {
                operation: *operation,
                again,
                at,
            }));
        }
    }
    cases
}

/// What `work` makes of each, a few at a time.
fn parallel<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..JOBS {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(one) = all.get(at) else { return };
                    let made = work(one);
                    lock(&done).insert(at, made);
                }
            });
        }
    });
    done.into_inner().unwrap().into_values().collect()
}

/// A row for each operation, in Markdown.
fn table(outcomes: &[Outcome]) -> String {
    let mut text = "| operation | cases | killed | spent by nature | signed out | corrupt | blocked | left over |\n\
                    |---|---:|---:|---:|---:|---:|---:|---:|\n"
        .to_owned();
    let rows = ALL.iter().map(|own| (own.to_string(), Some(*own)));
    for (name, operation) in rows.chain([("all".to_owned(), None)]) {
        let of_row = |own: &&Outcome| operation.is_none_or(|wanted| wanted == own.case.operation);
        let row: Vec<&Outcome> = outcomes.iter().filter(of_row).collect();
        let count = |is: &dyn Fn(&Outcome) -> bool| row.iter().filter(|own| is(own)).count();
        let _ = write!(text, "| {name} | {} ", row.len());
        let _ = write!(
            text,
            "| {} | {} |",
            count(&|own| own.killed),
            count(&|own| own.by_nature)
        );
        for kind in WRONGS {
            let found = count(&|own| own.wrong.iter().any(|(own, _)| *own == kind));
            let _ = write!(text, " {found} |");
        }
        text.push('\n');
    }
    text
}
