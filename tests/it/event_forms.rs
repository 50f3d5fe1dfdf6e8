//! Event streams in awkward but legal forms (WHATWG HTML §9.2.6), over both transports.

use std::sync::{Arc, Mutex};

use crate::support::gate::lock;
use crate::support::http::{Feed, Response};
use crate::support::launch::Launch;
use crate::support::mcp::{Legacy, Sse, initialize_result};
use crate::support::rpc;
use crate::support::server::Server;

/// The result that each form has to carry, with characters of two, three and four bytes.
const RESULT: &str = r#"{"content":[{"type":"text","text":"é ☃ 😀 \n data: x"}]}"#;

/// How an answer is written, in pieces.
type Form = fn(&str) -> Vec<Vec<u8>>;

fn whole(text: String) -> Vec<Vec<u8>> {
    vec![text.into_bytes()]
}

fn bytewise(text: &str) -> Vec<Vec<u8>> {
    text.bytes().map(|byte| vec![byte]).collect()
}

const FORMS: [(&str, Form); 11] = [
    ("CR", |m| whole(format!("event: message\rdata: {m}\r\r"))),
    ("CRLF", |m| {
        whole(format!("id: 1\r\nevent: message\r\ndata: {m}\r\n\r\n"))
    }),
    ("mixed line ends", |m| {
        whole(format!("id: 1\rdata: {m}\n\r\n"))
    }),
    ("no space", |m| whole(format!("data:{m}\n\n"))),
    ("split anywhere", |m| {
        bytewise(&format!("event: message\r\ndata: {m}\r\n\r\n"))
    }),
    ("comments", |m| {
        whole(format!(
            ": ping\n\n:\n:x\ndata: {m}\n: in the middle\n\n: after\n\n"
        ))
    }),
    ("several data lines", |m| {
        let lines = m
            .replacen(',', ",\ndata:   ", 2)
            .replacen('{', "{\ndata: ", 1);
        whole(format!("data: {lines}\ndata:\n\n"))
    }),
    ("several data lines with CRLF", |m| {
        let lines = m.replacen(',', ",\r\ndata: ", 2);
        whole(format!("data: {lines}\r\n\r\n"))
    }),
    ("other events", |m| {
        // The same answer under another name must not be taken, or it would be answered twice.
        whole(format!(
            "event: ping\ndata: {m}\n\nevent: heartbeat\ndata: now\n\ndata: {m}\n\n"
        ))
    }),
    ("empty data with an id", |m| {
        whole(format!(
            "id: 1\ndata:\n\nretry: 100\n\nid: 2\ndata: \n\nid: 3\ndata: {m}\n\n"
        ))
    }),
    ("unknown fields", |m| {
        whole(format!("foo: bar\nbaz\nretry: soon\ndata: {m}\n\n"))
    }),
];

#[test]
fn over_streamable_http() {
    let mcp = Legacy::new();
    let tether = Launch::to(&mcp).start();
    tether.initialize();
    let bom: (&str, Form) = ("BOM", |m| whole(format!("\u{feff}data: {m}\n\n")));
    for (id, (name, form)) in FORMS.into_iter().chain([bom]).enumerate() {
        mcp.on("tools/call", move |call| async move {
            let (response, feed) = Response::events();
            for piece in form(&call.result(RESULT)) {
                feed.send(piece);
            }
            response
        });
        let answer = tether.call(&(id + 1).to_string(), "x", "{}");
        assert_eq!(answer.result(), expected(), "{name}: {}", answer.text);
    }
    assert_eq!(tether.finish(), 0);
}

#[test]
fn over_http_sse() {
    let sse = Sse::new();
    let tether = Launch::to(&sse).args(["--transport", "sse-only"]).start();
    tether.initialize();
    for (id, (name, form)) in FORMS.into_iter().enumerate() {
        sse.on("tools/call", move |call| async move {
            let feed = call.feed.clone().unwrap();
            for piece in form(&call.result(RESULT)) {
                feed.send(piece);
            }
            None
        });
        let answer = tether.call(&(id + 1).to_string(), "x", "{}");
        assert_eq!(answer.result(), expected(), "{name}: {}", answer.text);
    }
    assert_eq!(tether.finish(), 0);
}

#[test]
fn the_first_event_of_an_http_sse_stream() {
    for (name, bytes) in [
        ("BOM", "\u{feff}event: endpoint\ndata: /messages\n\n"),
        ("CR", "event: endpoint\rdata: /messages\r\r"),
        (
            "CRLF",
            ": hi\r\n\r\nevent:endpoint\r\ndata:/messages\r\n\r\n",
        ),
        (
            "a message first",
            "data: {}\n\ndata: /messages\nevent: endpoint\n\n",
        ),
    ] {
        let stream: Arc<Mutex<Option<Feed>>> = Arc::default();
        let server = Server::new(move |request| {
            let stream = Arc::clone(&stream);
            async move {
                if request.method == "GET" {
                    let (response, feed) = Response::events();
                    feed.send(bytes);
                    *lock(&stream) = Some(feed);
                    return response;
                }
                let asked = request.rpc().unwrap();
                if let (Some(id), Some(feed)) = (asked.id, &*lock(&stream)) {
                    feed.event(&rpc::result(&id, &initialize_result("2024-11-05")));
                }
                Response::accepted()
            }
        });
        let tether = Launch::to(&server)
            .args(["--transport", "sse-only"])
            .start();
        tether.initialize();
        assert_eq!(server.requests()[1].path, "/messages", "{name}");
        assert_eq!(tether.finish(), 0);
    }
}

#[test]
fn broken_utf8_is_an_error_and_not_the_end() {
    let mcp = Legacy::new();
    let tether = Launch::to(&mcp).start();
    tether.initialize();
    mcp.times(1, "tools/call", |_| async {
        Response::event_bytes(&b"data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"\xff\"}\n\n"[..])
    });
    let error = tether.call("1", "x", "{}");
    assert_eq!(error.code(), -31006, "{}", error.text);
    tether.call("2", "echo", r#"{"text":"x"}"#).result();
    assert_eq!(tether.finish(), 0);
}

#[test]
fn comments_without_a_blank_line_are_no_event_over_the_limit() {
    let mcp = Legacy::new();
    let limit = ["--max-message-size", "1KiB"];
    let tether = Launch::to(&mcp).args(limit).start();
    tether.initialize();
    for (id, end) in ["\n", "\r", "\r\n"].into_iter().enumerate() {
        mcp.times(1, "tools/call", move |call| async move {
            let (response, feed) = Response::events();
            for _ in 0..1000 {
                feed.send(format!(": keep-alive{end}"));
            }
            feed.send(format!("data: {}{end}{end}", call.result(RESULT)));
            response
        });
        let answer = tether.call(&(id + 1).to_string(), "x", "{}");
        assert_eq!(answer.result(), expected(), "{end:?}: {}", answer.text);
    }
    assert_eq!(tether.finish(), 0);
}

fn expected() -> serde_json::Value {
    serde_json::from_str(RESULT).unwrap()
}
