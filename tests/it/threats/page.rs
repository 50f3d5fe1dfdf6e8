//! The page of the security model: each threat has a test, and each test that it names is there.

use std::fs;
use std::path::{Path, PathBuf};

fn top() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Whether `path::of::module::test` is one of the binary's, or of a module's own.
fn exists(name: &str) -> bool {
    let Some((module, test)) = name.rsplit_once("::") else {
        return false;
    };
    let module = module.replace("::", "/");
    let files = [
        format!("tests/it/{module}.rs"),
        format!("src/{module}.rs"),
        format!("src/{module}/tests.rs"),
        format!("src/{module}/mod.rs"),
    ];
    files.iter().any(|file| {
        let text = fs::read_to_string(top().join(Path::new(file))).unwrap_or_default();
        text.contains(&format!("fn {test}("))
    })
}

#[test]
fn each_threat_has_a_test_that_is_there() {
    let page = fs::read_to_string(top().join("packaging/docs/security.md")).unwrap();
    let (_, threats) = page.split_once("\n## Threats\n").unwrap();
    let threats = threats.split("\n## ").next().unwrap();
    let rows = threats
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| threat"));
    let mut count = 0;
    for row in rows {
        let last = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let named: Vec<&str> = last.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test shows: {row}");
        for name in named {
            assert!(exists(name), "there is no test {name}");
        }
        count += 1;
    }
    assert!(count > 40, "{count}");
}
