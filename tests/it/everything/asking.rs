//! The server asks: it sends requests to the client, mostly in the middle of a call.

use super::{Notes, text};
use crate::support::rpc::{self, Rpc};
use crate::support::tether::Tether;

/// Answers the server's next request of that method; gives its parameters.
fn reply(client: &Tether, method: &str, result: &str) -> String {
    let request = client.request(method);
    let id = request.id.expect("a request has an id");
    client.send(&rpc::result(&id, result));
    request.params.unwrap_or_default()
}

/// The server asks back in mid-call: once, with a refusal, and twice at a time.
pub fn sampling(client: &Tether) -> Notes {
    let method = "sampling/createMessage";
    let ask = |id: &str| {
        let arguments = format!(r#"{{"prompt":{id},"maxTokens":7}}"#);
        client.send(&rpc::call(id, "trigger-sampling-request", &arguments));
    };
    let said = |word: &str| {
        format!(
            r#"{{"model":"m","role":"assistant","content":{{"type":"text","text":"{word}"}},"stopReason":"endTurn"}}"#
        )
    };
    ask("\"one\"");
    let mut notes = vec![reply(client, method, &said("first"))];
    let answer = client.answer("\"one\"");
    assert!(text(&answer).contains("first"), "{}", answer.text);
    notes.push(answer.text);

    ask("\"two\"");
    let id = client.request(method).id.expect("a request has an id");
    client.send(&rpc::error(&id, -1, "the user said no"));
    let answer = client.answer("\"two\"");
    assert_eq!(answer.result()["isError"], true);
    notes.push(answer.text);

    ask("\"three\"");
    let third = client.request(method);
    ask("\"four\"");
    notes.push(reply(client, method, &said("fourth")));
    notes.push(client.answer("\"four\"").text);
    client.send(&rpc::result(
        &third.id.expect("a request has an id"),
        &said("third"),
    ));
    notes.push(client.answer("\"three\"").text);
    notes
}

pub fn elicitation(client: &Tether) -> Notes {
    let method = "elicitation/create";
    let table = [
        (
            r#"{"action":"accept","content":{"name":"Zoë","check":true,"integer":7}}"#,
            "User provided",
        ),
        (r#"{"action":"decline"}"#, "User declined"),
        (r#"{"action":"cancel"}"#, "User cancelled"),
    ];
    let mut notes = Notes::new();
    for (action, wanted) in table {
        client.send(&rpc::call("1", "trigger-elicitation-request", "{}"));
        notes.push(reply(client, method, action));
        let answer = client.answer("1");
        assert!(text(&answer).contains(wanted), "{}", answer.text);
        notes.push(answer.text);
    }
    notes
}

/// A URL to open, asked for first by the error and then by a request.
pub fn url_elicitation(client: &Tether) -> Notes {
    let arguments = r#"{"url":"https://example.com/?a=b","elicitationId":"e-1","errorPath":true}"#;
    let error = client
        .call("1", "trigger-url-elicitation", arguments)
        .error();
    assert_eq!(error["code"], -32042);
    assert_eq!(error["data"]["elicitations"][0]["mode"], "url");
    client.send(&rpc::call("2", "trigger-url-elicitation", arguments));
    let params = reply(client, "elicitation/create", r#"{"action":"accept"}"#);
    vec![params, client.answer("2").text]
}

/// The server asks for the roots by a timer, by a call and when they change.
pub fn roots(client: &Tether) -> Notes {
    let answer_roots = |request: &Rpc, roots: &str| {
        assert_eq!(request.method.as_deref(), Some("roots/list"));
        let id = request.id.as_deref().expect("a request has an id");
        client.send(&rpc::result(id, &format!(r#"{{"roots":[{roots}]}}"#)));
    };
    let one = r#"{"uri":"file:///one","name":"One"}"#;
    let both = r#"{"uri":"file:///one","name":"One"},{"uri":"file:///zwei","name":"Zwei ü"}"#;
    client.send(&rpc::call("1", "get-roots-list", "{}"));
    let answer = loop {
        let message = client.recv();
        if message.is_answer() {
            break message;
        }
        if message.is_request() {
            answer_roots(&message, one);
        }
    };
    let mut notes = vec![answer.text];
    client.send(r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#);
    loop {
        let message = client.recv();
        if message.is_request() {
            answer_roots(&message, both);
        } else if message.text.contains("Roots updated: 2") {
            notes.push(message.text);
            break;
        }
    }
    let answer = client.call("2", "get-roots-list", "{}");
    assert!(text(&answer).contains("Zwei ü"), "{}", answer.text);
    notes.push(answer.text);
    notes
}

/// A call that is a task; its question to the user comes while its result is waited for.
pub fn tasks(client: &Tether) -> Notes {
    let params = r#"{"name":"simulate-research-query","arguments":{"topic":"python","ambiguous":true},"task":{"ttl":60000}}"#;
    let task = client.ask("1", "tools/call", params).result();
    let id = &task["task"]["taskId"];
    let params = format!(r#"{{"taskId":{id}}}"#);
    let state = client.ask("2", "tasks/get", &params).result();
    assert_eq!(state["status"], "working");
    client.send(&rpc::request("3", "tasks/result", &params));
    let question = reply(
        client,
        "elicitation/create",
        r#"{"action":"accept","content":{"interpretation":"snake"}}"#,
    );
    assert!(question.contains("python"), "{question}");
    let answer = client.answer("3");
    assert!(text(&answer).contains("python (snake)"), "{}", answer.text);
    let state = client.ask("4", "tasks/get", &params).result();
    assert_eq!(state["status"], "completed");
    vec![text(&answer)]
}
