//! The client asks: plain questions, many at once, and what makes the server speak up later.

use super::{Notes, log_message, names, text};
use crate::support::rpc;
use crate::support::tether::Tether;

fn tool(name: &str, arguments: &str) -> String {
    format!(r#"{{"name":"{name}","arguments":{arguments}}}"#)
}

/// Everything that is one question and one answer, faults included.
pub fn plain_requests(client: &Tether) -> Notes {
    let long = format!(r#"{{"message":"{}"}}"#, "0123456789abcdef".repeat(1 << 16));
    let lines = [
        ("tools/list", "{}".to_owned()),
        // Not first: the bridge itself answers a ping that comes during the handshake.
        ("ping", "{}".to_owned()),
        ("tools/call", tool("echo", r#"{"message":"h\u00e9llo \ud83c\udf0d \"\\\n\u2028 \u0001"}"#)),
        ("tools/call", tool("echo", r#"{ "message" : "héllo 🌍" }"#)),
        ("tools/call", tool("echo", &long)),
        ("tools/call", tool("echo", "{}")),
        ("tools/call", tool("get-sum", r#"{"a":1.5,"b":9007199254740993}"#)),
        ("tools/call", tool("get-tiny-image", "{}")),
        ("tools/call", tool("get-structured-content", r#"{"location":"Chicago"}"#)),
        ("tools/call", tool("get-annotated-message", r#"{"messageType":"error","includeImage":true}"#)),
        ("tools/call", tool("get-resource-links", r#"{"count":4}"#)),
        ("tools/call", tool("get-resource-reference", r#"{"resourceType":"Blob","resourceId":7}"#)),
        ("tools/call", tool("gzip-file-as-resource", r#"{"name":"a.gz","data":"data:text/plain,hello"}"#)),
        ("tools/call", tool("no-such-tool", "{}")),
        ("resources/list", "{}".to_owned()),
        ("resources/templates/list", "{}".to_owned()),
        ("resources/read", r#"{"uri":"demo://resource/session/a.gz"}"#.to_owned()),
        ("resources/read", r#"{"uri":"demo://resource/static/document/architecture.md"}"#.to_owned()),
        ("resources/read", r#"{"uri":"demo://resource/dynamic/text/3"}"#.to_owned()),
        ("resources/read", r#"{"uri":"demo://resource/dynamic/blob/4"}"#.to_owned()),
        ("resources/read", r#"{"uri":"demo://nothing"}"#.to_owned()),
        ("prompts/list", "{}".to_owned()),
        ("prompts/get", r#"{"name":"simple-prompt"}"#.to_owned()),
        ("prompts/get", r#"{"name":"args-prompt","arguments":{"city":"Zürich","state":"ZH"}}"#.to_owned()),
        ("prompts/get", r#"{"name":"resource-prompt","arguments":{"resourceType":"Text","resourceId":"2"}}"#.to_owned()),
        ("prompts/get", r#"{"name":"args-prompt"}"#.to_owned()),
        ("completion/complete", r#"{"ref":{"type":"ref/prompt","name":"completable-prompt"},"argument":{"name":"department","value":"S"}}"#.to_owned()),
        ("completion/complete", r#"{"ref":{"type":"ref/prompt","name":"completable-prompt"},"argument":{"name":"name","value":""},"context":{"arguments":{"department":"Sales"}}}"#.to_owned()),
        ("completion/complete", r#"{"ref":{"type":"ref/resource","uri":"demo://resource/dynamic/text/{resourceId}"},"argument":{"name":"resourceId","value":"12"}}"#.to_owned()),
        ("logging/setLevel", r#"{"level":"warning"}"#.to_owned()),
        ("logging/setLevel", r#"{"level":"loud"}"#.to_owned()),
        ("no/such/method", "{}".to_owned()),
    ];
    let mut notes = Notes::new();
    for (at, (method, params)) in lines.iter().enumerate() {
        let id = if at % 2 == 0 {
            at.to_string()
        } else {
            format!("\"{at}\"")
        };
        let answer = client.ask(&id, method, params);
        match *method {
            "tools/list" => {
                assert!(names(&answer.result()["tools"]).contains(&"trigger-url-elicitation"));
            }
            "prompts/list" => assert!(names(&answer.result()["prompts"]).contains(&"args-prompt")),
            "resources/templates/list" => {
                assert_eq!(names(&answer.result()["resourceTemplates"]).len(), 2);
            }
            "no/such/method" => assert_eq!(answer.code(), -32601),
            _ => {}
        }
        notes.push(answer.text);
    }
    notes
}

pub fn many_calls_at_once(client: &Tether) -> Notes {
    let ids: Vec<String> = (1..=100).map(|n| format!("\"call {n}\"")).collect();
    for id in &ids {
        client.send(&rpc::call(id, "echo", &format!(r#"{{"message":{id}}}"#)));
    }
    ids.iter().map(|id| client.answer(id).text).collect()
}

pub fn progress(client: &Tether) -> Notes {
    let params = r#"{"name":"trigger-long-running-operation","arguments":{"duration":2,"steps":4},"_meta":{"progressToken":"a token"}}"#;
    client.send(&rpc::request("1", "tools/call", params));
    let mut notes = vec![client.notification("notifications/progress").text];
    notes.push(client.call("2", "echo", r#"{"message":"overtakes"}"#).text);
    assert_eq!(client.waiting(), ["1"]);
    let answer = client.answer("1").text;
    // What the server said before its answer is there before it.
    let before = client.notifications();
    let steps = before
        .into_iter()
        .filter(|rpc| rpc.method.as_deref() == Some("notifications/progress"));
    notes.extend(steps.map(|rpc| rpc.text));
    assert_eq!(notes.len(), 5);
    notes.push(answer);
    notes
}

pub fn subscriptions(client: &Tether) -> Notes {
    let uri = r#"{"uri":"demo://resource/dynamic/text/1"}"#;
    let mut notes = vec![client.ask("1", "resources/subscribe", uri).text];
    log_message(client, "Received Subscribe Resource request");
    let started = client.call("2", "toggle-subscriber-updates", "{}");
    assert!(text(&started).starts_with("Started"), "{}", started.text);
    notes.push(client.notification("notifications/resources/updated").text);
    let stopped = client.call("3", "toggle-subscriber-updates", "{}");
    assert!(text(&stopped).starts_with("Stopped"), "{}", stopped.text);
    notes.push(client.ask("4", "resources/unsubscribe", uri).text);
    log_message(client, "Received Unsubscribe Resource request");
    notes
}

pub fn logging(client: &Tether) -> Notes {
    let notes = vec![
        client
            .ask("1", "logging/setLevel", r#"{"level":"debug"}"#)
            .text,
    ];
    let started = client.call("2", "toggle-simulated-logging", "{}");
    assert!(text(&started).starts_with("Started"), "{}", started.text);
    // Its level is random.
    log_message(client, "level");
    let stopped = client.call("3", "toggle-simulated-logging", "{}");
    assert!(text(&stopped).starts_with("Stopped"), "{}", stopped.text);
    notes
}
