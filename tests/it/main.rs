//! The integration tests: the real binary against fake servers that misbehave on purpose. The
//! tools stand in `support`, with tests of their own in `selftest`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod everything;
mod layers;
mod selftest;
#[allow(dead_code, reason = "a tool box: no test uses all of it")]
mod support;
