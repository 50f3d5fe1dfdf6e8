//! Just enough JSON-RPC for tests: the members of a message as raw text, so that `"7"` is not `7`
//! and no number is changed by looking at it.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// The members of one JSON-RPC message.
#[derive(Clone, Debug)]
pub struct Rpc {
    /// The message as it was on the wire.
    pub text: String,
    /// The id's raw text; `None` when it is absent or `null`.
    pub id: Option<String>,
    /// The method of a request or notification.
    pub method: Option<String>,
    /// The raw text of `params`.
    pub params: Option<String>,
    /// The raw text of `result`.
    pub result: Option<String>,
    /// The raw text of `error`.
    pub error: Option<String>,
}

#[derive(Deserialize)]
struct Members {
    jsonrpc: Option<String>,
    id: Option<Box<RawValue>>,
    method: Option<String>,
    params: Option<Box<RawValue>>,
    result: Option<Box<RawValue>>,
    error: Option<Box<RawValue>>,
}

impl Rpc {
    /// Reads exactly one message: a JSON object that is a request, a notification or a response,
    /// with nothing after it. The error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        // serde would take an array for the struct.
        if !text.trim_start().starts_with('{') {
            return Err("no JSON object".to_owned());
        }
        let members: Members = serde_json::from_str(text).map_err(|e| e.to_string())?;
        if members.jsonrpc.as_deref() != Some("2.0") {
            return Err("jsonrpc is not \"2.0\"".to_owned());
        }
        let raw = |member: Option<Box<RawValue>>| member.map(|raw| raw.get().to_owned());
        let rpc = Self {
            text: text.to_owned(),
            id: raw(members.id),
            method: members.method,
            params: raw(members.params),
            result: raw(members.result),
            error: raw(members.error),
        };
        let kinds = [&rpc.method, &rpc.result, &rpc.error];
        match kinds.iter().filter(|kind| kind.is_some()).count() {
            // A `result` of null reads as absent, and is legal.
            0 if rpc.id.is_some() && text.contains("\"result\"") => Ok(rpc),
            1 => Ok(rpc),
            _ => Err("not exactly one of method, result and error".to_owned()),
        }
    }

    /// Whether it asks for an answer.
    pub fn is_request(&self) -> bool {
        self.method.is_some() && self.id.is_some()
    }

    /// Whether it has a method and no id.
    pub fn is_notification(&self) -> bool {
        self.method.is_some() && self.id.is_none()
    }

    /// Whether it is the answer to a request.
    pub fn is_answer(&self) -> bool {
        self.method.is_none()
    }

    /// The params as a value; `null` when there are none.
    pub fn params(&self) -> Value {
        value(self.params.as_deref())
    }

    /// The result as a value. Panics when this is an error.
    pub fn result(&self) -> Value {
        assert!(self.error.is_none(), "wanted a result: {}", self.text);
        value(self.result.as_deref())
    }

    /// The error as a value. Panics when this is a result.
    pub fn error(&self) -> Value {
        assert!(self.error.is_some(), "wanted an error: {}", self.text);
        value(self.error.as_deref())
    }

    /// The error's code. Panics when this is a result.
    pub fn code(&self) -> i64 {
        self.error()["code"].as_i64().expect("code is an integer")
    }
}

fn value(raw: Option<&str>) -> Value {
    raw.map_or(Value::Null, |raw| {
        serde_json::from_str(raw).expect("a raw member is JSON")
    })
}

/// The text of a request. `id` and `params` are raw JSON.
pub fn request(id: &str, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

/// The text of a notification. `params` is raw JSON.
pub fn notification(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#)
}

/// The text of an answer. `id` and `result` are raw JSON.
pub fn result(id: &str, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

/// The text of an error answer. `id` is raw JSON.
pub fn error(id: &str, code: i64, message: &str) -> String {
    let message = Value::from(message);
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":{message}}}}}"#)
}

/// The text of a `tools/call`. `id` and `arguments` are raw JSON.
pub fn call(id: &str, tool: &str, arguments: &str) -> String {
    request(
        id,
        "tools/call",
        &format!(r#"{{"name":"{tool}","arguments":{arguments}}}"#),
    )
}
