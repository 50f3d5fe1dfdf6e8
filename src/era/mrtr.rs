//! Requests of several rounds: what a server of 2026-07-28 asks in a result, an older one asks in requests of its own
//! (2026-07-28 mrtr; SEP-2322).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::parts::{META, declares, edit_params, is_object, params, quoted, text};
use crate::jsonrpc::{Members, Message};

/// What a server asks of the user or the client's model, in all revisions that know it.
pub(super) const ELICITATION: &str = "elicitation/create";
const SAMPLING: &str = "sampling/createMessage";
const ROOTS: &str = "roots/list";

const INPUT_REQUESTS: &str = "inputRequests";
const INPUT_RESPONSES: &str = "inputResponses";
const REQUEST_STATE: &str = "requestState";
pub(super) const ELICITATION_ID: &str = "elicitationId";

/// One thing that the server wants to know (2026-07-28 mrtr §InputRequests).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The server's name for it.
    pub key: String,
    /// The method that asks for it.
    pub method: String,
    /// Its params, raw.
    pub params: Option<String>,
}

impl Input {
    fn read(key: &str, request: &str) -> Option<Self> {
        let request = Members::read(request)?;
        Some(Self {
            key: key.to_owned(),
            method: request.get("method").and_then(text)?,
            params: request
                .get("params")
                .filter(|raw| *raw != "null")
                .map(str::to_owned),
        })
    }

    fn raw(&self) -> String {
        let mut request = Members::default();
        request.set("method", quoted(&self.method));
        if let Some(raw) = &self.params {
            let mut params = Members::read(raw).unwrap_or_default();
            let is_elicitation = self.method == ELICITATION;
            let dropped = is_elicitation && params.remove(ELICITATION_ID).is_some();
            let raw = if dropped {
                params.to_string()
            } else {
                raw.clone()
            };
            request.set("params", raw);
        }
        request.to_string()
    }
}

/// What an `input_required` result asks (2026-07-28 mrtr §InputRequiredResult).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputRequired {
    /// What it wants to know; all of it must be answered.
    pub inputs: Vec<Input>,
    /// What to give back: a raw string, byte for byte.
    pub state: Option<String>,
}

impl InputRequired {
    /// Reads such a result; `None` when it asks for nothing, or something in it is malformed.
    pub fn read(result: &str) -> Option<Self> {
        let result = Members::read(result)?;
        let given = |name| result.get(name).filter(|raw| *raw != "null");
        let inputs = match given(INPUT_REQUESTS) {
            None => Vec::new(),
            Some(raw) => Members::read(raw)?
                .iter()
                .map(|(key, request)| Input::read(&key, request))
                .collect::<Option<Vec<_>>>()?,
        };
        let keys: BTreeSet<&str> = inputs.iter().map(|input| input.key.as_str()).collect();
        let state = given(REQUEST_STATE).map(str::to_owned);
        let malformed = keys.len() < inputs.len()
            || state.as_deref().is_some_and(|raw| !raw.starts_with('"'))
            || (inputs.is_empty() && state.is_none());
        (!malformed).then_some(Self { inputs, state })
    }
}

/// The request of the next round, under the same id: the params of the first one with these answers, each a key and a raw
/// result, and the raw `state` (2026-07-28 mrtr §Client Requirements).
#[must_use]
pub fn next_round(
    request: &Message,
    responses: &[(String, String)],
    state: Option<&str>,
) -> Message {
    edit_params(request, |params| {
        end_round(params);
        if !responses.is_empty() {
            let responses: Members<'_> = responses
                .iter()
                .map(|(key, raw)| (key.as_str(), Cow::from(raw.as_str())))
                .collect();
            params.set(INPUT_RESPONSES, responses.to_string());
        }
        if let Some(state) = state {
            params.set(REQUEST_STATE, state.to_owned());
        }
    })
}

/// Takes out of params what belongs to one round alone.
pub(super) fn end_round(params: &mut Members<'_>) {
    params.remove(INPUT_RESPONSES);
    params.remove(REQUEST_STATE);
}

/// The raw `input_required` result for requests of an older server; `state` is plain. `elicitationId` goes: 2026-07-28 has
/// none (2026-07-28 mrtr §InputRequiredResult).
pub fn input_required(inputs: &[Input], state: &str) -> String {
    let inputs: Members<'_> = inputs
        .iter()
        .map(|input| (input.key.as_str(), Cow::from(input.raw())))
        .collect();
    let state = quoted(state);
    format!(
        r#"{{"resultType":"input_required","{INPUT_REQUESTS}":{inputs},"{REQUEST_STATE}":{state}}}"#
    )
}

/// What a request says that goes on with an earlier one (2026-07-28 mrtr §Client Requirements).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// The state that it gives back, plain.
    pub state: String,
    /// The answers: each a key and a raw result.
    pub responses: Vec<(String, String)>,
}

/// Reads what a request gives back; `None` when it is the first round.
pub fn retry(request: &Message) -> Option<Retry> {
    let params = params(request)?;
    let state = params.get(REQUEST_STATE).and_then(text)?;
    let responses = params.get(INPUT_RESPONSES).and_then(Members::read);
    let responses = responses.unwrap_or_default();
    let responses = responses.iter();
    Some(Retry {
        state,
        responses: responses
            .map(|(key, raw)| (key.into_owned(), raw.to_owned()))
            .collect(),
    })
}

/// What a retry must have in common with its first round: method and params, but for what a round has of its own. It does
/// not depend on the order of keys or on how strings are spelled (2026-07-28 mrtr §Server Requirements).
pub fn bound(request: &Message) -> String {
    let mut members = params(request).unwrap_or_default();
    end_round(&mut members);
    members.remove(META);
    // What is nested too deep for a `Value` counts as its text.
    let value = |raw: &str| serde_json::from_str(raw).unwrap_or_else(|_| Value::from(raw));
    let params: BTreeMap<_, Value> = members
        .iter()
        .map(|(name, raw)| (name, value(raw)))
        .collect();
    json!([request.method(), params]).to_string()
}

/// Whether a client with these raw capabilities may be asked this (2026-07-28 mrtr §Server Requirements; 2025-11-25
/// elicitation §Capabilities, sampling §Capabilities, roots §Capabilities).
pub fn may_ask(capabilities: &str, method: &str, params: Option<&str>) -> bool {
    match method {
        ELICITATION => {
            let declared = Members::read(capabilities);
            let declared = declared.as_ref().and_then(|all| all.get("elicitation"));
            let Some(modes) = declared.and_then(Members::read) else {
                return false;
            };
            let has = |mode| modes.get(mode).is_some_and(is_object);
            match mode(params).as_deref() {
                None | Some("form") => modes.is_empty() || has("form"),
                Some("url") => has("url"),
                Some(_) => false,
            }
        }
        SAMPLING => declares(capabilities, "sampling"),
        ROOTS => declares(capabilities, "roots"),
        _ => false,
    }
}

/// The mode of an elicitation; `None` when it does not say, which is a form.
fn mode(params: Option<&str>) -> Option<String> {
    let params = Members::read(params?)?;
    params
        .get("mode")
        .map(|raw| text(raw).unwrap_or_else(|| raw.to_owned()))
}

/// The raw params of an input as a request to a client of 2025-11-25: an elicitation by URL must have an id there, which
/// is plain here (2025-11-25 elicitation §URL Mode Elicitation Requests).
pub fn for_legacy(input: &Input, elicitation_id: &str) -> Option<String> {
    let raw = input.params.as_deref();
    if input.method != ELICITATION || mode(raw).as_deref() != Some("url") {
        return raw.map(str::to_owned);
    }
    let mut params = Members::read(raw?)?;
    params.set(ELICITATION_ID, quoted(elicitation_id));
    Some(params.to_string())
}

#[cfg(test)]
mod tests;
