//! `config.toml`: defaults, and servers by name.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Known, Setting, Takes, mistyped, nearest};
use crate::error::Fatal;
use crate::net::guard;

/// What the file says for one run.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// The URL of the named server.
    pub url: Option<String>,
    /// Settings of the server, then of `[defaults]` for what the server leaves open.
    pub settings: Vec<Setting>,
}

/// The file being read, to say where something stands in it.
struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    known: &'a [Known],
}

/// Reads the text of the config file for the server `name`, or for a plain URL. The whole file is checked.
///
/// # Errors
/// A usage error that names the file, the line and, for an unknown key, the nearest known one.
pub fn from_file(
    path: &Path,
    text: &str,
    known: &[Known],
    commands: &[String],
    name: Option<&str>,
) -> Result<Server, Fatal> {
    let reader = Reader { path, text, known };
    let file = DeTable::parse(text).map_err(|wrong| {
        let at = wrong.span().map_or(0, |span| span.start);
        reader.wrong(at, wrong.message(), "correct the line; the format is TOML")
    })?;
    let mut defaults = Vec::new();
    let mut servers = Vec::new();
    for (key, value) in file.get_ref() {
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("defaults", DeValue::Table(table)) => defaults = reader.table(table)?.settings,
            ("servers", DeValue::Table(table)) => {
                for (name, server) in table {
                    servers.push((name, reader.server(name, server, commands)?));
                }
            }
            (other, _) => {
                return Err(reader.unknown(key.span().start, other, &["defaults", "servers"]));
            }
        }
    }
    let Some(name) = name else {
        return Ok(Server {
            url: None,
            settings: defaults,
        });
    };
    let names: Vec<String> = servers
        .iter()
        .map(|(name, _)| name.get_ref().to_string())
        .collect();
    let found = servers
        .into_iter()
        .find(|(known, _)| known.get_ref().as_ref() == name);
    let (_, mut server) = found.ok_or_else(|| unknown_server(path, name, (&names, commands)))?;
    defaults.retain(|default| server.settings.iter().all(|own| own.name != default.name));
    server.settings.extend(defaults);
    Ok(server)
}

/// The error for a name that the config file does not have.
fn unknown_server(path: &Path, name: &str, (names, commands): (&[String], &[String])) -> Fatal {
    let known = names.join(", ");
    let near = nearest(name, names.iter().map(String::as_str));
    let command = mistyped(name, commands.iter().map(String::as_str));
    let hint = match (near, command) {
        (Some(near), _) => format!("did you mean {near:?}?"),
        (None, Some(command)) => format!("did you mean mcp-tether {command}?"),
        (None, None) if names.is_empty() => {
            "give a URL, like https://example.com/mcp, or add the server to that file".to_owned()
        }
        (None, None) => format!("it has {known}"),
    };
    Fatal::usage(
        format!(
            "{:?} is neither a URL nor a server in {}",
            guard::without_query(name),
            path.display()
        ),
        hint,
    )
}

impl Reader<'_> {
    fn server(
        &self,
        name: &Spanned<toml::de::DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
        commands: &[String],
    ) -> Result<Server, Fatal> {
        let text = name.get_ref().as_ref();
        if commands.iter().any(|command| command == text) {
            return Err(self.wrong(
                name.span().start,
                &format!("a server cannot be named {text:?} like the command"),
                "give it another name",
            ));
        }
        let DeValue::Table(table) = value.get_ref() else {
            return Err(self.wrong(
                value.span().start,
                "a server is a table",
                "write [servers.NAME] and its keys below",
            ));
        };
        let server = self.table(table)?;
        if server.url.is_none() {
            return Err(self.wrong(
                name.span().start,
                &format!("server {text:?} has no url"),
                "add url = \"https://...\"",
            ));
        }
        Ok(server)
    }

    fn table(&self, table: &DeTable<'_>) -> Result<Server, Fatal> {
        let mut read = Server::default();
        for (key, value) in table {
            let (name, at) = (key.get_ref().as_ref(), key.span().start);
            if let ("url", DeValue::String(url)) = (name, value.get_ref()) {
                read.url = Some(url.to_string());
                continue;
            }
            let Some(option) = self.known.iter().find(|option| option.name == name) else {
                let names: Vec<&str> = self
                    .known
                    .iter()
                    .map(|option| option.name.as_str())
                    .chain(["url"])
                    .collect();
                return Err(self.unknown(at, name, &names));
            };
            read.settings.push(self.setting(option, value)?);
        }
        Ok(read)
    }

    fn setting(&self, option: &Known, value: &Spanned<DeValue<'_>>) -> Result<Setting, Fatal> {
        let at = value.span().start;
        let source = self.place(at);
        let name = &option.name;
        match (option.takes, value.get_ref()) {
            (Takes::Nothing, DeValue::Boolean(on)) => Ok(Setting::switch(name, *on, source)),
            (Takes::Many, DeValue::Array(items)) => {
                let values = items
                    .iter()
                    .map(|item| scalar(item.get_ref()))
                    .collect::<Option<Vec<_>>>();
                values
                    .map(|values| Setting::values(name, values.iter().map(String::as_str), source))
                    .ok_or_else(|| {
                        self.wrong(at, &format!("{name} takes strings"), "quote each of them")
                    })
            }
            (Takes::One | Takes::Many, value) => scalar(value)
                .map(|value| Setting::values(name, [value.as_str()], source))
                .ok_or_else(|| {
                    self.wrong(
                        at,
                        &format!("{name} takes a string or number"),
                        "quote the value",
                    )
                }),
            (Takes::Nothing, _) => {
                Err(self.wrong(at, &format!("{name} is on or off"), "write true or false"))
            }
        }
    }

    fn unknown(&self, at: usize, name: &str, candidates: &[&str]) -> Fatal {
        let hint = match nearest(name, candidates.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "keys are the long names of options; see mcp-tether --help".to_owned(),
        };
        self.wrong(at, &format!("unknown key {name:?}"), &hint)
    }

    fn wrong(&self, at: usize, what: &str, hint: &str) -> Fatal {
        Fatal::usage(format!("{}: {what}", self.place(at)), hint)
    }

    fn place(&self, at: usize) -> String {
        let before = self.text.get(..at).unwrap_or_default();
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        format!("{}:{line}", self.path.display())
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        // Options know no other form than the decimal one. What is no number, like `0x`, comes this far as well.
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .ok()
            .map(|number| number.to_string()),
        DeValue::Float(number) => number
            .as_str()
            .parse::<f64>()
            .ok()
            .map(|_| number.to_string()),
        _ => None,
    }
}
