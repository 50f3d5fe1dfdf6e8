//! A client of 2026-07-28 with a server of an earlier revision: all its requests share one session of the bridge's own, and what
//! the server asks in between ends a request with `input_required`, to go on when the client makes it again (see
//! [`crate::era::down`]).

mod call;
mod parked;
mod session;
mod settings;
mod subscriptions;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::request::{Course, LISTEN, Request, Step};
use crate::era::down::{self, Refusal};
use crate::era::envelope::{Envelope, progress_token, with_progress_token};
use crate::era::mrtr::{self, Input, Retry};
use crate::error::Failure;
use crate::jsonrpc::reply::{self, code};
use crate::jsonrpc::{Id, Kind, Message};
use call::{Call, Turn};
use parked::Asked;

/// How long further questions of the server's are waited for, so that the client gets them all at once.
const GATHER: Duration = Duration::from_millis(30);

/// Questions that the client gets at once.
const MANY: usize = 64;

/// What is kept for such a client.
#[derive(Debug, Default)]
pub(super) struct Down {
    /// There is such a client: nothing is looked at before.
    used: AtomicBool,
    calls: call::Calls,
    parked: parked::Table,
    settings: settings::Settings,
    subscriptions: subscriptions::Table,
}

impl Down {
    /// There is such a client.
    pub fn is_needed(&self) {
        self.used.store(true, Ordering::Relaxed);
    }

    /// Whether there is such a client.
    pub fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// The copies of a notification, one for each subscription that wants it.
    pub fn copies(&self, notification: &Message) -> Vec<Message> {
        self.subscriptions.copies(notification)
    }
}

impl Request {
    /// Sends it to a server of an earlier revision, for a client of 2026-07-28.
    pub(super) async fn down(&self, course: &Course) -> Result<Step, Failure> {
        self.core.down.is_needed();
        let envelope = match Envelope::of(&self.message) {
            Ok(envelope) => envelope,
            Err(invalid) => return Ok(Step::Here(invalid.answer(&self.id))),
        };
        if let Some(error) = down::refused(&self.message) {
            return Ok(Step::Here(error));
        }
        if let Some(retry) = mrtr::retry(&self.message) {
            return self.go_on(&retry, &envelope).await;
        }
        let initialize = down::initialize(&self.core.link.own_id(), &envelope);
        self.core.link.open_our_own(&initialize);
        if !self.ready().await? {
            return Ok(Step::Gone);
        }
        match self.message.method() {
            "server/discover" => {
                let result = self.core.link.replay.result().unwrap_or_default();
                let result = down::discover_result(&result);
                Ok(Step::Here(reply::result(&self.id, &result)))
            }
            LISTEN => self.listen().await,
            _ => {
                let mut call = Call::new(self, &envelope);
                if envelope.log_level.is_some() {
                    self.core.set_log_level().await;
                }
                call.send(self, &course.message);
                self.follow(call, &envelope).await
            }
        }
    }

    /// Gives the server what it asked for, and waits on.
    async fn go_on(&self, retry: &Retry, envelope: &Envelope) -> Result<Step, Failure> {
        let parked = match self.core.down.parked.take(retry, &self.message) {
            Ok(parked) => parked,
            Err(told) => {
                let error = reply::error(Some(&self.id), code::INVALID_PARAMS, told, None);
                return Ok(Step::Here(error));
            }
        };
        if !parked.call.is_of_this_session() {
            // The question was asked in another one, where its id may be that of another question.
            return Err(Failure::Session(
                "the session was lost while the server waited for the answer".to_owned(),
            ));
        }
        parked.call.taken_up(self, envelope);
        for asked in &parked.asked {
            let answer = retry.responses.iter().find(|(key, _)| *key == asked.key);
            if let Some((_, result)) = answer {
                self.core.post(reply::result(&asked.id, result));
            }
        }
        self.follow(parked.call, envelope).await
    }

    /// Waits for what the server says next.
    async fn follow(&self, mut call: Call, envelope: &Envelope) -> Result<Step, Failure> {
        while let Some(turn) = call.next().await {
            match turn {
                Turn::Answer(answer, rest) => {
                    return Ok(Step::Answered(self.translated(answer), rest));
                }
                Turn::Failed(failure) => {
                    let said = failure.said().cloned().map(down::error);
                    return match said {
                        Some(Refusal::UrlElicitations(inputs)) => {
                            Ok(Step::Here(self.url_elicitations(&inputs)))
                        }
                        _ => Err(failure),
                    };
                }
                Turn::Notification(notification) => {
                    self.tell(notification, call.id(), envelope).await;
                }
                // Nobody waits for what would come of it.
                Turn::Question(question) if !self.waits() => self.core.refuse(&question),
                Turn::Question(question) => {
                    let asked = self.gather(&mut call, question, envelope).await;
                    if !asked.is_empty() {
                        return Ok(Step::Here(self.park(call, asked)));
                    }
                }
            }
        }
        Err(Failure::Closed)
    }

    /// The questions that the client can be asked: this one, and what follows at once.
    async fn gather(
        &self,
        call: &mut Call,
        first: Message,
        envelope: &Envelope,
    ) -> Vec<(Asked, Input)> {
        let mut asked = Vec::new();
        let mut question = Some(first);
        let until = Instant::now() + GATHER;
        while let Some(request) = question.take() {
            asked.extend(self.question(call, &request, envelope, asked.len()));
            // Nothing may overtake what it came after.
            let next = async {
                if let Some(Turn::Question(_)) = call.peek().await
                    && let Some(Turn::Question(question)) = call.next().await
                {
                    return Some(question);
                }
                None
            };
            question = tokio::time::timeout_at(until, next).await.unwrap_or(None);
        }
        asked
    }

    /// One question as an input; `None` when the client cannot be asked, which the server is told.
    fn question(
        &self,
        call: &Call,
        request: &Message,
        envelope: &Envelope,
        number: usize,
    ) -> Option<(Asked, Input)> {
        let id = request.id()?.clone();
        let (method, params) = (request.method(), request.payload());
        if number >= MANY || !call.asks() || !mrtr::may_ask(&envelope.capabilities, method, params)
        {
            self.core.refuse(request);
            return None;
        }
        let key = format!("{}-{}", method.rsplit('/').next()?, number + 1);
        let input = Input {
            key: key.clone(),
            method: method.to_owned(),
            params: params.map(str::to_owned),
        };
        let method = method.into();
        Some((Asked { key, id, method }, input))
    }

    /// Keeps the call until the client makes its request again; the answer that tells it to.
    fn park(&self, call: Call, asked: Vec<(Asked, Input)>) -> Message {
        let (asked, inputs): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
        let bound = mrtr::bound(&self.message);
        match self.core.park(call, asked, bound) {
            Some(state) => reply::result(&self.id, &mrtr::input_required(&inputs, &state)),
            None => reply::failure(
                &self.id,
                &Failure::Busy {
                    limit: parked::MANY,
                },
            ),
        }
    }

    /// The server's answer as the client knows it.
    fn translated(&self, answer: Message) -> Message {
        if answer.kind() == Kind::Error {
            return match down::error(answer) {
                Refusal::Error(error) => error,
                Refusal::UrlElicitations(inputs) => self.url_elicitations(&inputs),
            };
        }
        let result = answer.payload().unwrap_or_default();
        let opened = self.core.link.replay.result();
        let server_info = opened.as_deref().and_then(down::server_info);
        let method = self.message.method();
        let result = down::result(method, result, server_info.as_deref());
        answer.with_payload(result.as_bytes())
    }

    /// Passes on a notification that belongs to this request, under the token of this round.
    async fn tell(&self, notification: Message, call: &Id, envelope: &Envelope) {
        let notification = match notification.method() {
            "notifications/progress" => match progress_token(&self.message) {
                Some(token) if progress_token(&notification).as_deref() == Some(call.raw()) => {
                    with_progress_token(&notification, &token)
                }
                _ => return,
            },
            "notifications/message" => match &envelope.log_level {
                Some(level) if down::log_passes(level, &notification) => notification,
                _ => return,
            },
            _ => notification,
        };
        if self.waits() {
            self.core.to_client(notification).await;
        }
    }
}
