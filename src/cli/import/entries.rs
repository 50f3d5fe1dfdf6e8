//! The files of hosts: each is read, its entries that start `mcp-remote` are moved with their sign-ins, and it is written
//! back as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use url::Url;

use super::command::{Found, find};
use super::flags::{self, Moved, Surroundings};
use super::hash::Seed;
use super::report::{self, Report, Server};
use super::take::{Mode, Move, Reason, SignIn, Source, Trust, Wanted};
use super::variables::expanded;
use crate::cli::connection::Env;
use crate::cli::install::place::Place;
use crate::cli::install::shelter::{Sheltered, sheltered};
use crate::hosts::file::{self, Plan};
use crate::hosts::{self, Broken, Entry, Host, Scope};
use crate::net::guard;
use crate::ui;

/// What the files are looked for and changed with.
pub struct Work<'a> {
    /// How sign-ins are moved.
    pub work: &'a Move<'a>,
    /// The files.
    pub files: &'a Files,
    /// How an entry starts this program.
    pub program: &'a str,
    /// The time now.
    pub now: SystemTime,
}

/// Files that are there, each with those who read it.
pub type Files = BTreeMap<PathBuf, Readers>;

/// Who reads a file, and who wrote it.
#[derive(Debug, Clone)]
pub struct Readers {
    hosts: Vec<&'static Host>,
    trust: Trust,
}

/// The files of hosts: those for all projects, and those of the project in a folder.
pub fn files(place: &Place<'_>) -> Files {
    let mut files = Files::new();
    for host in hosts::all() {
        let global = host.file(&place.places(), &file::exists);
        let global = global.into_iter().map(|path| (path, Trust::User));
        let project = place.project_files(host).into_iter();
        for (path, trust) in global.chain(project.map(|path| (path, Trust::Project))) {
            let hosts = Vec::new();
            let readers = files.entry(path).or_insert(Readers { hosts, trust });
            if trust == Trust::User {
                readers.trust = trust;
            }
            if !readers.hosts.iter().any(|reader| reader.id == host.id) {
                readers.hosts.push(host);
            }
        }
    }
    files.retain(|path, _| file::exists(path));
    files
}

/// What entries of the user's own files call the folder in which `mcp-remote` keeps its files. A project's file may be somebody
/// else's, and must not bring sign-ins along.
pub fn folders(files: &Files, variable: &str, env: &Env<'_>) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::new();
    let own = files
        .iter()
        .filter(|(_, readers)| readers.trust == Trust::User);
    for (path, readers) in own {
        // What is wrong with a file is told when it is its turn.
        let Ok(Some(text)) = file::read(path) else {
            continue;
        };
        let entries = readers.hosts.iter().flat_map(|host| {
            let scopes = host.scopes(&text).unwrap_or_default().into_iter();
            scopes.filter_map(|scope| host.entries_in(&text, &scope).ok())
        });
        let own = entries.flatten().flat_map(|entry| entry.env);
        let named = own.filter(|(name, value)| name == variable && !value.is_empty());
        folders.extend(named.map(|(_, value)| PathBuf::from(expanded(&value, env))));
    }
    folders
}

/// What was done, and what the files of hosts say of `mcp-remote` and of us.
pub struct Ledger {
    /// What was done.
    pub report: Report,
    /// What names the files of sign-ins that entries explain.
    pub seeds: Vec<Seed>,
    /// Those of entries that started `mcp-remote`.
    done: Vec<Seed>,
    /// The sign-ins of entries that start this program.
    ours: Vec<Wanted>,
}

impl Work<'_> {
    /// Moves all entries of all files.
    pub async fn all(&self) -> Ledger {
        let mut ledger = Ledger {
            report: Report::new(self.work.mode),
            seeds: Vec::new(),
            done: Vec::new(),
            ours: Vec::new(),
        };
        for (path, readers) in self.files {
            match file::read(path) {
                Ok(Some(text)) => self.file(path, text, readers, &mut ledger).await,
                Ok(None) => {}
                Err(wrong) => ledger.report.problem(wrong.to_string(), Some(wrong.hint())),
            }
        }
        self.ours(&mut ledger).await;
        ledger
    }

    /// The sign-ins of entries that start this program already: `mcp-remote` may have newer ones.
    async fn ours(&self, ledger: &mut Ledger) {
        let report = &mut ledger.report;
        let news = |wanted: &&Wanted| !wanted.seeds.iter().any(|seed| ledger.done.contains(seed));
        for wanted in ledger.ours.iter().filter(news) {
            let sign_in = self.work.take(wanted).await;
            let url = wanted.seeds.first().map(|seed| shown_url(&seed.url));
            let url = url.flatten().unwrap_or_default();
            report.note(&url, &sign_in);
            let news = matches!(sign_in, SignIn::Moved(_) | SignIn::Failed(_));
            if news && !report.sign_ins.iter().any(|server| server.url == url) {
                report.sign_ins.push(Server { url, sign_in });
            }
        }
    }

    async fn file(&self, path: &Path, before: String, readers: &Readers, ledger: &mut Ledger) {
        let mut after = before.clone();
        let mut entries = Vec::new();
        for host in &readers.hosts {
            match self.host((host, readers.trust), &after, ledger).await {
                Ok((text, mut found)) => {
                    after = text;
                    // What stays as it is, each reader of the file finds.
                    found.retain(|line| !entries.iter().any(|told| line.repeats(told)));
                    entries.extend(found);
                }
                Err(broken) => {
                    let what = format!("{} is left alone: {broken}", path.display());
                    let hint = "correct the file, then type the same command again";
                    ledger.report.problem(what, Some(hint));
                }
            }
        }
        let plan = Plan {
            path: path.to_owned(),
            before: Some(before),
            after,
        };
        if entries.is_empty() {
            return;
        }
        let mut told = report::File {
            path: path.display().to_string(),
            changed: plan.is_change(),
            backup: None,
            diff: ui::change(&plan.diff()),
            entries,
        };
        if self.work.mode == Mode::Do {
            match plan.write(self.now) {
                Ok(backup) => told.backup = backup.map(|path| path.display().to_string()),
                Err(wrong) => {
                    told.changed = false;
                    for entry in told.entries.iter_mut().filter(|entry| entry.moved) {
                        entry.moved = false;
                        entry.why = Some("its file was not written".to_owned());
                    }
                    ledger.report.problem(wrong.to_string(), Some(wrong.hint()));
                }
            }
        }
        ledger.report.files.push(told);
    }

    /// The text with the entries of one host moved, and what became of each.
    async fn host(
        &self,
        (host, trust): (&'static Host, Trust),
        before: &str,
        ledger: &mut Ledger,
    ) -> Result<(String, Vec<report::Entry>), Broken> {
        let mut text = before.to_owned();
        let mut told = Vec::new();
        for scope in host.scopes(before)? {
            for entry in host.entries_in(before, &scope)? {
                let moved = match find(&entry.command, &entry.args) {
                    Found::Other => continue,
                    Found::Ours(args) => {
                        ledger.note_ours(self.work, args, (&entry, trust));
                        continue;
                    }
                    Found::Stays(why) => Err(why),
                    Found::McpRemote(args) => flags::read(&args, &self.surroundings(&entry)),
                };
                let mut line = line(host, &scope, &entry);
                match moved {
                    Ok(moved) => {
                        let new = self
                            .entry((&entry, trust), moved, (host, &mut line), ledger)
                            .await;
                        match new.map(|new| host.put_in(&text, &scope, &new)) {
                            Some(Ok(after)) => {
                                text = after;
                                line.moved = true;
                            }
                            Some(Err(broken)) => {
                                line.why = Some(format!("it cannot be edited: {broken}"));
                                let what = format!(
                                    "{} of {} stays as it is: {broken}",
                                    entry.name, host.name
                                );
                                ledger.report.problem(what, None);
                            }
                            None => {}
                        }
                    }
                    Err(why) => line.why = Some(why.to_owned()),
                }
                told.push(line);
            }
        }
        Ok((text, told))
    }

    fn surroundings<'a>(&self, entry: &'a Entry) -> Surroundings<'a> {
        Surroundings {
            env: &entry.env,
            read: &|path| std::fs::read_to_string(path).ok(),
            host: if cfg!(windows) {
                "127.0.0.1"
            } else {
                "localhost"
            },
        }
    }

    /// Moves the sign-in of an entry, and gives what the entry then is; nothing where it has to stay for now.
    async fn entry(
        &self,
        (entry, trust): (&Entry, Trust),
        moved: Moved,
        (host, line): (&'static Host, &mut report::Entry),
        ledger: &mut Ledger,
    ) -> Option<Entry> {
        let mut env = entry.env.clone();
        let lookup = |name: &str| {
            let own = env
                .iter()
                .find(|(own, _)| own == name)
                .map(|(_, value)| value.clone());
            own.or_else(|| (self.work.env)(name))
        };
        let replaced = moved.seed.map(|text| expanded(text, lookup));
        line.url = shown_url(&replaced.url);
        line.notes = moved.notes;
        let wanted = Wanted {
            source: Source::Entry(moved.args.clone()),
            env: env.clone(),
            seeds: vec![moved.seed, replaced],
            trust,
        };
        ledger.seeds.extend(wanted.seeds.iter().cloned());
        ledger.done.extend(wanted.seeds.iter().cloned());
        line.sign_in = self.work.take(&wanted).await;
        let server = line.url.as_deref().unwrap_or(&entry.name);
        ledger.report.note(server, &line.sign_in);
        if let SignIn::Failed(stays) = &line.sign_in
            && stays.reason != Reason::Lasting
        {
            line.why = Some("its sign-in cannot be moved now, so mcp-remote keeps both".to_owned());
            return None;
        }
        let Sheltered {
            args, env: hidden, ..
        } = sheltered(host, &entry.name, &moved.args);
        if !hidden.is_empty() {
            let names: Vec<&str> = hidden.iter().map(|(name, _)| name.as_str()).collect();
            env.retain(|(name, _)| !names.contains(&name.as_str()));
            line.notes.push(format!(
                "what may be secret moves from the arguments to the environment, as {}",
                names.join(", ")
            ));
        }
        env.extend(hidden);
        if trust == Trust::Project {
            let note = "it names mcp-tether by its path on this machine; others who use the file need theirs";
            line.notes.push(note.to_owned());
        }
        Some(Entry {
            name: entry.name.clone(),
            command: self.program.to_owned(),
            args,
            env,
        })
    }
}

impl Ledger {
    /// Notes an entry that starts this program.
    fn note_ours(&mut self, work: &Move<'_>, args: Vec<String>, (entry, trust): (&Entry, Trust)) {
        let args: Vec<String> = match args.split_first() {
            Some((run, rest)) if run == "run" => rest.to_vec(),
            _ => args,
        };
        let seeds = work.seeds(&args, &entry.env);
        self.seeds.extend(seeds.iter().cloned());
        self.ours.push(Wanted {
            source: Source::Entry(args),
            env: entry.env.clone(),
            seeds,
            trust,
        });
    }
}

fn line(host: &Host, scope: &Scope, entry: &Entry) -> report::Entry {
    report::Entry {
        host: host.id.to_owned(),
        name: entry.name.clone(),
        project: scope.project.clone(),
        url: None,
        moved: false,
        why: None,
        sign_in: SignIn::None,
        notes: Vec::new(),
    }
}

/// A URL without what may be a secret.
fn shown_url(text: &str) -> Option<String> {
    Url::parse(text.trim()).ok().map(|url| guard::shown(&url))
}
