use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::parts::parse;
use super::{Envelope, Invalid, progress_token, stripped, with_progress_token};
use crate::jsonrpc::{Id, Message};

/// A request with this raw `_meta`.
fn with_meta(meta: &str) -> Message {
    parse(&format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{{"_meta":{meta}}}}}"#
    ))
}

fn envelope(log_level: Option<&str>) -> Envelope {
    Envelope {
        capabilities: r#"{"roots": {}}"#.to_owned(),
        client_info: Some(r#"{"name":"c","version":"1.0"}"#.to_owned()),
        log_level: log_level.map(str::to_owned),
    }
}

#[test]
fn required_keys_are_read_from_meta() {
    let request = with_meta(
        r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{ "x":1.0 },"io.modelcontextprotocol/clientInfo":{"name":"n"},"io.modelcontextprotocol/logLevel":"info"}"#,
    );
    let found = Envelope::of(&request).unwrap();
    assert_eq!(found.capabilities, r#"{ "x":1.0 }"#);
    assert_eq!(found.client_info.as_deref(), Some(r#"{"name":"n"}"#));
    assert_eq!(found.log_level.as_deref(), Some("info"));

    let request = with_meta(
        r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":"x","io.modelcontextprotocol/logLevel":"loud"}"#,
    );
    let found = Envelope::of(&request).unwrap();
    assert_eq!((found.client_info, found.log_level), (None, None));
}

#[test]
fn a_missing_key_or_another_revision_is_refused() {
    let version = Invalid::Meta("io.modelcontextprotocol/protocolVersion");
    let capabilities = Invalid::Meta("io.modelcontextprotocol/clientCapabilities");
    let metas = [
        ("{}", version.clone()),
        ("7", version.clone()),
        (
            r#"{"io.modelcontextprotocol/protocolVersion":7}"#,
            version.clone(),
        ),
        (
            r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#,
            capabilities.clone(),
        ),
        (
            r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":[]}"#,
            capabilities,
        ),
        (
            r#"{"io.modelcontextprotocol/protocolVersion":"2027-01-01"}"#,
            Invalid::Version("2027-01-01".to_owned()),
        ),
    ];
    for text in [
        r#"{"id":1,"method":"x"}"#,
        r#"{"id":1,"method":"x","params":[]}"#,
    ] {
        assert_eq!(Envelope::of(&parse(text)).unwrap_err(), version, "{text}");
    }
    for (meta, wanted) in metas {
        let found = Envelope::of(&with_meta(meta)).unwrap_err();
        assert_eq!(found, wanted, "{meta}");
    }
}

#[test]
fn refusals_name_what_is_wrong() {
    let id = Id::text("a");
    let missing = Invalid::Meta("io.modelcontextprotocol/clientCapabilities").answer(&id);
    let missing: Value = missing.read().unwrap();
    assert_eq!(missing["code"], -32602);
    let text = missing["message"].as_str().unwrap();
    assert!(text.contains("io.modelcontextprotocol/clientCapabilities"));

    let other = Invalid::Version("x\"".to_owned()).answer(&id);
    assert_eq!(other.id(), Some(&id));
    assert_eq!(
        other.read::<Value>().unwrap(),
        json!({
            "code": -32022, "message": "Unsupported protocol version",
            "data": { "supported": ["2026-07-28"], "requested": "x\"" },
        })
    );
}

#[test]
fn initialize_gives_an_envelope_without_what_only_sessions_know() {
    let unknown = r#"{"name":"unknown","version":"0"}"#;
    let table = [
        (
            r#"{"capabilities":{"roots":{"listChanged":true,"x":1.0},"tasks":{"list":{}},"sampling":{ }},"clientInfo":{"name": "n"}}"#,
            r#"{"roots":{"x":1.0},"sampling":{ }}"#,
            r#"{"name": "n"}"#,
        ),
        (
            r#"{"capabilities":{"roots":{ }}}"#,
            r#"{"roots":{ }}"#,
            unknown,
        ),
        (r#"{"capabilities":7,"clientInfo":null}"#, "{}", unknown),
        ("{}", "{}", unknown),
    ];
    for (params, capabilities, info) in table {
        let request = format!(r#"{{"id":0,"method":"initialize","params":{params}}}"#);
        let found = Envelope::of_initialize(&parse(&request));
        assert_eq!(found.capabilities, capabilities, "{params}");
        assert_eq!(found.client_info.as_deref(), Some(info), "{params}");
        assert_eq!(found.log_level, None);
    }
}

#[test]
fn an_envelope_takes_the_place_of_any_other_and_the_rest_stays() {
    let ours = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"roots": {}},"io.modelcontextprotocol/clientInfo":{"name":"c","version":"1.0"}"#;
    let table = [
        (
            r#""params":{"name":"t","task":{"ttl":1},"_meta":{"traceparent":"t","io.modelcontextprotocol/logLevel":"x","io.modelcontextprotocol/other":1,"progressToken":1.0},"n":1e2}"#.to_owned(),
            format!(r#""params":{{"name":"t","_meta":{{"traceparent":"t","io.modelcontextprotocol/other":1,"progressToken":1.0,{ours}}},"n":1e2}}"#),
        ),
        (
            r#""params":{"a":1}"#.to_owned(),
            format!(r#""params":{{"a":1,"_meta":{{{ours}}}}}"#),
        ),
        (r#""params":[1]"#.to_owned(), r#""params":[1]"#.to_owned()),
    ];
    for (before, after) in table {
        let request = parse(&format!(r#"{{"id":1,"method":"m",{before}}}"#));
        let found = envelope(None).put_in(&request);
        assert_eq!(found.line(), &format!(r#"{{"id":1,"method":"m",{after}}}"#));
    }
    let bare = parse(r#"{"id":1,"method":"m"}"#);
    let found = envelope(Some("info")).put_in(&bare);
    let meta = envelope(Some("info")).meta();
    assert!(meta.ends_with(r#","io.modelcontextprotocol/logLevel":"info"}"#));
    assert_eq!(found.payload().unwrap(), format!(r#"{{"_meta":{meta}}}"#));
    assert_eq!(Envelope::of(&found).unwrap().log_level.unwrap(), "info");
}

#[test]
fn nothing_is_left_of_an_envelope() {
    let key = r#""io.modelcontextprotocol/protocolVersion":"x""#;
    for (params, wanted) in [
        (format!(r#"{{"_meta":{{{key}}}}}"#), "{}"),
        (
            format!(r#"{{"_meta":{{{key},"progressToken":1}},"a": 1}}"#),
            r#"{"_meta":{"progressToken":1},"a":1}"#,
        ),
    ] {
        let request = parse(&format!(r#"{{"id":1,"method":"m","params":{params}}}"#));
        assert_eq!(stripped(&request).payload(), Some(wanted));
    }
    let bare = parse(r#"{"id":1,"method":"m"}"#);
    assert_eq!(stripped(&bare).line(), bare.line());
}

#[test]
fn a_progress_token_is_replaced_where_there_is_one() {
    let request = with_meta(r#"{"a":1,"progressToken":"t"}"#);
    assert_eq!(progress_token(&request).as_deref(), Some("\"t\""));
    let other = with_progress_token(&request, "7");
    assert_eq!(
        other.payload(),
        Some(r#"{"_meta":{"a":1,"progressToken":7}}"#)
    );

    let notification =
        parse(r#"{"method":"notifications/progress","params":{"progressToken":7,"progress":1.0}}"#);
    assert_eq!(progress_token(&notification).as_deref(), Some("7"));
    let other = with_progress_token(&notification, "\"t\"");
    assert_eq!(
        other.payload(),
        Some(r#"{"progressToken":"t","progress":1.0}"#)
    );

    for text in [
        r#"{"id":1,"method":"m"}"#,
        r#"{"id":1,"method":"m","params":{"_meta": {}}}"#,
        r#"{"id":1,"method":"m","params":{"progressToken":1}}"#,
        r#"{"method":"m","params":{"_meta":{"progressToken":1}}}"#,
    ] {
        let message = parse(text);
        assert_eq!(with_progress_token(&message, "9").line(), text);
    }
}

/// Any JSON without floats, which a second reading may round.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map("[a-z/\"é]{1,6}", value(), 1..4).prop_map(|members| {
        members
            .into_iter()
            .filter(|(name, _)| name != "task")
            .collect()
    })
}

proptest! {
    #[test]
    fn what_is_put_in_comes_out_again(
        params in object(),
        meta in prop::option::of(object()),
        level in prop::option::of("[a-z]{4}"),
    ) {
        let mut params = params;
        if let Some(meta) = meta.filter(|meta| !meta.is_empty()) {
            params.insert("_meta".to_owned(), Value::Object(meta));
        }
        let line = json!({ "jsonrpc": "2.0", "id": 1, "method": "m", "params": params });
        let request = parse(&line.to_string());
        let back = stripped(&envelope(level.as_deref()).put_in(&request));
        prop_assert_eq!(serde_json::from_slice::<Value>(back.line()).unwrap(), line);
    }
}

#[test]
fn tasks_of_either_kind_are_not_offered_to_the_other_era() {
    let initialize = parse(
        r#"{"id":1,"method":"initialize","params":{"capabilities":{"tasks":{},"extensions":{"io.modelcontextprotocol/tasks":{},"other":{}}}}}"#,
    );
    let envelope = Envelope::of_initialize(&initialize);
    assert_eq!(envelope.capabilities, r#"{"extensions":{"other":{}}}"#);
}

#[test]
fn an_extension_is_declared_beside_those_of_the_client() {
    let declared = |capabilities: &str| {
        let envelope = Envelope {
            capabilities: capabilities.to_owned(),
            client_info: None,
            log_level: None,
        };
        envelope.declaring("io.x/y").capabilities
    };
    assert_eq!(declared("{}"), r#"{"extensions":{"io.x/y":{}}}"#);
    assert_eq!(
        declared(r#"{"roots":{},"extensions":{"a/b":{"c":1}}}"#),
        r#"{"roots":{},"extensions":{"a/b":{"c":1},"io.x/y":{}}}"#
    );
    let own = r#"{"extensions":{"io.x/y":{"its":"own"}}}"#;
    assert_eq!(declared(own), own);
}

#[test]
fn a_request_declares_an_extension_once_and_keeps_the_rest_of_its_bytes() {
    let request = |capabilities: &str| {
        format!(
            r#"{{"id": 1,"method":"x","params":{{"n":1.0,"_meta":{{"k":2.0,"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{capabilities}}}}}}}"#
        )
    };
    let declared = |text: &str| {
        let message = super::declaring(&parse(text), "io.x/y");
        String::from_utf8(message.line().to_vec()).unwrap()
    };
    assert_eq!(
        declared(&request(r#"{"roots":{}}"#)),
        request(r#"{"roots":{},"extensions":{"io.x/y":{}}}"#)
    );
    let whole = request(r#"{ "extensions": {"io.x/y": {}} }"#);
    assert_eq!(declared(&whole), whole);
    let older = r#"{"id":1,"method":"x","params":{"_meta":{"a": 1}}}"#;
    assert_eq!(declared(older), older);
}
