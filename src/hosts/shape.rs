//! What an entry looks like in a host's file, and what it says.

use super::edit::{Change, Fields};
use super::host::Entry;
use super::tree::Value;

/// What says that an entry is a remote server.
const REMOTE: [&str; 6] = [
    "url",
    "httpUrl",
    "serverUrl",
    "uri",
    "headers",
    "http_headers",
];

/// Where the command stands in an entry.
#[derive(Debug, Clone, Copy)]
pub(super) enum Command {
    /// Program and arguments are two members.
    Apart(&'static str, &'static str),
    /// Both are one array.
    Joined(&'static str),
}

/// What each new entry has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fixed {
    /// The entry's name.
    Name,
    /// A string.
    Text(&'static str),
    /// A number or a truth value.
    Plain(&'static str),
    /// `["*"]`.
    Everything,
}

/// What entries look like in a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Where the entries stand: the first path that leads to something, else the last one.
    pub(super) at: &'static [&'static [&'static str]],
    /// Whether they are a list, each with its `name`.
    pub(super) listed: bool,
    /// The command.
    pub(super) command: Command,
    /// The environment.
    pub(super) env: &'static str,
    /// What stands before the command in a new entry.
    pub(super) first: &'static [(&'static str, Fixed)],
    /// What stands after it.
    pub(super) last: &'static [(&'static str, Fixed)],
}

/// `mcpServers` with command, args and env: what most hosts have.
pub(super) const COMMON: Shape = Shape {
    at: &[&["mcpServers"]],
    listed: false,
    command: Command::Apart("command", "args"),
    env: "env",
    first: &[],
    last: &[],
};

/// The same with the kind of server said.
pub(super) const TYPED: Shape = Shape {
    first: &[("type", Fixed::Text("stdio"))],
    ..COMMON
};

/// `servers`, as Microsoft's editors have it.
pub(super) const SERVERS: Shape = Shape {
    at: &[&["servers"]],
    ..TYPED
};

impl Shape {
    /// What an entry starts; `None` if it is remote or of no form that is known.
    pub(super) fn entry(&self, name: &str, value: &Value) -> Option<Entry> {
        let (command, args, env) = match self.command {
            Command::Joined(key) => {
                let mut words = value.get(key)?.texts()?.into_iter();
                (words.next()?, words.collect(), value.get(self.env))
            }
            Command::Apart(command, args) => match value.get(command)? {
                // The older form of Zed.
                nested @ Value::Map(_) => {
                    let args = nested.get("args").and_then(Value::texts);
                    let command = nested.get("path")?.text()?;
                    (
                        command.to_owned(),
                        args.unwrap_or_default(),
                        nested.get("env"),
                    )
                }
                command => {
                    let args = value.get(args).and_then(Value::texts);
                    let env = value.get(self.env);
                    (command.text()?.to_owned(), args.unwrap_or_default(), env)
                }
            },
        };
        let env = env.map(Value::named).unwrap_or_default().into_iter();
        let env = env.filter_map(|(name, value)| Some((name.to_owned(), value.text()?.to_owned())));
        Some(Entry {
            name: name.to_owned(),
            command,
            args,
            env: env.collect(),
        })
    }

    /// The members that an entry is about.
    fn own(&self, entry: &Entry) -> Fields {
        let mut fields = match self.command {
            Command::Apart(command, args) => vec![
                (command.to_owned(), Value::Text(entry.command.clone())),
                (args.to_owned(), Value::list(&entry.args)),
            ],
            Command::Joined(key) => {
                let mut words = vec![entry.command.clone()];
                words.extend(entry.args.iter().cloned());
                vec![(key.to_owned(), Value::list(&words))]
            }
        };
        if !entry.env.is_empty() {
            fields.push((self.env.to_owned(), Value::map(&entry.env)));
        }
        fields
    }

    /// The members of a new entry.
    pub(super) fn fresh(&self, entry: &Entry) -> Fields {
        let first = fixed(self.first, entry).into_iter();
        let last = fixed(self.last, entry);
        first.chain(self.own(entry)).chain(last).collect()
    }

    /// What makes the entry that is there start what it should.
    pub(super) fn renewed(&self, there: &Value, entry: &Entry) -> Change {
        let was_remote = self.entry(&entry.name, there).is_none();
        // The older form of Zed says less.
        let was_nested = matches!(there.get("command"), Some(Value::Map(_)));
        let mut set = Fields::new();
        for (name, value) in fixed(self.first, entry) {
            let old = there.get(&name);
            let is_kind = matches!(name.as_str(), "type" | "source") && old != Some(&value);
            if is_kind && (old.is_some() || was_remote || was_nested) {
                set.push((name, value));
            }
        }
        let own = self.own(entry).into_iter();
        set.extend(own.filter(|(name, value)| there.get(name) != Some(value)));
        let mut drop = Vec::new();
        if entry.env.is_empty() && there.get(self.env).is_some() {
            drop.push(self.env.to_owned());
        }
        let remote = REMOTE.iter().filter(|name| there.get(name).is_some());
        drop.extend(remote.map(|name| (*name).to_owned()));
        Change::Set(set, drop)
    }
}

fn fixed(fields: &[(&str, Fixed)], entry: &Entry) -> Fields {
    let fields = fields.iter().map(|(name, fixed)| {
        let value = match fixed {
            Fixed::Name => Value::Text(entry.name.clone()),
            Fixed::Text(text) => Value::Text((*text).to_owned()),
            Fixed::Plain(text) => Value::Plain((*text).to_owned()),
            Fixed::Everything => Value::list(&["*".to_owned()]),
        };
        ((*name).to_owned(), value)
    });
    fields.collect()
}
