//! The command line: what can be typed, and what becomes of it.

mod args;
mod handles;
mod resolve;
mod run;
mod signals;
mod values;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::error::Fatal;
use crate::ui;

/// Runs the program with `args`, the first of which is its name.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let env = |name: &str| std::env::var(name).ok();
    let bridge = match resolve::resolve(&args.into_iter().collect::<Vec<_>>(), &env) {
        Ok(bridge) => bridge,
        Err(resolve::Unresolved::Said(told)) => {
            let _ = told.print();
            return ExitCode::from(u8::try_from(told.exit_code()).unwrap_or(2));
        }
        Err(resolve::Unresolved::Wrong(wrong)) => return fail(&wrong),
    };
    match run::run(&bridge, &env) {
        Ok(exit) => exit,
        Err(wrong) => fail(&wrong),
    }
}

fn fail(wrong: &Fatal) -> ExitCode {
    ui::fatal(wrong);
    ExitCode::from(wrong.exit as u8)
}
