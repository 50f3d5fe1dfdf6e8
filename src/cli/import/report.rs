//! What `import` did, or would do: for people, or as JSON with stable names. Never a token, and no argument of an entry but
//! its URL without the values of its query; the diff of a dry run shows lines of the files, without what looks like a secret.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};

use super::take::{Mode, Reason, SignIn};
use crate::hosts;
use crate::ui;

/// All of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether it is only told.
    pub dry_run: bool,
    /// The files that have to do with it.
    pub files: Vec<File>,
    /// Sign-ins of servers that no file names as those of `mcp-remote`.
    pub sign_ins: Vec<Server>,
    /// Sign-ins of which nobody knows the server.
    pub orphans: Vec<Orphan>,
    /// What went wrong.
    pub problems: Vec<Problem>,
}

/// A host's file.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct File {
    /// Where it is.
    pub path: String,
    /// Whether it is another one now, or would be.
    pub changed: bool,
    /// What it said before, if it was changed.
    pub backup: Option<String>,
    /// The change.
    #[serde(skip)]
    pub diff: String,
    /// Its entries that start `mcp-remote`.
    pub entries: Vec<Entry>,
}

/// An entry that starts `mcp-remote`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The host's id.
    pub host: String,
    /// Its name.
    pub name: String,
    /// The folder of the project that it is for, if it is for one.
    pub project: Option<String>,
    /// The server, if that is known.
    pub url: Option<String>,
    /// Whether it starts this program now, or would.
    pub moved: bool,
    /// Why not, if so.
    pub why: Option<String>,
    /// What became of its sign-in.
    #[serde(serialize_with = "sign_in")]
    pub sign_in: SignIn,
    /// What its owner has to know.
    pub notes: Vec<String>,
}

impl Entry {
    /// Whether it stays as it is, and another host found it in the same file before.
    pub fn repeats(&self, other: &Self) -> bool {
        let same =
            (&self.name, &self.project, &self.why) == (&other.name, &other.project, &other.why);
        same && !self.moved
    }
}

/// A server whose sign-in was looked for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Server {
    /// The server.
    pub url: String,
    /// What became of its sign-in.
    #[serde(serialize_with = "sign_in")]
    pub sign_in: SignIn,
}

/// A sign-in of which nobody knows the server.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Orphan {
    /// The file.
    pub path: String,
    /// The authorization server, if that is known.
    pub issuer: Option<String>,
    /// When it was written (RFC 3339).
    pub written_at: String,
}

/// Something that went wrong.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// What.
    pub what: String,
    /// What to do.
    pub hint: Option<String>,
    /// Whether it is our own store.
    #[serde(skip)]
    pub store: bool,
}

fn sign_in<S: serde::Serializer>(sign_in: &SignIn, to: S) -> Result<S::Ok, S::Error> {
    named(sign_in).serialize(to)
}

fn named(sign_in: &SignIn) -> Value {
    match sign_in {
        SignIn::None => json!({ "result": "none" }),
        SignIn::Moved(from) => json!({ "result": "moved", "from": from }),
        SignIn::Known => json!({ "result": "known" }),
        SignIn::Ended => json!({ "result": "ended" }),
        SignIn::NotNeeded => json!({ "result": "notNeeded" }),
        SignIn::Failed(stays) => {
            json!({ "result": "failed", "why": stays.what, "hint": stays.hint })
        }
    }
}

impl Report {
    /// An empty one.
    pub const fn new(mode: Mode) -> Self {
        Self {
            dry_run: matches!(mode, Mode::Show),
            files: Vec::new(),
            sign_ins: Vec::new(),
            orphans: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Notes something that went wrong, once.
    pub fn problem(&mut self, what: String, hint: Option<&str>) {
        let problem = Problem {
            what,
            hint: hint.map(str::to_owned),
            store: false,
        };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Notes what went wrong with a sign-in, once.
    pub fn note(&mut self, server: &str, sign_in: &SignIn) {
        if let SignIn::Failed(stays) = sign_in {
            let problem = Problem {
                what: format!("the sign-in to {server} was not moved: {}", stays.what),
                hint: stays.hint.clone(),
                store: stays.reason == Reason::Store,
            };
            if !self.problems.contains(&problem) {
                self.problems.push(problem);
            }
        }
    }

    /// Whether there was something to move, if only in part.
    pub fn is_empty(&self) -> bool {
        let moved = |sign_in: &SignIn| matches!(sign_in, SignIn::Moved(_));
        self.files.iter().all(|file| file.entries.is_empty())
            && !self.sign_ins.iter().any(|server| moved(&server.sign_in))
    }

    /// Whether a sign-in was moved, or would be.
    pub fn has_moved(&self) -> bool {
        let moved = |sign_in: &SignIn| matches!(sign_in, SignIn::Moved(_));
        let mut entries = self.files.iter().flat_map(|file| &file.entries);
        entries.any(|entry| moved(&entry.sign_in))
            || self.sign_ins.iter().any(|server| moved(&server.sign_in))
    }

    /// The programs of which an entry was moved, by their own names.
    pub fn moved_hosts(&self) -> Vec<&'static str> {
        let entries = self.files.iter().flat_map(|file| &file.entries);
        let moved = entries.filter(|entry| entry.moved);
        let named = moved.filter_map(|entry| hosts::by_id(&entry.host));
        let names: BTreeSet<&'static str> = named.map(|host| host.name).collect();
        names.into_iter().collect()
    }

    /// For people: the changes where they are only told, then each file and its entries.
    pub fn text(&self) -> String {
        let mut parts = Vec::new();
        if self.dry_run {
            parts.extend(
                self.files
                    .iter()
                    .map(|file| file.diff.trim_end().to_owned()),
            );
        }
        let with_entries = self.files.iter().filter(|file| !file.entries.is_empty());
        parts.extend(with_entries.map(|file| self.file(file)));
        let servers: Vec<String> = self
            .sign_ins
            .iter()
            .filter_map(|server| {
                Some(format!(
                    "{}\n  {}",
                    server.url,
                    self.server(&server.sign_in)?
                ))
            })
            .collect();
        parts.extend(servers);
        parts.retain(|part| !part.is_empty());
        // A project's file may say anything.
        ui::text(&parts.join("\n\n"))
    }

    fn file(&self, file: &File) -> String {
        let mut text = file.path.clone();
        let name = |entry: &Entry| ui::line(&entry.name);
        let width = file.entries.iter().map(|entry| name(entry).chars().count());
        let width = width.max().unwrap_or_default();
        for entry in &file.entries {
            let (first, more) = self.entry(entry);
            text.push_str(&format!("\n  {:<width$}  {first}", name(entry)));
            for line in more {
                text.push_str(&format!("\n  {:<width$}  {}", "", ui::line(&line)));
            }
        }
        text
    }

    fn entry(&self, entry: &Entry) -> (String, Vec<String>) {
        let moved = if self.dry_run {
            "would be moved"
        } else {
            "moved"
        };
        let mut more = Vec::new();
        if let Some(project) = &entry.project {
            more.push(format!("for the project {project}"));
        }
        let first = match (entry.moved, &entry.sign_in) {
            (false, _) => "stays as it is".to_owned(),
            (true, SignIn::Moved(_)) => format!("{moved} with its sign-in"),
            (true, SignIn::None) => format!("{moved}; mcp-remote had no sign-in for it"),
            (true, SignIn::Known) => format!("{moved}; its sign-in is here already"),
            (true, SignIn::Ended) => {
                format!("{moved}; its sign-in has ended, the first use asks for another")
            }
            (true, SignIn::NotNeeded) => format!("{moved}; it needs no sign-in"),
            (true, SignIn::Failed(_)) => format!("{moved} without its sign-in"),
        };
        more.extend(entry.why.clone());
        more.extend(entry.notes.iter().cloned());
        (first, more)
    }

    fn server(&self, sign_in: &SignIn) -> Option<String> {
        Some(match sign_in {
            SignIn::Moved(from) if self.dry_run => format!("sign-in would be moved from {from}"),
            SignIn::Moved(from) => format!("sign-in moved from {from}"),
            SignIn::Known => "its sign-in is here already".to_owned(),
            SignIn::Ended => "its sign-in has ended, and cannot be renewed".to_owned(),
            SignIn::NotNeeded => "it needs no sign-in with these options".to_owned(),
            SignIn::None | SignIn::Failed(_) => return None,
        })
    }
}
