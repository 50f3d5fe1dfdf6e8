//! Pages of `tools/list` as slices of their own text, so that a kept tool keeps every byte.

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::jsonrpc::span_in;

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
    let list: ListResult<'_> = serde_json::from_str(result).ok()?;
    let items: Vec<&RawValue> = serde_json::from_str(list.tools.get()).ok()?;
    let tools = items
        .into_iter()
        .map(|item| {
            let definition: Option<Definition<'_>> = serde_json::from_str(item.get()).ok();
            let read_only = definition
                .as_ref()
                .and_then(|definition| definition.annotations)
                .and_then(|raw| serde_json::from_str::<Annotations>(raw.get()).ok())
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

#[cfg(test)]
mod tests {
    use super::page;

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
        let result = r#"{"tools":[{"title":"x"},7,{"name":"a","name":"b"},{"name":"c","annotations":"readOnlyHint"}]}"#;
        let page = page(result).unwrap();
        let names: Vec<_> = page.tools.iter().map(|tool| tool.name.as_deref()).collect();
        assert_eq!(names, [None, None, None, Some("c")]);
        assert!(page.tools.iter().all(|tool| !tool.read_only));
    }

    #[test]
    fn another_shape_is_no_page() {
        for result in ["[]", "{}", r#"{"tools":{}}"#] {
            assert!(page(result).is_none(), "{result}");
        }
    }
}
