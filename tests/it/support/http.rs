//! What goes over a fake server's wire: requests as they arrived, responses as a test scripts
//! them, and the feed that drives a streamed body. It must not know MCP.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode, Version};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::gate::Gate;
use super::rpc::Rpc;
use super::wire::{Ending, Switch};

/// A request with its whole body.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST` and so on.
    pub method: Method,
    /// The path without the query.
    pub path: String,
    /// What follows the `?`.
    pub query: Option<String>,
    /// The headers, in the client's spelling of the values.
    pub headers: HeaderMap,
    /// The body, still compressed if it was.
    pub body: Bytes,
    /// When its head had arrived.
    pub at: Instant,
    /// Which TCP connection brought it, counted from 1.
    pub connection: usize,
    /// HTTP/1.1 or HTTP/2.
    pub version: Version,
}

impl Request {
    /// The first header of that name, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as a JSON value. Panics when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the request body is JSON")
    }

    /// The body as a JSON-RPC message, if it is one.
    pub fn rpc(&self) -> Option<Rpc> {
        Rpc::parse(&self.text()).ok()
    }

    /// The JSON-RPC method in the body, if there is one.
    pub fn rpc_method(&self) -> Option<String> {
        self.rpc().and_then(|rpc| rpc.method)
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let query = self.query.as_deref().map(|query| format!("?{query}"));
        let start: String = self.text().chars().take(300).collect();
        write!(
            f,
            "#{} {} {}{} session={:?} version={:?} last-event-id={:?} {start}",
            self.connection,
            self.method,
            self.path,
            query.unwrap_or_default(),
            self.header("mcp-session-id"),
            self.header("mcp-protocol-version"),
            self.header("last-event-id"),
        )
    }
}

/// What a handler gives back.
pub struct Response(pub(super) Kind);

pub(super) enum Kind {
    Answer(Box<http::Response<Body>>),
    Stall,
    Reset,
}

impl Response {
    /// A status without a body.
    pub fn status(status: u16) -> Self {
        Self::with(status, Body::Whole(None))
    }

    /// A whole body of that media type.
    pub fn of(status: u16, media_type: &str, body: impl Into<Bytes>) -> Self {
        Self::with(status, Body::Whole(Some(body.into()))).header("content-type", media_type)
    }

    /// A whole JSON body, byte for byte.
    pub fn json(status: u16, body: impl Into<Bytes>) -> Self {
        Self::of(status, "application/json", body)
    }

    /// A web page, as proxies and captive portals answer.
    pub fn html(status: u16, body: impl Into<Bytes>) -> Self {
        Self::of(status, "text/html; charset=utf-8", body)
    }

    /// `202 Accepted` without a body.
    pub fn accepted() -> Self {
        Self::status(202)
    }

    /// A 200 event stream and the feed that drives it. It ends cleanly when the last clone of the
    /// feed is dropped.
    pub fn events() -> (Self, Feed) {
        Self::streamed(200, "text/event-stream")
    }

    /// A body of any kind and the feed that drives it.
    pub fn streamed(status: u16, media_type: &str) -> (Self, Feed) {
        let (parts, rest) = unbounded_channel();
        let gone = Gate::new();
        let feed = Feed {
            parts,
            gone: gone.clone(),
        };
        let fed = Fed {
            rest,
            gone,
            held: false,
            switch: None,
        };
        let response = Self::with(status, Body::Fed(fed)).header("content-type", media_type);
        (response, feed)
    }

    /// A 200 event stream of exactly these bytes, ended cleanly.
    pub fn event_bytes(body: impl Into<Bytes>) -> Self {
        let (response, feed) = Self::events();
        feed.send(body);
        response
    }

    /// A JSON body that promises `missing` bytes more than it brings, then loses its connection.
    pub fn truncated(status: u16, body: impl Into<Bytes>, missing: usize) -> Self {
        let body = body.into();
        let (response, feed) = Self::streamed(status, "application/json");
        let promised = (body.len() + missing).to_string();
        feed.send(body);
        feed.cut();
        response.header(CONTENT_LENGTH.as_str(), &promised)
    }

    /// No answer, ever; the connection stays open.
    pub fn stall() -> Self {
        Self(Kind::Stall)
    }

    /// A TCP reset in place of an answer.
    pub fn reset() -> Self {
        Self(Kind::Reset)
    }

    /// Sets a header, in place of one of that name.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Kind::Answer(answer) = &mut self.0 {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
            let value = HeaderValue::from_str(value).expect("a header value");
            answer.headers_mut().insert(name, value);
        }
        self
    }

    /// Adds a header beside those of that name, as several `Set-Cookie` need.
    pub fn also(mut self, name: &str, value: &str) -> Self {
        if let Kind::Answer(answer) = &mut self.0 {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
            let value = HeaderValue::from_str(value).expect("a header value");
            answer.headers_mut().append(name, value);
        }
        self
    }

    /// Takes the media type away.
    pub fn untyped(mut self) -> Self {
        if let Kind::Answer(answer) = &mut self.0 {
            answer.headers_mut().remove(CONTENT_TYPE);
        }
        self
    }

    fn with(status: u16, body: Body) -> Self {
        let mut answer = http::Response::new(body);
        *answer.status_mut() = StatusCode::from_u16(status).expect("a status code");
        Self(Kind::Answer(Box::new(answer)))
    }
}

/// Drives a streamed body from anywhere. The body ends cleanly with `end`, or when the last clone
/// is dropped; everything sent before an ending is written first.
#[derive(Clone)]
pub struct Feed {
    parts: UnboundedSender<Part>,
    gone: Gate,
}

enum Part {
    Bytes(Bytes),
    End,
    Hold,
    Break(Ending),
}

impl Feed {
    /// Sends raw bytes as one write. Nothing happens when the client has gone.
    pub fn send(&self, bytes: impl Into<Bytes>) {
        let _ = self.parts.send(Part::Bytes(bytes.into()));
    }

    /// Sends one event with that data.
    pub fn event(&self, data: &str) {
        self.send(event(None, data));
    }

    /// Sends one event with an id.
    pub fn event_with_id(&self, id: &str, data: &str) {
        self.send(event(Some(id), data));
    }

    /// Ends the body as it should be ended.
    pub fn end(&self) {
        let _ = self.parts.send(Part::End);
    }

    /// Leaves the body open although every clone of this feed may be dropped.
    pub fn keep_open(&self) {
        let _ = self.parts.send(Part::Hold);
    }

    /// Closes the TCP connection in the middle of the body.
    pub fn cut(&self) {
        let _ = self.parts.send(Part::Break(Ending::Closed));
    }

    /// Resets the TCP connection in the middle of the body.
    pub fn reset(&self) {
        let _ = self.parts.send(Part::Break(Ending::Reset));
    }

    /// Opens when the body is over, from whichever side.
    pub fn gone(&self) -> &Gate {
        &self.gone
    }
}

/// The bytes of one event.
pub fn event(id: Option<&str>, data: &str) -> String {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    let data: String = data
        .split('\n')
        .map(|line| format!("data: {line}\n"))
        .collect();
    format!("{id}{data}\n")
}

/// The body of a response on its way out.
pub(super) enum Body {
    Whole(Option<Bytes>),
    Fed(Fed),
}

pub(super) struct Fed {
    rest: UnboundedReceiver<Part>,
    gone: Gate,
    held: bool,
    /// The connection that this body can break; set when it is sent.
    pub(super) switch: Option<Arc<Switch>>,
}

impl Drop for Fed {
    fn drop(&mut self) {
        self.gone.open();
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Fed(fed) => fed.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Fed(_) => SizeHint::default(),
        }
    }
}

impl Fed {
    fn poll<E>(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, E>>> {
        loop {
            match self.rest.poll_recv(cx) {
                Poll::Ready(Some(Part::Bytes(bytes))) => {
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Poll::Ready(Some(Part::End)) => return Poll::Ready(None),
                Poll::Ready(Some(Part::Hold)) => self.held = true,
                // The connection itself goes on to write what it was given, then breaks.
                Poll::Ready(Some(Part::Break(ending))) => {
                    self.held = true;
                    if let Some(switch) = &self.switch {
                        switch.fire(ending);
                    }
                }
                Poll::Ready(None) if self.held => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
