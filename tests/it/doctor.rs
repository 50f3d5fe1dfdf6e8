//! `doctor`: each fault is recognised by its name, told with a remedy, and decides the exit code.

mod certificates;
#[cfg(target_os = "linux")]
mod keyring;
mod network;
#[cfg(unix)]
mod report;
#[cfg(unix)]
mod sign_in;
#[cfg(unix)]
mod store;
mod talk;

use serde_json::Value;

use crate::support::launch::{Launch, Output};
use crate::support::server::Peer;

/// A doctor that has ended, with its one document.
pub struct Doctor {
    pub output: Output,
    pub document: Value,
}

impl Doctor {
    /// The check of that name.
    pub fn check(&self, name: &str) -> &Value {
        let checks = self.document["checks"].as_array().expect("checks");
        let found = checks.iter().find(|check| check["name"] == name);
        found.unwrap_or_else(|| panic!("no {name}: {:#}", self.document))
    }

    /// Asserts how a check ended.
    pub fn is(&self, name: &str, result: &str) -> &Value {
        let check = self.check(name);
        assert_eq!(check["result"], result, "{name}: {:#}", self.document);
        check
    }

    /// Asserts that a check recognised a fault, with that exit code and a remedy that says this.
    pub fn fails(&self, name: &str, fault: &str, code: i32, remedy: &str) {
        self.finds(name, "fail", fault, remedy);
        assert_eq!(self.document["verdict"], "fail");
        assert_eq!(self.output.code, Some(code), "{:#}", self.document);
    }

    /// Asserts that a check warned of a fault, with a remedy that says this.
    pub fn warns(&self, name: &str, fault: &str, remedy: &str) {
        self.finds(name, "warn", fault, remedy);
    }

    fn finds(&self, name: &str, result: &str, fault: &str, remedy: &str) {
        let check = self.is(name, result);
        assert_eq!(check["details"]["fault"], fault, "{:#}", self.document);
        let hint = check["hint"].as_str().expect("a hint");
        assert!(hint.contains(remedy), "{hint}");
        let found = check["found"].as_str().expect("what was found");
        assert!(!found.is_empty() && !found.ends_with('.'), "{found}");
    }
}

/// Runs it to its end.
pub fn run(launch: Launch) -> Doctor {
    let output = launch.arg("--json").run("");
    let document =
        serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    Doctor { output, document }
}

/// A doctor for that URL, with files for a store.
pub fn at(url: &str) -> Launch {
    Launch::new().args(["doctor", url, "--store", "file"])
}

/// A doctor for that server.
pub fn to(peer: &impl Peer) -> Launch {
    at(&peer.url()).watch(peer)
}
