//! Why a host's file cannot be read or edited, and where in it.

use std::fmt;

/// A file that is not what its host reads, or that cannot be edited without harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What is wrong there, in lower case.
    pub what: String,
}

impl Broken {
    /// Something wrong at that byte of the text.
    pub(super) fn at(text: &str, offset: usize, what: impl Into<String>) -> Self {
        let before: String = text
            .char_indices()
            .take_while(|(at, _)| *at < offset)
            .map(|(_, c)| c)
            .collect();
        let last = before.rsplit('\n').next().unwrap_or_default();
        Self {
            line: 1 + before.matches('\n').count(),
            column: 1 + last.chars().count(),
            what: sentence(&what.into()),
        }
    }

    /// Something wrong with the file as a whole, or with what `name` stands for in it.
    pub(super) fn about(text: &str, name: &str, what: impl Into<String>) -> Self {
        Self::at(text, text.find(name).unwrap_or(0), what)
    }
}

/// One line, beginning in lower case, with no full stop.
fn sentence(text: &str) -> String {
    let line = text
        .lines()
        .next()
        .unwrap_or_default()
        .trim_end_matches('.');
    let mut chars = line.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => "it cannot be read".to_owned(),
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, what } = self;
        write!(f, "line {line}, column {column}: {what}")
    }
}

impl std::error::Error for Broken {}
