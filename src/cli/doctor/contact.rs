//! The first request, sent by the bridge's own client: `initialize` without credentials of a sign-in, so that the server says
//! what it wants.

use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use bytes::{Bytes, BytesMut};
use http::header::{
    ACCEPT, CONNECTION, CONTENT_TYPE, LOCATION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method};
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use url::Url;

use super::check::Finding;
use super::patient::Patient;
use crate::auth::Authorizer;
use crate::bridge::Order;
use crate::cli::connection;
use crate::error::{Failure, Fatal};
use crate::jsonrpc::{Id, Message, reply};
use crate::net::client::Client;
use crate::net::failure::{classify, tls_error};
use crate::net::guard;
use crate::net::headers::media_type;

/// Bytes of the answer that are read.
const BODY: usize = 64 << 10;

/// The longest that the answer is waited for, and its body.
const LIMIT: Duration = Duration::from_secs(60);
const BODY_LIMIT: Duration = Duration::from_secs(5);

/// What the server said.
#[derive(Debug, Clone)]
pub struct Contact {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// Where it came from.
    pub peer: Option<IpAddr>,
    /// The time until the headers were there.
    pub took: Duration,
    /// The time of this clock then.
    pub at: SystemTime,
    /// Whether it was asked with a POST.
    pub posted: bool,
    body: Bytes,
    /// The version of HTTP.
    pub version: String,
}

/// Why nothing was said.
#[derive(Debug, Clone)]
pub struct NoContact {
    /// What the bridge would make of it.
    pub finding: Finding,
    /// What TLS said, where it was that.
    pub tls: Option<rustls::Error>,
}

impl NoContact {
    fn of(finding: Finding) -> Self {
        Self { finding, tls: None }
    }
}

impl Contact {
    /// Sends the first request.
    pub async fn make(patient: &Patient<'_>, url: &Url) -> Result<Self, NoContact> {
        let Some(remote) = &patient.remote else {
            return Err(NoContact::of(Finding::skip("not tried")));
        };
        let fatal = |wrong: Fatal| NoContact::of(Finding::of_fatal(&wrong));
        let network = patient.network(url);
        let client = match remote.order {
            Order::WebSocket => Client::for_upgrades(network),
            _ => Client::new(network),
        };
        let client = client.map_err(fatal)?;
        let posts = !matches!(
            remote.order,
            Order::SseOnly | Order::SseFirst | Order::WebSocket
        );
        let method = if posts { Method::POST } else { Method::GET };
        let given = &patient.args.remote;
        let mut headers = connection::user_headers(given, patient.env).map_err(fatal)?;
        if let command @ Authorizer::Command(_) = remote.exchange.authorizer() {
            let credentials = command.credentials(&method, url).await;
            let credentials =
                credentials.map_err(|failure| NoContact::of(Finding::of_failure(&failure)))?;
            headers.extend(credentials.headers);
        }
        let mut request = client.http().request(method, url.clone());
        request = request.headers(headers.clone());
        request = request.headers(asking(remote.order, posts));
        if posts {
            request = request.body(hello().line().clone());
        }
        let limit = patient.args.network.headers_timeout.limit();
        let limit = limit.map_or(LIMIT, |limit| limit.min(LIMIT));
        let contact = Self::send(request, posts, (limit, &guard::shown(url))).await?;
        contact.leave(&client, url, headers).await;
        Ok(contact)
    }

    async fn send(
        request: reqwest::RequestBuilder,
        posts: bool,
        (limit, shown): (Duration, &str),
    ) -> Result<Self, NoContact> {
        let begun = Instant::now();
        match tokio::time::timeout(limit, request.send()).await {
            Err(_) => {
                let failure = Failure::Timeout {
                    what: format!("{shown} sent nothing for {} s", limit.as_secs_f64()),
                    option: "--headers-timeout",
                };
                let finding = Finding::of_failure(&failure).fault("slow");
                Err(NoContact::of(finding.took(begun.elapsed())))
            }
            Ok(Err(wrong)) => Err(NoContact {
                finding: Finding::of_failure(&classify(&wrong, shown)).took(begun.elapsed()),
                tls: tls_error(&wrong),
            }),
            Ok(Ok(response)) => Ok(Self::read(response, (begun, posts)).await),
        }
    }

    async fn read(mut response: reqwest::Response, (begun, posted): (Instant, bool)) -> Self {
        let (took, at) = (begun.elapsed(), SystemTime::now());
        let mut body = BytesMut::new();
        let is_stream = media_type(response.headers()) == "text/event-stream";
        let rest = async {
            while let Ok(Some(chunk)) = response.chunk().await {
                body.extend_from_slice(&chunk);
                if body.len() > BODY || is_stream {
                    break;
                }
            }
        };
        // What has come is enough.
        let _ = tokio::time::timeout(BODY_LIMIT, rest).await;
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            peer: response.remote_addr().map(|address| address.ip()),
            took,
            at,
            posted,
            body: body.freeze(),
            version: format!("{:?}", response.version()),
        }
    }

    /// Leaves the session that the server may have opened.
    async fn leave(&self, client: &Client, url: &Url, given: HeaderMap) {
        let Some(session) = self.headers.get("mcp-session-id") else {
            return;
        };
        let leaving = client
            .http()
            .delete(url.clone())
            .headers(given)
            .header("mcp-session-id", session)
            .header("mcp-protocol-version", "2025-11-25");
        let _ = tokio::time::timeout(BODY_LIMIT, leaving.send()).await;
    }

    /// Whether it wants to know who asks.
    pub const fn wants_sign_in(&self) -> bool {
        self.status == 401
    }

    /// The JSON-RPC message of its body, if it is one.
    pub fn message(&self) -> Option<Message> {
        Message::parse(self.body.clone())
            .ok()
            .filter(Message::is_marked)
    }

    /// Where a redirect leads.
    pub fn location(&self, url: &Url) -> Option<Url> {
        if !(300..=399).contains(&self.status) {
            return None;
        }
        let to = self.headers.get(LOCATION)?.to_str().ok()?;
        url.join(to).ok()
    }
}

/// What the first request says of itself.
fn asking(order: Order, posts: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let accepted = match (posts, order) {
        (true, _) => "application/json, text/event-stream",
        (false, Order::WebSocket) => "*/*",
        (false, _) => "text/event-stream",
    };
    headers.insert(ACCEPT, HeaderValue::from_static(accepted));
    if posts {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if order == Order::WebSocket {
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        let key = HeaderValue::from_str(&generate_key());
        headers.extend(key.ok().map(|key| (SEC_WEBSOCKET_KEY, key)));
    }
    headers
}

/// The first message of a client.
pub fn hello() -> Message {
    let params = format!(
        r#"{{"protocolVersion":"2025-11-25","capabilities":{{}},"clientInfo":{{"name":"mcp-tether","version":"{}"}}}}"#,
        env!("CARGO_PKG_VERSION")
    );
    reply::request(&Id::text("mcp-tether:doctor"), "initialize", Some(&params))
}
