//! The bridge in ten seconds: `cargo run --example demo`.
//!
//! Three parts talk to each other, each as it would in real life:
//!
//! ```text
//! a local client  -- lines on pipes -->  mcp-tether  -- HTTP -->  a remote MCP server
//! (client.rs)                            (the library)            (server.rs)
//! ```
//!
//! `cargo run --example demo -- serve [PORT]` runs the server alone, to try the bridge against
//! by hand. Nothing here leaves this machine.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a demo speaks to a person at a terminal"
)]

mod client;
mod server;

use std::ffi::OsString;
use std::net::TcpListener;
use std::process::ExitCode;

use anyhow::Context;

/// The first argument with which the demo starts itself as the bridge.
const AS_BRIDGE: &str = "--as-bridge";

/// The port of `serve` when none is given.
const PORT: u16 = 8765;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let words: Vec<&str> = args.iter().map(|a| a.to_str().unwrap_or("?")).collect();
    let outcome = match words.as_slice() {
        [AS_BRIDGE, ..] => return mcp_tether::run(bridge_args(args)),
        [] => talk(),
        ["serve"] => serve(PORT),
        ["serve", port] => port.parse().context("PORT is no number").and_then(serve),
        _ => Err(anyhow::anyhow!("usage: demo [serve [PORT]]")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The command line that the library sees: a program name in place of the marker.
fn bridge_args(args: Vec<OsString>) -> impl Iterator<Item = OsString> {
    std::iter::once("mcp-tether".into()).chain(args.into_iter().skip(1))
}

/// Starts the server on a free port, then lets the client talk to it through the bridge.
fn talk() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").context("listen on loopback")?;
    let url = server::url(&listener)?;
    std::thread::spawn(move || server::run(listener));
    client::talk(&url)
}

/// Keeps the server up until Ctrl-C and says how to reach it.
fn serve(port: u16) -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).with_context(|| {
        format!("listen on 127.0.0.1:{port} (`demo serve 0` takes a free port)")
    })?;
    let url = server::url(&listener)?;
    println!(
        r#"A remote MCP server (tools: echo, add, count) is up at {url}

For a host such as Claude Desktop, paste this into its config file:

{{
  "mcpServers": {{
    "demo": {{
      "command": "mcp-tether",
      "args": ["{url}"]
    }}
  }}
}}

Or ask it from a shell:

printf '%s\n' \
  '{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{{"protocolVersion":"2025-11-25","capabilities":{{}},"clientInfo":{{"name":"shell","version":"1"}}}}}}' \
  '{{"jsonrpc":"2.0","method":"notifications/initialized"}}' \
  '{{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{{"name":"add","arguments":{{"a":2,"b":40}}}}}}' \
  | mcp-tether {url}

Ctrl-C ends it."#
    );
    server::run(listener)
}
