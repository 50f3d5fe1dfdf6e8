//! What the fault matrix, the load and the crash matrix have in common. Each is a program among the tests, which does nothing unless
//! its arguments ask for it, and tells at its end how it went, as a test does.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;

/// How much is done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Nobody has asked for anything.
    Nothing,
    /// All of it.
    Whole,
    /// A part of it, or all of it on a smaller scale.
    Sample,
}

/// What the user wants.
pub struct Options {
    /// How much.
    pub extent: Extent,
    /// The beginnings of the names of what is to run; none for all.
    pub only: Vec<String>,
    args: Vec<String>,
}

impl Options {
    /// Reads arguments. What is for other tests, such as a filter, means nothing here.
    fn parse(args: Vec<String>) -> anyhow::Result<Self> {
        let mut options = Self {
            extent: Extent::Nothing,
            only: Vec::new(),
            args,
        };
        options.only = options.values("--only")?;
        let named = options
            .args
            .iter()
            .rev()
            .find_map(|arg| match arg.as_str() {
                "--sample" => Some(Extent::Sample),
                "--whole" => Some(Extent::Whole),
                _ => None,
            });
        options.extent = match named {
            Some(extent) => extent,
            None if options.only.is_empty() => Extent::Nothing,
            None => Extent::Whole,
        };
        Ok(options)
    }

    /// Whether an argument is there.
    pub fn has(&self, name: &str) -> bool {
        self.args.iter().any(|arg| arg == name)
    }

    /// The value of an option, if it is there; the last one counts.
    pub fn value(&self, name: &str) -> anyhow::Result<Option<String>> {
        Ok(self.values(name)?.pop())
    }

    fn values(&self, name: &str) -> anyhow::Result<Vec<String>> {
        let there = (1..).zip(&self.args).filter(|(_, arg)| *arg == name);
        let values = there.map(|(next, _)| self.args.get(next).cloned());
        values
            .map(|value| value.with_context(|| format!("{name} wants a value")))
            .collect()
    }

    /// Whether some of what has a name that begins like this is wanted.
    pub fn concerns(&self, start: &str) -> bool {
        let fits = |only: &String| only.starts_with(start) || start.starts_with(only.as_str());
        self.only.is_empty() || self.only.iter().any(fits)
    }

    /// Whether what has this name is wanted.
    pub fn wants(&self, name: &str) -> bool {
        // A number at the end is a whole one.
        let fits = |only: &String| {
            let rest = name.strip_prefix(only.as_str());
            rest.is_some_and(|rest| {
                !rest.starts_with(|c: char| c.is_ascii_digit()) || only.ends_with('/')
            })
        };
        self.only.is_empty() || self.only.iter().any(fits)
    }
}

/// Does `work` as the arguments say, or nothing: as one of all tests, which are many and short, it has no part. `asks` is an argument
/// that means this program, beside those that all of them have.
pub fn run(
    name: &str,
    usage: &str,
    asks: Option<&str>,
    work: impl FnOnce(&Options) -> anyhow::Result<ExitCode>,
) -> ExitCode {
    let options = Options::parse(std::env::args().skip(1).collect());
    let done = options.and_then(|options| {
        if options.extent == Extent::Nothing && !asks.is_some_and(|asks| options.has(asks)) {
            println!("{usage}\n\ntest result: ok. 0 passed; 0 failed; 0 ignored");
            return Ok(ExitCode::SUCCESS);
        }
        work(&options)
    });
    done.unwrap_or_else(|error| {
        eprintln!("{name}: {error:#}\n\n{usage}");
        ExitCode::from(2)
    })
}

/// Tells how it went. That nothing was tried is no success.
pub fn verdict(passed: usize, failed: usize, started: Instant) -> ExitCode {
    let is_well = failed == 0 && passed > 0;
    let word = if is_well { "ok" } else { "FAILED" };
    let took = started.elapsed().as_secs();
    println!(
        "test result: {word}. {passed} passed; {failed} failed; 0 ignored; finished in {took}s"
    );
    ExitCode::from(u8::from(!is_well))
}
