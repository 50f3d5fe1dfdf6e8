//! The tools that the integration tests share: fake servers with every way to misbehave, scripted
//! MCP servers on top of them, and the harness that runs the real binary.
//!
//! Everything waits for events with a deadline. Nothing here sleeps to wait for something, and
//! nothing sets the environment of the test process.

pub mod authserver;
pub mod browser;
pub mod gate;
pub mod golden;
pub mod http;
pub mod launch;
pub mod ledger;
pub mod mcp;
pub mod modern;
mod pipes;
pub mod proofs;
pub mod protected;
#[cfg(unix)]
pub mod pty;
pub mod rpc;
pub mod scene;
pub mod server;
pub mod tether;
pub mod tls;
pub mod visit;
mod wire;

use std::time::Duration;

/// How long anything may take before the test that waits for it fails.
pub const DEADLINE: Duration = Duration::from_secs(10);
