//! `import`: moves what `mcp-remote` did for a user over to this program. Entries of hosts' files that start it start this
//! one instead, with the same options, and its sign-ins are kept in our store. Its own files stay as they are.

mod command;
mod entries;
mod flags;
mod hash;
mod report;
mod store;
mod take;
mod typed;
mod variables;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::args::{Import, Store};
use super::connection::{self, Env};
use super::install::place::Place;
use super::install::program;
use super::run;
use crate::config::Paths;
use crate::error::{Exit, Fatal};
use crate::net::guard;
use crate::ui;
use entries::Work;
use hash::Seed;
use report::{Orphan, Report, Server};
use store::{Kept, Stores};
use take::{Mode, Move, SignIn, Source, Trust, Wanted};

/// The variable that names another folder for the files of `mcp-remote`.
const FOLDER: &str = "MCP_REMOTE_CONFIG_DIR";

/// Moves entries and sign-ins.
///
/// # Errors
/// There is no home folder to look in, and mistakes in the options.
pub fn import(args: &Import, env: &Env<'_>) -> Result<ExitCode, Fatal> {
    let paths = Paths::find(env);
    run::log(&args.bridge, paths.as_ref(), env)?;
    if args.bridge.authorization.store == Store::Memory {
        return Err(Fatal::usage(
            "--store memory keeps nothing, so that there is nothing to import into",
            "leave it out, or give --store file",
        ));
    }
    let mode = if args.dry_run { Mode::Show } else { Mode::Do };
    let now = SystemTime::now();
    let place = Place::find(env)?;
    let home = place.places().home;
    let files = entries::files(&place);
    let base = base(home, env);
    let mut bases = entries::folders(&files, FOLDER, env);
    bases.insert(base.clone());
    let stores = Stores::scan(&bases);
    let work = Move {
        stores: &stores,
        typed: &args.bridge,
        env,
        mode,
        now: now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
    };
    let command = program::command(env)?;
    let report = run::on_runtime(async {
        if args.bridge.server.is_some() {
            return one(&work).await;
        }
        let entries = Work {
            work: &work,
            files: &files,
            program: &command,
            now,
        };
        Ok(everything(&entries).await)
    })??;
    tell(args, &report, &base, home)
}

/// All entries and their sign-ins; what is left is told.
async fn everything(work: &Work<'_>) -> Report {
    let mut ledger = work.all().await;
    let stores = work.work.stores;
    let explained: Vec<&Kept> = stores.of(&ledger.seeds).collect();
    let mut named = BTreeSet::new();
    for kept in &stores.kept {
        // The newest of each stands for the older ones.
        if explained.iter().any(|other| other.prefix == kept.prefix) || !named.insert(&kept.prefix)
        {
            continue;
        }
        let written = UNIX_EPOCH
            .checked_add(Duration::from_secs(kept.at))
            .unwrap_or(UNIX_EPOCH);
        ledger.report.orphans.push(Orphan {
            path: kept.path().display().to_string(),
            issuer: kept.read().ok().and_then(|foreign| foreign.issuer),
            written_at: humantime::format_rfc3339_seconds(written).to_string(),
        });
    }
    for wrong in &stores.wrongs {
        ledger
            .report
            .problem(wrong.clone(), Some("check who owns it"));
    }
    ledger.report
}

/// The folder in which `mcp-remote` keeps its files.
fn base(home: &Path, env: &Env<'_>) -> PathBuf {
    let named = env(FOLDER).filter(|named| !named.is_empty());
    named.map_or_else(|| home.join(".mcp-auth"), PathBuf::from)
}

/// The sign-in to the server that was typed.
async fn one(work: &Move<'_>) -> Result<Report, Fatal> {
    let url = connection::server_url(work.typed)?;
    let shown = guard::shown(&url);
    let wanted = Wanted {
        source: Source::Typed,
        env: Vec::new(),
        seeds: vec![Seed::of(work.typed)],
        trust: Trust::User,
    };
    let sign_in = work.take(&wanted).await;
    let mut report = Report::new(work.mode);
    report.note(&shown, &sign_in);
    if sign_in == SignIn::None {
        let known = work.stores.kept.len();
        let hint = match known {
            0 => {
                "it has kept none at all; name its folder with MCP_REMOTE_CONFIG_DIR if it has another"
            }
            _ => "give the URL, --header and --resource exactly as mcp-remote got them",
        };
        report.problem(
            format!("mcp-remote has kept no sign-in to {shown}"),
            Some(hint),
        );
    }
    report.sign_ins.push(Server {
        url: shown,
        sign_in,
    });
    Ok(report)
}

/// Prints the report, and gives the exit code that belongs to it.
///
/// # Errors
/// It cannot be printed.
fn tell(args: &Import, report: &Report, base: &Path, home: &Path) -> Result<ExitCode, Fatal> {
    if args.json {
        // It has nothing that JSON cannot say.
        ui::data(&serde_json::to_string(report).unwrap_or_default())?;
    } else {
        let text = report.text();
        if !text.is_empty() {
            ui::data(&text)?;
        }
        for note in notes(report, base, home) {
            ui::note(&note);
        }
    }
    for problem in &report.problems {
        let hint = problem.hint.as_deref();
        let hint = hint.map_or(String::new(), |hint| format!("\nhint: {hint}"));
        ui::note(&format!("{}{hint}", ui::line(&problem.what)));
    }
    if report.problems.iter().any(|problem| problem.store) {
        return Ok(ExitCode::from(Exit::Store as u8));
    }
    Ok(if report.problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(Exit::Failed as u8)
    })
}

/// What there is to know beside what was done.
fn notes(report: &Report, base: &Path, home: &Path) -> Vec<String> {
    let mut notes = Vec::new();
    let folder = shown(base, home);
    if report.is_empty() && report.problems.is_empty() {
        notes.push("nothing to do: no entry starts mcp-remote".to_owned());
    }
    if !report.orphans.is_empty() {
        let mut note = format!(
            "no entry explains {} of the sign-ins in {folder}, and their files do not name the server:",
            report.orphans.len()
        );
        for orphan in &report.orphans {
            let file = shown(Path::new(&orphan.path), home);
            let issuer = orphan.issuer.as_deref().unwrap_or("an unknown issuer");
            let day = orphan.written_at.get(..10).unwrap_or_default();
            note.push_str(&format!("\n  {file}\n    of {}, {day}", ui::line(issuer)));
        }
        note.push_str("\nhint: mcp-tether import URL, with the options that mcp-remote had");
        notes.push(note);
    }
    if report.dry_run {
        return notes;
    }
    let backups = report.files.iter().filter_map(|file| file.backup.as_ref());
    notes.extend(backups.map(|backup| format!("the file as it was: {backup}")));
    let hosts = report.moved_hosts();
    if !hosts.is_empty() {
        notes.push(format!(
            "start {} again, if it runs: it knows the old entries only",
            hosts.join(", ")
        ));
    }
    if report.has_moved() {
        let done = report.orphans.is_empty() && report.problems.is_empty();
        let remove = match done {
            false => String::new(),
            true if cfg!(windows) => "\nhint: once all works, delete that folder".to_owned(),
            true => format!(
                "\nhint: once all works, and nothing starts mcp-remote any more: rm -r {folder}"
            ),
        };
        notes.push(format!("the files in {folder} stay as they are{remove}"));
    }
    notes
}

/// A path for people: the home folder as `~`.
fn shown(path: &Path, home: &Path) -> String {
    match path.strip_prefix(home) {
        Ok(rest) => Path::new("~").join(rest).display().to_string(),
        Err(_) => path.display().to_string(),
    }
}
