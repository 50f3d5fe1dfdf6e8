//! Which transport a server speaks: found by the client's own first message, remembered when it
//! took a fall-back, forgotten when it is no longer so.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::sse::HELLO;
use crate::support::gate::{Gate, lock};
use crate::support::http::{Feed, Request, Response};
use crate::support::launch::Launch;
use crate::support::mcp::{Legacy, LegacyPlan, Sse, initialize_result};
use crate::support::modern;
use crate::support::rpc;
use crate::support::server::{Peer, Server};
use crate::support::tether::Tether;

/// How a POST to the URL is refused.
type Refusal = fn(&Request) -> Response;

/// A server that speaks HTTP+SSE at `/mcp` and answers a POST there as it is told to.
fn old(refusal: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Server {
    let stream: Arc<Mutex<Option<Feed>>> = Arc::default();
    Server::new(move |request| {
        let answer = old_answer(&refusal, &stream, &request);
        async move { answer }
    })
}

fn old_answer(
    refusal: &impl Fn(&Request) -> Response,
    stream: &Mutex<Option<Feed>>,
    request: &Request,
) -> Response {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/mcp") => {
            let (response, feed) = Response::events();
            feed.send("event: endpoint\ndata: /messages\n\n");
            *lock(stream) = Some(feed);
            response
        }
        ("POST", "/messages") => {
            let asked = request.rpc().expect("a message");
            let result = match asked.method.as_deref() {
                Some("initialize") => initialize_result("2024-11-05"),
                _ => r#"{"tools":[]}"#.to_owned(),
            };
            if let (Some(id), Some(feed)) = (asked.id, &*lock(stream)) {
                feed.event(&rpc::result(&id, &result));
            }
            Response::accepted()
        }
        _ => refusal(request),
    }
}

/// The methods and paths that a server was asked.
fn asked(server: &Server) -> Vec<String> {
    let log = server.requests();
    let line = |request: &Request| format!("{} {}", request.method, request.path);
    log.iter().map(line).collect()
}

fn with_id(request: &Request, code: i64) -> Response {
    let id = request.rpc().and_then(|rpc| rpc.id).unwrap();
    Response::json(400, rpc::error(&id, code, "no"))
}

#[test]
fn a_refused_first_post_falls_back() {
    let table: [Refusal; 5] = [
        |_| Response::status(400),
        |_| Response::html(404, "<h1>Not Found</h1>"),
        |_| Response::status(405).header("allow", "GET"),
        |_| Response::json(400, rpc::error("null", -32000, "no session")),
        |_| Response::json(404, rpc::error("\"another\"", -32600, "?")),
    ];
    for refusal in table {
        let server = old(refusal);
        let tether = Tether::to(&server);
        tether.initialize();
        tether.ask("1", "tools/list", "{}").result();
        assert_eq!(tether.finish(), 0);
        let asked = asked(&server);
        assert_eq!(asked[..3], ["POST /mcp", "GET /mcp", "POST /messages"]);
        let posts = asked.iter().filter(|line| *line == "POST /mcp").count();
        assert_eq!(posts, 1, "{asked:?}");
    }
}

#[test]
fn a_refusal_that_comes_after_the_search_leads_to_what_was_found() {
    let (posted, named, late) = (AtomicUsize::new(0), Gate::new(), Gate::new());
    let stream: Mutex<Option<Feed>> = Mutex::default();
    let (opens, refuses) = (named.clone(), late.clone());
    let server = Server::new(move |request| {
        let answer = old_answer(&|_| Response::status(405), &stream, &request);
        let waits = match (request.method.as_str(), request.path.as_str()) {
            ("GET", _) => Some(opens.clone()),
            ("POST", "/mcp") => {
                let nth = posted.fetch_add(1, Ordering::SeqCst);
                (nth > 0).then(|| refuses.clone())
            }
            _ => None,
        };
        async move {
            if let Some(gate) = waits {
                gate.opened().await;
            }
            answer
        }
    });
    let tether = Tether::to(&server);
    tether.send(&rpc::request("1", "tools/list", "{}"));
    server.wait_requests(2);
    assert_eq!(asked(&server), ["POST /mcp", "GET /mcp"]);
    // This one goes the same way, and is refused only when the search is over.
    tether.send(&rpc::request("2", "tools/list", "{}"));
    server.wait_requests(3);
    named.open();
    tether.answer("1").result();
    late.open();
    tether.answer("2").result();
    let posts = asked(&server).split_off(2);
    assert_eq!(posts, ["POST /mcp", "POST /messages", "POST /messages"]);
}

#[test]
fn an_endpoint_that_is_gone_before_its_first_use_is_asked_for_anew() {
    let hello = modern::params("");
    for (method, params) in [("initialize", HELLO), ("server/discover", &hello)] {
        let posted = AtomicUsize::new(0);
        let stream: Mutex<Option<Feed>> = Mutex::default();
        let server = Server::new(move |request| {
            let first = request.path == "/messages" && posted.fetch_add(1, Ordering::SeqCst) == 0;
            let answer = if first {
                Response::status(404)
            } else {
                old_answer(&|_| Response::status(405), &stream, &request)
            };
            async move { answer }
        });
        let tether = Tether::to(&server);
        tether.ask("1", method, params).result();
        let asked = asked(&server);
        let gets = asked.iter().filter(|line| *line == "GET /mcp").count();
        assert_eq!(gets, 2, "{asked:?}");
    }
}

#[test]
fn an_error_that_answers_the_request_is_no_reason_to_fall_back() {
    // Where it may be one of 2026-07-28, that is asked for before the error is passed on.
    let table: [(Refusal, i64, usize); 3] = [
        (|request| with_id(request, -32602), -32602, 2),
        (|request| with_id(request, -32000), -32000, 1),
        // Only a server of the modern era has this code.
        (
            |_| Response::json(400, rpc::error("null", -32022, "version")),
            -32022,
            2,
        ),
    ];
    for (refusal, code, posts) in table {
        let server = old(refusal);
        let tether = Tether::to(&server);
        let error = tether.ask("0", "initialize", HELLO);
        assert_eq!(error.code(), code, "{}", error.text);
        assert_eq!(tether.finish(), 0);
        assert_eq!(asked(&server), vec!["POST /mcp"; posts]);
    }
}

#[test]
fn some_statuses_are_never_evidence() {
    for (status, code) in [
        (401, -31004),
        (403, -31004),
        (406, -31003),
        (500, -31003),
        (502, -31003),
        (503, -31003),
        (504, -31003),
    ] {
        let server = old(move |_| Response::status(status));
        let tether = Launch::to(&server).args(["--auth", "none"]).start();
        let error = tether.ask("0", "initialize", HELLO);
        assert_eq!(error.code(), code, "{status}: {}", error.text);
        assert_eq!(error.error()["data"]["httpStatus"], status);
        assert_eq!(tether.finish(), 0);
        assert_eq!(asked(&server), ["POST /mcp"]);
    }
}

#[test]
fn several_first_requests_search_once() {
    let server = old(|_| Response::status(405));
    let tether = Tether::to(&server);
    let ids: Vec<String> = (1..=6).map(|id: u32| id.to_string()).collect();
    for id in &ids {
        tether.send(&rpc::call(id, "x", "{}"));
    }
    for id in &ids {
        tether.answer(id).result();
    }
    assert_eq!(tether.finish(), 0);
    let gets = asked(&server);
    let gets = gets.iter().filter(|line| *line == "GET /mcp").count();
    assert_eq!(gets, 1);
}

#[test]
fn a_fall_back_is_remembered_and_forgotten_when_it_is_no_longer_so() {
    let moved = Arc::new(AtomicBool::new(false));
    let modern = Arc::clone(&moved);
    let stream: Mutex<Option<Feed>> = Mutex::default();
    let server = Server::new(move |request| {
        let answer = if !modern.load(Ordering::SeqCst) {
            old_answer(&|_| Response::status(405), &stream, &request)
        } else if request.method != "POST" {
            Response::status(405)
        } else {
            match request.rpc().and_then(|rpc| rpc.id) {
                Some(id) => Response::json(200, rpc::result(&id, &initialize_result("2025-11-25"))),
                None => Response::accepted(),
            }
        };
        async move { answer }
    });
    let url = format!("{}?key=s3cret", server.url());
    let start = || Launch::new().arg(&url).watch(&server);
    let run = |launch: Launch| {
        let mut tether = launch.start();
        tether.initialize();
        tether.close_stdin();
        assert_eq!(tether.wait(), 0);
        tether
    };
    let first = run(start());
    let file = first.home().join("tether/state/servers.json");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(kept.contains("/mcp") && !kept.contains("s3cret"), "{kept}");
    let before = server.requests().len();

    run(start().home_of(&first));
    let next = asked(&server).split_off(before);
    assert_eq!(next[..2], ["GET /mcp", "POST /messages"]);

    moved.store(true, Ordering::SeqCst);
    let before = server.requests().len();
    run(start().home_of(&first));
    let next = asked(&server).split_off(before);
    assert_eq!(next[..2], ["GET /mcp", "POST /mcp"]);
    assert!(!std::fs::read_to_string(&file).unwrap().contains("/mcp"));

    let before = server.requests().len();
    run(start().home_of(&first));
    assert_eq!(asked(&server).split_off(before)[0], "POST /mcp");
}

#[test]
fn a_start_that_needs_no_fall_back_writes_nothing() {
    let mcp = Legacy::new();
    let mut tether = Tether::to(&mcp);
    tether.initialize();
    tether.call("1", "echo", "{}").result();
    tether.close_stdin();
    assert_eq!(tether.wait(), 0);
    let left: Vec<_> = std::fs::read_dir(tether.home()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn http_only_does_not_fall_back() {
    let server = old(|_| Response::status(405));
    let tether = Launch::to(&server)
        .args(["--transport", "http-only"])
        .start();
    let error = tether.ask("0", "initialize", HELLO);
    assert_eq!(error.error()["data"]["httpStatus"], 405);
    assert_eq!(tether.finish(), 0);
    assert_eq!(asked(&server), ["POST /mcp"]);
}

#[test]
fn sse_only_never_posts_to_the_url() {
    let mcp = Legacy::new();
    let tether = Launch::to(&mcp).args(["--transport", "sse-only"]).start();
    let error = tether.ask("0", "initialize", HELLO);
    assert_eq!(error.error()["data"]["httpStatus"], 405, "{}", error.text);
    assert_eq!(tether.finish(), 0);
    assert_eq!(asked(&mcp.server), ["GET /mcp"]);
}

#[test]
fn sse_first_tries_http_second() {
    let sse = Sse::new();
    let tether = Launch::to(&sse).args(["--transport", "sse-first"]).start();
    tether.initialize();
    assert_eq!(tether.finish(), 0);
    assert!(!asked(&sse.server).contains(&"POST /sse".to_owned()));

    let mcp = LegacyPlan::default().stateless().serve();
    let tether = Launch::to(&mcp).args(["--transport=sse-first"]).start();
    for id in ["1", "2", "3"] {
        tether.send(&rpc::call(id, "echo", "{}"));
    }
    for id in ["1", "2", "3"] {
        tether.answer(id).result();
    }
    let home = tether.home().to_owned();
    assert!(!home.join("tether").exists());
    assert_eq!(tether.finish(), 0);
    let asked = asked(&mcp.server);
    let gets = asked.iter().filter(|line| *line == "GET /mcp").count();
    assert_eq!(gets, 1, "{asked:?}");
}
