//! Finding the transport: the client's own first message is the probe, only a refusal leads to the other one, and what
//! was found is remembered.

use std::sync::{Arc, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use super::{Link, Phase, Protocol};
use crate::era::detect;
use crate::error::Failure;
use crate::net::guard;
use crate::store::verdicts::{Verdict, Verdicts};
use crate::transport::{Exchange, Http, Outgoing, Scope, Sse, Transport, WebSocket};

/// Which transports to try (`--transport`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// Streamable HTTP, then HTTP+SSE.
    #[default]
    HttpFirst,
    /// HTTP+SSE, then Streamable HTTP.
    SseFirst,
    /// Streamable HTTP.
    HttpOnly,
    /// HTTP+SSE.
    SseOnly,
    /// WebSocket.
    WebSocket,
}

/// The remote server, and how to find its transport.
#[derive(Debug)]
pub struct Remote {
    /// Requests to it.
    pub exchange: Arc<Exchange>,
    /// Which transports to try.
    pub order: Order,
    /// Which revisions it speaks.
    pub protocol: Protocol,
    /// What was found before; `None` remembers nothing.
    pub verdicts: Option<Verdicts>,
    /// A transport that a test gives.
    #[cfg(test)]
    pub scripted: Option<Transport>,
}

/// The search for HTTP+SSE, shared by all messages that led to it.
pub(super) type Search = Shared<BoxFuture<'static, Result<(), Failure>>>;

/// What is known of the transport.
#[derive(Debug)]
pub(super) enum Choice {
    /// Streamable HTTP, unless it is refused.
    Http(Arc<Http>),
    /// HTTP+SSE, unless it is refused.
    Sse(Arc<Sse>),
    /// HTTP+SSE is being tried since Streamable HTTP was refused.
    Searching(Arc<Http>, Search),
    /// Found.
    Settled(Transport),
}

impl Choice {
    pub fn transport(&self) -> Option<Transport> {
        match self {
            Self::Http(http) | Self::Searching(http, _) => Some(Transport::Http(Arc::clone(http))),
            Self::Sse(sse) => Some(Transport::Sse(Arc::clone(sse))),
            Self::Settled(transport) => Some(transport.clone()),
        }
    }

    /// The server has taken a message: this is its transport.
    pub fn settle(&mut self) {
        if let (Self::Http(_) | Self::Sse(_), Some(transport)) = (&*self, self.transport()) {
            *self = Self::Settled(transport);
        }
    }
}

impl Remote {
    fn http(&self) -> Arc<Http> {
        Arc::new(Http::new(Arc::clone(&self.exchange)))
    }

    fn sse(&self) -> Arc<Sse> {
        Arc::new(Sse::new(Arc::clone(&self.exchange)))
    }

    pub(super) fn first_choice(&self, remembered: &Verdict) -> Choice {
        #[cfg(test)]
        if let Some(transport) = &self.scripted {
            return Choice::Settled(transport.clone());
        }
        match self.order {
            Order::HttpOnly => Choice::Settled(Transport::Http(self.http())),
            Order::SseOnly => Choice::Settled(Transport::Sse(self.sse())),
            Order::WebSocket => {
                let websocket = WebSocket::new(Arc::clone(&self.exchange));
                Choice::Settled(Transport::WebSocket(Arc::new(websocket)))
            }
            Order::HttpFirst if !remembered.sse => Choice::Http(self.http()),
            Order::SseFirst | Order::HttpFirst => Choice::Sse(self.sse()),
        }
    }

    /// What verdicts are kept under: no value of the query, which may be a secret.
    pub(super) fn shown(&self) -> String {
        guard::shown(self.exchange.url())
    }

    fn remember_sse(&self, sse: bool) {
        if self.order == Order::HttpFirst {
            self.remember(|verdict| verdict.sse = sse);
        }
    }
}

impl Link {
    /// The transport to send a message with; one that shares a stream is connected first.
    pub(super) async fn connected(self: &Arc<Self>, scope: Scope) -> Result<Transport, Failure> {
        let (first_choice, transport) = match &*self.choice() {
            Choice::Sse(sse) => (Some(Arc::clone(sse)), None),
            other => (None, other.transport()),
        };
        if let Some(sse) = first_choice {
            return self.connect_first(sse).await;
        }
        let transport = transport.ok_or(Failure::Closed)?;
        let first = scope == Scope::Opening || transport.generation() == 0;
        if first && transport.shares_one_stream() {
            self.open(&transport, None).await?;
        }
        Ok(transport)
    }

    /// Tries HTTP+SSE before Streamable HTTP.
    async fn connect_first(self: &Arc<Self>, sse: Arc<Sse>) -> Result<Transport, Failure> {
        let transport = Transport::Sse(sse);
        let failure = match self.open(&transport, None).await {
            Ok(()) => {
                self.settle_sse();
                return Ok(transport);
            }
            Err(failure) => failure,
        };
        if !refuses_sse(&failure) {
            return Err(failure);
        }
        let (changed, transport) = {
            let mut choice = self.choice();
            // Others may have waited for the same refusal; one of them decides.
            let changed = matches!(&*choice, Choice::Sse(_));
            if changed {
                *choice = Choice::Settled(Transport::Http(self.remote.http()));
            }
            (changed, choice.transport())
        };
        if changed {
            tracing::debug!("no HTTP+SSE ({failure}): trying Streamable HTTP");
            self.remote.remember_sse(false);
        }
        transport.ok_or(Failure::Closed)
    }

    /// Connects unless it is connected, once for all who need it. The connection of the generation `lost` will not do.
    pub(super) async fn open(
        self: &Arc<Self>,
        transport: &Transport,
        lost: Option<u64>,
    ) -> Result<(), Failure> {
        let opening = {
            let mut opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
            let connected = transport.is_connected() && Some(transport.generation()) != lost;
            if opening.is_none() && connected {
                return Ok(());
            }
            opening
                .get_or_insert_with(|| self.opening(transport.clone()))
                .clone()
        };
        opening.await
    }

    fn opening(self: &Arc<Self>, transport: Transport) -> Search {
        let link = Arc::clone(self);
        // In a task of its own, as a search is.
        let task = tokio::spawn(async move {
            let connected = transport.connect().await;
            if connected.is_ok() {
                link.stream_opened(transport.generation());
            }
            *link.opening.lock().unwrap_or_else(PoisonError::into_inner) = None;
            connected
        });
        async move { task.await.unwrap_or(Err(Failure::Closed)) }
            .boxed()
            .shared()
    }

    /// A stream is open on which the server may send by itself at once. Requests may follow, unless a session is being opened, or
    /// has to be: where the client's handshake was answered without the server, its own comes first.
    pub(super) fn stream_opened(&self, generation: u64) {
        let deferred = self.replay.is_deferred();
        self.status.send_modify(|status| {
            status.generation = generation;
            status.listening = true;
            if matches!(status.phase, Phase::Broken(_)) && !deferred {
                status.phase = Phase::Open;
            }
        });
    }

    /// Whether a refusal of what was sent by `transport` led to another one, so that the message should be sent once more.
    pub(super) async fn falls_back(
        self: &Arc<Self>,
        transport: &Transport,
        failure: &Failure,
        outgoing: &Outgoing,
    ) -> bool {
        // A message of 2026-07-28 is nothing for HTTP+SSE; what its sender says next, in other words, may lead there.
        if !outgoing.headers.is_empty() {
            return false;
        }
        let evidence = match failure {
            Failure::Status(refusal) => detect::speaks_for_sse(
                refusal.status,
                refusal.message.as_ref(),
                outgoing.message.id(),
            ),
            _ => return false,
        };
        let search = {
            let mut choice = self.choice();
            match &*choice {
                Choice::Searching(_, search) => search.clone(),
                // Another message's search was over before this refusal came.
                Choice::Settled(Transport::Sse(_)) if evidence => {
                    return matches!(transport, Transport::Http(_));
                }
                Choice::Http(http) if evidence && self.remote.order == Order::HttpFirst => {
                    let search = self.search();
                    *choice = Choice::Searching(Arc::clone(http), search.clone());
                    search
                }
                Choice::Http(_) if refusal_settles(failure) => {
                    choice.settle();
                    return false;
                }
                _ => return false,
            }
        };
        search.await.is_ok()
    }

    fn search(self: &Arc<Self>) -> Search {
        let link = Arc::clone(self);
        // In a task of its own: the request that began it may be cancelled while others wait for it.
        let task = tokio::spawn(async move {
            tracing::debug!("Streamable HTTP was refused: trying HTTP+SSE");
            let sse = link.remote.sse();
            let connected = sse.connect().await;
            let mut choice = link.choice();
            let Choice::Searching(http, _) = &*choice else {
                return Err(Failure::Closed);
            };
            match connected {
                Ok(()) => {
                    let transport = Transport::Sse(sse);
                    let generation = transport.generation();
                    *choice = Choice::Settled(transport);
                    drop(choice);
                    link.settle_sse();
                    link.stream_opened(generation);
                    link.remote.remember_sse(true);
                    Ok(())
                }
                Err(failure) => {
                    // The next message may try again: the server may not have been up.
                    *choice = Choice::Http(Arc::clone(http));
                    Err(failure)
                }
            }
        });
        async move { task.await.unwrap_or(Err(Failure::Closed)) }
            .boxed()
            .shared()
    }
}

/// Somebody who speaks Streamable HTTP has read the message and refused it.
fn refusal_settles(failure: &Failure) -> bool {
    failure
        .refusal()
        .is_some_and(|refusal| refusal.message.is_some())
}

/// The server answers, but not as HTTP+SSE.
fn refuses_sse(failure: &Failure) -> bool {
    match failure {
        Failure::NotMcp { .. } => true,
        // 408 and 429 speak of the moment, not of the server.
        Failure::Status(refusal) => {
            matches!(refusal.status, 400..=499) && !matches!(refusal.status, 408 | 429)
        }
        _ => false,
    }
}
