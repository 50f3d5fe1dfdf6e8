//! What the client is told before the user has signed in.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::auth::prompt::Prompt;
use crate::bridge::request::Request;
use crate::error::Failure;
use crate::jsonrpc::{Message, reply};

/// The one tool that there is before the sign-in.
pub(super) const SIGN_IN: &str = "sign_in";

/// The result of `initialize` before the server can be asked: the last one of this login where there is one.
pub(super) fn provisional(initialize: &Message, kept: Option<&str>, instructions: &str) -> Value {
    #[derive(Deserialize)]
    struct Params {
        #[serde(rename = "protocolVersion")]
        version: String,
    }
    let mut result: Map<String, Value> = kept
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let version = initialize.read().map(|params: Params| params.version);
    result.insert(
        "protocolVersion".to_owned(),
        version.unwrap_or_else(|| "2025-11-25".to_owned()).into(),
    );
    let changing = json!({ "listChanged": true });
    match result
        .get_mut("capabilities")
        .and_then(Value::as_object_mut)
    {
        // The client has to learn of the switch.
        Some(known) => {
            for name in ["tools", "resources", "prompts"] {
                let list = known.get_mut(name).and_then(Value::as_object_mut);
                if let Some(list) = list {
                    list.insert("listChanged".to_owned(), true.into());
                } else if name == "tools" {
                    known.insert(name.to_owned(), changing.clone());
                }
            }
        }
        None => {
            let all = json!({ "tools": changing, "resources": changing, "prompts": changing });
            result.insert("capabilities".to_owned(), all);
        }
    }
    result
        .entry("serverInfo")
        .or_insert_with(|| json!({ "name": "mcp-tether", "version": env!("CARGO_PKG_VERSION") }));
    let before = result.get("instructions").and_then(Value::as_str);
    let all = match before {
        Some(before) => format!("{instructions}\n\n{before}"),
        None => instructions.to_owned(),
    };
    result.insert("instructions".to_owned(), all.into());
    Value::Object(result)
}

pub(super) fn instructions(server: &str, prompt: Option<&Prompt>) -> String {
    match prompt {
        Some(prompt) => format!(
            "The user has to sign in to {server} first: {}, or call the tool {SIGN_IN}. The server's tools appear once that is done.",
            prompt.task()
        ),
        None => format!(
            "The user has to sign in to {server} first: call the tool {SIGN_IN}. The server's tools appear once that is done."
        ),
    }
}

/// What a call of the tool gives while the user has yet to sign in.
pub(super) fn pending(prompt: &Prompt) -> String {
    let (place, what) = match prompt.code() {
        None => (" on this machine", "address"),
        Some(_) => (", on any device,", "address and the code"),
    };
    format!(
        "The user has to {}{place} and sign in. Show them the {what}, then call {SIGN_IN} again to wait for them.",
        prompt.task()
    )
}

pub(super) fn sign_in_tool(server: &str) -> Value {
    json!({
        "name": SIGN_IN,
        "title": "Sign in",
        "description": format!("Signs the user in to {server}. Gives the address to open in a browser and waits until the user has signed in; then the server's own tools appear."),
        "inputSchema": { "type": "object", "properties": {} },
        "annotations": { "title": "Sign in", "readOnlyHint": false, "destructiveHint": false, "idempotentHint": true, "openWorldHint": true },
    })
}

pub(super) fn names_sign_in(call: &Message) -> bool {
    #[derive(Deserialize)]
    struct Call {
        name: String,
    }
    call.read().is_some_and(|call: Call| call.name == SIGN_IN)
}

pub(super) fn told(request: &Request, text: &str) -> Message {
    let result = json!({ "content": [{ "type": "text", "text": text }] });
    reply::result(&request.id, &result.to_string())
}

pub(super) fn failed(request: &Request, failure: &Failure) -> Message {
    let hint = failure.hint().map(|hint| format!("; {hint}"));
    let text = format!("{failure}{}", hint.unwrap_or_default());
    let result = json!({ "content": [{ "type": "text", "text": text }], "isError": true });
    reply::result(&request.id, &result.to_string())
}
