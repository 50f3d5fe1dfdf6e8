//! What a line is as a JSON-RPC message, by the words of JSON-RPC 2.0 §4 and §5.

use std::borrow::Cow;

use mcp_tether::jsonrpc::{Kind, Malformed, Message};

use crate::json;

/// What a line should be read as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// No JSON.
    Json,
    /// An array.
    Array,
    /// JSON, but no message.
    NotMessage,
    /// A message.
    Message {
        /// Its kind.
        kind: Kind,
        /// Its raw id.
        id: Option<String>,
        /// Its method.
        method: String,
        /// Its raw params, result or error.
        payload: Option<String>,
    },
}

/// The line as it is passed on: blanks around it gone, line ends in it turned into spaces.
pub fn line_of(bytes: &[u8]) -> Vec<u8> {
    let mut line = bytes.trim_ascii().to_vec();
    for byte in &mut line {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    line
}

/// What the bytes should be read as.
pub fn message(bytes: &[u8]) -> Expected {
    let line = line_of(bytes);
    let Ok(text) = std::str::from_utf8(&line) else {
        return Expected::Json;
    };
    if text.starts_with('[') {
        return Expected::Array;
    }
    if !json::is_valid(text) {
        return Expected::Json;
    }
    as_message(text).unwrap_or(Expected::NotMessage)
}

fn as_message(text: &str) -> Option<Expected> {
    let all = json::decoded_members(text)?;
    let get = |name: &str| -> Option<Option<&str>> {
        let mut found = all.iter().filter(|(known, _)| known == name);
        let first = found.next().map(|(_, raw)| *raw);
        // Given twice, it is ambiguous.
        found.next().is_none().then_some(first)
    };
    let (_, id, method) = (get("jsonrpc")?, get("id")?, get("method")?);
    let (params, result, error) = (get("params")?, get("result")?, get("error")?);
    let null = id == Some("null");
    let id = id.filter(|raw| *raw != "null");
    let error = error.filter(|raw| *raw != "null");
    let method: Option<String> = match method.filter(|raw| *raw != "null") {
        None => None,
        Some(raw) => Some(serde_json::from_str(raw).ok()?),
    };
    let (kind, payload) = if method.is_some() {
        // 2025-11-25 basic §Requests: an id, if there is one, is not null.
        if null {
            return None;
        }
        let kind = if id.is_some() {
            Kind::Request
        } else {
            Kind::Notification
        };
        (kind, params)
    } else if error.is_some_and(has_code) {
        (Kind::Error, error)
    } else if result.is_some() && id.is_some() {
        (Kind::Result, result)
    } else {
        return None;
    };
    if !id.is_none_or(is_id) {
        return None;
    }
    Some(Expected::Message {
        kind,
        id: id.map(str::to_owned),
        method: method.unwrap_or_default(),
        payload: payload.map(str::to_owned),
    })
}

/// Whether a raw value may be an id: a string or a number.
pub fn is_id(raw: &str) -> bool {
    match raw.as_bytes()[0] {
        b'"' => serde_json::from_str::<String>(raw).is_ok(),
        byte => byte == b'-' || byte.is_ascii_digit(),
    }
}

fn has_code(error: &str) -> bool {
    let Some(all) = json::decoded_members(error) else {
        return false;
    };
    let mut codes = all.iter().filter(|(name, _)| name == "code");
    let code = codes.next().map(|(_, raw)| *raw);
    codes.next().is_none() && code.is_some_and(|raw| serde_json::from_str::<i64>(raw).is_ok())
}

/// Checks what was made of bytes, part by part.
///
/// # Panics
/// When it is something else than it should be.
pub fn check(bytes: &[u8], read: &Result<Message, Malformed>) {
    let expected = message(bytes);
    match (read, &expected) {
        (Err(Malformed::Json(_)), Expected::Json)
        | (Err(Malformed::Array), Expected::Array)
        | (Err(Malformed::NotMessage(_)), Expected::NotMessage) => {}
        (
            Ok(read),
            Expected::Message {
                kind,
                id,
                method,
                payload,
            },
        ) => {
            assert_eq!(read.kind(), *kind);
            assert_eq!(read.id().map(|id| id.raw()), id.as_deref());
            assert_eq!(read.method(), method);
            assert_eq!(read.payload(), payload.as_deref());
            assert_eq!(&read.line()[..], &line_of(bytes)[..]);
        }
        _ => panic!(
            "{:?} should be {expected:?}, is {read:?}",
            Cow::from(String::from_utf8_lossy(bytes))
        ),
    }
}

/// The whole line of a message, which is UTF-8 without line ends and one JSON object.
///
/// # Panics
/// When it is not.
pub fn whole(message: &Message) -> &str {
    let text = std::str::from_utf8(message.line()).expect("a line is UTF-8");
    assert!(!text.contains(['\n', '\r']), "{text:?}");
    assert!(json::is_valid(text) && text.starts_with('{'), "{text:?}");
    text
}
