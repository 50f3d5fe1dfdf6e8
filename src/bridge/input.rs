//! What becomes of each thing that the client sends.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::core::cancelled_id;
use super::inflight::{self, Refused, Sent};
use super::post::Waiting;
use super::request::Request;
use super::{Bridge, without_id};
use crate::era::headers::is_modern;
use crate::error::Failure;
use crate::jsonrpc::reply::{self, code};
use crate::jsonrpc::{Found, Id, Kind, Malformed, Members, Message};
use crate::queue::Weight;
use crate::transport::stdio::Input;

/// Bytes that may wait for the handshake.
const PARKED: usize = 64 << 20;

/// How long a cancelled request's stream is kept, so that the server can finish it.
const AFTER_CANCEL: std::time::Duration = std::time::Duration::from_secs(30);

/// A step of the handshake in progress; it is through when this is dropped, even if its task was ended.
struct Step(Arc<Notify>);

impl Drop for Step {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Bridge {
    /// Takes one thing from the client.
    pub(super) fn take(&mut self, input: Input) {
        match input {
            Input::Message(message) => self.route(message),
            Input::Batch(parts) => self.batch(parts),
            Input::Malformed(malformed) => self.malformed(&malformed),
            Input::TooLarge(found) => self.too_large(found),
        }
    }

    /// An array is a batch where 2025-03-26 was negotiated (basic §Batching) and invalid anywhere else.
    fn batch(&mut self, parts: Vec<Result<Message, Malformed>>) {
        let allowed = self.core.link.replay.version().as_deref() == Some("2025-03-26");
        let mut answered = allowed && !parts.is_empty();
        let told = "an array of messages is not valid in this protocol version";
        for part in parts {
            match part {
                Ok(message) if allowed => self.route(message),
                Ok(message) => {
                    if let (Kind::Request, Some(id)) = (message.kind(), message.id())
                        && self.core.inflight.serial(id).is_none()
                    {
                        self.answer(reply::error(Some(id), code::INVALID_REQUEST, told, None));
                        answered = true;
                    }
                }
                Err(malformed) if allowed => self.malformed(&malformed),
                Err(_) => {}
            }
        }
        if !answered {
            self.refuse_nameless(code::INVALID_REQUEST, told);
        }
    }

    fn malformed(&mut self, malformed: &Malformed) {
        match malformed {
            // An answer would be taken for that of the request that has this id.
            Malformed::NotMessage(Some(id)) if self.core.inflight.serial(id).is_some() => {
                tracing::warn!("ignored what is no message, with the id {id} that is in flight");
            }
            Malformed::NotMessage(Some(id)) => {
                let told = "the message is no JSON-RPC request, notification or response";
                self.answer(reply::error(Some(id), code::INVALID_REQUEST, told, None));
            }
            Malformed::NotMessage(None) | Malformed::Array => {
                self.refuse_nameless(code::INVALID_REQUEST, "the line is no JSON-RPC message");
            }
            Malformed::Json(wrong) => {
                self.refuse_nameless(
                    code::PARSE_ERROR,
                    &format!("the line is not valid JSON: {wrong}"),
                );
            }
        }
    }

    fn refuse_nameless(&mut self, code: i64, told: &str) {
        let version = self.core.link.replay.version();
        match without_id(version.as_deref(), code, told) {
            Some(error) => self.answer(error),
            None => tracing::warn!("ignored a line of input: {told}"),
        }
    }

    fn too_large(&mut self, found: Found) {
        let limit = self.core.options.max_message_size;
        let failure = Failure::TooLarge { limit };
        match found {
            Found {
                id: Some(id),
                method: true,
            } if self.core.inflight.serial(&id).is_none() => {
                self.answer(reply::failure(&id, &failure));
            }
            // An answer would be taken for that of the first one.
            Found {
                id: Some(id),
                method: true,
            } => tracing::warn!("ignored a request whose id {id} is in flight already"),
            // It was to answer the server, which must not wait for ever.
            Found {
                id: Some(id),
                method: false,
            } => self.core.respond(reply::failure(&id, &failure)),
            Found {
                id: None,
                method: true,
            } => tracing::warn!("dropped a notification larger than {limit} bytes"),
            Found { id: None, .. } => {
                self.refuse_nameless(
                    code::INVALID_REQUEST,
                    &format!("the line is larger than {limit} bytes"),
                );
            }
        }
    }

    fn route(&mut self, message: Message) {
        match (message.kind(), message.method()) {
            (Kind::Result | Kind::Error, _) => self.core.respond(message),
            (Kind::Notification, "notifications/cancelled") => self.cancel(message),
            (Kind::Notification, _) if self.barrier => {
                self.park(message);
            }
            (Kind::Notification, _) => self.notification(message),
            (Kind::Request, "ping") if self.barrier => {
                if let Some(id) = message.id() {
                    self.answer(reply::result(id, "{}"));
                }
            }
            (Kind::Request, _) => self.request(message),
        }
    }

    /// Takes a request in; from here on it will be answered.
    fn request(&mut self, message: Message) {
        let Some(id) = message.id().cloned() else {
            return;
        };
        match self.core.inflight.insert(&id, &message) {
            Ok(serial) if self.barrier => {
                if !self.park(message) {
                    self.refuse_busy(&id, serial);
                }
            }
            Ok(_) => self.start(message),
            Err(Refused::Full) => {
                let failure = Failure::Busy {
                    limit: inflight::LIMIT,
                };
                self.answer(reply::failure(&id, &failure));
            }
            // An answer would be taken for that of the first one.
            Err(Refused::Duplicate) => {
                tracing::warn!("ignored a request whose id {id} is in flight already");
            }
        }
    }

    fn refuse_busy(&mut self, id: &Id, serial: u64) {
        if self.core.inflight.take_own(id, serial).is_some() {
            self.answer(reply::failure(
                id,
                &Failure::Busy {
                    limit: inflight::LIMIT,
                },
            ));
        }
    }

    /// Keeps a message until the handshake is through; whether there was room.
    fn park(&mut self, message: Message) -> bool {
        if self.parked.len() >= inflight::LIMIT || self.parked_bytes + message.weight() > PARKED {
            if message.kind() == Kind::Notification {
                tracing::warn!(
                    "dropped {}: too much waits for the handshake",
                    message.method()
                );
            }
            return false;
        }
        self.parked_bytes += message.weight();
        self.parked
            .push_back((message, self.core.inflight.work.start()));
        true
    }

    /// Drops a request that waits for the handshake, so that a later one of the same id is not taken for it.
    fn unpark(&mut self, id: &Id) {
        let waits = |message: &Message| message.kind() == Kind::Request && message.id() == Some(id);
        let at = self.parked.iter().position(|(message, _)| waits(message));
        if let Some((message, _)) = at.and_then(|at| self.parked.remove(at)) {
            self.parked_bytes -= message.weight();
        }
    }

    /// The step of the handshake is through: what waited goes on, up to the next step.
    pub(super) fn lift(&mut self) {
        self.barrier = false;
        while !self.barrier {
            let Some((message, _busy)) = self.parked.pop_front() else {
                return;
            };
            self.parked_bytes -= message.weight();
            match message.kind() {
                Kind::Request => self.start(message),
                _ => self.notification(message),
            }
        }
    }

    /// Starts the task of a request that is in the table, unless it has been cancelled since.
    fn start(&mut self, message: Message) {
        let Some(id) = message.id().cloned() else {
            return;
        };
        let Some(serial) = self.core.inflight.serial(&id) else {
            return;
        };
        let opens = message.method() == "initialize";
        if opens {
            self.core.hold_back(&message);
            self.barrier = true;
        }
        // A client that goes on without `notifications/initialized` is ready too.
        let ready = !opens && self.core.is_holding();
        let request = Request {
            core: Arc::clone(&self.core),
            modern: is_modern(&message),
            again: false,
            message,
            id: id.clone(),
            serial,
            arrived: Instant::now(),
        };
        let step = opens.then(|| Step(Arc::clone(&self.lifted)));
        let task = self.tasks.spawn(async move {
            if ready {
                request.core.release().await;
            }
            request.serve().await;
            drop(step);
        });
        self.core.inflight.set_task(&id, serial, task);
    }

    fn notification(&mut self, message: Message) {
        let busy = self.core.inflight.work.start();
        if message.method() != "notifications/initialized" {
            if self.core.is_foreign() {
                tracing::debug!("the server's revision has no {}: dropped", message.method());
                return;
            }
            // Room or not: it was there before this was read, or this waited for the handshake.
            let _ = self.lane.push(Waiting { message, busy });
            return;
        }
        self.barrier = true;
        let (core, step) = (Arc::clone(&self.core), Step(Arc::clone(&self.lifted)));
        self.tasks.spawn(async move {
            core.initialized(message).await;
            core.release().await;
            drop((busy, step));
        });
    }

    /// A cancelled request gets no answer. `initialize` cannot be cancelled (cancellation §Behavior Requirements).
    fn cancel(&mut self, notification: Message) {
        let Some(id) = cancelled_id(&notification) else {
            tracing::warn!("ignored a cancellation that names no request");
            return;
        };
        let Some(entry) = self.core.inflight.take(&id) else {
            return;
        };
        if entry.message.method() == "initialize" {
            self.core.inflight.put_back(&id, entry);
            return;
        }
        let Sent::Told(known) = &entry.sent else {
            match &entry.task {
                Some(task) => task.abort(),
                None => self.unpark(&id),
            }
            return;
        };
        // Not in the lane: a notification that hangs there must not keep the server working.
        self.core.post(naming(notification, &id, known));
        if let Some(task) = entry.task {
            self.tasks.spawn(async move {
                tokio::time::sleep(AFTER_CANCEL).await;
                task.abort();
            });
        }
    }
}

/// A cancellation under the id that the server knows.
fn naming(notification: Message, id: &Id, known: &Id) -> Message {
    if id.raw() == known.raw() {
        return notification;
    }
    let Some(mut params) = notification.payload().and_then(Members::read) else {
        return notification;
    };
    params.set("requestId", known.raw());
    notification.with_params(&params.to_string())
}
