//! From what was typed, the environment and the config file to one set of options: flag, then environment, then config
//! file, then default. The latter two are put before the typed arguments as flags, so that one definition reads them all.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Command as Clap, FromArgMatches};

use super::args::{self, Cli, Command};
use crate::config::{
    Known, Paths, Server, Setting, Takes, from_environment, from_file, mistyped, nearest,
};
use crate::error::Fatal;
use crate::net::guard;

/// Options that choose the config file or end the program; they cannot be set in it.
const NOT_SETTINGS: [&str; 3] = ["config", "help", "version"];

/// Why there is nothing to run.
#[derive(Debug)]
pub enum Unresolved {
    /// Help, the version, or a mistake in what was typed, in clap's words.
    Said(clap::Error),
    /// A mistake elsewhere.
    Wrong(Fatal),
}

impl From<Fatal> for Unresolved {
    fn from(wrong: Fatal) -> Self {
        Self::Wrong(wrong)
    }
}

/// Reads the arguments, `argv[0]` being the program's name.
pub fn resolve(
    argv: &[OsString],
    env: &impl Fn(&str) -> Option<String>,
) -> Result<Command, Unresolved> {
    // Hosts give the address first. Commands cannot follow it, and are most of the definition.
    if argv.get(1).is_some_and(|first| is_address(first)) {
        let mut command = args::bridge();
        if let Ok(typed) = command.try_get_matches_from_mut(argv) {
            return settled(command, typed, argv, env);
        }
        // What is wrong with it is told by the whole definition.
    }
    let mut command = args::command();
    match command.try_get_matches_from_mut(argv) {
        Ok(typed) => settled(command, typed, argv, env),
        Err(said) => Err(match misspelt(&command, argv) {
            Some(wrong) if said.use_stderr() => wrong.into(),
            _ => Unresolved::Said(said),
        }),
    }
}

/// Whether a word is an address, and so no command and no name of a server.
fn is_address(word: &OsStr) -> bool {
    word.to_str().is_some_and(|word| word.contains("://"))
}

/// What was `typed`, by the definition `command`, with what the environment and the config file say.
fn settled(
    command: Clap,
    all: ArgMatches,
    argv: &[OsString],
    env: &impl Fn(&str) -> Option<String>,
) -> Result<Command, Unresolved> {
    let (typed, head) = match all.subcommand() {
        Some((name, _)) if !takes_settings(&command, name) => {
            let cli = Cli::from_arg_matches(&all).map_err(Unresolved::Said)?;
            return Ok(cli.command.unwrap_or(Command::Run(cli.bridge)));
        }
        Some((_, inside)) => (inside, 2),
        None => (&all, 1),
    };
    let known = known(&command);
    let is_typed =
        |name: &str| typed.value_source(&name.replace('-', "_")) == Some(ValueSource::CommandLine);

    let names = known.iter().map(|option| option.name.clone());
    let mut taken: Vec<String> = names.filter(|name| is_typed(name)).collect();
    let mut settings = from_environment(&known, env)?;
    settings.retain(|setting| is_free(&command, &taken, setting));
    taken.extend(settings.iter().filter_map(on));
    let server = config_file(&known, typed, env)?;
    for setting in server.settings {
        let set = settings.iter().any(|other| other.name == setting.name);
        if !set && is_free(&command, &taken, &setting) {
            taken.extend(on(&setting));
            settings.push(setting);
        }
    }

    for setting in &settings {
        check(&command, setting)?;
    }
    let matches = if settings.is_empty() {
        all
    } else {
        with(settings, command, argv.split_at_checked(head))?
    };
    let cli = Cli::from_arg_matches(&matches).map_err(Unresolved::Said)?;
    let mut command = cli.command.unwrap_or(Command::Run(cli.bridge));
    if let (Command::Doctor(doctor), Some((_, inside))) = (&mut command, matches.subcommand()) {
        doctor.given = given(inside, &known);
    }
    let needs_server = command.needs_server();
    let Some(bridge) = command.bridge() else {
        return Ok(command);
    };
    if let Some(url) = server.url {
        bridge.server = Some(url);
    }
    if bridge.server.is_none() && needs_server {
        return Err(no_server(&command).into());
    }
    Ok(command)
}

/// What was typed with `settings` as the first flags, by the definition `command`; `typed` is cut where flags begin.
fn with(
    settings: Vec<Setting>,
    mut command: Clap,
    typed: Option<(&[OsString], &[OsString])>,
) -> Result<ArgMatches, Unresolved> {
    let (program, rest) = typed.unwrap_or_default();
    let flags = settings.into_iter().flat_map(|setting| setting.flags);
    let flags: Vec<OsString> = flags.map(OsString::from).collect();
    let all = program.iter().chain(&flags).chain(rest);
    let matches = command.try_get_matches_from_mut(all);
    matches.map_err(Unresolved::Said)
}

/// What is told who gives no server to a command that needs one.
fn no_server(command: &Command) -> Fatal {
    let hint = match command {
        Command::Logout(_) => "give the server's address, or --all",
        Command::Install(_) => {
            "give the whole address, like mcp-tether install cursor https://example.com/mcp"
        }
        Command::Login(_) => {
            "give the whole address, like mcp-tether login https://example.com/mcp"
        }
        Command::Doctor(_) => {
            "give the whole address, like mcp-tether doctor https://example.com/mcp"
        }
        Command::Tools(_) => {
            "give the whole address, like mcp-tether tools https://example.com/mcp"
        }
        Command::Call(_) => {
            "give the whole address, like mcp-tether call https://example.com/mcp TOOL"
        }
        _ => "give the whole address, like mcp-tether https://example.com/mcp",
    };
    Fatal::usage("no server given", hint)
}

/// A first word that is nearly a command: else what follows would be refused as the port that stands there, or as an option
/// that is none. The name of a server, which may be a little like a command, has a port or an option after it.
fn misspelt(command: &Clap, argv: &[OsString]) -> Option<Fatal> {
    let (word, next) = (argv.get(1)?.to_str()?, argv.get(2)?.to_str()?);
    let commands = || command.get_subcommands().map(Clap::get_name);
    if is_address(word.as_ref()) || word.starts_with('-') || commands().any(|name| name == word) {
        return None;
    }
    let follows_server = next.starts_with('-') || next.parse::<u64>().is_ok();
    let near = if follows_server {
        mistyped(word, commands())?
    } else {
        nearest(word, commands())?
    };
    Some(Fatal::usage(
        format!("there is no command {word:?}"),
        format!("did you mean mcp-tether {near}?"),
    ))
}

/// Whether the command has to do with a server, and so with the settings for one.
fn takes_settings(command: &Clap, name: &str) -> bool {
    let found = command.find_subcommand(name);
    found.is_some_and(|command| command.get_arguments().any(|arg| arg.get_id() == "config"))
}

/// The options that were set, with their values as they were written.
fn given(matches: &ArgMatches, known: &[Known]) -> Vec<(String, Vec<String>)> {
    let others = ["server", "callback_port", "config", "json", "report"];
    let names = known.iter().map(|option| option.name.replace('-', "_"));
    let names = names.chain(others.map(str::to_owned));
    let typed = names.filter(|id| {
        let source = matches
            .try_contains_id(id)
            .is_ok()
            .then(|| matches.value_source(id));
        source.flatten() == Some(ValueSource::CommandLine)
    });
    let all = typed.filter_map(|id| {
        let values = matches.try_get_raw(&id).ok()?;
        let values = values.into_iter().flatten();
        let values = values.map(|value| value.to_string_lossy().into_owned());
        Some((id.replace('_', "-"), values.collect()))
    });
    all.collect()
}

/// The option's name, unless it is switched off.
fn on(setting: &Setting) -> Option<String> {
    (!setting.flags.is_empty()).then(|| setting.name.clone())
}

/// Whether a source that counts more has set neither this option nor one that excludes it.
fn is_free(command: &Clap, taken: &[String], setting: &Setting) -> bool {
    let declared = |one: &str, other: &str| {
        let mut options = command.get_arguments();
        options
            .find(|option| option.get_long() == Some(one))
            .is_some_and(|option| {
                let excluded = command.get_arg_conflicts_with(option);
                excluded
                    .iter()
                    .any(|option| option.get_long() == Some(other))
            })
    };
    let name = setting.name.as_str();
    taken
        .iter()
        .all(|other| other != name && !declared(other, name) && !declared(name, other))
}

/// The options that can be set outside of the command line.
fn known(command: &Clap) -> Vec<Known> {
    let options = command.get_arguments().filter_map(|option| {
        let name = option
            .get_long()
            .filter(|name| !NOT_SETTINGS.contains(name))?;
        let takes = match option.get_action() {
            ArgAction::SetTrue => Takes::Nothing,
            ArgAction::Append => Takes::Many,
            _ => Takes::One,
        };
        Some(Known {
            name: name.to_owned(),
            takes,
        })
    });
    options.collect()
}

/// What the config file says for this run.
fn config_file(
    known: &[Known],
    typed: &ArgMatches,
    env: &impl Fn(&str) -> Option<String>,
) -> Result<Server, Fatal> {
    let given = typed.get_one::<PathBuf>("config").cloned();
    let given = given.or_else(|| env("MCP_TETHER_CONFIG").map(PathBuf::from));
    let target = typed.get_one::<String>("server");
    let name = target
        .filter(|target| !target.contains("://"))
        .map(String::as_str);
    let own = Paths::find(env).map(|paths| paths.config);
    let Some(path) = given.clone().or(own) else {
        return match name {
            Some(name) => Err(Fatal::usage(
                format!(
                    "{:?} is not a URL, and there is no config file to look it up in",
                    guard::without_query(name)
                ),
                "give the whole address, like https://example.com/mcp",
            )),
            None => Ok(Server::default()),
        };
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(wrong) if wrong.kind() == std::io::ErrorKind::NotFound && given.is_none() => {
            String::new()
        }
        Err(wrong) => return Err(unreadable(&path, &wrong)),
    };
    if text.is_empty() && name.is_none() {
        return Ok(Server::default());
    }
    let commands: Vec<String> = args::command()
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect();
    from_file(&path, &text, known, &commands, name)
}

fn unreadable(path: &Path, wrong: &std::io::Error) -> Fatal {
    Fatal::usage(
        format!("cannot read the config file {}: {wrong}", path.display()),
        "check the path given with --config",
    )
}

/// Checks one setting by itself, so that the message can say where it stands.
fn check(command: &Clap, setting: &Setting) -> Result<(), Fatal> {
    let argv = [command.get_name()]
        .into_iter()
        .chain(setting.flags.iter().map(String::as_str));
    if setting.flags.is_empty() {
        return Ok(());
    }
    let Err(wrong) = command.clone().try_get_matches_from(argv) else {
        return Ok(());
    };
    let told = wrong.to_string();
    let first = told
        .lines()
        .next()
        .unwrap_or_default()
        .trim_start_matches("error: ");
    Err(Fatal::usage(
        format!("{}: {first}", setting.source),
        format!("see --{} in mcp-tether --help", setting.name),
    ))
}

#[cfg(test)]
mod tests;
