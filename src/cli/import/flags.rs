//! From what is said to `mcp-remote` to what says the same to this program. It is read as that program reads it, by its rules
//! and with its silence about mistakes; what it passed over is left out here and told. Pure.

mod known;
mod rest;

use serde_json::Value;
use url::Url;

use super::hash::Seed;
use crate::cli::args;
use crate::net::headers;
use known::{Kind, kind};

/// What the arguments stand in.
pub struct Surroundings<'a> {
    /// The variables that the entry sets.
    pub env: &'a [(String, String)],
    /// The text of a file that an argument names.
    pub read: &'a dyn Fn(&str) -> Option<String>,
    /// The name of this machine where the user gave none.
    pub host: &'static str,
}

/// What becomes of the arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    /// What the names of its files were made of.
    pub seed: Seed,
    /// What says the same to this program.
    pub args: Vec<String>,
    /// What its owner has to know.
    pub notes: Vec<String>,
}

/// Reads the arguments of `mcp-remote`.
///
/// # Errors
/// They do not work there either: why.
pub fn read(args: &[String], around: &Surroundings<'_>) -> Result<Moved, &'static str> {
    let mut reader = Reader {
        around,
        moved: Moved::default(),
        out: Vec::new(),
        seen: Vec::new(),
        took: Vec::new(),
    };
    let rest = reader.headers(args);
    let Some((&(_, url), rest)) = rest.split_first() else {
        return Err("it names no server");
    };
    if url.starts_with('-') {
        return Err("mcp-remote takes its first argument for the URL, and that is an option");
    }
    reader.moved.seed.url = url.to_owned();
    let rest = match rest.split_first() {
        Some((&(_, port), after)) if !port.starts_with('-') => {
            reader.port(port);
            after
        }
        _ => rest,
    };
    reader.options(rest);
    reader.fixed_address();
    reader.node();
    Ok(reader.done())
}

/// Reads one list of arguments.
struct Reader<'a> {
    around: &'a Surroundings<'a>,
    moved: Moved,
    /// Arguments of ours, by the place of those that they stand for.
    out: Vec<(usize, Vec<String>)>,
    /// Options that were there, of which the first counts.
    seen: Vec<String>,
    /// Options that have a meaning now.
    took: Vec<String>,
}

impl Reader<'_> {
    fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.moved.notes.contains(&text) {
            self.moved.notes.push(text);
        }
    }

    /// Takes the headers out, which may stand anywhere; gives the rest with its places.
    fn headers<'a>(&mut self, args: &'a [String]) -> Vec<(usize, &'a str)> {
        let mut rest = Vec::new();
        let mut words = args.iter().enumerate();
        while let Some((at, word)) = words.next() {
            let last = at + 1 == args.len();
            match word.as_str() {
                "--header" if !last => {
                    let value = words.next().map(|(_, value)| value.as_str());
                    self.header(at, value.unwrap_or_default());
                }
                "--header-file" if !last => {
                    let value = words.next().map(|(_, value)| value.as_str());
                    self.header_file(at, value.unwrap_or_default());
                }
                word => rest.push((at, word)),
            }
        }
        rest
    }

    fn header(&mut self, at: usize, line: &str) {
        let Some((name, value)) = header_line(line) else {
            self.note("a --header that mcp-remote passed over is left out: it is not of the form Name: value");
            return;
        };
        let (name, value) = (name.to_owned(), value.to_owned());
        // Only the form counts here, whatever the variables are.
        if headers::parse("--header", [line], |_| Some("x".to_owned())).is_ok() {
            self.keep(at, "header", Some(line));
        } else {
            self.note(format!(
                "--header {name} is left out: mcp-tether sets it by itself, or HTTP does not allow its value"
            ));
        }
        self.moved.seed.headers.push((name, value));
    }

    fn header_file(&mut self, at: usize, path: &str) {
        self.keep(at, "header-file", Some(path));
        let Some(text) = (self.around.read)(path) else {
            self.note(format!(
                "--header-file {path} cannot be read, so that a sign-in cannot be looked up"
            ));
            return;
        };
        let lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let read = lines.filter_map(header_line);
        let read = read.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.moved.seed.headers.extend(read);
    }

    /// The callback port, as JavaScript reads numbers.
    fn port(&mut self, text: &str) {
        let digits: String = text
            .trim_start()
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        match digits.parse::<u16>() {
            Ok(port) if port > 0 => self.out.push((0, vec![port.to_string()])),
            _ => self.note(
                "the second argument is left out: it is no port, and mcp-remote passed it over",
            ),
        }
    }

    fn options(&mut self, words: &[(usize, &str)]) {
        let mut words = words.iter().copied().peekable();
        let mut strays = 0_usize;
        while let Some((at, word)) = words.next() {
            let Some(name) = word.strip_prefix("--") else {
                strays += 1;
                continue;
            };
            match kind(name) {
                Some(Kind::Switch) => self.switch(at, name),
                Some(Kind::One | Kind::Many) => {
                    let value = words.next_if(|(_, value)| !value.starts_with("--"));
                    match value {
                        Some((_, value)) => self.option(at, name, value),
                        None => self.note(format!("--{name} is left out: it has no value")),
                    }
                }
                None => self.unknown(name),
            }
        }
        if strays > 0 {
            self.note(format!(
                "mcp-remote passed over {strays} more argument{}, left out",
                if strays == 1 { "" } else { "s" }
            ));
        }
    }

    fn unknown(&mut self, name: &str) {
        match name.split_once('=') {
            Some((name, _)) if kind(name).is_some() => self.note(format!(
                "--{name}=.. is left out: mcp-remote passes over that form; to have it, add it as --{name} and its value"
            )),
            // A value may be a secret.
            Some((name, _)) => self.note(format!("--{name} is left out: mcp-remote does not know it")),
            None => self.note(format!("--{name} is left out: mcp-remote does not know it")),
        }
    }

    /// Whether this is the first of its name, which alone counts.
    fn is_first(&mut self, name: &str) -> bool {
        let first = !self.seen.iter().any(|seen| seen == name);
        if first {
            self.seen.push(name.to_owned());
        }
        first
    }

    fn switch(&mut self, at: usize, name: &str) {
        if !self.is_first(name) {
            return;
        }
        if name == "enable-proxy" {
            self.note("--enable-proxy is left out: proxies of the environment are used anyway");
            return;
        }
        self.keep(at, name, None);
    }

    fn option(&mut self, at: usize, name: &str, value: &str) {
        if kind(name) == Some(Kind::One) && !self.is_first(name) {
            self.note(format!(
                "--{name} is given twice: the first counts, as for mcp-remote"
            ));
            return;
        }
        let trimmed = value.trim();
        let is_variable = value.contains("${");
        let counts = is_variable
            || match name {
                "transport" => {
                    matches!(value, "http-first" | "http-only" | "sse-first" | "sse-only")
                }
                "protocol" => matches!(value, "legacy" | "auto"),
                "callback-path" => !matches!(value, "/wait-for-auth" | "/.mcp-remote/id"),
                "client-metadata-url" => is_document(trimmed),
                _ => true,
            };
        if !counts || !(is_variable || is_taken(name, value)) {
            self.note(format!(
                "--{name} is left out: mcp-tether does not take its value"
            ));
            return;
        }
        match name {
            "resource" if trimmed.is_empty() => {
                if self.is_first("disable-resource-parameter") {
                    self.keep(at, "disable-resource-parameter", None);
                }
            }
            "resource" => {
                self.moved.seed.resource = Some(trimmed.to_owned());
                self.keep(at, name, Some(trimmed));
            }
            "authorize-param" => {
                if let Some((key, value)) = value.split_once('=') {
                    let pair = (key.trim().to_owned(), value.to_owned());
                    self.moved.seed.parameters.push(pair);
                }
                self.keep(at, name, Some(value));
            }
            "client-metadata-url" => {
                self.moved.seed.metadata_url = Some(trimmed.to_owned());
                self.keep(at, name, Some(trimmed));
            }
            "token-endpoint" => {
                let written = Url::parse(trimmed).map_or(trimmed.to_owned(), String::from);
                self.moved.seed.token_endpoint = Some(written);
                self.keep(at, name, Some(trimmed));
            }
            "static-oauth-client-metadata" => {
                self.keep(at, name, Some(value));
                self.pinned_scope(at, value);
            }
            _ => self.keep(at, name, Some(value)),
        }
    }

    /// `mcp-remote` asks for the scope that it registers with.
    fn pinned_scope(&mut self, at: usize, metadata: &str) {
        let text = match metadata.strip_prefix('@') {
            Some(path) => (self.around.read)(path),
            None => Some(metadata.to_owned()),
        };
        let metadata: Option<Value> = text.and_then(|text| serde_json::from_str(&text).ok());
        let scope = metadata
            .as_ref()
            .and_then(|metadata| metadata.get("scope")?.as_str());
        if let Some(scope) = scope.filter(|scope| !scope.trim().is_empty()) {
            self.keep(at, "scope", Some(scope));
        }
    }

    fn keep(&mut self, at: usize, name: &str, value: Option<&str>) {
        let words = match value {
            None => vec![format!("--{name}")],
            // It would be taken for an option.
            Some(value) if value.starts_with('-') => vec![format!("--{name}={value}")],
            Some(value) => vec![format!("--{name}"), value.to_owned()],
        };
        self.took.push(name.to_owned());
        // The port has the first place for itself.
        self.out.push((at.saturating_add(1), words));
    }
}

/// A header as `mcp-remote` reads it.
pub fn header_line(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let one_line = !value
        .trim_start()
        .contains(['\n', '\r', '\u{2028}', '\u{2029}']);
    (!name.is_empty() && name.chars().all(plain) && one_line).then(|| (name, value.trim_start()))
}

/// Whether this program takes the value of an option.
fn is_taken(name: &str, value: &str) -> bool {
    let flag = format!("--{name}={value}");
    let words = ["mcp-tether", "https://example.com", &flag];
    args::command().try_get_matches_from(words).is_ok()
}

fn is_document(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| url.scheme() == "https" && url.path() != "/")
}

#[cfg(test)]
mod tests;
