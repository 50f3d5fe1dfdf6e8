//! A client of an earlier revision with a server of 2026-07-28: its requests get an envelope, what the server does not know is
//! answered here, and what the server wants to know in between is asked of the client (see [`crate::era::up`]).

mod rounds;
mod subscriptions;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::core::Core;
use super::request::{Course, Request, Step};
use crate::era::envelope;
use crate::era::up::{self, Here, Outcome};
use crate::error::Failure;
use crate::jsonrpc::reply::{self, code};
use crate::jsonrpc::{Kind, Message};

pub(super) use subscriptions::keep as keep_subscriptions;

/// What is kept for such a client.
#[derive(Debug, Default)]
pub(super) struct Up {
    /// There is such a client: nothing is looked at before.
    used: AtomicBool,
    /// How far each request is of which the client wants to know, by its raw token.
    progress: Mutex<HashMap<String, f64>>,
    subscriptions: subscriptions::Subscriptions,
}

/// A request whose progress is followed, through all of its rounds, until this is dropped.
#[derive(Debug)]
pub(super) struct Watched {
    core: Arc<Core>,
    token: String,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.core.up.progress().remove(&self.token);
    }
}

impl Up {
    fn progress(&self) -> MutexGuard<'_, HashMap<String, f64>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is such a client.
    pub fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// There is such a client.
    fn is_needed(&self) {
        self.used.store(true, Ordering::Relaxed);
    }

    /// A notification of the server's on its way to the client; `None` when it is not for the client. What belongs to no request
    /// of such a client is passed on as it is.
    pub fn incoming(&self, notification: Message) -> Option<Message> {
        if !self.is_used() {
            return Some(notification);
        }
        match notification.method() {
            "notifications/progress" => self.rises(&notification).then_some(notification),
            _ => self.subscriptions.incoming(notification),
        }
    }

    /// Whether progress is more than before: another round may begin anew, which the client must not see (progress §Progress Flow).
    fn rises(&self, notification: &Message) -> bool {
        #[derive(Deserialize)]
        struct Progress<'a> {
            #[serde(borrow, rename = "progressToken")]
            token: &'a RawValue,
            progress: f64,
        }
        let Some(Progress { token, progress }) = notification.read() else {
            return true;
        };
        match self.progress().get_mut(token.get()) {
            Some(last) if progress <= *last => false,
            Some(last) => {
                *last = progress;
                true
            }
            None => true,
        }
    }
}

impl Request {
    /// Sends it to a server of 2026-07-28, for a client of an earlier revision.
    pub(super) async fn up(&self, course: &mut Course) -> Result<Step, Failure> {
        self.core.up.is_needed();
        if self.message.method() == "initialize" {
            let answer = self.core.link.discovered(&self.message).await?;
            return Ok(Step::Here(answer));
        }
        if let Some(here) = up::here(&self.message) {
            return self.here(here).await;
        }
        let Some(envelope) = self.core.link.replay.envelope() else {
            // Nobody has said who it is and what it can do (2026-07-28 basic §_meta).
            let told = "initialize first: the server's revision wants to know the client with each request";
            let error = reply::error(Some(&self.id), code::INVALID_PARAMS, told, None);
            return Ok(Step::Here(error));
        };
        if !self.ready().await? {
            return Ok(Step::Gone);
        }
        if course.watched.is_none() {
            course.watched = self.watched();
        }
        let message = envelope.put_in(&course.message).with_id(&course.id);
        let outgoing = self.core.learned.outgoing(message);
        let Step::Answered(answer, rest) = self.send(&outgoing, &course.id).await? else {
            return Ok(Step::Gone);
        };
        if answer.kind() == Kind::Error {
            return Ok(Step::Answered(up::error(answer), rest));
        }
        let result = answer.payload().unwrap_or_default();
        match up::outcome(self.message.method(), result) {
            Outcome::Complete(clean) if clean == result => Ok(Step::Answered(answer, rest)),
            Outcome::Complete(clean) => {
                let answer = answer.with_payload(clean.as_bytes());
                Ok(Step::Answered(answer, rest))
            }
            Outcome::InputRequired(required) => {
                self.linger(rest);
                self.round(course, &required, &envelope.capabilities).await
            }
            Outcome::Unknown(kind) => {
                let told = format!(
                    "the server answered with a result of the type {kind}, which nobody asked for"
                );
                let error = reply::error(Some(&self.id), code::INTERNAL_ERROR, &told, None);
                Ok(Step::Answered(error, rest))
            }
        }
    }

    /// Follows the progress of the request if the client wants to hear of it.
    fn watched(&self) -> Option<Watched> {
        let token = envelope::progress_token(&self.message)?;
        let core = Arc::clone(&self.core);
        core.up.progress().insert(token.clone(), f64::MIN);
        Some(Watched { core, token })
    }

    /// Answers a request that a server of 2026-07-28 does not know.
    async fn here(&self, here: Here) -> Result<Step, Failure> {
        let answer = match here {
            Here::Answer(result) => reply::result(&self.id, result),
            Here::Refuse(code, told) => reply::error(Some(&self.id), code, &told, None),
            // Kept with the envelope when it is answered.
            Here::LogLevel(_) => reply::result(&self.id, "{}"),
            Here::Subscribe(uri) => match self.core.up.subscriptions.add(&uri).await? {
                true => reply::result(&self.id, "{}"),
                false => {
                    let told = format!("the server tells of no changes of {uri}");
                    reply::error(Some(&self.id), code::INVALID_PARAMS, &told, None)
                }
            },
            Here::Unsubscribe(uri) => {
                self.core.up.subscriptions.remove(&uri);
                reply::result(&self.id, "{}")
            }
        };
        Ok(Step::Here(answer))
    }
}
