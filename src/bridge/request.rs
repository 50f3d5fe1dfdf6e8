//! The way of one request: sent in the server's dialect, repeated where that does no harm, its reply read, answered once.

mod again;
mod attempt;
mod tools;
mod weigh;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::core::Core;
use super::inflight::Sent;
use super::sign_in::Waited;
use super::tries::Tries;
use super::up::Watched;
use crate::era::detect::Era;
use crate::era::headers::mismatch;
use crate::era::{down, mrtr, up};
use crate::error::Failure;
use crate::jsonrpc::reply::{self, code};
use crate::jsonrpc::{Id, Message};
use crate::transport::Events;

/// Sign-ins for the sake of one request: the first, and two that ask for more scope.
const MAX_SIGN_INS: u32 = 3;

/// The request whose answer ends a subscription (2026-07-28 subscriptions).
pub(super) const LISTEN: &str = "subscriptions/listen";

/// The limit for `initialize` where none is given.
const INITIALIZE_LIMIT: Duration = Duration::from_secs(60);

/// How long a stream is read on after its answer, so that its connection can be used again.
const LINGER: Duration = Duration::from_secs(1);

/// How the words of the client become those of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pairing {
    /// They are the same, or nothing is known yet.
    Direct,
    /// An earlier revision, to a server of 2026-07-28.
    Up,
    /// 2026-07-28, to a server of an earlier revision.
    Down,
}

/// One request of the client's.
#[derive(Debug)]
pub(super) struct Request {
    pub core: Arc<Core>,
    pub message: Message,
    pub id: Id,
    /// Whether it has the form of 2026-07-28.
    pub modern: bool,
    /// The user has been asked to open an address for it, and has agreed.
    pub again: bool,
    /// Its place in the table of requests.
    pub serial: u64,
    /// When its line was read.
    pub arrived: Instant,
}

/// What one attempt comes to.
#[derive(Debug)]
pub(super) enum Step {
    /// The answer, and the rest of the stream that brought it.
    Answered(Message, Events),
    /// An answer that the server has not given.
    Here(Message),
    /// There is another round to be made.
    Again,
    /// Nobody waits for it any longer.
    Gone,
}

/// What changes from one attempt to the next.
#[derive(Debug)]
pub(super) struct Course {
    /// The request of this round, in the client's words.
    pub message: Message,
    /// The id that it goes out under.
    pub id: Id,
    /// Rounds of input that it took so far.
    pub rounds: u32,
    /// How far it is, for a client that must not hear of less than before.
    pub watched: Option<Watched>,
    /// What came of it in the dialect that was tried first.
    first: Option<Result<Step, Failure>>,
    tries: Tries,
    sign_ins: u32,
    mended: bool,
}

impl Request {
    /// Sees to it that the request is answered.
    pub async fn serve(mut self) {
        if let Some(answer) = self.made_again() {
            return self.answer_here(answer).await;
        }
        if let Some(answer) = self.core.answered_here(&self).await {
            return self.answer_here(answer).await;
        }
        if self.message.method() == LISTEN && self.core.deferred.is_provisional() {
            self.listen_meanwhile().await;
        }
        let limit = match (self.core.options.request_timeout, self.message.method()) {
            // At a terminal the user may take longer to sign in.
            (None, "initialize") if !self.core.is_for_a_person() => Some(INITIALIZE_LIMIT),
            // It is meant to last.
            (_, LISTEN) => None,
            (limit, _) => limit,
        };
        let outcome = match limit {
            None => self.walk().await,
            Some(limit) => tokio::time::timeout_at(self.arrived + limit, self.walk())
                .await
                .unwrap_or_else(|_| Err(self.overdue(limit))),
        };
        if let Err(Failure::SignInNeeded(_)) = &outcome
            && self.opens()
            && self.core.can_defer(&self.message)
            && let Some(answer) = self.core.defer(&self.message).await
        {
            return self.answer_here(answer).await;
        }
        self.core.room().await;
        let entry = self.core.inflight.take_own(&self.id, self.serial);
        match (outcome, entry) {
            (Ok(Some((answer, rest))), entry) => {
                if let Some(entry) = entry {
                    self.core.complete(&entry, answer);
                }
                self.linger(rest);
            }
            (Err(failure), Some(entry)) => self.core.fail(&entry, &failure),
            (Ok(None) | Err(_), _) => {}
        }
    }

    /// Whether it is what a client begins with.
    fn opens(&self) -> bool {
        match self.message.method() {
            "initialize" => true,
            "server/discover" => self.modern,
            _ => false,
        }
    }

    /// How its words become those of the server, as far as is known.
    pub fn pairing(&self) -> Pairing {
        match self.core.link.era() {
            Some(Era::Legacy) if self.modern => Pairing::Down,
            Some(Era::Modern) if !self.modern => Pairing::Up,
            _ => Pairing::Direct,
        }
    }

    /// Writes an answer that the server has not given.
    async fn answer_here(&self, answer: Message) {
        self.core.room().await;
        if self.core.inflight.take_own(&self.id, self.serial).is_some() {
            self.core.complete_here(answer);
        }
    }

    /// The time is up: the server is told to stop working on it.
    fn overdue(&self, limit: Duration) -> Failure {
        if let Some(Sent::Told(id)) = self.core.inflight.sent(&self.id, self.serial)
            && self.message.method() != "initialize"
        {
            let params =
                format!(r#"{{"requestId":{id},"reason":"the time limit of the request passed"}}"#);
            self.core
                .post(reply::notification("notifications/cancelled", &params));
        }
        Failure::Timeout {
            what: format!("the server did not answer within {} s", limit.as_secs_f64()),
            option: "--request-timeout",
        }
    }

    /// The answer, and the rest of the stream that brought it; `None` when it is no longer waited for.
    async fn walk(&self) -> Result<Option<(Message, Events)>, Failure> {
        let initialize_wait = self.core.options.initialize_wait;
        let mut course = Course {
            message: self.message.clone(),
            id: self.id.clone(),
            rounds: 0,
            watched: None,
            first: None,
            tries: Tries::new(self.message.method(), self.arrived, initialize_wait),
            sign_ins: 0,
            mended: false,
        };
        loop {
            let pairing = self.pairing();
            let outcome = match pairing {
                Pairing::Direct => self.direct(&course).await,
                Pairing::Up => self.up(&mut course).await,
                Pairing::Down => self.down(&course).await,
            };
            let Some(outcome) = self.weigh(pairing, outcome, &mut course).await else {
                continue;
            };
            match outcome {
                Ok(Step::Answered(answer, rest)) => return Ok(Some((answer, rest))),
                Ok(Step::Here(answer)) => return Ok(Some((answer, Events::none()))),
                Ok(Step::Gone) => return Ok(None),
                Ok(Step::Again) => {}
                Err(failure) => match self.recover(pairing, failure, &mut course).await? {
                    Step::Answered(answer, rest) => return Ok(Some((answer, rest))),
                    Step::Here(answer) => return Ok(Some((answer, Events::none()))),
                    Step::Again => {}
                    // Cancelled meanwhile.
                    Step::Gone => return Ok(None),
                },
            }
        }
    }

    /// Does what a failure allows, so that the request can be sent again.
    async fn recover(
        &self,
        pairing: Pairing,
        failure: Failure,
        course: &mut Course,
    ) -> Result<Step, Failure> {
        if matches!(failure, Failure::SignInNeeded(_)) {
            // The server did nothing: a cancel now ends all of it.
            self.core.inflight.set_sent(&self.id, self.serial, Sent::No);
            course.sign_ins += 1;
            if course.sign_ins > MAX_SIGN_INS {
                return Err(failure);
            }
            if !self.again
                && let Some(asked) = self.ask_to_sign_in().await
            {
                return Ok(asked);
            }
            self.sign_in(failure).await?;
            return Ok(Step::Again);
        }
        let modern = match pairing {
            Pairing::Direct => self.modern,
            Pairing::Up => true,
            Pairing::Down => false,
        };
        if modern && !matches!(failure, Failure::Unreachable { .. }) {
            // What is sent once more is another request (2026-07-28 streamable-http §Receiving Messages).
            course.id = self.core.link.own_id();
            if self.message.method() == LISTEN {
                // Its id is in each notification: only the client can begin another one.
                return Err(failure);
            }
            if !course.mended && failure.said().is_some_and(mismatch) {
                course.mended = true;
                if self.list_tools().await.is_ok() {
                    return Ok(Step::Again);
                }
            }
        }
        // What a state was good for is used up.
        let once = pairing == Pairing::Down && mrtr::retry(&self.message).is_some();
        let wait = course
            .tries
            .again(&failure, Instant::now(), fastrand::f64());
        let Some(wait) = wait.filter(|_| !once) else {
            return Err(self.in_clients_words(pairing, failure));
        };
        tracing::debug!(
            method = self.message.method(),
            "sending again in {wait:?}: {failure}"
        );
        tokio::time::sleep(wait).await;
        Ok(if self.waits() {
            Step::Again
        } else {
            Step::Gone
        })
    }

    /// The server's error as the client's revision knows it.
    fn in_clients_words(&self, pairing: Pairing, failure: Failure) -> Failure {
        failure.map_said(|error| match pairing {
            Pairing::Direct => error,
            Pairing::Up => up::error(error),
            Pairing::Down => match down::error(error.clone()) {
                down::Refusal::Error(error) => error,
                // Answered with a round of input.
                down::Refusal::UrlElicitations(_) => error,
            },
        })
    }

    /// Waits until the user has signed in. `refused` is what the first request fails with while it waits: it is answered here then.
    async fn sign_in(&self, refused: Failure) -> Result<(), Failure> {
        let opens = self.opens();
        // The answer must be out before the limit on the whole request passes.
        let limit = self
            .core
            .options
            .request_timeout
            .unwrap_or(INITIALIZE_LIMIT);
        let wait = self.core.options.initialize_wait.min(limit.mul_f32(0.9));
        let until = opens.then(|| self.arrived + wait);
        match self.core.wait_for_sign_in(&self.message, until).await {
            Waited::SignedIn => Ok(()),
            // Its own words say more.
            Waited::Failed(Failure::NoSignIn) => Err(refused.without_sign_in()),
            Waited::Failed(failure) => Err(failure),
            Waited::NotYet(_) if opens => Err(refused),
            Waited::NotYet(address) => Err(self.core.sign_in_pending(address)),
        }
    }

    /// The answer to a request that cannot go on (SEP-2322: other failures than of an elicitation cannot be told to the server).
    pub fn failed(&self, told: &str) -> Step {
        Step::Here(self.failed_answer(told))
    }

    fn failed_answer(&self, told: &str) -> Message {
        if self.message.method() == "tools/call" {
            let result = json!({ "content": [{ "type": "text", "text": told }], "isError": true });
            reply::result(&self.id, &result.to_string())
        } else {
            reply::error(Some(&self.id), code::INTERNAL_ERROR, told, None)
        }
    }

    /// Whether the client still waits for the answer.
    pub fn waits(&self) -> bool {
        self.core.inflight.holds(&self.id, self.serial)
    }

    /// Reads on to the end of the stream, which should be near.
    pub fn linger(&self, mut events: Events) {
        if let Events::Ready(rest) = &events
            && rest.is_empty()
        {
            return;
        }
        let core = Arc::clone(&self.core);
        tokio::spawn(async move {
            let rest = async {
                while let Ok(Some(message)) = events.next().await {
                    core.from_server(message).await;
                }
            };
            let _ = tokio::time::timeout(LINGER, rest).await;
        });
    }
}
