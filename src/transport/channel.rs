//! One stream for all messages, as HTTP+SSE and WebSocket have it: answers find their request by id, the rest goes to the
//! listener, and losing the stream fails every request that waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::exchange::{excerpt, excerpt_source};
use crate::error::Failure;
use crate::jsonrpc::{Found, Id, Message, TopLevel};

/// Messages that may wait for the listener before the stream is no longer read.
const UNASKED: usize = 64;

type Waiting = HashMap<Id, oneshot::Sender<Result<Message, Failure>>>;

/// The requests that wait on one stream.
#[derive(Debug, Clone)]
pub(super) struct Channel {
    waiting: Arc<Mutex<Waiting>>,
    unasked: mpsc::Sender<Message>,
}

/// The answer to one request; dropping it takes the registration back.
#[derive(Debug)]
pub struct Answer {
    id: Id,
    waiting: Arc<Mutex<Waiting>>,
    receiver: Option<oneshot::Receiver<Result<Message, Failure>>>,
}

impl Answer {
    /// The answer, then nothing.
    pub(super) async fn next(&mut self) -> Result<Option<Message>, Failure> {
        let Some(receiver) = &mut self.receiver else {
            return Ok(None);
        };
        let answered = receiver.await;
        self.receiver = None;
        answered.unwrap_or_else(|_| Err(lost())).map(Some)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if self.receiver.is_some() {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.remove(&self.id);
        }
    }
}

impl Channel {
    /// A channel, and what comes on it without being asked for.
    pub(super) fn new() -> (Self, mpsc::Receiver<Message>) {
        let (unasked, listener) = mpsc::channel(UNASKED);
        let channel = Self {
            waiting: Arc::default(),
            unasked,
        };
        (channel, listener)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a request, before it is sent: the answer may be faster than the reply to the POST.
    pub(super) fn expect(&self, id: &Id) -> Answer {
        let (sender, receiver) = oneshot::channel();
        self.waiting().insert(id.clone(), sender);
        Answer {
            id: id.clone(),
            waiting: Arc::clone(&self.waiting),
            receiver: Some(receiver),
        }
    }

    /// Hands on what stands in `data`: one message, or the several of an array.
    pub(super) async fn read(&self, data: Bytes) {
        let head = excerpt_source(&data);
        match Message::parse_any(data) {
            Ok(messages) => {
                for message in messages {
                    self.deliver(message).await;
                }
            }
            Err(_) => self.broken(&head),
        }
    }

    /// Something came that is no message. If it begins like the answer to a request it was meant to be it, and no other will
    /// come.
    fn broken(&self, head: &[u8]) {
        tracing::warn!("ignored what the server sent that is no JSON-RPC message");
        if let Found {
            id: Some(id),
            method: false,
        } = TopLevel::of(head)
        {
            let failure = Failure::NotMcp {
                what: "the server sent a broken JSON-RPC message".to_owned(),
                excerpt: excerpt(head),
            };
            self.fail_one(&id, failure);
        }
    }

    /// Hands a message to the request that waits for it, or to the listener.
    async fn deliver(&self, message: Message) {
        if let Some(id) = message.id().filter(|_| message.is_response()) {
            if let Some(request) = self.waiting().remove(id) {
                let _ = request.send(Ok(message));
                return;
            }
            if let Some(meant) = self.mistyped(id) {
                let what = "the server answered with an id of another type".to_owned();
                self.fail_one(
                    &meant,
                    Failure::NotMcp {
                        what,
                        excerpt: None,
                    },
                );
                return;
            }
        }
        // Without a listener nobody wants it.
        let _ = self.unasked.send(message).await;
    }

    /// The waiting request that an answer must have meant which has `"7"` for `7`, or the reverse.
    fn mistyped(&self, id: &Id) -> Option<Id> {
        let bare = |id: &Id| id.raw().trim_matches('"').to_owned();
        let meant = bare(id);
        self.waiting()
            .keys()
            .find(|known| bare(known) == meant)
            .cloned()
    }

    /// Fails the request `id`, if it waits.
    pub(super) fn fail_one(&self, id: &Id, failure: Failure) {
        if let Some(request) = self.waiting().remove(id) {
            let _ = request.send(Err(failure));
        }
    }

    /// Fails every request that waits.
    pub(super) fn fail(&self, failure: &Failure) {
        let waiting = std::mem::take(&mut *self.waiting());
        for request in waiting.into_values() {
            let _ = request.send(Err(failure.clone()));
        }
    }
}

/// The stream is gone.
pub(super) fn lost() -> Failure {
    Failure::Lost("the server's event stream ended".to_owned())
}
