//! When a message is sent again: where that does no harm, a few times, after the wait that the server asks for.

use std::time::Duration;

use tokio::time::Instant;

use super::core::Core;
use crate::error::{Failure, Repeat};
use crate::net::retry::{Backoff, reads};
use crate::transport::{Outgoing, Reply};

/// Sends of one request at most, and the waiting between them.
const MAX_SENDS: u32 = 3;
const MAX_WAITING: Duration = Duration::from_secs(30);

/// When to send a request again.
#[derive(Debug)]
pub(super) struct Tries {
    method: Box<str>,
    sends: u32,
    waited: Duration,
    backoff: Backoff,
    /// Until when a handshake waits for the server to come up.
    handshake: Option<Instant>,
}

impl Tries {
    pub fn new(method: &str, arrived: Instant, initialize_wait: Duration) -> Self {
        let handshake =
            matches!(method, "initialize" | "server/discover").then(|| arrived + initialize_wait);
        let cap = if handshake.is_some() { 1 } else { 8 };
        Self {
            method: method.into(),
            sends: 0,
            waited: Duration::ZERO,
            backoff: Backoff::new(Duration::from_millis(250), Duration::from_secs(cap)),
            handshake,
        }
    }

    /// The wait before the next send, or `None` to give up.
    pub fn again(&mut self, failure: &Failure, now: Instant, random: f64) -> Option<Duration> {
        self.sends += 1;
        let asked = match failure.repeat() {
            Repeat::Any(wait) => wait,
            Repeat::Reads(wait) if reads(&self.method) => wait,
            _ => return None,
        };
        let wait = asked.unwrap_or_else(|| self.backoff.wait(random));
        if let (Failure::Unreachable { .. }, Some(until)) = (failure, self.handshake) {
            return (now + wait < until).then_some(wait);
        }
        // A server may ask for any wait, even one that no sum can hold.
        self.waited = self.waited.saturating_add(wait);
        (self.sends < MAX_SENDS && self.waited <= MAX_WAITING).then_some(wait)
    }
}

/// Sends a message that has no answer, again where that does no harm.
pub(super) async fn repeated(core: &Core, outgoing: &Outgoing) -> Result<Reply, Failure> {
    let method = outgoing.message.method();
    let mut tries = Tries::new(method, Instant::now(), core.options.initialize_wait);
    loop {
        let failure = match core.link.exchange(outgoing).await {
            Ok(reply) => return Ok(reply),
            Err(failure) => failure,
        };
        match tries.again(&failure, Instant::now(), fastrand::f64()) {
            Some(wait) => tokio::time::sleep(wait).await,
            None => return Err(failure),
        }
    }
}

#[cfg(test)]
mod tests;
