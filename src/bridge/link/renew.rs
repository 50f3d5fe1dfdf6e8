//! A lost session is opened anew, once for all requests that wait: the saved handshake is sent again, then what the
//! client had set up. The client never learns of it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::dialect::verdict;
use super::{Link, Phase, answer};
use crate::bridge::replay::{Agreed, Owner};
use crate::era::detect::{Asked, Era, Verdict};
use crate::era::up;
use crate::error::{Failure, Kind as Trouble, Refusal};
use crate::jsonrpc::{Id, Kind, Message, reply};
use crate::net::retry::Backoff;
use crate::transport::{Outgoing, Reply, Transport};

/// Tries before those who wait are told.
const TRIES: u32 = 4;

/// The longest that one step of the handshake may take, unless a request may take less.
pub(super) const STEP: Duration = Duration::from_secs(30);

impl Link {
    /// Waits until messages can be sent, beginning a renewal where the last one failed.
    pub async fn ready(self: &Arc<Self>) -> Result<(), Failure> {
        let status = self.status.borrow().clone();
        match status.phase {
            Phase::Open => Ok(()),
            Phase::Renewing | Phase::Broken(_) => self.renew(status.generation).await,
        }
    }

    /// Replaces the session of generation `lost`, or waits for whoever does; nothing happens if it has been replaced.
    pub async fn renew(self: &Arc<Self>, lost: u64) -> Result<(), Failure> {
        let mut status = self.status.subscribe();
        let begun = self.status.send_if_modified(|status| {
            let begins = status.generation == lost && !matches!(status.phase, Phase::Renewing);
            if begins {
                status.phase = Phase::Renewing;
            }
            begins
        });
        if begun {
            tokio::spawn(Arc::clone(self).renewal(lost));
        }
        let settled = status
            .wait_for(|status| !matches!(status.phase, Phase::Renewing))
            .await;
        match settled.map(|status| status.phase.clone()) {
            Ok(Phase::Broken(failure)) => Err(failure),
            Ok(_) => Ok(()),
            Err(_) => Err(Failure::Closed),
        }
    }

    /// Boxed, since an exchange may lead to a renewal, and a renewal makes exchanges.
    fn renewal(self: Arc<Self>, lost: u64) -> BoxFuture<'static, ()> {
        async move {
            tracing::debug!("the session is lost: opening a new one");
            let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(4));
            let mut tries = 0;
            let phase = loop {
                let failure = match self.handshake(lost).await {
                    Ok(()) => break Phase::Open,
                    Err(failure) => failure,
                };
                tries += 1;
                tracing::debug!("no new session: {failure}");
                // The one stream may be dead although its connection stands: the next try opens another.
                if matches!(failure, Failure::Lost(_))
                    && let Some(transport) = self.transport()
                    && transport.shares_one_stream()
                {
                    transport.close().await;
                }
                if tries >= TRIES || !passes(&failure, self.replay.is_deferred()) {
                    break Phase::Broken(self.told(failure));
                }
                tokio::time::sleep(backoff.wait(fastrand::f64())).await;
                if !matches!(self.status.borrow().phase, Phase::Renewing) {
                    return;
                }
            };
            self.status.send_modify(|status| {
                // The client may have begun a session itself.
                if matches!(status.phase, Phase::Renewing) {
                    status.phase = phase;
                }
            });
        }
        .boxed()
    }

    /// What those who wait for the session are told.
    fn told(&self, failure: Failure) -> Failure {
        match failure {
            told if self.replay.is_deferred() => told,
            told if told.kind() == Trouble::Auth => told,
            told @ Failure::Session(_) => told,
            other => Failure::Session(format!(
                "the session was lost and could not be renewed: {other}"
            )),
        }
    }

    async fn handshake(self: &Arc<Self>, lost: u64) -> Result<(), Failure> {
        let saved = self.replay.saved();
        let deferred = self.replay.is_deferred();
        if !deferred
            && let Some(transport) = self.transport()
            && transport.shares_one_stream()
        {
            let opened = tokio::time::timeout(self.step, self.open(&transport, Some(lost))).await;
            opened.unwrap_or_else(|_| Err(self.too_slow()))?;
        }
        let Some(initialize) = saved.initialize else {
            return Ok(());
        };
        if !deferred && self.is_modern() {
            // It knows no sessions: the stream is all there was to lose.
            return Ok(());
        }
        let answer = if deferred {
            self.first_handshake(&initialize, saved.owner).await?
        } else {
            let transport = self.transport().ok_or(Failure::Closed)?;
            self.ask(&transport, Outgoing::opening(initialize)).await?
        };
        let transport = self.transport().ok_or(Failure::Closed)?;
        let agreed = Agreed::read(&answer).ok_or_else(|| {
            Failure::Session("the session was lost and the server refused a new one".to_owned())
        })?;
        if self.is_modern() {
            let generation = transport.begin_without_session();
            self.replay.agreed(agreed, answer.payload());
            self.status.send_modify(|status| {
                status.generation = generation;
                status.listening |= saved.initialized.is_some();
            });
            return Ok(());
        }
        // A client of 2026-07-28 has been promised nothing.
        let promised = saved.agreed.filter(|_| saved.owner == Owner::Client);
        if promised.is_some_and(|before| before != agreed) {
            // The server must not keep a session that nobody uses.
            transport.begin(Some(&agreed.version));
            transport.close().await;
            return Err(Failure::Session(
                "the session was lost and the server came back with another version or other capabilities".to_owned(),
            ));
        }
        let generation = transport.begin(Some(&agreed.version));
        let listening = saved.initialized.is_some();
        if let Some(initialized) = saved.initialized {
            let outgoing = Outgoing::new(initialized);
            let sent = tokio::time::timeout(self.step, transport.send(&outgoing)).await;
            sent.unwrap_or_else(|_| Err(self.too_slow()))?;
        }
        let set_up = saved
            .log_level
            .into_iter()
            .chain(saved.subscriptions.into_iter().map(|(_, request)| request));
        let set_up = async {
            for request in set_up {
                let method = request.method().to_owned();
                match self.ask(&transport, Outgoing::new(request)).await {
                    Ok(answer) if answer.kind() == Kind::Result => {}
                    _ => tracing::warn!("the new session did not take {method:?}"),
                }
            }
        };
        // One limit for all of it: requests wait meanwhile.
        if tokio::time::timeout(self.step, set_up).await.is_err() {
            tracing::warn!("the new session did not take all that the client had set up");
        }
        self.replay.agreed(agreed, answer.payload());
        self.status.send_modify(|status| {
            status.generation = generation;
            status.listening |= listening;
        });
        Ok(())
    }

    /// The first handshake that the server sees, in the dialect that it turns out to speak; in either, the answer is that to
    /// `initialize`. It also finds out which transport the server speaks.
    async fn first_handshake(
        self: &Arc<Self>,
        initialize: &Message,
        owner: Owner,
    ) -> Result<Message, Failure> {
        let translate = owner == Owner::Client;
        if translate && self.is_modern() {
            let outcome = self.discovered(initialize).await;
            let refused = matches!(&outcome, Err(failure)
                if verdict(Asked::Discover, Err(failure)) == Verdict::Try(Era::Legacy));
            if !refused || self.is_settled() {
                return outcome;
            }
            // It was remembered, and is no longer so.
            self.suppose(None);
        }
        let id = self.own_id();
        let outgoing = Outgoing::opening(initialize.with_id(&id));
        let outcome = self.answered(self.exchange(&outgoing), &id).await;
        let verdict = verdict(Asked::Initialize, outcome.as_ref());
        if translate
            && verdict == Verdict::Try(Era::Modern)
            && !self.is_settled()
            && let Ok(answer) = self.discovered(initialize).await
        {
            return Ok(answer);
        }
        match outcome? {
            answer if answer.kind() == Kind::Result => {
                self.settle(Era::Legacy, !translate);
                Ok(answer)
            }
            error => Err(said(error)),
        }
    }

    /// What a server of 2026-07-28 says of itself, as the answer to `initialize`.
    pub(in crate::bridge) async fn discovered(
        self: &Arc<Self>,
        initialize: &Message,
    ) -> Result<Message, Failure> {
        let envelope = self.replay.envelope_of(initialize);
        let answer = self.discover(&envelope).await?;
        if answer.kind() == Kind::Error {
            return Err(said(answer));
        }
        let verdict = verdict(Asked::Discover, Ok(&answer));
        let (Some(result), Verdict::Is(Era::Modern)) = (answer.payload(), verdict) else {
            return Err(Failure::NotMcp {
                what: "the server offers no revision that can be used with it".to_owned(),
                excerpt: None,
            });
        };
        self.settle(Era::Modern, true);
        let result = up::initialize_result(initialize, result);
        Ok(reply::result(&self.own_id(), &result))
    }

    /// Sends a saved request under an id of our own and waits for the answer.
    async fn ask(&self, transport: &Transport, mut outgoing: Outgoing) -> Result<Message, Failure> {
        let id = self.own_id();
        outgoing.message = outgoing.message.with_id(&id);
        self.answered(transport.send(&outgoing), &id).await
    }

    /// Waits for the answer of a request that was sent; nothing else in its reply matters.
    pub(super) async fn answered(
        &self,
        sent: impl Future<Output = Result<Reply, Failure>>,
        id: &Id,
    ) -> Result<Message, Failure> {
        let asked = async {
            let reply = sent.await?;
            answer(reply, id, |message| async move {
                tracing::debug!("dropped {:?} on the way to an answer", message.method());
            })
            .await
        };
        tokio::time::timeout(self.step, asked)
            .await
            .unwrap_or_else(|_| Err(self.too_slow()))
    }

    fn too_slow(&self) -> Failure {
        Failure::Lost(format!(
            "the server did not answer within {} s",
            self.step.as_secs_f64()
        ))
    }
}

/// The server's own words, which came with a success status.
fn said(error: Message) -> Failure {
    Failure::Status(Box::new(Refusal::said(error)))
}

/// Whether trying again a little later may help.
fn passes(failure: &Failure, first: bool) -> bool {
    match failure {
        Failure::Unreachable { .. } | Failure::Lost(_) => true,
        // Nobody has been there yet.
        Failure::Status(refusal) if first && refusal.status == 404 => false,
        Failure::Status(refusal) => matches!(refusal.status, 404 | 408 | 429 | 500..=599),
        // Whoever stands before a server that restarts may say so.
        Failure::NoWebSocket { refusal, .. } => !first && refusal.status == 404,
        _ => false,
    }
}
