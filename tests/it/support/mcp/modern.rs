//! A scripted MCP server of 2026-07-28 alone. It is strict: a request without an envelope, or with headers that say something
//! else than the body, fails the test.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::gate::Shelf;
use crate::support::http::{Feed, Request, Response};
use crate::support::modern::{REVISION, SUBSCRIPTION, discovered, id, refuse_with, reply, said};
use crate::support::rpc;
use crate::support::server::{Peer, Server};

/// A resource whose subscription is never honoured.
pub const REFUSED: &str = "file:///refused";

/// A resource whose subscription the test acknowledges.
pub const HELD: &str = "file:///held";

/// A running scripted server at `/mcp`.
pub struct Modern {
    /// The HTTP server under it.
    pub server: Server,
    listens: Arc<Shelf<Listen>>,
}

/// A `subscriptions/listen` that arrived.
#[derive(Clone)]
pub struct Listen {
    /// The id of the request, raw.
    pub id: String,
    /// What it asks for.
    pub wanted: Value,
    /// The stream that answers it.
    pub feed: Feed,
}

impl Listen {
    /// Says what of it is granted: all, but for what is refused.
    pub fn acknowledge(&self) {
        let mut granted = self.wanted.clone();
        if let Some(uris) = granted["resourceSubscriptions"].as_array_mut() {
            uris.retain(|uri| uri != REFUSED);
        }
        self.tell(
            "notifications/subscriptions/acknowledged",
            json!({ "notifications": granted }),
        );
    }

    /// Sends a notification that names the subscription.
    pub fn tell(&self, method: &str, mut params: Value) {
        let id: Value = serde_json::from_str(&self.id).expect("an id");
        params["_meta"] = json!({ SUBSCRIPTION: id });
        self.feed
            .event(&rpc::notification(method, &params.to_string()));
    }

    /// The resources that it asks for.
    pub fn uris(&self) -> BTreeSet<&str> {
        let uris = self.wanted["resourceSubscriptions"].as_array();
        let uris = uris.into_iter().flatten();
        uris.filter_map(Value::as_str).collect()
    }
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} {}, over: {}",
            self.id,
            self.wanted,
            self.feed.gone().is_open()
        )
    }
}

impl Modern {
    /// A server with these raw capabilities, which answers what is neither discovery nor a subscription by a closure.
    pub fn new<A>(capabilities: &str, answer: A) -> Self
    where
        A: Fn(&Request) -> Response + Send + Sync + 'static,
    {
        let capabilities = capabilities.to_owned();
        let listens = Arc::new(Shelf::default());
        let shelf = Arc::clone(&listens);
        let server = Server::new(move |request| {
            let response =
                handle(&request, &capabilities, &shelf).unwrap_or_else(|| answer(&request));
            async { response }
        });
        Self { server, listens }
    }

    /// The requests so far of that method.
    pub fn calls(&self, method: &str) -> Vec<Request> {
        self.server.log().with(|log| of(log, method))
    }

    /// Waits until that method was called at least `count` times.
    pub fn wait_calls(&self, method: &str, count: usize) -> Vec<Request> {
        self.server
            .log()
            .wait(&format!("{count} of {method}"), |log| {
                let found = of(log, method);
                (found.len() >= count).then_some(found)
            })
    }

    /// The methods of the requests so far; `GET` and so on for what is no POST.
    pub fn methods(&self) -> Vec<String> {
        let of = |request: &Request| {
            request
                .rpc_method()
                .unwrap_or_else(|| request.method.to_string())
        };
        self.server.requests().iter().map(of).collect()
    }

    /// Waits for the `nth` subscription, counted from 1.
    pub fn listen(&self, nth: usize) -> Listen {
        let what = format!("subscription {nth}");
        self.listens
            .wait(&what, |listens| listens.get(nth - 1).cloned())
    }

    /// How many subscriptions there were.
    pub fn listened(&self) -> usize {
        self.listens.with(<[Listen]>::len)
    }
}

impl Peer for Modern {
    fn url(&self) -> String {
        self.server.at("/mcp")
    }

    fn log(&self) -> Arc<Shelf<Request>> {
        self.server.log()
    }
}

fn of(log: &[Request], method: &str) -> Vec<Request> {
    let wanted = |request: &&Request| request.rpc_method().as_deref() == Some(method);
    log.iter().filter(wanted).cloned().collect()
}

fn handle(request: &Request, capabilities: &str, listens: &Shelf<Listen>) -> Option<Response> {
    if request.method != "POST" {
        return Some(Response::status(405));
    }
    let rpc = said(request);
    let method = rpc
        .method
        .clone()
        .expect("no answer of the client's is sent");
    if method == "initialize" {
        let data = format!(r#"{{"supported":["{REVISION}"],"requested":"2025-11-25"}}"#);
        return Some(refuse_with(request, 400, -32022, &data));
    }
    check(request, &method);
    match method.as_str() {
        "server/discover" => Some(reply(request, &discovered(capabilities))),
        "subscriptions/listen" => {
            let (response, feed) = Response::events();
            let listen = Listen {
                id: id(request),
                wanted: rpc.params()["notifications"].clone(),
                feed,
            };
            if !listen.uris().contains(HELD) {
                listen.acknowledge();
            }
            listens.push(listen);
            Some(response)
        }
        _ => None,
    }
}

/// What every request must have.
fn check(request: &Request, method: &str) {
    let rpc = said(request);
    assert!(rpc.is_request(), "a notification: {}", rpc.text);
    let meta = rpc.params()["_meta"].clone();
    assert_eq!(meta["io.modelcontextprotocol/protocolVersion"], REVISION);
    assert!(meta["io.modelcontextprotocol/clientCapabilities"].is_object());
    assert_eq!(request.header("mcp-protocol-version"), Some(REVISION));
    assert_eq!(request.header("mcp-method"), Some(method));
    assert_eq!(request.header("mcp-session-id"), None);
}
