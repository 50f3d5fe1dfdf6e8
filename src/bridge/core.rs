//! What all tasks of the bridge share, and the way of a message from the server to the client.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;

use super::Options;
use super::client::Client;
use super::deferred::Deferred;
use super::down::Down;
use super::filter::Filter;
use super::inflight::{Entry, Inflight};
use super::learned::Learned;
use super::link::{self, Link, Remote};
use super::replay::Owner;
use super::request::LISTEN;
use super::sign_in::{AtEnd, Audience};
use super::up::Up;
use crate::era::detect::Era;
use crate::era::subscriptions;
use crate::error::{Failure, Kind as Fault};
use crate::jsonrpc::{Id, Kind, Message, reply};
use crate::queue::Sender;

/// The longest that a request of the bridge's own may take, unless every request may take less.
pub(super) const OWN_LIMIT: Duration = Duration::from_secs(60);

/// Tools must be listed anew.
const LIST_CHANGED: &str = "notifications/tools/list_changed";

/// A request is no longer waited for.
const CANCELLED: &str = "notifications/cancelled";

/// Notifications of the server's that the bridge does something about.
const MEANT_HERE: [&str; 3] = [LIST_CHANGED, CANCELLED, subscriptions::ACKNOWLEDGED];

/// Shared by all tasks.
#[derive(Debug)]
pub(super) struct Core {
    pub options: Options,
    pub link: Arc<Link>,
    pub inflight: Inflight,
    pub filter: Filter,
    pub deferred: Deferred,
    pub learned: Learned,
    pub up: Up,
    pub down: Down,
    out: Sender<Message>,
    client: Mutex<Client>,
}

impl Core {
    pub fn new(options: Options, remote: Remote, out: Sender<Message>) -> Self {
        Self {
            filter: Filter::new(&options.filter),
            link: Arc::new(Link::new(remote, options.request_timeout)),
            inflight: Inflight::default(),
            client: Mutex::default(),
            deferred: Deferred::default(),
            learned: Learned::default(),
            up: Up::default(),
            down: Down::default(),
            options,
            out,
        }
    }

    /// What is known of the client.
    pub(super) fn client(&self) -> MutexGuard<'_, Client> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes to the client. If it is gone there is nobody to tell.
    pub async fn to_client(&self, message: Message) {
        // Usually there is room, and nothing of the message is kept for later.
        if let Ok(Some(message)) = self.out.offer(message) {
            let _ = self.out.send(message).await;
        }
    }

    /// Writes to the client at once; there should be room.
    pub fn push(&self, message: Message) {
        let _ = self.out.push(message);
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
        if let Some(message) = self.pass_on(message) {
            self.take_in(message).await;
        }
    }

    /// Passes a notification on that means nothing here and has room, without a wait; else it comes back.
    pub fn pass_on(&self, message: Message) -> Option<Message> {
        let translated = self.up.is_used() || self.down.is_used();
        let plain = message.kind() == Kind::Notification && !translated;
        let meant_here = || MEANT_HERE.iter().any(|method| message.is(method));
        if !plain || meant_here() || self.is_holding() {
            return Some(message);
        }
        self.out.offer(message).unwrap_or_default()
    }

    /// A message from the server that was not just passed on.
    pub async fn take_in(self: &Arc<Self>, message: Message) {
        let message = if self.down.is_used() {
            match self.from_session(message).await {
                Some(message) => message,
                None => return,
            }
        } else {
            message
        };
        match message.kind() {
            Kind::Result | Kind::Error => {
                self.room().await;
                // In a mixed pair the server's words are not the client's, and the request's own stream brings its answer.
                let mixed = self.up.is_used() || self.down.is_used();
                let id = message.id().filter(|_| !mixed);
                let entry = id.and_then(|id| self.inflight.take(id));
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
            Kind::Request if self.link.is_modern() => {
                tracing::warn!(
                    "dropped a request of the server's, which its revision does not have"
                );
            }
            Kind::Request => self.ask_client(message).await,
            Kind::Notification if self.is_acknowledged_already(&message) => {}
            Kind::Notification => {
                let Some(message) = self.up.incoming(message) else {
                    return;
                };
                match message.method() {
                    LIST_CHANGED => self.filter.forget(),
                    // The server no longer wants the client's answer.
                    CANCELLED => {
                        if let Some(id) = cancelled_id(&message) {
                            self.client().no_longer_asked(&id);
                        }
                    }
                    _ => {}
                }
                if message.method() == "notifications/message" || !self.holds(&message) {
                    self.to_client(message).await;
                }
            }
        }
    }

    /// Whether it acknowledges a subscription of which the client has an acknowledgement.
    fn is_acknowledged_already(&self, message: &Message) -> bool {
        message.method() == subscriptions::ACKNOWLEDGED
            && subscriptions::subscription(message)
                .is_some_and(|id| self.inflight.take_acknowledged(&id))
    }

    /// Whether notifications of the client's mean nothing to the server: its revision has none.
    pub fn is_foreign(&self) -> bool {
        match self.link.era() {
            Some(Era::Modern) => self.link.replay.envelope().is_some(),
            Some(Era::Legacy) => self.link.replay.owner() == Owner::Bridge,
            None => false,
        }
    }

    /// Whether a person waits for the answers, who may take longer than a program to sign in.
    pub fn is_for_a_person(&self) -> bool {
        self.options.audience == Audience::Person || self.options.at_end != AtEnd::Leave
    }

    /// How long running requests may go on when the input has ended.
    pub fn grace(&self) -> Duration {
        match (self.options.at_end, self.oauth()) {
            (AtEnd::Stay(longest), Some(_)) => self.options.grace.saturating_add(longest),
            _ => self.options.grace,
        }
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
                "server/discover" => self.remember_discovered(&entry.message, &answer),
                "tools/list" => {
                    self.deferred.note_tools(&answer);
                    if self.link.is_modern() {
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
            .and_then(|refusal| refusal.message.as_ref())
            // One that is not marked is evidence, and no answer: the client would drop it.
            .filter(|message| message.is_marked())
            // Who must sign in is told how.
            .filter(|_| {
                self.options.audience == Audience::Program || failure.kind() != Fault::Auth
            });
        let answer = said.map_or_else(|| reply::failure(id, failure), |error| error.with_id(id));
        let _ = self.out.push(answer);
    }

    /// Ends the subscriptions of a client of 2026-07-28, as a server does that closes (subscriptions §Closing).
    pub fn end_subscriptions(&self) {
        for entry in self.inflight.take_method(LISTEN) {
            if let Some(task) = &entry.task {
                task.abort();
            }
            if let Some(id) = entry.message.id() {
                let result = subscriptions::closed(id);
                self.complete_here(reply::result(id, &result));
            }
        }
    }

    /// A request of the bridge's own; `params` is raw JSON.
    pub async fn ask(
        self: &Arc<Self>,
        method: &str,
        params: Option<&str>,
    ) -> Result<Message, Failure> {
        let limit = self.options.request_timeout.unwrap_or(OWN_LIMIT);
        self.ask_within(limit.min(OWN_LIMIT), method, params).await
    }

    /// The same within `limit`.
    pub async fn ask_within(
        self: &Arc<Self>,
        limit: Duration,
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
        tokio::time::timeout(limit, asked)
            .await
            .unwrap_or_else(|_| {
                Err(Failure::Timeout {
                    what: format!(
                        "the server did not answer {method} within {} s",
                        limit.as_secs_f64()
                    ),
                    option: "--request-timeout",
                })
            })
    }
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
