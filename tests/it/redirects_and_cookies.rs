//! What HTTP brings with it: redirects, cookies, compressed answers.

use std::sync::Arc;

use crate::support::http::{Request, Response};
use crate::support::launch::Launch;
use crate::support::mcp::{Legacy, initialize_result};
use crate::support::rpc::{self, Rpc};
use crate::support::server::Server;
use crate::support::tether::Tether;

/// A plain MCP answer to whatever a POST asks.
fn answer(rpc: &Rpc) -> Response {
    match (&rpc.id, rpc.method.as_deref()) {
        (Some(id), Some("initialize")) => {
            Response::json(200, rpc::result(id, &initialize_result("2025-11-25")))
        }
        (Some(id), _) => Response::json(200, rpc::result(id, "{}")),
        (None, _) => Response::accepted(),
    }
}

/// A server that answers `/mcp` with that redirect and any other path as MCP.
fn redirecting(status: u16, to: Arc<str>) -> Server {
    Server::new(move |request: Request| {
        let to = Arc::clone(&to);
        async move {
            match (request.path.as_str(), request.rpc()) {
                ("/mcp", _) => Response::status(status).header("location", &to),
                (_, Some(rpc)) => answer(&rpc),
                _ => Response::status(405),
            }
        }
    })
}

#[test]
fn redirects_307_and_308_within_the_origin_are_followed_with_body_and_headers() {
    for (status, to) in [(307, "/moved/mcp"), (308, "/moved/mcp?x=1")] {
        let server = redirecting(status, to.into());
        let tether = Launch::to(&server)
            .args(["--header", "X-Key: secret"])
            .start();
        tether.initialize();
        assert!(tether.ask("1", "tools/list", "{}").error.is_none());
        drop(tether);
        let moved: Vec<Request> = server.requests();
        let moved = moved
            .iter()
            .filter(|r| r.path == "/moved/mcp" && r.method == "POST");
        let moved: Vec<&Request> = moved.collect();
        assert_eq!(moved.len(), 3);
        for request in moved {
            assert_eq!(request.header("x-key"), Some("secret"));
            assert_eq!(request.header("content-type"), Some("application/json"));
        }
    }
}

#[test]
fn a_redirect_to_another_origin_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let other = Server::new(|_| async { Response::status(500) });
        other.allow_idle();
        let server = redirecting(status, other.at("/mcp?token=hidden").into());
        let tether = Launch::to(&server)
            .args(["--header", "X-Key: secret"])
            .start();
        let error = tether.ask("1", "tools/list", "{}").error();
        assert_eq!(error["code"], -31003, "{error}");
        assert_eq!(error["data"]["httpStatus"], status);
        let text = error.to_string();
        assert!(text.contains(&other.at("/mcp")), "it says where to: {text}");
        assert!(!text.contains("hidden"), "{text}");
        assert!(other.requests().is_empty(), "nobody told it anything");
        assert_eq!(other.connections(), 0);
    }
}

#[test]
fn a_redirect_that_would_turn_a_post_into_a_get_is_not_followed() {
    for status in [301, 302, 303] {
        let server = redirecting(status, "/moved/mcp".into());
        let tether = Tether::to(&server);
        let error = tether.ask("1", "tools/list", "{}").error();
        assert_eq!(error["code"], -31003, "{error}");
        assert_eq!(error["data"]["httpStatus"], status);
        assert!(server.requests().iter().all(|r| r.path == "/mcp"));
    }
}

#[test]
fn redirects_that_lead_in_a_circle_end() {
    let server = redirecting(307, "/mcp".into());
    let tether = Tether::to(&server);
    assert_eq!(tether.ask("1", "tools/list", "{}").code(), -31003);
    assert!(server.requests().len() <= 12);
}

/// A server that sets cookies and wants nothing back.
fn baker() -> Legacy {
    let mcp = Legacy::new();
    mcp.on("initialize", |call| async move {
        call.reply(&initialize_result("2025-11-25"))
            .also("set-cookie", "route=node-7; Path=/; HttpOnly")
            .also("set-cookie", "elsewhere=1; Path=/other")
            .also("set-cookie", "short=1; Path=/")
            .header("mcp-session-id", "mine")
    });
    mcp.on("tools/list", |call| async move {
        call.reply(r#"{"tools":[]}"#)
            .also("set-cookie", "short=; Max-Age=0; Path=/")
    });
    mcp.admit("mine");
    mcp
}

#[test]
fn cookies_are_kept_for_their_path_until_they_are_taken_back() {
    let mcp = baker();
    let tether = Tether::to(&mcp);
    tether.initialize();
    tether.ask("1", "tools/list", "{}");
    tether.ask("2", "ping", "{}");
    assert_eq!(tether.finish(), 0);
    let sent = |method: &str| {
        let cookie = mcp.calls(method)[0].header("cookie").map(str::to_owned);
        let mut crumbs: Vec<String> = cookie
            .iter()
            .flat_map(|c| c.split("; "))
            .map(str::to_owned)
            .collect();
        crumbs.sort();
        crumbs
    };
    assert!(sent("initialize").is_empty());
    assert_eq!(
        sent("notifications/initialized"),
        ["route=node-7", "short=1"]
    );
    assert_eq!(sent("tools/list"), ["route=node-7", "short=1"]);
    assert_eq!(sent("ping"), ["route=node-7"]);
    assert_eq!(sent("DELETE"), ["route=node-7"]);
}

#[test]
fn disable_cookies_keeps_none() {
    let mcp = baker();
    let tether = Launch::to(&mcp).arg("--disable-cookies").start();
    tether.initialize();
    tether.ask("1", "tools/list", "{}");
    drop(tether);
    for request in mcp.server.requests() {
        assert_eq!(request.header("cookie"), None, "{request}");
    }
}

/// `{"jsonrpc":"2.0","id":1,"result":{"tools":[],"note":"compressed .."}}`, with the word 20 times,
/// in each coding.
const GZIP: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\xca\x2a\xce\xcf\x2b\x2a\x48\x56\xb2\x52\
    \x32\xd2\x33\x50\xd2\x51\xca\x4c\x51\xb2\x32\xd4\x51\x2a\x4a\x2d\x2e\xcd\x29\x51\xb2\xaa\
    \x56\x2a\xc9\xcf\xcf\x29\x56\xb2\x8a\x8e\xd5\x51\xca\xcb\x2f\x49\x05\x2a\x4c\xce\xcf\x2d\
    \x00\xca\x17\xa7\xa6\x28\x0c\x37\xa6\x52\x6d\x2d\x00\x65\xed\xf5\x57\x13\x01\x00\x00";
const BROTLI: &[u8] =
    b"\x1b\x12\x01\xc0\xad\x0e\x78\x73\x5e\xa8\x0d\x87\x52\x8d\x06\x0e\x3b\x33\x7d\x2d\xb2\xb7\
    \x15\x33\x65\xc6\xd2\x52\x87\xa5\xaf\x45\x58\x5c\xba\x34\x0c\x59\xdb\x9b\x16\x19\x83\x93\
    \xeb\x18\x07\xcc\x83\x8e\xd7\x34\xd8\x40\x3c\xa0\x0d\x1e\xc3\xda\xf5\xa2\x1c\x1e\xcc\x9a\
    \x96\x2f\x08\xb2\x4c\x86\x10\xf9\xe2\xa7\x1d\x64\x77\x67\xeb\x0a\xe4\x01";

#[test]
fn compressed_answers_are_read() {
    for (coding, body) in [("gzip", GZIP), ("br", BROTLI)] {
        let mcp = Legacy::new();
        mcp.on("tools/list", move |_| async move {
            Response::json(200, body).header("content-encoding", coding)
        });
        let tether = Tether::to(&mcp);
        tether.initialize();
        let result = tether.ask("1", "tools/list", "{}").result();
        assert_eq!(result["note"], ["compressed"; 20].join(" "), "{coding}");
        let accepted = mcp.calls("tools/list")[0]
            .header("accept-encoding")
            .map(str::to_owned);
        assert!(accepted.is_some_and(|accepted| accepted.contains(coding)));
    }
}

#[test]
fn a_compressed_event_stream_brings_its_answer_before_it_ends() {
    // The same message as one event, as gzip with a flush after it.
    let mcp = Legacy::new();
    mcp.on("tools/list", |_| async {
        let (response, feed) = Response::events();
        feed.send(EVENT_GZIP);
        feed.keep_open();
        response.header("content-encoding", "gzip")
    });
    let tether = Tether::to(&mcp);
    tether.initialize();
    assert!(tether.ask("1", "tools/list", "{}").result()["tools"].is_array());
}

const EVENT_GZIP: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x4a\x49\x2c\x49\xb4\x52\xa8\x56\xca\x2a\xce\xcf\
    \x2b\x2a\x48\x56\xb2\x52\x32\xd2\x33\x50\xd2\x51\xca\x4c\x51\xb2\x32\xd4\x51\x2a\x4a\x2d\
    \x2e\xcd\x29\x51\xb2\xaa\x56\x2a\xc9\xcf\xcf\x29\x56\xb2\x8a\x8e\xad\xad\xe5\xe2\x02\x00\
    \x00\x00\xff\xff";

#[test]
fn a_broken_coding_is_an_error_and_the_next_request_works() {
    let mcp = Legacy::new();
    mcp.times(1, "tools/call", |_| async {
        Response::json(200, "this is not gzip").header("content-encoding", "gzip")
    });
    let tether = Tether::to(&mcp);
    tether.initialize();
    assert_eq!(tether.call("1", "echo", "{}").code(), -31006);
    assert!(tether.call("2", "echo", "{}").error.is_none());
}
