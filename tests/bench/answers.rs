//! What the server answers: four tools, and just enough of the protocol around them. Requests are
//! read into memory and parsed, as every server has to; the answers stand ready.

use std::convert::Infallible;
use std::iter::once;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream::{iter, pending};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::payload;

/// Where the server answers.
pub const PATH: &str = "/mcp";

/// Event streams are written in pieces of this size, wherever that cuts them.
const PIECE: usize = 16 * 1024;

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// What is kept ready.
pub struct Store {
    block: Bytes,
    /// The last stream of events, with its token and count.
    events: Mutex<(String, usize, Bytes)>,
}

impl Store {
    /// With the text ready, and no events yet.
    pub fn new() -> Self {
        Self {
            block: payload::block(),
            events: Mutex::default(),
        }
    }

    /// A stream of progress notifications.
    fn events(&self, token: &str, count: usize) -> Bytes {
        let mut kept = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if (kept.0.as_str(), kept.1) != (token, count) {
            let bytes = payload::progress_events(token, count).into();
            *kept = (token.to_owned(), count, bytes);
        }
        kept.2.clone()
    }
}

/// The parts of a request that matter here.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(default)]
    method: String,
    #[serde(borrow, default)]
    params: Params<'a>,
}

#[derive(Default, Deserialize)]
struct Params<'a> {
    #[serde(default)]
    name: String,
    #[serde(borrow, default)]
    arguments: Arguments<'a>,
    #[serde(borrow, default, rename = "_meta")]
    meta: Meta<'a>,
}

#[derive(Default, Deserialize)]
struct Arguments<'a> {
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    blocks: usize,
    #[serde(default)]
    event: bool,
    #[serde(default)]
    events: usize,
}

#[derive(Default, Deserialize)]
struct Meta<'a> {
    #[serde(borrow, rename = "progressToken")]
    progress_token: Option<&'a RawValue>,
}

/// Answers one HTTP request.
pub async fn answer(
    request: Request<Incoming>,
    store: &Store,
) -> Result<Response<Body>, anyhow::Error> {
    if request.uri().path() != PATH {
        // Some bridges look for OAuth metadata first.
        return empty(404);
    }
    match *request.method() {
        Method::POST => {}
        // The listening stream: it stays open, and nothing ever comes.
        Method::GET => {
            let silence = StreamBody::new(pending()).boxed_unsync();
            return Ok(Response::builder()
                .header("content-type", EVENTS)
                .body(silence)?);
        }
        _ => return empty(200),
    }
    let body = request.into_body().collect().await?.to_bytes();
    match serde_json::from_slice::<Message<'_>>(&body) {
        Ok(message) => reply(&message, store),
        Err(_) => empty(400),
    }
}

/// Answers one message.
fn reply(message: &Message<'_>, store: &Store) -> anyhow::Result<Response<Body>> {
    let Some(id) = message.id.map(RawValue::get) else {
        return empty(202);
    };
    let arguments = &message.params.arguments;
    match (message.method.as_str(), message.params.name.as_str()) {
        ("initialize", _) => initialized(id),
        ("ping", _) => result(id, "{}"),
        ("tools/list", _) => result(
            id,
            r#"{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}"#,
        ),
        ("tools/call", "echo") => text(id, arguments.text.map_or(r#""""#, RawValue::get)),
        ("tools/call", "sink") => {
            let quoted = arguments.data.map_or(0, |d| d.get().len());
            text(id, &format!(r#""received {}""#, quoted.saturating_sub(2)))
        }
        ("tools/call", "big") => big(id, arguments, store),
        ("tools/call", "stream") => {
            let token = message
                .params
                .meta
                .progress_token
                .map_or("0", RawValue::get);
            notified(id, store.events(token, arguments.events))
        }
        _ => {
            let error = r#"{"code":-32601,"message":"Method not found"}"#;
            json(format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#))
        }
    }
}

/// The answer to `initialize`, with a session.
fn initialized(id: &str) -> anyhow::Result<Response<Body>> {
    let mut response = result(
        id,
        r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"bench","version":"1"}}"#,
    )?;
    let session = HeaderValue::from_static("bench");
    response.headers_mut().insert("mcp-session-id", session);
    Ok(response)
}

/// So many blocks of text, as a JSON body with its length or as one event.
fn big(id: &str, arguments: &Arguments<'_>, store: &Store) -> anyhow::Result<Response<Body>> {
    let (before, after) = around_text(id);
    let blocks = std::iter::repeat_n(store.block.clone(), arguments.blocks);
    if arguments.event {
        let before = Bytes::from(format!("event: message\ndata: {before}"));
        let after = Bytes::from(format!("{after}\n\n"));
        let pieces = blocks.flat_map(pieces);
        stream(once(before).chain(pieces).chain(once(after)))
    } else {
        let len = before.len() + store.block.len() * arguments.blocks + after.len();
        let whole = once(Bytes::from(before))
            .chain(blocks)
            .chain(once(after.into()));
        Ok(Response::builder()
            .header("content-type", JSON)
            .header("content-length", len)
            .body(parts(whole))?)
    }
}

/// A stream of notifications and then the result.
fn notified(id: &str, events: Bytes) -> anyhow::Result<Response<Body>> {
    let (before, after) = around_text(id);
    let last = format!("event: message\ndata: {before}done{after}\n\n");
    stream(pieces(events).chain(once(last.into())))
}

/// A result with one text, which is given as JSON.
fn text(id: &str, text: &str) -> anyhow::Result<Response<Body>> {
    let content = format!(r#"{{"content":[{{"type":"text","text":{text}}}]}}"#);
    result(id, &content)
}

/// What stands before and after the text of a result with one text.
fn around_text(id: &str) -> (String, &'static str) {
    let before =
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[{{"type":"text","text":""#);
    (before, r#""}]}}"#)
}

/// A result, which is given as JSON.
fn result(id: &str, result: &str) -> anyhow::Result<Response<Body>> {
    json(format!(
        r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#
    ))
}

/// A JSON body.
fn json(body: String) -> anyhow::Result<Response<Body>> {
    let response = Response::builder().header("content-type", JSON);
    Ok(response.body(Full::from(body).boxed_unsync())?)
}

/// An event stream.
fn stream(pieces: impl Iterator<Item = Bytes> + Send + 'static) -> anyhow::Result<Response<Body>> {
    let response = Response::builder().header("content-type", EVENTS);
    Ok(response.body(parts(pieces))?)
}

/// A status and nothing else.
fn empty(status: u16) -> anyhow::Result<Response<Body>> {
    let response = Response::builder().status(status);
    Ok(response.body(Full::default().boxed_unsync())?)
}

/// A body that is written part by part.
fn parts(parts: impl Iterator<Item = Bytes> + Send + 'static) -> Body {
    StreamBody::new(iter(parts.map(|p| Ok(Frame::data(p))))).boxed_unsync()
}

/// Cuts bytes into the pieces of an event stream.
fn pieces(mut bytes: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        let next = bytes.split_to(PIECE.min(bytes.len()));
        (!next.is_empty()).then_some(next)
    })
}
