//! The command line: what can be typed, and what becomes of it.

mod account;
mod args;
mod connection;
mod doctor;
mod grant;
mod handles;
mod login;
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
    let command = match resolve::resolve(&args.into_iter().collect::<Vec<_>>(), &env) {
        Ok(command) => command,
        Err(resolve::Unresolved::Said(told)) => {
            let _ = told.print();
            return ExitCode::from(u8::try_from(told.exit_code()).unwrap_or(2));
        }
        Err(resolve::Unresolved::Wrong(wrong)) => return fail(&wrong),
    };
    let outcome = match &command {
        Command::Run(bridge) => run::run(bridge, &env),
        Command::Login(args) => login::login(args, &env),
        Command::Logout(args) => status::logout(args, &env),
        Command::Status(args) => status::status(args, &env),
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
