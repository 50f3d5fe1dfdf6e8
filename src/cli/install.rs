//! `install` and `uninstall`: a server's entry in the config file of a host. The files are those of [`crate::hosts`]; here
//! is what becomes of what was typed, and what is said about it.

mod list;
mod name;
pub mod place;
pub mod program;
mod remarks;
pub mod shelter;
mod typed;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use serde_json::json;

use super::args::{Install, Uninstall};
use super::connection::{self, Env};
use crate::config::Paths;
use crate::error::{Exit, Fatal};
use crate::hosts::file::{Plan, Refused};
use crate::hosts::{Broken, Entry, Host, by_id, file};
use crate::net::headers;
use crate::ui;
use place::Place;
use typed::Typed;

/// Adds a server to the file of a host.
///
/// # Errors
/// A mistake in what was typed, or the file cannot be changed; it is then as it was.
pub fn install(args: &Install, argv: &[OsString], env: &Env<'_>) -> Result<ExitCode, Fatal> {
    let place = Place::find(env)?;
    if args.list {
        return list::list(args, &place);
    }
    let host = host(args.app.as_deref().unwrap_or_default())?;
    // The server, as a bridge would take it.
    connection::server_url(&args.bridge)?;
    let given = args.bridge.remote.header.iter().map(String::as_str);
    headers::parse("--header", given, |_| Some("x".to_owned()))?;
    let typed = typed::typed(argv, &place.folder);
    let (entry, is_secret) = entry(args, host, &typed, env)?;
    if args.project && is_secret {
        return Err(secret_in_project(host));
    }
    let path = path(host, &place, (args.project, &entry.name))?;
    let text = file::read(&path).map_err(|wrong| refused(&wrong))?;
    if !args.force {
        check_shadow(host, &path)?;
    }
    let before = text.as_deref().unwrap_or_else(|| host.blank());
    let broken = |wrong: Broken| unreadable(&path, &wrong, host, &entry);
    let found = host.entries(before).map_err(broken)?;
    let found = found.into_iter().find(|found| found.name == entry.name);
    let is_there = host.has(before, &entry.name).map_err(broken)?;
    if is_there && !args.force {
        check_replaced(host, found.as_ref(), &entry, &path)?;
    }
    let after = host.put(before, &entry).map_err(broken)?;
    let plan = Plan {
        path: path.clone(),
        before: text,
        after,
    };
    let done = match (plan.is_change(), is_there) {
        (false, _) => Done::Unchanged,
        (true, true) => Done::Updated,
        (true, false) => Done::Added,
    };
    let told = Told {
        host,
        name: &entry.name,
        done,
        dry_run: args.dry_run,
        json: args.json,
    };
    let notes = if done == Done::Unchanged {
        Vec::new()
    } else {
        remarks::of_install(host, (&entry, is_secret), &typed, args.project)
    };
    told.carry_out(&plan, Some(&entry), &notes)
}

/// Takes a server out of the file of a host.
///
/// # Errors
/// It is not there, is not ours, or the file cannot be changed; it is then as it was.
pub fn uninstall(args: &Uninstall, env: &Env<'_>) -> Result<ExitCode, Fatal> {
    let place = Place::find(env)?;
    let host = host(&args.host)?;
    let path = path(host, &place, (args.project, &args.name))?;
    let text = file::read(&path).map_err(|wrong| refused(&wrong))?;
    let before = text.clone().unwrap_or_default();
    let broken = |wrong: Broken| Fatal {
        exit: Exit::Failed,
        message: format!("cannot edit {}, {wrong}", path.display()),
        hint: Some("mend the file, or take the entry out by hand".to_owned()),
    };
    let found = host.entries(&before).map_err(broken)?;
    if !host.has(&before, &args.name).map_err(broken)? {
        return Err(Fatal {
            exit: Exit::Failed,
            message: format!("there is no entry {:?} in {}", args.name, path.display()),
            hint: Some(format!(
                "mcp-tether install --list {} shows what is there",
                host.id
            )),
        });
    }
    let ours = found.iter().find(|entry| entry.name == args.name);
    let is_ours = ours.is_some_and(|entry| program::is_ours(&entry.command));
    if !is_ours && !args.force {
        return Err(Fatal::usage(
            format!(
                "the entry {:?} in {} is not one of mcp-tether",
                args.name,
                path.display()
            ),
            "add --force to take it out all the same",
        ));
    }
    let after = host.remove(&before, &args.name).map_err(broken)?;
    let plan = Plan {
        path: path.clone(),
        before: text,
        after,
    };
    let told = Told {
        host,
        name: &args.name,
        done: Done::Removed,
        dry_run: args.dry_run,
        json: args.json,
    };
    let server = ours
        .filter(|_| is_ours)
        .and_then(|entry| program::server(&entry.args));
    told.carry_out(&plan, None, &remarks::of_uninstall(host, server.as_deref()))
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Added,
    Updated,
    Unchanged,
    Removed,
}

/// What the user is told at the end.
struct Told<'a> {
    host: &'a Host,
    name: &'a str,
    done: Done,
    dry_run: bool,
    json: bool,
}

impl Told<'_> {
    fn carry_out(
        &self,
        plan: &Plan,
        entry: Option<&Entry>,
        notes: &[String],
    ) -> Result<ExitCode, Fatal> {
        let backup = if self.dry_run {
            None
        } else {
            plan.write(SystemTime::now())
                .map_err(|wrong| refused(&wrong))?
        };
        if self.json {
            ui::data(&self.document(plan, entry, backup.as_deref(), notes))?;
            return Ok(ExitCode::SUCCESS);
        }
        if self.dry_run && plan.is_change() {
            ui::data(ui::change(&plan.diff()).trim_end_matches('\n'))?;
            ui::note("nothing was written: --dry-run");
        } else {
            ui::data(&format!("{}\n{}", self.sentence(), plan.path.display()))?;
        }
        if let Some(backup) = &backup {
            ui::note(&format!("the file as it was: {}", backup.display()));
        }
        for note in notes {
            ui::note(note);
        }
        Ok(ExitCode::SUCCESS)
    }

    fn sentence(&self) -> String {
        let (host, name) = (self.host.name, self.name);
        match self.done {
            Done::Added => format!("{name} added to {host}"),
            Done::Updated => format!("{name} updated in {host}"),
            Done::Unchanged => format!("{name} is in {host} already, nothing to do"),
            Done::Removed => format!("{name} removed from {host}"),
        }
    }

    fn document(
        &self,
        plan: &Plan,
        entry: Option<&Entry>,
        backup: Option<&Path>,
        notes: &[String],
    ) -> String {
        let done = match self.done {
            Done::Added => "added",
            Done::Updated => "updated",
            Done::Unchanged => "unchanged",
            Done::Removed => "removed",
        };
        let names = |entry: &Entry| {
            entry
                .env
                .iter()
                .map(|(name, _)| name.clone())
                .collect::<Vec<_>>()
        };
        let document = json!({
            "host": self.host.id,
            "name": self.name,
            "file": plan.path,
            "done": done,
            "dryRun": self.dry_run,
            "command": entry.map(|entry| &entry.command),
            "args": entry.map(|entry| &entry.args),
            "env": entry.map(names),
            "backup": backup,
            "diff": self.dry_run.then(|| ui::change(&plan.diff())),
            "notes": notes,
        });
        document.to_string()
    }
}

fn host(id: &str) -> Result<&'static Host, Fatal> {
    by_id(id).ok_or_else(|| {
        Fatal::usage(
            format!("there is no host {id:?}"),
            "mcp-tether install --help names them",
        )
    })
}

/// The entry, and whether it has a secret in its environment.
fn entry(
    args: &Install,
    host: &Host,
    typed: &Typed,
    env: &Env<'_>,
) -> Result<(Entry, bool), Fatal> {
    let name = args
        .name
        .clone()
        .unwrap_or_else(|| name::default(&typed.server));
    let mut words = typed.args.clone();
    let is_named = !typed.server.contains("://");
    if is_named
        && typed.config.is_none()
        && let Some(config) = moved_config(env)
    {
        // The host does not have the variable that says where the name is explained.
        words.extend(["--config".to_owned(), config.to_string_lossy().into_owned()]);
    }
    let sheltered = shelter::sheltered(host, &name, &words);
    let entry = Entry {
        name,
        command: program::command(env)?,
        args: sheltered.args,
        env: sheltered.env,
    };
    Ok((entry, sheltered.is_secret))
}

/// The config file, if a variable says where it is.
fn moved_config(env: &Env<'_>) -> Option<PathBuf> {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    let given = set("MCP_TETHER_CONFIG").map(PathBuf::from);
    let path = given.or_else(|| {
        set("MCP_TETHER_HOME")?;
        Some(Paths::find(env)?.config)
    })?;
    std::path::absolute(path).ok()
}

fn path(host: &Host, place: &Place, (project, name): (bool, &str)) -> Result<PathBuf, Fatal> {
    let (found, hint) = if project {
        let found = host.project_file(&place.folder, name, &file::exists);
        (
            found,
            "leave --project out to use its file for all projects",
        )
    } else {
        let found = host.file(&place.places(), &file::exists);
        (
            found,
            "add --project to use its file for the project in this folder",
        )
    };
    found.ok_or_else(|| {
        let what = if project {
            "for single projects"
        } else {
            "of that kind on this system"
        };
        Fatal::usage(format!("{} has no file {what}", host.name), hint)
    })
}

fn check_shadow(host: &Host, path: &Path) -> Result<(), Fatal> {
    let Some(hidden) = host.shadows(path, &file::exists) else {
        return Ok(());
    };
    Err(Fatal::usage(
        format!(
            "{} would be new, and {} would no longer be read",
            path.display(),
            hidden.display()
        ),
        "move its entries over first, or add --force",
    ))
}

/// Refuses to replace what another program, or another server, has under that name.
fn check_replaced(
    host: &Host,
    found: Option<&Entry>,
    entry: &Entry,
    path: &Path,
) -> Result<(), Fatal> {
    let ours = found.filter(|found| program::is_ours(&found.command));
    let what = match ours {
        Some(ours) if program::server(&ours.args) != program::server(&entry.args) => {
            "another server"
        }
        Some(ours) if loses(ours, entry) => "other options for that server",
        Some(_) => return Ok(()),
        None => "something else",
    };
    Err(Fatal::usage(
        format!(
            "{} has {what} under the name {:?} already, in {}",
            host.name,
            entry.name,
            path.display()
        ),
        "choose another with --name, or replace it with --force",
    ))
}

/// Whether something that the user has set would be gone.
fn loses(old: &Entry, new: &Entry) -> bool {
    let named = |name: &str| new.env.iter().any(|(known, _)| known == name);
    old.args.iter().any(|arg| !new.args.contains(arg))
        || old.env.iter().any(|(name, _)| !named(name))
}

fn secret_in_project(host: &Host) -> Fatal {
    Fatal::usage(
        format!(
            "a secret does not belong in the project's file of {}, which others get too",
            host.name
        ),
        "write it as ${NAME}, like --header 'Authorization: Bearer ${TOKEN}'",
    )
}

fn refused(wrong: &Refused) -> Fatal {
    Fatal {
        exit: Exit::Failed,
        message: wrong.to_string(),
        hint: Some(wrong.hint().to_owned()),
    }
}

/// The file cannot be edited: what can be written by hand is shown, without the values of variables.
fn unreadable(path: &Path, wrong: &Broken, host: &Host, entry: &Entry) -> Fatal {
    let mut shown = entry.clone();
    for (_, value) in &mut shown.env {
        "...".clone_into(value);
    }
    let snippet = host.snippet(&shown).unwrap_or_default();
    Fatal {
        exit: Exit::Failed,
        message: format!("cannot edit {}, {wrong}", path.display()),
        hint: Some(format!(
            "mend the file, or add this by hand:\n{}",
            snippet.trim_end()
        )),
    }
}
