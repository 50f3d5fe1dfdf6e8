//! The layer rule: a module imports only from lower layers. This reads the sources as text, so it
//! must not depend on anything that the crate exports.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The top-level modules and their layers.
const LAYERS: [(&str, u8); 18] = [
    ("draft", 0),
    ("error", 0),
    ("secret", 0),
    ("jsonrpc", 0),
    ("queue", 0),
    ("tools", 1),
    ("era", 1),
    ("hosts", 1),
    ("net", 1),
    ("store", 1),
    ("ui", 1),
    ("auth", 2),
    ("transport", 3),
    ("stdio", 3),
    ("bridge", 4),
    ("config", 5),
    ("cli", 6),
    ("lib", u8::MAX),
];

/// No production file is longer than this.
const LONGEST: usize = 400;

fn layer(module: &str) -> Option<u8> {
    let found = LAYERS.iter().find(|(name, _)| *name == module);
    found.map(|(_, layer)| *layer)
}

/// Whether `from` may import `to`, both top-level modules.
fn may_import(from: &str, to: &str) -> bool {
    let (Some(lower), Some(upper)) = (layer(to), layer(from)) else {
        return false;
    };
    match (from, to) {
        _ if from == to => true,
        ("era", _) => matches!(to, "tools" | "jsonrpc"),
        ("auth", "era") => false,
        _ if upper == 0 => lower == 0,
        _ => lower < upper,
    }
}

/// Replaces comments and string contents by spaces, so that prose is never read as code.
fn code_only(source: &str) -> String {
    let mut code = String::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = raw_string(rest).filter(|_| !ends_in_name(&code)) {
            length
        } else if rest.starts_with('"') {
            string(rest)
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            rest[1..].find('\'').map_or(1, |end| end + 2)
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        code.push(' ');
        rest = &rest[skipped..];
    }
    code
}

/// Whether an `r` that follows would belong to a name.
fn ends_in_name(code: &str) -> bool {
    code.ends_with(|last: char| last.is_alphanumeric() || last == '_')
}

/// The length of the string literal that `text` begins with.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of the raw string literal that `text` begins with, if it does.
fn raw_string(text: &str) -> Option<usize> {
    let text_start = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = text_start.len() - text_start.trim_start_matches('#').len();
    let body = text_start[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let prefix = text.len() - body.len();
    Some(
        body.find(&end)
            .map_or(text.len(), |at| prefix + at + end.len()),
    )
}

/// Takes the `#[cfg(test)]` items out of code and gives the names of the test modules that stand
/// in files of their own.
fn without_tests(code: &str) -> (String, Vec<String>) {
    let mut kept = String::new();
    let mut files = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        kept.push_str(&rest[..at]);
        let item = &rest[at..];
        let end = item_end(item);
        let declared = item[..end].trim_end().strip_suffix(';');
        let name = declared.and_then(|item| item.rsplit_once("mod "));
        files.extend(name.map(|(_, name)| name.trim().to_owned()));
        rest = &item[end..];
    }
    kept.push_str(rest);
    (kept, files)
}

/// Where an item ends: after its `;`, its matching brace, or the comma of a variant or field.
fn item_end(item: &str) -> usize {
    let listed = !begins_item(item);
    let mut depth = 0_usize;
    for (at, byte) in item.bytes().enumerate() {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' if depth <= 1 => return at + 1,
            b'}' | b')' | b']' => depth = depth.saturating_sub(1),
            b';' if depth == 0 => return at + 1,
            b',' if depth == 0 && listed => return at + 1,
            _ => {}
        }
    }
    item.len()
}

/// Whether an item that may hold commas stands after the attributes, and no variant or field.
fn begins_item(item: &str) -> bool {
    let mut rest = item.trim_start();
    while rest.starts_with("#[") {
        rest = rest
            .find(']')
            .map_or("", |end| rest[end + 1..].trim_start());
    }
    let words = "fn mod use impl struct enum const static type trait async unsafe let";
    let mut found = rest.split(|c: char| !c.is_alphanumeric() && c != '_');
    let first = found.find(|word| !word.is_empty() && !matches!(*word, "pub" | "crate" | "super"));
    first.is_some_and(|first| words.split(' ').any(|word| word == first))
}

/// The top-level names that code refers to from a module `depth` levels under the crate root.
fn references(code: &str, depth: usize) -> BTreeSet<String> {
    let climb = "super::".repeat(depth);
    let compact: String = code.split_whitespace().collect::<Vec<_>>().join(" ");
    let compact = compact.replace(" :: ", "::").replace(":: ", "::");
    let mut found = BTreeSet::new();
    for root in ["crate::", climb.as_str()] {
        for (at, _) in compact.match_indices(root) {
            let before = &compact[..at];
            // `$crate::`, `my_crate::` and a longer climb are other paths.
            if !before.ends_with("super::") && !before.ends_with('$') && !ends_in_name(before) {
                found.extend(names(&compact[at + root.len()..]));
            }
        }
    }
    found
}

/// The first names of a path or of a braced list of paths.
fn names(path: &str) -> Vec<String> {
    let Some(list) = path.strip_prefix('{') else {
        return vec![first_name(path)];
    };
    let mut names = Vec::new();
    let mut depth = 0_usize;
    let mut fresh = true;
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            ' ' => {}
            _ if fresh => {
                fresh = false;
                names.push(first_name(&list[at..]));
            }
            _ => {}
        }
    }
    names
}

fn first_name(path: &str) -> String {
    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_');
    path[..end.unwrap_or(path.len())].to_owned()
}

/// A source file with the top-level module it belongs to.
struct Source {
    path: PathBuf,
    module: String,
    /// How many levels its module stands under the crate root.
    depth: usize,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("read a source folder") {
            let path = entry.expect("a folder entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(source(&root, path));
            }
        }
    }
    let tests: BTreeSet<PathBuf> = found.iter().flat_map(test_files).collect();
    found.retain(|source| !is_test(&source.path, &tests));
    found
}

fn is_test(path: &Path, tests: &BTreeSet<PathBuf>) -> bool {
    path.file_name().is_some_and(|name| name == "tests.rs")
        || path.ancestors().any(|part| {
            tests.contains(part) || part.file_name().is_some_and(|name| name == "tests")
        })
}

fn source(root: &Path, path: PathBuf) -> Source {
    let text = fs::read_to_string(&path).expect("read a source file");
    let inside = path.strip_prefix(root).expect("a path under src");
    let mut parts: Vec<String> = inside
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    parts.pop_if(|last| last == "mod");
    Source {
        module: parts[0].clone(),
        depth: parts.len(),
        text,
        path,
    }
}

/// The files and folders of the modules that a file declares under `#[cfg(test)]`.
fn test_files(source: &Source) -> Vec<PathBuf> {
    let (_, names) = without_tests(&code_only(&source.text));
    let folder = match source.path.file_stem().and_then(|stem| stem.to_str()) {
        Some("mod" | "lib" | "main") => source.path.with_file_name(""),
        _ => source.path.with_extension(""),
    };
    let both = |name: String| [folder.join(&name), folder.join(format!("{name}.rs"))];
    names.into_iter().flat_map(both).collect()
}

#[test]
fn a_module_imports_only_from_lower_layers() {
    let mut wrong = Vec::new();
    for source in sources() {
        let Source { path, module, .. } = &source;
        if module == "lib" || module == "main" {
            continue;
        }
        if layer(module).is_none() {
            wrong.push(format!("{}: {module} has no layer", path.display()));
            continue;
        }
        let (code, _) = without_tests(&code_only(&source.text));
        let forbidden = references(&code, source.depth)
            .into_iter()
            .filter(|name| !may_import(module, name));
        wrong.extend(forbidden.map(|name| format!("{}: {module} -> {name}", path.display())));
    }
    assert!(wrong.is_empty(), "imports against the layers: {wrong:#?}");
}

#[test]
fn no_production_file_is_longer_than_400_lines() {
    let long = |source: &Source| {
        let lines = source.text.lines().count();
        (lines > LONGEST).then(|| format!("{}: {lines}", source.path.display()))
    };
    let found: Vec<String> = sources().iter().filter_map(long).collect();
    assert!(found.is_empty(), "longer than {LONGEST} lines: {found:#?}");
}

#[test]
fn the_table_of_layers_allows_what_the_design_allows() {
    let table = [
        ("jsonrpc", "error", true),
        ("error", "ui", false),
        ("tools", "jsonrpc", true),
        ("tools", "net", false),
        ("era", "tools", true),
        ("era", "jsonrpc", true),
        ("era", "error", false),
        ("net", "ui", false),
        ("auth", "store", true),
        ("auth", "era", false),
        ("transport", "auth", true),
        ("transport", "stdio", false),
        ("bridge", "era", true),
        ("bridge", "config", false),
        ("cli", "config", true),
        ("cli", "cli", true),
        ("cli", "nonsense", false),
        ("config", "lib", false),
    ];
    for (from, to, allowed) in table {
        assert_eq!(may_import(from, to), allowed, "{from} -> {to}");
    }
}

#[test]
fn references_are_found_in_every_spelling() {
    let source = r##"
        //! crate::prose::x
        use crate::{error::{Error, kind}, net::client, self_made};
        use crate :: jsonrpc::Message; // crate::comment
        use super::super::bridge::Link;
        use super::sibling;
        const TEXT: &str = "crate::string"; const RAW: &str = r#"crate::"raw"#;
        fn f(q: char) -> crate::ui::Note { if q == '"' { crate::store::open() } else { $crate::m!() } }
        #[cfg(test)]
        use crate::cli::Args;
        #[cfg(test)]
        mod tests;
        #[cfg(test)]
        mod inline { use crate::config::Config; }
        #[cfg(test)]
        pub(crate) fn two<A, B>(a: A, b: B) -> crate::test_only::T { a }
        enum E { A, #[cfg(test)] Scripted(crate::test_only::T), B(crate::queue::Queue) }
    "##;
    let (code, files) = without_tests(&code_only(source));
    let found: Vec<String> = references(&code, 2).into_iter().collect();
    let wanted = [
        "bridge",
        "error",
        "jsonrpc",
        "net",
        "queue",
        "self_made",
        "store",
        "ui",
    ];
    assert_eq!(found, wanted);
    assert_eq!(files, ["tests"]);
}
