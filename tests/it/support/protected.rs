//! A scripted MCP server that lets nobody in without a token: 401 with a challenge (RFC 6750 §3, RFC 9728 §5.1), 403 where
//! the scope does not suffice, and the metadata that says where tokens come from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::authserver::{AuthServer, State};
use super::gate::{Shelf, lock};
use super::http::{Request, Response};
use super::mcp::{Legacy, LegacyPlan};
use super::proofs::{NONCE, Proofs, Wants, access_of};
use super::server::{Faults, Peer, Plan};

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
    /// What it says of proofs (RFC 9449).
    pub asks: Asks,
    /// What it wants in them.
    pub proofs: Wants,
    /// ID tokens are good, and no others.
    pub id_tokens: bool,
    /// Where the MCP endpoint was before it moved.
    pub former: Option<&'static str>,
    /// No token is good enough.
    pub shut: bool,
}

/// What a server says of proofs of possession. It takes those that come with bound tokens in any case.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Asks {
    /// Nothing.
    #[default]
    Nothing,
    /// The metadata requires bound tokens.
    Metadata,
    /// The challenge is for bound tokens.
    Challenge,
    /// There are challenges for bound tokens and for others.
    Either,
}

/// A running protected server.
pub struct Protected {
    /// The MCP server behind the door.
    pub mcp: Legacy,
    /// The methods that were let in: of JSON-RPC, or of HTTP where there is none.
    pub admitted: Arc<Shelf<String>>,
    door: Arc<Mutex<Door>>,
    authority: Arc<Mutex<Authority>>,
    /// What it knows of proofs.
    pub proofs: Arc<Proofs>,
    offences: Faults,
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
        let (proofs, offences) = (Arc::new(Proofs::default()), Faults::default());
        let (checks, faults) = (Arc::clone(&proofs), offences.clone());
        let guard = move |request: &Request| {
            let door = lock(&shared).clone();
            let books = Books {
                door: &door,
                authority: &lock(&whose),
                proofs: &checks,
                faults: &faults,
            };
            let answer = books.looks(request);
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
            proofs,
            offences,
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

impl Drop for Protected {
    fn drop(&mut self) {
        for offence in self.offences.take() {
            self.mcp.faults().add(offence);
        }
    }
}

/// What it takes to look at a request.
struct Books<'a> {
    door: &'a Door,
    authority: &'a Authority,
    proofs: &'a Proofs,
    faults: &'a Faults,
}

/// What a request may do.
enum Pass {
    /// What this scope allows.
    Scope(String),
    /// Nothing: no token, or one that is not good.
    None,
    /// Nothing without that nonce.
    Nonce(String),
    /// Nothing with a proof that is wrong.
    Wrong,
}

impl Books<'_> {
    /// The answer to a request that goes no further.
    fn looks(&self, request: &Request) -> Option<Response> {
        let door = self.door;
        let origin = format!("http://{}", request.header("host").unwrap_or_default());
        let resource = door.resource.clone();
        let resource = resource.unwrap_or_else(|| format!("{origin}/mcp"));
        if request.path == METADATA {
            return Some(self.metadata(&resource));
        }
        let method = request.rpc_method().unwrap_or_default();
        if door.former == Some(request.path.as_str()) {
            return Some(Response::status(307).header("location", "/mcp"));
        }
        if request.path != "/mcp" || door.open.contains(method.as_str()) {
            return None;
        }
        let metadata = format!(r#"resource_metadata="{origin}{METADATA}""#);
        let scope = match self.pass(request, &resource) {
            Pass::Nonce(nonce) => {
                let refusal = Response::status(401).header(
                    "www-authenticate",
                    &format!(r#"DPoP error="use_dpop_nonce", {metadata}"#),
                );
                return Some(if nonce.is_empty() {
                    refusal
                } else {
                    refusal.header(NONCE, &nonce)
                });
            }
            Pass::Wrong => {
                let challenge = format!(r#"DPoP error="invalid_dpop_proof", {metadata}"#);
                return Some(Response::status(401).header("www-authenticate", &challenge));
            }
            Pass::Scope(scope) if !door.shut => scope,
            _ => {
                let given = request.header("authorization").is_some();
                return Some(self.challenge(given, &metadata));
            }
        };
        let tool = request.rpc().map(|rpc| rpc.params()["name"].clone());
        let tool = tool.as_ref().and_then(|name| name.as_str());
        let wanted = door.scopes.get(tool.unwrap_or_default())?;
        if method != "tools/call" || scope.split(' ').any(|own| own == *wanted) {
            return None;
        }
        let challenge =
            format!(r#"Bearer error="insufficient_scope", scope="{wanted}", {metadata}"#);
        Some(Response::status(403).header("www-authenticate", &challenge))
    }

    fn metadata(&self, resource: &str) -> Response {
        if let Some(status) = self.door.metadata {
            return Response::status(status);
        }
        let mut document = json!({
            "resource": resource,
            "authorization_servers": [self.authority.issuer],
            "bearer_methods_supported": ["header"],
        });
        if !self.door.supported.is_empty() {
            document["scopes_supported"] = json!(self.door.supported);
        }
        if self.door.asks == Asks::Metadata {
            document["dpop_bound_access_tokens_required"] = true.into();
        }
        Response::json(200, document.to_string())
    }

    fn challenge(&self, given: bool, metadata: &str) -> Response {
        let mut more = metadata.to_owned();
        if given {
            more += r#", error="invalid_token""#;
        }
        if let Some(scope) = self.door.challenge {
            more += &format!(r#", scope="{scope}""#);
        }
        let bearer = format!("Bearer {more}");
        let bound = format!(r#"DPoP {more}, algs="RS256 ES256""#);
        let challenge = match self.door.asks {
            Asks::Nothing | Asks::Metadata => bearer,
            Asks::Challenge => bound,
            Asks::Either => format!("{bearer}, {bound}"),
        };
        Response::status(401).header("www-authenticate", &challenge)
    }

    /// What the token of a request allows. A bound one comes with a proof, or its client has done wrong.
    fn pass(&self, request: &Request, resource: &str) -> Pass {
        let offend = |offence: &str| {
            self.faults.add(format!("{offence}: {request}"));
            Pass::None
        };
        let header = request.header("authorization").unwrap_or_default();
        let (scheme, token) = header.split_once(' ').unwrap_or_default();
        let state = &self.authority.state;
        let of_id_token = access_of(token).filter(|_| self.door.id_tokens);
        if self.door.id_tokens && of_id_token.is_none() {
            return Pass::None;
        }
        let token = of_id_token.as_deref().unwrap_or(token);
        let bound = state.bound_to(token).filter(|_| of_id_token.is_none());
        match (scheme, bound) {
            ("Bearer", None) => {}
            ("DPoP", Some(key)) => match self.proofs.check(request, Some(token)) {
                Err(wrong) => return offend(&wrong),
                Ok(proof) if proof.key != key => return offend("a proof of another key"),
                Ok(_) if self.door.proofs == Wants::Perfection => return Pass::Wrong,
                Ok(proof) => {
                    if let Some(nonce) = self.proofs.nonce_for(&proof, self.door.proofs) {
                        return Pass::Nonce(nonce);
                    }
                }
            },
            ("", _) => return Pass::None,
            _ => return offend("a token with the wrong scheme"),
        }
        let admits = |resource| state.admits(token, resource);
        let scope = admits(resource).or_else(|| admits(resource.trim_end_matches('/')));
        scope.map_or(Pass::None, Pass::Scope)
    }
}
