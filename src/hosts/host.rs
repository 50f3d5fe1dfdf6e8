//! A host: which file it reads, and entries in that file's text.

use std::path::{Path, PathBuf};

use super::broken::Broken;
use super::edit::{Change, Fields, Format, Site, find};
use super::place::{Os, Places, Spot, join};
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

/// A server that a host starts and speaks to over stdin and stdout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name under which it stands.
    pub name: String,
    /// The program.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// What is added to its environment, in the order of the file.
    pub env: Vec<(String, String)>,
}

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

/// A program that starts MCP servers as a file of its own says.
#[derive(Debug, Clone, Copy)]
pub struct Host {
    /// What is typed for it.
    pub id: &'static str,
    /// What it calls itself.
    pub name: &'static str,
    /// How its file is written.
    pub format: Format,
    pub(super) mac: &'static [Spot],
    pub(super) linux: &'static [Spot],
    pub(super) windows: &'static [Spot],
    pub(super) project: &'static [&'static str],
    /// Files that would no longer be read if ours were created.
    pub(super) shadowed: &'static [&'static str],
    pub(super) shape: Shape,
    /// What a new file begins with.
    pub(super) blank: &'static str,
    /// What the user has to know or do after a change.
    pub notes: &'static [&'static str],
    /// What begins a variable that the host itself replaces in an entry.
    pub expands: &'static [&'static str],
    /// The members under which entries of single projects stand in the global file.
    pub(super) scopes: Option<(&'static str, &'static str)>,
}

/// A place in a file where entries stand: that for all projects, or that for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The folder of the project, if it is for one.
    pub project: Option<String>,
    path: Vec<String>,
}

impl Host {
    /// The file for all projects: the one that exists, else where it would be created. `None` where this host has no such
    /// file on that system.
    pub fn file(&self, places: &Places<'_>, exists: &dyn Fn(&Path) -> bool) -> Option<PathBuf> {
        let found = self.candidates(places);
        let existing = found.iter().find(|(path, _)| exists(path));
        let likely = || {
            found
                .iter()
                .find(|(path, base)| has_folder(path, base, exists))
        };
        let chosen = existing.or_else(likely).or_else(|| found.first());
        chosen.map(|(path, _)| path.clone())
    }

    /// Whether there is a sign of this host on that system.
    pub fn is_found(&self, places: &Places<'_>, exists: &dyn Fn(&Path) -> bool) -> bool {
        let found = self.candidates(places);
        let sign =
            |(path, base): &(PathBuf, PathBuf)| exists(path) || has_folder(path, base, exists);
        found.iter().any(sign)
    }

    /// The file for the project in that folder; `name` is that of the entry. `None` where this host has none.
    pub fn project_file(
        &self,
        folder: &Path,
        name: &str,
        exists: &dyn Fn(&Path) -> bool,
    ) -> Option<PathBuf> {
        let paths = self.project.iter();
        let paths: Vec<PathBuf> = paths
            .map(|path| join(folder, &path.replace("{name}", name)))
            .collect();
        let existing = paths.iter().find(|path| exists(path));
        existing.or_else(|| paths.first()).cloned()
    }

    /// A file that would no longer be read if this one of the host's were created.
    pub fn shadows(&self, path: &Path, exists: &dyn Fn(&Path) -> bool) -> Option<PathBuf> {
        let folder = path.parent()?;
        let others = self.shadowed.iter().map(|other| join(folder, other));
        others
            .into_iter()
            .find(|other| !exists(path) && exists(other))
    }

    /// What a new file begins with.
    pub const fn blank(&self) -> &'static str {
        self.blank
    }

    /// Where entries stand in that text: for all projects, then for single ones.
    ///
    /// # Errors
    /// The text is not of the host's format.
    pub fn scopes(&self, text: &str) -> Result<Vec<Scope>, Broken> {
        let tree = self.format.read(text)?;
        let mut scopes = vec![self.top(&tree)];
        if let Some((above, below)) = self.scopes
            && let Some(projects) = tree.get(above)
        {
            let projects = projects.named().into_iter();
            let with = projects.filter(|(_, project)| project.get(below).is_some());
            scopes.extend(with.map(|(folder, _)| Scope {
                project: Some(folder.to_owned()),
                path: vec![above.to_owned(), folder.to_owned(), below.to_owned()],
            }));
        }
        Ok(scopes)
    }

    /// All entries for all projects in a file's text that are started here; remote ones are left out.
    ///
    /// # Errors
    /// The text is not of the host's format.
    pub fn entries(&self, text: &str) -> Result<Vec<Entry>, Broken> {
        let tree = self.format.read(text)?;
        self.in_tree(text, &tree, &self.top(&tree))
    }

    /// The same of one scope.
    ///
    /// # Errors
    /// The text is not of the host's format.
    pub fn entries_in(&self, text: &str, scope: &Scope) -> Result<Vec<Entry>, Broken> {
        self.in_tree(text, &self.format.read(text)?, scope)
    }

    /// Whether an entry of that name stands there, of whatever kind.
    ///
    /// # Errors
    /// The text is not of the host's format.
    pub fn has(&self, text: &str, name: &str) -> Result<bool, Broken> {
        let tree = self.format.read(text)?;
        let entries = tree.at(&self.top(&tree).path);
        Ok(entries.and_then(|entries| find(entries, name)).is_some())
    }

    /// The text with that entry. Of one that is there already, command, args and env are replaced and the rest stays; one
    /// that is the same already changes nothing.
    ///
    /// # Errors
    /// The text is not of the host's format, or cannot be edited without harm.
    pub fn put(&self, text: &str, entry: &Entry) -> Result<String, Broken> {
        let tree = self.format.read(text)?;
        self.put_in(text, &self.top(&tree), entry)
    }

    /// The same in one scope.
    ///
    /// # Errors
    /// The text is not of the host's format, or cannot be edited without harm.
    pub fn put_in(&self, text: &str, scope: &Scope, entry: &Entry) -> Result<String, Broken> {
        let tree = self.format.read(text)?;
        let site = self.site(scope, &entry.name);
        let there = tree
            .at(&scope.path)
            .and_then(|entries| find(entries, &entry.name));
        let change = match there {
            None => Change::Add(self.fresh(entry)),
            Some(there) if same(self.entry(&entry.name, there).as_ref(), entry) => {
                return Ok(text.to_owned());
            }
            Some(there @ Value::Map(_)) => self.renewed(there, entry),
            Some(_) => {
                let what = format!(
                    "the entry {:?} is not of the form that the host reads",
                    entry.name
                );
                return Err(Broken::about(text, &entry.name, what));
            }
        };
        self.format.edit(text, &site, &change)
    }

    /// The text without the entry of that name; the same text where there is none.
    ///
    /// # Errors
    /// The text is not of the host's format, or cannot be edited without harm.
    pub fn remove(&self, text: &str, name: &str) -> Result<String, Broken> {
        let tree = self.format.read(text)?;
        self.remove_in(text, &self.top(&tree), name)
    }

    /// The same in one scope.
    ///
    /// # Errors
    /// The text is not of the host's format, or cannot be edited without harm.
    pub fn remove_in(&self, text: &str, scope: &Scope, name: &str) -> Result<String, Broken> {
        let tree = self.format.read(text)?;
        match tree.at(&scope.path).and_then(|entries| find(entries, name)) {
            None => Ok(text.to_owned()),
            Some(_) => self
                .format
                .edit(text, &self.site(scope, name), &Change::Remove),
        }
    }

    /// What an entry looks like in a file of its own, for a user who has to write it by hand.
    ///
    /// # Errors
    /// None that is known of: it begins with nothing.
    pub fn snippet(&self, entry: &Entry) -> Result<String, Broken> {
        self.put("", entry)
    }

    fn candidates(&self, places: &Places<'_>) -> Vec<(PathBuf, PathBuf)> {
        let spots = match places.os {
            Os::Mac => self.mac,
            Os::Linux => self.linux,
            Os::Windows => self.windows,
        };
        let decides = spots.iter().find(|spot| spot.decides(places));
        let spots = decides.map_or(spots, std::slice::from_ref);
        let found = spots.iter().filter_map(|spot| spot.resolve(places));
        found.collect()
    }

    fn top(&self, tree: &Value) -> Scope {
        let paths = self.shape.at.iter().map(|path| {
            let path: Vec<String> = path.iter().map(|name| (*name).to_owned()).collect();
            path
        });
        let mut paths: Vec<Vec<String>> = paths.collect();
        let last = paths.pop().unwrap_or_default();
        // An entry that is named like a container of entries is an entry.
        let holds = |path: &Vec<String>| {
            let found = tree.at(path);
            found.is_some_and(|found| matches!(found, Value::Map(_)) && found.get("type").is_none())
        };
        Scope {
            project: None,
            path: paths.into_iter().find(holds).unwrap_or(last),
        }
    }

    fn site<'a>(&self, scope: &'a Scope, name: &'a str) -> Site<'a> {
        Site {
            path: &scope.path,
            listed: self.shape.listed,
            name,
        }
    }

    fn in_tree(&self, text: &str, tree: &Value, scope: &Scope) -> Result<Vec<Entry>, Broken> {
        let Some(entries) = tree.at(&scope.path).filter(|entries| !entries.is_null()) else {
            return Ok(Vec::new());
        };
        let is_form = match entries {
            Value::Map(_) => !self.shape.listed,
            Value::List(_) => self.shape.listed,
            _ => false,
        };
        if !is_form {
            let name = scope.path.last().map_or("", String::as_str);
            return Err(Broken::about(
                text,
                name,
                format!("{name:?} is not of the form that the host reads"),
            ));
        }
        let named = entries.named().into_iter();
        Ok(named
            .filter_map(|(name, value)| self.entry(name, value))
            .collect())
    }

    fn entry(&self, name: &str, value: &Value) -> Option<Entry> {
        let (command, args, env) = match self.shape.command {
            Command::Joined(key) => {
                let mut words = value.get(key)?.texts()?.into_iter();
                (words.next()?, words.collect(), value.get(self.shape.env))
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
                    let env = value.get(self.shape.env);
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
        let mut fields = match self.shape.command {
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
            fields.push((self.shape.env.to_owned(), Value::map(&entry.env)));
        }
        fields
    }

    fn fresh(&self, entry: &Entry) -> Fields {
        let first = fixed(self.shape.first, entry).into_iter();
        let last = fixed(self.shape.last, entry);
        first.chain(self.own(entry)).chain(last).collect()
    }

    fn renewed(&self, there: &Value, entry: &Entry) -> Change {
        let was_remote = self.entry(&entry.name, there).is_none();
        // The older form of Zed says less.
        let was_nested = matches!(there.get("command"), Some(Value::Map(_)));
        let mut set = Fields::new();
        for (name, value) in fixed(self.shape.first, entry) {
            let old = there.get(&name);
            let is_kind = matches!(name.as_str(), "type" | "source") && old != Some(&value);
            if is_kind && (old.is_some() || was_remote || was_nested) {
                set.push((name, value));
            }
        }
        let own = self.own(entry).into_iter();
        set.extend(own.filter(|(name, value)| there.get(name) != Some(value)));
        let mut drop = Vec::new();
        if entry.env.is_empty() && there.get(self.shape.env).is_some() {
            drop.push(self.shape.env.to_owned());
        }
        let remote = REMOTE.iter().filter(|name| there.get(name).is_some());
        drop.extend(remote.map(|name| (*name).to_owned()));
        Change::Set(set, drop)
    }
}

fn has_folder(path: &Path, base: &Path, exists: &dyn Fn(&Path) -> bool) -> bool {
    // A folder that everybody has tells nothing.
    path.parent()
        .is_some_and(|folder| folder != base && exists(folder))
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

/// Whether both start the same thing; the order of variables makes no difference.
fn same(there: Option<&Entry>, wanted: &Entry) -> bool {
    let sorted = |entry: &Entry| {
        let mut entry = entry.clone();
        entry.env.sort();
        entry
    };
    there.is_some_and(|there| sorted(there) == sorted(wanted))
}
