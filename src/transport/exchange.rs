//! One HTTP request and its response, as all HTTP transports need it: the user's headers, credentials and their one renewal
//! after a 401, time limits, and what a refusal says.

use std::future::Future;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, LOCATION};
use http::{HeaderMap, Method, StatusCode};
use reqwest::Response;
use url::Url;

use crate::auth::dpop::{self, MAX_NONCES};
use crate::auth::{Authorizer, Credentials, Recovery, Refused};
use crate::error::{Failure, Refusal};
use crate::jsonrpc::{Kind, Message};
use crate::net::client::Client;
use crate::net::failure::classify;
use crate::net::guard::MAX_REDIRECTS;
use crate::net::{guard, retry};

/// Bytes of a refusal's body that are read.
const REFUSAL_BODY: usize = 1 << 20;

/// Characters of a refusal's body that are shown.
const EXCERPT: usize = 200;

/// The longest that the rest of a refusal's body is waited for.
const REFUSAL_WAIT: Duration = Duration::from_secs(5);

/// Limits on answers.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Until the response headers; `None` for no limit.
    pub headers: Option<Duration>,
    /// Between two pieces of a body that is no event stream; `None` for no limit.
    pub body: Option<Duration>,
    /// Bytes of one message.
    pub message: usize,
}

/// What all HTTP requests to the server share.
#[derive(Debug)]
pub struct Exchange {
    client: Client,
    url: Url,
    headers: HeaderMap,
    authorizer: Authorizer,
    limits: Limits,
}

/// One HTTP request.
#[derive(Debug)]
pub(super) struct Ask {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Option<Bytes>,
}

/// Where credentials are taken from.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// They are renewed first where they are about to end.
    Renewed,
    /// They are sent as they are.
    AtHand,
}

impl Exchange {
    /// Requests to `url` with the user's `headers`.
    pub const fn new(
        client: Client,
        url: Url,
        headers: HeaderMap,
        authorizer: Authorizer,
        limits: Limits,
    ) -> Self {
        Self {
            client,
            url,
            headers,
            authorizer,
            limits,
        }
    }

    /// The server's URL.
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// Where credentials come from.
    pub const fn authorizer(&self) -> &Authorizer {
        &self.authorizer
    }

    /// The limits on answers.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Sends `ask` and gives the response, whatever its status. Credentials that were refused are renewed, where that needs
    /// nobody to sign in: by a refresh, or by what another process has kept meanwhile.
    pub(super) async fn send(&self, ask: &Ask) -> Result<Response, Failure> {
        let mut renewals = 0;
        loop {
            let (credentials, response) = self.settled(ask, Source::Renewed).await?;
            let status = response.status();
            if status != StatusCode::UNAUTHORIZED {
                self.authorizer.accepted(&credentials);
            }
            let refused = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            if !refused || renewals >= self.authorizer.renewals() {
                return Ok(response);
            }
            let recovery = self
                .authorizer
                .recover(
                    &credentials,
                    &Refused {
                        status,
                        headers: response.headers(),
                        peer: response.remote_addr().map(|address| address.ip()),
                    },
                )
                .await?;
            renewals += 1;
            match recovery {
                Recovery::Renewed => {}
                Recovery::Exhausted => return Ok(response),
                Recovery::SignIn => {
                    let refusal = self.refusal(response).await;
                    return Err(Failure::SignInNeeded(Box::new(refusal)));
                }
            }
        }
    }

    /// Sends `ask` once, with the credentials at hand: on leaving nothing is begun that could not be finished.
    pub(super) async fn send_last(&self, ask: &Ask) -> Result<Response, Failure> {
        let (_, response) = self.settled(ask, Source::AtHand).await?;
        Ok(response)
    }

    /// Sends `ask` with credentials of one generation, and gives them with the response. A proof is good for one request (RFC
    /// 9449 §4.2): where the server wants it with another nonce, or the request elsewhere, there is a new one.
    async fn settled(&self, ask: &Ask, source: Source) -> Result<(Credentials, Response), Failure> {
        let (mut nonces, mut moves) = (0, 0);
        let mut moved = None;
        loop {
            let url = moved.as_ref().unwrap_or(&ask.url);
            let credentials = match source {
                Source::Renewed => self.authorizer.credentials(&ask.method, url).await?,
                Source::AtHand => self.authorizer.at_hand(&ask.method, url),
            };
            if credentials.headers.contains_key(dpop::PROOF) {
                self.client.following().leave();
            }
            let response = self.attempt(ask, url, &credentials.headers).await?;
            self.authorizer.observe(response.url(), response.headers());
            let leads_on = self.client.following().is_left() && moves < MAX_REDIRECTS;
            if let Some(to) = followed(&response).filter(|_| leads_on) {
                moves += 1;
                moved = Some(to);
                continue;
            }
            let wanted = response.status() == StatusCode::UNAUTHORIZED
                && self
                    .authorizer
                    .wants_nonce(&credentials, response.headers());
            if !wanted {
                return Ok((credentials, response));
            }
            if nonces >= MAX_NONCES || !response.headers().contains_key(dpop::NONCE) {
                return Err(self.without_nonce(response).await);
            }
            nonces += 1;
        }
    }

    /// The server takes none of the nonces that it gives. That is no matter of signing in: its word stands.
    async fn without_nonce(&self, response: Response) -> Failure {
        let refusal = self.refusal(response).await;
        if refusal.message.is_some() {
            return Failure::Unauthorized(Box::new(refusal));
        }
        Failure::Credentials {
            what: format!(
                "the server wants another DPoP nonce each time (HTTP {})",
                refusal.status
            ),
            hint: "try again; if it keeps failing, tell the server's owner",
        }
    }

    async fn attempt(
        &self,
        ask: &Ask,
        url: &Url,
        credentials: &HeaderMap,
    ) -> Result<Response, Failure> {
        let mut headers = self.headers.clone();
        headers.extend(ask.headers.clone());
        headers.extend(credentials.clone());
        let mut request = self
            .client
            .http()
            .request(ask.method.clone(), url.clone())
            .headers(headers);
        if let Some(body) = &ask.body {
            request = request.body(body.clone());
        }
        let sent = self
            .within(self.limits.headers, "--headers-timeout", request.send())
            .await?;
        let response = sent.map_err(|wrong| classify(&wrong, &guard::shown(&self.url)))?;
        tracing::debug!(method = %ask.method, status = response.status().as_u16(), "http");
        Ok(response)
    }

    /// `work` within `limit`.
    async fn within<T>(
        &self,
        limit: Option<Duration>,
        option: &'static str,
        work: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        let Some(limit) = limit else {
            return Ok(work.await);
        };
        tokio::time::timeout(limit, work)
            .await
            .map_err(|_| Failure::Timeout {
                what: format!(
                    "{} sent nothing for {} s",
                    guard::shown(&self.url),
                    limit.as_secs_f64()
                ),
                option,
            })
    }

    /// The whole body of an answer.
    pub(super) async fn body(&self, mut response: Response) -> Result<Bytes, Failure> {
        let limit = self.limits.message;
        let announced = response.content_length().unwrap_or_default();
        let announced = usize::try_from(announced).unwrap_or(usize::MAX);
        if announced > limit {
            return Err(Failure::TooLarge { limit });
        }
        let mut body = BytesMut::with_capacity(announced);
        loop {
            let chunk = self
                .within(self.limits.body, "--body-timeout", response.chunk())
                .await?;
            let chunk = chunk.map_err(|wrong| classify(&wrong, &guard::shown(&self.url)))?;
            match chunk {
                None => return Ok(body.freeze()),
                Some(chunk) if body.len() + chunk.len() > limit => {
                    return Err(Failure::TooLarge { limit });
                }
                Some(chunk) => body.extend_from_slice(&chunk),
            }
        }
    }

    /// What a response that is no success says.
    pub(super) async fn refusal(&self, mut response: Response) -> Refusal {
        let status = response.status().as_u16();
        let retry_after = retry::retry_after(response.headers(), SystemTime::now());
        let location = response
            .headers()
            .get(LOCATION)
            .and_then(|to| to.to_str().ok());
        let location = location
            .and_then(|to| response.url().join(to).ok())
            .map(|mut to| {
                to.set_query(None);
                guard::shown(&to)
            });
        let mut body = Vec::new();
        let read = async {
            while let Ok(Some(chunk)) = response.chunk().await {
                body.extend_from_slice(&chunk);
                if body.len() > REFUSAL_BODY {
                    break;
                }
            }
        };
        // What has come is enough.
        let _ = tokio::time::timeout(REFUSAL_WAIT, read).await;
        let excerpt = excerpt(&body);
        let message = Message::parse(Bytes::from(body))
            .ok()
            .filter(|message| message.kind() == Kind::Error);
        Refusal {
            status,
            retry_after,
            excerpt,
            message,
            location,
            authorization_given: self.headers.contains_key(AUTHORIZATION),
        }
    }

    /// A refusal as the failure that its status means.
    pub(super) async fn refused(&self, response: Response) -> Failure {
        let refusal = Box::new(self.refusal(response).await);
        match refusal.status {
            401 => Failure::Unauthorized(refusal),
            403 => Failure::Forbidden(refusal),
            _ => Failure::Status(refusal),
        }
    }
}

/// Where a redirect leads that was left to us, if it may be followed.
fn followed(response: &Response) -> Option<Url> {
    if !response.status().is_redirection() {
        return None;
    }
    let to = response.headers().get(LOCATION)?.to_str().ok()?;
    let to = response.url().join(to).ok()?;
    guard::is_followed(response.status(), response.url(), &to).then_some(to)
}

/// A copy of as much of a body as its excerpt needs, so that the body itself can be given away.
pub(super) fn excerpt_source(body: &[u8]) -> Vec<u8> {
    body.get(..body.len().min(EXCERPT * 4))
        .unwrap_or_default()
        .to_vec()
}

/// At most 200 printable characters of a body.
pub(super) fn excerpt(body: &[u8]) -> Option<String> {
    let text: String = String::from_utf8_lossy(&excerpt_source(body))
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .filter(|c| !c.is_control() && *c != char::REPLACEMENT_CHARACTER)
        .take(EXCERPT)
        .collect();
    Some(text).filter(|text| !text.is_empty())
}
