//! The commands, and what each takes beside the options of the bridge.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

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
    /// Prints what makes a shell complete commands, options and the names of servers
    Completions(Completions),
    /// Writes the man pages
    #[command(hide = true)]
    Man(Man),
    /// Moves entries and sign-ins of mcp-remote over, those of one server if it is given
    Import(Import),
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
            Self::Import(import) => &mut import.bridge,
            Self::Install(install) => &mut install.bridge,
            Self::Uninstall(_) | Self::Completions(_) | Self::Man(_) => return None,
        })
    }

    /// Whether it is of no use without a server.
    pub const fn needs_server(&self) -> bool {
        match self {
            Self::Run(_) | Self::Login(_) => true,
            Self::Logout(logout) => !logout.all,
            Self::Status(_)
            | Self::Import(_)
            | Self::Uninstall(_)
            | Self::Completions(_)
            | Self::Man(_) => false,
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

/// `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// `man`.
#[derive(Debug, Args)]
pub struct Man {
    /// Folder to write them to
    #[arg(value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub folder: PathBuf,
}

/// `import`.
#[derive(Debug, Args)]
pub struct Import {
    #[command(flatten)]
    pub bridge: Bridge,
    /// Change nothing: show what would be changed
    #[arg(long)]
    pub dry_run: bool,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}
