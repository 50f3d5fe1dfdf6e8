//! A transport for tests: a closure answers.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::BoxFuture;

use super::{Outgoing, Reply};
use crate::error::Failure;

type Script = Box<dyn Fn(Outgoing) -> BoxFuture<'static, Result<Reply, Failure>> + Send + Sync>;

/// Answers as its script says.
pub struct Scripted {
    script: Script,
    generation: AtomicU64,
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}

impl Scripted {
    /// A peer that does what `script` says.
    pub fn new(
        script: impl Fn(Outgoing) -> BoxFuture<'static, Result<Reply, Failure>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            script: Box::new(script),
            generation: AtomicU64::new(0),
        }
    }

    pub(super) async fn send(&self, outgoing: &Outgoing) -> Result<Reply, Failure> {
        (self.script)(outgoing.clone()).await
    }

    pub(super) fn begin(&self) -> u64 {
        self.generation.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }
}
