//! The commands, and what each takes beside the options of the bridge.

use clap::{Args, Subcommand};

use super::{Bridge, Install, Uninstall};

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
    /// Adds a server to the config file of a host, or lists what hosts have
    Install(Install),
    /// Takes a server out of the config file of a host
    Uninstall(Uninstall),
}

impl Command {
    /// What the bridge would take, of a command that has to do with a server.
    pub const fn bridge(&mut self) -> Option<&mut Bridge> {
        Some(match self {
            Self::Run(bridge) => bridge,
            Self::Login(login) => &mut login.bridge,
            Self::Logout(logout) => &mut logout.bridge,
            Self::Status(status) => &mut status.bridge,
            Self::Install(install) => &mut install.bridge,
            Self::Uninstall(_) => return None,
        })
    }

    /// Whether it is of no use without a server.
    pub const fn needs_server(&self) -> bool {
        match self {
            Self::Run(_) | Self::Login(_) => true,
            Self::Logout(logout) => !logout.all,
            Self::Status(_) | Self::Uninstall(_) => false,
            Self::Install(install) => !install.list,
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
