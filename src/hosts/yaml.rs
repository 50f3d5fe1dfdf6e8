//! YAML, edited in its syntax tree.

use std::str::FromStr;

use diffy::Line;
use yaml_edit::validator::{Severity, Validator};
use yaml_edit::{Document, Mapping, Scalar, Sequence, YamlError, YamlFile, YamlNode};

use super::broken::Broken;
use super::edit::{Fields, Site};
use super::lines::changes;
use super::tree::Value;

/// All that the text says.
pub(super) fn read(text: &str) -> Result<Value, Broken> {
    let (_, document) = parse(text)?;
    let Some(map) = document.as_mapping() else {
        return if document.as_sequence().is_none() && document.as_scalar().is_none() {
            Ok(Value::Map(Vec::new()))
        } else {
            Err(no_map(text, "the file"))
        };
    };
    Ok(mapping(&map))
}

/// The text with a further entry.
pub(super) fn add(text: &str, site: &Site<'_>, fields: &Fields) -> Result<String, Broken> {
    let (file, document) = parse(text)?;
    let mut map = document
        .as_mapping()
        .ok_or_else(|| no_map(text, "the file"))?;
    let Some((last, above)) = site.path.split_last() else {
        return Err(no_map(text, "the file"));
    };
    for name in above {
        map = map.get_mapping(name).ok_or_else(|| no_map(text, name))?;
    }
    let entry = built(fields);
    let nothing = map.get(last).is_none_or(|node| scalar_is_null(&node));
    match (nothing, site.listed) {
        (true, true) => {
            let list = Sequence::new();
            list.push(&entry);
            map.set(last, &list);
        }
        (true, false) => {
            let entries = Mapping::new();
            entries.set(site.name, &entry);
            map.set(last, &entries);
        }
        (false, true) => {
            let list = map.get_sequence(last).ok_or_else(|| no_map(text, last))?;
            list.push(&entry);
        }
        (false, false) => {
            let entries = map.get_mapping(last).ok_or_else(|| no_map(text, last))?;
            entries.set(site.name, &entry);
            return Ok(indented(text, &file.to_string()));
        }
    }
    Ok(file.to_string())
}

/// The text with the new lines indented as the file is: they were written two spaces a level.
fn indented(before: &str, after: &str) -> String {
    let depth = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let is_member =
        |line: &&str| depth(line) > 0 && !line.trim_start().starts_with(['#', '-', '\n']);
    let unit = before
        .split_inclusive('\n')
        .find(is_member)
        .map_or(2, depth);
    if unit <= 2 {
        return after.to_owned();
    }
    let mut out = String::with_capacity(after.len());
    let mut base = None;
    for change in changes(before, after) {
        match change {
            Line::Delete(_) => {}
            Line::Context(line) => out.push_str(line),
            Line::Insert(line) => {
                let base = *base.get_or_insert(depth(line));
                let inner = depth(line).saturating_sub(base);
                out.push_str(&" ".repeat(base + inner / 2 * unit + inner % 2));
                out.push_str(line.trim_start_matches(' '));
            }
        }
    }
    out
}

/// The text with members of an entry set and others dropped.
pub(super) fn change(
    text: &str,
    site: &Site<'_>,
    set: &Fields,
    drop: &[String],
) -> Result<String, Broken> {
    let (file, document) = parse(text)?;
    let entry = entry(&document, site).ok_or_else(|| no_map(text, site.name))?;
    for name in drop {
        entry.remove(name);
    }
    for (name, value) in set {
        put(&entry, name, value);
    }
    Ok(file.to_string())
}

/// The text without the entry.
pub(super) fn remove(text: &str, site: &Site<'_>) -> Result<String, Broken> {
    let (file, document) = parse(text)?;
    if let Some((map, last)) = above(&document, site) {
        if site.listed {
            let list = map.get_sequence(last);
            let found = list.and_then(|list| Some((position(&list, site.name)?, list)));
            if let Some((at, list)) = found {
                list.remove(at);
            }
        } else if let Some(entries) = map.get_mapping(last) {
            entries.remove(site.name);
        }
    }
    Ok(file.to_string())
}

fn parse(text: &str) -> Result<(YamlFile, Document), Broken> {
    let file = YamlFile::from_str(text).map_err(|wrong| match wrong {
        YamlError::Parse {
            message,
            line,
            column,
        } => Broken {
            what: Broken::at(text, 0, first_part(&message)).what,
            line: line.unwrap_or(1),
            column: column.unwrap_or(1),
        },
        other => Broken::at(text, 0, other.to_string()),
    })?;
    if file.documents().count() > 1 {
        return Err(Broken::about(
            text,
            "\n---",
            "it has more than one document",
        ));
    }
    let document = file.ensure_document();
    let violations = Validator::new().validate(&document);
    let mut wrong = violations
        .iter()
        .filter(|found| found.severity == Severity::Error);
    if let Some(wrong) = wrong.next() {
        let offset = wrong.text_range.as_ref().map_or(0, |range| range.start);
        let offset = usize::try_from(offset).unwrap_or_default();
        return Err(Broken::at(text, offset, wrong.message.as_str()));
    }
    Ok((file, document))
}

/// What is wrong, without the advice that follows it.
fn first_part(message: &str) -> &str {
    message.split(". ").next().unwrap_or(message)
}

fn no_map(text: &str, name: &str) -> Broken {
    Broken::about(
        text,
        name,
        format!("{name} is not of the form that the host reads"),
    )
}

/// The mapping in which the entries stand, and under which name.
fn above<'a>(document: &Document, site: &Site<'a>) -> Option<(Mapping, &'a String)> {
    let (last, above) = site.path.split_last()?;
    let mut path = above.iter();
    let map = path.try_fold(document.as_mapping()?, |map, name| map.get_mapping(name))?;
    Some((map, last))
}

fn entry(document: &Document, site: &Site<'_>) -> Option<Mapping> {
    let (map, last) = above(document, site)?;
    if !site.listed {
        return map.get_mapping(last)?.get_mapping(site.name);
    }
    let list = map.get_sequence(last)?;
    list.get(position(&list, site.name)?)?.as_mapping().cloned()
}

fn position(list: &Sequence, name: &str) -> Option<usize> {
    let is_it = |item: YamlNode| {
        let found = item.as_mapping()?.get("name")?;
        (value(&found).text() == Some(name)).then_some(())
    };
    list.values().position(|item| is_it(item).is_some())
}

fn put(map: &Mapping, name: &str, value: &Value) {
    match value {
        Value::Text(text) => map.set(name, text.as_str()),
        Value::Plain(text) => match text.parse::<i64>() {
            Ok(number) => map.set(name, number),
            Err(_) => map.set(name, text == "true"),
        },
        Value::List(items) => {
            let list = Sequence::new();
            for item in items {
                list.push(item.text().unwrap_or_default());
            }
            map.set(name, &list);
        }
        Value::Map(members) => map.set(name, built(members)),
    }
}

fn built(fields: &Fields) -> Mapping {
    let map = Mapping::new();
    for (name, value) in fields {
        put(&map, name, value);
    }
    map
}

fn scalar_is_null(node: &YamlNode) -> bool {
    node.as_scalar().is_some_and(Scalar::is_null)
}

fn mapping(map: &Mapping) -> Value {
    let members = map.iter();
    Value::Map(
        members
            .map(|(name, node)| (key(&name), value(&node)))
            .collect(),
    )
}

fn key(node: &YamlNode) -> String {
    value(node)
        .text()
        .map_or_else(|| node.to_string(), str::to_owned)
}

fn value(node: &YamlNode) -> Value {
    match node {
        YamlNode::Mapping(map) => mapping(map),
        YamlNode::Sequence(list) => Value::List(list.values().map(|item| value(&item)).collect()),
        YamlNode::Scalar(text) => {
            let written = text.as_string();
            let plain = !text.is_quoted() && !text.is_block();
            let typed = text.is_null()
                || text.as_bool().is_some()
                || text.as_i64().is_some()
                || text.as_f64().is_some();
            if plain && typed {
                Value::Plain(written)
            } else {
                Value::Text(written)
            }
        }
        other => Value::Plain(other.to_string()),
    }
}
