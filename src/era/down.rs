//! A client of 2026-07-28, a server of an older revision: what its requests mean there, and what the answers mean to it
//! (2026-07-28 versioning §Compatibility Matrix).

use super::envelope::{self, Envelope};
use super::mrtr::{self, Input};
use super::parts::{
    CAPABILITIES, INSTRUCTIONS, META, SERVER_INFO, code, edit_meta, edit_params, edit_tools,
    is_object, param, quoted, text, without_tasks,
};
use super::{LATEST_LEGACY, LEVELS, MODERN};
use crate::jsonrpc::reply::code::{INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND};
use crate::jsonrpc::{Id, Members, Message, reply};

/// A resource that is not found, until 2025-11-25 (2025-11-25 resources §Error Handling).
const RESOURCE_NOT_FOUND: i64 = -32002;
/// `URLElicitationRequired` of 2025-11-25 (2025-11-25 elicitation §URL Elicitation Required Error).
const URL_ELICITATION_REQUIRED: i64 = -32042;
/// The codes that only the specification may define (2026-07-28 basic §Error Codes).
const RESERVED: std::ops::RangeInclusive<i64> = -32099..=-32020;

/// The results that say how long they hold (2026-07-28 caching).
const CACHEABLE: [&str; 6] = [
    "server/discover",
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
    "resources/read",
];

/// The `initialize` request that opens the one session, for the client that sent this envelope (2025-11-25 lifecycle
/// §Initialization).
pub fn initialize(id: &Id, envelope: &Envelope) -> Message {
    let own = || {
        format!(
            r#"{{"name":"mcp-tether","version":"{}"}}"#,
            env!("CARGO_PKG_VERSION")
        )
    };
    let info = envelope.client_info.clone().unwrap_or_else(own);
    let mut params = Members::default();
    params.set("protocolVersion", quoted(LATEST_LEGACY));
    params.set(CAPABILITIES, without_tasks(Some(&envelope.capabilities)));
    params.set("clientInfo", info);
    reply::request(id, "initialize", Some(&params.to_string()))
}

/// The error for a request whose method 2026-07-28 does not have, though the server may (2026-07-28 changelog); `None` for
/// any other.
pub fn refused(request: &Message) -> Option<Message> {
    let method = request.method();
    let removed = matches!(
        method,
        "ping"
            | "initialize"
            | "logging/setLevel"
            | "resources/subscribe"
            | "resources/unsubscribe"
    );
    (removed || method.starts_with("tasks/")).then(|| {
        let message = format!("Method not found: {method}");
        reply::error(request.id(), METHOD_NOT_FOUND, &message, None)
    })
}

/// The request as the server takes it: without envelope and rounds, under another id, which is the token of its progress
/// as well if it has one (2025-11-25 progress §Progress Flow).
#[must_use]
pub fn request(request: &Message, id: &Id) -> Message {
    let edited = edit_params(request, |params| {
        envelope::strip(params);
        envelope::set_progress_token(params, id.raw());
        mrtr::end_round(params);
    });
    edited.with_id(id)
}

/// The raw `DiscoverResult` of a raw `InitializeResult` (2026-07-28 discover).
pub fn discover_result(initialize_result: &str) -> String {
    let known = Members::read(initialize_result).unwrap_or_default();
    let mut discovered = Members::default();
    discovered.set("resultType", quoted("complete"));
    discovered.set("supportedVersions", format!("[{}]", quoted(MODERN)));
    discovered.set(CAPABILITIES, without_tasks(known.get(CAPABILITIES)));
    let instructions = known.get(INSTRUCTIONS);
    if let Some(raw) = instructions.filter(|raw| raw.starts_with('"')) {
        discovered.set(INSTRUCTIONS, raw);
    }
    let info = server_info(initialize_result);
    result("server/discover", &discovered.to_string(), info.as_deref())
}

/// `serverInfo` of a raw `InitializeResult`, raw (2025-11-25 lifecycle §Initialization).
pub fn server_info(initialize_result: &str) -> Option<String> {
    let known = Members::read(initialize_result)?;
    let info = known.get("serverInfo").filter(|raw| is_object(raw));
    info.map(str::to_owned)
}

/// A raw result with what 2026-07-28 asks for where it lacks it; what it has stays (2026-07-28 basic §ResultType, caching,
/// tools §Calling Tools). Tools lose `execution`, which speaks of tasks of 2025-11-25.
pub fn result(method: &str, result: &str, server_info: Option<&str>) -> String {
    let Some(mut members) = Members::read(result) else {
        return result.to_owned();
    };
    add(&mut members, "resultType", "\"complete\"");
    // What asks for more is neither kept nor an answer yet.
    let kind = members.get("resultType").and_then(text);
    if kind.as_deref() == Some("complete") {
        if CACHEABLE.contains(&method) {
            add(&mut members, "ttlMs", "0");
            add(&mut members, "cacheScope", "\"private\"");
        }
        if method == "tools/call" {
            add(&mut members, "content", "[]");
        }
    }
    if let Some(info) = server_info {
        let meta = members.get(META);
        if meta.is_none_or(is_object) {
            edit_meta(&mut members, |meta| {
                if meta.get(SERVER_INFO).is_none() {
                    meta.set(SERVER_INFO, info.to_owned());
                }
            });
        }
    }
    let result = members.to_string();
    match method {
        "tools/list" => edit_tools(&result, without_execution).unwrap_or(result),
        _ => result,
    }
}

/// Puts a member in where there is none.
fn add<'a>(members: &mut Members<'a>, name: &'a str, raw: &'a str) {
    if members.get(name).is_none() {
        members.set(name, raw);
    }
}

/// A tool without `execution`; `None` when it has none.
fn without_execution(tool: &str) -> Option<String> {
    let mut members = Members::read(tool)?;
    members.remove("execution")?;
    Some(members.to_string())
}

/// What an error of an older server is for a client of 2026-07-28.
#[derive(Debug, Clone)]
pub enum Refusal {
    /// An error still.
    Error(Message),
    /// Pages that the user must visit first: what an `input_required` result asks for.
    UrlElicitations(Vec<Input>),
}

/// Reads an error of an older server: codes that 2026-07-28 gives another meaning, or none, become others (2026-07-28
/// basic §Error Codes; SEP-2164).
pub fn error(error: Message) -> Refusal {
    let read = error.payload().and_then(Members::read);
    let (Some(code), Some(mut members)) = (code(&error), read) else {
        return Refusal::Error(error);
    };
    match code {
        RESOURCE_NOT_FOUND => members.set("code", INVALID_PARAMS.to_string()),
        _ if RESERVED.contains(&code) => {
            if code == URL_ELICITATION_REQUIRED
                && let Some(inputs) = members.get("data").and_then(url_elicitations)
            {
                return Refusal::UrlElicitations(inputs);
            }
            let mut data = Members::default();
            data.set("code", code.to_string());
            let original = members.get("data").map(str::to_owned);
            if let Some(original) = original {
                data.set("data", original);
            }
            members.set("code", INTERNAL_ERROR.to_string());
            members.set("data", data.to_string());
        }
        _ => return Refusal::Error(error),
    }
    Refusal::Error(error.with_payload(members.to_string().as_bytes()))
}

/// The elicitations that an error asks for; `None` unless there are some and all are readable.
fn url_elicitations(data: &str) -> Option<Vec<Input>> {
    let data = Members::read(data)?;
    let list: Vec<Members<'_>> = serde_json::from_str(data.get("elicitations")?).ok()?;
    let input = |(number, mut params): (usize, Members<'_>)| {
        let plain = |name| params.get(name).and_then(text);
        let readable = plain("mode")? == "url" && plain("url").is_some();
        if !readable || plain("message").is_none() {
            return None;
        }
        params.remove(mrtr::ELICITATION_ID);
        Some(Input {
            key: format!("url-{}", number + 1),
            method: mrtr::ELICITATION.to_owned(),
            params: Some(params.to_string()),
        })
    };
    let inputs: Option<Vec<Input>> = list.into_iter().enumerate().map(input).collect();
    inputs.filter(|inputs| !inputs.is_empty())
}

/// Whether a log message is at least as severe as `level`; not when either level is none (2025-11-25 logging §Log Levels).
pub fn log_passes(level: &str, notification: &Message) -> bool {
    let said = param(notification, "level");
    let said = said.as_deref().and_then(text).unwrap_or_default();
    matches!((rank(&said), rank(level)), (Some(said), Some(wanted)) if said >= wanted)
}

/// The more verbose of two levels; one that is none gives way (2025-11-25 logging §Log Levels).
pub fn more_verbose<'a>(a: &'a str, b: &'a str) -> &'a str {
    match (rank(a), rank(b)) {
        (Some(first), Some(second)) if second < first => b,
        (None, Some(_)) => b,
        _ => a,
    }
}

fn rank(level: &str) -> Option<usize> {
    LEVELS.iter().position(|known| *known == level)
}

#[cfg(test)]
mod tests;
