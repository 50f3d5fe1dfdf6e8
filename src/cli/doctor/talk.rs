//! MCP itself, by the bridge's own code: the stream on which a server sends by itself, the handshake, the list of tools.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::check::Finding;
use super::contact;
use super::patient::Patient;
use super::show::Screen;
use crate::bridge::{Begins, Order};
use crate::cli::session::{self, Nobody, Opened, Session, Trouble};
use crate::error::{Exit, Failure};
use crate::jsonrpc::reply;
use crate::net::guard;
use crate::store::verdicts::Verdict;
use crate::transport::events::Cursor;
use crate::transport::{Http, Listening, Outgoing, Transport};

/// How long the server may take to open its stream.
const LIMIT: Duration = Duration::from_secs(20);

/// Whether the server sends by itself over Streamable HTTP.
pub async fn listen(patient: &Patient<'_>) -> Finding {
    if let Some(why) = patient.no_ground() {
        return Finding::skip(why);
    }
    let Some(remote) = &patient.remote else {
        return Finding::skip("not tried: there is no URL");
    };
    if !matches!(remote.order, Order::HttpFirst | Order::HttpOnly) {
        return Finding::skip("one stream carries everything");
    }
    let http = Transport::Http(Arc::new(Http::new(Arc::clone(&remote.exchange))));
    let work = async {
        http.send(&Outgoing::opening(contact::hello())).await?;
        http.begin(Some("2025-11-25"));
        let ready = reply::notification("notifications/initialized", "{}");
        http.send(&Outgoing::new(ready)).await?;
        http.listen(Cursor::default()).await
    };
    let finding = match tokio::time::timeout(LIMIT, work).await {
        Ok(Ok(Listening::Stream(_))) => {
            Finding::ok("the server can send messages by itself").with("stream", true)
        }
        Ok(Ok(Listening::NotOffered)) => {
            Finding::ok("HTTP 405 to GET: the server sends nothing by itself, which is fine")
                .with("stream", false)
        }
        Ok(Err(Failure::Status(refusal))) if matches!(refusal.status, 400 | 404 | 405) => {
            Finding::skip("the server opens no session of Streamable HTTP")
        }
        Ok(Err(failure)) => Finding::warn(
            format!("the stream of the server's own messages does not open: {failure}"),
            "tools work without it; tell the server's owner",
        )
        .fault("no-stream"),
        Err(_) => Finding::warn(
            format!(
                "the stream of the server's own messages did not open within {} s",
                LIMIT.as_secs()
            ),
            "tools work without it; a proxy on the way may hold streams back",
        )
        .fault("stream-held"),
    };
    http.close().await;
    finding
}

/// The handshake and the list of tools.
pub async fn converse(patient: &mut Patient<'_>, screen: &mut Screen) {
    if let Some(why) = patient.no_ground() {
        screen
            .run("session", async { Finding::skip(why.clone()) })
            .await;
        screen.run("tools", async { Finding::skip(why) }).await;
        return;
    }
    let Some(remote) = patient.remote.take() else {
        return;
    };
    let mut options = session::options(patient.args, &remote);
    // Nobody is asked to sign in: what needs it fails.
    options.begins = Begins::OnDemand;
    let order = remote.order;
    let verdicts = remote.verdicts.clone();
    let server = guard::shown(remote.exchange.url());
    let session = Session::start(options, remote, Arc::new(Nobody));
    let begun = Instant::now();
    let opened = session.open().await;
    let took = begun.elapsed();
    let verdict = verdicts
        .map(|verdicts| verdicts.of(&server, SystemTime::now()))
        .unwrap_or_default();
    let finding = match &opened {
        Ok(opened) => welcomed(opened, order, &verdict),
        Err(trouble) => troubled(trouble, &format!("mcp-tether login {server}")),
    };
    screen.run("session", async { finding.took(took) }).await;
    match &opened {
        Err(_) => {
            screen
                .run("tools", async {
                    Finding::skip("not tried: session failed")
                })
                .await;
        }
        Ok(opened) => screen.run("tools", tools(&session, opened, &server)).await,
    }
    session.leave().await;
}

fn welcomed(opened: &Opened, order: Order, verdict: &Verdict) -> Finding {
    let sse = verdict.sse || order == Order::SseOnly;
    let transport = match order {
        Order::WebSocket => "WebSocket",
        _ if sse => "HTTP+SSE",
        _ => "Streamable HTTP",
    };
    let modern = verdict.modern == Some(true);
    let revision = if modern {
        "2026-07-28"
    } else {
        opened.version.as_str()
    };
    let note = match (modern, sse, order) {
        (true, _, _) => "; clients of earlier revisions are translated for",
        (false, true, Order::HttpFirst) => "; --transport sse-only saves a request",
        _ => "",
    };
    Finding::ok(format!("{transport}, revision {revision}{note}"))
        .with("transport", transport)
        .with("revision", revision)
        .with("modern", modern)
}

async fn tools(session: &Session, opened: &Opened, server: &str) -> Finding {
    if !opened.has("tools") {
        return Finding::skip("the server has no tools");
    }
    match session.list("tools/list", "tools").await {
        Ok(tools) => {
            let number = tools.len();
            let word = if number == 1 { "tool" } else { "tools" };
            Finding::ok(format!("{number} {word}")).with("count", number)
        }
        Err(trouble) => {
            let finding = troubled(&trouble, &format!("mcp-tether login {server}"));
            let found = format!(
                "the handshake works, and tools/list fails: {}",
                finding.found
            );
            let fault = "no-tools-list";
            Finding { found, ..finding }.fault(fault)
        }
    }
}

/// A failure of the bridge, or an error of the server.
fn troubled(trouble: &Trouble, type_login: &str) -> Finding {
    let exit = match trouble.exit() {
        // The server itself said no: it is no usable one.
        Exit::Failed => Exit::NotMcp,
        other => other,
    };
    let hint = match (exit, trouble.hint()) {
        (Exit::Auth, _) => type_login.to_owned(),
        (_, Some(hint)) => hint.to_owned(),
        (_, None) => "tell the server's owner; --debug shows what was said".to_owned(),
    };
    Finding::fail(exit, trouble.message.clone(), hint)
        .with("code", trouble.code)
        .with("kind", trouble.kind.map(crate::error::Kind::name))
}
