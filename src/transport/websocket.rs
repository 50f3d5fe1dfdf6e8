//! WebSocket (RFC 6455), which no revision of the protocol defines: one message a text frame, as the SDKs of version 1 had it
//! (subprotocol `mcp`). The upgrade is an HTTP request like any other; losing the connection is losing the session.

mod carry;

use std::sync::Arc;
use std::time::Duration;

use http::header::{
    CONNECTION, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use reqwest::Response;
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::handshake::{client::generate_key, derive_accept_key};
use tokio_tungstenite::tungstenite::{Message as Frame, Utf8Bytes};

use super::channel::lost;
use super::exchange::{Ask, Exchange};
use super::shared::Shared;
use super::{Events, Listening, Outgoing, Reply};
use crate::error::Failure;
use crate::jsonrpc::Kind;
use crate::net::failure::cause;
use crate::net::guard;
use carry::Sent;

/// What is asked for in `Sec-WebSocket-Protocol`.
const SUBPROTOCOL: &str = "mcp";

/// Messages that may wait to be written.
const QUEUE: usize = 16;

/// The longest that the close frame is waited for.
const CLOSE_WAIT: Duration = Duration::from_millis(500);

/// A link to one WebSocket server.
#[derive(Debug)]
pub struct WebSocket {
    exchange: Arc<Exchange>,
    /// The connection, and the way to its writer.
    shared: Arc<Shared<mpsc::Sender<Sent>>>,
}

impl WebSocket {
    /// A link that is not connected yet.
    pub fn new(exchange: Arc<Exchange>) -> Self {
        Self {
            exchange,
            shared: Arc::new(Shared::new()),
        }
    }

    pub(super) fn generation(&self) -> u64 {
        self.shared.generation()
    }

    pub(super) fn is_connected(&self) -> bool {
        self.shared.is_connected()
    }

    pub(super) fn heard(&self) -> u64 {
        self.shared.heard()
    }

    pub(super) fn listen(&self) -> Result<Listening, Failure> {
        self.shared.listen()
    }

    /// Asks for the upgrade and takes the connection into use.
    pub(super) async fn connect(&self) -> Result<(), Failure> {
        self.shared.close();
        let key = generate_key();
        let ask = Ask {
            method: Method::GET,
            url: self.exchange.url().clone(),
            headers: upgrade(&key),
            body: None,
        };
        let response = self.exchange.send(&ask).await?;
        match response.status() {
            StatusCode::SWITCHING_PROTOCOLS => {}
            status if speaks_http(status) => return Err(self.as_http(response).await),
            _ => return Err(self.exchange.refused(response).await),
        }
        accepted(&response, &key).map_err(|why| not_upgraded(&why))?;
        let upgraded = response.upgrade().await;
        let socket = upgraded.map_err(|wrong| Failure::Lost(cause(&wrong)))?;
        let (way, frames) = mpsc::channel(QUEUE);
        let limits = *self.exchange.limits();
        self.shared
            .opened(way, |channel| carry::carry(socket, limits, frames, channel));
        Ok(())
    }

    /// What somebody says who speaks HTTP and no more.
    async fn as_http(&self, response: Response) -> Failure {
        let mut refusal = self.exchange.refusal(response).await;
        // What it says is about the upgrade, not an answer to a message.
        refusal.message = None;
        Failure::NoWebSocket {
            refusal: Box::new(refusal),
            url: guard::shown(self.exchange.url()),
        }
    }

    pub(super) async fn send(&self, outgoing: &Outgoing) -> Result<Reply, Failure> {
        let open = self.shared.open()?;
        let message = &outgoing.message;
        let text =
            Utf8Bytes::try_from(message.line().clone()).map_err(|wrong| Failure::NotMcp {
                what: format!("the message is no UTF-8: {wrong}"),
                excerpt: None,
            })?;
        let id = message.id().filter(|_| message.kind() == Kind::Request);
        let answer = id.map(|id| match outgoing.lasts {
            true => open.channel.expect_end(id),
            false => open.channel.expect(id),
        });
        let (written, is_written) = oneshot::channel();
        let sent = Sent {
            frame: Frame::Text(text),
            written,
        };
        // Nothing of it has left when the writer is gone.
        open.way
            .send(sent)
            .await
            .map_err(|_| Failure::SessionGone {
                generation: open.generation,
                refusal: None,
            })?;
        is_written.await.unwrap_or_else(|_| Err(lost()))?;
        Ok(answer.map_or(Reply::Accepted, |answer| {
            Reply::Many(Events::Answer(answer))
        }))
    }

    pub(super) async fn close(&self) {
        if let Ok(open) = self.shared.open() {
            let (written, is_written) = oneshot::channel();
            let frame = carry::close(carry::Farewell::Done);
            let goodbye = async {
                let _ = open.way.send(Sent { frame, written }).await;
                let _ = is_written.await;
            };
            let _ = tokio::time::timeout(CLOSE_WAIT, goodbye).await;
        }
        self.shared.close();
    }
}

/// The headers of the upgrade (RFC 6455 §4.1). No `Origin`: this is no browser.
fn upgrade(key: &str) -> HeaderMap {
    #[expect(clippy::expect_used, reason = "the key is Base64")]
    let key = HeaderValue::from_str(key).expect("Base64 is allowed in headers");
    [
        (CONNECTION, HeaderValue::from_static("Upgrade")),
        (UPGRADE, HeaderValue::from_static("websocket")),
        (SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")),
        (SEC_WEBSOCKET_KEY, key),
        (
            SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static(SUBPROTOCOL),
        ),
    ]
    .into_iter()
    .collect()
}

/// Whether a 101 answers this very upgrade (RFC 6455 §4.1). Servers that choose no subprotocol are tolerated.
fn accepted(response: &Response, key: &str) -> Result<(), String> {
    let headers = response.headers();
    let has = |name: HeaderName, token: &str| {
        let values = headers.get_all(name);
        let mut values = values.iter().filter_map(|value| value.to_str().ok());
        values.any(|value| {
            let mut tokens = value.split(',');
            tokens.any(|one| one.trim().eq_ignore_ascii_case(token))
        })
    };
    if !has(UPGRADE, "websocket") || !has(CONNECTION, "upgrade") {
        return Err("it switches to another protocol".to_owned());
    }
    let accept = headers.get(SEC_WEBSOCKET_ACCEPT);
    if accept.is_none_or(|value| value.as_bytes() != derive_accept_key(key.as_bytes()).as_bytes()) {
        return Err("its Sec-WebSocket-Accept does not answer the key".to_owned());
    }
    if headers.contains_key(SEC_WEBSOCKET_EXTENSIONS) {
        return Err("it uses an extension that was not asked for".to_owned());
    }
    if headers.contains_key(SEC_WEBSOCKET_PROTOCOL) && !has(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) {
        return Err(format!("it chose another subprotocol than {SUBPROTOCOL}"));
    }
    Ok(())
}

/// Whether a status says that nobody there knows of the upgrade: not who may have it, and not that there is none now.
fn speaks_http(status: StatusCode) -> bool {
    let is_other = matches!(status.as_u16(), 401 | 403 | 407 | 408 | 429);
    status.is_success() || (status.is_client_error() && !is_other)
}

fn not_upgraded(why: &str) -> Failure {
    Failure::NotMcp {
        what: format!("the server did not open a WebSocket: {why}"),
        excerpt: None,
    }
}
