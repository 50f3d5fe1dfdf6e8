//! The scripted MCP servers, asked by a plain HTTP client.

use reqwest::{Client, RequestBuilder, Response as Answer};

use super::block_on;
use crate::support::http::Response;
use crate::support::mcp::{ANSWER, Legacy, LegacyPlan, Sse};
use crate::support::rpc;
use crate::support::server::Peer;

fn client() -> Client {
    // No test here speaks TLS, but a client without a provider does not start.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().build().unwrap()
}

fn post(client: &Client, url: &str, body: &str) -> RequestBuilder {
    client
        .post(url)
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .body(body.to_owned())
}

async fn hello(client: &Client, url: &str, version: &str) -> Answer {
    let params = format!(r#"{{"protocolVersion":"{version}"}}"#);
    let request = rpc::request("0", "initialize", &params);
    post(client, url, &request).send().await.unwrap()
}

/// A POST inside the session `session-1` of 2025-11-25.
async fn ask(client: &Client, url: &str, body: &str) -> Answer {
    let request = post(client, url, body).header("mcp-session-id", "session-1");
    let request = request.header("mcp-protocol-version", "2025-11-25");
    request.send().await.unwrap()
}

#[test]
fn the_legacy_server_keeps_sessions_and_raw_ids() {
    let mcp = Legacy::new();
    let (client, url) = (client(), mcp.url());
    block_on(async {
        let answer = hello(&client, &url, "2025-11-25").await;
        assert_eq!(answer.headers()["mcp-session-id"], "session-1");
        let add = rpc::call("\"7\"", "add", r#"{"a":1,"b":2}"#);
        let answer = ask(&client, &url, &add).await.text().await.unwrap();
        assert_eq!(
            answer,
            rpc::result("\"7\"", r#"{"content":[{"type":"text","text":"3"}]}"#)
        );
        let echo = rpc::call(
            "1",
            "echo",
            r#"{"n":1.0,"big":123456789012345678901234567890}"#,
        );
        let answer = ask(&client, &url, &echo).await.text().await.unwrap();
        assert!(answer.contains(r#"{"n":1.0,"big":123456789012345678901234567890}"#));
        let note = rpc::notification("notifications/initialized", "{}");
        assert_eq!(ask(&client, &url, &note).await.status(), 202);
        assert_eq!(
            ask(&client, &url, &rpc::result("1", "{}")).await.status(),
            202
        );
        let get = client
            .get(&url)
            .header("mcp-protocol-version", "2025-11-25");
        assert_eq!(get.send().await.unwrap().status(), 405);
        mcp.forget_sessions();
        assert_eq!(ask(&client, &url, &add).await.status(), 404);
        let answer = hello(&client, &url, "2025-11-25").await;
        assert_eq!(answer.headers()["mcp-session-id"], "session-2");
    });
    assert_eq!(mcp.sessions(), ["session-2"]);
    assert_eq!(mcp.wait_calls("tools/call", 3).len(), 3);
    assert_eq!(mcp.calls("initialize").len(), 2);
}

#[test]
fn the_legacy_server_streams_progress_and_listens() {
    let mcp = LegacyPlan::default().listens().streams().serve();
    let (client, url) = (client(), mcp.url());
    block_on(async {
        let hello = hello(&client, &url, "2025-11-25")
            .await
            .text()
            .await
            .unwrap();
        assert!(hello.starts_with("data: {"), "{hello}");
        let params =
            r#"{"name":"slow","arguments":{"ms":2,"steps":2},"_meta":{"progressToken":"p"}}"#;
        let slow = rpc::request("1", "tools/call", params);
        let events = ask(&client, &url, &slow).await.text().await.unwrap();
        assert_eq!(
            events.matches(r#""progressToken":"p""#).count(),
            2,
            "{events}"
        );
        assert!(events.contains(r#""id":1,"result""#), "{events}");
        let get = client
            .get(&url)
            .header("mcp-protocol-version", "2025-11-25");
        let mut stream = get
            .header("mcp-session-id", "session-1")
            .send()
            .await
            .unwrap();
        mcp.listening(1).event("hi");
        assert_eq!(stream.chunk().await.unwrap().unwrap(), "data: hi\n\n");
        let delete = client
            .delete(&url)
            .header("mcp-protocol-version", "2025-11-25");
        let answer = delete
            .header("mcp-session-id", "session-1")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
    });
    assert_eq!(mcp.calls("DELETE").len(), 1);
    assert!(mcp.sessions().is_empty());
}

#[test]
fn hooks_are_used_in_order_and_counted() {
    let mcp = LegacyPlan::default().stateless().lenient().serve();
    let (client, url) = (client(), mcp.url());
    mcp.times(1, "ping", |_| async {
        Response::status(503).header("retry-after", "1")
    });
    mcp.times(1, "ping", |call| async move { call.refuse(-1, "no") });
    mcp.on(ANSWER, |_| async { Response::status(500) });
    block_on(async {
        let ping = || async { ask(&client, &url, &rpc::request("1", "ping", "{}")).await };
        assert_eq!(ping().await.headers()["retry-after"], "1");
        assert_eq!(
            ping().await.text().await.unwrap(),
            rpc::error("1", -1, "no")
        );
        assert_eq!(ping().await.text().await.unwrap(), rpc::result("1", "{}"));
        assert_eq!(
            ask(&client, &url, &rpc::result("1", "{}")).await.status(),
            500
        );
    });
}

#[test]
fn a_hooked_method_meets_a_lost_session_and_a_hooked_session_is_admitted() {
    let mcp = Legacy::new();
    let (client, url) = (client(), mcp.url());
    mcp.on("ping", |call| async move { call.reply("[]") });
    mcp.admit("session-1");
    let ping = rpc::request("1", "ping", "{}");
    block_on(async {
        let answer = ask(&client, &url, &ping).await.text().await.unwrap();
        assert_eq!(answer, rpc::result("1", "[]"));
        mcp.forget_sessions();
        assert_eq!(ask(&client, &url, &ping).await.status(), 404);
    });
}

#[test]
fn a_strict_server_reports_the_clients_offences() {
    let mcp = Legacy::new();
    let (client, url) = (client(), mcp.url());
    block_on(async {
        hello(&client, &url, "2025-06-18").await;
        let bare = client.post(&url).body("{}").send().await.unwrap();
        assert_eq!(bare.status(), 400);
        assert_eq!(ask(&client, &url, "{}").await.status(), 400);
    });
    let faults = mcp.faults().take();
    assert!(faults[0].starts_with("Accept lacks"), "{faults:?}");
    assert!(
        faults[1].starts_with("mcp-protocol-version is not 2025-06-18"),
        "{faults:?}"
    );
}

#[test]
fn the_sse_server_answers_on_its_stream() {
    let sse = Sse::new();
    let (client, url) = (client(), sse.url());
    sse.refuse_streams(1);
    sse.on("notifications/x", |_| async { Some("pushed".to_owned()) });
    block_on(async {
        assert_eq!(
            post(&client, &url, "{}").send().await.unwrap().status(),
            405
        );
        assert_eq!(client.get(&url).send().await.unwrap().status(), 503);
        let mut stream = client.get(&url).send().await.unwrap();
        let endpoint = stream.chunk().await.unwrap().unwrap();
        assert_eq!(endpoint, "event: endpoint\ndata: /messages?sessionId=1\n\n");
        let endpoint = sse.server.at("/messages?sessionId=1");
        let say = |text: String| post(&client, &endpoint, &text).send();
        assert_eq!(
            say(rpc::request("1", "ping", "{}")).await.unwrap().status(),
            202
        );
        let pong = format!("event: message\ndata: {}\n\n", rpc::result("1", "{}"));
        assert_eq!(stream.chunk().await.unwrap().unwrap(), pong);
        say(rpc::notification("notifications/x", "{}"))
            .await
            .unwrap();
        let pushed = stream.chunk().await.unwrap().unwrap();
        assert_eq!(pushed, "event: message\ndata: pushed\n\n");
        sse.drop_streams();
        assert!(stream.chunk().await.is_err());
        sse.stream(1).gone().opened().await;
        assert_eq!(
            say(rpc::request("2", "ping", "{}")).await.unwrap().status(),
            404
        );
    });
    assert_eq!(sse.calls("ping").len(), 2);
}
