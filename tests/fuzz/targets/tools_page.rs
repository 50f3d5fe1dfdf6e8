//! Pages of tools: hidden ones go, the rest keeps every byte; annotations of parameters never do harm.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mcp_tether::bridge::filter::{Access, Filter, Options, Verdict};
use mcp_tether::jsonrpc::Message;
use mcp_tether::tools;
use mcp_tether_fuzz::{Pick, expect, json};

fuzz_target!(|data: &[u8]| {
    let mut pick = Pick(data);
    let access = *pick.of(&[Access::Full, Access::ReadOnly]);
    let (Some(ignore), Some(only)) = (pick.text(), pick.text()) else {
        return;
    };
    let Ok(result) = std::str::from_utf8(pick.0) else {
        return;
    };
    if !json::is_valid(result) {
        assert!(tools::page(result).is_none());
        return;
    }
    page(result);
    let list = |text: &str| -> Vec<String> {
        let all = text.split(',').filter(|part| !part.is_empty());
        all.map(str::to_owned).collect()
    };
    let options = Options {
        ignore: list(ignore),
        only: list(only),
        access,
    };
    filter(result, &options);
});

/// What is said of a page is so.
fn page(result: &str) {
    let Some(page) = tools::page(result) else {
        return;
    };
    let array = json::member(result, "tools").expect("it has tools");
    assert_eq!(&result[page.array.clone()], array);
    let raw: Vec<&str> = page.tools.iter().map(|tool| tool.raw).collect();
    assert_eq!(Some(&raw), json::elements(array).as_ref());
    for tool in &page.tools {
        if let Some(name) = &tool.name {
            assert_eq!(
                json::text_member(tool.raw, "name").as_deref(),
                Some(&name[..])
            );
        }
        if tool.read_only {
            let hints = json::member(tool.raw, "annotations").expect("it has annotations");
            assert_eq!(json::member(hints, "readOnlyHint"), Some("true"));
        }
        headers(tool.raw);
    }
    let all = page.with_only(result, &raw);
    json::assert_same_but(result, &all, &["tools"]);
    assert_eq!(
        json::elements(json::member(&all, "tools").expect("tools")),
        Some(raw)
    );
}

/// Each header of a parameter has a name that HTTP allows, no two are the same, and its path is in the schema.
fn headers(tool: &str) {
    let Ok(found) = tools::param_headers(tool) else {
        return;
    };
    for (at, one) in found.iter().enumerate() {
        let name = format!("mcp-param-{}", one.name);
        http::HeaderName::try_from(name).expect("it is a header name");
        let twice = found[..at]
            .iter()
            .any(|other| other.name.eq_ignore_ascii_case(&one.name));
        assert!(!twice && !one.path.is_empty());
        let mut schema = json::member(tool, "inputSchema").expect("it has a schema");
        for part in &one.path {
            let properties = json::member(schema, "properties").expect("properties");
            schema = json::member(properties, part).expect("the property");
        }
        assert_eq!(
            json::text_member(schema, "x-mcp-header").as_ref(),
            Some(&one.name)
        );
    }
}

/// Nothing that is hidden is listed, whatever is listed may be called, and nothing else changes.
fn filter(result: &str, options: &Options) {
    let line = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result},"more":[1]}}"#);
    let answer = Message::parse(Bytes::from(line)).expect("it is an answer");
    let before = expect::whole(&answer).to_owned();
    let filter = Filter::new(options);
    let after = filter.page(answer);
    let after = expect::whole(&after);
    json::assert_same_but(&before, after, &["result"]);
    if filter.hides_nothing() {
        assert_eq!(before, after);
        return;
    }
    let (was, is) = (
        json::member(&before, "result"),
        json::member(after, "result"),
    );
    let (was, is) = (was.expect("result"), is.expect("result"));
    if tools::page(was).is_none() {
        // What cannot be read cannot be filtered.
        assert_eq!(is, r#"{"tools":[]}"#);
        return;
    }
    json::assert_same_but(was, is, &["tools"]);
    let of = |result| json::elements(json::member(result, "tools").expect("tools")).expect("array");
    let mut all = of(was).into_iter();
    for kept in of(is) {
        assert!(
            all.any(|tool| tool == kept),
            "{kept} is new or out of order"
        );
        let name = json::text_member(kept, "name").expect("it can be judged");
        if options.access == Access::ReadOnly && count(was, &name) > 1 {
            continue;
        }
        assert_eq!(filter.judge(&name), Verdict::Allowed, "{name}");
    }
}

/// How many tools have that name: of those, the last one is remembered.
fn count(result: &str, name: &str) -> usize {
    let page = tools::page(result).expect("it is a page");
    let named = page
        .tools
        .iter()
        .filter(|tool| tool.name.as_deref() == Some(name));
    named.count()
}
