//! Parts of messages that translation reads and edits.

use serde::Deserialize;
use serde_json::Value;

use crate::jsonrpc::{Members, Message};
use crate::tools;

/// The member of params and results that holds metadata (2026-07-28 basic §_meta).
pub(super) const META: &str = "_meta";
pub(super) const PROGRESS_TOKEN: &str = "progressToken";
pub(super) const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// Members of a `DiscoverResult`, an `InitializeResult` and of both kinds of requests.
pub(super) const CAPABILITIES: &str = "capabilities";
pub(super) const INSTRUCTIONS: &str = "instructions";

/// What stands for an implementation that does not name itself.
pub(super) const UNKNOWN: &str = r#"{"name":"unknown","version":"0"}"#;

/// The params of a message by their members; none where it has no params, `None` where they are no object.
pub(super) fn params(message: &Message) -> Option<Members<'_>> {
    match message.payload() {
        None | Some("null") => Some(Members::default()),
        Some(raw) => Members::read(raw),
    }
}

/// A member of the params, raw.
pub(super) fn param(message: &Message, name: &str) -> Option<String> {
    params(message)?.get(name).map(str::to_owned)
}

/// A member of `params._meta`, raw.
pub(super) fn meta_of(message: &Message, name: &str) -> Option<String> {
    let meta = param(message, META)?;
    Members::read(&meta)?.get(name).map(str::to_owned)
}

/// The message with its params edited. Params that are no object stay as they are, and none stay none if nothing is put in.
pub(super) fn edit_params<'a>(
    message: &'a Message,
    edit: impl FnOnce(&mut Members<'a>),
) -> Message {
    let Some(mut params) = params(message) else {
        return message.clone();
    };
    edit(&mut params);
    if message.payload().is_none() && params.is_empty() {
        return message.clone();
    }
    message.with_params(&params.to_string())
}

/// Edits `_meta` of params or a result; an empty one goes.
pub(super) fn edit_meta(members: &mut Members<'_>, edit: impl FnOnce(&mut Members<'_>)) {
    let raw = members.get(META).unwrap_or("{}").to_owned();
    let mut meta = Members::read(&raw).unwrap_or_default();
    edit(&mut meta);
    if meta.is_empty() {
        members.remove(META);
    } else {
        members.set(META, meta.to_string());
    }
}

/// A page of tools with those changed for which `edit` gives another text; `None` when that is none of them.
pub(super) fn edit_tools(result: &str, edit: impl Fn(&str) -> Option<String>) -> Option<String> {
    let page = tools::page(result)?;
    let edited: Vec<Option<String>> = page.tools.iter().map(|tool| edit(tool.raw)).collect();
    if edited.iter().all(Option::is_none) {
        return None;
    }
    let all = page.tools.iter().zip(&edited);
    let tools: Vec<&str> = all
        .map(|(tool, edited)| edited.as_deref().unwrap_or(tool.raw))
        .collect();
    Some(page.with_only(result, &tools))
}

/// A raw JSON string as its plain text.
pub(super) fn text(raw: &str) -> Option<String> {
    serde_json::from_str(raw).ok()
}

/// A plain text as a raw JSON string.
pub(super) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Whether a raw value is an object.
pub(super) fn is_object(raw: &str) -> bool {
    raw.starts_with('{')
}

/// Whether an object has a member that is an object, as capabilities declare what they hold.
pub(super) fn declares(object: &str, name: &str) -> bool {
    Members::read(object).is_some_and(|members| members.get(name).is_some_and(is_object))
}

/// The tasks of 2026-07-28 (SEP-2663).
const TASKS: &str = "io.modelcontextprotocol/tasks";

/// Capabilities without tasks: those of 2025-11-25 and the extension of 2026-07-28 are different things, and neither is known to the
/// other; `{}` where there are none.
pub(super) fn without_tasks(capabilities: Option<&str>) -> String {
    let known = capabilities.and_then(|raw| Some((raw, Members::read(raw)?)));
    let Some((raw, mut members)) = known else {
        return "{}".to_owned();
    };
    let extensions = members.get("extensions").and_then(|raw| {
        let mut extensions = Members::read(raw)?;
        extensions.remove(TASKS)?;
        Some(extensions.to_string())
    });
    let core = members.remove("tasks").is_some();
    if core || extensions.is_some() {
        if let Some(extensions) = extensions {
            members.set("extensions", extensions);
        }
        return members.to_string();
    }
    raw.to_owned()
}

/// The code of an error.
pub(super) fn code(error: &Message) -> Option<i64> {
    #[derive(Deserialize)]
    struct Error {
        code: i64,
    }
    error.read().map(|error: Error| error.code)
}

/// A message for tests.
#[cfg(test)]
pub(super) fn parse(text: &str) -> Message {
    Message::parse(text.to_owned().into()).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"))
}
