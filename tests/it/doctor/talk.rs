//! The server itself: transports, revisions, and what is no MCP server at all.

use super::{at, run, to};
use crate::support::http::Response;
use crate::support::launch::Launch;
use crate::support::mcp::{Legacy, LegacyPlan, Modern, Sse, TOOLS, WebSocket};
use crate::support::modern::reply;
use crate::support::server::{Peer, Server};

#[test]
fn a_server_without_faults_passes_all_checks() {
    let mcp = Legacy::new();
    let doctor = run(to(&mcp));
    assert_eq!(doctor.output.code, Some(0), "{:#}", doctor.document);
    assert_eq!(doctor.document["verdict"], "ok");
    assert_eq!(doctor.document["url"], mcp.url());
    assert_eq!(doctor.document["version"], env!("CARGO_PKG_VERSION"));
    let names: Vec<&str> = doctor.document["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| check["name"].as_str().unwrap())
        .collect();
    let all = [
        "url", "options", "proxy", "dns", "tcp", "tls", "http", "clock", "files", "store",
        "metadata", "client", "callback", "login", "listen", "session", "tools",
    ];
    assert_eq!(names, all, "the names are stable");
    for check in doctor.document["checks"].as_array().unwrap() {
        assert_ne!(check["result"], "fail", "{check}");
        assert!(
            check["ms"].is_u64() && check["details"].is_object(),
            "{check}"
        );
    }
    let session = doctor.is("session", "ok");
    assert_eq!(session["details"]["transport"], "Streamable HTTP");
    assert_eq!(session["details"]["modern"], false);
    assert_eq!(doctor.is("tools", "ok")["details"]["count"], 3);
    // No stream of the server's own: that is fine.
    assert_eq!(doctor.is("listen", "ok")["details"]["stream"], false);
    assert!(mcp.sessions().is_empty(), "each session was left");
}

#[test]
fn people_get_lines_with_hints() {
    let mcp = Legacy::new();
    let output = to(&mcp).run("");
    assert_eq!(
        (output.code, output.stderr.as_str()),
        (Some(0), ""),
        "{output:?}"
    );
    assert!(
        output
            .stdout
            .starts_with("ok    url       http://127.0.0.1:"),
        "{output:?}"
    );
    assert!(output.stdout.ends_with("\nall is well\n"), "{output:?}");
    let output = at("https://nowhere.invalid/mcp").run("");
    assert_eq!(output.code, Some(4));
    for line in output.stdout.lines() {
        assert!(line.chars().count() <= 80, "{line}");
        assert!(!line.contains('\u{1b}'), "{line}");
    }
    assert!(
        output.stdout.contains("\n                hint: "),
        "{output:?}"
    );
    assert!(output.stdout.contains("dns failed"), "{output:?}");
    let output = at("https://nowhere.invalid/mcp")
        .args(["--color", "always"])
        .run("");
    assert!(output.stdout.contains("\u{1b}[31mfail"), "{output:?}");
}

#[test]
fn a_server_without_a_url_is_a_usage_error() {
    let output = Launch::new().arg("doctor").run("");
    assert_eq!(output.code, Some(2));
    assert!(
        output.stderr.contains("mcp-tether doctor https://"),
        "{output:?}"
    );
}

#[test]
fn a_stream_of_the_servers_own_is_told() {
    let mcp = LegacyPlan::default().listens().serve();
    let doctor = run(to(&mcp));
    assert_eq!(doctor.is("listen", "ok")["details"]["stream"], true);
}

#[test]
fn a_server_of_http_and_sse_is_fine() {
    let mcp = Sse::new();
    let doctor = run(to(&mcp));
    assert_eq!(doctor.output.code, Some(0), "{:#}", doctor.document);
    assert_eq!(doctor.is("http", "ok")["details"]["httpStatus"], 405);
    let session = doctor.is("session", "ok");
    assert_eq!(session["details"]["transport"], "HTTP+SSE");
    let found = session["found"].as_str().unwrap();
    assert!(found.contains("--transport sse-only"), "{found}");
    let doctor = run(to(&mcp).args(["--transport", "sse-only"]));
    assert_eq!(doctor.output.code, Some(0), "{:#}", doctor.document);
    let doctor = run(to(&mcp).args(["--transport", "http-only"]));
    doctor.is("session", "fail");
    assert_eq!(doctor.output.code, Some(5));
}

#[test]
fn a_websocket_server_is_fine() {
    let mcp = WebSocket::new();
    let doctor = run(to(&mcp));
    assert_eq!(doctor.output.code, Some(0), "{:#}", doctor.document);
    assert_eq!(
        doctor.is("session", "ok")["details"]["transport"],
        "WebSocket"
    );
}

#[test]
fn a_server_of_the_new_revision_alone_is_fine() {
    let tools = TOOLS.replacen(
        '{',
        r#"{"resultType":"complete","ttlMs":0,"cacheScope":"private","#,
        1,
    );
    let mcp = Modern::new(r#"{"tools":{}}"#, move |request| reply(request, &tools));
    let doctor = run(to(&mcp));
    assert_eq!(doctor.output.code, Some(0), "{:#}", doctor.document);
    let session = doctor.is("session", "ok");
    assert_eq!(session["details"]["modern"], true);
    assert_eq!(session["details"]["revision"], "2026-07-28");
    assert_eq!(doctor.is("tools", "ok")["details"]["count"], 3);
}

#[test]
fn a_web_page_is_no_server() {
    let web = Server::new(|_| async { Response::html(200, "<p>\u{1b}[31mhello</p>") });
    let doctor = run(at(&web.at("/")).watch(&web));
    doctor.fails(
        "http",
        "web-page",
        5,
        &format!("mcp-tether doctor {}", web.at("/mcp")),
    );
    doctor.is("session", "skip");
}

#[test]
fn a_path_where_nothing_is_is_recognised() {
    let web = Server::new(|_| async { Response::html(404, "<p>not found</p>") });
    let doctor = run(to(&web));
    let session = doctor.is("session", "fail");
    assert_eq!(doctor.output.code, Some(5), "{:#}", doctor.document);
    assert!(
        session["found"].as_str().unwrap().contains("404"),
        "{session}"
    );
    assert!(
        session["hint"].as_str().unwrap().contains("/mcp"),
        "{session}"
    );
}

#[test]
fn a_server_that_is_out_of_order_is_recognised() {
    let web = Server::new(|_| async { Response::status(503) });
    let doctor = run(to(&web));
    doctor.fails("http", "server-problem", 5, "try again later");
}

#[test]
fn a_list_of_tools_that_fails_is_recognised() {
    let mcp = Legacy::new();
    mcp.on("tools/list", |call| async move {
        call.refuse(-32603, "no \u{1b}[31mdatabase")
    });
    let doctor = run(to(&mcp));
    doctor.is("session", "ok");
    doctor.fails("tools", "no-tools-list", 5, "owner");
    let found = doctor.check("tools")["found"].as_str().unwrap();
    assert!(
        found.contains("database") && !found.contains('\u{1b}'),
        "{found}"
    );
}

#[test]
fn an_access_that_is_refused_is_recognised() {
    let web = Server::new(|_| async { Response::status(403) });
    run(to(&web)).fails("http", "forbidden", 3, "access");
    let web = Server::new(|_| async { Response::status(401) });
    let doctor = run(to(&web).args(["--header", "Authorization: Bearer s3cret"]));
    doctor.fails("metadata", "unauthorized", 3, "Authorization header");
    assert!(!doctor.output.stdout.contains("s3cret"));
}
