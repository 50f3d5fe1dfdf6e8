//! The completions and man pages that are checked in are those that the program makes. `BLESS=1` rewrites them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::launch::Launch;

const SCRIPTS: [(&str, &str); 5] = [
    ("bash", "mcp-tether.bash"),
    ("zsh", "_mcp-tether"),
    ("fish", "mcp-tether.fish"),
    ("powershell", "_mcp-tether.ps1"),
    ("elvish", "mcp-tether.elv"),
];

fn checked_in(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
}

/// Compares a file with what it should be, or makes it so.
fn compare(path: &Path, wanted: &[u8]) {
    if std::env::var_os("BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, wanted).unwrap();
    }
    let found = fs::read(path).unwrap_or_default();
    assert!(
        found == wanted,
        "{} is outdated: run BLESS=1 cargo test --test it generate",
        path.display()
    );
}

fn files(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[test]
fn completions_are_up_to_date() {
    for (shell, file) in SCRIPTS {
        // Neither the terminal nor the environment makes a difference.
        let output = Launch::new()
            .args(["completions", shell])
            .env("COLUMNS", "40")
            .env("MCP_TETHER_TRANSPORT", "sse-only")
            .env("MCP_TETHER_COMPLETE", "")
            .run("");
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
        compare(
            &checked_in("completions").join(file),
            output.stdout.as_bytes(),
        );
    }
    let wanted: BTreeSet<String> = SCRIPTS.map(|(_, file)| file.to_owned()).into();
    assert_eq!(files(&checked_in("completions")), wanted);
}

#[test]
fn man_pages_are_up_to_date() {
    let kept = checked_in("packaging/man");
    let home = tempfile::TempDir::new().unwrap();
    let folder = home.path().join("new/man");
    let launch = Launch::new().env("COLUMNS", "40").arg("man").arg(&folder);
    let output = launch.run("");
    assert_eq!(
        (output.code, output.stdout.as_str(), output.stderr.as_str()),
        (Some(0), "", "")
    );
    let pages = files(&folder);
    assert!(pages.contains("mcp-tether.1") && pages.contains("mcp-tether-login.1"));
    assert!(
        !pages.contains("mcp-tether-man.1"),
        "a hidden command has no page"
    );
    for page in &pages {
        compare(&kept.join(page), &fs::read(folder.join(page)).unwrap());
    }
    if std::env::var_os("BLESS").is_some() {
        for outdated in files(&kept).difference(&pages) {
            fs::remove_file(kept.join(outdated)).unwrap();
        }
    }
    assert_eq!(files(&kept), pages);
}

#[test]
fn a_folder_that_cannot_be_is_an_error_with_a_hint() {
    let home = tempfile::TempDir::new().unwrap();
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    let output = Launch::new().arg("man").arg(file.join("man")).run("");
    assert_eq!((output.code, output.stdout.as_str()), (Some(1), ""));
    assert!(output.stderr.contains("hint: "), "{output:?}");
    let output = Launch::new().args(["completions", "tcsh"]).run("");
    assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""));
    assert!(output.stderr.contains("powershell"), "{output:?}");
}
