//! What the server answers: four tools, and just enough of the protocol around them. It reads
//! requests into memory and parses them, and writes each answer anew, as every server has to.

use std::convert::Infallible;
use std::io::Write;
use std::iter::once;

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

/// Where it does so in the revision of 2026-07-28.
pub const MODERN_PATH: &str = "/modern";

/// Event streams are written in pieces of this size, wherever that cuts them.
const PIECE: usize = 16 * 1024;

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

type Body = UnsyncBoxBody<Bytes, Infallible>;

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
    #[serde(default)]
    text: String,
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
    #[serde(borrow, rename = "io.modelcontextprotocol/protocolVersion")]
    version: Option<&'a RawValue>,
}

/// Answers one HTTP request.
pub async fn answer(request: Request<Incoming>) -> Result<Response<Body>, anyhow::Error> {
    let modern = match request.uri().path() {
        PATH => false,
        MODERN_PATH => true,
        // Some bridges look for OAuth metadata first.
        _ => return empty(404),
    };
    match *request.method() {
        Method::POST => {}
        _ if modern => return empty(405),
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
        Ok(message) if modern => modern_reply(&message),
        Ok(message) => reply(&message),
        Err(_) => empty(400),
    }
}

/// Answers one message.
fn reply(message: &Message<'_>) -> anyhow::Result<Response<Body>> {
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
        ("tools/call", "echo") => text(id, &arguments.text),
        ("tools/call", "sink") => {
            let quoted = arguments.data.map_or(0, |d| d.get().len());
            text(id, &format!("received {}", quoted.saturating_sub(2)))
        }
        ("tools/call", "big") => big(id, arguments),
        ("tools/call", "stream") => {
            let token = message
                .params
                .meta
                .progress_token
                .map_or("0", RawValue::get);
            notified(id, token, arguments.events)
        }
        _ => {
            let error = r#"{"code":-32601,"message":"Method not found"}"#;
            json(format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#))
        }
    }
}

/// Answers one message of 2026-07-28; any other is refused.
fn modern_reply(message: &Message<'_>) -> anyhow::Result<Response<Body>> {
    let Some(id) = message.id.map(RawValue::get) else {
        return empty(202);
    };
    if message.params.meta.version.is_none() {
        let error = r#"{"code":-32022,"message":"Unsupported protocol version","data":{"supported":["2026-07-28"]}}"#;
        let mut refusal = json(format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#))?;
        *refusal.status_mut() = http::StatusCode::BAD_REQUEST;
        return Ok(refusal);
    }
    if message.method == "server/discover" {
        let supported = r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"private"}"#;
        return result(id, supported);
    }
    let text = serde_json::to_string(&message.params.arguments.text)?;
    result(
        id,
        &format!(r#"{{"resultType":"complete","content":[{{"type":"text","text":{text}}}]}}"#),
    )
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
fn big(id: &str, arguments: &Arguments<'_>) -> anyhow::Result<Response<Body>> {
    let text = payload::text(arguments.blocks);
    if arguments.event {
        stream(pieces(event(id, &text)?.into()))
    } else {
        let mut body = Vec::with_capacity(text.len() + text.len() / 32);
        write_text(&mut body, id, &text)?;
        json(body)
    }
}

/// A stream of notifications and then the result.
fn notified(id: &str, token: &str, events: usize) -> anyhow::Result<Response<Body>> {
    let last = event(id, "done")?;
    let token = token.to_owned();
    let mut sent = 0;
    let written = std::iter::from_fn(move || {
        let mut piece = Vec::with_capacity(PIECE);
        while piece.len() < PIECE && sent < events {
            sent += 1;
            payload::progress_event(&mut piece, &token, sent, events);
        }
        (!piece.is_empty()).then(|| Bytes::from(piece))
    });
    stream(written.chain(once(last.into())))
}

/// An event with a result with one text.
fn event(id: &str, text: &str) -> anyhow::Result<Vec<u8>> {
    let mut event = Vec::with_capacity(text.len() + text.len() / 32);
    event.extend_from_slice(b"event: message\ndata: ");
    write_text(&mut event, id, text)?;
    event.extend_from_slice(b"\n\n");
    Ok(event)
}

/// A JSON body with a result with one text.
fn text(id: &str, text: &str) -> anyhow::Result<Response<Body>> {
    let mut body = Vec::new();
    write_text(&mut body, id, text)?;
    json(body)
}

/// Writes a result with one text, in a single pass.
fn write_text(out: &mut Vec<u8>, id: &str, text: &str) -> anyhow::Result<()> {
    let content = r#"{"content":[{"type":"text","text":"#;
    write!(out, r#"{{"jsonrpc":"2.0","id":{id},"result":{content}"#)?;
    serde_json::to_writer(&mut *out, text)?;
    out.extend_from_slice(b"}]}}");
    Ok(())
}

/// A JSON body with a result, which is given as JSON.
fn result(id: &str, result: &str) -> anyhow::Result<Response<Body>> {
    json(format!(
        r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#
    ))
}

/// A JSON body.
fn json(body: impl Into<Bytes>) -> anyhow::Result<Response<Body>> {
    let response = Response::builder().header("content-type", JSON);
    Ok(response.body(Full::new(body.into()).boxed_unsync())?)
}

/// An event stream, written piece by piece.
fn stream(pieces: impl Iterator<Item = Bytes> + Send + 'static) -> anyhow::Result<Response<Body>> {
    let frames = iter(pieces.map(|p| Ok(Frame::data(p))));
    let response = Response::builder().header("content-type", EVENTS);
    Ok(response.body(StreamBody::new(frames).boxed_unsync())?)
}

/// A status and nothing else.
fn empty(status: u16) -> anyhow::Result<Response<Body>> {
    let response = Response::builder().status(status);
    Ok(response.body(Full::default().boxed_unsync())?)
}

/// Cuts bytes into the pieces of an event stream.
fn pieces(mut bytes: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        let next = bytes.split_to(PIECE.min(bytes.len()));
        (!next.is_empty()).then_some(next)
    })
}
