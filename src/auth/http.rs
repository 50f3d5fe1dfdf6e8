//! Requests to URLs that a server named: metadata documents, authorization servers. Never with the user's headers, never
//! across a redirect, bounded in size and time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode};
use reqwest::{RequestBuilder, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::{Url, form_urlencoded};

use super::dpop::{self, Binding, Claims, Nonces};
use super::leniency::token_answer;
use super::metadata::is_safe;
use super::oauth::now;
use crate::error::Failure;
use crate::net::addresses::{self, Reach};
use crate::net::client::{Client, Options};
use crate::net::failure::classify;
use crate::net::guard;
use crate::net::headers::media_type;
use crate::net::proxy;
use crate::secret::Secret;

/// Bytes of an answer that are read; no document or token answer is larger.
const MAX_BODY: usize = 1 << 20;

/// The longest that one request may take.
const LIMIT: Duration = Duration::from_secs(20);

/// Why a URL is out of reach.
const PRIVATE: &str = "it is on this machine or a private network, and the MCP server is not";

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The media type without parameters, in lower case.
    pub media_type: String,
    /// The body.
    pub body: Bytes,
}

/// The HTTP side of OAuth.
#[derive(Debug)]
pub struct OauthHttp {
    base: Options,
    reach: Reach,
    /// One client for each origin: which authorities and proxies apply depends on it.
    clients: Mutex<HashMap<String, reqwest::Client>>,
    nonces: Arc<Nonces>,
    binding: OnceLock<Binding>,
}

impl OauthHttp {
    /// Requests with the network options `base`, to addresses within `reach`.
    pub fn new(base: Options, reach: Reach) -> Self {
        Self {
            base,
            reach,
            clients: Mutex::default(),
            nonces: Arc::default(),
            binding: OnceLock::new(),
        }
    }

    /// The same with the nonces that earlier requests have brought.
    #[must_use]
    pub fn with_nonces(self, nonces: Arc<Nonces>) -> Self {
        Self { nonces, ..self }
    }

    /// From now on token requests carry a proof (RFC 9449 §5). Only the first key counts.
    pub fn bind(&self, binding: Binding) {
        let _ = self.binding.set(binding);
    }

    /// The key that tokens are bound to, where they are.
    pub fn binding(&self) -> Option<&Binding> {
        self.binding.get()
    }

    /// Fetches a document.
    ///
    /// # Errors
    /// When the URL must not be used, or no answer came. A status is no error.
    pub async fn get(&self, url: &Url) -> Result<Answer, Failure> {
        let client = self.client(url)?;
        self.send(
            url,
            client.get(url.clone()).header(ACCEPT, "application/json"),
        )
        .await
    }

    /// Posts a JSON document, as registration does.
    ///
    /// # Errors
    /// As for [`Self::get`].
    pub async fn post_json(&self, url: &Url, document: String) -> Result<Answer, Failure> {
        let client = self.client(url)?;
        let request = client
            .post(url.clone())
            .header(CONTENT_TYPE, "application/json");
        self.send(
            url,
            request.header(ACCEPT, "application/json").body(document),
        )
        .await
    }

    /// Posts a form, with the client's id and secret in `Authorization` where they are given (RFC 6749 §2.3.1).
    ///
    /// # Errors
    /// As for [`Self::get`].
    pub async fn post_form(
        &self,
        url: &Url,
        form: &[(&str, &str)],
        basic: Option<(&str, &Secret)>,
    ) -> Result<Answer, Failure> {
        let encode =
            |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let mut request = self
            .client(url)?
            .post(url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        if let Some((id, secret)) = basic {
            request = request.basic_auth(encode(id), Some(encode(secret.expose())));
        }
        self.send(url, request).await
    }

    /// Sends a request to a token endpoint, in the form that `oauth2` makes and reads.
    ///
    /// # Errors
    /// As for [`Self::get`].
    pub(super) async fn token(
        &self,
        request: oauth2::HttpRequest,
    ) -> Result<oauth2::HttpResponse, Failure> {
        self.token_made(|| Ok(request.clone())).await
    }

    /// The same with a request that is made anew for each attempt: some of what it shows is good for one alone.
    ///
    /// # Errors
    /// As for [`Self::get`], and what making it fails with.
    pub(super) async fn token_made(
        &self,
        make: impl Fn() -> Result<oauth2::HttpRequest, Failure>,
    ) -> Result<oauth2::HttpResponse, Failure> {
        let mut nonces = 0;
        loop {
            let (answer, again) = self.token_once(make()?).await?;
            if !again || nonces >= dpop::MAX_NONCES {
                return Ok(answer);
            }
            nonces += 1;
        }
    }

    /// One attempt alone, and whether another one may fare better: with the nonce that the answer brought.
    ///
    /// # Errors
    /// As for [`Self::get`].
    pub(super) async fn token_once(
        &self,
        request: oauth2::HttpRequest,
    ) -> Result<(oauth2::HttpResponse, bool), Failure> {
        let (parts, body) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string()).map_err(|_| Failure::Closed)?;
        let mut sent = self
            .client(&url)?
            .post(url.clone())
            .headers(parts.headers)
            .body(body);
        let nonce = self.nonces.get(&url);
        if let Some(binding) = self.binding() {
            sent = sent.header(dpop::PROOF, proof(binding, &url, nonce.as_deref())?);
        }
        let answer = token_answer(self.send(&url, sent).await?);
        let wanted = self.binding().is_some() && wants_nonce(&answer);
        // The server's word stands when it brings no nonce that was not tried.
        let again = wanted && self.nonces.get(&url) != nonce;
        // It may be well in a moment: that says nothing of the token.
        if answer.status.is_server_error() || matches!(answer.status.as_u16(), 408 | 429) {
            return Err(Failure::Unreachable {
                what: format!(
                    "the authorization server at {} answered HTTP {}",
                    guard::shown(&url),
                    answer.status.as_u16()
                ),
                hint: "try again later",
            });
        }
        let mut response = oauth2::HttpResponse::new(answer.body.to_vec());
        *response.status_mut() = answer.status;
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok((response, again))
    }

    /// Whether a browser may be sent to `page`, if there is one. A public server sends nobody to this machine or to a private
    /// address. A name may be of a private network: companies have their sign-in pages there.
    ///
    /// # Errors
    /// [`Failure::Credentials`] when it may not.
    pub async fn may_show(&self, page: Option<&Url>) -> Result<(), Failure> {
        match page {
            Some(url) if self.reach == Reach::Public && self.is_off_limits(url).await => {
                Err(unusable(url, PRIVATE))
            }
            _ => Ok(()),
        }
    }

    async fn is_off_limits(&self, page: &Url) -> bool {
        if guard::is_loopback(page) || self.reach.forbids(page) {
            return true;
        }
        // Names are the proxy's to resolve where there is one.
        proxy::used(&self.base.proxy, page).is_none() && addresses::leads_here(page).await
    }

    fn client(&self, url: &Url) -> Result<reqwest::Client, Failure> {
        if !is_safe(url) {
            return Err(unusable(url, "it is neither https nor on this machine"));
        }
        if self.reach.forbids(url) {
            return Err(unusable(url, PRIVATE));
        }
        let origin = url.origin().ascii_serialization();
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&origin) {
            return Ok(client.clone());
        }
        let made = Client::new(self.base.for_named(url.clone(), self.reach)).map_err(|wrong| {
            Failure::Credentials {
                what: wrong.message,
                hint: "check the proxy and certificate options",
            }
        })?;
        let client = made.http();
        clients.insert(origin, client.clone());
        Ok(client)
    }

    async fn send(&self, url: &Url, request: RequestBuilder) -> Result<Answer, Failure> {
        #[cfg(test)]
        if let Some(answer) = super::stage::answer(&request) {
            return Ok(answer);
        }
        let shown = guard::shown(url);
        let answered = async {
            let response = request
                .send()
                .await
                .map_err(|wrong| classify(&wrong, &shown))?;
            self.nonces.observe(url, response.headers());
            read(response, &shown).await
        };
        let answer = tokio::time::timeout(LIMIT, answered)
            .await
            .unwrap_or_else(|_| {
                Err(Failure::Unreachable {
                    what: format!("{shown} did not answer within {} s", LIMIT.as_secs()),
                    hint: "try again later",
                })
            })?;
        tracing::debug!(url = %shown, status = answer.status.as_u16(), "oauth");
        Ok(answer)
    }
}

impl<'c> oauth2::AsyncHttpClient<'c> for OauthHttp {
    type Error = Failure;
    type Future = BoxFuture<'c, Result<oauth2::HttpResponse, Failure>>;

    fn call(&'c self, request: oauth2::HttpRequest) -> Self::Future {
        self.token(request).boxed()
    }
}

/// The proof that goes with one token request.
fn proof(binding: &Binding, url: &Url, nonce: Option<&str>) -> Result<HeaderValue, Failure> {
    let claims = Claims {
        method: &Method::POST,
        url,
        token: None,
        nonce,
        at: now(),
    };
    binding.key.proof(&claims).ok_or_else(dpop::no_randomness)
}

/// Whether the authorization server wants the request again with another nonce (RFC 9449 §8).
fn wants_nonce(answer: &Answer) -> bool {
    #[derive(Deserialize)]
    struct Error {
        error: String,
    }
    !answer.status.is_success()
        && serde_json::from_slice::<Error>(&answer.body)
            .is_ok_and(|said| said.error == dpop::USE_NONCE)
}

async fn read(mut response: Response, shown: &str) -> Result<Answer, Failure> {
    let media_type = media_type(response.headers());
    let mut body = BytesMut::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|wrong| classify(&wrong, shown))?
    {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(Failure::Credentials {
                what: format!("the answer of {shown} is larger than {MAX_BODY} bytes"),
                hint: "tell the server's owner",
            });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer {
        status: response.status(),
        media_type,
        body: body.freeze(),
    })
}

/// Reads a document, which is a JSON object; `None` when it is anything else. By itself serde takes an array for a
/// structure, too.
pub(super) fn document<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    let is_object = body.trim_ascii_start().first() == Some(&b'{');
    is_object.then(|| serde_json::from_slice(body).ok())?
}

/// A URL that must not be used, and why. One of another kind than http is not repeated: it was made to be acted on.
pub fn unusable(url: &Url, why: &str) -> Failure {
    let shown = match url.scheme() {
        "http" | "https" => guard::shown(url),
        _ => "an address of another kind".to_owned(),
    };
    Failure::Credentials {
        what: format!("the server names {shown} for the sign-in, which is not used: {why}"),
        hint: "tell the server's owner; it may be an attempt to misuse this machine",
    }
}
