//! The crash matrix: the real program is killed before each of its steps that change a file, take a lock or speak to somebody, in
//! all that changes something that lasts. Then it is done again: nobody is signed out, no file is damaged, no lock is held,
//! nothing is left behind. The order of the steps also shows what a loss of power would do.
//!
//! ```text
//! cargo test --test crash -- --whole             everything
//! cargo test --test crash -- --sample            every seventh case
//! cargo test --test crash -- --only CASE         the cases whose names begin so
//! cargo test --test crash -- --steps             the steps of each operation
//! ```
//!
//! The steps are found by a first run that nobody disturbs, and counted: no clock has a part in it. Only Linux on x86-64 can
//! be watched so.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking, and this one reports by itself"
)]

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod case;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[path = "../harness/mod.rs"]
#[allow(dead_code, reason = "the others use the rest")]
mod harness;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod matrix;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod operation;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod power;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[path = "../it/import/shop.rs"]
#[allow(dead_code, missing_docs, reason = "the integration tests use the rest")]
mod shop;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[path = "../it/support/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "the integration tests use the rest"
)]
mod support;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod talk;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod tracer;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn main() -> std::process::ExitCode {
    matrix::main()
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn main() {
    println!("test result: ok. 0 passed; 0 failed; 0 ignored");
}
