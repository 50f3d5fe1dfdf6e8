//! What the server wants to know in a result is asked of the client in requests; with the answers the request is made again.

use serde_json::{Value, json};

use super::{CAPABILITIES, answer, handed_over, next};
use crate::support::http::Request;
use crate::support::mcp::{LATEST, Modern};
use crate::support::modern::{id, reply, said};
use crate::support::rpc::{self, Rpc};
use crate::support::tether::Tether;

const ABLE: &str =
    r#"{"elicitation":{"form":{},"url":{}},"sampling":{},"roots":{"listChanged":true}}"#;

/// A raw result that asks for these raw inputs under that raw state.
fn asking(inputs: &str, state: &str) -> String {
    format!(
        r#"{{"resultType":"input_required","inputRequests":{{{inputs}}},"requestState":{state}}}"#
    )
}

const FORM: &str = r#""f":{"method":"elicitation/create","params":{"mode":"form","message":"m","requestedSchema":{"type":"object","properties":{}}}}"#;
const URL: &str = r#""u":{"method":"elicitation/create","params":{"mode":"url","message":"m","url":"https://example.com/a"}}"#;
const SAMPLING: &str =
    r#""s":{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}"#;
const ROOTS: &str = r#""r":{"method":"roots/list"}"#;

fn responses(request: &Request) -> Value {
    said(request).params()["inputResponses"].clone()
}

#[test]
fn all_that_the_server_asks_is_asked_at_once_and_given_back_with_the_state() {
    let (server, calls) = handed_over();
    let tether = Tether::to(&server);
    tether.initialize_as(LATEST, ABLE);
    tether.send(&rpc::call("1", "t", r#"{"n":1.0}"#));
    let (first, feed) = next(&calls);
    let state = r#""a\u0041\/\"é""#;
    let inputs = [FORM, URL, SAMPLING, ROOTS].join(",");
    answer(&first, &feed, &asking(&inputs, state));
    // In parallel: all are there before the first is answered.
    let elicitations = [
        tether.request("elicitation/create"),
        tether.request("elicitation/create"),
    ];
    let sampling = tether.request("sampling/createMessage");
    let roots = tether.request("roots/list");
    assert_eq!(sampling.params(), json!({"messages": [], "maxTokens": 1}));
    for elicitation in &elicitations {
        let params = elicitation.params();
        let by_url = params["mode"] == "url";
        assert_eq!(params["elicitationId"].is_string(), by_url, "{params}");
        let content = if by_url {
            ""
        } else {
            r#","content":{"n":1.0}"#
        };
        let id = elicitation.id.as_deref().expect("an id");
        tether.send(&rpc::result(
            id,
            &format!(r#"{{"action":"accept"{content}}}"#),
        ));
    }
    let of = |rpc: &Rpc| rpc.id.clone().expect("an id");
    let made = r#"{"role":"assistant","content":{"type":"text","text":"x"},"model":"m"}"#;
    tether.send(&rpc::result(&of(&roots), r#"{"roots":[]}"#));
    tether.send(&rpc::result(&of(&sampling), made));
    let (second, feed) = next(&calls);
    assert_ne!(id(&first), id(&second));
    let raw = said(&second).params.expect("params");
    assert!(raw.contains(&format!(r#""requestState":{state}"#)), "{raw}");
    assert!(raw.contains(r#""arguments":{"n":1.0}"#), "{raw}");
    assert!(raw.contains(&format!(r#""s":{made}"#)), "{raw}");
    assert!(
        raw.contains(r#""f":{"action":"accept","content":{"n":1.0}}"#),
        "{raw}"
    );
    let responses = responses(&second);
    assert_eq!(responses["u"], json!({"action": "accept"}));
    assert_eq!(responses["r"], json!({"roots": []}));
    // A later round has its own answers alone, and no state where none was given.
    let again = r#"{"resultType":"input_required","inputRequests":{"x":{"method":"roots/list"}}}"#;
    answer(&second, &feed, again);
    let roots = tether.request("roots/list");
    tether.send(&rpc::result(&of(&roots), r#"{"roots":[]}"#));
    let (third, feed) = next(&calls);
    let params = said(&third).params();
    assert_eq!(params["inputResponses"], json!({"x": {"roots": []}}));
    assert!(params.get("requestState").is_none());
    answer(&third, &feed, r#"{"resultType":"complete","content":[]}"#);
    assert_eq!(tether.answer("1").result(), json!({"content": []}));
    tether.ask("2", "ping", "{}");
}

#[test]
fn what_the_client_has_not_offered_is_not_asked() {
    let (server, calls) = handed_over();
    let tether = Tether::to(&server);
    tether.initialize_as(LATEST, r#"{"elicitation":{}}"#);
    tether.send(&rpc::call("1", "t", "{}"));
    let (first, feed) = next(&calls);
    answer(&first, &feed, &asking(URL, "\"s\""));
    let (second, feed) = next(&calls);
    assert_eq!(responses(&second), json!({"u": {"action": "cancel"}}));
    answer(&second, &feed, &asking(SAMPLING, "\"s\""));
    assert_eq!(tether.answer("1").result()["isError"], true);
    assert!(tether.requests().is_empty());
}

#[test]
fn a_refusal_cancels_an_elicitation_and_fails_anything_else() {
    let (server, calls) = handed_over();
    let tether = Tether::to(&server);
    tether.initialize_as(LATEST, ABLE);
    tether.send(&rpc::call("1", "t", "{}"));
    let (first, feed) = next(&calls);
    answer(&first, &feed, &asking(FORM, "\"s\""));
    let asked = tether.request("elicitation/create").id.expect("an id");
    tether.send(&rpc::error(&asked, -32603, "no form today"));
    let (second, feed) = next(&calls);
    assert_eq!(responses(&second), json!({"f": {"action": "cancel"}}));
    answer(&second, &feed, &asking(SAMPLING, "\"s\""));
    let asked = tether.request("sampling/createMessage").id.expect("an id");
    tether.send(&rpc::error(&asked, -1, "the user said no"));
    let failed = tether.answer("1").result();
    assert_eq!(failed["isError"], true);
    assert!(
        failed["content"][0]["text"]
            .as_str()
            .expect("text")
            .contains("the user said no")
    );

    tether.send(&rpc::request("2", "prompts/get", r#"{"name":"p"}"#));
    let (request, feed) = next(&calls);
    let both = [SAMPLING, ROOTS].join(",");
    answer(&request, &feed, &asking(&both, "\"s\""));
    let asked = tether.request("sampling/createMessage").id.expect("an id");
    let other = tether.request("roots/list").id.expect("an id");
    tether.send(&rpc::error(&asked, -1, "the user said no"));
    tether.send(&rpc::result(&other, r#"{"roots":[]}"#));
    assert_eq!(tether.answer("2").code(), -32603);
}

#[test]
fn a_round_that_asks_nothing_is_made_again() {
    let (server, calls) = handed_over();
    let tether = Tether::to(&server);
    tether.initialize();
    tether.send(&rpc::call("1", "t", "{}"));
    let (first, feed) = next(&calls);
    let wait = r#"{"resultType":"input_required","requestState":"later"}"#;
    answer(&first, &feed, wait);
    let (second, feed) = next(&calls);
    let params = said(&second).params();
    assert_eq!(params["requestState"], "later");
    assert!(params.get("inputResponses").is_none());
    answer(&second, &feed, r#"{"resultType":"complete","content":[]}"#);
    tether.answer("1");
}

#[test]
fn rounds_without_end_are_ended() {
    let server = Modern::new(CAPABILITIES, |request| {
        reply(request, &asking(FORM, "\"s\""))
    });
    let tether = Tether::to(&server);
    tether.initialize();
    assert_eq!(tether.call("1", "t", "{}").result()["isError"], true);
    let rounds = server.calls("tools/call").len();
    assert!((2..=20).contains(&rounds), "{rounds}");
    assert_eq!(
        tether.ask("2", "prompts/get", r#"{"name":"p"}"#).code(),
        -32603
    );
}

#[test]
fn a_cancel_takes_questions_back() {
    let (server, calls) = handed_over();
    let tether = Tether::to(&server);
    tether.initialize_as(LATEST, ABLE);
    tether.send(&rpc::call("1", "t", "{}"));
    let (first, feed) = next(&calls);
    answer(&first, &feed, &asking(FORM, "\"s\""));
    let asked = tether.request("elicitation/create").id.expect("an id");
    tether.notify("notifications/cancelled", r#"{"requestId":1}"#);
    let back = tether.notification("notifications/cancelled").params();
    assert_eq!(back["requestId"].to_string(), asked);
    // An answer that was on its way leads to nothing.
    tether.send(&rpc::result(&asked, r#"{"action":"decline"}"#));
    tether.ask("2", "ping", "{}");
    assert_eq!(server.calls("tools/call").len(), 1);
}

#[test]
fn progress_that_begins_anew_is_not_told() {
    let (server, calls) = handed_over();
    let tether = Tether::to(&server);
    tether.initialize_as(LATEST, ABLE);
    let params = r#"{"name":"t","_meta":{"progressToken":5}}"#;
    tether.send(&rpc::request("1", "tools/call", params));
    let progress = |done: u32| {
        let params = format!(r#"{{"progressToken":5,"progress":{done}}}"#);
        rpc::notification("notifications/progress", &params)
    };
    let (first, feed) = next(&calls);
    feed.event(&progress(1));
    feed.event(&progress(2));
    answer(&first, &feed, &asking(FORM, "\"s\""));
    let asked = tether.request("elicitation/create").id.expect("an id");
    tether.send(&rpc::result(&asked, r#"{"action":"decline"}"#));
    let (second, feed) = next(&calls);
    for done in [1, 2, 3] {
        feed.event(&progress(done));
    }
    answer(&second, &feed, r#"{"resultType":"complete","content":[]}"#);
    tether.answer("1");
    let told: Vec<Value> = tether
        .notifications()
        .iter()
        .map(|rpc| rpc.params()["progress"].clone())
        .collect();
    assert_eq!(told, [1, 2, 3]);
}

#[test]
fn the_end_of_input_during_a_round_ends_with_an_answer() {
    let (server, calls) = handed_over();
    let mut tether = Tether::to(&server);
    tether.initialize_as(LATEST, ABLE);
    tether.send(&rpc::call("1", "t", "{}"));
    tether.send(&rpc::call("2", "t", "{}"));
    for inputs in [FORM, SAMPLING] {
        let (request, feed) = next(&calls);
        answer(&request, &feed, &asking(inputs, "\"s\""));
    }
    tether.request("elicitation/create");
    tether.request("sampling/createMessage");
    tether.close_stdin();
    let (second, feed) = next(&calls);
    assert_eq!(responses(&second), json!({"f": {"action": "cancel"}}));
    answer(&second, &feed, r#"{"resultType":"complete","content":[]}"#);
    let answers = ["1", "2"].map(|id| tether.answer(id).result());
    let failed = answers.iter().filter(|result| result["isError"] == true);
    assert_eq!(failed.count(), 1);
    assert_eq!(tether.wait(), 0);
}
