//! The far end: the MCP server of a setting and its authorization server, which forgive what a broken line makes of requests and
//! count what each call did. They must not know of any fault.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::case::{Access, Era, Setting, Transport};
use crate::support::gate::lock;
use crate::support::http::{Feed, Request, Response, event};
use crate::support::mcp::{TOOLS, WebSocket, initialize_result};
use crate::support::modern::{REVISION, SUBSCRIPTION, discovered};
use crate::support::rpc::{self, Rpc};
use crate::support::server::Server;

/// Where the metadata of the resource is (RFC 9728 §3.1).
pub const RESOURCE: &str = "/.well-known/oauth-protected-resource/mcp";

/// Where the metadata of the authorization server is (RFC 8414 §3).
pub const ISSUER: &str = "/.well-known/oauth-authorization-server";

/// Its token endpoint.
pub const TOKEN: &str = "/token";

/// The servers of a setting.
pub struct Far {
    http: Server,
    websocket: Option<WebSocket>,
    state: Arc<State>,
}

/// What they share.
pub struct State {
    setting: Setting,
    /// What the calls said, in their order.
    calls: Mutex<Vec<String>>,
    /// Answers that a stream may be resumed for, by what the call said.
    kept: Mutex<BTreeMap<String, String>>,
    sessions: Mutex<BTreeSet<String>>,
    tokens: Mutex<BTreeSet<String>>,
    minted: AtomicUsize,
    /// The event streams of HTTP+SSE.
    streams: Mutex<Vec<Feed>>,
    /// Where the bridge sees the HTTP server.
    origin: Mutex<String>,
    /// The resource that tokens are for.
    resource: Mutex<String>,
}

impl Far {
    /// Those of that setting, running.
    pub fn new(setting: Setting) -> Self {
        let state = Arc::new(State {
            setting,
            calls: Mutex::default(),
            kept: Mutex::default(),
            sessions: Mutex::default(),
            tokens: Mutex::default(),
            minted: AtomicUsize::new(0),
            streams: Mutex::default(),
            origin: Mutex::default(),
            resource: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        let http = Server::new(move |request| {
            let response = shared.answer(&request);
            async { response }
        });
        // With a WebSocket it may be that nobody needs it.
        http.allow_idle();
        let websocket = (setting.transport == Transport::WebSocket).then(|| {
            let socket = WebSocket::new();
            let shared = Arc::clone(&state);
            socket.on("tools/call", move |call| {
                let answer = call.rpc.map(|rpc| shared.call(&rpc));
                async { answer }
            });
            socket
        });
        Self {
            http,
            websocket,
            state,
        }
    }

    /// Where the HTTP server is: all but the messages of WebSocket.
    pub fn http(&self) -> SocketAddr {
        self.http.address()
    }

    /// Where the WebSocket server is.
    pub fn websocket(&self) -> Option<SocketAddr> {
        self.websocket.as_ref().map(WebSocket::address)
    }

    /// Says where the bridge sees the HTTP server, and the MCP server on it or beside it.
    pub fn seen_at(&self, http: SocketAddr, resource: &str) {
        *lock(&self.state.origin) = format!("http://{http}");
        resource.clone_into(&mut lock(&self.state.resource));
        if let (Some(socket), Access::Token) = (&self.websocket, self.state.setting.access) {
            socket.wants_token(&format!(
                r#"Bearer resource_metadata="http://{http}{RESOURCE}""#
            ));
        }
    }

    /// How often a call was done that said this.
    pub fn done(&self, text: &str) -> usize {
        let calls = lock(&self.state.calls);
        calls.iter().filter(|own| *own == text).count()
    }

    /// Waits until a call was done that said this.
    pub async fn until_done(&self, text: &str) {
        while self.done(text) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// How many calls were done in all.
    pub fn all_done(&self) -> usize {
        lock(&self.state.calls).len()
    }

    /// Makes all tokens so far worth nothing.
    pub fn revoke(&self) {
        lock(&self.state.tokens).clear();
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        // What broken requests provoked is no fault of the bridge's.
        self.http.faults().take();
    }
}

impl State {
    fn answer(&self, request: &Request) -> Response {
        match request.path.as_str() {
            RESOURCE => return self.resource(),
            ISSUER => return self.metadata(),
            TOKEN => return self.token(request),
            _ => {}
        }
        if self.setting.access == Access::Token && !self.admits(request) {
            let origin = lock(&self.origin).clone();
            let challenge = format!(r#"Bearer resource_metadata="{origin}{RESOURCE}""#);
            return Response::status(401).header("www-authenticate", &challenge);
        }
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/sse") => self.stream(),
            ("POST", "/sse") => Response::status(405),
            ("POST", "/messages") => self.message(request),
            ("GET", "/mcp") => self.resume(request),
            ("DELETE", "/mcp") => Response::status(200),
            ("POST", "/mcp") => self.post(request),
            _ => Response::status(404),
        }
    }

    fn resource(&self) -> Response {
        let document = json!({
            "resource": *lock(&self.resource),
            "authorization_servers": [*lock(&self.origin)],
        });
        Response::json(200, document.to_string())
    }

    fn metadata(&self) -> Response {
        let origin = lock(&self.origin).clone();
        let document = json!({
            "issuer": origin,
            "authorization_endpoint": format!("{origin}/authorize"),
            "token_endpoint": format!("{origin}{TOKEN}"),
            "response_types_supported": ["code"],
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
        });
        Response::json(200, document.to_string())
    }

    fn token(&self, request: &Request) -> Response {
        if !request.text().contains("grant_type=client_credentials") {
            return Response::json(400, r#"{"error":"invalid_request"}"#);
        }
        let token = format!("token-{:06}", self.mint());
        lock(&self.tokens).insert(token.clone());
        let body =
            format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600}}"#);
        Response::json(200, body).header("cache-control", "no-store")
    }

    fn admits(&self, request: &Request) -> bool {
        let header = request.header("authorization").unwrap_or_default();
        let token = header.strip_prefix("Bearer ").unwrap_or_default();
        lock(&self.tokens).contains(token)
    }

    fn mint(&self) -> usize {
        self.minted.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Opens an event stream of HTTP+SSE.
    fn stream(&self) -> Response {
        let (response, feed) = Response::events();
        let mut streams = lock(&self.streams);
        let number = streams.len();
        feed.send(format!(
            "event: endpoint\ndata: /messages?session={number:06}\n\n"
        ));
        streams.push(feed);
        response
    }

    fn message(&self, request: &Request) -> Response {
        let number = request
            .query
            .as_deref()
            .and_then(|own| own.strip_prefix("session="));
        let number = number.and_then(|own| own.parse::<usize>().ok());
        let feed = number.and_then(|own| lock(&self.streams).get(own).cloned());
        let Some(feed) = feed.filter(|feed| !feed.gone().is_open()) else {
            return Response::status(404);
        };
        let Some(rpc) = request.rpc() else {
            return Response::status(400);
        };
        if rpc.is_request() {
            feed.send(format!("event: message\ndata: {}\n\n", self.legacy(&rpc)));
        }
        Response::accepted()
    }

    /// Streamable HTTP of either era.
    fn post(&self, request: &Request) -> Response {
        let Some(rpc) = request.rpc() else {
            return Response::of(400, "text/plain", "no message");
        };
        if self.setting.server == Era::Modern {
            return self.modern(&rpc);
        }
        let first = rpc.method.as_deref() == Some("initialize");
        let session = request.header("mcp-session-id").map(str::to_owned);
        match session {
            _ if first => {}
            None => return Response::status(400),
            Some(session) if lock(&self.sessions).contains(&session) => {}
            Some(_) => return Response::status(404),
        }
        if !rpc.is_request() {
            return Response::accepted();
        }
        let response = self.worded(&rpc, &self.legacy(&rpc));
        if !first {
            return response;
        }
        let session = format!("session-{:06}", self.mint());
        lock(&self.sessions).insert(session.clone());
        response.header("mcp-session-id", &session)
    }

    /// An answer in the form of the setting.
    fn worded(&self, rpc: &Rpc, text: &str) -> Response {
        match self.setting.transport {
            Transport::Stream => {
                let (response, feed) = Response::events();
                feed.event(text);
                response
            }
            Transport::Ids => {
                let (response, feed) = Response::events();
                let said = said(rpc);
                feed.send(format!("id: {said}-0\nretry: 10\ndata: \n\n"));
                feed.send(event(Some(&format!("{said}-1")), text));
                lock(&self.kept).insert(said, text.to_owned());
                response
            }
            _ => Response::json(200, text.to_owned()),
        }
    }

    /// What came after an event, on a stream of its own.
    fn resume(&self, request: &Request) -> Response {
        let last = request.header("last-event-id");
        let Some((said, number)) = last.and_then(|last| last.rsplit_once('-')) else {
            return Response::status(405);
        };
        let (response, feed) = Response::events();
        if let (Some(text), "0") = (lock(&self.kept).get(said), number) {
            feed.send(event(Some(&format!("{said}-1")), text));
        }
        response
    }

    /// What a legacy server says to a request.
    fn legacy(&self, rpc: &Rpc) -> String {
        let id = rpc.id.as_deref().unwrap_or("null");
        match rpc.method.as_deref().unwrap_or_default() {
            "initialize" => {
                let asked = rpc.params()["protocolVersion"].clone();
                let version = match self.setting.transport {
                    Transport::Sse => "2024-11-05",
                    _ => asked
                        .as_str()
                        .filter(|own| own.starts_with("202"))
                        .unwrap_or("2025-11-25"),
                };
                let version = if version == REVISION {
                    "2025-11-25"
                } else {
                    version
                };
                rpc::result(id, &initialize_result(version))
            }
            "tools/call" => self.call(rpc),
            "ping" => rpc::result(id, "{}"),
            "tools/list" => rpc::result(id, TOOLS),
            other => rpc::error(id, -32601, &format!("no method {other}")),
        }
    }

    fn modern(&self, rpc: &Rpc) -> Response {
        let id = rpc.id.as_deref().unwrap_or("null");
        let result = match rpc.method.as_deref().unwrap_or_default() {
            "initialize" => {
                let error = format!(
                    r#"{{"code":-32022,"message":"no","data":{{"supported":["{REVISION}"],"requested":"2025-11-25"}}}}"#
                );
                let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#);
                return Response::json(400, body);
            }
            "subscriptions/listen" => return subscribed(rpc, id),
            "server/discover" => discovered(r#"{"tools":{}}"#),
            "tools/call" => return self.worded(rpc, &self.call(rpc)),
            "tools/list" => TOOLS.replacen(
                '{',
                r#"{"resultType":"complete","ttlMs":0,"cacheScope":"private","#,
                1,
            ),
            _ if !rpc.is_request() => return Response::accepted(),
            other => {
                let error = rpc::error(id, -32601, &format!("no method {other}"));
                return Response::json(404, error);
            }
        };
        self.worded(rpc, &rpc::result(id, &result))
    }

    /// Does a call and says so.
    fn call(&self, rpc: &Rpc) -> String {
        let text = said(rpc);
        lock(&self.calls).push(text.clone());
        let kind = match self.setting.server {
            Era::Modern => r#""resultType":"complete","#,
            Era::Legacy => "",
        };
        let text = Value::from(text);
        let result = format!(r#"{{{kind}"content":[{{"type":"text","text":{text}}}]}}"#);
        rpc::result(rpc.id.as_deref().unwrap_or("null"), &result)
    }
}

/// What a call says, or the id of what is none.
fn said(rpc: &Rpc) -> String {
    let text = rpc.params()["arguments"]["text"].clone();
    match text.as_str() {
        Some(text) => text.to_owned(),
        None => format!("{:?}", rpc.id).replace(['"', '\\'], ""),
    }
}

/// A subscription that lasts.
fn subscribed(rpc: &Rpc, id: &str) -> Response {
    let (response, feed) = Response::events();
    let id: Value = serde_json::from_str(id).unwrap_or_default();
    let params =
        json!({ "notifications": rpc.params()["notifications"], "_meta": { SUBSCRIPTION: id } });
    feed.event(&rpc::notification(
        "notifications/subscriptions/acknowledged",
        &params.to_string(),
    ));
    feed.keep_open();
    response
}
