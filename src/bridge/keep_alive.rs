//! Pings while there is a session (`--keep-alive`), and what they tell: a stream that all messages share may be dead although its
//! connection stands (basic/utilities/ping §Behavior Requirements).

use std::sync::Arc;
use std::time::Duration;

use super::core::{Core, OWN_LIMIT};
use crate::error::Failure;

/// Pings in a row that stay unanswered, with nothing else heard, before the stream is taken for dead.
const MISSING: u32 = 2;

/// The same while a call is in the server's hands since before the silence: a server of one thread says nothing before it is done,
/// and a stream that is opened anew loses the call.
const MISSING_WHILE_BUSY: u32 = 10;

/// A stream on which nothing comes.
#[derive(Debug)]
struct Silence {
    generation: u64,
    /// What had been heard before it.
    heard: u64,
    /// The last request of the client's before it.
    asked: u64,
    /// Pings that stayed unanswered.
    missing: u32,
}

/// Pings the server for as long as there is a session.
pub(super) async fn run(core: Arc<Core>, interval: Duration) {
    let mut status = core.link.status();
    let mut silence: Option<Silence> = None;
    loop {
        if status
            .wait_for(|status| status.generation > 0)
            .await
            .is_err()
        {
            return;
        }
        tokio::time::sleep(interval).await;
        // 2026-07-28 has no ping.
        if core.link.is_modern() {
            continue;
        }
        let now = Silence {
            generation: core.link.generation(),
            heard: core.link.heard(),
            asked: core.inflight.last(),
            missing: 0,
        };
        let failed = core.ask_within(OWN_LIMIT, "ping", None).await.err();
        if let Some(failure) = &failed {
            tracing::debug!("ping: {failure}");
        }
        let is_silent = matches!(failed, Some(Failure::Timeout { .. }))
            && core.link.shares_one_stream()
            && core.link.heard() == now.heard;
        silence = is_silent.then(|| match silence.take() {
            Some(before) if before.is_same(&now) => before,
            _ => now,
        });
        if let Some(silence) = &mut silence {
            silence.missing += 1;
            if silence.missing >= silence.longest(&core) {
                let _ = core.link.renew(silence.generation).await;
                silence.missing = 0;
            }
        }
    }
}

impl Silence {
    /// Whether nothing has come in between.
    const fn is_same(&self, later: &Self) -> bool {
        self.generation == later.generation && self.heard == later.heard
    }

    /// How many pings may stay unanswered.
    fn longest(&self, core: &Core) -> u32 {
        if core.inflight.works_on_one_of(self.asked) {
            MISSING_WHILE_BUSY
        } else {
            MISSING
        }
    }
}
