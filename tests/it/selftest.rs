//! The support code shows on itself that it does what the other tests rely on.

mod authserver;
mod harness;
mod scripted;
mod wire;

use std::future::Future;

/// Runs a client's side on a runtime of its own.
fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(future)
}
