//! One request to a token endpoint that needs nobody's code: how the client proves itself, what is asked, the answer as tokens.

use ::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use ::http::{HeaderValue, Method};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oauth2::{HttpRequest, HttpResponse};
use url::{Url, form_urlencoded};

use super::assertion::SigningKey;
use crate::auth::flow::{self, NoToken};
use crate::auth::http::OauthHttp;
use crate::auth::metadata::ServerMetadata;
use crate::auth::oauth::now;
use crate::auth::registration::AuthMethod;
use crate::error::Failure;
use crate::secret::Secret;

/// The method of a client with a key (OpenID Connect Core §9).
pub(in crate::auth) const PRIVATE_KEY_JWT: &str = "private_key_jwt";

/// How the client proves itself (RFC 6749 §2.3, RFC 7523 §2.2). Never in two ways.
#[derive(Debug)]
pub(super) enum Proof<'a> {
    /// It has nothing to show but its id.
    Public(&'a str),
    /// Id and secret in a header.
    Basic(&'a str, &'a Secret),
    /// Id and secret in the body.
    Post(&'a str, &'a Secret),
    /// An assertion, which names the client and is good for one request.
    Signed(Signed<'a>),
}

/// What an assertion says.
#[derive(Debug)]
pub(super) struct Signed<'a> {
    id: &'a str,
    key: &'a SigningKey,
    audience: &'a str,
    algorithms: Option<&'a [String]>,
}

impl Signed<'_> {
    fn assertion(&self) -> Result<Secret, Failure> {
        self.key
            .assertion(self.id, self.audience, self.algorithms, now())
    }
}

impl<'a> Proof<'a> {
    /// The proof of a client with a secret or none: as the server takes it, unless `known` says how that really is.
    pub fn of_secret(
        id: &'a str,
        secret: Option<&'a Secret>,
        server: &ServerMetadata,
        known: Option<AuthMethod>,
    ) -> Self {
        let method = known.unwrap_or_else(|| AuthMethod::choose(None, secret, server));
        match (method, secret) {
            (AuthMethod::Basic, Some(secret)) => Self::Basic(id, secret),
            (AuthMethod::Post, Some(secret)) => Self::Post(id, secret),
            _ => Self::Public(id),
        }
    }

    /// The proof of a client with a key.
    ///
    /// # Errors
    /// The server takes no such proof.
    pub fn of_key(
        id: &'a str,
        key: &'a SigningKey,
        server: &'a ServerMetadata,
        audience: &'a str,
    ) -> Result<Self, Failure> {
        let listed = server.token_endpoint_auth_methods_supported.as_deref();
        if listed.is_some_and(|names| !names.iter().any(|name| name == PRIVATE_KEY_JWT)) {
            return Err(Failure::Credentials {
                what: format!(
                    "the authorization server {} does not take keys (private_key_jwt)",
                    server.issuer
                ),
                hint: "give the client's secret with --client-secret-file, in place of --private-key-file",
            });
        }
        let algorithms = &server.token_endpoint_auth_signing_alg_values_supported;
        Ok(Self::Signed(Signed {
            id,
            key,
            audience,
            algorithms: algorithms.as_deref(),
        }))
    }

    /// The name of the method.
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Public(_) => AuthMethod::None.name(),
            Self::Basic(..) => AuthMethod::Basic.name(),
            Self::Post(..) => AuthMethod::Post.name(),
            Self::Signed(_) => PRIVATE_KEY_JWT,
        }
    }
}

/// Sends a token request and gives the answer, a refusal included.
///
/// # Errors
/// When the endpoint could not be asked, or is not well.
pub(super) async fn send(
    http: &OauthHttp,
    endpoint: &Url,
    form: &[(&str, &str)],
    proof: Option<&Proof<'_>>,
) -> Result<HttpResponse, NoToken> {
    Ok(http.token_made(|| request(endpoint, form, proof)).await?)
}

/// The same once: of what is good for one request alone the caller has to get another one. The second is whether that may help.
///
/// # Errors
/// As for [`send`].
pub(super) async fn send_once(
    http: &OauthHttp,
    endpoint: &Url,
    form: &[(&str, &str)],
    proof: &Proof<'_>,
) -> Result<(HttpResponse, bool), NoToken> {
    let request = request(endpoint, form, Some(proof))?;
    Ok(http.token_once(request).await?)
}

/// Revokes a token of a client with a key (RFC 7009 §2.1).
///
/// # Errors
/// Network failures, and a refusal.
pub(in crate::auth) async fn revoke(
    http: &OauthHttp,
    server: &ServerMetadata,
    endpoint: &Url,
    (id, key): (&str, &SigningKey),
    token: &Secret,
) -> Result<(), Failure> {
    let proof = Proof::of_key(id, key, server, &server.issuer)?;
    let form = [("token", token.expose().as_str())];
    let answer = send(http, endpoint, &form, Some(&proof)).await?;
    if answer.status().is_success() {
        return Ok(());
    }
    Err(flow::not_revoked(answer.status()))
}

fn request(
    endpoint: &Url,
    form: &[(&str, &str)],
    proof: Option<&Proof<'_>>,
) -> Result<HttpRequest, Failure> {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(form);
    let mut basic = None;
    match proof {
        None => {}
        Some(Proof::Public(id)) => {
            body.append_pair("client_id", id);
        }
        Some(Proof::Post(id, secret)) => {
            body.append_pair("client_id", id);
            body.append_pair("client_secret", secret.expose());
        }
        Some(Proof::Signed(signed)) => {
            let assertion = signed.assertion()?;
            let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
            body.append_pair("client_assertion_type", kind);
            body.append_pair("client_assertion", assertion.expose());
        }
        Some(Proof::Basic(id, secret)) => basic = basic_header(id, secret),
    }
    let mut request = HttpRequest::new(body.finish().into_bytes());
    *request.method_mut() = Method::POST;
    let uri = endpoint.as_str().parse();
    *request.uri_mut() = uri.map_err(|_| Failure::Closed)?;
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert(CONTENT_TYPE, form);
    if let Some(basic) = basic {
        headers.insert(AUTHORIZATION, basic);
    }
    Ok(request)
}

/// Id and secret, each form-encoded first (RFC 6749 §2.3.1).
fn basic_header(id: &str, secret: &Secret) -> Option<HeaderValue> {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = STANDARD.encode(format!("{}:{}", encode(id), encode(secret.expose())));
    let mut value = HeaderValue::from_str(&format!("Basic {pair}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}
