//! A request is sent once, and its reply read until the answer is there.

use super::{Course, Request, Step};
use crate::bridge::inflight::Sent;
use crate::bridge::link::{answers, other_id};
use crate::era::headers::mismatch;
use crate::error::{Failure, Refusal};
use crate::jsonrpc::Id;
use crate::transport::Outgoing;

impl Request {
    /// Sends it in its own words.
    pub(super) async fn direct(&self, course: &Course) -> Result<Step, Failure> {
        let opens = self.message.method() == "initialize";
        if !opens && !self.ready().await? {
            return Ok(Step::Gone);
        }
        let message = if course.id == self.id {
            course.message.clone()
        } else {
            course.message.with_id(&course.id)
        };
        let outgoing = if opens {
            Outgoing::opening(message)
        } else if self.modern {
            let message = self.core.link.replay.declaring(message);
            self.core.learned.outgoing(message)
        } else {
            Outgoing::new(message)
        };
        self.send(&outgoing, &course.id).await
    }

    /// Waits until it can be sent; whether it is still waited for.
    pub async fn ready(&self) -> Result<bool, Failure> {
        if self.message.method() == "tools/call" {
            self.allowed().await?;
        }
        self.core.link.ready().await?;
        // A cancel meanwhile leaves nothing to send.
        Ok(self.waits())
    }

    /// Sends `outgoing`, whose id is `id`, and reads the reply until the answer is there.
    pub async fn send(&self, outgoing: &Outgoing, id: &Id) -> Result<Step, Failure> {
        let sent = self.ends(outgoing, id);
        self.core.inflight.set_sent(&self.id, self.serial, sent);
        let mut events = self.core.link.exchange(outgoing).await?.into_events()?;
        while let Some(message) = events.next().await? {
            if answers(&message, id) {
                events.answered();
                if !outgoing.headers.is_empty() && mismatch(&message) {
                    // Whatever its status, it is a refusal that can be mended.
                    return Err(Failure::Status(Box::new(Refusal::said(message))));
                }
                return Ok(Step::Answered(message, events));
            }
            // After a cancel the client no longer knows what the progress is of.
            if message.is("notifications/progress") && !self.waits() {
                continue;
            }
            if let Some(message) = self.core.pass_on(message) {
                self.core.take_in(message).await;
            }
        }
        if self.waits() {
            Err(other_id())
        } else {
            Ok(Step::Gone)
        }
    }

    /// How it is cancelled once it is on its way under `id`: one of 2026-07-28, which alone has headers, by closing its stream, where
    /// it has one of its own (streamable-http §Cancellation), any other by telling the server.
    fn ends(&self, outgoing: &Outgoing, id: &Id) -> Sent {
        if !outgoing.headers.is_empty() && !self.core.link.shares_one_stream() {
            Sent::Stream
        } else {
            Sent::Told(id.clone())
        }
    }
}
