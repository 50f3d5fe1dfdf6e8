//! The local side: what a host does with the bridge, told step by step.

use std::path::Path;

use anyhow::ensure;
use serde_json::{Value, json};

use crate::bridge::{Bridge, command};
use crate::oauth::Oauth;

/// How much was said.
#[derive(Default)]
pub struct Tally {
    /// Requests, each with its answer.
    pub requests: u64,
    /// Progress notifications.
    pub progress: u32,
}

impl Tally {
    fn end(&mut self, bridge: Bridge) -> anyhow::Result<()> {
        self.requests += bridge.requests;
        self.progress += bridge.progress;
        bridge.close()
    }
}

/// A whole conversation with a server that is open to all. Anything unexpected is an error.
pub fn talk(url: &str, home: &Path, tally: &mut Tally) -> anyhow::Result<()> {
    println!("client  <- stdin/stdout ->  mcp-tether  <- HTTP ->  {url}");
    let mut bridge = Bridge::start(url, home)?;

    say("the handshake");
    bridge.initialize()?;

    say("what can the server do?");
    bridge.list_tools()?;

    say("two quick calls");
    let echo = json!({"name": "echo", "arguments": {"text": "hello, far away"}});
    bridge.call(&echo, "hello, far away")?;
    bridge.call(&addition(), "42")?;

    say("a slow call, with progress while it runs");
    let count =
        json!({"name": "count", "arguments": {"to": 4}, "_meta": {"progressToken": "slow"}});
    bridge.call(&count, "counted to 4")?;
    let progress = bridge.progress;
    ensure!(
        progress == 4,
        "4 progress notifications expected, {progress} came"
    );

    say("close stdin: the bridge ends the session and leaves");
    tally.end(bridge)
}

/// The same with a server that wants to know who asks.
pub fn sign_in(url: &str, home: &Path, oauth: &Oauth, tally: &mut Tally) -> anyhow::Result<()> {
    println!("\n\nclient  <- stdin/stdout ->  mcp-tether  <- HTTP, with a sign-in ->  {url}");
    println!("(Your browser stays closed: the demo plays its part.)");

    say("the handshake waits for the sign-in");
    let mut bridge = Bridge::start(url, home)?;
    bridge.initialize()?;

    say("signed in: the tools are there");
    bridge.list_tools()?;
    bridge.call(&addition(), "42")?;
    tally.end(bridge)?;

    say("started again: the sign-in was kept, no browser");
    let mut bridge = Bridge::start(url, home)?;
    bridge.initialize()?;
    bridge.call(&addition(), "42")?;
    tally.end(bridge)?;
    let sign_ins = oauth.sign_ins();
    ensure!(sign_ins == 1, "one sign-in expected, {sign_ins} seen");

    say("mcp-tether logout");
    let status = command(home, &["logout", url])?.status()?;
    ensure!(status.success(), "logout left with {status}");
    Ok(())
}

/// The parameters of a call that gives 42.
fn addition() -> Value {
    json!({"name": "add", "arguments": {"a": 2, "b": 40}})
}

/// Prints a headline of the conversation.
fn say(what: &str) {
    println!("\n# {what}");
}
