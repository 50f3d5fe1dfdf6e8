//! Registration, authorization and revocation at a fake authorization server.

use serde_json::{Value, json};
use url::Url;

use crate::support::gate::lock;
use crate::support::http::{Request, Response};

use super::books::Asked;
use super::{Conduct, Consent, Iss, Params, Registered, State, params};

/// A parameter that makes one visit a denial, whatever the conduct says.
pub const DENY: &str = "it_deny";

impl State {
    /// Registers a client (RFC 7591 §3).
    pub(super) fn register(&self, request: &Request, conduct: &Conduct) -> Response {
        let document: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let texts = |name: &str| -> Vec<String> {
            let list = document[name].as_array().cloned().unwrap_or_default();
            let texts = list.iter().filter_map(Value::as_str);
            texts.map(str::to_owned).collect()
        };
        let redirect_uris = texts("redirect_uris");
        let loopback = |uri: &String| {
            Url::parse(uri).is_ok_and(|uri| uri.scheme() == "http" && is_loopback(&uri))
        };
        if redirect_uris.is_empty() || !redirect_uris.iter().all(loopback) {
            self.offend(request, "redirect URIs that are not on loopback");
            return error(400, "invalid_redirect_uri");
        }
        if document["application_type"] != "native" {
            self.offend(request, "the application type is not native");
            return error(400, "invalid_client_metadata");
        }
        if !texts("grant_types").contains(&"refresh_token".to_owned()) {
            self.offend(request, "no refresh token is wished for");
        }
        let mut books = lock(&self.books);
        let given = conduct.one_id.map(str::to_owned);
        let client = Registered {
            id: given.unwrap_or_else(|| books.mint("client")),
            secret: conduct.secret.map(|_| books.mint("secret")),
            method: conduct.secret.unwrap_or("none").to_owned(),
            redirect_uris,
            document: document.clone(),
        };
        let mut answer = document;
        answer["client_id"] = client.id.clone().into();
        let method = if conduct.hides_method {
            "none"
        } else {
            &client.method
        };
        answer["token_endpoint_auth_method"] = method.into();
        if let Some(secret) = &client.secret {
            answer["client_secret"] = secret.clone().into();
            answer["client_secret_expires_at"] = 0.into();
        }
        // The latest registration of an id is the one that counts.
        books.clients.retain(|own| own.id != client.id);
        books.clients.push(client);
        Response::json(201, answer.to_string())
    }

    /// Answers a browser. A request that cannot be trusted with a redirect gets an error page (RFC 6749 §4.1.2.1).
    pub(super) fn authorize(&self, request: &Request, conduct: &Conduct) -> Response {
        let query = request.query.as_deref().unwrap_or_default();
        let params = match params(query) {
            Ok(params) => params,
            Err(twice) => return self.page(request, &twice),
        };
        lock(&self.books).authorizations.push(params.clone());
        let get = |name: &str| params.get(name).map(String::as_str).unwrap_or_default();
        let client = get("client_id");
        if let Err(why) = self.redirects(&params, conduct) {
            return self.page(request, why);
        }
        if let Err(why) = asks_rightly(&params, conduct) {
            self.offend(request, why);
            return self.back(&params, conduct, ("error", "invalid_request"));
        }
        let denied = conduct.consent == Consent::Denied || params.contains_key(DENY);
        if denied {
            return self.back(&params, conduct, ("error", "access_denied"));
        }
        if conduct.consent == Consent::Never {
            return Response::html(200, "<p>Do you agree?</p>");
        }
        let scope = conduct.narrows.unwrap_or_else(|| get("scope"));
        let code = lock(&self.books).add_code(Asked {
            client: client.to_owned(),
            redirect_uri: get("redirect_uri").to_owned(),
            challenge: get("code_challenge").to_owned(),
            resource: params.get("resource").cloned(),
            scope: scope.to_owned(),
            key: params.get("dpop_jkt").cloned(),
        });
        self.back(&params, conduct, ("code", &code))
    }

    /// Whether the browser may be sent to where the request says: to an address that its client registered.
    fn redirects(&self, params: &Params, conduct: &Conduct) -> Result<(), &'static str> {
        let get = |name: &str| params.get(name).map(String::as_str).unwrap_or_default();
        let books = lock(&self.books);
        let uri = get("redirect_uri");
        match books.client(get("client_id")) {
            Some(client) if client.redirect_uris.iter().any(|own| own == uri) => Ok(()),
            Some(_) => Err("a redirect URI that is not registered"),
            // Its document would be fetched; nobody serves one here.
            None if conduct.documents && get("client_id").starts_with("https://") => Ok(()),
            None => Err("an unknown client"),
        }
    }

    /// Sends the browser back.
    fn back(&self, params: &Params, conduct: &Conduct, outcome: (&str, &str)) -> Response {
        let uri = params.get("redirect_uri").cloned().unwrap_or_default();
        let Ok(mut url) = Url::parse(&uri) else {
            return Response::status(400);
        };
        {
            let mut pairs = url.query_pairs_mut();
            pairs.append_pair(outcome.0, outcome.1);
            if let Some(state) = params.get("state") {
                pairs.append_pair("state", state);
            }
            match &conduct.iss {
                Iss::Right => drop(pairs.append_pair("iss", &self.issuer())),
                Iss::Wrong(other) => drop(pairs.append_pair("iss", other)),
                Iss::Absent | Iss::Missing => {}
            }
        }
        Response::status(302).header("location", url.as_str())
    }

    fn page(&self, request: &Request, why: &str) -> Response {
        self.offend(request, why);
        Response::html(400, format!("<p>{why}</p>"))
    }

    /// Revokes a grant (RFC 7009 §2). Tokens that nobody knows are revoked already.
    pub(super) fn revoke(&self, request: &Request) -> Response {
        let params = match params(&request.text()) {
            Ok(params) => params,
            Err(twice) => {
                self.offend(request, &twice);
                return error(400, "invalid_request");
            }
        };
        if let Err(code) = self.asserted(request, &params, &lock(&self.conduct).clone()) {
            return error(401, code);
        }
        let mut books = lock(&self.books);
        if let Some(token) = params.get("token") {
            books.revoke(token);
        }
        books.revocations.push(params);
        Response::status(200)
    }
}

/// What each authorization request must have (2025-11-25 authorization).
fn asks_rightly(params: &Params, conduct: &Conduct) -> Result<(), &'static str> {
    let is = |name: &str, value: &str| params.get(name).is_some_and(|own| own == value);
    let has = |name: &str, least: usize| params.get(name).is_some_and(|own| own.len() >= least);
    if !is("response_type", "code") {
        Err("the response type is not code")
    } else if !is("code_challenge_method", "S256") || !has("code_challenge", 43) {
        Err("no PKCE with S256")
    } else if !has("state", 22) {
        Err("a state of less than 128 bits")
    } else if conduct.wants_resource && !has("resource", 1) {
        Err("no resource")
    } else if refuses_resource(params, conduct) {
        Err("a resource that is not supported")
    } else if conduct
        .wants
        .iter()
        .any(|(name, part)| !params.get(*name).is_some_and(|own| own.contains(part)))
    {
        Err("a parameter is missing that this server wants")
    } else if conduct.refuses_scopes.iter().any(|scope| {
        params
            .get("scope")
            .is_some_and(|own| own.split(' ').any(|own| own == *scope))
    }) {
        Err("a scope that this server does not know")
    } else {
        Ok(())
    }
}

/// Whether the `resource` of a request is one that this server does not take.
pub(super) fn refuses_resource(params: &Params, conduct: &Conduct) -> bool {
    let refused = conduct.refuses_resource;
    refused.is_some_and(|end| params.get("resource").is_some_and(|own| own.ends_with(end)))
}

fn is_loopback(uri: &Url) -> bool {
    matches!(uri.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"))
}

/// An OAuth error (RFC 6749 §5.2).
pub(super) fn error(status: u16, code: &str) -> Response {
    let body = json!({ "error": code, "error_description": format!("it says {code}") });
    Response::json(status, body.to_string())
}
