//! A client and a server of 2026-07-28: the bridge adds the headers that the body asks for, turns a cancel into the end of a
//! stream, and changes nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::http::{Request, Response};
use crate::support::rpc;
use crate::support::server::Server;
use crate::support::tether::Tether;

const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

fn params(more: &str) -> String {
    format!("{{{META}{more}}}")
}

/// The answer to a request, under the id that it came with.
fn reply(request: &Request, result: &str) -> Response {
    let id = request.rpc().expect("a request").id.expect("an id");
    Response::json(200, rpc::result(&id, result))
}

fn refuse(request: &Request, status: u16, code: i64) -> Response {
    let id = request.rpc().expect("a request").id.expect("an id");
    Response::json(status, rpc::error(&id, code, "no"))
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.header(name).unwrap_or("(none)")
}

#[test]
fn each_request_has_the_headers_that_its_body_asks_for_and_keeps_its_bytes() {
    let server = Server::new(|request| async move { reply(&request, r#"{"x":1.0}"#) });
    let tether = Tether::to(&server);
    for (id, method, more, name) in [
        ("1", "server/discover", "", "(none)"),
        (
            "2",
            "tools/call",
            r#","name":"a","arguments":{"n":1.0}"#,
            "a",
        ),
        ("3", "prompts/get", r#","name":" p""#, "=?base64?IHA=?="),
        (
            "\"4\"",
            "resources/read",
            r#","uri":"file:///x""#,
            "file:///x",
        ),
    ] {
        let line = rpc::request(id, method, &params(more));
        tether.send(&line);
        let answer = tether.answer(id);
        assert_eq!(answer.text, rpc::result(id, r#"{"x":1.0}"#));
        let sent = server.requests().pop().expect("a request");
        assert_eq!(sent.text(), line);
        assert_eq!(header(&sent, "mcp-protocol-version"), "2026-07-28");
        assert_eq!(header(&sent, "mcp-method"), method);
        assert_eq!(header(&sent, "mcp-name"), name);
        assert_eq!(header(&sent, "mcp-session-id"), "(none)");
    }
    assert_eq!(tether.finish(), 0);
    let methods: Vec<_> = server
        .requests()
        .iter()
        .map(|sent| sent.method.clone())
        .collect();
    assert_eq!(methods, ["POST"; 4], "neither GET nor DELETE");
}

const TOOLS: &str = r#"{"resultType":"complete","tools":[{"name":"t","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}},{"name":"bad","inputSchema":{"x-mcp-header":"Bad"}}]}"#;

#[test]
fn a_parameter_is_sent_as_a_header_once_its_tool_is_listed_and_invalid_tools_are_not() {
    let server = Server::new(|request| async move {
        let list = request.rpc_method().as_deref() == Some("tools/list");
        reply(&request, if list { TOOLS } else { "{}" })
    });
    let tether = Tether::to(&server);
    let listed = tether.ask("1", "tools/list", &params(""));
    let tools = listed.result()["tools"].as_array().expect("a list").clone();
    assert_eq!(tools.len(), 1);
    assert_eq!(tools[0]["name"], "t");
    let call = params(r#","name":"t","arguments":{"region":"eu-1","other":2}"#);
    tether.ask("2", "tools/call", &call);
    let sent = server.requests().pop().expect("a call");
    assert_eq!(header(&sent, "mcp-param-region"), "eu-1");
    assert!(tether.wait_stderr("left out").contains("\"bad\""));
}

#[test]
fn a_header_mismatch_leads_to_the_list_and_one_more_try_under_another_id() {
    let server = Server::new(|request| async move {
        match (
            request.rpc_method().as_deref(),
            request.header("mcp-param-region"),
        ) {
            (Some("tools/list"), _) => reply(&request, TOOLS),
            (_, None) => refuse(&request, 400, -32020),
            _ => reply(&request, r#"{"ok":true}"#),
        }
    });
    let tether = Tether::to(&server);
    let call = params(r#","name":"t","arguments":{"region":"eu-1"}"#);
    let answer = tether.ask("7", "tools/call", &call);
    assert_eq!(answer.result()["ok"], true);
    let ids: Vec<_> = server
        .requests()
        .iter()
        .map(|sent| sent.rpc().expect("a request").id.expect("an id"))
        .collect();
    assert_eq!(ids.len(), 3);
    assert!(ids[0] == "7" && ids[2] != "7", "{ids:?}");
    assert_eq!(header(&server.requests()[1], "mcp-method"), "tools/list");
}

#[test]
fn errors_of_the_server_pass_through_whatever_their_status() {
    let server = Server::new(|request| async move {
        match request.rpc_method().as_deref() {
            Some("nothing/here") => refuse(&request, 404, -32601),
            Some("server/discover") => refuse(&request, 400, -32022),
            _ => refuse(&request, 400, -32602),
        }
    });
    let tether = Tether::to(&server);
    for (id, method, code) in [
        ("1", "nothing/here", -32601),
        ("2", "server/discover", -32022),
        ("3", "tools/list", -32602),
    ] {
        assert_eq!(tether.ask(id, method, &params("")).code(), code, "{method}");
    }
    // The first one might have been that of an older server, so this one was asked what it is.
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn a_cancel_closes_the_stream_and_is_not_sent() {
    let (response, feed) = Response::events();
    let response = std::sync::Mutex::new(Some(response));
    let server = Server::new(move |request| {
        let slow = request.rpc_method().as_deref() == Some("tools/call");
        let stream = if slow {
            response.lock().expect("lock").take()
        } else {
            None
        };
        async move { stream.unwrap_or_else(|| reply(&request, "{}")) }
    });
    let tether = Tether::to(&server);
    tether.send(&rpc::request("1", "tools/call", &params(r#","name":"a""#)));
    server.wait_requests(1);
    tether.send(&rpc::notification(
        "notifications/cancelled",
        r#"{"requestId":1}"#,
    ));
    tether.excuse("1");
    feed.gone().wait("the end of the stream");
    tether.ask("2", "tools/list", &params(""));
    let sent = server.requests();
    assert_eq!(
        sent.len(),
        2,
        "{:?}",
        sent.iter().map(ToString::to_string).collect::<Vec<_>>()
    );
}

#[test]
fn a_read_that_is_sent_again_is_another_request() {
    let count = Arc::new(AtomicUsize::new(0));
    let server = Server::new(move |request| {
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            if first {
                Response::reset()
            } else {
                reply(&request, r#"{"tools":[]}"#)
            }
        }
    });
    let tether = Tether::to(&server);
    let answer = tether.ask("\"one\"", "tools/list", &params(""));
    assert!(answer.error.is_none(), "{}", answer.text);
    let ids: Vec<_> = server
        .requests()
        .iter()
        .map(|sent| sent.rpc().expect("a request").id.expect("an id"))
        .collect();
    assert!(ids.len() == 2 && ids[0] != ids[1], "{ids:?}");
}

#[test]
fn a_subscription_lasts_is_reported_when_lost_and_ends_with_the_client() {
    let (first, feed) = Response::events();
    let (second, other) = Response::events();
    let streams = std::sync::Mutex::new(vec![second, first]);
    let server = Server::new(move |_| {
        let stream = streams.lock().expect("lock").pop();
        async move { stream.unwrap_or_else(|| Response::status(500)) }
    });
    let mut tether = Tether::to(&server);
    tether.send(&rpc::request(
        "1",
        "subscriptions/listen",
        &params(r#","notifications":{"toolsListChanged":true}"#),
    ));
    server.wait_requests(1);
    let changed = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":1}}}"#;
    feed.event(changed);
    assert_eq!(
        tether.notification("notifications/tools/list_changed").text,
        changed
    );
    feed.cut();
    assert_eq!(tether.answer("1").code(), -31006);
    tether.send(&rpc::request("2", "subscriptions/listen", &params("")));
    server.wait_requests(2);
    tether.close_stdin();
    let ended = tether.answer("2");
    assert_eq!(
        ended.result()["_meta"]["io.modelcontextprotocol/subscriptionId"],
        2
    );
    assert_eq!(tether.wait(), 0);
    other.gone().wait("the end of the stream");
}
