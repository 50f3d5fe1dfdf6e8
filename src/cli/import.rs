//! `import`: moves what `mcp-remote` did for a user over to this program. Entries of hosts' files that start it start this
//! one instead, with the same options, and its sign-ins are kept in our store. Its own files stay as they are.

mod command;
mod flags;
mod hash;
mod report;
mod store;
mod take;
mod variables;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use super::args::{Bridge, Import, Store};
use super::connection::{self, Env};
use super::run;
use crate::config::Paths;
use crate::error::{Exit, Fatal};
use crate::net::guard;
use crate::ui;
use hash::Seed;
use report::{Problem, Report, Server};
use store::Stores;
use take::{From, Mode, Move, SignIn, Wanted};
use url::Url;

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
    let stores = Stores::scan(&bases(env)?);
    let work = Move {
        stores: &stores,
        typed: &args.bridge,
        env,
        mode,
        now: now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
    };
    let report = run::on_runtime(async {
        match &args.bridge.server {
            Some(_) => one(&work).await,
            None => Ok(Report::new(mode)),
        }
    })??;
    Ok(tell(args, &report))
}

/// The folders in which `mcp-remote` keeps its files.
fn bases(env: &Env<'_>) -> Result<Vec<PathBuf>, Fatal> {
    if let Some(named) = env("MCP_REMOTE_CONFIG_DIR").filter(|named| !named.is_empty()) {
        return Ok(vec![PathBuf::from(named)]);
    }
    Ok(vec![home(env)?.join(".mcp-auth")])
}

fn home(env: &Env<'_>) -> Result<PathBuf, Fatal> {
    let variable = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    let named = env(variable)
        .filter(|home| !home.is_empty())
        .map(PathBuf::from);
    let known = || directories::BaseDirs::new().map(|known| known.home_dir().to_owned());
    named.or_else(known).ok_or_else(|| {
        Fatal::usage(
            "this user has no home folder to look in",
            format!("set {variable} to a folder"),
        )
    })
}

/// The sign-in to the server that was typed.
async fn one(work: &Move<'_>) -> Result<Report, Fatal> {
    let url = connection::server_url(work.typed)?;
    let shown = guard::shown(&url);
    let wanted = Wanted {
        from: From::Typed,
        env: Vec::new(),
        seeds: vec![seed(work.typed)],
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
        report.problems.push(Problem {
            what: format!("mcp-remote has kept no sign-in to {shown}"),
            hint: Some(hint.to_owned()),
            store: false,
        });
    }
    report.sign_ins.push(Server {
        url: shown,
        sign_in,
    });
    Ok(report)
}

/// What the files of a sign-in with those options are named by.
fn seed(bridge: &Bridge) -> Seed {
    let given = &bridge.authorization;
    let lines = bridge.remote.header.iter().map(String::as_str);
    let files: Vec<String> = bridge
        .remote
        .header_file
        .iter()
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .collect();
    let in_files = files.iter().flat_map(|text| text.lines().map(str::trim));
    let in_files = in_files.filter(|line| !line.starts_with('#'));
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    Seed {
        url: bridge.server.clone().unwrap_or_default(),
        resource: given.resource.clone(),
        parameters: given.authorize_param.clone(),
        headers: in_files
            .chain(lines)
            .filter_map(flags::header_line)
            .map(owned)
            .collect(),
        metadata_url: given.client_metadata_url.clone(),
        token_endpoint: given.token_endpoint.clone().map(Url::into),
    }
}

/// Prints the report, and gives the exit code that belongs to it.
fn tell(args: &Import, report: &Report) -> ExitCode {
    if args.json {
        ui::data(&serde_json::json!(report).to_string());
    } else {
        let text = report.text();
        if !text.is_empty() {
            ui::data(&text);
        }
    }
    for problem in &report.problems {
        let hint = problem.hint.as_deref();
        ui::note(&format!(
            "{}{}",
            problem.what,
            hint.map_or(String::new(), |hint| format!("\nhint: {hint}"))
        ));
    }
    if report.problems.iter().any(|problem| problem.store) {
        return ExitCode::from(Exit::Store as u8);
    }
    if report.problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(Exit::Failed as u8)
    }
}
