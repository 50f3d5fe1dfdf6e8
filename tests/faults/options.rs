//! The command line.

use anyhow::Context;

/// How much is tried.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Nobody has asked for anything.
    Nothing,
    /// Everything.
    Whole,
    /// A few of each kind.
    Sample,
}

/// What the user wants.
pub struct Options {
    /// How much.
    pub extent: Extent,
    /// The beginnings of the names of the cases to run; none for all.
    pub only: Vec<String>,
    /// How many lanes work at a time.
    pub jobs: usize,
    /// Print the names and run nothing.
    pub list: bool,
    /// Print what each case came to.
    pub verbose: bool,
}

/// What there is to say.
pub const USAGE: &str =
    "cargo test --test faults -- --whole | --sample | --only CASE... [--list] [--jobs N] [--verbose]

--whole runs all cases, --sample a few of each kind. --only runs those whose name begins with CASE, such as
json/legacy-legacy/open/call/answer/cut/17, and shows what was said and what the bridge logs. --list shows names.";

impl Options {
    /// Reads arguments. What is for other tests, such as a filter, means nothing here.
    pub fn parse(mut args: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut options = Self {
            extent: Extent::Nothing,
            only: Vec::new(),
            jobs: 4,
            list: false,
            verbose: false,
        };
        while let Some(arg) = args.next() {
            let mut value = || args.next().with_context(|| format!("{arg} wants a value"));
            match arg.as_str() {
                "--sample" => options.extent = Extent::Sample,
                "--whole" => options.extent = Extent::Whole,
                "--only" => {
                    options.only.push(value()?);
                    options.extent = Extent::Whole;
                }
                "--jobs" => options.jobs = value()?.parse().context("read --jobs")?,
                "--list" => options.list = true,
                "--verbose" => options.verbose = true,
                _ => {}
            }
        }
        Ok(options)
    }

    /// Whether some of the cases whose names begin like this are wanted.
    pub fn concerns(&self, start: &str) -> bool {
        let fits = |only: &String| only.starts_with(start) || start.starts_with(only.as_str());
        self.only.is_empty() || self.only.iter().any(fits)
    }

    /// Whether this case is wanted.
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
