//! What `install` and `uninstall` take.

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::Bridge;
use crate::hosts;

/// The hosts that can be typed.
fn ids() -> PossibleValuesParser {
    PossibleValuesParser::new(
        hosts::all().map(|host| clap::builder::PossibleValue::new(host.id).help(host.name)),
    )
}

/// `install`.
#[derive(Debug, Args)]
pub struct Install {
    /// Program whose config file gets the server
    #[arg(value_name = "HOST", value_parser = ids(), required_unless_present = "list")]
    pub app: Option<String>,
    /// Name of the entry [default: from the URL]
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub name: Option<String>,
    /// Use the host's file for the project in this folder
    #[arg(long)]
    pub project: bool,
    /// Change nothing: show what would be changed
    #[arg(long)]
    pub dry_run: bool,
    /// Replace an entry of that name, whatever it is
    #[arg(long)]
    pub force: bool,
    /// List the hosts of this machine, and the servers that each has
    #[arg(long, conflicts_with_all = ["name", "project", "dry_run", "force"])]
    pub list: bool,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub bridge: Bridge,
}

/// `uninstall`.
#[derive(Debug, Args)]
pub struct Uninstall {
    /// Program whose config file has the server
    #[arg(value_name = "HOST", value_parser = ids())]
    pub host: String,
    /// Name of the entry
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Use the host's file for the project in this folder
    #[arg(long)]
    pub project: bool,
    /// Change nothing: show what would be changed
    #[arg(long)]
    pub dry_run: bool,
    /// Take the entry out, whatever it is
    #[arg(long)]
    pub force: bool,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// A name that every host takes.
fn name(text: &str) -> Result<String, String> {
    let is_known = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let is_name =
        text.chars().all(is_known) && text.starts_with(|c: char| c.is_ascii_alphanumeric());
    is_name
        .then(|| text.to_owned())
        .ok_or_else(|| "use letters, digits, - and _".to_owned())
}
