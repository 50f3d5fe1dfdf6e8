//! For each host and each form that its file may have: the file before and after. `BLESS=1` writes what is after.
//!
//! A case is a folder `tests/golden/hosts/HOST/CASE` with `before.EXT` (none: there is no file), `args` (one a line; none:
//! the server alone), and either `after.EXT` or `refused`, what is then told.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Home, URL};

/// What stands for this program's path.
const PROGRAM: &str = "/opt/bin/mcp-tether";

fn folders(of: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(of).unwrap();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    folders
}

/// The file of the case that begins like this, with its text.
fn file(case: &Path, stem: &str) -> Option<(PathBuf, String)> {
    let entries = fs::read_dir(case).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path());
    let path = paths.find(|path| path.file_stem().is_some_and(|found| found == stem))?;
    let text = fs::read_to_string(&path).unwrap();
    Some((path, text))
}

fn compare(case: &Path, name: &str, found: &str) {
    let path = case.join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, found).unwrap();
        return;
    }
    let wanted = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, wanted, "{}", path.display());
}

fn check(host: &str, case: &Path) {
    let home = Home::new();
    let listed = home.json(&["install", "--list", host, "--json"]);
    let mut path = PathBuf::from(listed[0]["file"].as_str().unwrap());
    let before = file(case, "before");
    if let Some((named, text)) = &before {
        path.set_extension(named.extension().unwrap());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    let args = file(case, "args").map_or_else(|| URL.to_owned(), |(_, args)| args);
    let mut words = vec!["install", host];
    words.extend(args.lines());
    let output = home.run(&words);
    let exe = Path::new(env!("CARGO_BIN_EXE_mcp-tether"));
    let plain = |text: &str| {
        let text = text.replace(&exe.display().to_string(), PROGRAM);
        text.replace(&home.folder.path().display().to_string(), "~")
    };
    if output.code != Some(0) {
        assert_eq!(output.stdout, "", "{output:?}");
        compare(case, "refused", &plain(&output.stderr));
        assert_eq!(fs::read_to_string(&path).ok(), before.map(|(_, text)| text));
        return;
    }
    let after = fs::read_to_string(&path).unwrap();
    let extension = path.extension().unwrap().to_string_lossy().into_owned();
    compare(case, &format!("after.{extension}"), &plain(&after));
    let again = home.ok(&words);
    assert!(
        again.stdout.contains("already") || args.contains("--force"),
        "{again:?}"
    );
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        after,
        "{}",
        case.display()
    );
    home.ok(&["uninstall", host, "linear"]);
    let gone = fs::read_to_string(&path).unwrap();
    let Some((_, text)) = before.filter(|(_, text)| text.contains("files")) else {
        return;
    };
    let was_there =
        text.contains("\"linear\"") || text.contains("linear:") || text.contains(": linear");
    let lines = |text: &str| -> Vec<String> {
        let lines = text.lines().map(|line| line.trim_end().to_owned());
        lines.filter(|line| !line.is_empty()).collect()
    };
    if !was_there && text.lines().count() > 1 {
        assert_eq!(lines(&gone), lines(&text), "{}", case.display());
    }
}

#[test]
fn files_are_what_they_should_be_after_an_install() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/hosts");
    let mut hosts = 0;
    for folder in folders(&root) {
        hosts += 1;
        let host = folder.file_name().unwrap().to_string_lossy().into_owned();
        for case in folders(&folder) {
            check(&host, &case);
        }
    }
    assert!(hosts >= 18, "{hosts}");
}
