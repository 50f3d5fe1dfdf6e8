//! The page of dependencies names those that there are, and no others.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

#[test]
fn the_page_has_each_direct_dependency_and_no_other() {
    let top = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(top.join("Cargo.toml")).unwrap();
    let page = fs::read_to_string(top.join("packaging/docs/dependencies.md")).unwrap();
    let mut section = "";
    let mut wanted = BTreeSet::new();
    for line in manifest.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if section.ends_with("dependencies") {
            wanted.extend(line.split_once(" = ").map(|(name, _)| name));
        }
    }
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let found: BTreeSet<&str> = rows
        .filter_map(|row| Some(row.split_once('`')?.0))
        .collect();
    assert!(wanted.len() > 50, "{wanted:?}");
    assert_eq!(found, wanted);
}
