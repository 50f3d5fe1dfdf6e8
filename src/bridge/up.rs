//! A client of an earlier revision with a server of 2026-07-28: its requests get an envelope, what the server does not know is
//! answered here, and what the server wants to know in between is asked of the client (see [`crate::era::up`]).

mod rounds;
mod subscriptions;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::core::Core;
use super::request::{Course, Request, Step};
use crate::era::envelope::{self, Invalid};
use crate::era::up::{self, Here, Outcome};
use crate::error::Failure;
use crate::jsonrpc::reply::{self, code};
use crate::jsonrpc::{Kind, Message};

pub(super) use subscriptions::keep as keep_subscriptions;

/// What is kept for such a client.
#[derive(Debug, Default)]
pub(super) struct Up {
    /// How far each request is of which the client wants to know, by its raw token.
    progress: Mutex<HashMap<String, f64>>,
    subscriptions: subscriptions::Subscriptions,
}

/// The token of a request counts until this is dropped: through all its rounds.
#[derive(Debug)]
pub(super) struct Watched {
    core: Arc<Core>,
    token: Option<String>,
}

impl Watched {
    fn begin(core: &Arc<Core>, request: &Message) -> Self {
        let token = envelope::progress_token(request);
        if let Some(token) = &token {
            core.up.progress().insert(token.clone(), f64::MIN);
        }
        let core = Arc::clone(core);
        Self { core, token }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(token) = &self.token {
            self.core.up.progress().remove(token);
        }
    }
}

impl Up {
    fn progress(&self) -> MutexGuard<'_, HashMap<String, f64>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A notification of the server's on its way to the client; `None` when it is not for the client. What belongs to no request
    /// of such a client is passed on as it is.
    pub fn incoming(&self, notification: Message) -> Option<Message> {
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
        if self.message.method() == "initialize" {
            let answer = self.core.link.discovered(&self.message).await?;
            return Ok(Step::here(answer));
        }
        let Some(envelope) = self.core.link.replay.envelope() else {
            // Nobody has said who it is and what it can do (2026-07-28 basic §_meta).
            let invalid = Invalid::Meta("initialize first: it is");
            return Ok(Step::here(invalid.answer(&self.id)));
        };
        if let Some(here) = up::here(&self.message) {
            return self.here(here).await;
        }
        if !self.ready().await? {
            return Ok(Step::Gone);
        }
        let begin = || Watched::begin(&self.core, &self.message);
        course.watched.get_or_insert_with(begin);
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
        Ok(Step::here(answer))
    }
}
