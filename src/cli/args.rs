//! What can be typed. Rules: long names only, values in capitals, `0` switches a time limit off, and nothing is required
//! but the server. Each option can also be set in the environment and the config file.

mod authorization;
mod commands;
mod hosts;

use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, ValueEnum};

use super::values::{Seconds, bytes, positive_seconds};
pub use authorization::{Auth, Authorization, Provider, SignIn, Store};
pub use commands::{Call, Command, Completions, Doctor, Import, Login, Logout, Man, Status, Tools};
pub use hosts::{Install, Uninstall};

/// Connects a local MCP client, over stdin and stdout, to a remote MCP server
#[derive(Debug, Parser)]
#[command(
    name = "mcp-tether",
    version,
    args_conflicts_with_subcommands = true,
    args_override_self = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "Each option that takes a value also reads MCP_TETHER_<NAME>, switches read 1, true, 0 or false."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub bridge: Bridge,
}

/// The definition of all that can be typed. What a command has no use for is not in its help; settings for the bridge may
/// still reach it, from the environment, say.
pub fn command() -> clap::Command {
    fn about(arg: &clap::Arg, heading: &str) -> bool {
        arg.get_help_heading() == Some(heading)
    }
    fn id_is(arg: &clap::Arg, ids: &[&str]) -> bool {
        ids.contains(&arg.get_id().as_str())
    }
    fn sign_ins_only(command: clap::Command) -> clap::Command {
        command.mut_args(|arg| {
            let hidden = about(&arg, "Remote")
                || about(&arg, "Filter")
                || (about(&arg, "Authorization") && !id_is(&arg, &["profile", "store"]))
                || id_is(&arg, &["callback_port"]);
            let hidden = hidden || arg.is_hide_set();
            arg.hide(hidden)
        })
    }
    fn once(command: clap::Command) -> clap::Command {
        let useless = ["keep_alive", "ping_interval", "grace", "sign_in"];
        command.mut_args(|arg| {
            let hidden = id_is(&arg, &useless) || arg.is_hide_set();
            arg.hide(hidden)
        })
    }
    Cli::command()
        .mut_subcommand("login", |login| {
            login.mut_args(|arg| {
                let remote = about(&arg, "Remote")
                    && !id_is(&arg, &["header", "header_file", "disable_cookies"]);
                let hidden = remote || about(&arg, "Filter") || id_is(&arg, &["sign_in"]);
                let hidden = hidden || arg.is_hide_set();
                arg.hide(hidden)
            })
        })
        .mut_subcommand("import", |import| {
            import.mut_args(|arg| {
                let unused = (about(&arg, "Remote") && !id_is(&arg, &["header", "header_file"]))
                    || about(&arg, "Filter")
                    || id_is(&arg, &["sign_in"]);
                let unused = unused || arg.is_hide_set();
                arg.hide(unused)
            })
        })
        .mut_subcommand("logout", sign_ins_only)
        .mut_subcommand("status", sign_ins_only)
        .mut_subcommand("tools", once)
        // What stands after the server is the tool.
        .mut_subcommand("call", |call| {
            once(call).mut_arg("callback_port", |port| {
                port.long("callback-port").help_heading("Authorization")
            })
        })
}

/// The definition of what can be typed without a command.
pub fn bridge() -> clap::Command {
    let command = clap::Command::new("mcp-tether").args_override_self(true);
    Bridge::augment_args(command)
}

/// Everything that the bridge takes.
#[derive(Debug, Args)]
#[command(args_override_self = true)]
pub struct Bridge {
    /// URL of the remote MCP server, or the name of a server in the config file
    #[arg(value_name = "URL")]
    pub server: Option<String>,
    /// Port that the browser comes back to after a sign-in [default: any free one]
    #[arg(value_name = "CALLBACK_PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub callback_port: Option<u16>,
    #[command(flatten)]
    pub remote: Remote,
    #[command(flatten)]
    pub authorization: Authorization,
    #[command(flatten)]
    pub network: Network,
    #[command(flatten)]
    pub filter: Filter,
    #[command(flatten)]
    pub output: Output,
    /// Config file to read instead of the user's own
    #[arg(long, value_name = "FILE", help_heading = "Config")]
    pub config: Option<PathBuf>,
}

/// Which transports to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Transport {
    /// Streamable HTTP, then HTTP+SSE
    HttpFirst,
    /// HTTP+SSE, then Streamable HTTP
    SseFirst,
    /// Streamable HTTP
    HttpOnly,
    /// HTTP+SSE
    SseOnly,
    /// WebSocket
    #[value(name = "websocket")]
    WebSocket,
}

/// Which revisions of the protocol the server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// Found out
    Auto,
    /// Up to 2025-11-25
    Legacy,
    /// 2026-07-28
    Modern,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Remote")]
pub struct Remote {
    /// Which transports to try; a ws:// or wss:// URL needs none
    #[arg(long, value_enum, value_name = "WHICH", default_value = "http-first")]
    pub transport: Transport,
    /// Which revisions of the protocol the server speaks
    #[arg(long, value_enum, value_name = "WHICH", default_value = "auto")]
    pub protocol: Protocol,
    /// Header for the server, as 'Name: value'; ${VARIABLE} is replaced from the environment [repeatable]
    #[arg(long, value_name = "HEADER")]
    pub header: Vec<String>,
    /// File of headers, one a line; # begins a comment [repeatable]
    #[arg(long, value_name = "FILE")]
    pub header_file: Vec<PathBuf>,
    /// Shell command that prints headers, one a line; run again when the server answers 401
    #[arg(long, value_name = "CMD")]
    pub header_command: Option<String>,
    /// Ping the server while a session is open
    #[arg(long)]
    pub keep_alive: bool,
    /// Seconds between pings; switches --keep-alive on [default: 30]
    #[arg(long, value_name = "SECS", value_parser = positive_seconds)]
    pub ping_interval: Option<Seconds>,
    /// Do not keep cookies
    #[arg(long)]
    pub disable_cookies: bool,
    /// Largest message either way
    #[arg(long, value_name = "SIZE", value_parser = bytes, default_value = "256MiB")]
    pub max_message_size: usize,
    /// Longest that a request may take, in seconds; 0 for no limit, and 60 for the handshake unless given
    #[arg(long, value_name = "SECS", default_value = "0")]
    pub request_timeout: Seconds,
    /// How long the handshake waits for a server that is not up, or for the user to sign in, in seconds
    #[arg(long, value_name = "SECS", default_value = "8")]
    pub initialize_wait: Seconds,
    /// How long running requests may go on when stdin has ended, in seconds
    #[arg(long, value_name = "SECS", default_value = "30")]
    pub grace: Seconds,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub struct Network {
    /// Allow plain http to other machines
    #[arg(long)]
    pub allow_http: bool,
    /// Proxy for all requests, loopback included: http://, https://, socks5:// or socks5h://
    #[arg(long, value_name = "URL", conflicts_with = "no_proxy")]
    pub proxy: Option<String>,
    /// Use no proxy, whatever the environment says
    #[arg(long)]
    pub no_proxy: bool,
    /// Accepted for mcp-remote: proxies of the environment are used anyway
    #[arg(long, hide = true)]
    pub enable_proxy: bool,
    /// PEM file of authorities to trust beside the system's
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// PEM file of the client's certificate, and its key unless --client-key is given
    #[arg(long, value_name = "FILE")]
    pub client_cert: Option<PathBuf>,
    /// PEM file of the client's key
    #[arg(long, value_name = "FILE")]
    pub client_key: Option<PathBuf>,
    /// Do not check certificates: anybody on the way can read and change everything
    #[arg(long)]
    pub insecure: bool,
    /// Connect over IPv4 only
    #[arg(long, conflicts_with = "ipv6")]
    pub ipv4: bool,
    /// Connect over IPv6 only
    #[arg(long)]
    pub ipv6: bool,
    /// Longest that a connect may take, in seconds
    #[arg(long, value_name = "SECS", value_parser = positive_seconds, default_value = "10")]
    pub connect_timeout: Seconds,
    /// Longest wait for the response to begin, in seconds; 0 for no limit. A longer tool call answered as plain JSON needs more
    #[arg(long, value_name = "SECS", default_value = "300")]
    pub headers_timeout: Seconds,
    /// Longest gap within an answer that is no event stream, in seconds; 0 for no limit
    #[arg(long, value_name = "SECS", default_value = "300")]
    pub body_timeout: Seconds,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Filter")]
pub struct Filter {
    /// Hide and refuse tools of this name; * stands for anything [repeatable]
    #[arg(long, value_name = "GLOB")]
    pub ignore_tool: Vec<String>,
    /// Hide and refuse all other tools; * stands for anything [repeatable]
    #[arg(long, value_name = "GLOB")]
    pub only_tool: Vec<String>,
    /// Hide and refuse tools that are not annotated readOnlyHint: true
    #[arg(long)]
    pub read_only: bool,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// Log everything on stderr and in a file of the state folder
    #[arg(long)]
    pub debug: bool,
    /// Print nothing on stderr but the reason of an end
    #[arg(long, conflicts_with = "debug")]
    pub silent: bool,
    /// Log everything in this file
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
    /// How log lines look
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// When to colour stderr
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
}
