//! One check and what it found. Names are stable: scripts read them.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::{Exit, Failure, Fatal};
use crate::ui;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is as it should be.
    Ok,
    /// It works, and something should be seen to.
    Warn,
    /// It does not work; what the program would exit with.
    Fail(Exit),
    /// There was nothing to check.
    Skip,
}

impl Outcome {
    /// Its stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail(_) => "fail",
            Self::Skip => "skip",
        }
    }
}

/// What a check found.
#[derive(Debug, Clone)]
pub struct Finding {
    /// How it ended.
    pub outcome: Outcome,
    /// One line for people.
    pub found: String,
    /// What to type or do next.
    pub hint: Option<String>,
    /// More, for scripts.
    pub details: Map<String, Value>,
    /// The time it took, where that is not the time of the whole check.
    pub took: Option<Duration>,
}

impl Finding {
    fn new(outcome: Outcome, found: impl Into<String>, hint: Option<String>) -> Self {
        Self {
            outcome,
            found: printable(&found.into()),
            hint: hint.map(|hint| printable(&hint)),
            details: Map::new(),
            took: None,
        }
    }

    /// All is as it should be.
    pub fn ok(found: impl Into<String>) -> Self {
        Self::new(Outcome::Ok, found, None)
    }

    /// It works, and something should be seen to.
    pub fn warn(found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Outcome::Warn, found, Some(hint.into()))
    }

    /// It does not work.
    pub fn fail(exit: Exit, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Outcome::Fail(exit), found, Some(hint.into()))
    }

    /// There was nothing to check: why.
    pub fn skip(why: impl Into<String>) -> Self {
        Self::new(Outcome::Skip, why, None)
    }

    /// What the bridge would end with.
    pub fn of_fatal(wrong: &Fatal) -> Self {
        let hint = wrong.hint.clone();
        Self::new(Outcome::Fail(wrong.exit), wrong.message.clone(), hint)
    }

    /// What a request would fail with.
    pub fn of_failure(failure: &Failure) -> Self {
        let finding = Self::of_fatal(&Fatal::from(failure));
        finding.with("kind", failure.kind().name())
    }

    /// The same with one more detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// The same with the fault by its stable name.
    #[must_use]
    pub fn fault(self, name: &str) -> Self {
        self.with("fault", name)
    }

    /// The same with the time that it took.
    #[must_use]
    pub fn took(mut self, took: Duration) -> Self {
        self.took = Some(took);
        self
    }

    /// The same with a hint, where there is none yet.
    #[must_use]
    pub fn or_hint(mut self, hint: &str) -> Self {
        self.hint.get_or_insert_with(|| hint.to_owned());
        self
    }
}

/// A check that has ended.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// Its stable name.
    pub name: &'static str,
    /// `ok`, `warn`, `fail` or `skip`.
    pub result: &'static str,
    /// One line for people.
    pub found: String,
    /// What to type or do next.
    pub hint: Option<String>,
    /// The time it took, in milliseconds.
    pub ms: u64,
    /// More, for scripts.
    pub details: Map<String, Value>,
    #[serde(skip)]
    pub outcome: Outcome,
}

impl Check {
    /// A check that took `took` unless the finding knows better.
    pub fn new(name: &'static str, finding: Finding, took: Duration) -> Self {
        let took = finding.took.unwrap_or(took);
        Self {
            name,
            result: finding.outcome.name(),
            found: finding.found,
            hint: finding.hint,
            ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            details: finding.details,
            outcome: finding.outcome,
        }
    }
}

/// The worst of all checks: `ok`, `warn` or `fail`.
pub fn verdict(checks: &[Check]) -> &'static str {
    let any = |result: &str| checks.iter().any(|check| check.result == result);
    match (any("fail"), any("warn")) {
        (true, _) => "fail",
        (false, true) => "warn",
        (false, false) => "ok",
    }
}

/// Text without what a terminal would obey: servers have a say in it.
pub fn printable(text: &str) -> String {
    let spaced = text.replace(['\n', '\r', '\t'], " ");
    spaced.chars().filter(|c| !ui::is_control(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Check, Finding, printable, verdict};
    use crate::error::Exit;
    use std::time::Duration;

    #[test]
    fn the_verdict_is_the_worst_of_all() {
        let check = |finding| Check::new("x", finding, Duration::ZERO);
        let ok = || check(Finding::ok("a"));
        let skip = || check(Finding::skip("a"));
        let warn = || check(Finding::warn("a", "b"));
        let fail = || check(Finding::fail(Exit::Auth, "a", "b"));
        assert_eq!(verdict(&[ok(), skip()]), "ok");
        assert_eq!(verdict(&[ok(), warn(), skip()]), "warn");
        assert_eq!(verdict(&[fail(), warn(), ok()]), "fail");
    }

    #[test]
    fn a_terminal_has_nothing_to_obey() {
        assert_eq!(printable("a\u{1b}[31mb\nc\u{202e}d"), "a[31mb cd");
    }
}
