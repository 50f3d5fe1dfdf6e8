//! The arguments of a tool as they are typed: one JSON object, or `key=value` by the tool's schema.

use std::io::Read;
use std::path::Path;

use super::schema::{Property, Schema};
use super::values::{check, kind_of, quoted, typed, unknown};
use crate::error::Fatal;
use crate::jsonrpc::Members;

/// What was typed, with all files read; the tool's schema says what it means.
#[derive(Debug)]
pub enum Typed {
    /// One JSON object.
    Object(String),
    /// Pairs, in their order.
    Pairs(Vec<Pair>),
}

/// One argument.
#[derive(Debug)]
pub struct Pair {
    key: String,
    value: Given,
}

#[derive(Debug)]
enum Given {
    Text(String),
    /// `key:=JSON`.
    Json(String),
}

const JSON_HINT: &str = "give one JSON object, or key=value pairs; key:=JSON gives a value as JSON";

/// Reads what was typed; `-` is read from `stdin`.
///
/// # Errors
/// It has no usable form, or a file cannot be read.
pub fn read(words: &[String], stdin: &mut dyn Read) -> Result<Typed, Fatal> {
    if let [word] = words {
        let whole = match word.as_str() {
            "-" => Some(all_of(stdin)?),
            word if word.starts_with('@') => Some(file(word.trim_start_matches('@'), word)?),
            word if word.trim_start().starts_with('{') => Some(word.to_owned()),
            _ => None,
        };
        if let Some(whole) = whole {
            return object(&whole);
        }
    }
    let mut source = Some(stdin);
    let pairs = words.iter().map(|word| pair(word, &mut source));
    Ok(Typed::Pairs(pairs.collect::<Result<_, _>>()?))
}

fn object(text: &str) -> Result<Typed, Fatal> {
    let text = text.trim_start_matches('\u{feff}').trim().to_owned();
    if Members::read(&text).is_some() {
        return Ok(Typed::Object(text));
    }
    let why = match serde_json::from_str::<serde_json::Value>(&text) {
        Err(wrong) => format!("the arguments are not valid JSON: {wrong}"),
        Ok(_) => "the arguments are JSON, but no object".to_owned(),
    };
    Err(Fatal::usage(why, JSON_HINT))
}

fn pair(word: &str, stdin: &mut Option<&mut dyn Read>) -> Result<Pair, Fatal> {
    let Some((key, value)) = word.split_once('=') else {
        let shown: String = word.chars().take(60).collect();
        return Err(Fatal::usage(
            format!("{shown:?} is neither key=value nor a JSON object"),
            JSON_HINT,
        ));
    };
    let (key, is_json) = match key.strip_suffix(':') {
        Some(key) => (key, true),
        None => (key, false),
    };
    if key.is_empty() {
        return Err(Fatal::usage(
            format!("{word:?} has no key before the ="),
            JSON_HINT,
        ));
    }
    let text = if value == "-" {
        let Some(stdin) = stdin.take() else {
            return Err(Fatal::usage(
                "stdin can be read for one argument only",
                "give the others as key=value or key=@FILE",
            ));
        };
        all_of(stdin)?
    } else if let Some(path) = value.strip_prefix('@') {
        file(path, &format!("{key}:='{}'", quoted(value)))?
    } else {
        value.to_owned()
    };
    let key = key.to_owned();
    if !is_json {
        let value = Given::Text(text);
        return Ok(Pair { key, value });
    }
    let json = text.trim().to_owned();
    match kind_of(&json) {
        Some(_) => Ok(Pair {
            key,
            value: Given::Json(json),
        }),
        None => Err(Fatal::usage(
            format!("the value of {key} is not valid JSON"),
            format!("for a text leave the colon out: {key}=..."),
        )),
    }
}

fn all_of(stdin: &mut dyn Read) -> Result<String, Fatal> {
    let mut text = String::new();
    stdin.read_to_string(&mut text).map_err(|wrong| {
        Fatal::usage(format!("cannot read stdin: {wrong}"), "it has to be UTF-8")
    })?;
    Ok(text)
}

fn file(path: &str, itself: &str) -> Result<String, Fatal> {
    std::fs::read_to_string(Path::new(path)).map_err(|wrong| {
        Fatal::usage(
            format!("cannot read {path:?}: {wrong}"),
            format!("check the path; for a text that begins with @ type {itself}"),
        )
    })
}

/// The arguments as raw JSON.
///
/// # Errors
/// They are not what the schema wants.
pub fn arguments(typed: Typed, schema: Option<Schema<'_>>) -> Result<String, String> {
    let text = match typed {
        Typed::Object(text) => text,
        Typed::Pairs(pairs) => {
            let mut root = Vec::new();
            for pair in pairs {
                let key = pair.key.clone();
                put(&mut root, &key, &key, pair.value, schema)?;
            }
            Node::Object(root).to_json()
        }
    };
    if let Some(schema) = schema {
        check("", &text, schema)?;
    }
    Ok(text)
}

/// What is put together from pairs.
enum Node {
    Json(String),
    List(Vec<String>),
    Object(Vec<(String, Self)>),
}

impl Node {
    fn to_json(&self) -> String {
        match self {
            Self::Json(text) => text.clone(),
            Self::List(items) => format!("[{}]", items.join(",")),
            Self::Object(members) => {
                let members = members
                    .iter()
                    .map(|(name, node)| format!("{}:{}", quoted(name), node.to_json()));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }
        }
    }
}

/// Puts a value where its key says; `rest` is what is left of `key` at this depth.
fn put(
    members: &mut Vec<(String, Node)>,
    rest: &str,
    key: &str,
    value: Given,
    schema: Option<Schema<'_>>,
) -> Result<(), String> {
    let (name, rest, property) = step(rest, schema);
    let inner = match property {
        Some(Property::Known(inner) | Property::Welcome(inner)) => Some(inner),
        Some(Property::Unheard | Property::Forbidden) => {
            return Err(schema.map_or_else(String::new, |schema| unknown(key, name, schema)));
        }
        None => None,
    };
    let at = members.iter().position(|(known, _)| known == name);
    let Some(rest) = rest else {
        let found = at.and_then(|at| members.get_mut(at)).map(|(_, node)| node);
        let node = leaf(found, key, value, inner)?;
        if let Some(node) = node {
            members.push((name.to_owned(), node));
        }
        return Ok(());
    };
    let at = at.unwrap_or_else(|| {
        members.push((name.to_owned(), Node::Object(Vec::new())));
        members.len() - 1
    });
    match members.get_mut(at) {
        Some((_, Node::Object(members))) => put(members, rest, key, value, inner),
        _ => Err(format!("{key} cannot be set: {name} has a value already")),
    }
}

/// The next name of a key, what is left of it, and what the schema says of the name. A name may have dots itself.
fn step<'k, 's>(
    key: &'k str,
    schema: Option<Schema<'s>>,
) -> (&'k str, Option<&'k str>, Option<Property<'s>>) {
    let Some(schema) = schema else {
        return match key.split_once('.') {
            Some((name, rest)) => (name, Some(rest), None),
            None => (key, None, None),
        };
    };
    let dots = key.match_indices('.').map(|(at, _)| at);
    let ends = std::iter::once(key.len()).chain(dots.rev());
    for end in ends {
        let (name, rest) = key.split_at_checked(end).unwrap_or((key, ""));
        if let known @ Property::Known(_) = schema.property(name) {
            return (name, rest.strip_prefix('.'), Some(known));
        }
    }
    let (name, rest) = match key.split_once('.') {
        Some((name, rest)) => (name, Some(rest)),
        None => (key, None),
    };
    (name, rest, Some(schema.property(name)))
}

/// A value at the end of its key: a new node, or another item of the list that is there.
fn leaf(
    found: Option<&mut Node>,
    key: &str,
    value: Given,
    schema: Option<Schema<'_>>,
) -> Result<Option<Node>, String> {
    static ANY: serde_json::Value = serde_json::Value::Null;
    let schema = schema.unwrap_or(Schema::new(&ANY));
    let lists = schema
        .choices()
        .into_iter()
        .find(|choice| choice.types().contains(&"array"));
    let named = |wrong: String| format!("{key} {wrong}");
    match found {
        None => Ok(Some(match value {
            Given::Json(json) => Node::Json(json),
            Given::Text(text) => Node::Json(typed(&text, schema).map_err(named)?),
        })),
        Some(node) => {
            let free = schema.choices().is_empty();
            let items = match lists {
                Some(list) => list.items(),
                None if free => schema,
                None => return Err(format!("{key} is given twice, and is no list")),
            };
            let item = match value {
                Given::Json(json) => json,
                Given::Text(text) => typed(&text, items).map_err(named)?,
            };
            append(node, item, free).map_err(|()| format!("{key} is given twice"))?;
            Ok(None)
        }
    }
}

fn append(node: &mut Node, item: String, free: bool) -> Result<(), ()> {
    if let Node::Json(json) = node {
        let list: Option<Vec<&serde_json::value::RawValue>> = serde_json::from_str(json).ok();
        *node = match list {
            Some(list) if !free => {
                Node::List(list.iter().map(|item| item.get().to_owned()).collect())
            }
            _ if free => Node::List(vec![std::mem::take(json)]),
            _ => return Err(()),
        };
    }
    match node {
        Node::List(items) => {
            items.push(item);
            Ok(())
        }
        Node::Json(_) | Node::Object(_) => Err(()),
    }
}

#[cfg(test)]
mod tests;
