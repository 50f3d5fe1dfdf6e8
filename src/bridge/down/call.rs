//! A request that a server of an earlier revision works on. It outlives the client's request when the server asks something in
//! between, so a task of its own reads its reply.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::bridge::core::Core;
use crate::bridge::inflight::Sent;
use crate::bridge::link::{answers, other_id};
use crate::bridge::request::Request;
use crate::era::down;
use crate::era::envelope::Envelope;
use crate::error::Failure;
use crate::jsonrpc::{Id, Kind, Message};
use crate::transport::{Events, Outgoing};

/// Messages that may wait while the client has yet to make its request again.
const WAITING: usize = 64;

/// What the server says next.
#[derive(Debug)]
pub(super) enum Turn {
    /// The answer, and the rest of the stream that brought it.
    Answer(Message, Events),
    /// There will be none.
    Failed(Failure),
    /// It tells something that belongs to the request.
    Notification(Message),
    /// It wants to know something.
    Question(Message),
}

/// A request in the server's hands; dropping it leaves the server to itself.
#[derive(Debug)]
pub(super) struct Call {
    core: Arc<Core>,
    id: Id,
    asks: bool,
    turns: mpsc::Receiver<Turn>,
    peeked: Option<Turn>,
    reader: Option<AbortHandle>,
    /// The session in which it is sent.
    session: u64,
}

/// What others need of a call.
#[derive(Debug, Clone)]
struct Live {
    turns: mpsc::Sender<Turn>,
    asks: bool,
    /// What the request of this round says of log messages.
    level: Option<String>,
}

/// The calls in the server's hands, by the ids that it knows.
#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<HashMap<Id, Live>>);

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(reader) = &self.reader {
            reader.abort();
        }
        self.core.down.calls.lock().remove(&self.id);
    }
}

impl Call {
    /// A request that is yet to be sent: what it wants to hear counts already.
    pub fn new(request: &Request, envelope: &Envelope) -> Self {
        let core = Arc::clone(&request.core);
        let id = core.link.own_id();
        let (sender, turns) = mpsc::channel(WAITING);
        let method = request.message.method();
        let asks = matches!(method, "tools/call" | "prompts/get" | "resources/read");
        let live = Live {
            turns: sender,
            asks,
            level: envelope.log_level.clone(),
        };
        core.down.calls.lock().insert(id.clone(), live);
        Self {
            session: core.link.generation(),
            core,
            id,
            asks,
            turns,
            peeked: None,
            reader: None,
        }
    }

    /// Sends `message` to the server, for the sake of `request`.
    pub fn send(&mut self, request: &Request, message: &Message) {
        let Some(turns) = self.core.down.calls.of(&self.id) else {
            return;
        };
        let (core, id) = (Arc::clone(&self.core), self.id.clone());
        let told = Sent::Told(id.clone());
        core.inflight.set_sent(&request.id, request.serial, told);
        let outgoing = Outgoing::new(down::request(message, &id));
        let reader = tokio::spawn(read(core, outgoing, id, turns));
        self.reader = Some(reader.abort_handle());
    }

    /// Whether the session in which it was sent is still the one in use.
    pub fn is_of_this_session(&self) -> bool {
        self.session == self.core.link.generation()
    }

    /// Another request of the client's waits for it now.
    pub fn taken_up(&self, request: &Request, envelope: &Envelope) {
        let told = Sent::Told(self.id.clone());
        self.core
            .inflight
            .set_sent(&request.id, request.serial, told);
        if let Some(live) = self.core.down.calls.lock().get_mut(&self.id) {
            live.level.clone_from(&envelope.log_level);
        }
    }

    /// The id that the server knows it by.
    pub const fn id(&self) -> &Id {
        &self.id
    }

    /// Whether the server may ask something before it answers (2026-07-28 mrtr).
    pub const fn asks(&self) -> bool {
        self.asks
    }

    /// What the server says next; `None` at the end.
    pub async fn next(&mut self) -> Option<Turn> {
        match self.peeked.take() {
            Some(turn) => Some(turn),
            None => self.turns.recv().await,
        }
    }

    /// A look at what the server says next.
    pub async fn peek(&mut self) -> Option<&Turn> {
        if self.peeked.is_none() {
            self.peeked = self.turns.recv().await;
        }
        self.peeked.as_ref()
    }
}

/// Sends a request and hands on what its reply brings.
async fn read(core: Arc<Core>, outgoing: Outgoing, id: Id, turns: mpsc::Sender<Turn>) {
    let answer = async {
        let mut events = core.link.exchange(&outgoing).await?.into_events()?;
        while let Some(message) = events.next().await? {
            if answers(&message, &id) {
                events.answered();
                return Ok((message, events));
            }
            match message.kind() {
                Kind::Request => core.question(&turns, message),
                Kind::Notification if belongs_to_a_call(&message) => {
                    let _ = turns.send(Turn::Notification(message)).await;
                }
                _ => core.from_server(message).await,
            }
        }
        Err(other_id())
    };
    let turn = match answer.await {
        Ok((answer, rest)) => Turn::Answer(answer, rest),
        Err(failure) => Turn::Failed(failure),
    };
    let _ = turns.send(turn).await;
}

/// Whether a notification is about the request in whose reply it comes.
fn belongs_to_a_call(notification: &Message) -> bool {
    matches!(
        notification.method(),
        "notifications/progress" | "notifications/message"
    )
}

impl Calls {
    fn lock(&self) -> MutexGuard<'_, HashMap<Id, Live>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the turns of the call go that the server knows as `id`.
    pub fn of(&self, id: &Id) -> Option<mpsc::Sender<Turn>> {
        self.lock().get(id).map(|live| live.turns.clone())
    }

    /// Where a question goes that names no call: to the only one that may be asked, if there is just one.
    pub fn only_one_that_asks(&self) -> Option<mpsc::Sender<Turn>> {
        only(self.lock().values().filter(|live| live.asks))
    }

    /// Where a log message goes that names no call: to the only one that wants any.
    pub fn only_one_that_logs(&self) -> Option<mpsc::Sender<Turn>> {
        only(self.lock().values().filter(|live| live.level.is_some()))
    }

    /// The levels from which on calls want log messages.
    pub fn levels(&self) -> Vec<String> {
        let calls = self.lock();
        calls
            .values()
            .filter_map(|live| live.level.clone())
            .collect()
    }
}

fn only<'a>(mut found: impl Iterator<Item = &'a Live>) -> Option<mpsc::Sender<Turn>> {
    let first = found.next()?;
    found.next().is_none().then(|| first.turns.clone())
}
