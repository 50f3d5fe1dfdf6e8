//! The command line of the benchmark.

use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::plan;

/// What this process is to be.
pub enum Mode {
    /// The benchmark itself.
    Measure(Options),
    /// The remote server, with the folder to leave its CA certificate in.
    Serve(PathBuf),
    /// The direct client, to be counted by valgrind: its load, the amount and the server.
    Direct(String),
    /// A program that does nothing, where `rustc` is missing.
    Empty,
    /// Asked for help.
    Help,
}

/// What to measure.
#[derive(Default)]
pub struct Options {
    /// Other bridges, measured in turn with ours.
    pub against: Vec<Launch>,
    /// Names of measurements; all if empty.
    pub only: Vec<String>,
    /// Fewer rounds.
    pub quick: bool,
    /// Also the growth rows.
    pub large: bool,
}

/// How a bridge is started.
#[derive(Clone)]
pub struct Launch {
    /// Its column's title.
    pub name: String,
    /// Program and arguments; `{url}` stands for the server's address.
    pub words: Vec<String>,
}

/// Reads the arguments. Cargo's own `--bench` means nothing here.
pub fn parse(args: impl Iterator<Item = String>) -> anyhow::Result<Mode> {
    let mut options = Options::default();
    let mut args = args.filter(|a| a != "--bench");
    while let Some(arg) = args.next() {
        let (flag, inline) = match arg.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag, Some(value.to_owned())),
            _ => (arg.as_str(), None),
        };
        let mut value = || {
            let value = inline.clone().or_else(|| args.next());
            value.with_context(|| format!("{flag} needs a value"))
        };
        match flag {
            "--empty" => return Ok(Mode::Empty),
            "--direct" => return Ok(Mode::Direct(value()?)),
            "--serve" => return Ok(Mode::Serve(value()?.into())),
            "--help" | "-h" => return Ok(Mode::Help),
            "--against" => options.against.push(launch(&value()?)?),
            "--only" => options.only.push(known(value()?)?),
            "--quick" => options.quick = true,
            "--large" => options.large = true,
            _ => bail!("unknown argument {arg}; try --help"),
        }
    }
    Ok(Mode::Measure(options))
}

/// Splits `NAME=COMMAND` at blanks; a command that needs more than that belongs in a script.
fn launch(text: &str) -> anyhow::Result<Launch> {
    let (name, command) = text
        .split_once('=')
        .context("--against takes NAME=COMMAND")?;
    let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
    if !words.iter().skip(1).any(|w| w.contains("{url}")) {
        bail!("the command of --against needs {{url}} as an argument");
    }
    let name = name.to_owned();
    Ok(Launch { name, words })
}

/// A measurement's name, checked.
fn known(name: String) -> anyhow::Result<String> {
    let names = plan::names();
    if !names.contains(&name.as_str()) {
        bail!("no measurement {name}; there are: {}", names.join(", "));
    }
    Ok(name)
}

/// Prints the usage.
pub fn print_help() {
    println!(
        "cargo bench -- [--quick] [--large] [--only NAME]... [--against 'NAME=COMMAND {{url}}']...

  --quick     fewer rounds
  --large     also answers of 64, 128 and 256 MiB
  --only      one measurement: {}
  --against   another bridge beside ours; the command is split at blanks",
        plan::names().join(", ")
    );
}
