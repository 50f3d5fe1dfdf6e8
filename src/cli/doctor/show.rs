//! How checks are shown: a line as each ends, a spinner while one runs, or one JSON document at the end.

use std::future::Future;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};
use serde_json::{Value, json};

use super::check::{Check, Finding, Outcome, verdict};
use crate::cli::args::{self, Output};
use crate::cli::connection::Env;
use crate::error::Fatal;
use crate::ui;

/// The column at which what was found begins.
const INDENT: usize = 16;

/// Lines are not longer than this, on wide terminals either.
const WIDEST: usize = 100;

/// How wide lines are that do not go to a terminal.
const PLAIN_WIDTH: usize = 80;

/// How often the spinner turns.
const TURN: Duration = Duration::from_millis(100);

/// Where checks are shown.
pub struct Screen {
    json: bool,
    color: bool,
    spins: bool,
    width: usize,
    /// The checks that have ended, in their order.
    pub checks: Vec<Check>,
    /// Whether the lines were written.
    pub written: Result<(), Fatal>,
}

impl Screen {
    /// A screen as the options say.
    pub fn new(output: &Output, json: bool, env: &Env<'_>) -> Self {
        let stdout = terminal_width();
        let no_color = env("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env("TERM").is_some_and(|term| term == "dumb");
        Self {
            json,
            color: match output.color {
                args::Color::Always => true,
                args::Color::Never => false,
                args::Color::Auto => stdout.is_some() && !no_color && !dumb,
            },
            spins: std::io::stderr().is_terminal() && !output.silent && !dumb,
            width: stdout.unwrap_or(PLAIN_WIDTH).clamp(40, WIDEST),
            checks: Vec::new(),
            written: Ok(()),
        }
    }

    /// Runs a check and shows what it found.
    pub async fn run(&mut self, name: &'static str, work: impl Future<Output = Finding>) {
        let spinner = self.spins.then(|| spinner(name));
        let begun = Instant::now();
        let finding = work.await;
        if let Some(spinner) = spinner {
            spinner.finish_and_clear();
        }
        let check = Check::new(name, finding, begun.elapsed());
        if !self.json && self.written.is_ok() {
            self.written = ui::painted(&self.line(&check));
        }
        self.checks.push(check);
    }

    /// The last line: what all of it comes to.
    pub fn end(&self) -> String {
        let count = |result: &str| {
            let found = self.checks.iter().filter(|check| check.result == result);
            found.count()
        };
        let several = |number: usize, what: &str| match number {
            1 => format!("1 {what}"),
            _ => format!("{number} {what}s"),
        };
        let failed = self
            .checks
            .iter()
            .find(|check| matches!(check.outcome, Outcome::Fail(_)));
        match (failed, count("warn")) {
            (Some(check), _) => {
                let exit = exit(&self.checks);
                format!("{} failed (exit code {exit})", check.name)
            }
            (None, 0) => "all is well".to_owned(),
            (None, warnings) => format!("it works, with {}", several(warnings, "warning")),
        }
    }

    fn line(&self, check: &Check) -> String {
        let word = format!("{:<4}", check.result);
        let word = match (self.color, check.outcome) {
            (false, _) => word,
            (true, Outcome::Ok) => format!("\x1b[32m{word}\x1b[0m"),
            (true, Outcome::Warn) => format!("\x1b[33m{word}\x1b[0m"),
            (true, Outcome::Fail(_)) => format!("\x1b[31m{word}\x1b[0m"),
            (true, Outcome::Skip) => format!("\x1b[2m{word}\x1b[0m"),
        };
        let mut found = check.found.clone();
        if check.ms > 0 && check.outcome != Outcome::Skip {
            found.push_str(&format!(" ({})", span(check.ms)));
        }
        let mut text = format!("{word}  {:<8}  {}", check.name, self.wrapped(&found));
        if let Some(hint) = &check.hint {
            let hint = self.wrapped(&format!("hint: {hint}"));
            text.push_str(&format!("\n{}{hint}", " ".repeat(INDENT)));
        }
        text
    }

    /// Text that stands at the indent, on as many lines as it needs. What cannot be broken, an address say, stays whole.
    fn wrapped(&self, text: &str) -> String {
        let options = textwrap::Options::new(self.width - INDENT)
            .break_words(false)
            .word_splitter(textwrap::WordSplitter::NoHyphenation)
            .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit);
        let lines = textwrap::wrap(text, options);
        // A number and its unit stay together.
        lines
            .join(&format!("\n{}", " ".repeat(INDENT)))
            .replace('\u{a0}', " ")
    }
}

/// The columns of the terminal on stdout, if it is one.
fn terminal_width() -> Option<usize> {
    let terminal = console::Term::stdout();
    terminal.is_term().then(|| usize::from(terminal.size().1))
}

fn spinner(name: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
        .with_finish(ProgressFinish::AndClear);
    // The template is a constant that is known to be good.
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    bar.set_message(name.to_owned());
    bar.enable_steady_tick(TURN);
    bar
}

fn span(ms: u64) -> String {
    if ms < 1000 {
        format!("{ms}\u{a0}ms")
    } else {
        format!("{}.{}\u{a0}s", ms / 1000, ms % 1000 / 100)
    }
}

/// The exit code of the first check that failed; 0 where none did.
pub fn exit(checks: &[Check]) -> u8 {
    let mut failed = checks.iter().filter_map(|check| match check.outcome {
        Outcome::Fail(exit) => Some(exit as u8),
        _ => None,
    });
    failed.next().unwrap_or(0)
}

/// The one document of `--json`.
pub fn document(url: &str, checks: &[Check]) -> Value {
    json!({
        "url": url,
        "version": env!("CARGO_PKG_VERSION"),
        "checks": checks,
        "verdict": verdict(checks),
    })
}
