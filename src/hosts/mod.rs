//! The programs that start MCP servers, and the files in which they keep which: found, read and edited so that comments,
//! order, indentation and all else in them stays. Everything here is a function of text and paths but [`mod@file`], which reads
//! and writes.

mod broken;
mod edit;
pub mod file;
mod host;
mod json;
mod lines;
mod place;
mod shape;
mod table;
mod toml;
mod tree;
mod yaml;

pub use broken::Broken;
pub use edit::Format;
pub use host::{Entry, Host, Scope};
pub use place::{Os, Places};

/// All hosts, in the order in which they are shown.
pub fn all() -> impl Iterator<Item = &'static Host> {
    table::HOSTS.iter()
}

/// The host of that id.
pub fn by_id(id: &str) -> Option<&'static Host> {
    all().find(|host| host.id == id)
}

#[cfg(test)]
mod tests;
