//! What the user has to know or do after an entry was written.

use super::program;
use super::shelter::{expands_itself, variables};
use super::typed::Typed;
use crate::hosts::{Entry, Host};
use crate::ui;

/// After a new or changed entry, which may have a secret in its environment.
pub fn of_install(
    host: &Host,
    (entry, is_secret): (&Entry, bool),
    typed: &Typed,
    project: bool,
) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    for file in typed.files.iter().filter(|file| !file.exists()) {
        notes.push(format!("there is no file {} yet", file.display()));
    }
    if is_secret {
        notes.push(
            "secrets stand in the entry's environment, not in its arguments; a file given with --header-file keeps them out of both"
                .to_owned(),
        );
    }
    notes.extend(of_variables(host, entry));
    if project {
        notes.extend(of_shared(&entry.args));
        notes.push(
            "the file names mcp-tether by its path on this machine; others who use it need theirs"
                .to_owned(),
        );
    }
    notes.extend(program::warning(&entry.command).map(str::to_owned));
    notes.extend(host.notes.iter().map(|note| (*note).to_owned()));
    notes
}

/// After an entry was taken out.
pub fn of_uninstall(host: &Host, server: Option<&str>) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(server) = server {
        notes.push(format!(
            "its sign-in stays, if it has one; hint: mcp-tether logout {server}"
        ));
    }
    notes.push(format!(
        "start {} again, if it runs: it may still have the server",
        host.name
    ));
    notes
}

/// What others should perhaps not get.
fn of_shared(args: &[String]) -> Vec<String> {
    let mut notes = Vec::new();
    let mut option = "";
    for arg in args {
        let what = if arg.contains("://") {
            "the URL"
        } else {
            option
        };
        if ui::settings(arg) != *arg {
            notes.push(format!(
                "{what} has what looks like a secret, and others get the project's file too"
            ));
        }
        if arg.split('=').next() == Some("--header-command") {
            notes.push(
                "whoever uses the project's file runs the command of --header-command".to_owned(),
            );
        }
        option = arg;
    }
    notes
}

fn of_variables(host: &Host, entry: &Entry) -> Vec<String> {
    let mut notes = Vec::new();
    for name in variables(&entry.args) {
        let form = format!("${{{name}}}");
        let own = host
            .expands
            .iter()
            .any(|begin| begin.len() > 2 && form.starts_with(begin));
        if entry.env.iter().any(|(known, _)| known == name) || own {
            continue;
        }
        let (host, host_id) = (host.name, host.id);
        notes.push(if name.contains(':') {
            format!("{host} does not know {form}, and mcp-tether has no variable of that name")
        } else if host_id == "codex" {
            format!("Codex hands {name} on only if the entry has env_vars = [\"{name}\"]")
        } else {
            format!("{name} has to be in the environment of {host} when it starts the server")
        });
    }
    if expands_itself(host) && !notes.is_empty() {
        notes.push(format!(
            "{} replaces variables itself, before it starts the server",
            host.name
        ));
    }
    notes
}
