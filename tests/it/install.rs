//! `install`, `uninstall` and `install --list`: the files of hosts, before and after, by the real binary.
#![cfg(unix)]

mod commands;
mod files;
mod golden;
mod page;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::launch::{Launch, Output};

const URL: &str = "https://mcp.linear.app/mcp";

/// A user's home, in which commands are typed.
struct Home {
    folder: Arc<TempDir>,
}

impl Home {
    fn new() -> Self {
        Self {
            folder: Arc::new(TempDir::new().unwrap()),
        }
    }

    fn launch(&self, args: &[&str]) -> Launch {
        Launch::new()
            .at_home(&self.folder)
            .args(args.iter().copied())
    }

    fn run(&self, args: &[&str]) -> Output {
        self.launch(args).run("")
    }

    /// Runs a command that has to work, and gives what it printed.
    fn ok(&self, args: &[&str]) -> Output {
        let output = self.run(args);
        assert_eq!(output.code, Some(0), "{args:?}: {output:?}");
        output
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.ok(args);
        serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// The names in a folder, sorted.
    fn names(&self, path: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(path)).unwrap();
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.unwrap().file_name().into_string().unwrap()
        };
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }
}

/// A run that failed as it should.
fn refused(output: &Output, code: i32, words: &[&str]) {
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (Some(code), ""),
        "{output:?}"
    );
    for word in words {
        assert!(output.stderr.contains(word), "no {word:?}: {output:?}");
    }
}
