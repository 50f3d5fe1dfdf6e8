//! How messages travel to the remote server and back: Streamable HTTP, HTTP+SSE and WebSocket, and stdio on the local side. A
//! transport writes the headers it is given and knows no method by name; when to repeat, renew or give up is decided above it.

pub mod events;
pub mod stdio;

mod channel;
mod exchange;
mod http;
mod session;
mod shared;
mod sse;
mod websocket;

use std::collections::VecDeque;
use std::sync::Arc;

use ::http::HeaderMap;

pub use exchange::{Exchange, Limits};
pub use http::Http;
pub use session::Session;
pub use sse::Sse;
pub use websocket::WebSocket;

use crate::error::Failure;
use crate::jsonrpc::Message;
use channel::Answer;
use events::Cursor;
use http::HttpEvents;

/// Whether a message belongs to the session or opens one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// It carries the session, where there is one.
    Session,
    /// It opens a session and carries none.
    Opening,
    /// It asks what the server speaks: it carries none and opens none.
    Alone,
}

/// A message on its way to the remote server.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The message; its bytes are the body.
    pub message: Message,
    /// Headers that go with it.
    pub headers: HeaderMap,
    /// Whether it belongs to the session.
    pub scope: Scope,
    /// It asks for something that lasts, and its answer is the end of that: the server is not at work until then.
    pub lasts: bool,
}

impl Outgoing {
    /// A message of the session, without headers of its own.
    pub fn new(message: Message) -> Self {
        Self {
            message,
            headers: HeaderMap::new(),
            scope: Scope::Session,
            lasts: false,
        }
    }

    /// A message that opens a session.
    pub fn opening(message: Message) -> Self {
        Self {
            scope: Scope::Opening,
            ..Self::new(message)
        }
    }
}

/// What a message got back.
#[derive(Debug)]
pub enum Reply {
    /// It was accepted; there is no answer, or it comes elsewhere.
    Accepted,
    /// One message: the answer, unless the server is confused.
    One(Message),
    /// Several, the answer among them.
    Many(Events),
}

impl Reply {
    /// The messages of the reply to a request.
    ///
    /// # Errors
    /// [`Failure::NotMcp`] when the server took the request and sent none.
    pub fn into_events(self) -> Result<Events, Failure> {
        match self {
            Self::Accepted => Err(Failure::NotMcp {
                what: "the server accepted the request but sent no answer".to_owned(),
                excerpt: None,
            }),
            Self::One(message) => Ok(Events::Ready([message].into())),
            Self::Many(events) => Ok(events),
        }
    }
}

/// Messages that belong to one request, or the ones that the server sends by itself.
#[derive(Debug)]
pub enum Events {
    /// Messages that are here already.
    Ready(VecDeque<Message>),
    /// An event stream over HTTP.
    Http(Box<HttpEvents>),
    /// The answer, out of a stream that all requests share.
    Answer(Answer),
    /// What comes on a shared stream without being asked for.
    Unasked(tokio::sync::mpsc::Receiver<Message>),
    /// What a test gives.
    #[cfg(test)]
    Scripted(tokio::sync::mpsc::Receiver<Result<Message, Failure>>),
}

impl Events {
    /// No messages.
    pub const fn none() -> Self {
        Self::Ready(VecDeque::new())
    }

    /// The next message; `None` when the stream has ended without anything being wrong.
    ///
    /// # Errors
    /// Why no more will come. A request's own stream ends with an error when it has not brought the answer.
    pub async fn next(&mut self) -> Result<Option<Message>, Failure> {
        match self {
            Self::Ready(messages) => Ok(messages.pop_front()),
            Self::Http(events) => events.next().await,
            Self::Answer(answer) => answer.next().await,
            Self::Unasked(messages) => Ok(messages.recv().await),
            #[cfg(test)]
            Self::Scripted(messages) => messages.recv().await.transpose(),
        }
    }

    /// The answer has come: the end of the stream is no failure any more.
    pub fn answered(&mut self) {
        if let Self::Http(events) = self {
            events.answered();
        }
    }

    /// Where an HTTP stream stands, to go on with it later.
    pub fn cursor(&self) -> Cursor {
        match self {
            Self::Http(events) => events.cursor().clone(),
            _ => Cursor::default(),
        }
    }
}

/// The transport in use.
#[derive(Debug, Clone)]
pub enum Transport {
    /// Streamable HTTP (revisions 2025-03-26 and later).
    Http(Arc<Http>),
    /// HTTP+SSE (revision 2024-11-05).
    Sse(Arc<Sse>),
    /// WebSocket (no revision knows it).
    WebSocket(Arc<WebSocket>),
    /// A scripted peer.
    #[cfg(test)]
    Scripted(Arc<scripted::Scripted>),
}

/// Whether the server can send messages by itself.
#[derive(Debug)]
pub enum Listening {
    /// It does on this stream.
    Stream(Events),
    /// It offers no such stream.
    NotOffered,
}

impl Transport {
    /// Sends one message.
    ///
    /// # Errors
    /// Why there is no reply; see [`Failure`].
    pub async fn send(&self, outgoing: &Outgoing) -> Result<Reply, Failure> {
        match self {
            Self::Http(http) => http.send(outgoing).await,
            Self::Sse(sse) => sse.send(outgoing).await,
            Self::WebSocket(websocket) => websocket.send(outgoing).await,
            #[cfg(test)]
            Self::Scripted(scripted) => scripted.send(outgoing).await,
        }
    }

    /// Starts over with a session that the server has just opened, or none. `version` is the negotiated revision for the
    /// headers; it returns the session's generation.
    pub fn begin(&self, version: Option<&str>) -> u64 {
        match self {
            Self::Http(http) => http.begin(version),
            Self::Sse(sse) => sse.generation(),
            Self::WebSocket(websocket) => websocket.generation(),
            #[cfg(test)]
            Self::Scripted(scripted) => scripted.begin(),
        }
    }

    /// Starts over without a session: the server knows none, and whatever it offered means nothing.
    pub fn begin_without_session(&self) -> u64 {
        match self {
            Self::Http(http) => http.begin_without_session(),
            other => other.begin(None),
        }
    }

    /// The generation of the session in use.
    pub fn generation(&self) -> u64 {
        match self {
            Self::Http(http) => http.generation(),
            Self::Sse(sse) => sse.generation(),
            Self::WebSocket(websocket) => websocket.generation(),
            #[cfg(test)]
            Self::Scripted(scripted) => scripted.generation(),
        }
    }

    /// Opens the stream on which the server sends messages by itself, going on at `cursor`.
    ///
    /// # Errors
    /// Why it could not be opened.
    pub async fn listen(&self, cursor: Cursor) -> Result<Listening, Failure> {
        match self {
            Self::Http(http) => http.listen(cursor).await,
            Self::Sse(sse) => sse.listen(),
            Self::WebSocket(websocket) => websocket.listen(),
            #[cfg(test)]
            Self::Scripted(scripted) => scripted.listen(),
        }
    }

    /// Whether all messages share one stream, so that losing it loses the session.
    pub fn shares_one_stream(&self) -> bool {
        match self {
            Self::Http(_) => false,
            Self::Sse(_) | Self::WebSocket(_) => true,
            #[cfg(test)]
            Self::Scripted(scripted) => scripted.shares_one_stream(),
        }
    }

    /// Opens the shared stream anew. Without one there is nothing to do.
    ///
    /// # Errors
    /// Why it could not be opened.
    pub async fn connect(&self) -> Result<(), Failure> {
        match self {
            Self::Http(_) => Ok(()),
            Self::Sse(sse) => sse.connect().await,
            Self::WebSocket(websocket) => websocket.connect().await,
            #[cfg(test)]
            Self::Scripted(scripted) => scripted.connect(),
        }
    }

    /// Counts what has come on the shared stream, be it no message: comments, pongs, parts of something larger.
    pub fn heard(&self) -> u64 {
        match self {
            Self::Http(_) => 0,
            Self::Sse(sse) => sse.heard(),
            Self::WebSocket(websocket) => websocket.heard(),
            #[cfg(test)]
            Self::Scripted(scripted) => scripted.heard(),
        }
    }

    /// Whether a message can be sent without connecting first.
    pub fn is_connected(&self) -> bool {
        match self {
            Self::Http(_) => true,
            Self::Sse(sse) => sse.is_connected(),
            Self::WebSocket(websocket) => websocket.is_connected(),
            #[cfg(test)]
            Self::Scripted(scripted) => scripted.is_connected(),
        }
    }

    /// Leaves the session: tells the server and drops shared streams. Never fails; the server may not care.
    pub async fn close(&self) {
        match self {
            Self::Http(http) => http.close().await,
            Self::Sse(sse) => sse.close(),
            Self::WebSocket(websocket) => websocket.close().await,
            #[cfg(test)]
            Self::Scripted(_) => {}
        }
    }
}

#[cfg(test)]
pub mod scripted;
