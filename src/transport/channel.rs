//! One stream for all messages, as HTTP+SSE and WebSocket have it: answers find their request by id, the rest goes to the
//! listener, and losing the stream fails every request that waits.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::exchange::excerpt;
use crate::error::Failure;
use crate::jsonrpc::{Found, Id, Message, TopLevel, elements};

/// Messages that may wait for the listener before the stream is no longer read.
const UNASKED: usize = 64;

/// Requests that wait, each with its number.
type Waiting = HashMap<Id, (u64, oneshot::Sender<Result<Message, Failure>>)>;

/// The requests that wait on one stream.
#[derive(Debug, Clone)]
pub(super) struct Channel {
    waiting: Arc<Mutex<Waiting>>,
    unasked: mpsc::Sender<Message>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Requests so far.
    asked: AtomicU64,
    /// Pieces that came so far, of messages and of anything else.
    heard: AtomicU64,
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
            counts: Arc::default(),
        };
        (channel, listener)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something came, be it no message.
    pub(super) fn hear(&self) {
        self.counts.heard.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts what came.
    pub(super) fn heard(&self) -> u64 {
        self.counts.heard.load(Ordering::Relaxed)
    }

    /// Counts the requests.
    pub(super) fn asked(&self) -> u64 {
        self.counts.asked.load(Ordering::Relaxed)
    }

    /// Whether one of the first `asked` requests still waits.
    pub(super) fn waits_for_one_of(&self, asked: u64) -> bool {
        self.waiting().values().any(|(number, _)| *number <= asked)
    }

    /// Registers a request, before it is sent: the answer may be faster than the reply to the POST.
    pub(super) fn expect(&self, id: &Id) -> Answer {
        let number = self.counts.asked.fetch_add(1, Ordering::Relaxed) + 1;
        self.register(id, number)
    }

    /// The same of a request whose answer ends what it asks for: it counts as none of the first ones.
    pub(super) fn expect_end(&self, id: &Id) -> Answer {
        self.register(id, u64::MAX)
    }

    fn register(&self, id: &Id, number: u64) -> Answer {
        let (sender, receiver) = oneshot::channel();
        self.waiting().insert(id.clone(), (number, sender));
        Answer {
            id: id.clone(),
            waiting: Arc::clone(&self.waiting),
            receiver: Some(receiver),
        }
    }

    /// Hands on what stands in `data`: one message, or the several of an array.
    pub(super) async fn read(&self, data: Bytes) {
        for data in elements(data) {
            let seen = data.clone();
            match Message::parse_marked(data) {
                Ok(message) => self.deliver(message).await,
                Err(_) => self.broken(&seen),
            }
        }
    }

    /// Something came that is no message. If it has the id of a request it was meant to be its answer, and no other will come.
    fn broken(&self, seen: &[u8]) {
        tracing::warn!("ignored what the server sent that is no JSON-RPC message");
        if let Found {
            id: Some(id),
            method: false,
        } = TopLevel::of(seen)
        {
            let failure = Failure::NotMcp {
                what: "the server sent a broken JSON-RPC message".to_owned(),
                excerpt: excerpt(seen),
            };
            self.fail_one(&id, failure);
        }
    }

    /// Hands a message to the request that waits for it, or to the listener.
    async fn deliver(&self, message: Message) {
        if let Some(id) = message.id().filter(|_| message.is_response()) {
            if let Some((_, request)) = self.waiting().remove(id) {
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
        if let Some((_, request)) = self.waiting().remove(id) {
            let _ = request.send(Err(failure));
        }
    }

    /// Fails every request that waits.
    pub(super) fn fail(&self, failure: &Failure) {
        let waiting = std::mem::take(&mut *self.waiting());
        for (_, request) in waiting.into_values() {
            let _ = request.send(Err(failure.clone()));
        }
    }
}

/// The stream is gone.
pub(super) fn lost() -> Failure {
    Failure::Lost("the server's event stream ended".to_owned())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::Channel;
    use crate::error::Failure;
    use crate::jsonrpc::Id;

    fn id(raw: &str) -> Id {
        Id::parse(raw).unwrap()
    }

    #[tokio::test]
    async fn a_long_answer_that_is_not_marked_fails_its_request() {
        let (channel, _unasked) = Channel::new();
        let mut answer = channel.expect(&id("7"));
        let long = "x".repeat(10_000);
        channel
            .read(format!(r#"{{"result":{{"x":"{long}"}},"id":7}}"#).into())
            .await;
        assert!(matches!(answer.next().await, Err(Failure::NotMcp { .. })));
    }

    #[tokio::test]
    async fn each_element_of_an_array_stands_by_itself() {
        let (channel, mut unasked) = Channel::new();
        let (mut whole, mut unmarked) = (channel.expect(&id("1")), channel.expect(&id("2")));
        let array = r#"[{"method":"a"}, {"id":2,"result":{}},
            {"jsonrpc":"2.0","id":1,"result":{}}, 7, {"jsonrpc":"2.0","method":"b"}]"#;
        channel.read(Bytes::from_static(array.as_bytes())).await;
        assert!(whole.next().await.unwrap().is_some());
        assert!(matches!(unmarked.next().await, Err(Failure::NotMcp { .. })));
        assert_eq!(unasked.recv().await.unwrap().method(), "b");
        assert!(unasked.try_recv().is_err());
    }
}
