//! What was typed for the bridge, as arguments for an entry: as it was typed, but for paths, which become absolute since
//! hosts start servers in folders of their own.

use std::any::TypeId;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction};

use crate::cli::args;

/// The arguments, and the files that they name.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Typed {
    /// The server, the port, then the options in their order.
    pub args: Vec<String>,
    /// The files.
    pub files: Vec<PathBuf>,
    /// The server as it was typed: a URL, or a name of the config file.
    pub server: String,
    /// The file given with `--config`, if it was.
    pub config: Option<PathBuf>,
}

/// Reads `argv`, the program's name first, once more. It was read without a mistake before.
pub fn typed(argv: &[OsString], folder: &Path) -> Typed {
    let command = args::command();
    let mut typed = Typed::default();
    let Ok(matches) = command.clone().try_get_matches_from(argv) else {
        return typed;
    };
    let Some((_, inside)) = matches.subcommand() else {
        return typed;
    };
    let mut options: Vec<(usize, Vec<String>)> = Vec::new();
    for option in command.get_arguments() {
        let id = option.get_id().as_str();
        if inside.try_contains_id(id).is_err()
            || inside.value_source(id) != Some(ValueSource::CommandLine)
        {
            continue;
        }
        let indices = inside.indices_of(id).into_iter().flatten();
        let flag = option.get_long().map(|name| format!("--{name}"));
        if matches!(option.get_action(), ArgAction::SetTrue) {
            options.extend(indices.take(1).zip(flag).map(|(at, flag)| (at, vec![flag])));
            continue;
        }
        let raw = inside.get_raw(id).into_iter().flatten();
        for (at, value) in indices.zip(raw) {
            let value = typed.value(option, value.to_string_lossy().into_owned(), folder);
            options.push((at, written(flag.as_deref(), value)));
        }
    }
    options.sort();
    // The server comes first: what is not an option has no dashes.
    options.sort_by_key(|(_, words)| words.first().is_some_and(|word| word.starts_with("--")));
    typed.args = options.into_iter().flat_map(|(_, words)| words).collect();
    typed.server = typed.args.first().cloned().unwrap_or_default();
    typed
}

/// A value that looks like an option must stand with its own.
fn written(flag: Option<&str>, value: String) -> Vec<String> {
    match flag {
        Some(flag) if value.starts_with('-') => vec![format!("{flag}={value}")],
        Some(flag) => vec![flag.to_owned(), value],
        None => vec![value],
    }
}

impl Typed {
    fn value(&mut self, option: &Arg, value: String, folder: &Path) -> String {
        let id = option.get_id().as_str();
        if option.get_value_parser().type_id() == TypeId::of::<PathBuf>() {
            let path = folder.join(&value);
            if id == "config" {
                self.config = Some(path.clone());
            }
            // The log is written, not read.
            if id != "log_file" {
                self.files.push(path.clone());
            }
            return path.to_string_lossy().into_owned();
        }
        if id.starts_with("static_oauth")
            && let Some(file) = value.strip_prefix('@')
        {
            let path = folder.join(file);
            self.files.push(path.clone());
            return format!("@{}", path.display());
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::typed;
    use std::path::Path;

    fn args(words: &[&str]) -> Vec<String> {
        let argv: Vec<_> = ["mcp-tether", "install", "cursor"]
            .iter()
            .chain(words)
            .map(Into::into)
            .collect();
        typed(&argv, Path::new("/here")).args
    }

    #[test]
    fn what_was_typed_for_the_bridge_is_carried_over_in_its_order() {
        let found = args(&[
            "--header",
            "A: b",
            "--name",
            "x",
            "--silent",
            "https://a.example/mcp",
            "3334",
            "--header=C: d",
            "--dry-run",
            "--authorize-param",
            "a=b",
        ]);
        let wanted = [
            "https://a.example/mcp",
            "3334",
            "--header",
            "A: b",
            "--silent",
            "--header",
            "C: d",
            "--authorize-param",
            "a=b",
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn paths_become_absolute() {
        let found = args(&[
            "https://a.example/mcp",
            "--ca-file",
            "ca.pem",
            "--header-file",
            "/abs/h",
            "--static-oauth-client-info",
            "@c.json",
            "--static-oauth-client-metadata",
            "{}",
        ]);
        let wanted = [
            "https://a.example/mcp",
            "--ca-file",
            "/here/ca.pem",
            "--header-file",
            "/abs/h",
            "--static-oauth-client-info",
            "@/here/c.json",
            "--static-oauth-client-metadata",
            "{}",
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_value_that_looks_like_an_option_stays_a_value() {
        let found = args(&[
            "linear",
            "--header-command=-x",
            "--grace",
            "5",
            "--grace",
            "6",
        ]);
        assert_eq!(found, ["linear", "--header-command=-x", "--grace", "6"]);
    }
}
