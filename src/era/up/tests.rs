use serde_json::Value;

use super::super::mrtr::InputRequired;
use super::super::parts::parse;
use super::{Here, Outcome, error, here, initialize_result, outcome};

#[test]
fn a_client_gets_its_own_version_or_the_latest_that_has_sessions() {
    for (asked, wanted) in [
        (r#""2024-11-05""#, "2024-11-05"),
        (r#""2025-06-18""#, "2025-06-18"),
        (r#""2025-11-25""#, "2025-11-25"),
        (r#""2026-07-28""#, "2025-11-25"),
        (r#""1.0""#, "2025-11-25"),
        ("7", "2025-11-25"),
    ] {
        let initialize = parse(&format!(
            r#"{{"id":0,"method":"initialize","params":{{"protocolVersion":{asked}}}}}"#
        ));
        let result = initialize_result(&initialize, "{}");
        let result: Value = serde_json::from_str(&result).unwrap();
        assert_eq!(result["protocolVersion"], wanted, "{asked}");
    }
}

#[test]
fn discovery_becomes_an_initialize_result_and_nothing_else_of_it_stays() {
    let initialize =
        parse(r#"{"id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}"#);
    for (discovered, wanted) in [
        (
            r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{ "listChanged":true },"tasks":{},"extensions":{"e":{}}},"instructions":"i\u0041","ttlMs":0,"cacheScope":"public","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s", "version":"1"}}}"#,
            r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{ "listChanged":true },"extensions":{"e":{}}},"serverInfo":{"name":"s", "version":"1"},"instructions":"i\u0041"}"#,
        ),
        (
            r#"{"instructions":null,"_meta":{"io.modelcontextprotocol/serverInfo":"s"}}"#,
            r#"{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"unknown","version":"0"}}"#,
        ),
        (
            "7",
            r#"{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"unknown","version":"0"}}"#,
        ),
    ] {
        assert_eq!(initialize_result(&initialize, discovered), wanted);
    }
}

#[test]
fn methods_that_the_server_lacks_are_served_here() {
    let request = |method: &str, params: &str| {
        here(&parse(&format!(
            r#"{{"id":1,"method":"{method}","params":{params}}}"#
        )))
    };
    assert_eq!(request("ping", "{}"), Some(Here::Answer("{}")));
    let uri = || "aA".to_owned();
    let raw = r#"{"uri":"a\u0041"}"#;
    assert_eq!(
        request("resources/subscribe", raw),
        Some(Here::Subscribe(uri()))
    );
    assert_eq!(
        request("resources/unsubscribe", raw),
        Some(Here::Unsubscribe(uri()))
    );
    for level in super::LEVELS {
        let wanted = Some(Here::LogLevel(level.to_owned()));
        let params = format!(r#"{{"level":"{level}"}}"#);
        assert_eq!(request("logging/setLevel", &params), wanted);
    }
    for (method, params, code) in [
        ("logging/setLevel", r#"{"level":"loud"}"#, -32602),
        ("logging/setLevel", r#"{"level":"INFO"}"#, -32602),
        ("logging/setLevel", "{}", -32602),
        ("resources/subscribe", "{}", -32602),
        ("resources/unsubscribe", r#"{"uri":7}"#, -32602),
        ("tasks/get", "{}", -32601),
        ("tasks/list", "{}", -32601),
    ] {
        let refused =
            matches!(request(method, params), Some(Here::Refuse(found, _)) if found == code);
        assert!(refused, "{method} {params}");
    }
    for method in ["tools/call", "resources/read", "completion/complete", "x/y"] {
        assert_eq!(request(method, "{}"), None, "{method}");
    }
}

#[test]
fn results_lose_what_older_revisions_do_not_have() {
    let table = [
        (
            "tools/call",
            r#"{ "content":[ ] ,"n":1.0}"#,
            r#"{ "content":[ ] ,"n":1.0}"#,
        ),
        (
            "resources/list",
            r#"{"resultType":"complete","resources":[ {"n":1e2} ],"ttlMs":1,"cacheScope":"public","_meta":{"io.modelcontextprotocol/serverInfo":{}}}"#,
            r#"{"resources":[ {"n":1e2} ]}"#,
        ),
        (
            "prompts/get",
            r#"{"_meta":{"a": 1,"io.modelcontextprotocol/serverInfo":{}},"messages":[]}"#,
            r#"{"_meta":{"a":1},"messages":[]}"#,
        ),
        ("prompts/get", r#"{"_meta": {} }"#, r#"{"_meta": {} }"#),
        (
            "tools/call",
            r#"{"content":[],"structuredContent":[1]}"#,
            r#"{"content":[]}"#,
        ),
        (
            "tools/call",
            r#"{"content":[],"structuredContent": { } }"#,
            r#"{"content":[],"structuredContent": { } }"#,
        ),
        (
            "x/other",
            r#"{"structuredContent":7}"#,
            r#"{"structuredContent":7}"#,
        ),
        ("x/other", "7", "7"),
    ];
    for (method, result, wanted) in table {
        let found = outcome(method, result);
        assert_eq!(found, Outcome::Complete(wanted.to_owned()), "{result}");
    }
}

#[test]
fn output_schemas_that_are_not_of_an_object_are_dropped() {
    let input = r#""inputSchema":{"type":["object"], "x":1.0}"#;
    let table = [
        (r#","outputSchema":{"type":"array"}"#, ""),
        (r#","outputSchema":{"type":["object"]}"#, ""),
        (r#","outputSchema":{}"#, ""),
        (r#","outputSchema":true"#, ""),
        (
            r#","outputSchema":{ "type":"object"}"#,
            r#","outputSchema":{ "type":"object"}"#,
        ),
    ];
    for (schema, kept) in table {
        let page = |schema| {
            format!(
                r#"{{"tools":[{{"name":"a",{input}{schema}}},{{"name":"b"}}],"nextCursor":""}}"#
            )
        };
        let found = outcome("tools/list", &page(schema));
        assert_eq!(found, Outcome::Complete(page(kept)), "{schema}");
    }
}

#[test]
fn a_result_type_decides_what_a_result_is() {
    let asks = r#"{"resultType":"input_required","requestState":"s"}"#;
    let wanted = InputRequired::read(asks).unwrap();
    assert_eq!(outcome("tools/call", asks), Outcome::InputRequired(wanted));
    for (kind, named) in [
        (r#""task""#, "task"),
        (r#""input_required""#, "input_required"),
        ("7", "7"),
        ("null", "null"),
    ] {
        let found = outcome("tools/call", &format!(r#"{{"resultType":{kind}}}"#));
        assert_eq!(found, Outcome::Unknown(named.to_owned()));
    }
}

#[test]
fn missing_capabilities_are_named_under_a_code_that_older_revisions_know() {
    let missing = parse(
        r#"{"id":1,"error":{"code":-32021,"message":"m","data":{"requiredCapabilities":{"sampling":{ },"elicitation":{"url":{}}}}}}"#,
    );
    let found = error(missing);
    assert_eq!(
        found.payload(),
        Some(
            r#"{"code":-32603,"message":"The server needs what this client cannot do: sampling, elicitation","data":{"requiredCapabilities":{"sampling":{ },"elicitation":{"url":{}}}}}"#
        )
    );
    let unnamed = error(parse(r#"{"id":1,"error":{"code":-32021,"message":"m"}}"#));
    assert_eq!(unnamed.payload(), Some(r#"{"code":-32603,"message":"m"}"#));
    for code in ["-32602", "-32603", "-32002", "-1"] {
        let other = parse(&format!(
            r#"{{"id":1,"error": {{"code":{code},"message":"m" }}}}"#
        ));
        assert_eq!(error(other.clone()).line(), other.line());
    }
}
