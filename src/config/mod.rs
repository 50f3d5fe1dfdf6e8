//! Options from the environment and the config file, brought into the one form that the command line has: each setting is
//! an option by its long name with its values, and where it came from. What they mean is defined once, for flags.

mod environment;
mod file;
mod names;
mod paths;

pub use environment::from_environment;
pub use file::{Server, from_file};
pub use names::names;
pub use paths::Paths;

/// An option that can be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its long name, without dashes.
    pub name: String,
    /// What may follow it.
    pub takes: Takes,
}

/// What an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing: it is on or off.
    Nothing,
    /// One value.
    One,
    /// Any number of values.
    Many,
}

/// An option that was set outside of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The option's long name.
    pub name: String,
    /// Its values as flags: `--name` or `--name=value`. Empty when it is set to off.
    pub flags: Vec<String>,
    /// Where it was set, for messages.
    pub source: String,
}

impl Setting {
    fn switch(name: &str, on: bool, source: String) -> Self {
        let flags = if on {
            vec![format!("--{name}")]
        } else {
            Vec::new()
        };
        Self {
            name: name.to_owned(),
            flags,
            source,
        }
    }

    fn values<'a>(name: &str, values: impl IntoIterator<Item = &'a str>, source: String) -> Self {
        let flags = values
            .into_iter()
            .map(|value| format!("--{name}={value}"))
            .collect();
        Self {
            name: name.to_owned(),
            flags,
            source,
        }
    }
}

/// The candidate most like `name`, if any is alike enough to be what was meant.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// The candidate that `name` is but for a letter or two.
pub fn mistyped<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(name, candidate), candidate))
        .filter(|(distance, candidate)| distance * 3 <= candidate.len())
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests;
