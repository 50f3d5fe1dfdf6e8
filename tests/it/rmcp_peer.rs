//! An independent implementation as the remote: a server of the `rmcp` crate in the dialect of either era, to clients of both.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::{Arc, mpsc};

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, InputRequest,
    InputRequiredResult, ListToolsResult, PaginatedRequestParams, ProgressNotificationParam,
    ProtocolVersion, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};

use crate::support::launch::Launch;
use crate::support::rpc;
use crate::support::tether::Tether;

/// A server that speaks these revisions.
#[derive(Clone, Copy)]
struct Peer(&'static [ProtocolVersion]);

/// The revisions with `initialize`, and the one without.
fn legacy() -> Peer {
    Peer(ProtocolVersion::known_up_to(
        &ProtocolVersion::LATEST_WITH_INITIALIZE,
    ))
}

const MODERN: Peer = Peer(&[ProtocolVersion::V_2026_07_28]);

impl ServerHandler for Peer {
    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(self.0)
    }

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
        let modern = context.protocol_version() >= Some(ProtocolVersion::NO_INITIALIZE);
        if modern && request.name == "ask" {
            return Ok(asked_again(&request));
        }
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

/// The same without requests of its own: it asks in a result, and goes on when it is called with the answer.
#[allow(deprecated, reason = "both eras have it")]
fn asked_again(request: &CallToolRequestParams) -> CallToolResponse {
    let Some(answers) = &request.input_responses else {
        let asked = InputRequest::ListRoots(rmcp::model::ListRootsRequest::default());
        let asked = [("where".to_owned(), asked)].into();
        return InputRequiredResult::new(Some(asked), Some("st/1 \u{e9}".to_owned())).into();
    };
    assert_eq!(request.request_state.as_deref(), Some("st/1 \u{e9}"));
    let roots = answers["where"]["roots"].as_array().expect("roots");
    let text: String = roots
        .iter()
        .filter_map(|root| root["uri"].as_str())
        .collect();
    CallToolResult::success(vec![ContentBlock::text(text)]).into()
}

/// Starts the server on a thread that lives as long as the test process; gives its URL.
fn serve(peer: Peer, config: StreamableHttpServerConfig) -> String {
    let (ready, address) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async move {
            let sessions = Arc::new(LocalSessionManager::default());
            let service = StreamableHttpService::new(move || Ok(peer), sessions, config);
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

/// A client of either era.
struct Client {
    tether: Tether,
    /// The `_meta` of each request, but for a progress token.
    meta: Option<Value>,
}

const ROOTS: &str = r#"{"roots":[{"uri":"file:///a"}]}"#;

impl Client {
    fn legacy(url: &str) -> Self {
        let tether = Launch::new().arg(url).start();
        let hello = tether.initialize_as("2025-11-25", r#"{"roots":{}}"#);
        assert_eq!(hello.result()["protocolVersion"], "2025-11-25");
        Self { tether, meta: None }
    }

    fn modern(url: &str) -> Self {
        let tether = Launch::new().arg(url).start();
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": { "roots": {} },
        });
        let client = Self {
            tether,
            meta: Some(meta),
        };
        let hello = client.ask("\"hello\"", "server/discover", json!({}));
        let versions = hello["supportedVersions"].as_array().expect("versions");
        assert!(versions.contains(&json!("2026-07-28")), "{hello}");
        client
    }

    fn params(&self, mut params: Value) -> String {
        if let Some(Value::Object(meta)) = &self.meta {
            let members = meta.iter().map(|(key, value)| (key.clone(), value.clone()));
            let own = params["_meta"].take();
            let own = own.as_object().cloned().unwrap_or_default();
            params["_meta"] = members.chain(own).collect();
        }
        params.to_string()
    }

    /// The result, which is of the kind that the client's revision has.
    fn ask(&self, id: &str, method: &str, params: Value) -> Value {
        let result = self.tether.ask(id, method, &self.params(params)).result();
        let kind = self.meta.as_ref().map(|_| "complete");
        assert_eq!(result["resultType"].as_str(), kind, "{result}");
        result
    }

    fn lists_and_calls(&self) {
        let list = self.ask("1", "tools/list", json!({}));
        let tools = list["tools"].as_array().unwrap().iter();
        let names: Vec<_> = tools.map(|tool| tool["name"].clone()).collect();
        assert_eq!(names, ["sum", "steps", "ask"]);
        let sum = json!({ "name": "sum", "arguments": { "a": 40, "b": 2 } });
        assert_eq!(text(&self.ask("\"2\"", "tools/call", sum)), "42");
        let unknown = self.params(json!({ "name": "unheard_of", "arguments": {} }));
        let refused = self.tether.ask("3", "tools/call", &unknown);
        assert_eq!(refused.code(), -32602);
    }

    fn progresses(&self) {
        let meta = json!({ "progressToken": "p" });
        let params = json!({ "name": "steps", "arguments": {}, "_meta": meta });
        let params = self.params(params);
        self.tether.send(&rpc::request("4", "tools/call", &params));
        for step in [1.0, 2.0, 3.0] {
            let note = self.tether.recv();
            assert_eq!(note.params()["progressToken"], "p", "{}", note.text);
            assert_eq!(note.params()["progress"], step, "{}", note.text);
        }
        assert_eq!(text(&self.tether.recv().result()), "done");
    }

    fn is_asked(&self) {
        let params = json!({ "name": "ask", "arguments": {} });
        if self.meta.is_some() {
            return self.goes_on(params);
        }
        self.tether
            .send(&rpc::request("5", "tools/call", &params.to_string()));
        let asked = self.tether.request("roots/list");
        let id = asked.id.as_deref().unwrap();
        self.tether.send(&rpc::result(id, ROOTS));
        assert_eq!(text(&self.tether.answer("5").result()), "file:///a");
    }

    fn goes_on(&self, mut params: Value) {
        let first = self.params(params.clone());
        let asked = self.tether.ask("5", "tools/call", &first).result();
        assert_eq!(asked["resultType"], "input_required", "{asked}");
        let inputs = asked["inputRequests"].as_object().expect("inputs");
        let (key, input) = inputs.iter().next().expect("an input");
        assert_eq!(input["method"], "roots/list");
        let roots: Value = serde_json::from_str(ROOTS).unwrap();
        params["inputResponses"] = json!({ key: roots });
        params["requestState"] = asked["requestState"].clone();
        assert_eq!(text(&self.ask("6", "tools/call", params)), "file:///a");
    }

    fn leaves(self) {
        assert_eq!(self.tether.stderr(), "");
        assert_eq!(self.tether.finish(), 0);
    }

    /// All of it, in which the server must be able to ask.
    fn does_all(self) {
        self.lists_and_calls();
        self.progresses();
        self.is_asked();
        self.leaves();
    }
}

fn text(result: &Value) -> String {
    result["content"][0]["text"].as_str().unwrap().to_owned()
}

fn config() -> StreamableHttpServerConfig {
    StreamableHttpServerConfig::default()
}

#[test]
fn with_sessions() {
    Client::legacy(&serve(legacy(), config())).does_all();
}

#[test]
fn without_sessions() {
    for json in [false, true] {
        let config = config()
            .with_legacy_session_mode(false)
            .with_json_response(json);
        let client = Client::legacy(&serve(legacy(), config));
        client.lists_and_calls();
        client.progresses();
        client.leaves();
    }
}

#[test]
fn a_new_client_and_a_new_server() {
    Client::modern(&serve(MODERN, config())).does_all();
}

#[test]
fn an_old_client_and_a_new_server() {
    Client::legacy(&serve(MODERN, config())).does_all();
}

#[test]
fn a_new_client_and_an_old_server() {
    Client::modern(&serve(legacy(), config())).does_all();
}

#[test]
fn clients_of_both_eras_and_a_server_of_both() {
    let url = serve(Peer(ProtocolVersion::KNOWN_VERSIONS), config());
    Client::legacy(&url).does_all();
    Client::modern(&url).does_all();
}
