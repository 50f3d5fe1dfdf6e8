//! The endpoints of the authorization server: what each takes, checks and answers.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value answers a missing key with null"
)]

use std::collections::HashMap;
use std::time::Instant;

use hyper::StatusCode;
use serde_json::{Value, json};
use url::Url;

use super::answers::{self, Answer};
use super::memory::{ACCESS, Client, Tokens, Wish};
use super::{Consent, Oauth, SCOPE, fields, note};

/// An `error` of RFC 6749 or one of its relatives, and a sentence about it.
type Refusal = (&'static str, &'static str);

/// A token is for one server only, so the request has to say for which (RFC 8707 §2).
const WRONG_RESOURCE: Refusal = (
    "invalid_target",
    "resource must be the URL of the MCP server",
);

/// The longest name of a client that is shown, in characters.
const NAME: usize = 60;

impl Oauth {
    /// Dynamic registration (RFC 7591 §3). Everybody may; what protects users is the consent page.
    pub(super) fn register(&self, body: &[u8]) -> Answer {
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let uris: Vec<String> = asked["redirect_uris"]
            .as_array()
            .map(|uris| {
                uris.iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect()
            })
            .unwrap_or_default();
        if uris.is_empty() || !uris.iter().all(|uri| may_receive_codes(uri)) {
            let why = "redirect_uris must be https, or http on the user's own machine";
            return answers::refused(("invalid_redirect_uri", why));
        }
        let name = asked["client_name"]
            .as_str()
            .unwrap_or("A program without a name");
        let name: String = name
            .chars()
            .filter(|c| !c.is_control())
            .take(NAME)
            .collect();
        note(&format!("{name} registers, and gets a client id"));
        let client = Client {
            name: name.clone(),
            redirect_uris: uris.clone(),
        };
        let client_id = self.memory().register(client);
        // What was registered, which may be less than what was asked for.
        let registered = json!({
            "client_id": client_id,
            "client_name": name,
            "redirect_uris": uris,
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "application_type": asked["application_type"].as_str().unwrap_or("native"),
            "scope": SCOPE,
        });
        answers::json(StatusCode::CREATED, &registered)
    }

    /// Where the client sends the user's browser (RFC 6749 §4.1.1).
    pub(super) fn authorize(&self, query: &str) -> Answer {
        let asked = fields(query.as_bytes()).unwrap_or_default();
        let (client_id, redirect_uri) = (text(&asked, "client_id"), text(&asked, "redirect_uri"));
        let name = self
            .memory()
            .client(client_id)
            .filter(|client| client.redirect_uris.iter().any(|uri| uri == redirect_uri))
            .map(|client| client.name.clone());
        let Some(name) = name else {
            // Nothing may be sent to an address that nobody registered (RFC 6749 §4.1.2.1).
            let why = "This link is no good: the client or its redirect address is not registered.";
            return answers::text(StatusCode::BAD_REQUEST, why);
        };
        let wish = Wish {
            client_id: client_id.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            state: asked.get("state").cloned(),
            challenge: text(&asked, "code_challenge").to_owned(),
        };
        if let Err(refusal) = self.acceptable(&asked) {
            return self.refuse(&wish, refusal);
        }
        match self.consent {
            Consent::Assumed => {
                note("the browser is here; consent is assumed (it is a demo)");
                self.grant(&wish)
            }
            Consent::Asked => {
                note("the browser is here, and shows a page to click");
                let id = self.memory().ask(wish.clone());
                answers::consent_page(&name, &wish.redirect_uri, &self.resource, &id)
            }
        }
    }

    /// The parts of an authorization request that may be refused to the client's face.
    fn acceptable(&self, asked: &HashMap<String, String>) -> Result<(), Refusal> {
        if text(asked, "response_type") != "code" {
            return Err(("unsupported_response_type", "only code is known here"));
        }
        if text(asked, "code_challenge_method") != "S256"
            || text(asked, "code_challenge").is_empty()
        {
            return Err(("invalid_request", "PKCE with S256 is needed"));
        }
        if text(asked, "resource") != self.resource {
            return Err(WRONG_RESOURCE);
        }
        let mut scopes = text(asked, "scope").split_ascii_whitespace();
        if scopes.any(|scope| scope != SCOPE) {
            return Err(("invalid_scope", "the only scope is tools"));
        }
        Ok(())
    }

    /// The user clicked. The id in the form says on which page.
    pub(super) fn consent(&self, body: &[u8]) -> Answer {
        let said = fields(body).unwrap_or_default();
        let wish = self.memory().answered(text(&said, "request"));
        let Some(wish) = wish else {
            let why = "This page was answered before. To sign in again, start at your MCP client.";
            return answers::text(StatusCode::BAD_REQUEST, why);
        };
        if text(&said, "answer") == "allow" {
            note("the user clicked Allow");
            return self.grant(&wish);
        }
        note("the user clicked Deny");
        self.refuse(&wish, ("access_denied", "the user said no"))
    }

    /// Sends the browser back to the client with a code.
    fn grant(&self, wish: &Wish) -> Answer {
        note(&format!(
            "the browser goes on to {} with a code",
            wish.redirect_uri
        ));
        let code = self.memory().code(wish.clone(), Instant::now());
        self.send_back(wish, &[("code", &code)])
    }

    /// Sends the browser back to the client with an error.
    fn refuse(&self, wish: &Wish, (error, why): Refusal) -> Answer {
        note(&format!(
            "the browser goes on to {} with {error}: {why}",
            wish.redirect_uri
        ));
        self.send_back(wish, &[("error", error), ("error_description", why)])
    }

    /// Each answer says who gives it, so that no other server's can be taken for it (RFC 9207).
    fn send_back(&self, wish: &Wish, answer: &[(&str, &str)]) -> Answer {
        let Ok(mut url) = Url::parse(&wish.redirect_uri) else {
            return answers::text(StatusCode::BAD_REQUEST, "the redirect address is no URL");
        };
        let state = wish.state.iter().map(|state| ("state", state.as_str()));
        url.query_pairs_mut()
            .extend_pairs(answer)
            .extend_pairs(state)
            .append_pair("iss", &self.issuer);
        answers::redirect(&url)
    }

    /// The token endpoint (RFC 6749 §4.1.3, §6).
    pub(super) fn token(&self, body: &[u8]) -> Answer {
        let asked = fields(body).unwrap_or_default();
        match self.tokens(&asked) {
            Ok(tokens) => answers::json(
                StatusCode::OK,
                &json!({
                    "access_token": tokens.access,
                    "token_type": "Bearer",
                    "expires_in": ACCESS.as_secs(),
                    "refresh_token": tokens.refresh,
                    "scope": SCOPE,
                }),
            ),
            Err(refusal) => {
                note(&format!("no tokens, {}: {}", refusal.0, refusal.1));
                answers::refused(refusal)
            }
        }
    }

    fn tokens(&self, asked: &HashMap<String, String>) -> Result<Tokens, Refusal> {
        let client_id = text(asked, "client_id");
        if self.memory().client(client_id).is_none() {
            return Err(("invalid_client", "nobody registered with this client_id"));
        }
        if text(asked, "resource") != self.resource {
            return Err(WRONG_RESOURCE);
        }
        let now = Instant::now();
        match text(asked, "grant_type") {
            "authorization_code" => {
                let client = (client_id, text(asked, "redirect_uri"));
                let (code, verifier) = (text(asked, "code"), text(asked, "code_verifier"));
                let tokens = self
                    .memory()
                    .redeem(code, client, verifier, now)
                    .map_err(|why| ("invalid_grant", why))?;
                note("code and verifier fit: signed in, here are the tokens");
                Ok(tokens)
            }
            "refresh_token" => {
                let token = text(asked, "refresh_token");
                let tokens = self.memory().refresh(token, client_id, now);
                let tokens = tokens.ok_or(("invalid_grant", "the refresh token is no good"))?;
                note("a refresh token is traded for new tokens");
                Ok(tokens)
            }
            _ => Err((
                "unsupported_grant_type",
                "authorization_code or refresh_token",
            )),
        }
    }

    /// Signing out (RFC 7009 §2). A token that nobody knows is as good as revoked.
    pub(super) fn revoke(&self, body: &[u8]) -> Answer {
        let asked = fields(body).unwrap_or_default();
        let revoked = self
            .memory()
            .revoke(text(&asked, "token"), text(&asked, "client_id"));
        if revoked {
            note("signed out: the tokens are revoked");
        }
        answers::text(StatusCode::OK, "")
    }
}

/// A field, empty if it is not there.
fn text<'a>(fields: &'a HashMap<String, String>, name: &str) -> &'a str {
    fields.get(name).map_or("", String::as_str)
}

/// Whether a code may be sent there: over TLS, or without leaving the machine (RFC 8252 §7.3). A `javascript:` address, for
/// one, would run in the page.
fn may_receive_codes(uri: &str) -> bool {
    let Ok(url) = Url::parse(uri) else {
        return false;
    };
    let reaches_nobody_else = match url.scheme() {
        "https" => true,
        "http" => matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost")),
        _ => false,
    };
    reaches_nobody_else && url.fragment().is_none() && !uri.contains(char::is_control)
}
