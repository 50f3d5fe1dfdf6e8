//! The token endpoint of a fake authorization server: codes and refresh tokens for tokens (RFC 6749 §4.1.3, §6).

use serde_json::json;

use crate::support::gate::lock;
use crate::support::http::{Request, Response};
use crate::support::proofs::{NONCE, id_token};

use super::books::{Asked, Given};
use super::endpoints::{error, refuses_resource};
use super::machine;
use super::{Conduct, DEVICE_GRANT, Dpop, Exchange, Params, Refresh, State, params};

/// Where the thumbprint of the proven key stands among the parameters; no form field is called so.
const PROVEN: &str = "(key)";

/// The alphabet of RFC 4648 §5.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl State {
    pub(super) async fn token(&self, request: &Request, conduct: &Conduct) -> Response {
        let params = match params(&request.text()) {
            Ok(params) => params,
            Err(twice) => {
                self.offend(request, &twice);
                return error(400, "invalid_request");
            }
        };
        let params = match self.proven(request, params, conduct) {
            Ok(params) => params,
            Err(refusal) => return refusal,
        };
        lock(&self.books).exchanges.push(params.clone());
        if let Some(gate) = &conduct.hold {
            gate.opened().await;
        }
        let refreshes = params
            .get("grant_type")
            .is_some_and(|grant| grant == "refresh_token");
        if let (true, Refresh::Fails(status)) = (refreshes, conduct.refresh) {
            return Response::html(status, "<p>out of order</p>");
        }
        if refuses_resource(&params, conduct) {
            self.offend(request, "a resource that is not supported");
            return error(400, "invalid_target");
        }
        if let Some(answer) = self.machine(request, &params, conduct) {
            return answer;
        }
        let client = match self.client(request, &params, conduct) {
            Ok(client) => client,
            Err(refusal) => return refusal,
        };
        let answer = match params.get("grant_type").map(String::as_str) {
            Some("authorization_code") => self.code(request, &params, &client, conduct),
            Some("refresh_token") => self.refresh(request, &params, &client, conduct),
            Some(DEVICE_GRANT) if conduct.device.is_some() => self
                .poll(request, &params, &client, conduct)
                .map(|asked| self.first_tokens(asked, &params, conduct)),
            _ => Err("unsupported_grant_type"),
        };
        match answer {
            Ok(response) => response,
            Err("invalid_client") => error(401, "invalid_client"),
            Err("503") => Response::html(503, "<p>out of order</p>"),
            Err(code) => error(400, code),
        }
    }

    /// The parameters with the thumbprint of the key that the request proves, if it proves one.
    fn proven(
        &self,
        request: &Request,
        mut params: Params,
        conduct: &Conduct,
    ) -> Result<Params, Response> {
        let unknown = matches!(conduct.dpop, Dpop::Unknown | Dpop::OtherAlgorithm);
        if unknown || request.header("dpop").is_none() {
            return Ok(params);
        }
        match self.proofs.check(request, None) {
            Err(wrong) => {
                self.offend(request, &wrong);
                Err(error(400, "invalid_dpop_proof"))
            }
            Ok(proof) => match self.proofs.nonce_for(&proof, conduct.proofs) {
                Some(nonce) => Err(error(400, "use_dpop_nonce").header(NONCE, &nonce)),
                None => {
                    params.insert(PROVEN.to_owned(), proof.key);
                    Ok(params)
                }
            },
        }
    }

    /// Who asks, by the method that it registered (RFC 6749 §2.3), never by two.
    pub(super) fn client(
        &self,
        request: &Request,
        params: &Params,
        conduct: &Conduct,
    ) -> Result<String, Response> {
        let basic = request.header("authorization").and_then(basic);
        let in_body = params.get("client_id").cloned();
        let posted = params.get("client_secret").cloned();
        if basic.is_some() && posted.is_some() {
            self.offend(request, "the client proves itself twice");
            return Err(error(400, "invalid_request"));
        }
        let id = basic.as_ref().map(|(id, _)| id.clone()).or(in_body);
        let id = id.unwrap_or_default();
        let books = lock(&self.books);
        let Some(client) = books.client(&id) else {
            let document = conduct.documents && id.starts_with("https://");
            return if document {
                Ok(id)
            } else {
                Err(error(401, "invalid_client"))
            };
        };
        let proven = match client.method.as_str() {
            "client_secret_basic" => basic.map(|(_, secret)| secret) == client.secret,
            "client_secret_post" => posted == client.secret,
            _ => basic.is_none() && posted.is_none(),
        };
        if !proven {
            self.offend(request, "the client does not prove itself as it registered");
            return Err(error(401, "invalid_client"));
        }
        Ok(id)
    }

    fn code(
        &self,
        request: &Request,
        params: &Params,
        client: &str,
        conduct: &Conduct,
    ) -> Result<Response, &'static str> {
        let get = |name: &str| params.get(name).map(String::as_str).unwrap_or_default();
        if let Exchange::Refused(code) = conduct.exchange {
            return Err(code);
        }
        let mut books = lock(&self.books);
        books.verifiers.push(get("code_verifier").to_owned());
        let asked = books.take_code(get("code"))?;
        let wrong = if asked.client != client {
            Some("the code belongs to another client")
        } else if asked.redirect_uri != get("redirect_uri") {
            Some("the redirect URI is not the one of the authorization request")
        } else if s256(get("code_verifier")) != asked.challenge {
            Some("the verifier is not the one of the challenge")
        } else if asked.resource.as_ref() != params.get("resource") {
            Some("the resource is not the one of the authorization request")
        } else if asked.key.is_some() && asked.key.as_ref() != params.get(PROVEN) {
            Some("the key is not the one of the authorization request")
        } else {
            None
        };
        if let Some(wrong) = wrong {
            self.offend(request, wrong);
            return Err("invalid_grant");
        }
        drop(books);
        Ok(self.first_tokens(asked, params, conduct))
    }

    /// The tokens of a new grant.
    fn first_tokens(&self, asked: Asked, params: &Params, conduct: &Conduct) -> Response {
        let mut books = lock(&self.books);
        let mut given = books.grant(asked);
        given.key = bound(params, conduct);
        if given.scope.split(' ').any(|scope| scope == "openid") {
            let client = given.client.clone();
            given.id_token = Some(machine::id_token(
                &mut books,
                &client,
                conduct,
                &self.issuer(),
            ));
        }
        let refresh =
            (conduct.exchange == Exchange::Tokens).then(|| books.add_refresh(given.clone()));
        let access = books.add_access(given.clone());
        answer(&access, refresh.as_deref(), &given, conduct)
    }

    fn refresh(
        &self,
        request: &Request,
        params: &Params,
        client: &str,
        conduct: &Conduct,
    ) -> Result<Response, &'static str> {
        if let Refresh::Refused(code) = conduct.refresh {
            return Err(code);
        }
        let token = params.get("refresh_token").cloned().unwrap_or_default();
        let mut books = lock(&self.books);
        let reuses = books.reuses;
        let given = books.refreshed(&token);
        if books.reuses > reuses {
            self.offend(request, "a refresh token is used twice");
        }
        let mut given = given?;
        if given.key.is_some() && given.key.as_ref() != params.get(PROVEN) {
            self.offend(
                request,
                "a refresh token without the key that it is bound to",
            );
            return Err("invalid_grant");
        }
        given.key = bound(params, conduct);
        if given.id_token.is_some() {
            given.id_token = Some(machine::id_token(
                &mut books,
                client,
                conduct,
                &self.issuer(),
            ));
        }
        if given.client != client || given.resource.as_ref() != params.get("resource") {
            self.offend(request, "a refresh token of another client or resource");
            return Err("invalid_grant");
        }
        if params
            .get("scope")
            .is_some_and(|scope| wider(scope, &given.scope))
        {
            self.offend(request, "a refresh asks for more scope");
            return Err("invalid_scope");
        }
        if conduct.refresh == Refresh::Rotates {
            books.spend(&token);
        }
        let rotates = matches!(conduct.refresh, Refresh::Rotates | Refresh::Forgives);
        let next = rotates.then(|| books.add_refresh(given.clone()));
        let access = books.add_access(given.clone());
        Ok(answer(&access, next.as_deref(), &given, conduct))
    }
}

/// The key that the tokens of an answer are bound to.
pub(super) fn bound(params: &Params, conduct: &Conduct) -> Option<String> {
    let key = params.get(PROVEN).cloned();
    key.filter(|_| conduct.dpop != Dpop::Breaks)
}

pub(super) fn answer(
    access: &str,
    refresh: Option<&str>,
    given: &Given,
    conduct: &Conduct,
) -> Response {
    let kind = given.key.as_ref().map_or("Bearer", |_| "DPoP");
    let mut body = json!({ "access_token": access, "token_type": kind });
    if let Some(seconds) = conduct.id_tokens {
        body["id_token"] = id_token(access, seconds).into();
    }
    if let Some(refresh) = refresh {
        body["refresh_token"] = refresh.into();
    }
    if let Some(id_token) = &given.id_token {
        body["id_token"] = id_token.as_str().into();
    }
    if let Some(seconds) = conduct.lifetime {
        body["expires_in"] = seconds.into();
    }
    if !given.scope.is_empty() {
        body["scope"] = given.scope.as_str().into();
    }
    if conduct.forms {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in body.as_object().into_iter().flatten() {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            form.append_pair(name, &text);
        }
        let form = form.finish();
        return Response::html(200, form).header("cache-control", "no-store");
    }
    Response::json(200, body.to_string()).header("cache-control", "no-store")
}

fn wider(asked: &str, granted: &str) -> bool {
    let granted: Vec<&str> = granted.split(' ').collect();
    asked.split(' ').any(|scope| !granted.contains(&scope))
}

/// Id and secret of an `Authorization: Basic` header, form-decoded (RFC 6749 §2.3.1).
fn basic(header: &str) -> Option<(String, String)> {
    let text = header.strip_prefix("Basic ")?;
    let bytes = unbase64(text.trim_end_matches('='))?;
    let text = String::from_utf8(bytes).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |text: &str| {
        let pair = format!("x={text}");
        let mut pairs = url::form_urlencoded::parse(pair.as_bytes());
        Some(pairs.next()?.1.into_owned())
    };
    Some((decode(id)?, decode(secret)?))
}

/// The challenge of a verifier (RFC 7636 §4.2).
pub(crate) fn s256(verifier: &str) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes());
    let mut text = String::new();
    for three in hash.as_ref().chunks(3) {
        let bits = three
            .iter()
            .fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - three.len()));
        for place in 0..=three.len() {
            let six = (bits >> (18 - 6 * place)) & 63;
            text.push(char::from(ALPHABET[six as usize]));
        }
    }
    text
}

fn unbase64(text: &str) -> Option<Vec<u8>> {
    let (mut bits, mut held, mut bytes) = (0u32, 0, Vec::new());
    for byte in text.bytes() {
        // The standard alphabet differs in its last two letters.
        let byte = match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => other,
        };
        let six = ALPHABET.iter().position(|letter| *letter == byte)?;
        bits = (bits << 6 | u32::try_from(six).ok()?) & 0xff_ffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    Some(bytes)
}
