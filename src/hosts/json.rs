//! JSON, with or without comments and trailing commas, edited in its syntax tree.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{
    CstContainerNode, CstInputValue, CstLeafNode, CstNode, CstObject, CstRootNode,
};

use super::broken::Broken;
use super::edit::{Fields, Site};
use super::tree::Value;

/// What the editors of this world read: comments and commas at the end, and no more.
const LENIENT: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// All that the text says.
pub(super) fn read(text: &str) -> Result<Value, Broken> {
    let root = parse(text)?;
    Ok(root.value().map_or_else(empty, |node| value(&node)))
}

/// The text with a further entry.
pub(super) fn add(text: &str, site: &Site<'_>, fields: &Fields) -> Result<String, Broken> {
    let root = parse(text)?;
    let mut map = root
        .object_value_or_create()
        .ok_or_else(|| Broken::at(text, 0, "the file is no JSON object"))?;
    for name in site.path {
        if let Some(member) = map.get(name)
            && matches!(
                member.value(),
                Some(CstNode::Leaf(CstLeafNode::NullKeyword(_)))
            )
        {
            member.set_value(CstInputValue::Object(Vec::new()));
        }
        map = map
            .object_value_or_create(name)
            .ok_or_else(|| no_object(text, name))?;
    }
    map.append(site.name, input(&Value::Map(fields.clone())));
    Ok(root.to_string())
}

/// The text with members of an entry set and others dropped.
pub(super) fn change(
    text: &str,
    site: &Site<'_>,
    set: &Fields,
    drop: &[String],
) -> Result<String, Broken> {
    let root = parse(text)?;
    let entry = container(&root, site)
        .and_then(|map| map.object_value(site.name))
        .ok_or_else(|| no_object(text, site.name))?;
    for name in drop {
        if let Some(member) = entry.get(name) {
            member.remove();
        }
    }
    for (name, value) in set {
        match entry.get(name) {
            Some(member) => member.set_value(input(value)),
            None => {
                entry.append(name, input(value));
            }
        }
    }
    Ok(root.to_string())
}

/// The text without the entry.
pub(super) fn remove(text: &str, site: &Site<'_>) -> Result<String, Broken> {
    let root = parse(text)?;
    if let Some(entry) = container(&root, site).and_then(|map| map.get(site.name)) {
        entry.remove();
    }
    Ok(root.to_string())
}

fn parse(text: &str) -> Result<CstRootNode, Broken> {
    CstRootNode::parse(text, &LENIENT).map_err(|wrong| Broken {
        line: wrong.line_display(),
        column: wrong.column_display(),
        what: wrong.kind().to_string().to_lowercase(),
    })
}

fn container(root: &CstRootNode, site: &Site<'_>) -> Option<CstObject> {
    let mut path = site.path.iter();
    path.try_fold(root.object_value()?, |map, name| map.object_value(name))
}

fn no_object(text: &str, name: &str) -> Broken {
    Broken::about(
        text,
        &format!("\"{name}\""),
        format!("{name:?} is no object"),
    )
}

fn empty() -> Value {
    Value::Map(Vec::new())
}

fn value(node: &CstNode) -> Value {
    match node {
        CstNode::Container(CstContainerNode::Object(map)) => {
            let members = map.properties().into_iter().filter_map(|member| {
                let name = member.decoded_name()?;
                Some((name, value(&member.value()?)))
            });
            Value::Map(members.collect())
        }
        CstNode::Container(CstContainerNode::Array(list)) => {
            Value::List(list.elements().iter().map(value).collect())
        }
        CstNode::Leaf(CstLeafNode::StringLit(text)) => {
            Value::Text(text.decoded_value().unwrap_or_else(|_| text.raw_value()))
        }
        other => Value::Plain(other.to_string()),
    }
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Text(text) => CstInputValue::String(text.clone()),
        Value::Plain(text) => match text.as_str() {
            "true" => CstInputValue::Bool(true),
            "false" => CstInputValue::Bool(false),
            "null" => CstInputValue::Null,
            _ => CstInputValue::Number(text.clone()),
        },
        Value::List(items) => CstInputValue::Array(items.iter().map(input).collect()),
        Value::Map(members) => {
            let members = members.iter();
            CstInputValue::Object(
                members
                    .map(|(name, value)| (name.clone(), input(value)))
                    .collect(),
            )
        }
    }
}
