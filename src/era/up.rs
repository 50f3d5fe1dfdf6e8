//! A client of an older revision, a server of 2026-07-28: what its requests mean there, and what the answers mean to it
//! (2026-07-28 versioning §Compatibility Matrix).

use std::borrow::Cow;

use super::mrtr::InputRequired;
use super::parts::{
    CAPABILITIES, INSTRUCTIONS, META, SERVER_INFO, UNKNOWN, code, edit_meta, edit_tools, is_object,
    param, quoted, text, without_tasks,
};
use super::{LATEST_LEGACY, LEGACY, LEVELS, MISSING_CAPABILITY};
use crate::jsonrpc::reply::code::{INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND};
use crate::jsonrpc::{Members, Message};

/// Members of every result of 2026-07-28 that no older revision has.
const MODERN_ONLY: [&str; 3] = ["resultType", "ttlMs", "cacheScope"];

/// The raw `InitializeResult` for what `server/discover` gave, raw as well (2025-11-25 lifecycle §Version Negotiation;
/// 2026-07-28 discover).
pub fn initialize_result(initialize: &Message, discovered: &str) -> String {
    let asked = param(initialize, "protocolVersion");
    let asked = asked.as_deref().and_then(text).unwrap_or_default();
    let version = LEGACY.into_iter().find(|version| *version == asked);
    let discovered = Members::read(discovered).unwrap_or_default();
    let meta = discovered.get(META).and_then(Members::read);
    let info = meta.as_ref().and_then(|meta| meta.get(SERVER_INFO));
    // Where drafts had it.
    let info = info.or_else(|| discovered.get("serverInfo"));
    let info = info.filter(|raw| is_object(raw)).unwrap_or(UNKNOWN);

    let mut result = Members::default();
    result.set("protocolVersion", quoted(version.unwrap_or(LATEST_LEGACY)));
    result.set(CAPABILITIES, without_tasks(discovered.get(CAPABILITIES)));
    result.set("serverInfo", info);
    let instructions = discovered.get(INSTRUCTIONS);
    if let Some(raw) = instructions.filter(|raw| raw.starts_with('"')) {
        result.set(INSTRUCTIONS, raw);
    }
    result.to_string()
}

/// What a request means that the server does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Here {
    /// It is answered with this raw result.
    Answer(&'static str),
    /// It is refused with this code and message.
    Refuse(i64, String),
    /// Later requests ask for log messages from this level on.
    LogLevel(String),
    /// The client wants to hear of this resource.
    Subscribe(String),
    /// It no longer does.
    Unsubscribe(String),
}

/// What to do with a request whose method 2026-07-28 does not have (2026-07-28 changelog); `None` when it goes to the
/// server.
pub fn here(request: &Message) -> Option<Here> {
    let wanted = |name| param(request, name).as_deref().and_then(text);
    let refused = |what: &str| Here::Refuse(INVALID_PARAMS, format!("Invalid params: {what}"));
    Some(match request.method() {
        "ping" => Here::Answer("{}"),
        "logging/setLevel" => wanted("level")
            .filter(|level| LEVELS.contains(&level.as_str()))
            .map_or_else(
                || refused("level is none of the log levels"),
                Here::LogLevel,
            ),
        "resources/subscribe" => {
            wanted("uri").map_or_else(|| refused("uri is missing"), Here::Subscribe)
        }
        "resources/unsubscribe" => {
            wanted("uri").map_or_else(|| refused("uri is missing"), Here::Unsubscribe)
        }
        method if method.starts_with("tasks/") => {
            Here::Refuse(METHOD_NOT_FOUND, format!("Method not found: {method}"))
        }
        _ => return None,
    })
}

/// What a result is for a client of an older revision (2026-07-28 basic §ResultType).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The answer, raw.
    Complete(String),
    /// The server wants to know something first.
    InputRequired(InputRequired),
    /// Of a type that is none here, or malformed: this one.
    Unknown(String),
}

/// Reads a raw result and takes out of it what older revisions do not allow (2026-07-28 basic §ResultType, caching,
/// tools §Structured Content; SEP-2106).
pub fn outcome(method: &str, result: &str) -> Outcome {
    let Some(mut members) = Members::read(result) else {
        return Outcome::Complete(result.to_owned());
    };
    if let Some(raw) = members.get("resultType") {
        let kind = text(raw).unwrap_or_else(|| raw.to_owned());
        match kind.as_str() {
            "complete" => {}
            "input_required" => {
                let asked = InputRequired::read(result);
                return asked.map_or(Outcome::Unknown(kind), Outcome::InputRequired);
            }
            _ => return Outcome::Unknown(kind),
        }
    }
    let changed = clean(method, &mut members);
    let result = if changed {
        Cow::from(members.to_string())
    } else {
        Cow::from(result)
    };
    let result = match method {
        "tools/list" => {
            edit_tools(&result, with_object_schema).unwrap_or_else(|| result.into_owned())
        }
        _ => result.into_owned(),
    };
    Outcome::Complete(result)
}

/// Drops the members that only 2026-07-28 allows; tells whether there were any.
fn clean(method: &str, members: &mut Members<'_>) -> bool {
    let mut changed = false;
    for name in MODERN_ONLY {
        changed |= members.remove(name).is_some();
    }
    let meta = members.get(META).and_then(Members::read);
    if meta.is_some_and(|meta| meta.get(SERVER_INFO).is_some()) {
        edit_meta(members, |meta| {
            meta.remove(SERVER_INFO);
        });
        changed = true;
    }
    let structured = members.get("structuredContent");
    if method == "tools/call" && structured.is_some_and(|raw| !is_object(raw)) {
        members.remove("structuredContent");
        changed = true;
    }
    changed
}

/// A tool without its output schema; `None` when that may stay.
fn with_object_schema(tool: &str) -> Option<String> {
    let mut members = Members::read(tool)?;
    let schema = members.get("outputSchema")?;
    let schema = Members::read(schema).unwrap_or_default();
    if schema.get("type").and_then(text).as_deref() == Some("object") {
        return None;
    }
    members.remove("outputSchema");
    Some(members.to_string())
}

/// An error as an older revision knows it: one that names missing capabilities has a code that is none there (2026-07-28
/// basic §Error Codes).
#[must_use]
pub fn error(error: Message) -> Message {
    if code(&error) != Some(MISSING_CAPABILITY) {
        return error;
    }
    let Some(mut members) = error.payload().and_then(Members::read) else {
        return error;
    };
    members.set("code", INTERNAL_ERROR.to_string());
    if let Some(missing) = missing_capabilities(&members) {
        let message = format!("The server needs what this client cannot do: {missing}");
        members.set("message", quoted(&message));
    }
    error.with_payload(members.to_string().as_bytes())
}

/// The names of the capabilities that an error says are missing.
fn missing_capabilities(error: &Members<'_>) -> Option<String> {
    let data = Members::read(error.get("data")?)?;
    let required = Members::read(data.get("requiredCapabilities")?)?;
    let names: Vec<_> = required.iter().map(|(name, _)| name).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

#[cfg(test)]
mod tests;
