//! Pages of `tools/list` as slices of their own text, so that a kept tool keeps every byte.

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::jsonrpc::{read_object, span_in};

/// One tool of a page.
#[derive(Debug)]
pub struct Tool<'a> {
    /// Its name; `None` when it has none that all readers agree on.
    pub name: Option<Cow<'a, str>>,
    /// Whether it is annotated `readOnlyHint: true`.
    pub read_only: bool,
    /// Its whole text.
    pub raw: &'a str,
}

/// One page of `tools/list`.
#[derive(Debug)]
pub struct Page<'a> {
    /// The tools, in the server's order.
    pub tools: Vec<Tool<'a>>,
    /// Where the array stands in the result.
    pub array: Range<usize>,
    /// The cursor of the next page, raw: it is opaque, and an empty string counts.
    pub next_cursor: Option<&'a RawValue>,
}

impl Page<'_> {
    /// The result that this page was read from, with these tools only. The rest keeps every byte.
    pub fn with_only(&self, result: &str, tools: &[&str]) -> String {
        let (before, after) = (result.get(..self.array.start), result.get(self.array.end..));
        [
            before.unwrap_or_default(),
            "[",
            &tools.join(","),
            "]",
            after.unwrap_or_default(),
        ]
        .concat()
    }
}

#[derive(Deserialize)]
struct ListResult<'a> {
    #[serde(borrow)]
    tools: &'a RawValue,
    #[serde(borrow, default, rename = "nextCursor")]
    next_cursor: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Definition<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    annotations: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Annotations {
    #[serde(default, rename = "readOnlyHint")]
    read_only_hint: Option<bool>,
}

/// Reads the `result` of `tools/list`; `None` when it has another shape.
pub fn page(result: &str) -> Option<Page<'_>> {
    let list: ListResult<'_> = read_object(result)?;
    let items: Vec<&RawValue> = serde_json::from_str(list.tools.get()).ok()?;
    let tools = items
        .into_iter()
        .map(|item| {
            let definition: Option<Definition<'_>> = read_object(item.get());
            let read_only = definition
                .as_ref()
                .and_then(|definition| definition.annotations)
                .and_then(|raw| read_object::<Annotations>(raw.get()))
                .and_then(|annotations| annotations.read_only_hint);
            Tool {
                name: definition.map(|definition| definition.name),
                read_only: read_only == Some(true),
                raw: item.get(),
            }
        })
        .collect();
    Some(Page {
        tools,
        array: span_in(result, list.tools.get()),
        next_cursor: list.next_cursor,
    })
}

/// A parameter of a tool that is sent as a header, too (2026-07-28 streamable-http §Custom Headers).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamHeader {
    /// The part of the header's name after `Mcp-Param-`.
    pub name: String,
    /// Where its value is in the arguments: the names of the properties from the root.
    pub path: Vec<String>,
}

/// The parameters of a tool, given as its whole text, that are sent as headers.
///
/// # Errors
/// Why its annotations are invalid, and the tool must not be offered.
pub fn param_headers(tool: &str) -> Result<Vec<ParamHeader>, &'static str> {
    #[derive(Deserialize)]
    struct Schema {
        #[serde(default, rename = "inputSchema")]
        input: Value,
    }
    let mut found = Vec::new();
    // Most tools have none, and a schema can be large.
    if !tool.contains(ANNOTATION) {
        return Ok(found);
    }
    let schema: Schema = read_object(tool).ok_or("it has no readable schema")?;
    reachable(&schema.input, &mut Vec::new(), &mut found)?;
    Ok(found)
}

const ANNOTATION: &str = "x-mcp-header";

/// Members of a schema whose values are data, not schemas.
const DATA: [&str; 4] = ["default", "const", "enum", "examples"];

/// Members of a schema that hold schemas by name.
const NAMED: [&str; 5] = [
    "properties",
    "patternProperties",
    "$defs",
    "definitions",
    "dependentSchemas",
];

/// Looks through a schema that is reached from the root through `properties` alone.
fn reachable(
    schema: &Value,
    path: &mut Vec<String>,
    found: &mut Vec<ParamHeader>,
) -> Result<(), &'static str> {
    let Value::Object(members) = schema else {
        return Ok(());
    };
    if let Some(name) = members.get(ANNOTATION) {
        found.push(annotated(name, members, path, found)?);
    }
    for (keyword, value) in members {
        match (keyword.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                for (name, property) in properties {
                    path.push(name.clone());
                    reachable(property, path, found)?;
                    path.pop();
                }
            }
            (ANNOTATION, _) => {}
            (keyword, value) if !DATA.contains(&keyword) => unreachable_has_none(keyword, value)?,
            _ => {}
        }
    }
    Ok(())
}

fn annotated(
    name: &Value,
    schema: &Map<String, Value>,
    path: &[String],
    found: &[ParamHeader],
) -> Result<ParamHeader, &'static str> {
    let name = name.as_str().unwrap_or_default();
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(token) {
        return Err("a parameter's header name is none");
    }
    if path.is_empty() {
        return Err("a header name stands where there is no parameter");
    }
    let kind = schema.get("type").and_then(Value::as_str);
    if !matches!(kind, Some("string" | "integer" | "boolean")) {
        return Err("a parameter with a header is no string, integer or boolean");
    }
    if found
        .iter()
        .any(|other| other.name.eq_ignore_ascii_case(name))
    {
        return Err("two parameters have the same header");
    }
    Ok(ParamHeader {
        name: name.to_owned(),
        path: path.to_vec(),
    })
}

/// Anywhere else an annotation is invalid.
fn unreachable_has_none(keyword: &str, value: &Value) -> Result<(), &'static str> {
    match value {
        Value::Array(items) => items
            .iter()
            .try_for_each(|item| unreachable_has_none("", item)),
        Value::Object(members) => {
            let named = NAMED.contains(&keyword);
            members.iter().try_for_each(|(name, value)| {
                if named {
                    return unreachable_has_none("", value);
                }
                if name == ANNOTATION {
                    return Err("a header name stands where its parameter may not be sent");
                }
                if DATA.contains(&name.as_str()) {
                    return Ok(());
                }
                unreachable_has_none(name, value)
            })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{page, param_headers};

    #[test]
    fn annotated_parameters_are_found_where_they_may_stand() {
        let tool = r#"{"name":"t","inputSchema":{"type":"object","properties":{
            "region":{"type":"string","x-mcp-header":"Region"},
            "x-mcp-header":{"type":"string","default":{"x-mcp-header":1}},
            "deep":{"type":"object","properties":{"n":{"type":"integer","x-mcp-header":"N"}}}}}}"#;
        let mut found: Vec<_> = param_headers(tool)
            .unwrap()
            .into_iter()
            .map(|header| (header.name, header.path.join("/")))
            .collect();
        found.sort();
        assert_eq!(
            found,
            [
                ("N".to_owned(), "deep/n".to_owned()),
                ("Region".to_owned(), "region".to_owned())
            ]
        );
        assert_eq!(param_headers(r#"{"name":"t"}"#), Ok(Vec::new()));
    }

    #[test]
    fn an_annotation_anywhere_else_makes_the_tool_invalid() {
        for schema in [
            r#"{"x-mcp-header":"A"}"#,
            r#"{"properties":{"a":{"type":"number","x-mcp-header":"A"}}}"#,
            r#"{"properties":{"a":{"type":"string","x-mcp-header":""}}}"#,
            r#"{"properties":{"a":{"type":"string","x-mcp-header":"a b"}}}"#,
            r#"{"properties":{"a":{"type":"string","x-mcp-header":7}}}"#,
            r#"{"properties":{"a":{"type":"string","x-mcp-header":"A"},"b":{"type":"string","x-mcp-header":"a"}}}"#,
            r#"{"properties":{"a":{"type":"array","items":{"type":"string","x-mcp-header":"A"}}}}"#,
            r#"{"oneOf":[{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}]}"#,
            r#"{"$defs":{"d":{"type":"string","x-mcp-header":"A"}}}"#,
        ] {
            let tool = format!(r#"{{"name":"t","inputSchema":{schema}}}"#);
            assert!(param_headers(&tool).is_err(), "{schema}");
        }
    }

    #[test]
    fn slices_tools_without_changing_them() {
        let result = r#"{"tools": [ {"name":"a\u0062","x":1.0},{"annotations":{"readOnlyHint":true},"name":"c"} ] ,"nextCursor":""}"#;
        let page = page(result).unwrap();
        let seen: Vec<_> = page
            .tools
            .iter()
            .map(|tool| (tool.name.as_deref(), tool.read_only, tool.raw))
            .collect();
        let first = (Some("ab"), false, r#"{"name":"a\u0062","x":1.0}"#);
        let second = (
            Some("c"),
            true,
            r#"{"annotations":{"readOnlyHint":true},"name":"c"}"#,
        );
        assert_eq!(seen, [first, second]);
        assert!(
            result[page.array.clone()].starts_with("[ {") && result[page.array].ends_with("} ]")
        );
        assert_eq!(page.next_cursor.unwrap().get(), "\"\"");
    }

    #[test]
    fn a_tool_of_another_shape_has_no_name_or_only_reads_not() {
        let result = r#"{"tools":[{"title":"x"},["a"],{"name":"a","name":"b"},{"name":"c","annotations":[true]}]}"#;
        let page = page(result).unwrap();
        let names: Vec<_> = page.tools.iter().map(|tool| tool.name.as_deref()).collect();
        assert_eq!(names, [None, None, None, Some("c")]);
        assert!(page.tools.iter().all(|tool| !tool.read_only));
    }

    #[test]
    fn another_shape_is_no_page() {
        for result in ["[]", "{}", r#"{"tools":{}}"#, "[[]]", "[[],null]"] {
            assert!(page(result).is_none(), "{result}");
        }
    }
}
