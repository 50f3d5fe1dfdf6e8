//! One value: from what was typed to JSON by its schema, and whether given JSON fits a schema. Numbers keep their text.

use serde_json::Value;
use serde_json::value::RawValue;

use super::schema::{Property, Schema, plain};
use crate::config::nearest;
use crate::jsonrpc::Members;

/// Depth of given JSON that is looked at.
const DEPTH: usize = 32;

/// The JSON for what was typed.
///
/// # Errors
/// What the schema wants instead, to be read after the argument's name.
pub fn typed(text: &str, schema: Schema<'_>) -> Result<String, String> {
    let choices = schema.choices();
    if choices.is_empty() {
        return Ok(guessed(text));
    }
    // What can be meant by fewer texts comes first.
    for kind in [
        "values", "null", "boolean", "integer", "number", "array", "object", "string",
    ] {
        for choice in &choices {
            if let Some(json) = as_kind(kind, text, *choice) {
                return Ok(json);
            }
        }
    }
    for choice in &choices {
        if choice.values().is_none() && choice.types().contains(&"array") {
            // One item without brackets.
            return Ok(format!("[{}]", typed(text, choice.items())?));
        }
    }
    Err(not_wanted(text, schema))
}

/// Without a schema: JSON where it is one, a text otherwise.
fn guessed(text: &str) -> String {
    match kind_of(text.trim()) {
        Some("string") | None => quoted(text),
        Some(_) => text.trim().to_owned(),
    }
}

fn as_kind(kind: &str, text: &str, choice: Schema<'_>) -> Option<String> {
    if let Some(values) = choice.values() {
        let found = values
            .into_iter()
            .find(|value| kind == "values" && plain(value) == text);
        return found.map(Value::to_string);
    }
    if !choice.types().contains(&kind) {
        return None;
    }
    let trimmed = text.trim();
    match kind {
        "string" => Some(quoted(text)),
        "integer" => is_integer(trimmed).then(|| trimmed.to_owned()),
        _ => (kind_of(trimmed) == Some(kind)).then(|| trimmed.to_owned()),
    }
}

fn not_wanted(text: &str, schema: Schema<'_>) -> String {
    let values: Vec<String> = schema
        .choices()
        .into_iter()
        .filter_map(Schema::values)
        .flatten()
        .map(plain)
        .collect();
    let near = nearest(text, values.iter().map(String::as_str));
    let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
    format!("must be {}, not {text:?}{near}", schema.wanted())
}

/// Whether `raw`, which is JSON, fits the schema; `name` is how it is called.
///
/// # Errors
/// The first part that does not fit, and what it should be.
pub fn check(name: &str, raw: &str, schema: Schema<'_>) -> Result<(), String> {
    check_at(name, raw.trim(), schema, DEPTH)
}

fn check_at(name: &str, raw: &str, schema: Schema<'_>, depth: usize) -> Result<(), String> {
    let Some(depth) = depth.checked_sub(1) else {
        return Ok(());
    };
    let choices = schema.choices();
    let kind = kind_of(raw).unwrap_or_default();
    let fitting: Vec<&Schema<'_>> = choices
        .iter()
        .filter(|choice| fits(kind, raw, **choice))
        .collect();
    if !choices.is_empty() && fitting.is_empty() {
        let shown: String = raw.chars().take(40).collect();
        return Err(format!("{name} must be {}, not {shown}", schema.wanted()));
    }
    match kind {
        "object" => check_members(name, raw, schema, depth),
        "array" => {
            let items: Vec<&RawValue> = serde_json::from_str(raw).unwrap_or_default();
            // Where there is a choice of lists, the server decides.
            let [list] = fitting.as_slice() else {
                return Ok(());
            };
            for (number, item) in items.iter().enumerate() {
                check_at(
                    &format!("{name}[{number}]"),
                    item.get(),
                    list.items(),
                    depth,
                )?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn check_members(name: &str, raw: &str, schema: Schema<'_>, depth: usize) -> Result<(), String> {
    let Some(members) = Members::read(raw) else {
        return Ok(());
    };
    let inside = |member: &str| {
        if name.is_empty() {
            member.to_owned()
        } else {
            format!("{name}.{member}")
        }
    };
    let missing = schema
        .required()
        .into_iter()
        .find(|one| members.get(one).is_none());
    if let Some(missing) = missing {
        return Err(format!("{} is missing", inside(missing)));
    }
    for (member, value) in members.iter() {
        match schema.property(&member) {
            Property::Known(schema) | Property::Welcome(schema) => {
                check_at(&inside(&member), value, schema, depth)?;
            }
            Property::Forbidden => return Err(unknown(&inside(&member), &member, schema)),
            Property::Unheard => {}
        }
    }
    Ok(())
}

/// The tool does not have that argument.
pub fn unknown(name: &str, member: &str, schema: Schema<'_>) -> String {
    let near = nearest(member, schema.names());
    let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
    format!("there is no argument {name}{near}")
}

fn fits(kind: &str, raw: &str, choice: Schema<'_>) -> bool {
    if let Some(values) = choice.values() {
        let value: Option<Value> = serde_json::from_str(raw).ok();
        // What cannot be held in memory cannot be compared either.
        return value.is_none_or(|value| values.into_iter().any(|one| same(one, &value)));
    }
    let types = choice.types();
    types.contains(&kind) || (kind == "number" && types.contains(&"integer") && is_integer(raw))
}

/// Whether two values are the same, `1` and `1.0` among them.
fn same(one: &Value, other: &Value) -> bool {
    one == other
        || matches!((one.as_f64(), other.as_f64()), (Some(one), Some(other)) if one == other)
}

/// The type of valid JSON; `None` when it is none.
pub fn kind_of(raw: &str) -> Option<&'static str> {
    let valid = serde_json::from_str::<&RawValue>(raw).is_ok();
    Some(match raw.bytes().next().filter(|_| valid)? {
        b'{' => "object",
        b'[' => "array",
        b'"' => "string",
        b't' | b'f' => "boolean",
        b'n' => "null",
        _ => "number",
    })
}

/// Whether it is a number without a fraction; `1.0` and `1e3` are such numbers.
fn is_integer(raw: &str) -> bool {
    if kind_of(raw) != Some("number") {
        return false;
    }
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    plain || raw.parse::<f64>().is_ok_and(|value| value.fract() == 0.0)
}

/// A text as JSON.
pub fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
