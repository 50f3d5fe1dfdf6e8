//! `install --list`: the hosts of this machine, and the servers that each has.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;
use serde_json::json;

use super::place::Place;
use super::program;
use crate::cli::args::Install;
use crate::error::Fatal;
use crate::hosts::{Entry, Host, all, file};
use crate::ui;

/// A file of a host.
#[derive(Debug, Serialize)]
struct Found {
    host: &'static str,
    #[serde(rename = "hostName")]
    host_name: &'static str,
    file: PathBuf,
    /// Whether it is for the project in this folder alone.
    project: bool,
    exists: bool,
    /// Why it cannot be read.
    broken: Option<String>,
    servers: Vec<Server>,
}

/// An entry of it.
#[derive(Debug, Serialize)]
struct Server {
    name: String,
    /// `mcp-tether`, `mcp-remote` or `other`.
    kind: &'static str,
    command: String,
    /// Where it leads, if it is a bridge; without the query.
    url: Option<String>,
    /// The folder of the project that it is for, in a file for all projects.
    folder: Option<String>,
}

/// Prints them.
///
/// # Errors
/// It cannot be printed. A file that cannot be read is told as such.
pub fn list(args: &Install, place: &Place<'_>) -> Result<ExitCode, Fatal> {
    let wanted = |host: &&Host| args.app.as_deref().is_none_or(|id| id == host.id);
    let mut found = Vec::new();
    for host in all().filter(wanted) {
        let places = place.places();
        if let Some(path) = host.file(&places, &file::exists)
            && (host.is_found(&places, &file::exists) || args.app.is_some())
        {
            found.push(look(host, path, Kind::Global));
        }
        let global = host.file(&places, &file::exists);
        let mut project = place.project_files(host);
        project.retain(|path| Some(path) != global.as_ref());
        found.extend(
            project
                .into_iter()
                .map(|path| look(host, path, Kind::Project)),
        );
    }
    if args.json {
        ui::data(&json!(found).to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    if found.is_empty() {
        ui::note("no hosts found; hint: mcp-tether install --help names those that are known");
        return Ok(ExitCode::SUCCESS);
    }
    let texts: Vec<String> = found.iter().map(Found::text).collect();
    ui::data(&texts.join("\n\n"))?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Global,
    Project,
}

fn look(host: &'static Host, path: PathBuf, kind: Kind) -> Found {
    let (servers, broken) = match servers(host, &path) {
        Ok(servers) => (servers, None),
        Err(broken) => (Vec::new(), Some(broken)),
    };
    Found {
        host: host.id,
        host_name: host.name,
        exists: path.exists(),
        file: path,
        project: kind == Kind::Project,
        broken,
        servers,
    }
}

fn servers(host: &Host, path: &Path) -> Result<Vec<Server>, String> {
    let text = file::read(path).map_err(|wrong| wrong.to_string())?;
    let text = text.unwrap_or_default();
    let mut servers = Vec::new();
    for scope in host.scopes(&text).map_err(|broken| broken.to_string())? {
        let entries = host
            .entries_in(&text, &scope)
            .map_err(|broken| broken.to_string())?;
        servers.extend(
            entries
                .iter()
                .map(|entry| server(entry, scope.project.clone())),
        );
    }
    Ok(servers)
}

fn server(entry: &Entry, folder: Option<String>) -> Server {
    let kind = if program::is_ours(&entry.command) {
        "mcp-tether"
    } else if names_mcp_remote(&entry.command) || entry.args.iter().any(|arg| names_mcp_remote(arg))
    {
        "mcp-remote"
    } else {
        "other"
    };
    Server {
        name: entry.name.clone(),
        kind,
        command: entry.command.clone(),
        url: if kind == "other" {
            None
        } else {
            program::server(&entry.args)
        },
        folder,
    }
}

/// Whether a word, which may be a whole line for a shell, names the program that this one takes the place of.
fn names_mcp_remote(text: &str) -> bool {
    text.split(|c: char| c.is_whitespace() || "/\\:'\"".contains(c))
        .any(|word| word == "mcp-remote" || word.starts_with("mcp-remote@"))
}

impl Found {
    fn text(&self) -> String {
        let kind = if self.project { ", this project" } else { "" };
        let mut text = format!(
            "{} ({}{kind})\n  {}",
            self.host_name,
            self.host,
            self.file.display()
        );
        if let Some(broken) = &self.broken {
            text.push_str(&format!("\n  cannot be read: {}", ui::line(broken)));
        } else if !self.exists {
            text.push_str("\n  no file yet");
        } else if self.servers.is_empty() {
            text.push_str("\n  no servers that are started here");
        }
        let name = |server: &Server| ui::line(&server.name).chars().count();
        let width = self.servers.iter().map(name).max().unwrap_or_default();
        for server in &self.servers {
            let name = ui::line(&server.name);
            let to = match &server.url {
                Some(url) => format!("{}  {}", server.kind, ui::line(url)),
                None => ui::line(&server.command),
            };
            text.push_str(&format!("\n  {name:width$}  {to}"));
            if let Some(folder) = &server.folder {
                text.push_str(&format!("  in {}", ui::line(folder)));
            }
        }
        text
    }
}
