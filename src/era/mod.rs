//! What revision and transport a server speaks, read from its answers. Pure: no IO, no clock.

pub mod detect;
pub mod headers;
