//! What the server asks in the middle of a call ends the client's request with `input_required`; when the client makes it
//! again the server gets the answers, and the call goes on.

use serde_json::Value;

use super::{answers, call, hand_over, next, only_input};
use crate::support::mcp::{Legacy, LegacyPlan};
use crate::support::modern::{enveloped, going_on, params};
use crate::support::rpc::{self, Rpc};
use crate::support::tether::Tether;

const ABLE: &str = r#"{"elicitation":{},"sampling":{},"roots":{}}"#;
const MORE: &str = r#","name":"t","arguments":{}"#;
const FORM: &str = r#"{"message":"Which?","requestedSchema":{"type":"object","properties":{"n":{"type":"number"}}}}"#;

fn elicitation(id: &str) -> String {
    rpc::request(id, "elicitation/create", FORM)
}

/// Lets the bridge find out what the server speaks, so that the rest of a test is about one thing.
fn discovered(server: &Legacy) -> Tether {
    let tether = Tether::to(server);
    tether.ask("0", "server/discover", &params(""));
    tether
}

/// Begins a call whose server asks for a form; gives what the client is asked.
fn asked(tether: &Tether, id: &str) -> Value {
    let answer = tether.answer(id);
    assert_eq!(
        answer.result()["resultType"],
        "input_required",
        "{}",
        answer.text
    );
    answer.result()
}

fn go_on(tether: &Tether, id: &str, asked: &Value, responses: &str) -> Rpc {
    tether.ask(id, "tools/call", &going_on(ABLE, MORE, asked, responses))
}

fn accepting(asked: &Value) -> String {
    let (key, _) = only_input(asked);
    format!(r#"{{"{key}":{{"action":"accept","content":{{"n":1.0}}}}}}"#)
}

#[test]
fn a_question_in_a_calls_stream_is_a_round_and_its_answer_reaches_the_server() {
    for (method, params, result) in [
        (
            "elicitation/create",
            FORM,
            r#"{"action":"accept","content":{"n":1.0}}"#,
        ),
        (
            "sampling/createMessage",
            r#"{"messages":[],"maxTokens":1}"#,
            r#"{"role":"assistant","content":{"type":"text","text":"x"},"model":"m"}"#,
        ),
        ("roots/list", "{}", r#"{"roots":[{"uri":"file:///r"}]}"#),
    ] {
        let server = Legacy::new();
        let calls = hand_over(&server, "tools/call");
        let tether = discovered(&server);
        tether.send(&call("1", ABLE));
        let (begun, feed) = next(&calls);
        feed.event(&rpc::request("\"q\"", method, params));
        let asked = asked(&tether, "1");
        let (key, input) = only_input(&asked);
        assert_eq!(input["method"], method);
        let wanted: Value = serde_json::from_str(params).expect("JSON");
        assert_eq!(input["params"], wanted);
        let responses = format!(r#"{{"{key}":{result}}}"#);
        tether.send(&rpc::request(
            "2",
            "tools/call",
            &going_on(ABLE, MORE, &asked, &responses),
        ));
        assert_eq!(answers(&server, 1)[0].text, rpc::result("\"q\"", result));
        feed.event(&begun.says("done"));
        let answer = tether.answer("2").result();
        assert_eq!(answer["content"][0]["text"], "done");
        assert_eq!(answer["resultType"], "complete");
        assert_eq!(server.calls("tools/call").len(), 1, "the call is one");
    }
}

#[test]
fn two_questions_at_once_are_in_one_map_and_more_rounds_follow() {
    let server = Legacy::new();
    let calls = hand_over(&server, "tools/call");
    let tether = discovered(&server);
    tether.send(&call("1", ABLE));
    let (begun, feed) = next(&calls);
    let both = [elicitation("1"), rpc::request("2", "roots/list", "{}")];
    feed.send(both.map(|text| format!("data: {text}\n\n")).concat());
    let first = asked(&tether, "1");
    let inputs = first["inputRequests"].as_object().expect("a map");
    assert_eq!(inputs.len(), 2, "{first}");
    let responses: Vec<String> = inputs
        .iter()
        .map(|(key, input)| match input["method"].as_str() {
            Some("roots/list") => format!(r#""{key}":{{"roots":[]}}"#),
            _ => format!(r#""{key}":{{"action":"decline"}}"#),
        })
        .collect();
    let half = format!("{{{}}}", responses[0]);
    assert_eq!(go_on(&tether, "2", &first, &half).code(), -32602);
    let all = format!("{{{}}}", responses.join(","));
    tether.send(&rpc::request(
        "3",
        "tools/call",
        &going_on(ABLE, MORE, &first, &all),
    ));
    let mut texts: Vec<String> = answers(&server, 2)
        .into_iter()
        .map(|rpc| rpc.text)
        .collect();
    texts.sort();
    assert_eq!(
        texts,
        [
            rpc::result("1", r#"{"action":"decline"}"#),
            rpc::result("2", r#"{"roots":[]}"#)
        ]
    );
    feed.event(&elicitation("3"));
    let second = asked(&tether, "3");
    assert_ne!(first["requestState"], second["requestState"]);
    tether.send(&rpc::request(
        "4",
        "tools/call",
        &going_on(ABLE, MORE, &second, &accepting(&second)),
    ));
    answers(&server, 3);
    feed.event(&begun.says("done"));
    assert_eq!(tether.answer("4").result()["content"][0]["text"], "done");
}

#[test]
fn a_state_is_good_for_its_own_request_once() {
    let server = Legacy::new();
    let calls = hand_over(&server, "tools/call");
    let tether = discovered(&server);
    tether.send(&call("1", ABLE));
    let (begun, feed) = next(&calls);
    feed.event(&elicitation("9"));
    let asked = asked(&tether, "1");
    let responses = accepting(&asked);
    let unknown = serde_json::json!({ "requestState": "guessed" });
    assert_eq!(go_on(&tether, "2", &unknown, &responses).code(), -32602);
    let other = going_on(
        ABLE,
        r#","name":"t","arguments":{"x":1}"#,
        &asked,
        &responses,
    );
    assert_eq!(tether.ask("3", "tools/call", &other).code(), -32602);
    let method = going_on(ABLE, MORE, &asked, &responses);
    assert_eq!(tether.ask("4", "prompts/get", &method).code(), -32602);
    tether.send(&rpc::request(
        "5",
        "tools/call",
        // The order of keys does not count.
        &going_on(ABLE, r#","arguments":{},"name":"t""#, &asked, &responses),
    ));
    answers(&server, 1);
    assert_eq!(go_on(&tether, "6", &asked, &responses).code(), -32602);
    feed.event(&begun.says("done"));
    assert_eq!(tether.answer("5").result()["content"][0]["text"], "done");
    assert_eq!(go_on(&tether, "7", &asked, &responses).code(), -32602);
    assert_eq!(server.calls("tools/call").len(), 1);
    assert!(server.calls("prompts/get").is_empty());
}

#[test]
fn a_question_on_the_listening_stream_is_of_the_only_call_in_flight() {
    let server = LegacyPlan::default().listens().serve();
    let calls = hand_over(&server, "tools/call");
    let tether = discovered(&server);
    let listening = server.listening(1);
    // No call in flight.
    listening.event(&elicitation("\"none\""));
    let refused = answers(&server, 1)[0].clone();
    assert_eq!(refused.id.as_deref(), Some("\"none\""));
    assert_eq!(refused.code(), -32602);
    // One.
    tether.send(&call("1", ABLE));
    let (begun, feed) = next(&calls);
    listening.event(&elicitation("\"one\""));
    let asked = asked(&tether, "1");
    tether.send(&rpc::request(
        "2",
        "tools/call",
        &going_on(ABLE, MORE, &asked, &accepting(&asked)),
    ));
    assert_eq!(answers(&server, 2)[1].id.as_deref(), Some("\"one\""));
    // Two.
    tether.send(&call("3", ABLE));
    let (other, more) = next(&calls);
    listening.event(&elicitation("\"two\""));
    let refused = answers(&server, 3)[2].clone();
    assert_eq!(refused.id.as_deref(), Some("\"two\""));
    assert_eq!(refused.code(), -32602);
    feed.event(&begun.says("first"));
    more.event(&other.says("second"));
    assert_eq!(tether.answer("2").result()["content"][0]["text"], "first");
    assert_eq!(tether.answer("3").result()["content"][0]["text"], "second");
}

#[test]
fn what_the_client_has_not_offered_is_refused_and_the_call_goes_on() {
    let server = Legacy::new();
    let calls = hand_over(&server, "tools/call");
    let tether = discovered(&server);
    let url = r#"{"mode":"url","url":"https://example.com","elicitationId":"e","message":"m"}"#;
    tether.send(&call("1", r#"{"elicitation":{}}"#));
    let (begun, feed) = next(&calls);
    for (id, method, params) in [
        ("1", "sampling/createMessage", "{}"),
        ("2", "roots/list", "{}"),
        ("3", "elicitation/create", url),
        ("4", "what/else", "{}"),
    ] {
        feed.event(&rpc::request(id, method, params));
        let met = answers(&server, id.parse().expect("a number"));
        let refused = met.last().expect("an answer");
        assert_eq!(refused.id.as_deref(), Some(id));
        assert_eq!(refused.code(), -32602, "{method}");
    }
    feed.event(&rpc::request("5", "ping", "{}"));
    assert_eq!(answers(&server, 5)[4].text, rpc::result("5", "{}"));
    feed.event(&begun.says("done"));
    assert_eq!(tether.answer("1").result()["content"][0]["text"], "done");
}

#[test]
fn a_list_cannot_ask() {
    let server = Legacy::new();
    let lists = hand_over(&server, "tools/list");
    let tether = discovered(&server);
    tether.send(&rpc::request("1", "tools/list", &enveloped(ABLE, "", "")));
    let (begun, feed) = next(&lists);
    feed.event(&elicitation("1"));
    assert_eq!(answers(&server, 1)[0].code(), -32602);
    feed.event(&begun.result(r#"{"tools":[]}"#));
    assert!(tether.answer("1").result()["tools"].is_array());
}

#[test]
fn progress_has_the_token_of_the_round() {
    let server = Legacy::new();
    let calls = hand_over(&server, "tools/call");
    let tether = discovered(&server);
    let with = |token: &str| format!(r#","progressToken":{token}"#);
    let params = enveloped(ABLE, &with("\"a\""), MORE);
    tether.send(&rpc::request("1", "tools/call", &params));
    let (begun, feed) = next(&calls);
    feed.event(&begun.progress(1, 3).expect("a token"));
    let progress = tether.notification("notifications/progress").params();
    assert_eq!(progress["progressToken"], "a");
    feed.event(&elicitation("1"));
    let asked = asked(&tether, "1");
    let params = going_on(ABLE, MORE, &asked, &accepting(&asked));
    let params = params.replacen(r#""_meta":{"#, r#""_meta":{"progressToken":"b","#, 1);
    tether.send(&rpc::request("2", "tools/call", &params));
    answers(&server, 1);
    feed.event(&begun.progress(2, 3).expect("a token"));
    let progress = tether.notification("notifications/progress").params();
    assert_eq!(progress["progressToken"], "b");
    assert_eq!(progress["progress"], 2);
    feed.event(&begun.says("done"));
    tether.answer("2");
}

#[test]
fn the_end_of_input_tells_a_server_that_waits() {
    let server = Legacy::new();
    let calls = hand_over(&server, "tools/call");
    let mut tether = discovered(&server);
    tether.send(&call("1", ABLE));
    let (begun, feed) = next(&calls);
    let both = [elicitation("1"), rpc::request("2", "roots/list", "{}")];
    feed.send(both.map(|text| format!("data: {text}\n\n")).concat());
    asked(&tether, "1");
    tether.close_stdin();
    let met = answers(&server, 2);
    let of = |id: &str| met.iter().find(|rpc| rpc.id.as_deref() == Some(id));
    let cancelled = of("1").expect("an answer");
    assert_eq!(cancelled.text, rpc::result("1", r#"{"action":"cancel"}"#));
    assert!(of("2").expect("an answer").error.is_some());
    let told = server.wait_calls("notifications/cancelled", 1);
    assert_eq!(
        told[0].json()["params"]["requestId"].to_string(),
        begun.id()
    );
    assert_eq!(tether.wait(), 0);
}
