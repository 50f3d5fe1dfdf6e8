//! The link to the remote server: which transport it is, whether a session is open, and how a lost one is had again. Every
//! message to the server goes through [`Link::exchange`].

mod choose;
mod dialect;
mod renew;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

pub use choose::{Order, Remote};
pub use dialect::Protocol;
pub(super) use dialect::{Known, verdict};

use super::replay::{Agreed, Replay};
use crate::auth::Authorizer;
use crate::era::detect::Era;
use crate::error::Failure;
use crate::jsonrpc::{Id, Message, reply};
use crate::transport::{Outgoing, Reply, Scope, Transport};

/// Whether messages can be sent.
#[derive(Debug, Clone)]
pub(super) enum Phase {
    /// They can.
    Open,
    /// A new session is on its way; they wait.
    Renewing,
    /// It could not be had; the next message tries again.
    Broken(Failure),
}

/// The state of the session, for those who wait for it.
#[derive(Debug, Clone)]
pub(super) struct Status {
    /// Which session it is.
    pub generation: u64,
    /// Whether messages can be sent.
    pub phase: Phase,
    /// Whether the server may send by itself now.
    pub listening: bool,
}

/// The link.
#[derive(Debug)]
pub(super) struct Link {
    remote: Remote,
    choice: Mutex<choose::Choice>,
    dialect: Mutex<Known>,
    /// The connect of a shared stream, while it is in progress.
    opening: Mutex<Option<choose::Search>>,
    /// The longest that one step of a handshake may take.
    step: Duration,
    status: watch::Sender<Status>,
    /// Whether the server can send by itself, once that is known.
    heard: watch::Sender<Option<bool>>,
    pub replay: Replay,
    /// A 400 was taken for a lost session and was not: it never is again.
    distrust_400: AtomicBool,
    prefix: String,
    next_id: AtomicU64,
}

impl Link {
    /// A link on which no request takes longer than that.
    pub fn new(remote: Remote, request_timeout: Option<Duration>) -> Self {
        let remembered = remote.remembered();
        let extension = remote.exchange.authorizer().oauth();
        let extension = extension.and_then(|oauth| oauth.grant().extension());
        Self {
            choice: Mutex::new(remote.first_choice(&remembered)),
            dialect: Mutex::new(remote.first_dialect(&remembered)),
            remote,
            opening: Mutex::default(),
            step: request_timeout.map_or(renew::STEP, |limit| limit.min(renew::STEP)),
            status: watch::Sender::new(Status {
                generation: 0,
                phase: Phase::Open,
                listening: false,
            }),
            heard: watch::Sender::default(),
            replay: Replay::new(extension),
            distrust_400: AtomicBool::new(false),
            prefix: format!("{OWN}{:08x}", fastrand::u32(..)),
            next_id: AtomicU64::new(0),
        }
    }

    fn choice(&self) -> MutexGuard<'_, choose::Choice> {
        self.choice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state of the session, to wait on.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// Whether the server is taken to speak 2026-07-28.
    pub fn is_modern(&self) -> bool {
        self.era() == Some(Era::Modern)
    }

    /// Which session is in use.
    pub fn generation(&self) -> u64 {
        self.status.borrow().generation
    }

    /// The transport in use, if one is.
    pub fn transport(&self) -> Option<Transport> {
        self.choice().transport()
    }

    /// Notes whether the server can send by itself.
    pub fn hears(&self, heard: bool) {
        self.heard.send_replace(Some(heard));
    }

    /// Whether the server can send by itself; one that leaves it open for as long as `limit` cannot.
    pub async fn is_heard(&self, limit: Duration) -> bool {
        let mut heard = self.heard.subscribe();
        let known = tokio::time::timeout(limit, heard.wait_for(Option::is_some)).await;
        known.is_ok_and(|known| known.is_ok_and(|heard| *heard == Some(true)))
    }

    /// Whether all messages share one stream.
    pub fn shares_one_stream(&self) -> bool {
        let transport = self.transport();
        transport.is_some_and(|transport| transport.shares_one_stream())
    }

    /// Counts what has come on the stream that all messages share, whatever it was.
    pub fn heard(&self) -> u64 {
        self.transport().map_or(0, |transport| transport.heard())
    }

    /// Where credentials come from.
    pub fn authorizer(&self) -> &Authorizer {
        self.remote.exchange.authorizer()
    }

    /// The client's handshake was answered without the server: the next message makes it a real one.
    pub fn defer(&self, initialize: &Message) {
        self.replay.deferred(initialize);
        self.broken(Failure::Closed);
    }

    /// The client knows no handshake and the server wants one: the next message begins with it, unless there is a session.
    pub fn open_our_own(&self, initialize: &Message) {
        let initialized = reply::notification("notifications/initialized", "{}");
        self.replay.begin(initialize, &initialized, || {
            self.broken(Failure::Closed);
        });
    }

    /// The server has not agreed to a handshake of our own: it is left without one.
    pub fn take_back(&self) {
        // One that is under way is another request's.
        let under_way = matches!(self.status.borrow().phase, Phase::Renewing);
        if !under_way && self.replay.take_back() {
            self.status.send_modify(|status| status.phase = Phase::Open);
        }
    }

    /// Nothing can be sent as it is: the next message opens a new session.
    pub fn broken(&self, failure: Failure) {
        self.status
            .send_modify(|status| status.phase = Phase::Broken(failure));
    }

    /// An id for a request of the bridge's own.
    pub fn own_id(&self) -> Id {
        let number = self.next_id.fetch_add(1, Ordering::Relaxed);
        Id::text(&format!("{}:{number}", self.prefix))
    }

    /// Sends a message and gives what it got. The transport is found first where it is not known, and a lost session is
    /// renewed once.
    pub async fn exchange(self: &Arc<Self>, outgoing: &Outgoing) -> Result<Reply, Failure> {
        let mut renewed = false;
        loop {
            if outgoing.scope == Scope::Session {
                self.ready().await?;
            }
            let transport = self.connected(outgoing.scope).await?;
            let failure = match transport.send(outgoing).await {
                Ok(reply) => {
                    self.choice().settle();
                    return Ok(reply);
                }
                Err(failure) => failure,
            };
            if self.falls_back(&transport, &failure, outgoing).await {
                continue;
            }
            match self.believed(failure) {
                // It begins a session, as a renewal does, and waits for none: only the stream is opened anew.
                Failure::SessionGone { generation, .. }
                    if !renewed
                        && outgoing.scope == Scope::Opening
                        && transport.shares_one_stream() =>
                {
                    if transport.generation() == generation {
                        transport.close().await;
                    }
                    renewed = true;
                }
                Failure::SessionGone { generation, .. }
                    if !renewed && !outgoing.message.is_response() =>
                {
                    self.renew(generation).await?;
                    renewed = true;
                }
                failure => {
                    if renewed
                        && failure
                            .refusal()
                            .is_some_and(|refusal| refusal.status == 400)
                    {
                        self.distrust_400.store(true, Ordering::Relaxed);
                    }
                    return Err(failure);
                }
            }
        }
    }

    /// A 400 that was no lost session once is taken at its word.
    fn believed(&self, failure: Failure) -> Failure {
        match failure {
            Failure::SessionGone {
                refusal: Some(refusal),
                ..
            } if refusal.status == 400 && self.distrust_400.load(Ordering::Relaxed) => {
                Failure::Status(refusal)
            }
            other => other,
        }
    }

    /// A handshake succeeded: its session is the one in use.
    pub fn opened(&self, initialize: &Message, answer: &Message) {
        let agreed = Agreed::read(answer);
        if let Some(transport) = self.transport() {
            let version = agreed.as_ref().map(|agreed| agreed.version.as_str());
            let generation = if self.is_modern() {
                transport.begin_without_session()
            } else {
                transport.begin(version)
            };
            self.status.send_modify(|status| {
                status.generation = generation;
                status.phase = Phase::Open;
                status.listening &= transport.shares_one_stream();
            });
        }
        match agreed {
            Some(agreed) => self.replay.opened(initialize, agreed, answer.payload()),
            None => tracing::warn!("the server's answer to initialize names no protocol version"),
        }
    }

    /// The client has finished its handshake: the server may send by itself.
    pub fn initialized(&self, notification: &Message) {
        self.replay.initialized(notification);
        self.status.send_modify(|status| status.listening = true);
    }
}

/// What ids of the bridge's own begin with.
const OWN: &str = "mcp-tether:";

/// Whether an id is one of the bridge's own.
pub(super) fn is_own(id: &Id) -> bool {
    id.raw().trim_start_matches('"').starts_with(OWN)
}

/// Reads a reply until the answer to `id` is there; `other` gets everything else.
pub(super) async fn answer<F, Fut>(reply: Reply, id: &Id, mut other: F) -> Result<Message, Failure>
where
    F: FnMut(Message) -> Fut,
    Fut: Future<Output = ()>,
{
    let mut events = reply.into_events()?;
    while let Some(message) = events.next().await? {
        if answers(&message, id) {
            return Ok(message);
        }
        other(message).await;
    }
    Err(other_id())
}

/// Whether `message`, which came in reply to the request `id`, is its answer. An error without an id is: it came in reply.
pub(super) fn answers(message: &Message, id: &Id) -> bool {
    message.is_response() && message.id().is_none_or(|answered| answered == id)
}

/// The reply was complete and held no answer.
pub(super) fn other_id() -> Failure {
    Failure::NotMcp {
        what: "the server answered, but not to this request (another id)".to_owned(),
        excerpt: None,
    }
}
