//! How an entry starts this program, and how it hands secrets to it.

use std::path::{Path, PathBuf};

use super::flags::header_line;
use crate::cli::connection::Env;
use crate::hosts::Host;

/// Names of headers whose values are secrets, or parts of such names.
const SECRET: [&str; 8] = [
    "auth",
    "key",
    "token",
    "secret",
    "cookie",
    "password",
    "credential",
    "session",
];

/// The variable that gives all headers, where a host would replace variables in arguments by itself.
const HEADERS: &str = "MCP_TETHER_HEADER";

/// The path of this program: the name under which it is found on the search path, which stays when a new version comes,
/// else where it is.
///
/// # Errors
/// The system does not say.
pub fn program(env: &Env<'_>) -> std::io::Result<String> {
    let here = std::env::current_exe()?;
    let real = here.canonicalize().unwrap_or_else(|_| here.clone());
    let name = here
        .file_name()
        .map(Path::new)
        .unwrap_or(Path::new("mcp-tether"));
    let folders = env("PATH").unwrap_or_default();
    let stable = std::env::split_paths(&folders)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|path| path.canonicalize().is_ok_and(|path| path == real));
    Ok(stable.unwrap_or(here).display().to_string())
}

/// Takes secrets in headers out of `args` and gives variables for them, to be added to those in `env`.
pub fn hide(
    host: &Host,
    args: &mut Vec<String>,
    env: &[(String, String)],
) -> Vec<(String, String)> {
    let at: Vec<usize> = args
        .iter()
        .enumerate()
        .filter(|(_, word)| *word == "--header")
        .map(|(at, _)| at + 1)
        .collect();
    let lines: Vec<String> = at.iter().filter_map(|at| args.get(*at).cloned()).collect();
    if !lines.iter().any(|line| is_secret(line)) {
        return Vec::new();
    }
    let replaces = host
        .expands
        .iter()
        .any(|begin| matches!(*begin, "${" | "$"));
    if replaces && !env.iter().any(|(name, _)| name == HEADERS) {
        let mut at = at.into_iter();
        let mut next = at.next();
        let words = std::mem::take(args).into_iter().enumerate();
        for (place, word) in words {
            if next == Some(place) {
                next = at.next();
            } else if next != Some(place + 1) {
                args.push(word);
            }
        }
        return vec![(HEADERS.to_owned(), lines.join("\n"))];
    }
    let mut added: Vec<(String, String)> = Vec::new();
    for at in at {
        let Some(line) = args.get_mut(at).filter(|line| is_secret(line)) else {
            continue;
        };
        let Some((name, value)) = header_line(line) else {
            continue;
        };
        let variable = free(name, env, &added);
        let (value, replaced) = (value.to_owned(), format!("{name}:${{{variable}}}"));
        *line = replaced;
        added.push((variable, value));
    }
    added
}

/// A variable named after a header that no other value has.
fn free(header: &str, env: &[(String, String)], added: &[(String, String)]) -> String {
    let upper = header.to_ascii_uppercase().replace('-', "_");
    let taken = |name: &str| env.iter().chain(added).any(|(own, _)| own == name);
    let names = (1_u32..).map(|number| match number {
        1 => upper.clone(),
        number => format!("{upper}_{number}"),
    });
    let mut free = names.skip_while(|name| taken(name));
    free.next().unwrap_or_default()
}

/// Whether a secret stands in a header, and not a variable that holds it.
fn is_secret(line: &str) -> bool {
    header_line(line).is_some_and(|(name, value)| {
        let name = name.to_ascii_lowercase();
        !value.is_empty() && !value.contains("${") && SECRET.iter().any(|part| name.contains(part))
    })
}

/// The folders of a path for people: the home folder as `~`.
pub fn shown(path: &Path, home: &Path) -> String {
    match path.strip_prefix(home) {
        Ok(rest) => PathBuf::from("~").join(rest).display().to_string(),
        Err(_) => path.display().to_string(),
    }
}
