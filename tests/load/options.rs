//! The command line.

use std::path::PathBuf;

use anyhow::Context;

/// How much is done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Nobody has asked for anything.
    Nothing,
    /// All of it.
    Whole,
    /// All of it, smaller.
    Sample,
}

/// What the user wants.
pub struct Options {
    /// How much.
    pub extent: Extent,
    /// The beginnings of the names of the loads to run; none for all.
    pub only: Vec<String>,
    /// The file for a picture of who comes back when.
    pub plot: Option<PathBuf>,
}

/// What there is to say.
pub const USAGE: &str =
    "cargo test --test load -- --whole | --sample [--only NAME]... [--plot FILE]

--whole takes some minutes, --sample does the same on a smaller scale. --only runs the loads whose name begins with NAME: calls,
notifications, one sign-in, restart, virtual. --plot makes an SVG of how bridges come back to a server that restarts.";

impl Options {
    /// Reads arguments. What is for other tests, such as a filter, means nothing here.
    pub fn parse(mut args: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut options = Self {
            extent: Extent::Nothing,
            only: Vec::new(),
            plot: None,
        };
        while let Some(arg) = args.next() {
            let mut value = || args.next().with_context(|| format!("{arg} wants a value"));
            match arg.as_str() {
                "--sample" => options.extent = Extent::Sample,
                "--whole" => options.extent = Extent::Whole,
                "--only" => options.only.push(value()?),
                "--plot" => options.plot = Some(std::path::absolute(value()?)?),
                _ => {}
            }
        }
        Ok(options)
    }

    /// Whether this load is wanted.
    pub fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| name.starts_with(only.as_str()))
    }

    /// The number for the extent.
    pub fn pick<T>(&self, sample: T, whole: T) -> T {
        if self.extent == Extent::Whole {
            whole
        } else {
            sample
        }
    }
}
