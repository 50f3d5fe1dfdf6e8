//! `man`: a manual page for the program and one for each command, out of the one definition of what can be typed. Nothing in
//! them depends on the machine, the terminal or the version.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use clap::Command;
use clap_mangen::Man as Page;
use clap_mangen::roff::{Roff, bold};

use super::args::{self, Man};
use crate::error::{Exit, Fatal};

/// What each part that is written begins with, and a page needs once.
const PREAMBLE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

/// Writes the pages.
///
/// # Errors
/// The folder cannot be written to.
pub fn write(args: &Man) -> Result<ExitCode, Fatal> {
    let mut command = args::command();
    command.build();
    pages(&command, &args.folder).map_err(|wrong| Fatal {
        exit: Exit::Failed,
        message: format!(
            "cannot write the man pages to {}: {wrong}",
            args.folder.display()
        ),
        hint: Some("name a folder that you can write to".to_owned()),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn pages(command: &Command, folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let name = command.get_display_name().unwrap_or(command.get_name());
    std::fs::write(folder.join(format!("{name}.1")), page(command, name)?)?;
    let mut shown = command
        .get_subcommands()
        .filter(|below| !below.is_hide_set());
    shown.try_for_each(|below| pages(below, folder))
}

fn page(command: &Command, name: &str) -> io::Result<Vec<u8>> {
    let page = Page::new(command.clone());
    let mut text = Vec::new();
    // No date and no version: both change without the page.
    let mut title = Roff::new();
    title.control("TH", [name.to_uppercase().as_str(), "1"]);
    title.to_writer(&mut text)?;
    page.render_name_section(&mut text)?;
    synopsis(command).to_writer(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    if command.get_subcommands().any(|below| !below.is_hide_set()) {
        page.render_subcommands_section(&mut text)?;
    }
    if command.get_after_help().is_some() || command.get_after_long_help().is_some() {
        page.render_extra_section(&mut text)?;
    }
    let text = String::from_utf8_lossy(&text).replace(PREAMBLE, "");
    Ok(format!("{PREAMBLE}{text}").into_bytes())
}

/// How it is used, as `--help` says it: with all options by name it would fill a screen.
fn synopsis(command: &Command) -> Roff {
    let usage = command.clone().render_usage().to_string();
    let mut section = Roff::new();
    section.control("SH", ["SYNOPSIS"]);
    for (at, line) in usage.trim_start_matches("Usage:").lines().enumerate() {
        if at > 0 {
            section.control("br", []);
        }
        section.text([bold(line.trim())]);
    }
    section
}
