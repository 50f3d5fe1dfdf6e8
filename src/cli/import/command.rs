//! Whether an entry of a host's file starts `mcp-remote`, in any of the ways in which people start programs of npm, and what
//! it then says to it. Pure.

/// What an entry starts.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// `mcp-remote`, with these arguments.
    McpRemote(Vec<String>),
    /// This program, with these arguments.
    Ours(Vec<String>),
    /// `mcp-remote` in a way that cannot be moved: why.
    Stays(&'static str),
    /// Something else.
    Other,
}

/// What npm calls it.
const PACKAGE: &str = "mcp-remote";

/// Options of package runners that take a value.
const VALUED: [&str; 14] = [
    "-w",
    "-C",
    "--workspace",
    "--registry",
    "--cache",
    "--prefix",
    "--userconfig",
    "--loglevel",
    "--node-options",
    "--dir",
    "--filter",
    "--cwd",
    "--config",
    "--tag",
];

/// Options of Node and the like that take a value.
const NODE_VALUED: [&str; 8] = [
    "-r",
    "--require",
    "--import",
    "--loader",
    "--experimental-loader",
    "-C",
    "--conditions",
    "--env-file",
];

/// What the entry starts.
pub fn find(command: &str, args: &[String]) -> Found {
    let mut words = vec![command.to_owned()];
    if args.is_empty() && command.contains(char::is_whitespace) {
        // The whole line in the place of the command, as some hosts take it.
        words = split(command).unwrap_or(words);
    }
    words.extend(args.iter().cloned());
    match program(&words) {
        Found::Other if words.iter().any(|word| mentions(word)) => {
            Found::Stays("it starts mcp-remote with a program that import does not know")
        }
        found => found,
    }
}

fn program(words: &[String]) -> Found {
    let Some((first, rest)) = words.split_first() else {
        return Found::Other;
    };
    match name(first).as_str() {
        "mcp-remote" => Found::McpRemote(rest.to_vec()),
        "mcp-tether" => Found::Ours(rest.to_vec()),
        "env" => match program(after_env(rest)) {
            // They would be lost.
            Found::McpRemote(_)
                if rest
                    .iter()
                    .take_while(|word| !is_package(word))
                    .any(|word| is_assignment(word)) =>
            {
                Found::Stays("env sets variables for it; set them in the entry's own env")
            }
            found => found,
        },
        "cmd" => cmd(rest),
        "sh" | "bash" | "zsh" | "dash" | "ksh" | "fish" => shell(rest),
        "npx" | "bunx" | "pnpx" => runner(rest),
        "npm" => sub(rest, &["exec", "x"]),
        "pnpm" => sub(rest, &["dlx", "exec"]),
        "yarn" => sub(rest, &["dlx", "exec", "run"]),
        "bun" => match sub(rest, &["x"]) {
            Found::Other => script(rest),
            found => found,
        },
        "deno" => match rest.split_first() {
            Some((run, rest)) if run == "run" => script(rest),
            _ => Found::Other,
        },
        "node" | "nodejs" | "tsx" => script(rest),
        _ => Found::Other,
    }
}

/// The name of a program without its folder and the endings that Windows has for them.
fn name(word: &str) -> String {
    let file = word.rsplit(['/', '\\']).next().unwrap_or_default();
    let lower = file.to_ascii_lowercase();
    [".exe", ".cmd", ".bat", ".ps1"]
        .iter()
        .find_map(|ending| lower.strip_suffix(ending))
        .unwrap_or(&lower)
        .to_owned()
}

/// Whether a word names the package, with or without its version.
fn is_package(word: &str) -> bool {
    let word = word.strip_prefix("npm:").unwrap_or(word);
    word == PACKAGE
        || word
            .strip_prefix(PACKAGE)
            .is_some_and(|rest| rest.starts_with('@'))
}

/// Whether the package is named in a word, which may be a line for a shell.
fn mentions(text: &str) -> bool {
    let is_named = |word: &str| {
        !word.contains("://") && word.split(['/', '\\', ':', '\'', '"']).any(is_package)
    };
    is_script(text) || text.split_whitespace().any(is_named)
}

/// Whether a word is the path of its program.
fn is_script(word: &str) -> bool {
    let parts: Vec<&str> = word.split(['/', '\\']).collect();
    match parts.as_slice() {
        [.., PACKAGE, "dist", "proxy.js"] => true,
        [.., folder, PACKAGE] => matches!(*folder, "bin" | ".bin"),
        _ => false,
    }
}

/// What follows the assignments of `env`.
fn after_env(words: &[String]) -> &[String] {
    let skipped = words
        .iter()
        .take_while(|word| word.starts_with('-') || is_assignment(word))
        .count();
    words.get(skipped..).unwrap_or_default()
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// `cmd /c`, on Windows.
fn cmd(words: &[String]) -> Found {
    let switches = words
        .iter()
        .take_while(|word| word.starts_with('/'))
        .count();
    match words.get(switches..).unwrap_or_default() {
        // Backslashes are no escapes there.
        [line] if line.contains(' ') => match split(&line.replace('\\', "\\\\")) {
            Some(words) => program(&words),
            None => Found::Other,
        },
        words => program(words),
    }
}

/// `sh -c`.
fn shell(words: &[String]) -> Found {
    let is_line = |word: &String| {
        let letters = word.strip_prefix('-').unwrap_or_default();
        letters.ends_with('c') && letters.chars().all(|c| c.is_ascii_alphabetic())
    };
    let Some(line) = words
        .iter()
        .position(is_line)
        .and_then(|at| words.get(at + 1))
    else {
        return Found::Other;
    };
    let mentions = line.contains(PACKAGE);
    if line.contains(['$', '`', ';', '|', '&', '<', '>', '(', '\n', '*', '~']) {
        return if mentions {
            Found::Stays("a shell makes its arguments")
        } else {
            Found::Other
        };
    }
    let words = split(line).unwrap_or_default();
    match words.split_first() {
        Some((exec, rest)) if exec == "exec" => program(rest),
        _ => program(&words),
    }
}

fn split(line: &str) -> Option<Vec<String>> {
    shlex::split(line)
}

/// A package runner: its options, the package, what the package gets.
fn runner(words: &[String]) -> Found {
    let mut rest = words;
    let mut named = false;
    while let Some((word, after)) = rest.split_first() {
        rest = after;
        if word == "--" {
            continue;
        }
        if matches!(word.as_str(), "-c" | "--call") {
            let line = after.first().and_then(|line| split(line));
            return line.map_or(Found::Other, |words| program(&words));
        }
        if matches!(word.as_str(), "-p" | "--package") {
            let (package, after) = after.split_first().unzip();
            named = named || package.is_some_and(|package| is_package(package));
            rest = after.unwrap_or_default();
        } else if VALUED.contains(&word.as_str()) {
            rest = after.get(1..).unwrap_or_default();
        } else if !word.starts_with('-') {
            return if is_package(word) {
                let dashes = usize::from(rest.first().is_some_and(|word| word == "--"));
                Found::McpRemote(rest.get(dashes..).unwrap_or_default().to_vec())
            } else {
                Found::Other
            };
        }
    }
    Found::Other
}

/// A runner that is a command of a package manager.
fn sub(words: &[String], names: &[&str]) -> Found {
    let Some(at) = words.iter().position(|word| names.contains(&word.as_str())) else {
        return Found::Other;
    };
    runner(words.get(at + 1..).unwrap_or_default())
}

/// A script that Node, Bun or Deno runs.
fn script(words: &[String]) -> Found {
    let mut rest = words;
    while let Some((word, after)) = rest.split_first() {
        rest = after;
        if NODE_VALUED.contains(&word.as_str()) {
            rest = after.get(1..).unwrap_or_default();
        } else if !word.starts_with('-') {
            return if is_script(word) || (is_package(word) && word.starts_with("npm:")) {
                Found::McpRemote(rest.to_vec())
            } else {
                Found::Other
            };
        }
    }
    Found::Other
}

#[cfg(test)]
mod tests;
