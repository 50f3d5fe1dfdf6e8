//! Grants without a person at a fake authorization server: client credentials (RFC 6749 §4.4), assertions (RFC 7523) and the
//! exchange of one token for another (RFC 8693).

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::support::gate::lock;
use crate::support::http::{Request, Response};

use super::books::{Asked, Books};
use super::endpoints::error;
use super::token::{answer, bound};
use super::{Conduct, Params, State};

/// The grant of an assertion (RFC 7523 §8.1).
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The grant of a token for another one (RFC 8693 §2.1).
pub const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// A client that its owner made known.
pub const CLIENT: &str = "machine";

impl State {
    /// Answers a machine; `None` for another grant.
    pub(super) fn machine(
        &self,
        request: &Request,
        params: &Params,
        conduct: &Conduct,
    ) -> Option<Response> {
        let grant = params.get("grant_type").map(String::as_str)?;
        let answer = match grant {
            "client_credentials" => self.client_credentials(request, params, conduct),
            JWT_BEARER if conduct.idp.is_some() => self.redeem(request, params, conduct),
            JWT_BEARER => self.assertion(params, conduct),
            TOKEN_EXCHANGE => self.exchange(request, params, conduct),
            _ => return None,
        };
        Some(answer.unwrap_or_else(|code| {
            let status = if code == "invalid_client" { 401 } else { 400 };
            error(status, code)
        }))
    }

    fn client_credentials(
        &self,
        request: &Request,
        params: &Params,
        conduct: &Conduct,
    ) -> Result<Response, &'static str> {
        if let Some(code) = conduct.refuses_machines {
            return Err(code);
        }
        let client = self.asserted(request, params, conduct)?;
        Ok(self.give(params, client, conduct))
    }

    fn assertion(&self, params: &Params, conduct: &Conduct) -> Result<Response, &'static str> {
        if let Some(code) = conduct.refuses_machines {
            return Err(code);
        }
        let assertion = params.get("assertion").ok_or("invalid_request")?;
        let claims = claims(assertion);
        let end = claims.and_then(|claims| claims["exp"].as_u64());
        if !conduct.assertions.contains(assertion) || end.is_some_and(|end| end <= now()) {
            return Err("invalid_grant");
        }
        Ok(self.give(params, "platform".to_owned(), conduct))
    }

    /// As an identity provider: a grant for another server, for the identity of a user.
    fn exchange(
        &self,
        request: &Request,
        params: &Params,
        conduct: &Conduct,
    ) -> Result<Response, &'static str> {
        if let Some(code) = conduct.refuses_machines {
            return Err(code);
        }
        let client = self.client(request, params, conduct);
        client.map_err(|_| "invalid_client")?;
        let get = |name: &str| params.get(name).map(String::as_str).unwrap_or_default();
        let kind = "urn:ietf:params:oauth:token-type:";
        let right = get("requested_token_type") == format!("{kind}id-jag")
            && get("subject_token_type") == format!("{kind}id_token")
            && !get("audience").is_empty()
            && !get("resource").is_empty();
        if !right {
            self.offend(request, "an exchange that lacks something");
            return Err("invalid_request");
        }
        let mut books = lock(&self.books);
        let identity = get("subject_token");
        let known = books.id_tokens.contains(identity);
        let lasts = claims(identity).is_some_and(|claims| claims["exp"].as_u64() > Some(now()));
        if !(known && lasts || conduct.assertions.iter().any(|own| own == identity)) {
            return Err("invalid_grant");
        }
        let claims = json!({
            "iss": self.issuer(), "aud": get("audience"), "resource": get("resource"),
            "client_id": CLIENT, "jti": books.mint("jag"), "exp": now() + 60,
        });
        let grant = unsigned(&json!({ "typ": "oauth-id-jag+jwt" }), &claims);
        let body = json!({
            "access_token": grant, "issued_token_type": format!("{kind}id-jag"),
            "token_type": "N_A", "expires_in": 60,
        });
        Ok(Response::json(200, body.to_string()))
    }

    /// A token for the grant of an identity provider.
    fn redeem(
        &self,
        request: &Request,
        params: &Params,
        conduct: &Conduct,
    ) -> Result<Response, &'static str> {
        let client = self.asserted(request, params, conduct)?;
        let grant = params.get("assertion").cloned().unwrap_or_default();
        let claims = claims(&grant).unwrap_or_default();
        let books = lock(&self.books);
        let same = |params: &&Params| params.get("assertion") == Some(&grant);
        let used = books.exchanges.iter().filter(same).count() > 1;
        drop(books);
        let text = |name: &str| claims[name].as_str().map(str::to_owned);
        let right = text("iss") == conduct.idp
            && text("aud") == Some(self.issuer())
            && text("client_id").as_ref() == Some(&client)
            && text("resource").as_ref() == params.get("resource");
        if used || !right {
            self.offend(request, "a grant that is used twice or for another");
            return Err("invalid_grant");
        }
        Ok(self.give(params, client, conduct))
    }

    /// Who asks: by assertion where the server takes those, else as any client.
    pub(super) fn asserted(
        &self,
        request: &Request,
        params: &Params,
        conduct: &Conduct,
    ) -> Result<String, &'static str> {
        let Some(key) = &conduct.public_key else {
            let client = self.client(request, params, conduct);
            return client.map_err(|_| "invalid_client");
        };
        let assertion = params.get("client_assertion").ok_or("invalid_client")?;
        let claims = verified(assertion, key).ok_or("invalid_client")?;
        let kind = params.get("client_assertion_type").map(String::as_str);
        let books = lock(&self.books);
        let used = |params: &&Params| params.get("client_assertion") == Some(assertion);
        let wrong = if kind != Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer") {
            "the assertion is of no known type"
        } else if claims["iss"] != CLIENT || claims["sub"] != CLIENT {
            "the assertion is of another client"
        } else if claims["aud"] != self.issuer() && claims["aud"] != self.issuer() + super::TOKEN {
            "the assertion is for somebody else"
        } else if claims["exp"].as_u64() <= claims["iat"].as_u64() {
            "the assertion has ended"
        } else if books.exchanges.iter().filter(used).count() > 1 {
            "the assertion is used twice"
        } else if params.contains_key("client_secret") || params.contains_key("client_id") {
            "the client proves itself twice"
        } else {
            return Ok(CLIENT.to_owned());
        };
        drop(books);
        self.offend(request, wrong);
        Err("invalid_client")
    }

    /// A token, and no refresh token.
    pub(super) fn give(&self, params: &Params, client: String, conduct: &Conduct) -> Response {
        let mut books = lock(&self.books);
        let mut given = books.grant(Asked {
            client,
            key: None,
            redirect_uri: String::new(),
            challenge: String::new(),
            resource: params.get("resource").cloned(),
            scope: conduct
                .narrows
                .map(str::to_owned)
                .or_else(|| params.get("scope").cloned())
                .unwrap_or_default(),
        });
        given.key = bound(params, conduct);
        let access = books.add_access(given.clone());
        answer(&access, None, &given, conduct)
    }
}

/// An ID token for the authorization request that came last, or without one.
pub(super) fn id_token(books: &mut Books, client: &str, conduct: &Conduct, issuer: &str) -> String {
    let asked = books.authorizations.last();
    let nonce = asked.and_then(|params| params.get("nonce"));
    let claims = json!({
        "iss": issuer, "aud": client, "sub": "u-1", "email": "alice@example.com",
        "nonce": nonce, "exp": now() + conduct.id_lifetime, "jti": books.mint("id"),
    });
    let token = unsigned(&json!({ "alg": "none" }), &claims);
    books.id_tokens.insert(token.clone());
    token
}

/// A token that nobody signed.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2ln", part(header), part(claims))
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("after 1970").as_secs()
}

/// The claims of a token that this key signed with ES256.
fn verified(token: &str, key: &[u8]) -> Option<Value> {
    let (input, signature) = token.rsplit_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key);
    key.verify(input.as_bytes(), &signature).ok()?;
    claims(token)
}

/// The claims of a token, whoever signed it.
pub(super) fn claims(token: &str) -> Option<Value> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&claims).ok()
}
