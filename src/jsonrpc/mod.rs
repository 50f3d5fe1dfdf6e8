//! JSON-RPC 2.0 messages over their own bytes.
//!
//! A [`Message`] is one line as it came, plus where its parts stand in it. It is scanned once and never written anew:
//! unknown fields, the form of numbers, the order of keys and the text of ids all pass through. Nothing here knows a
//! method by name.

mod edit;
mod id;
mod members;
pub mod reply;
mod scan;

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

pub use edit::{insert_member, replace};
pub use id::Id;
pub use members::Members;
use members::Name;
pub use scan::{Found, TopLevel};

use crate::queue::Weight;

/// What a message is (JSON-RPC 2.0 §4, §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `method` and `id`: must be answered once.
    Request,
    /// `method` without `id`: never answered.
    Notification,
    /// An answer with `result`.
    Result,
    /// An answer with `error`; its id may be missing or null.
    Error,
}

/// Why bytes are not a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Malformed {
    /// Not JSON, or not UTF-8: what the parser said.
    Json(String),
    /// A JSON array: a batch, which only revision 2025-03-26 knows.
    Array,
    /// JSON, but no JSON-RPC message; the id if there is one.
    NotMessage(Option<Id>),
}

/// One JSON-RPC message: a single line of UTF-8 without line ends.
#[derive(Debug, Clone)]
pub struct Message {
    line: Bytes,
    kind: Kind,
    id: Option<Id>,
    id_span: Option<Range<usize>>,
    method: Option<Method>,
    /// Where `params`, `result` or `error` stands, whichever the kind has.
    payload: Option<Range<usize>>,
    marked: bool,
}

/// A method's name: where it stands, or what it says where that is written with escapes.
#[derive(Debug, Clone)]
enum Method {
    At(Range<usize>),
    Text(Box<str>),
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Name<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// Tells an explicit `null` from a missing member: `Option` alone reads both as `None`.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

impl Message {
    /// Reads one message. Line ends between tokens become spaces and blanks around the message are dropped; nothing else
    /// changes. Whether it is marked as JSON-RPC 2.0 is left to whom it is for.
    ///
    /// # Errors
    /// [`Malformed`] says what the bytes are instead.
    pub fn parse(bytes: Bytes) -> Result<Self, Malformed> {
        let line = edit::one_line(bytes);
        let text = utf8(&line)?;
        match text.as_bytes().first() {
            Some(b'{') => {}
            Some(b'[') => return Err(Malformed::Array),
            // Let the parser say what is wrong with it, unless it is JSON of another kind.
            _ => {
                return Err(match serde_json::from_str::<&RawValue>(text) {
                    Ok(_) => Malformed::NotMessage(None),
                    Err(wrong) => Malformed::Json(wrong.to_string()),
                });
            }
        }
        let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|wrong| {
            // A member of the wrong type or given twice: JSON still, and perhaps with an id to answer to.
            match serde_json::from_str::<&RawValue>(text) {
                Ok(_) => Malformed::NotMessage(TopLevel::of(text.as_bytes()).id),
                Err(_) => Malformed::Json(wrong.to_string()),
            }
        })?;

        let id = envelope.id.filter(|raw| raw.get() != "null");
        let (kind, payload) = match &envelope {
            Envelope {
                method: Some(_),
                id: None,
                ..
            } => (Kind::Notification, envelope.params),
            Envelope {
                method: Some(_), ..
            } if id.is_some() => (Kind::Request, envelope.params),
            Envelope {
                method: None,
                error: Some(error),
                ..
            } if has_code(error) => (Kind::Error, Some(*error)),
            Envelope {
                method: None,
                result: Some(result),
                ..
            } if id.is_some() => (Kind::Result, Some(*result)),
            _ => {
                return Err(Malformed::NotMessage(
                    id.and_then(|raw| Id::parse(raw.get())),
                ));
            }
        };
        let parsed_id = match id {
            None => None,
            Some(raw) => Some(Id::parse(raw.get()).ok_or(Malformed::NotMessage(None))?),
        };
        let id_span = envelope.id.map(|raw| span_in(text, raw.get()));
        let payload = payload.map(|raw| span_in(text, raw.get()));
        let method = envelope.method.map(|Name(method)| match method {
            Cow::Borrowed(name) => Method::At(span_in(text, name)),
            Cow::Owned(name) => Method::Text(name.into()),
        });
        Ok(Self {
            kind,
            id: parsed_id,
            id_span,
            method,
            payload,
            marked: envelope.jsonrpc.is_some_and(|raw| raw.get() == r#""2.0""#),
            line,
        })
    }

    /// Reads what a client is to get. A message that is not marked is none: a client would drop it, and wait for its answer for
    /// ever.
    ///
    /// # Errors
    /// [`Malformed`] says what the bytes are instead.
    pub fn parse_marked(bytes: Bytes) -> Result<Self, Malformed> {
        match Self::parse(bytes) {
            Ok(message) if !message.marked => Err(Malformed::NotMessage(message.id)),
            parsed => parsed,
        }
    }

    /// The same, of one message or the several of an array (a batch of revision 2025-03-26).
    ///
    /// # Errors
    /// [`Malformed`] of the first element that is no message.
    pub fn parse_any(bytes: Bytes) -> Result<Vec<Self>, Malformed> {
        if is_array(&bytes) {
            let parts = split_array(bytes)?.into_iter();
            return parts.map(Self::parse_marked).collect();
        }
        Self::parse_marked(bytes).map(|one| vec![one])
    }

    /// Whether its `jsonrpc` is "2.0" (JSON-RPC 2.0 §4, §5).
    pub const fn is_marked(&self) -> bool {
        self.marked
    }

    /// What the message is.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether it answers a request.
    pub const fn is_response(&self) -> bool {
        matches!(self.kind, Kind::Result | Kind::Error)
    }

    /// The id, as its raw text; `None` for notifications and for errors without a usable one.
    pub const fn id(&self) -> Option<&Id> {
        self.id.as_ref()
    }

    /// The method of a request or notification; empty for answers.
    pub fn method(&self) -> &str {
        match &self.method {
            Some(Method::At(span)) => self.part(span).unwrap_or_default(),
            Some(Method::Text(name)) => name,
            None => "",
        }
    }

    /// Whether it is a request or notification of this method.
    pub fn is(&self, method: &str) -> bool {
        match &self.method {
            Some(Method::At(span)) => self.line.get(span.clone()) == Some(method.as_bytes()),
            Some(Method::Text(name)) => **name == *method,
            None => false,
        }
    }

    /// The raw JSON of `params`, `result` or `error`, whichever the kind has.
    pub fn payload(&self) -> Option<&str> {
        self.part(self.payload.as_ref()?)
    }

    fn part(&self, span: &Range<usize>) -> Option<&str> {
        std::str::from_utf8(self.line.get(span.clone())?).ok()
    }

    /// The payload, an object, read into `T`; `None` when it is missing or of another shape.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Option<T> {
        read_object(self.payload()?)
    }

    /// The whole message: one line without its line end.
    pub const fn line(&self) -> &Bytes {
        &self.line
    }

    /// The same message with another id, every other byte kept.
    #[must_use]
    pub fn with_id(&self, id: &Id) -> Self {
        let line = match &self.id_span {
            Some(span) => replace(&self.line, span.clone(), id.raw().as_bytes()),
            None => insert_member(&self.line, "id", id.raw()),
        };
        Self::parse(line).unwrap_or_else(|_| self.clone())
    }

    /// The same message with another payload, every other byte kept.
    #[must_use]
    pub fn with_payload(&self, payload: &[u8]) -> Self {
        let Some(span) = self.payload.clone() else {
            return self.clone();
        };
        Self::parse(replace(&self.line, span, payload)).unwrap_or_else(|_| self.clone())
    }

    /// The same request or notification with these `params`, raw, whether it had any or not; every other byte kept.
    #[must_use]
    pub fn with_params(&self, raw: &str) -> Self {
        if self.payload.is_some() || self.is_response() {
            return self.with_payload(raw.as_bytes());
        }
        Self::parse(insert_member(&self.line, "params", raw)).unwrap_or_else(|_| self.clone())
    }
}

impl Weight for Message {
    fn weight(&self) -> usize {
        self.line.len()
    }
}

/// Whether an `error` is that of JSON-RPC (JSON-RPC 2.0 §5.1): OAuth and web frameworks have a member of that name as well.
fn has_code(error: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Error {
        #[serde(rename = "code")]
        _code: i64,
    }
    read_object::<Error>(error.get()).is_some()
}

/// Reads the raw JSON of an object; `None` when it is anything else. By itself serde takes an array of the right length for
/// a structure, too, and whoever reads by names would see something else in it.
pub fn read_object<'a, T: Deserialize<'a>>(raw: &'a str) -> Option<T> {
    let is_object = raw.trim_ascii_start().starts_with('{');
    is_object.then(|| serde_json::from_str(raw).ok())?
}

/// Whether the bytes are a JSON array, if they are JSON.
pub fn is_array(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().first() == Some(&b'[')
}

/// The elements of a JSON array, or the bytes themselves where they are anything else.
pub fn elements(bytes: Bytes) -> Vec<Bytes> {
    if !is_array(&bytes) {
        return vec![bytes];
    }
    split_array(bytes.clone()).unwrap_or_else(|_| vec![bytes])
}

/// The elements of a JSON array, each as a slice of the same memory.
///
/// # Errors
/// [`Malformed::Json`] when `bytes` is not an array.
pub fn split_array(bytes: Bytes) -> Result<Vec<Bytes>, Malformed> {
    let line = edit::one_line(bytes);
    let text = utf8(&line)?;
    let parts: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|wrong| Malformed::Json(wrong.to_string()))?;
    Ok(parts
        .into_iter()
        .map(|part| line.slice(span_in(text, part.get())))
        .collect())
}

fn utf8(line: &Bytes) -> Result<&str, Malformed> {
    std::str::from_utf8(line).map_err(|wrong| Malformed::Json(format!("not UTF-8: {wrong}")))
}

/// Where `part`, a slice of `whole`, stands in it.
pub fn span_in(whole: &str, part: &str) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
    start..start + part.len()
}

#[cfg(test)]
mod tests;
