//! Streamable HTTP (revisions 2025-03-26 to 2025-11-25, transports §Streamable HTTP): each message is a POST; answers come
//! as JSON or as an event stream, which is resumed when it breaks and the server numbered its events.

mod stream;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use reqwest::Response;
use tokio::task::JoinSet;

pub use stream::HttpEvents;

use super::events::Cursor;
use super::exchange::{Ask, Exchange, excerpt, excerpt_source};
use super::session::{Current, Replaced, Session};
use super::{Events, Listening, Outgoing, Reply, Scope};
use crate::error::{Failure, Refusal};
use crate::jsonrpc::{Kind, Malformed, Message, is_array};
use crate::net::headers::media_type;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
const EITHER: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The longest that the server may take over the DELETE of a session.
const DELETE_WAIT: Duration = Duration::from_secs(1);

/// The longest that the end of an unneeded body is waited for.
const FINISH_WAIT: Duration = Duration::from_secs(1);

/// A link to one MCP endpoint.
#[derive(Debug)]
pub struct Http {
    exchange: Arc<Exchange>,
    session: Current,
    /// Sessions that are being ended since others have replaced them.
    ending: Mutex<JoinSet<()>>,
}

impl Http {
    /// A link without a session.
    pub fn new(exchange: Arc<Exchange>) -> Self {
        Self {
            exchange,
            session: Current::default(),
            ending: Mutex::default(),
        }
    }

    pub(super) fn begin(self: &Arc<Self>, version: Option<&str>) -> u64 {
        let (generation, replaced) = self.session.begin(version);
        if let Some(replaced) = replaced {
            self.end(replaced);
        }
        generation
    }

    pub(super) fn begin_without_session(self: &Arc<Self>) -> u64 {
        self.session.offered(&HeaderMap::new());
        self.begin(None)
    }

    /// Ends a session that nobody needs any more. Nobody waits for it, and its last requests are not cut short.
    fn end(self: &Arc<Self>, replaced: Replaced) {
        let http = Arc::clone(self);
        let mut ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        while ending.try_join_next().is_some() {}
        ending.spawn(async move {
            let session = replaced.unused().await;
            http.delete(&session).await;
        });
    }

    pub(super) fn generation(&self) -> u64 {
        self.session.get().generation
    }

    pub(super) async fn send(self: &Arc<Self>, outgoing: &Outgoing) -> Result<Reply, Failure> {
        let session = match outgoing.scope {
            Scope::Session => self.session.get(),
            Scope::Opening | Scope::Alone => Session::default(),
        };
        let mut headers = outgoing.headers.clone();
        headers.insert(ACCEPT, EITHER);
        headers.insert(CONTENT_TYPE, JSON);
        session.apply(&mut headers);
        let ask = Ask {
            method: Method::POST,
            url: self.exchange.url().clone(),
            headers,
            body: Some(outgoing.message.line().clone()),
        };
        let response = self.exchange.send(&ask).await?;
        if !response.status().is_success() {
            if response.status() == StatusCode::NOT_FOUND {
                self.session.gone(session.generation);
            }
            return Err(self.failure(response, &session).await);
        }
        if outgoing.scope == Scope::Opening {
            self.session.offered(response.headers());
        }
        let asked = outgoing.message.kind() == Kind::Request;
        if !asked
            || matches!(
                response.status(),
                StatusCode::ACCEPTED | StatusCode::NO_CONTENT
            )
        {
            finish(response);
            return Ok(Reply::Accepted);
        }
        if media_type(response.headers()) == "text/event-stream" {
            let events = HttpEvents::answering(Arc::clone(self), session, response);
            return Ok(Reply::Many(Events::Http(Box::new(events))));
        }
        self.json(response).await
    }

    async fn json(&self, response: Response) -> Result<Reply, Failure> {
        let media_type = media_type(response.headers());
        let body = self.exchange.body(response).await?;
        if body.is_empty() {
            return Ok(Reply::Accepted);
        }
        let head = excerpt_source(&body);
        let array = is_array(&body);
        match Message::parse_any(body) {
            Ok(mut messages) if !array => Ok(messages.pop().map_or(Reply::Accepted, Reply::One)),
            Ok(messages) => Ok(Reply::Many(Events::Ready(messages.into()))),
            Err(malformed) => Err(not_mcp(&media_type, &head, &malformed)),
        }
    }

    /// What a status that is no success means for a message of `session`. A session that is gone shows as 404, with many
    /// servers as 400 with an error that names no request.
    async fn failure(&self, response: Response, session: &Session) -> Failure {
        match self.exchange.refused(response).await {
            Failure::Status(refusal) if session.has_id() && ends_session(&refusal) => {
                Failure::SessionGone {
                    generation: session.generation,
                    refusal: Some(refusal),
                }
            }
            other => other,
        }
    }

    pub(super) async fn listen(self: &Arc<Self>, cursor: Cursor) -> Result<Listening, Failure> {
        let session = self.session.get();
        let response = self.get(&session, &cursor).await?;
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            return Ok(Listening::NotOffered);
        }
        if !response.status().is_success() {
            return Err(self.failure(response, &session).await);
        }
        let media_type = media_type(response.headers());
        if media_type != "text/event-stream" {
            return Err(Failure::NotMcp {
                what: format!("a GET was answered with {media_type:?} and no event stream"),
                excerpt: None,
            });
        }
        let events = HttpEvents::listening(Arc::clone(self), session, response, cursor);
        Ok(Listening::Stream(Events::Http(Box::new(events))))
    }

    /// A GET for an event stream. Compression is declined: it makes servers hold events back.
    async fn get(&self, session: &Session, cursor: &Cursor) -> Result<Response, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, EVENT_STREAM);
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(id) = cursor
            .last_id
            .as_deref()
            .and_then(|id| HeaderValue::from_str(id).ok())
        {
            headers.insert(LAST_EVENT_ID, id);
        }
        session.apply(&mut headers);
        let ask = Ask {
            method: Method::GET,
            url: self.exchange.url().clone(),
            headers,
            body: None,
        };
        self.exchange.send(&ask).await
    }

    pub(super) async fn close(&self) {
        let session = self.session.end();
        let ending = {
            let mut ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *ending)
        };
        let all = async { tokio::join!(self.delete(&session), ending.join_all()) };
        let _ = tokio::time::timeout(DELETE_WAIT, all).await;
    }

    /// Tells the server that a session is over. It may say that it does not care.
    async fn delete(&self, session: &Session) {
        if !session.has_id() {
            return;
        }
        let mut headers = HeaderMap::new();
        session.apply(&mut headers);
        let ask = Ask {
            method: Method::DELETE,
            url: self.exchange.url().clone(),
            headers,
            body: None,
        };
        match tokio::time::timeout(DELETE_WAIT, self.exchange.send_last(&ask)).await {
            Ok(Ok(_)) => {}
            Ok(Err(failure)) => tracing::debug!("could not end the session: {failure}"),
            Err(_) => tracing::debug!("the server took too long to end the session"),
        }
    }
}

/// Reads what is left of a response that nobody needs, so that its connection can be used again.
fn finish(mut response: Response) {
    if response.content_length() == Some(0) {
        return;
    }
    tokio::spawn(async move {
        let rest = async { while let Ok(Some(_)) = response.chunk().await {} };
        let _ = tokio::time::timeout(FINISH_WAIT, rest).await;
    });
}

fn ends_session(refusal: &Refusal) -> bool {
    match refusal.status {
        404 => true,
        400 => refusal
            .message
            .as_ref()
            .is_some_and(|message| message.id().is_none()),
        _ => false,
    }
}

fn not_mcp(media_type: &str, body: &[u8], malformed: &Malformed) -> Failure {
    let what = match (media_type, malformed) {
        ("application/json" | "", Malformed::Json(wrong)) => {
            format!("the server's answer is not valid JSON: {wrong}")
        }
        ("application/json" | "", _) => "the server's answer is no JSON-RPC message".to_owned(),
        (other, _) => format!("the server answered with {other} and no JSON-RPC message"),
    };
    Failure::NotMcp {
        what,
        excerpt: excerpt(body),
    }
}
