//! The network below MCP: the HTTP client and its options, headers that the user gives, waits and repeats, and which
//! URLs are fit to talk to.

pub mod addresses;
pub mod client;
mod cookies;
pub mod failure;
pub mod guard;
pub mod headers;
pub mod proxy;
pub mod retry;
