//! Answers that are none: each id still gets exactly one, with a code that says what was wrong, and
//! never a page of the remote pasted into it.

use serde_json::Value;

use crate::support::http::Response;
use crate::support::mcp::{Call, LegacyPlan};
use crate::support::rpc::{self, Rpc};
use crate::support::tether::Tether;

/// What the client gets for a tool call that is answered like that. The next call has to work.
fn answer(hook: impl Fn(Call) -> Response + Send + Sync + 'static) -> Rpc {
    let mcp = LegacyPlan::default().stateless().serve();
    mcp.times(1, "tools/call", move |call| {
        let response = hook(call);
        async { response }
    });
    let tether = Tether::to(&mcp);
    tether.initialize();
    let answer = tether.call("1", "echo", "{}");
    assert!(tether.call("2", "echo", "{}").error.is_none());
    assert!(tether.unread().is_empty(), "one answer");
    assert_eq!(mcp.calls("tools/call").len(), 2, "nothing is repeated");
    assert_eq!(tether.finish(), 0);
    answer
}

fn assert_protocol(answer: &Rpc) -> Value {
    let error = answer.error();
    assert_eq!(error["code"], -31006, "{error}");
    assert_eq!(error["data"]["kind"], "protocol");
    assert_eq!(error["data"]["source"], "mcp-tether");
    error
}

#[test]
fn a_request_that_is_only_accepted_is_an_error() {
    for status in [202, 204, 200] {
        assert_protocol(&answer(move |_| Response::status(status)));
    }
}

#[test]
fn a_web_page_is_an_error_with_a_short_excerpt() {
    let page = format!(
        "<html><body>\n{}</body></html>",
        "<p>Log in to the Wi-Fi</p>".repeat(100)
    );
    let error = assert_protocol(&answer(move |_| Response::html(200, page.clone())));
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("text/html") && !message.contains("<p>"),
        "{message}"
    );
    let body = error["data"]["body"].as_str().unwrap();
    assert!(body.starts_with("<html><body> <p>Log in"), "{body}");
    assert_eq!(body.chars().count(), 200);
}

#[test]
fn broken_json_is_an_error() {
    let error = assert_protocol(&answer(|_| {
        Response::json(200, r#"{"jsonrpc":"2.0","id":1,"res"#)
    }));
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("not valid JSON")
    );
    for body in ["null", "7", "\"x\"", "{}", "[]", r#"{"id":1}"#] {
        assert_protocol(&answer(move |_| Response::json(200, body)));
    }
}

#[test]
fn a_broken_message_on_an_event_stream_is_an_error() {
    assert_protocol(&answer(|_| {
        Response::event_bytes("data: {\"jsonrpc\":\"2.0\",\"id\":1,\n\n")
    }));
}

#[test]
fn what_is_not_marked_as_json_rpc_is_no_answer() {
    for mark in ["", r#""jsonrpc":2.0,"#, r#""jsonrpc":"2.1","#] {
        let text = format!(r#"{{{mark}"id":1,"result":{{}}}}"#);
        let event = format!("data: {text}\n\n");
        assert_protocol(&answer(move |_| Response::json(200, text.clone())));
        assert_protocol(&answer(move |_| Response::event_bytes(event.clone())));
        let refusal = format!(r#"{{{mark}"id":1,"error":{{"code":-1,"message":"no"}}}}"#);
        let refused = answer(move |_| Response::json(400, refusal.clone()));
        assert_eq!(refused.code(), -31003);
    }
}

#[test]
fn a_notification_that_is_not_marked_is_dropped() {
    let answer = answer(|call| {
        let says = call.says("x");
        let note = r#"{"method":"notifications/message","params":{}}"#;
        Response::event_bytes(format!("data: {note}\n\ndata: {says}\n\n"))
    });
    assert_eq!(answer.result()["content"][0]["text"], "x");
}

#[test]
fn each_element_of_an_array_on_a_stream_stands_by_itself() {
    let answer = answer(|call| {
        let says = call.says("x");
        let note = r#"{"method":"notifications/message","params":{}}"#;
        Response::event_bytes(format!("data: [{note},{says}]\n\n"))
    });
    assert_eq!(answer.result()["content"][0]["text"], "x");
}

#[test]
fn a_truncated_body_is_an_error() {
    assert_protocol(&answer(|call| Response::truncated(200, call.says("x"), 10)));
}

#[test]
fn an_answer_to_another_id_is_an_error() {
    for id in ["2", "\"1\"", "1.5", "12345678901234567890"] {
        assert_protocol(&answer(move |_| Response::json(200, rpc::result(id, "{}"))));
        assert_protocol(&answer(move |_| {
            let text = rpc::result(id, "{}");
            Response::event_bytes(format!("data: {text}\n\n"))
        }));
    }
}

#[test]
fn an_answer_that_comes_twice_is_told_once() {
    let once = answer(|call| {
        let (first, second) = (call.says("first"), call.says("second"));
        Response::event_bytes(format!("data: {first}\n\ndata: {second}\n\n"))
    });
    assert_eq!(once.result()["content"][0]["text"], "first");
    let once = answer(|call| {
        Response::json(
            200,
            format!("[{},{}]", call.says("first"), call.says("second")),
        )
    });
    assert_eq!(once.result()["content"][0]["text"], "first");
}

const SAID: &str =
    r#"{"code":-32602,"message":"no such thing","data":{"n":1.0,"big":12345678901234567890}}"#;

#[test]
fn an_error_without_id_gets_the_id_of_its_request() {
    for prefix in ["\"id\":null,", ""] {
        let body = format!(r#"{{"jsonrpc":"2.0",{prefix}"error":{SAID}}}"#);
        for status in [200, 400, 422, 500] {
            let body = body.clone();
            let told = answer(move |_| Response::json(status, body.clone()));
            assert_eq!(told.error.as_deref(), Some(SAID), "{status}");
        }
        let told = answer(move |_| Response::event_bytes(format!("data: {body}\n\n")));
        assert_eq!(told.error.as_deref(), Some(SAID));
    }
}

#[test]
fn an_error_of_the_server_inside_a_refusal_passes_through() {
    for status in [400, 401, 403, 404, 409, 413, 422, 500, 502] {
        let told = answer(move |call| {
            Response::json(
                status,
                format!(r#"{{"jsonrpc":"2.0","id":{},"error":{SAID}}}"#, call.id()),
            )
        });
        assert_eq!(told.error.as_deref(), Some(SAID), "{status}");
    }
}

#[test]
fn a_refusal_without_a_message_names_its_status_and_pastes_nothing() {
    let page = format!("<h1>Server Error</h1>\u{1b}[31m{}", "é\n".repeat(5000));
    for (status, code, kind) in [
        (400, -31003, "http"),
        (401, -31004, "auth"),
        (403, -31004, "auth"),
        (404, -31003, "http"),
        (413, -31003, "http"),
        (500, -31003, "http"),
        (502, -31003, "http"),
        (503, -31003, "http"),
    ] {
        let body = page.clone();
        let error = answer(move |_| Response::html(status, body.clone())).error();
        assert_eq!(error["code"], code, "{error}");
        assert_eq!(error["data"]["kind"], kind);
        assert_eq!(error["data"]["httpStatus"], status);
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(&status.to_string()), "{message}");
        assert!(!message.contains("Server Error"), "{message}");
        let excerpt = error["data"]["body"].as_str().unwrap();
        assert!(excerpt.chars().count() <= 200 && excerpt.starts_with("<h1>Server Error</h1>"));
        assert!(!excerpt.chars().any(char::is_control), "{excerpt:?}");
    }
}

#[test]
fn strange_but_whole_answers_pass_untouched() {
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"result":{},"error":null}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"extra":{"a":[1.0]}}"#,
        r#"{"result":{"b":1,"a":2},"id":1,"jsonrpc":"2.0"}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":null}"#,
    ] {
        assert_eq!(answer(move |_| Response::json(200, body)).text, body);
        assert_eq!(
            answer(move |_| Response::of(200, "text/plain", body)).text,
            body
        );
        assert_eq!(
            answer(move |_| Response::json(200, body).untyped()).text,
            body
        );
    }
}
