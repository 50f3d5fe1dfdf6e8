//! The command line: what can be typed, and what becomes of it.

mod account;
mod args;
mod call;
mod completions;
mod connection;
mod doctor;
mod grant;
mod handles;
mod import;
mod install;
mod login;
mod man;
mod oauth;
mod paste;
mod resolve;
mod run;
mod session;
mod signals;
mod status;
mod tools;
mod values;

use std::ffi::OsString;
use std::process::ExitCode;

use args::Command;

use crate::error::Fatal;
use crate::ui;

/// Runs the program with `args`, the first of which is its name.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let env = |name: &str| std::env::var(name).ok();
    let args: Vec<OsString> = args.into_iter().collect();
    if let Some(shell) = completions::asked(&env) {
        return completions::answer(&shell, &args, &env);
    }
    let command = match resolve::resolve(&args, &env) {
        Ok(command) => command,
        Err(resolve::Unresolved::Said(told)) => {
            let written = ui::written(told.print());
            return match (written, told.exit_code()) {
                (Err(wrong), 0) => fail(&wrong),
                (_, exit) => ExitCode::from(u8::try_from(exit).unwrap_or(2)),
            };
        }
        Err(resolve::Unresolved::Wrong(wrong)) => return fail(&wrong),
    };
    let outcome = match &command {
        Command::Run(bridge) => run::run(bridge, &env),
        Command::Login(args) => login::login(args, &env),
        Command::Logout(args) => status::logout(args, &env),
        Command::Status(args) => status::status(args, &env),
        Command::Completions(args) => completions::print(args),
        Command::Man(args) => man::write(args),
        Command::Import(args) => import::import(args, &env),
        Command::Install(given) => install::install(given, &args, &env),
        Command::Uninstall(args) => install::uninstall(args, &env),
        Command::Call(args) => call::call(args, &env),
        Command::Doctor(args) => doctor::doctor(args, &env),
        Command::Tools(args) => tools::tools(args, &env),
    };
    match outcome {
        Ok(exit) => exit,
        Err(wrong) => fail(&wrong),
    }
}

fn fail(wrong: &Fatal) -> ExitCode {
    ui::fatal(wrong);
    ExitCode::from(wrong.exit as u8)
}
