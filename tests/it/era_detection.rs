//! Which dialect a server speaks: found by the client's own first message, remembered where it is the other one, forgotten
//! when that is no longer so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::http::{Request, Response};
use crate::support::launch::Launch;
use crate::support::mcp::{LATEST, Legacy, Sse, initialize_result};
use crate::support::modern::{discovered, params, refuse, refuse_with, reply, said};
use crate::support::rpc::{self, Rpc};
use crate::support::server::{Peer, Server};
use crate::support::tether::Tether;

/// How a request is refused.
type Refusal = fn(&Request) -> Response;

/// A server at `/mcp` that answers each POST by `answer`, and has no streams.
fn server(answer: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Server {
    Server::new(move |request| {
        let response = if request.method == "POST" {
            answer(&request)
        } else {
            Response::status(405)
        };
        async { response }
    })
}

/// A server of 2026-07-28 alone, which refuses `initialize` in that way.
fn new_server(refusal: Refusal) -> Server {
    server(move |request| new_answer(request, refusal))
}

fn new_answer(request: &Request, refusal: Refusal) -> Response {
    match said(request).method.as_deref() {
        Some("initialize") => refusal(request),
        Some("server/discover") => reply(request, &discovered(r#"{"tools":{}}"#)),
        _ => reply(request, r#"{"resultType":"complete","tools":[]}"#),
    }
}

/// A server of 2025-11-25 without sessions, which refuses what names its revision itself in that way.
fn old_server(refusal: Refusal) -> Server {
    server(move |request| old_answer(request, refusal))
}

fn old_answer(request: &Request, refusal: Refusal) -> Response {
    let rpc = said(request);
    match rpc.method.as_deref() {
        _ if request.text().contains("io.modelcontextprotocol/") => refusal(request),
        Some("initialize") => reply(request, &initialize_result(LATEST)),
        _ if rpc.is_request() => reply(request, r#"{"tools":[]}"#),
        _ => Response::accepted(),
    }
}

fn unsupported(request: &Request) -> Response {
    refuse_with(
        request,
        400,
        -32022,
        r#"{"supported":["2026-07-28"],"requested":"2025-11-25"}"#,
    )
}

fn no_session(_: &Request) -> Response {
    Response::json(400, rpc::error("null", -32000, "Bad Request: no session"))
}

/// The methods of the POSTs so far.
fn posts(server: &Server) -> Vec<String> {
    let log = server.requests();
    let posts = log.iter().filter(|request| request.method == "POST");
    posts.filter_map(Request::rpc_method).collect()
}

fn kept(tether: &Tether) -> String {
    std::fs::read_to_string(tether.home().join("tether/state/servers.json")).unwrap_or_default()
}

const HELLO: &str = r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"it","version":"1"}}"#;

/// What a client of either dialect begins with.
fn hello(modern: bool) -> (&'static str, String) {
    if modern {
        ("server/discover", params(""))
    } else {
        ("initialize", HELLO.to_owned())
    }
}

fn begin(tether: &Tether, modern: bool) -> Rpc {
    let (method, params) = hello(modern);
    tether.ask("0", method, &params)
}

#[test]
fn each_way_to_refuse_initialize_leads_to_discover() {
    let refusals: [(&str, Refusal); 8] = [
        ("400 -32022", unsupported),
        ("400 -32022 without data", |request| {
            refuse(request, 400, -32022)
        }),
        ("400 -32022 of no id", |_| {
            Response::json(400, rpc::error("null", -32022, "no"))
        }),
        ("400 -32020", |request| refuse(request, 400, -32020)),
        ("404 -32601", |request| refuse(request, 404, -32601)),
        ("200 -32601", |request| refuse(request, 200, -32601)),
        ("400 -32602", |request| refuse(request, 400, -32602)),
        ("its own revision", |request| {
            reply(request, &initialize_result("2026-07-28"))
        }),
    ];
    for (case, refusal) in refusals {
        let server = new_server(refusal);
        let tether = Launch::new().arg(server.at("/mcp")).start();
        let opened = tether.initialize().result();
        assert_eq!(opened["protocolVersion"], LATEST, "{case}");
        assert_eq!(opened["serverInfo"]["name"], "modern", "{case}");
        assert_eq!(posts(&server), ["initialize", "server/discover"], "{case}");
        tether.ask("1", "tools/list", "{}").result();
        assert_eq!(tether.finish(), 0);
        assert_eq!(posts(&server).len(), 3, "{case}");
        let methods = server.requests();
        assert!(methods.iter().all(|sent| sent.method == "POST"), "{case}");
    }
}

#[test]
fn each_way_to_refuse_a_modern_request_leads_to_initialize() {
    let refusals: [(&str, Refusal); 9] = [
        ("400 -32000 of no id", no_session),
        ("400 -32000", |request| refuse(request, 400, -32000)),
        ("400 in text", |_| {
            Response::of(400, "text/plain", "Bad Request")
        }),
        ("404", |_| Response::status(404)),
        ("405", |_| Response::status(405)),
        ("406", |_| Response::status(406)),
        ("200 -32601", |request| refuse(request, 200, -32601)),
        ("400 -32602", |request| refuse(request, 400, -32602)),
        ("400 -32022 of old ones", |request| {
            let data = r#"{"supported":["2025-06-18","2025-11-25"],"requested":"2026-07-28"}"#;
            refuse_with(request, 400, -32022, data)
        }),
    ];
    for (case, refusal) in refusals {
        let server = old_server(refusal);
        let tether = Launch::new().arg(server.at("/mcp")).start();
        let result = begin(&tether, true).result();
        assert_eq!(result["resultType"], "complete", "{case}");
        assert_eq!(
            result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"],
            "scripted"
        );
        let expected = ["server/discover", "initialize", "notifications/initialized"];
        assert_eq!(posts(&server), expected, "{case}");

        let server = old_server(refusal);
        let tether = Launch::new().arg(server.at("/mcp")).start();
        let listed = tether.ask("1", "tools/list", &params("")).result();
        assert_eq!(listed["ttlMs"], 0, "{case}");
        let posts = posts(&server);
        assert_eq!(
            posts.first().map(String::as_str),
            Some("tools/list"),
            "{case}"
        );
        assert_eq!(
            posts.last().map(String::as_str),
            Some("tools/list"),
            "{case}"
        );
        let opened = posts.iter().filter(|method| *method == "initialize");
        assert_eq!(opened.count(), 1, "{case}: {posts:?}");
    }
}

#[test]
fn an_http_and_sse_server_is_one_of_an_earlier_revision() {
    let server = Sse::new();
    let first = Tether::to(&server);
    begin(&first, true).result();
    let log = server.server.requests();
    let lines: Vec<String> = log
        .iter()
        .map(|sent| format!("{} {}", sent.method, sent.path))
        .collect();
    // In its own words, in those of the other dialect, and over the other transport.
    let expected = ["POST /sse", "POST /sse", "GET /sse", "POST /messages"];
    assert_eq!(lines[..4], expected);
    assert!(kept(&first).contains(r#""sse":true"#));
    let second = Launch::to(&server).home_of(&first).start();
    begin(&second, true).result();
    let first_again = server.server.requests().remove(log.len());
    assert_eq!(first_again.method, "GET");
}

#[test]
fn what_speaks_of_the_moment_or_the_user_leads_to_no_other_dialect() {
    for modern in [false, true] {
        let (method, params) = hello(modern);
        for status in [401, 403, 408, 429, 500, 502, 503, 0] {
            let server = Server::new(move |_| async move {
                if status == 0 {
                    Response::stall()
                } else {
                    Response::status(status)
                }
            });
            let launch = Launch::new().arg(server.at("/mcp"));
            let limits = [
                "--auth",
                "none",
                "--initialize-wait",
                "1",
                "--request-timeout",
                "2",
            ];
            let tether = launch.args(limits).start();
            let refused = tether.ask("1", method, &params);
            assert!(refused.error.is_some(), "{status} {method}");
            let log = server.requests();
            let others = log
                .iter()
                .filter(|sent| sent.rpc_method().as_deref() != Some(method));
            assert_eq!(others.count(), 0, "{status} {method}");
            assert_eq!(kept(&tether), "");
        }
    }
}

#[test]
fn a_matched_pair_makes_no_other_request_and_writes_nothing() {
    let server = Legacy::new();
    let tether = Tether::to(&server);
    tether.initialize();
    tether.ask("1", "tools/list", "{}");
    let expected = ["initialize", "notifications/initialized", "tools/list"];
    assert_eq!(posts(&server.server), expected);
    assert!(!tether.home().join("tether").exists());
    let server = new_server(unsupported);
    let tether = Launch::new().arg(server.at("/mcp")).start();
    begin(&tether, true).result();
    tether.ask("1", "tools/list", &params("")).result();
    assert_eq!(posts(&server), ["server/discover", "tools/list"]);
    assert_eq!(server.requests().len(), 2);
    assert!(!tether.home().join("tether").exists());
}

/// A server whose dialect changes: first the one that its client does not speak, then the client's own.
fn changing(modern_client: bool) -> (Server, Arc<AtomicBool>) {
    let modern = Arc::new(AtomicBool::new(!modern_client));
    let now = Arc::clone(&modern);
    let server = server(move |request| {
        if now.load(Ordering::SeqCst) {
            // Whoever is asked in the wrong dialect for no reason but memory may refuse in any way.
            let odd: Refusal = |request| refuse(request, 400, -32000);
            new_answer(request, if modern_client { odd } else { unsupported })
        } else {
            old_answer(request, no_session)
        }
    });
    (server, modern)
}

#[test]
fn the_verdict_of_a_mixed_pair_is_remembered_until_it_is_wrong() {
    for modern_client in [false, true] {
        let (server, modern) = changing(modern_client);
        let launch = || Launch::new().arg(server.at("/mcp?key=hidden&b=1"));
        let start = |first: &Tether| {
            let before = posts(&server).len();
            let tether = launch().home_of(first).start();
            begin(&tether, modern_client).result();
            (tether, posts(&server).split_off(before))
        };
        let first = launch().start();
        begin(&first, modern_client).result();
        let verdict = format!(r#""modern":{}"#, !modern_client);
        assert!(kept(&first).contains(&verdict), "{}", kept(&first));
        assert!(!kept(&first).contains("hidden"), "{}", kept(&first));
        let (own, other) = if modern_client {
            ("server/discover", "initialize")
        } else {
            ("initialize", "server/discover")
        };
        let (second, sent) = start(&first);
        assert_eq!(sent[0], other);
        assert!(!sent.iter().any(|method| method == own), "{sent:?}");
        assert!(kept(&second).contains(&verdict));

        modern.store(modern_client, Ordering::SeqCst);
        let (third, sent) = start(&second);
        assert_eq!(sent[..2], [other.to_owned(), own.to_owned()]);
        assert!(!kept(&third).contains("modern"), "{}", kept(&third));
        let (_, sent) = start(&third);
        assert_eq!(sent[0], own);
        assert!(!sent.iter().any(|method| method == other), "{sent:?}");
    }
}

#[test]
fn what_is_answered_here_says_nothing_of_the_server() {
    let server = old_server(no_session);
    let launch = || Launch::new().arg(server.at("/mcp"));
    let first = launch().start();
    begin(&first, true).result();
    let stale = r#","name":"t","arguments":{},"inputResponses":{},"requestState":"stale""#;
    for (method, more, code) in [("ping", "", -32601), ("tools/call", stale, -32602)] {
        let before = posts(&server);
        let tether = launch().home_of(&first).start();
        assert_eq!(tether.ask("1", method, &params(more)).code(), code);
        assert_eq!(posts(&server), before, "{method}");
        tether.ask("2", "tools/list", &params("")).result();
        assert_eq!(posts(&server)[before.len()], "initialize");
    }
}

#[test]
fn the_user_may_say_which_dialect_it_is() {
    let run = |server: &Server, modern_client, protocol| {
        let launch = Launch::new().arg(server.at("/mcp"));
        let tether = launch.args(["--protocol", protocol]).start();
        let answer = begin(&tether, modern_client);
        assert_eq!(kept(&tether), "");
        (answer, posts(server))
    };
    let server = new_server(unsupported);
    let (answer, sent) = run(&server, false, "legacy");
    assert_eq!(answer.code(), -32022);
    assert_eq!(sent, ["initialize"]);
    let server = new_server(unsupported);
    let (answer, sent) = run(&server, false, "modern");
    assert_eq!(answer.result()["protocolVersion"], LATEST);
    assert_eq!(sent, ["server/discover"]);

    let server = old_server(|request| refuse(request, 400, -32000));
    let (answer, sent) = run(&server, true, "modern");
    assert_eq!(answer.code(), -32000);
    assert_eq!(sent, ["server/discover"]);
    let server = old_server(no_session);
    let (answer, sent) = run(&server, true, "legacy");
    assert_eq!(answer.result()["resultType"], "complete");
    assert_eq!(sent, ["initialize", "notifications/initialized"]);
}

#[test]
fn a_server_that_refuses_both_is_quoted_with_its_first_refusal() {
    for (modern, first, second) in [
        (false, -32022, -32600),
        (false, -32601, -32601),
        (true, -32000, -32601),
        (true, -32001, -32600),
    ] {
        let server = server(move |request| {
            let opens = request.rpc_method().as_deref() == Some("initialize");
            let code = if opens == modern { second } else { first };
            refuse(request, 400, code)
        });
        let tether = Launch::new().arg(server.at("/mcp")).start();
        let refused = begin(&tether, modern);
        assert_eq!(refused.code(), first, "{modern} {second}");
        let mut expected = ["initialize", "server/discover"];
        if modern {
            expected.reverse();
        }
        assert_eq!(posts(&server), expected);
        assert_eq!(kept(&tether), "");
    }
}

#[test]
fn a_refusal_of_another_request_says_nothing() {
    let server = Legacy::new();
    server.on(
        "tools/list",
        |call| async move { call.refuse(-32022, "no") },
    );
    let tether = Tether::to(&server);
    tether.initialize();
    assert_eq!(tether.ask("1", "tools/list", "{}").code(), -32022);
    let log = server.log().all();
    assert!(
        log.iter()
            .all(|sent| sent.rpc_method().as_deref() != Some("server/discover"))
    );
}
