//! Messages to the server that have no answer: notifications, and the client's answers.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::error::Elapsed;

use super::core::Core;
use super::inflight::Busy;
use super::link::Phase;
use super::tries::repeated;
use crate::error::Failure;
use crate::jsonrpc::Message;
use crate::queue::Weight;
use crate::transport::{Outgoing, Reply};

/// The longest that one of them may take.
const LIMIT: Duration = Duration::from_secs(60);

/// A notification that waits for its turn, and counts as work until it has been sent.
#[derive(Debug)]
pub(super) struct Waiting {
    pub message: Message,
    pub busy: Busy,
}

impl Weight for Waiting {
    fn weight(&self) -> usize {
        self.message.weight()
    }
}

impl Core {
    /// Sends a message that has no answer, in a task of its own.
    pub fn post(self: &Arc<Self>, message: Message) {
        let busy = self.inflight.work.start();
        let core = Arc::clone(self);
        tokio::spawn(async move {
            core.deliver(message).await;
            drop(busy);
        });
    }

    /// The client has finished its handshake. A server that knows nothing of it yet is told later; one that wants a sign-in
    /// first gets a new session then.
    pub async fn initialized(&self, notification: Message) {
        if self.deferred.is_provisional() {
            self.link.replay.initialized(&notification);
            let mut status = self.link.status();
            // One that is being opened may have missed this.
            let opened = status
                .wait_for(|status| !matches!(status.phase, Phase::Renewing))
                .await;
            if opened.is_ok_and(|status| status.generation == 0) {
                return;
            }
        }
        if self.link.is_modern() {
            // It knows no handshake.
            return self.link.initialized(&notification);
        }
        let outgoing = Outgoing::new(notification.clone());
        let sent = tokio::time::timeout(LIMIT, repeated(self, &outgoing)).await;
        if let Ok(Err(failure @ Failure::SignInNeeded(_))) = &sent {
            self.link.broken(failure.clone());
        } else if let Some(why) = not_sent(sent) {
            tracing::warn!("could not send notifications/initialized: {why}");
        }
        self.link.initialized(&notification);
    }

    /// Sends a message that has no answer; a failure can only be noted.
    pub async fn deliver(&self, message: Message) {
        let method = message.method().to_owned();
        let outgoing = Outgoing::new(message);
        let sent = tokio::time::timeout(LIMIT, repeated(self, &outgoing)).await;
        if let Some(why) = not_sent(sent) {
            tracing::warn!("could not send {}: {why}", named(&method));
        }
    }
}

/// Why a message was not sent.
fn not_sent(sent: Result<Result<Reply, Failure>, Elapsed>) -> Option<String> {
    match sent {
        Ok(Ok(_)) => None,
        Ok(Err(failure)) => Some(failure.to_string()),
        Err(_) => Some(format!("it took more than {} s", LIMIT.as_secs())),
    }
}

fn named(method: &str) -> &str {
    if method.is_empty() {
        "an answer to the server"
    } else {
        method
    }
}
