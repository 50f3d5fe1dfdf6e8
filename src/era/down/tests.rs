use super::super::envelope::Envelope;
use super::super::parts::parse;
use super::{
    LEVELS, Refusal, discover_result, error, initialize, log_passes, more_verbose, refused,
    request, result, server_info,
};
use crate::jsonrpc::Id;

#[test]
fn a_session_is_opened_for_the_client_of_the_first_request() {
    let mut envelope = Envelope {
        capabilities: r#"{"roots": {}}"#.to_owned(),
        client_info: Some(r#"{"name": "n"}"#.to_owned()),
        log_level: Some("info".to_owned()),
    };
    assert_eq!(
        initialize(&Id::text("i"), &envelope).line(),
        r#"{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"roots": {}},"clientInfo":{"name": "n"}}}"#
    );
    envelope.client_info = None;
    let found = initialize(&Id::text("i"), &envelope);
    assert!(found.payload().unwrap().contains(r#""name":"mcp-tether""#));
}

#[test]
fn methods_that_the_revision_removed_are_not_found() {
    for method in [
        "ping",
        "initialize",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "tasks/get",
        "tasks/update",
    ] {
        let found = refused(&parse(&format!(r#"{{"id":"x","method":"{method}"}}"#)));
        assert_eq!(
            found.unwrap().line(),
            &format!(
                r#"{{"jsonrpc":"2.0","id":"x","error":{{"code":-32601,"message":"Method not found: {method}"}}}}"#
            )
        );
    }
    for method in ["server/discover", "subscriptions/listen", "tools/call", "x"] {
        let request = parse(&format!(r#"{{"id":"x","method":"{method}"}}"#));
        assert!(refused(&request).is_none(), "{method}");
    }
}

#[test]
fn a_request_goes_out_without_envelope_and_rounds_under_another_id() {
    let version = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#;
    for (params, wanted) in [
        (
            format!(
                r#""params":{{"name":"t","_meta":{{{version},"progressToken":"p","traceparent":"t"}},"inputResponses":{{}},"requestState":"s","n":1.0}}"#
            ),
            r#""params":{"name":"t","_meta":{"progressToken":"i:1","traceparent":"t"},"n":1.0}"#,
        ),
        (
            format!(r#""params":{{"_meta":{{{version}}}}}"#),
            r#""params":{}"#,
        ),
    ] {
        let before = parse(&format!(r#"{{"id":7,"method":"m",{params}}}"#));
        let after = request(&before, &Id::text("i:1"));
        assert_eq!(
            after.line(),
            &format!(r#"{{"id":"i:1","method":"m",{wanted}}}"#)
        );
    }
}

#[test]
fn discovery_tells_what_initialize_told() {
    let info = r#"{"name":"s", "version":"1"}"#;
    let known = format!(
        r#"{{"protocolVersion":"2025-06-18","capabilities":{{"tools":{{ }},"tasks":{{}}}},"serverInfo":{info},"instructions":"i"}}"#
    );
    assert_eq!(server_info(&known).as_deref(), Some(info));
    assert_eq!(
        discover_result(&known),
        r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{ }},"instructions":"i","ttlMs":0,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s", "version":"1"}}}"#
    );
    assert_eq!(
        discover_result("{}"),
        r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{},"ttlMs":0,"cacheScope":"private"}"#
    );
}

#[test]
fn results_get_what_they_lack_and_keep_what_they_have() {
    let info = r#"{"name":"s"}"#;
    let meta = r#""_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s"}}"#;
    let kept = r#""ttlMs":0,"cacheScope":"private""#;
    let table = [
        (
            "tools/call",
            r#"{"n":1.0}"#,
            format!(r#"{{"n":1.0,"resultType":"complete","content":[],{meta}}}"#),
        ),
        (
            "tools/call",
            r#"{"content":[ 1 ],"_meta":{"a":1}}"#,
            r#"{"content":[ 1 ],"_meta":{"a":1,"io.modelcontextprotocol/serverInfo":{"name":"s"}},"resultType":"complete"}"#.to_owned(),
        ),
        (
            "prompts/get",
            r#"{"_meta":{"io.modelcontextprotocol/serverInfo":{}}}"#,
            r#"{"_meta":{"io.modelcontextprotocol/serverInfo":{}},"resultType":"complete"}"#.to_owned(),
        ),
        (
            "resources/read",
            r#"{"ttlMs":5}"#,
            format!(r#"{{"ttlMs":5,"resultType":"complete","cacheScope":"private",{meta}}}"#),
        ),
        (
            "tools/list",
            r#"{"tools":[{"name":"a","execution":{"taskSupport":"required"},"n":1.0}, { "name":"b" }]}"#,
            format!(r#"{{"tools":[{{"name":"a","n":1.0}},{{ "name":"b" }}],"resultType":"complete",{kept},{meta}}}"#),
        ),
        (
            "tools/call",
            r#"{"resultType":"input_required"}"#,
            format!(r#"{{"resultType":"input_required",{meta}}}"#),
        ),
        ("tools/call", "7", "7".to_owned()),
    ];
    for (method, before, after) in table {
        assert_eq!(result(method, before, Some(info)), after, "{method}");
    }
    for method in super::CACHEABLE {
        let found = result(method, "{}", None);
        assert_eq!(found, format!(r#"{{"resultType":"complete",{kept}}}"#));
    }
    assert_eq!(result("x", "{}", None), r#"{"resultType":"complete"}"#);
}

#[test]
fn codes_that_mean_something_else_become_others() {
    let same = |code: &str| {
        (
            code.to_owned(),
            format!(r#"{{"code":{code},"message":"m","data":{{ "uri":"u" }}}}"#),
        )
    };
    let wrapped = |code: &str| {
        let data = format!(r#"{{"code":{code},"data":{{ "uri":"u" }}}}"#);
        (
            code.to_owned(),
            format!(r#"{{"code":-32603,"message":"m","data":{data}}}"#),
        )
    };
    let table = [
        (
            "-32002".to_owned(),
            r#"{"code":-32602,"message":"m","data":{ "uri":"u" }}"#.to_owned(),
        ),
        same("-32000"),
        same("-32001"),
        same("-32019"),
        same("-32100"),
        same("-32601"),
        same("7"),
        wrapped("-32020"),
        wrapped("-32022"),
        wrapped("-32042"),
        wrapped("-32099"),
    ];
    for (code, wanted) in table {
        let text =
            format!(r#"{{"id":1,"error":{{"code":{code},"message":"m","data":{{ "uri":"u" }}}}}}"#);
        let Refusal::Error(found) = error(parse(&text)) else {
            panic!("{code}");
        };
        assert_eq!(found.payload(), Some(wanted.as_str()));
    }
    let Refusal::Error(bare) = error(parse(r#"{"id":1,"error":{"code":-32050,"message":"m"}}"#))
    else {
        panic!("no error");
    };
    assert_eq!(
        bare.payload(),
        Some(r#"{"code":-32603,"message":"m","data":{"code":-32050}}"#)
    );
}

#[test]
fn url_elicitations_become_inputs_if_all_are_readable() {
    let required = |list: &str| {
        error(parse(&format!(
            r#"{{"id":1,"error":{{"code":-32042,"message":"m","data":{{"elicitations":{list}}}}}}}"#
        )))
    };
    let one = r#"{"mode":"url","elicitationId":"e","url":"https://x","message":"m", "n": 1.0}"#;
    let Refusal::UrlElicitations(inputs) = required(&format!("[{one},{one}]")) else {
        panic!("no inputs");
    };
    let keys: Vec<&str> = inputs.iter().map(|input| input.key.as_str()).collect();
    assert_eq!(keys, ["url-1", "url-2"]);
    for input in inputs {
        assert_eq!(input.method, "elicitation/create");
        assert_eq!(
            input.params.as_deref(),
            Some(r#"{"mode":"url","url":"https://x","message":"m","n":1.0}"#)
        );
    }
    for list in [
        "[]",
        "7",
        "[7]",
        r#"[{"mode":"form","url":"u","message":"m"}]"#,
        r#"[{"mode":"url","message":"m"}]"#,
        r#"[{"mode":"url","url":"u"}]"#,
        r#"[{"url":"u","message":"m"}]"#,
    ] {
        assert!(matches!(required(list), Refusal::Error(_)), "{list}");
    }
}

#[test]
fn log_messages_pass_from_the_level_on() {
    let log = |level: &str| {
        parse(&format!(
            r#"{{"method":"notifications/message","params":{{"level":{level},"data":1}}}}"#
        ))
    };
    for (wanted, first) in LEVELS.iter().enumerate() {
        for (said, level) in LEVELS.iter().enumerate() {
            let passes = log_passes(first, &log(&format!("\"{level}\"")));
            assert_eq!(passes, said >= wanted, "{first} {level}");
            let more = LEVELS[said.min(wanted)];
            assert_eq!(more_verbose(first, level), more);
        }
    }
    for (level, said) in [("info", "7"), ("info", "\"loud\""), ("loud", "\"info\"")] {
        assert!(!log_passes(level, &log(said)), "{level} {said}");
    }
    assert_eq!(more_verbose("loud", "alert"), "alert");
    assert_eq!(more_verbose("alert", "loud"), "alert");
}
