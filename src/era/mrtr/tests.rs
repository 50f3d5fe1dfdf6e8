use serde_json::Value;

use super::super::parts::parse;
use super::{
    Input, InputRequired, Retry, bound, for_legacy, input_required, may_ask, next_round, retry,
};

fn input(key: &str, method: &str, params: Option<&str>) -> Input {
    Input {
        key: key.to_owned(),
        method: method.to_owned(),
        params: params.map(str::to_owned),
    }
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(key, raw)| ((*key).to_owned(), (*raw).to_owned()))
        .collect()
}

#[test]
fn an_input_required_result_is_read_in_order() {
    let result = r#"{"resultType":"input_required","inputRequests":{"b":{"method":"elicitation/create","params":{"n": 1.0}},"a\"":{"method":"roots/list"}},"requestState":"\u0041"}"#;
    let found = InputRequired::read(result).unwrap();
    let wanted = [
        input("b", "elicitation/create", Some(r#"{"n": 1.0}"#)),
        input("a\"", "roots/list", None),
    ];
    assert_eq!(found.inputs, wanted);
    assert_eq!(found.state.as_deref(), Some(r#""\u0041""#));

    let found = InputRequired::read(r#"{"requestState":"s"}"#).unwrap();
    assert!(found.inputs.is_empty());
    let found = InputRequired::read(r#"{"inputRequests":{"a":{"method":"roots/list"}}}"#).unwrap();
    assert_eq!(found.state, None);
}

#[test]
fn a_result_that_asks_nothing_or_is_malformed_is_none() {
    for result in [
        "7",
        "{}",
        r#"{"inputRequests":{}}"#,
        r#"{"inputRequests":null,"requestState":null}"#,
        r#"{"inputRequests":[],"requestState":"s"}"#,
        r#"{"inputRequests":{"a":7}}"#,
        r#"{"inputRequests":{"a":{"params":{}}}}"#,
        r#"{"inputRequests":{"a":{"method":7}}}"#,
        r#"{"inputRequests":{"a":{"method":"x"},"a":{"method":"y"}}}"#,
        r#"{"requestState":7}"#,
    ] {
        assert_eq!(InputRequired::read(result), None, "{result}");
    }
}

#[test]
fn a_retry_has_the_answers_of_its_round_alone_and_the_state_byte_for_byte() {
    let first = parse(
        r#"{"id":1,"method":"tools/call","params":{"inputResponses":{"old":{}},"name":"t","requestState":"old","n":1.0}}"#,
    );
    let responses = pairs(&[("a\"", r#"{"action": "accept"}"#), ("b", "{}")]);
    let next = next_round(&first, &responses, Some(r#""\u0041""#));
    assert_eq!(
        next.line(),
        r#"{"id":1,"method":"tools/call","params":{"name":"t","n":1.0,"inputResponses":{"a\"":{"action": "accept"},"b":{}},"requestState":"\u0041"}}"#
    );
    assert_eq!(
        next_round(&first, &[], None).payload(),
        Some(r#"{"name":"t","n":1.0}"#)
    );
}

#[test]
fn questions_of_an_older_server_become_one_result_without_elicitation_ids() {
    let inputs = [
        input(
            "1",
            "elicitation/create",
            Some(r#"{"mode":"url","elicitationId":"e","url":"https://x"}"#),
        ),
        input(
            "2",
            "sampling/createMessage",
            Some(r#"{ "elicitationId":1 }"#),
        ),
        input("3", "roots/list", None),
    ];
    assert_eq!(
        input_required(&inputs, "s\""),
        r#"{"resultType":"input_required","inputRequests":{"1":{"method":"elicitation/create","params":{"mode":"url","url":"https://x"}},"2":{"method":"sampling/createMessage","params":{ "elicitationId":1 }},"3":{"method":"roots/list"}},"requestState":"s\""}"#
    );
}

#[test]
fn a_retry_is_a_request_with_a_state() {
    let request = |params| parse(&format!(r#"{{"id":1,"method":"m","params":{params}}}"#));
    let found = retry(&request(
        r#"{"requestState":"\u0041","inputResponses":{"b": {"x": 1.0},"a":null}}"#,
    ));
    let responses = pairs(&[("b", r#"{"x": 1.0}"#), ("a", "null")]);
    let state = "A".to_owned();
    assert_eq!(found, Some(Retry { state, responses }));
    let found = retry(&request(r#"{"requestState":"s","inputResponses":7}"#)).unwrap();
    assert!(found.responses.is_empty());
    for params in [
        "{}",
        "[]",
        r#"{"requestState":7}"#,
        r#"{"inputResponses":{}}"#,
    ] {
        assert_eq!(retry(&request(params)), None, "{params}");
    }
}

#[test]
fn a_retry_is_bound_to_method_and_params_of_its_first_round() {
    let bind = |method: &str, params: &str| {
        bound(&parse(&format!(
            r#"{{"id":1,"method":"{method}","params":{params}}}"#
        )))
    };
    let first = bind(
        "tools/call",
        r#"{"name":"t","arguments":{"a":1,"b":["A"]}}"#,
    );
    for same in [
        r#"{"arguments":{"b":["\u0041"], "a" : 1},"name":"\u0074"}"#,
        r#"{"name":"t","_meta":{"x":1},"requestState":"s","inputResponses":{},"arguments":{"a":1,"b":["A"]}}"#,
    ] {
        assert_eq!(bind("tools/call", same), first, "{same}");
    }
    for other in [
        r#"{"name":"u","arguments":{"a":1,"b":["A"]}}"#,
        r#"{"name":"t","arguments":{"a":2,"b":["A"]}}"#,
        r#"{"name":"t","arguments":{"a":1,"b":["A"],"c":null}}"#,
        r#"{"name":"t"}"#,
    ] {
        assert_ne!(bind("tools/call", other), first, "{other}");
    }
    assert_ne!(
        bind("prompts/get", r#"{"name":"t"}"#),
        bind("tools/call", r#"{"name":"t"}"#)
    );
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(500), "]".repeat(500));
    assert_ne!(bind("m", &deep), bind("m", "{}"));
}

#[test]
fn a_client_is_asked_only_what_it_declares() {
    let form = Some(r#"{"mode":"form"}"#);
    let url = Some(r#"{"mode":"url"}"#);
    let elicit = "elicitation/create";
    let table = [
        (r#"{"elicitation":{}}"#, elicit, None, true),
        (r#"{"elicitation":{ }}"#, elicit, form, true),
        (r#"{"elicitation":{}}"#, elicit, url, false),
        (r#"{"elicitation":{"form":{}}}"#, elicit, form, true),
        (r#"{"elicitation":{"url":{}}}"#, elicit, None, false),
        (r#"{"elicitation":{"url":{}}}"#, elicit, url, true),
        (r#"{"elicitation":{"url":null}}"#, elicit, url, false),
        (
            r#"{"elicitation":{}}"#,
            elicit,
            Some(r#"{"mode":7}"#),
            false,
        ),
        (r#"{"elicitation":null}"#, elicit, None, false),
        ("{}", elicit, None, false),
        (r#"{"sampling":{}}"#, "sampling/createMessage", None, true),
        (r#"{"roots":{}}"#, "sampling/createMessage", None, false),
        (r#"{"roots":{}}"#, "roots/list", None, true),
        ("7", "roots/list", None, false),
        (r#"{"other":{}}"#, "other", None, false),
    ];
    for (capabilities, method, params, wanted) in table {
        let found = may_ask(capabilities, method, params);
        assert_eq!(found, wanted, "{capabilities} {method} {params:?}");
    }
}

#[test]
fn only_an_elicitation_by_url_gets_an_id() {
    let elicit = "elicitation/create";
    let url = input("k", elicit, Some(r#"{"mode":"url","url":"https://x"}"#));
    let found: Value = serde_json::from_str(&for_legacy(&url, "e\"").unwrap()).unwrap();
    assert_eq!(found["elicitationId"], "e\"");
    assert_eq!(found["url"], "https://x");
    for (method, params) in [
        (elicit, Some(r#"{ "message":"m"}"#)),
        (elicit, None),
        ("sampling/createMessage", Some(r#"{ "mode":"url"}"#)),
    ] {
        let found = for_legacy(&input("k", method, params), "e");
        assert_eq!(found.as_deref(), params);
    }
}
