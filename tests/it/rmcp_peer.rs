//! An independent implementation as the remote: a server of the `rmcp` crate, with and without
//! sessions.

use std::convert::Infallible;
use std::sync::{Arc, mpsc};

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ListToolsResult,
    PaginatedRequestParams, ProgressNotificationParam, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};

use crate::support::launch::Launch;
use crate::support::rpc;
use crate::support::tether::Tether;

#[derive(Clone)]
struct Peer;

impl ServerHandler for Peer {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = json!({ "type": "object" })
            .as_object()
            .cloned()
            .unwrap_or_default();
        let tool = |name: &'static str| Tool::new(name, "a tool", schema.clone());
        let tools = ["sum", "steps", "ask"].map(tool);
        Ok(ListToolsResult::with_all_items(tools.into()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        let text = match request.name.as_ref() {
            "sum" => {
                let number = |name: &str| arguments[name].as_i64().unwrap_or_default();
                (number("a") + number("b")).to_string()
            }
            "steps" => steps(&context).await,
            "ask" => ask(&context).await,
            other => {
                let message = format!("no tool {other}");
                return Err(ErrorData::invalid_params(message, None));
            }
        };
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }
}

async fn steps(context: &RequestContext<RoleServer>) -> String {
    let token = context.meta.get_progress_token().expect("a progress token");
    for step in [1.0, 2.0, 3.0] {
        let note = ProgressNotificationParam::new(token.clone(), step).with_total(3.0);
        context
            .peer
            .notify_progress(note)
            .await
            .expect("it is sent");
    }
    "done".to_owned()
}

#[allow(deprecated, reason = "legacy revisions have it")]
async fn ask(context: &RequestContext<RoleServer>) -> String {
    match context.peer.list_roots().await {
        Ok(answer) => answer.roots.iter().map(|root| root.uri.as_str()).collect(),
        Err(e) => format!("failed: {e}"),
    }
}

/// Starts the server on a thread that lives as long as the test process; gives its URL.
fn serve(config: StreamableHttpServerConfig) -> String {
    let (ready, address) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async move {
            let sessions = Arc::new(LocalSessionManager::default());
            let service = StreamableHttpService::new(|| Ok(Peer), sessions, config);
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
                .await
                .expect("a port");
            let _ = ready.send(listener.local_addr().expect("a bound socket"));
            while let Ok((stream, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    let answer = service_fn(move |request| {
                        let service = service.clone();
                        async move { Ok::<_, Infallible>(service.handle(request).await) }
                    });
                    let http = hyper::server::conn::http1::Builder::new();
                    let _ = http.serve_connection(TokioIo::new(stream), answer).await;
                });
            }
        });
    });
    format!("http://{}/mcp", address.recv().expect("the server listens"))
}

fn start(url: &str) -> Tether {
    let tether = Launch::new().arg(url).start();
    let hello = tether.initialize_as("2025-11-25", r#"{"roots":{}}"#);
    assert_eq!(hello.result()["protocolVersion"], "2025-11-25");
    tether
}

fn text(answer: &rpc::Rpc) -> String {
    answer.result()["content"][0]["text"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn lists_and_calls(tether: &Tether) {
    let list = tether.ask("1", "tools/list", "{}").result();
    let names = list["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].clone());
    assert_eq!(names.collect::<Vec<_>>(), ["sum", "steps", "ask"]);
    let sum = tether.call("\"2\"", "sum", r#"{"a":40,"b":2}"#);
    assert_eq!(text(&sum), "42");
    assert_eq!(tether.call("3", "unheard_of", "{}").code(), -32602);
}

fn progresses(tether: &Tether) {
    let params = r#"{"name":"steps","arguments":{},"_meta":{"progressToken":"p"}}"#;
    tether.send(&rpc::request("4", "tools/call", params));
    for step in [1.0, 2.0, 3.0] {
        let note = tether.recv();
        assert_eq!(note.params()["progressToken"], "p", "{}", note.text);
        assert_eq!(note.params()["progress"], step, "{}", note.text);
    }
    assert_eq!(text(&tether.recv()), "done");
}

#[test]
fn with_sessions() {
    let url = serve(StreamableHttpServerConfig::default());
    let tether = start(&url);
    lists_and_calls(&tether);
    progresses(&tether);
    tether.send(&rpc::call("5", "ask", "{}"));
    let asked = tether.request("roots/list");
    let answer = r#"{"roots":[{"uri":"file:///a"}]}"#;
    tether.send(&rpc::result(asked.id.as_deref().unwrap(), answer));
    assert_eq!(text(&tether.answer("5")), "file:///a");
    assert_eq!(tether.stderr(), "");
    assert_eq!(tether.finish(), 0);
}

#[test]
fn without_sessions() {
    for json in [false, true] {
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(json);
        let url = serve(config);
        let tether = start(&url);
        lists_and_calls(&tether);
        progresses(&tether);
        assert_eq!(tether.stderr(), "");
        assert_eq!(tether.finish(), 0);
    }
}
