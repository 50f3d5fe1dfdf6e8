//! Why a request has no result, and which exit code follows from it: decided here for all commands that ask a server.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::{Exit, Failure, Fatal, Kind};
use crate::jsonrpc::{Id, Message, reply};
use crate::ui;

/// Why a request has no result.
#[derive(Debug, Clone, Deserialize)]
pub struct Trouble {
    /// The JSON-RPC error code.
    pub code: i64,
    /// What happened, as whoever answered put it.
    pub message: String,
    /// More about it.
    #[serde(default)]
    pub data: Value,
    /// Its kind, where it is an error of our own.
    #[serde(skip)]
    pub kind: Option<Kind>,
    /// The error object, as it came.
    #[serde(skip)]
    pub raw: String,
    #[serde(skip)]
    exit: Option<Exit>,
}

impl Trouble {
    /// Reads an error answer.
    pub fn of_answer(answer: &Message, method: &str) -> Self {
        let raw = answer.payload().unwrap_or_default();
        let Ok(mut trouble) = serde_json::from_str::<Self>(raw) else {
            return Self::unreadable(method);
        };
        let ours = trouble.data.get("source").and_then(Value::as_str) == Some("mcp-tether");
        let kind = trouble.data.get("kind").and_then(Value::as_str);
        trouble.kind = kind.and_then(Kind::named).filter(|_| ours);
        raw.clone_into(&mut trouble.raw);
        trouble
    }

    /// The answer is none that can be used.
    pub fn unreadable(method: &str) -> Self {
        Self::from(&Failure::NotMcp {
            what: format!("the answer to {method} has not the form that MCP gives it"),
            excerpt: None,
        })
    }

    /// What answered is no MCP server.
    pub fn no_server() -> Self {
        Self::unreadable("initialize")
    }

    /// A server that refuses the handshake cannot be used, whatever it says.
    #[must_use]
    pub fn at_the_opening(mut self) -> Self {
        if self.kind.is_none() {
            self.exit = Some(Exit::NotMcp);
        }
        self
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        self.kind
            .and_then(|_| self.data.get("hint"))
            .and_then(Value::as_str)
    }

    /// Whether the server says that it does not know the method.
    pub fn is_unknown_method(&self) -> bool {
        self.kind.is_none() && self.code == reply::code::METHOD_NOT_FOUND
    }

    /// The exit code of a command that ends with it.
    pub fn exit(&self) -> Exit {
        self.exit
            .unwrap_or_else(|| self.kind.map_or(Exit::Failed, Exit::from))
    }
}

impl From<&Failure> for Trouble {
    fn from(failure: &Failure) -> Self {
        let answer = reply::failure(&Id::text(""), failure);
        let raw = answer.read::<&RawValue>().map(RawValue::get);
        let mut data = Value::Null;
        if let Some(Value::Object(error)) = raw.and_then(|raw| serde_json::from_str(raw).ok()) {
            data = error.get("data").cloned().unwrap_or_default();
        }
        Self {
            code: failure.kind().code(),
            message: failure.to_string(),
            data,
            kind: Some(failure.kind()),
            raw: raw.unwrap_or_default().to_owned(),
            exit: Some(Fatal::from(failure).exit),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = ui::line(&self.message);
        match self.kind {
            Some(_) => f.write_str(&said),
            None => write!(f, "the server answered: {said} ({})", self.code),
        }
    }
}

impl From<Trouble> for Fatal {
    fn from(trouble: Trouble) -> Self {
        Self {
            exit: trouble.exit(),
            message: trouble.to_string(),
            hint: trouble.hint().map(ui::line),
        }
    }
}
