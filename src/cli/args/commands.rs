//! The commands, and what each takes beside the options of the bridge.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Bridge;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Connects stdin and stdout to a remote server; the same as giving only the server
    Run(Bridge),
    /// Signs in to a server now
    Login(Login),
    /// Revokes and forgets the sign-in to a server
    Logout(Logout),
    /// Lists sign-ins
    Status(Status),
    /// Checks each step of the way to a server and says what to do about what is wrong
    Doctor(Doctor),
    /// Lists the tools, resources and prompts of a server
    Tools(Tools),
}

impl Command {
    /// What the bridge would take, of a command that has to do with a server.
    pub const fn bridge(&mut self) -> Option<&mut Bridge> {
        Some(match self {
            Self::Run(bridge) => bridge,
            Self::Login(login) => &mut login.bridge,
            Self::Logout(logout) => &mut logout.bridge,
            Self::Status(status) => &mut status.bridge,
            Self::Doctor(doctor) => &mut doctor.bridge,
            Self::Tools(tools) => &mut tools.bridge,
        })
    }

    /// Whether it is of no use without a server.
    pub const fn needs_server(&self) -> bool {
        match self {
            Self::Run(_) | Self::Login(_) | Self::Doctor(_) | Self::Tools(_) => true,
            Self::Logout(logout) => !logout.all,
            Self::Status(_) => false,
        }
    }
}

/// `login`.
#[derive(Debug, Args)]
pub struct Login {
    #[command(flatten)]
    pub bridge: Bridge,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// `logout`.
#[derive(Debug, Args)]
pub struct Logout {
    #[command(flatten)]
    pub bridge: Bridge,
    /// All sign-ins to all servers
    #[arg(long, conflicts_with = "server")]
    pub all: bool,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// `status`.
#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    pub bridge: Bridge,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// `tools`.
#[derive(Debug, Args)]
pub struct Tools {
    #[command(flatten)]
    pub bridge: Bridge,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// `doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    pub bridge: Bridge,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
    /// File to write a report for others to, without secrets
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// The options that were given, from wherever, with their values.
    #[arg(skip)]
    pub given: Vec<(String, Vec<String>)>,
}
