//! What all tasks of the bridge share, and the way of a message from the server to the client.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;

use super::Options;
use super::deferred::Deferred;
use super::filter::Filter;
use super::inflight::{self, Entry, Inflight};
use super::learned::Learned;
use super::link::{self, Link, Remote};
use super::request::LISTEN;
use super::sign_in::{AtEnd, OwnAsks, elicits_urls};
use crate::era::headers::is_modern;
use crate::error::Failure;
use crate::jsonrpc::{Id, Kind, Message, reply};
use crate::queue::Sender;

/// Server messages held back until the client has finished its handshake.
const HELD: usize = 1024;

/// The longest that a request of the bridge's own may take.
const OWN_LIMIT: Duration = Duration::from_secs(60);

/// Shared by all tasks.
#[derive(Debug)]
pub(super) struct Core {
    pub options: Options,
    pub link: Arc<Link>,
    pub inflight: Inflight,
    pub filter: Filter,
    pub deferred: Deferred,
    pub learned: Learned,
    out: Sender<Message>,
    client: Mutex<Client>,
}

/// What is known of the client.
#[derive(Debug, Default)]
struct Client {
    /// Server messages that wait for `notifications/initialized`; `None` when nothing has to.
    held: Option<VecDeque<Message>>,
    /// Server requests that wait for the client's answer.
    asked: HashMap<Id, Box<str>>,
    /// Nobody can answer the server any more.
    gone: bool,
    /// It shows addresses to the user when asked to.
    elicits_urls: bool,
    /// What the bridge has asked it.
    own_asks: OwnAsks,
    /// The address that it was asked to show, and the id of that elicitation.
    shown: Option<(String, String)>,
}

impl Core {
    pub fn new(options: Options, remote: Remote, out: Sender<Message>) -> Self {
        Self {
            filter: Filter::new(&options.filter),
            link: Arc::new(Link::new(remote)),
            inflight: Inflight::default(),
            client: Mutex::default(),
            deferred: Deferred::default(),
            learned: Learned::default(),
            options,
            out,
        }
    }

    fn client(&self) -> MutexGuard<'_, Client> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes to the client. If it is gone there is nobody to tell.
    pub async fn to_client(&self, message: Message) {
        let _ = self.out.send(message).await;
    }

    /// Waits until an answer can be written at once. A request is taken out of the table only then: a task that is ended
    /// while it waits must not take an answer along.
    pub async fn room(&self) {
        self.out.room().await;
    }

    /// Nothing more is written: tasks that still run must not keep the output open.
    pub fn end_output(&self) {
        self.out.end();
    }

    /// Waits until the client no longer reads.
    pub async fn client_gone(&self) {
        self.out.abandoned().await;
    }

    /// A message from the server that is no answer to the request whose reply it came in.
    pub async fn from_server(self: &Arc<Self>, message: Message) {
        match message.kind() {
            Kind::Result | Kind::Error => {
                self.room().await;
                let entry = message.id().and_then(|id| self.inflight.take(id));
                match entry {
                    // The answer came on another stream; the request's own has nothing more to give.
                    Some(entry) => {
                        if let Some(task) = &entry.task {
                            task.abort();
                        }
                        self.complete(&entry, message);
                    }
                    None => {
                        tracing::debug!(id = ?message.id(), "dropped an answer that nobody waits for");
                    }
                }
            }
            Kind::Request => self.ask_client(message).await,
            Kind::Notification => {
                match message.method() {
                    "notifications/tools/list_changed" => self.filter.forget(),
                    // The server no longer wants the client's answer.
                    "notifications/cancelled" => {
                        if let Some(id) = cancelled_id(&message) {
                            self.client().asked.remove(&id);
                        }
                    }
                    _ => {}
                }
                let passes = message.method() == "notifications/message";
                if let Some(message) = self.hold(message, passes) {
                    self.to_client(message).await;
                }
            }
        }
    }

    async fn ask_client(self: &Arc<Self>, request: Message) {
        let Some(id) = request.id().cloned() else {
            return;
        };
        let nobody = {
            let mut client = self.client();
            let nobody = client.gone || client.asked.len() >= inflight::LIMIT;
            if !nobody {
                client.asked.insert(id.clone(), request.method().into());
            }
            nobody
        };
        if nobody {
            self.post(decline(&id, request.method()));
            return;
        }
        let passes = request.method() == "ping";
        if let Some(request) = self.hold(request, passes) {
            self.to_client(request).await;
        }
    }

    /// Keeps a message back while the client is in the middle of its handshake (2025-11-25 lifecycle §Initialization).
    fn hold(&self, message: Message, passes: bool) -> Option<Message> {
        let mut client = self.client();
        match &mut client.held {
            Some(held) if !passes => {
                if held.len() >= HELD {
                    held.pop_front();
                    tracing::warn!(
                        "the server sent more than {HELD} messages before the client was ready; dropped one"
                    );
                }
                held.push_back(message);
                None
            }
            _ => Some(message),
        }
    }

    /// The client has begun its handshake.
    pub fn hold_back(&self, initialize: &Message) {
        let mut client = self.client();
        client.held.get_or_insert_default();
        client.elicits_urls = elicits_urls(initialize);
    }

    /// Whether the client can be asked to show an address to the user now.
    pub fn elicits_urls(&self) -> bool {
        let client = self.client();
        client.elicits_urls && client.held.is_none() && !client.gone
    }

    /// Notes that the client is asked to show an address; whether it has not been asked before.
    pub fn shows_first(&self, url: &str, elicitation: &str) -> bool {
        let mut client = self.client();
        let first = client.shown.as_ref().is_none_or(|(shown, _)| shown != url);
        if first {
            client.shown = Some((url.to_owned(), elicitation.to_owned()));
        }
        first
    }

    /// The elicitation that showed the address of a sign-in which is now done.
    pub fn shown_to_client(&self) -> Option<String> {
        self.client()
            .shown
            .take()
            .map(|(_, elicitation)| elicitation)
    }

    /// Asks the client in the bridge's own name; `None` when it leaves without an answer.
    pub async fn ask_client_ourselves(&self, request: Message) -> Option<Message> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.client().own_asks.insert(request.id()?.clone(), sender);
        self.to_client(request).await;
        receiver.await.ok()
    }

    /// Whether the input has ended.
    pub fn client_is_gone(&self) -> bool {
        self.client().gone
    }

    /// How long running requests may go on when the input has ended.
    pub fn grace(&self) -> Duration {
        match (self.options.at_end, self.oauth()) {
            (AtEnd::Stay(longest), Some(_)) => self.options.grace.saturating_add(longest),
            _ => self.options.grace,
        }
    }

    /// The client is ready: it gets what was held back, before anything newer.
    pub async fn release(&self) {
        loop {
            self.room().await;
            let next = {
                let mut client = self.client();
                let next = client.held.as_mut().and_then(VecDeque::pop_front);
                if next.is_none() {
                    client.held = None;
                }
                next
            };
            let Some(message) = next else { return };
            let _ = self.out.push(message);
        }
    }

    /// Whether messages are held back.
    pub fn is_holding(&self) -> bool {
        self.client().held.is_some()
    }

    /// Writes the answer to a request that was taken out of the table, under the very id that the client gave. There must
    /// be room.
    pub fn complete(&self, entry: &Entry, answer: Message) {
        let Some(id) = entry.message.id() else { return };
        let mut answer = match answer.id() {
            Some(given) if given.raw() == id.raw() => answer,
            _ => answer.with_id(id),
        };
        if answer.kind() == Kind::Result {
            match entry.message.method() {
                "initialize" => {
                    self.link.opened(&entry.message, &answer);
                    self.remember(answer.payload().unwrap_or_default());
                }
                "tools/list" => {
                    self.deferred.note_tools(&answer);
                    if is_modern(&entry.message) {
                        answer = self.learned.page(answer);
                    }
                    answer = self.filter.page(answer);
                }
                _ => self.link.replay.succeeded(&entry.message),
            }
        }
        let _ = self.out.push(answer);
    }

    /// Writes an answer of our own to a request that was taken out of the table. There must be room.
    pub fn complete_here(&self, answer: Message) {
        let _ = self.out.push(answer);
    }

    /// Answers a request that was taken out of the table with `failure`, or with the server's own words where it gave any.
    /// There must be room.
    pub fn fail(&self, entry: &Entry, failure: &Failure) {
        let Some(id) = entry.message.id() else { return };
        tracing::debug!(
            method = entry.message.method(),
            "answered with an error: {failure}"
        );
        let said = failure
            .refusal()
            .and_then(|refusal| refusal.message.as_ref());
        let answer = said.map_or_else(|| reply::failure(id, failure), |error| error.with_id(id));
        let _ = self.out.push(answer);
    }

    /// The client's answer to a server request, on its way back; one that nobody asked for is dropped.
    pub fn respond(self: &Arc<Self>, response: Message) {
        let own = response
            .id()
            .and_then(|id| self.client().own_asks.remove(id));
        if let Some(own) = own {
            let _ = own.send(response);
            return;
        }
        let asked = response.id().and_then(|id| self.client().asked.remove(id));
        if asked.is_some() {
            self.post(response);
        } else {
            tracing::warn!("dropped an answer of the client to nothing that the server asked");
        }
    }

    /// Ends the subscriptions of a client of 2026-07-28, as a server does that closes (subscriptions §Closing).
    pub fn end_subscriptions(&self) {
        for entry in self.inflight.take_method(LISTEN) {
            if let Some(task) = &entry.task {
                task.abort();
            }
            if let Some(id) = entry.message.id() {
                let result = format!(
                    r#"{{"resultType":"complete","_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}}}"#
                );
                self.complete_here(reply::result(id, &result));
            }
        }
    }

    /// Nobody can answer the server any more: it is told so, now and from now on.
    pub fn client_left(self: &Arc<Self>) {
        let asked = {
            let mut client = self.client();
            client.gone = true;
            client.own_asks.clear();
            std::mem::take(&mut client.asked)
        };
        for (id, method) in asked {
            self.post(decline(&id, &method));
        }
    }

    /// A request of the bridge's own; `params` is raw JSON.
    pub async fn ask(
        self: &Arc<Self>,
        method: &str,
        params: Option<&str>,
    ) -> Result<Message, Failure> {
        let id = self.link.own_id();
        let outgoing = self.learned.outgoing(reply::request(&id, method, params));
        let asked = async {
            let reply = self.link.exchange(&outgoing).await?;
            link::answer(reply, &id, |message| {
                Box::pin(self.from_server(message))
                    as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>
            })
            .await
        };
        tokio::time::timeout(OWN_LIMIT, asked)
            .await
            .unwrap_or_else(|_| {
                Err(Failure::Timeout {
                    what: format!(
                        "the server did not answer {method} within {} s",
                        OWN_LIMIT.as_secs()
                    ),
                    option: "--request-timeout",
                })
            })
    }
}

/// What the server gets where no client can answer any more.
fn decline(id: &Id, method: &str) -> Message {
    if method == "elicitation/create" {
        return reply::result(id, r#"{"action":"cancel"}"#);
    }
    reply::failure(id, &Failure::Closed)
}

/// The id that `notifications/cancelled` names.
pub(super) fn cancelled_id(notification: &Message) -> Option<Id> {
    #[derive(Deserialize)]
    struct Cancelled<'a> {
        #[serde(borrow, rename = "requestId")]
        request_id: &'a serde_json::value::RawValue,
    }
    let cancelled: Cancelled<'_> = notification.read()?;
    Id::parse(cancelled.request_id.get())
}
