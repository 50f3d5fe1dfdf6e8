//! Messages that the bridge itself writes.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{Id, Kind, Message};
use crate::error::Failure;

/// JSON-RPC's own codes (JSON-RPC 2.0 §5.1).
pub mod code {
    /// The bytes are not JSON.
    pub const PARSE_ERROR: i64 = -32700;
    /// JSON, but no valid message.
    pub const INVALID_REQUEST: i64 = -32600;
    /// The method is unknown here.
    pub const METHOD_NOT_FOUND: i64 = -32601;
    /// The params are not those of the method.
    pub const INVALID_PARAMS: i64 = -32602;
    /// Anything else that went wrong.
    pub const INTERNAL_ERROR: i64 = -32603;
}

/// An error answer; without an id only where the request's id could not be read.
pub fn error(id: Option<&Id>, code: i64, message: &str, data: Option<Value>) -> Message {
    let mut error = Map::new();
    error.insert("code".to_owned(), code.into());
    error.insert("message".to_owned(), message.into());
    if let Some(data) = data {
        error.insert("data".to_owned(), data);
    }
    let error = Value::Object(error);
    let line = match id {
        Some(id) => format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#),
        None => format!(r#"{{"jsonrpc":"2.0","error":{error}}}"#),
    };
    own(line)
}

/// The answer for a request that failed on this side of the wire, with its kind, hint and figures in `data`.
pub fn failure(id: &Id, failure: &Failure) -> Message {
    let mut data = json!({ "source": "mcp-tether", "kind": failure.kind().name() });
    if let Some(members) = data.as_object_mut() {
        for (name, value) in failure.data() {
            members.insert(name.to_owned(), value);
        }
    }
    error(
        Some(id),
        failure.kind().code(),
        &failure.to_string(),
        Some(data),
    )
}

/// A result answer; `result` is raw JSON.
pub fn result(id: &Id, result: &str) -> Message {
    own(format!(
        r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#
    ))
}

/// A request; `params` is raw JSON.
pub fn request(id: &Id, method: &str, params: Option<&str>) -> Message {
    let params = params
        .map(|raw| format!(r#","params":{raw}"#))
        .unwrap_or_default();
    own(format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}"{params}}}"#
    ))
}

/// A notification; `params` is raw JSON.
pub fn notification(method: &str, params: &str) -> Message {
    own(format!(
        r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#
    ))
}

/// Our own text always parses; should it not, an error without an id is still a message.
fn own(line: String) -> Message {
    Message::parse(Bytes::from(line)).unwrap_or_else(|_| Message {
        line: Bytes::from_static(
            br#"{"jsonrpc":"2.0","error":{"code":-32603,"message":"internal"}}"#,
        ),
        kind: Kind::Error,
        id: None,
        id_span: None,
        method: None,
        payload: None,
        marked: true,
    })
}
