//! mcp-tether: connects any local MCP client, over stdio, to any remote MCP server.
//!
//! The program is this library and a `main` of one line, so that tests, benchmarks and examples reach every part. Modules
//! stand in layers, from [`error`] up to [`cli`]; each uses only what is below it.

pub mod auth;
pub mod bridge;
pub mod cli;
pub mod config;
pub mod draft;
pub mod era;
pub mod error;
pub mod hosts;
pub mod jsonrpc;
pub mod net;
pub mod queue;
pub mod secret;
pub mod store;
pub mod tools;
pub mod transport;
pub mod ui;

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the program with `args`, the first of which is its name, on the process's own stdin, stdout and stderr.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    cli::main(args)
}
