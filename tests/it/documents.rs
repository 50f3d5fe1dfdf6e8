//! The documents stay true: what they quote is said by the program, and what they link to is there.

use std::fs;
use std::path::{Path, PathBuf};

fn top() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All files below `folder` whose names end in `.extension`.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(&path, extension),
            false => Vec::from_iter(
                path.extension()
                    .is_some_and(|e| e == extension)
                    .then_some(path),
            ),
        })
        .collect()
}

#[test]
fn the_messages_that_are_explained_are_those_of_the_program() {
    let sources: String = files(&top().join("src"), "rs")
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let page = fs::read_to_string(top().join("packaging/docs/troubleshooting.md")).unwrap();
    let quoted: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'))
        .collect();
    assert!(quoted.len() > 10, "{quoted:?}");
    for message in quoted {
        assert!(sources.contains(message), "nothing says {message:?}");
    }
}

#[test]
fn links_lead_to_files_that_are_there() {
    let mut pages = files(&top().join("packaging/docs"), "md");
    pages.push(top().join("packaging/README.md"));
    pages.push(top().join("README.md"));
    let mut links = 0;
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for after in text.split("](").skip(1) {
            let link = after.split([')', '#']).next().unwrap();
            if link.is_empty() || link.contains("://") {
                continue;
            }
            links += 1;
            let file = page.parent().unwrap().join(link);
            assert!(file.exists(), "{}: {link}", page.display());
        }
    }
    assert!(links > 3);
}
