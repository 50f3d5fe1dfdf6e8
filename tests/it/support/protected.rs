//! A scripted MCP server that lets nobody in without a token: 401 with a challenge (RFC 6750 §3, RFC 9728 §5.1), 403 where
//! the scope does not suffice, and the metadata that says where tokens come from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::authserver::{AuthServer, State};
use super::gate::{Shelf, lock};
use super::http::{Request, Response};
use super::mcp::{Legacy, LegacyPlan};
use super::server::{Peer, Plan};

/// Where its metadata is (RFC 9728 §3.1).
pub const METADATA: &str = "/.well-known/oauth-protected-resource/mcp";

/// What the switches of a protected server say. A test changes them while the server runs.
#[derive(Clone, Default)]
pub struct Door {
    /// Methods that need no token.
    pub open: BTreeSet<&'static str>,
    /// Tools, and the scope that each needs.
    pub scopes: BTreeMap<&'static str, &'static str>,
    /// The `scope` of the challenge.
    pub challenge: Option<&'static str>,
    /// `scopes_supported` of the metadata.
    pub supported: Vec<&'static str>,
    /// The `resource` of the metadata, in place of the right one.
    pub resource: Option<String>,
    /// The status of the metadata, in place of the document.
    pub metadata: Option<u16>,
    /// No token is good enough.
    pub shut: bool,
}

/// A running protected server.
pub struct Protected {
    /// The MCP server behind the door.
    pub mcp: Legacy,
    /// The methods that were let in: of JSON-RPC, or of HTTP where there is none.
    pub admitted: Arc<Shelf<String>>,
    door: Arc<Mutex<Door>>,
    authority: Arc<Mutex<Authority>>,
}

/// Whose tokens are good.
struct Authority {
    issuer: String,
    state: Arc<State>,
}

impl Authority {
    fn of(server: &AuthServer) -> Self {
        Self {
            issuer: server.issuer(),
            state: server.state(),
        }
    }
}

impl Protected {
    /// One behind that authorization server.
    pub fn new(auth: &AuthServer) -> Self {
        Self::with(auth, LegacyPlan::default())
    }

    /// One whose MCP server is of that plan.
    pub fn with(auth: &AuthServer, plan: LegacyPlan) -> Self {
        Self::on(auth, plan, Plan::default())
    }

    /// One whose MCP server is of that plan, on a server of that other plan.
    pub fn on(auth: &AuthServer, plan: LegacyPlan, server: Plan) -> Self {
        let door = Arc::new(Mutex::new(Door::default()));
        let authority = Arc::new(Mutex::new(Authority::of(auth)));
        let admitted = Arc::new(Shelf::default());
        let (shared, whose) = (Arc::clone(&door), Arc::clone(&authority));
        let seen = Arc::clone(&admitted);
        let guard = move |request: &Request| {
            let door = lock(&shared).clone();
            let answer = looks(&door, &lock(&whose), request);
            if answer.is_none() {
                let method = request.rpc_method();
                seen.push(method.unwrap_or_else(|| request.method.to_string()));
            }
            answer
        };
        Self {
            mcp: plan.guarded(guard).serve_on(server),
            admitted,
            door,
            authority,
        }
    }

    /// Changes how it behaves.
    pub fn set(&self, change: impl FnOnce(&mut Door)) {
        change(&mut lock(&self.door));
    }

    /// Moves to another authorization server: its metadata names that one, and only its tokens are good.
    pub fn move_to(&self, auth: &AuthServer) {
        *lock(&self.authority) = Authority::of(auth);
    }

    /// Waits until that method was let in `count` times.
    pub fn wait_admitted(&self, method: &str, count: usize) {
        let what = format!("{count} of {method} to be let in");
        self.admitted.wait(&what, |all| {
            let found = all.iter().filter(|own| *own == method).count();
            (found >= count).then_some(())
        });
    }

    /// The requests so far of that JSON-RPC method that had a token.
    pub fn with_token(&self, method: &str) -> Vec<Request> {
        let mut calls = self.mcp.calls(method);
        calls.retain(|call| call.header("authorization").is_some());
        calls
    }
}

impl Peer for Protected {
    fn url(&self) -> String {
        self.mcp.url()
    }

    fn log(&self) -> Arc<Shelf<Request>> {
        self.mcp.log()
    }
}

/// The answer to a request that goes no further.
fn looks(door: &Door, authority: &Authority, request: &Request) -> Option<Response> {
    let origin = format!("http://{}", request.header("host").unwrap_or_default());
    let resource = door.resource.clone();
    let resource = resource.unwrap_or_else(|| format!("{origin}/mcp"));
    if request.path == METADATA
        && let Some(status) = door.metadata
    {
        return Some(Response::status(status));
    }
    if request.path == METADATA {
        let document = json!({
            "resource": resource,
            "authorization_servers": [authority.issuer],
            "bearer_methods_supported": ["header"],
        });
        let mut document = document;
        if !door.supported.is_empty() {
            document["scopes_supported"] = json!(door.supported);
        }
        return Some(Response::json(200, document.to_string()));
    }
    let method = request.rpc_method().unwrap_or_default();
    if request.path != "/mcp" || door.open.contains(method.as_str()) {
        return None;
    }
    let metadata = format!(r#"resource_metadata="{origin}{METADATA}""#);
    let token = request.header("authorization");
    let scope = token
        .and_then(|header| header.strip_prefix("Bearer "))
        .and_then(|token| {
            let admits = |resource| authority.state.admits(token, resource);
            admits(&resource).or_else(|| admits(resource.trim_end_matches('/')))
        });
    let Some(scope) = scope.filter(|_| !door.shut) else {
        let mut challenge = format!("Bearer {metadata}");
        if token.is_some() {
            challenge += r#", error="invalid_token""#;
        }
        if let Some(scope) = door.challenge {
            challenge += &format!(r#", scope="{scope}""#);
        }
        return Some(Response::status(401).header("www-authenticate", &challenge));
    };
    let tool = request.rpc().map(|rpc| rpc.params()["name"].clone());
    let tool = tool.as_ref().and_then(|name| name.as_str());
    let wanted = door.scopes.get(tool.unwrap_or_default())?;
    if method != "tools/call" || scope.split(' ').any(|own| own == *wanted) {
        return None;
    }
    let challenge = format!(r#"Bearer error="insufficient_scope", scope="{wanted}", {metadata}"#);
    Some(Response::status(403).header("www-authenticate", &challenge))
}
