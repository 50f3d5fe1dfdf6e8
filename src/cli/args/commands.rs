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
    /// Checks each step of the way to a server and says what to do about what is wrong
    Doctor(Doctor),
    /// Lists the tools, resources and prompts of a server
    Tools(Tools),
    /// Calls a tool of a server
    Call(Call),
    /// Adds a server to the config file of a host, or lists what hosts have
    Install(Install),
    /// Takes a server out of the config file of a host
    Uninstall(Uninstall),
    /// Moves entries and sign-ins of mcp-remote over, those of one server if it is given
    Import(Import),
    /// Prints what makes a shell complete commands, options and the names of servers
    Completions(Completions),
    /// Writes the man pages
    #[command(hide = true)]
    Man(Man),
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
            Self::Call(call) => &mut call.bridge,
            Self::Install(install) => &mut install.bridge,
            Self::Import(import) => &mut import.bridge,
            Self::Uninstall(_) | Self::Completions(_) | Self::Man(_) => return None,
        })
    }

    /// Whether it is of no use without a server.
    pub const fn needs_server(&self) -> bool {
        match self {
            Self::Run(_) | Self::Login(_) | Self::Doctor(_) | Self::Tools(_) | Self::Call(_) => {
                true
            }
            Self::Logout(logout) => !logout.all,
            Self::Install(install) => !install.list,
            Self::Status(_)
            | Self::Uninstall(_)
            | Self::Import(_)
            | Self::Completions(_)
            | Self::Man(_) => false,
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

/// `call`.
#[derive(Debug, Args)]
pub struct Call {
    #[command(flatten)]
    pub bridge: Bridge,
    /// Name of the tool
    #[arg(value_name = "TOOL", help_heading = None::<&str>)]
    pub tool: Option<String>,
    /// Arguments of the tool: one JSON object, or key=value by its schema, where a.b=1 is nested, a repeated key makes a list,
    /// key=@FILE and key=- read a file and stdin, and key:=JSON gives a value as JSON
    #[arg(value_name = "JSON | KEY=VALUE", help_heading = None::<&str>)]
    pub arguments: Vec<String>,
    /// Print the whole result as one JSON document
    #[arg(long)]
    pub json: bool,
    /// File to save images, audio and other data in, or else the text
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
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
