//! What stands in front of the MCP server with `--oauth`: a door that asks for a token, and the authorization server that
//! gives them out. In real life the second is often somebody else's; here one small program plays both parts.
//!
//! In the order in which a client meets them:
//!
//! ```text
//! POST /mcp                                     401: read the metadata          MCP authorization, RFC 6750
//! GET  /.well-known/oauth-protected-resource/mcp    who signs users in          RFC 9728
//! GET  /.well-known/oauth-authorization-server      where, and how              RFC 8414
//! POST /register                                a client id                     RFC 7591
//! GET  /authorize   (in the browser)            the user is asked               RFC 6749, PKCE (RFC 7636), iss (RFC 9207)
//! POST /consent     (in the browser)            the answer, back to the client
//! POST /token                                   code -> tokens, again and again RFC 6749
//! POST /revoke                                  the end                         RFC 7009
//! ```
//!
//! What is checked here should be checked everywhere. What a real server has and this one has not: users who prove who they
//! are, TLS (it is reached on this machine only), storage, limits on who may register how often, and a sweep of old entries.

mod answers;
mod endpoints;
mod memory;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HOST, HeaderValue};
use hyper::{Method, Request, StatusCode};
use serde_json::{Value, json};

pub use answers::Answer;
use memory::Memory;

/// The longest body of a request to the authorization server, in bytes.
const BODY: usize = 64 * 1024;

/// All that a token here allows.
const SCOPE: &str = "tools";

/// Who says yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// The user, with a click on a page.
    Asked,
    /// Nobody: each request is granted at once. For the demo that runs by itself.
    Assumed,
}

/// A request at the door.
pub enum Door {
    /// It carries a good token: the MCP server answers it.
    Open(Request<Incoming>),
    /// It is answered here.
    Answered(Answer),
}

/// The door and the authorization server.
pub struct Oauth {
    /// `http://127.0.0.1:PORT`. Clients compare it byte by byte.
    issuer: String,
    /// The MCP server's URL, for which all tokens are.
    resource: String,
    consent: Consent,
    memory: Mutex<Memory>,
}

impl Oauth {
    /// For an MCP server at `http://HOST:PORT/mcp`.
    pub fn new(resource: &str, consent: Consent) -> Self {
        Self {
            issuer: resource.trim_end_matches("/mcp").to_owned(),
            resource: resource.to_owned(),
            consent,
            memory: Mutex::default(),
        }
    }

    /// How often a user has signed in.
    pub fn sign_ins(&self) -> usize {
        self.memory().sign_ins()
    }

    /// Answers a request, or lets it through to the MCP server.
    pub async fn check(&self, request: Request<Incoming>) -> Door {
        // A web page can point its own host name at this machine (DNS rebinding); the name then stands here.
        let host = request.headers().get(HOST).map(HeaderValue::as_bytes);
        if host != self.issuer.strip_prefix("http://").map(str::as_bytes) {
            return Door::Answered(answers::text(
                StatusCode::MISDIRECTED_REQUEST,
                "unknown host",
            ));
        }
        let path = request.uri().path().to_owned();
        if path == "/mcp" {
            return self.check_token(request);
        }
        Door::Answered(match (request.method(), path.as_str()) {
            (&Method::GET, "/.well-known/oauth-protected-resource/mcp") => {
                answers::json(StatusCode::OK, &self.resource_metadata())
            }
            (&Method::GET, "/.well-known/oauth-authorization-server") => {
                answers::json(StatusCode::OK, &self.server_metadata())
            }
            (&Method::GET, "/authorize") => self.authorize(request.uri().query().unwrap_or("")),
            (&Method::POST, endpoint) => {
                let endpoint = endpoint.to_owned();
                self.posted(&endpoint, request).await
            }
            _ => answers::text(StatusCode::NOT_FOUND, "there is nothing here"),
        })
    }

    /// The endpoints that take a body.
    async fn posted(&self, endpoint: &str, request: Request<Incoming>) -> Answer {
        let Ok(body) = Limited::new(request.into_body(), BODY).collect().await else {
            return answers::text(StatusCode::PAYLOAD_TOO_LARGE, "too long, or cut short");
        };
        let body = body.to_bytes();
        match endpoint {
            "/register" => self.register(&body),
            "/consent" => self.consent(&body),
            "/token" => self.token(&body),
            "/revoke" => self.revoke(&body),
            _ => answers::text(StatusCode::NOT_FOUND, "there is nothing here"),
        }
    }

    /// The door itself. A challenge says why it stays shut, and where to read on (RFC 6750 §3, RFC 9728 §5.1).
    fn check_token(&self, request: Request<Incoming>) -> Door {
        let header = request.headers().get(AUTHORIZATION);
        let token = header
            .and_then(|value| value.to_str().ok()?.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim());
        let error = match token {
            Some(token) if self.memory().knows(token, Instant::now()) => {
                return Door::Open(request);
            }
            Some(_) => {
                note("the token is unknown or too old: 401");
                r#"error="invalid_token", "#
            }
            None => {
                note("no token: 401, with a link to the metadata");
                ""
            }
        };
        let metadata = format!("{}/.well-known/oauth-protected-resource/mcp", self.issuer);
        Door::Answered(answers::unauthorized(&format!(
            r#"Bearer {error}resource_metadata="{metadata}", scope="{SCOPE}""#
        )))
    }

    /// RFC 9728 §2.
    fn resource_metadata(&self) -> Value {
        json!({
            "resource": self.resource,
            "resource_name": "mcp-tether demo",
            "authorization_servers": [self.issuer],
            "scopes_supported": [SCOPE],
            "bearer_methods_supported": ["header"],
        })
    }

    /// RFC 8414 §2. MCP clients refuse a server that does not list S256.
    fn server_metadata(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer);
        json!({
            "issuer": self.issuer,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "registration_endpoint": at("/register"),
            "revocation_endpoint": at("/revoke"),
            "scopes_supported": [SCOPE],
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_methods_supported": ["none"],
            "revocation_endpoint_auth_methods_supported": ["none"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
        })
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The fields of a form or query. `None` if one stands there twice (RFC 6749 §3.1).
fn fields(text: &[u8]) -> Option<HashMap<String, String>> {
    let mut fields = HashMap::new();
    for (name, value) in url::form_urlencoded::parse(text) {
        if fields
            .insert(name.into_owned(), value.into_owned())
            .is_some()
        {
            return None;
        }
    }
    Some(fields)
}

/// Tells the person at the terminal what happens. Codes and tokens are never in it.
fn note(what: &str) {
    println!("   server: {what}");
}
