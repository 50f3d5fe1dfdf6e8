//! The bridge in ten seconds: `cargo run --example demo`.
//!
//! Three parts talk to each other, each as it would in real life:
//!
//! ```text
//! a local client  -- lines on pipes -->  mcp-tether  -- HTTP -->  a remote MCP server
//! (client.rs, bridge.rs)                 (the library)            (server.rs)
//! ```
//!
//! First the server is open to all; then it wants a sign-in (oauth.rs), for which the bridge opens a browser (browser.rs).
//!
//! `cargo run --example demo -- serve [PORT]` runs the server alone, to try the bridge against by hand;
//! `serve --oauth [PORT]` runs it with the sign-in. Nothing here leaves this machine.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a demo speaks to a person at a terminal"
)]

mod bridge;
mod browser;
mod client;
mod oauth;
mod server;

use std::ffi::OsString;
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;

use client::Tally;
use oauth::{Consent, Oauth};

/// The first argument with which the demo starts itself as the bridge.
const AS_BRIDGE: &str = "--as-bridge";

/// The port of `serve` when none is given.
const PORT: u16 = 8765;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let words: Vec<&str> = args.iter().map(|a| a.to_str().unwrap_or("?")).collect();
    let outcome = match words.as_slice() {
        [AS_BRIDGE, ..] => return mcp_tether::run(bridge_args(args)),
        // The bridge starts its browser with an address, and nothing else.
        [url] if url.starts_with("http://") => browser::visit(url),
        [] => talk(),
        ["serve", "--oauth", rest @ ..] => port(rest).and_then(serve_with_oauth),
        ["serve", rest @ ..] => port(rest).and_then(serve),
        _ => usage(),
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

/// The optional last argument.
fn port(words: &[&str]) -> anyhow::Result<u16> {
    match words {
        [] => Ok(PORT),
        [port] => port.parse().context("PORT is no number"),
        _ => usage(),
    }
}

fn usage<T>() -> anyhow::Result<T> {
    anyhow::bail!("usage: demo [serve [--oauth] [PORT]]")
}

/// Starts two servers on free ports, and lets the client talk to each through the bridge.
fn talk() -> anyhow::Result<()> {
    let started = Instant::now();
    let home = tempfile::tempdir().context("make a folder for the bridge")?;
    let mut tally = Tally::default();

    let listener = listen(0)?;
    let url = server::url(&listener)?;
    std::thread::spawn(move || server::run(listener, None));
    client::talk(&url, home.path(), &mut tally)?;

    let listener = listen(0)?;
    let url = server::url(&listener)?;
    let oauth = Arc::new(Oauth::new(&url, Consent::Assumed));
    let door = Arc::clone(&oauth);
    std::thread::spawn(move || server::run(listener, Some(&door)));
    client::sign_in(&url, home.path(), &oauth, &mut tally)?;

    println!(
        "\nAll well: {requests} requests, {requests} answers, {progress} progress notifications, one sign-in, exit code 0, {:.1} s.",
        started.elapsed().as_secs_f64(),
        requests = tally.requests,
        progress = tally.progress,
    );
    println!("Next: `cargo run --example demo -- serve` keeps the server up for a real host,");
    println!(
        "`cargo run --example demo -- serve --oauth` with a sign-in that you can click through."
    );
    Ok(())
}

fn listen(port: u16) -> anyhow::Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", port))
        .with_context(|| format!("listen on 127.0.0.1:{port} (as PORT, 0 takes a free one)"))
}

/// Keeps the server up until Ctrl-C and says how to reach it.
fn serve(port: u16) -> anyhow::Result<()> {
    let listener = listen(port)?;
    introduce(&server::url(&listener)?);
    println!("\nCtrl-C ends it.");
    server::run(listener, None)
}

/// The same with a sign-in.
fn serve_with_oauth(port: u16) -> anyhow::Result<()> {
    let listener = listen(port)?;
    let url = server::url(&listener)?;
    introduce(&url);
    println!(
        r"
The first request opens your browser, with a page to click Allow or Deny on. Or do that beforehand:

mcp-tether login {url}
mcp-tether status
mcp-tether logout {url}

Tokens last a minute here, then the bridge gets new ones by itself. This window tells what happens. Ctrl-C ends it, and the
server forgets everybody: next time the bridge asks you to sign in again.
"
    );
    let oauth = Oauth::new(&url, Consent::Asked);
    server::run(listener, Some(&Arc::new(oauth)))
}

fn introduce(url: &str) {
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
  | mcp-tether {url}"#
    );
}
