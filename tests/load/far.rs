//! The far end: an MCP server of each transport that keeps up with much, and counts. It keeps no log.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt, stream};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message as WebSocketFrame;

use crate::HANG;
use crate::support::gate::lock;
use crate::support::mcp::{LATEST, initialize_result, said};
use crate::support::rpc::{self, Rpc};

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Streamable HTTP, each answer a JSON body.
    Json,
    /// Streamable HTTP, each answer on an event stream.
    Stream,
    /// HTTP+SSE.
    Sse,
    /// WebSocket.
    WebSocket,
}

/// All of them.
pub const WIRES: [Wire; 4] = [Wire::Json, Wire::Stream, Wire::Sse, Wire::WebSocket];

/// Messages that may wait for a stream.
const WAITING: usize = 1024;

type Answer = http::Response<BoxBody<Bytes, Infallible>>;

/// A running server. It ends with its runtime.
pub struct Far {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    wire: Wire,
    /// Calls that came, and how many have to be there before one is answered.
    calls: watch::Sender<usize>,
    hold: AtomicUsize,
    /// The numbers of the client's notifications, as they came.
    notes: watch::Sender<usize>,
    numbers: Mutex<Vec<usize>>,
    /// Where the server sends by itself, once the client listens.
    listener: watch::Sender<Option<mpsc::Sender<String>>>,
}

impl Far {
    /// One that is up.
    pub async fn new(wire: Wire) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port");
        let state = Arc::new(State {
            wire,
            calls: watch::Sender::new(0),
            hold: AtomicUsize::new(1),
            notes: watch::Sender::new(0),
            numbers: Mutex::default(),
            listener: watch::Sender::new(None),
        });
        let address = listener.local_addr().expect("a bound socket");
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                tokio::spawn(Arc::clone(&shared).serve(stream));
            }
        });
        Self { address, state }
    }

    /// The arguments that lead a bridge to it.
    pub fn args(&self) -> Vec<String> {
        let url = match self.state.wire {
            Wire::WebSocket => format!("ws://{}/mcp", self.address),
            _ => format!("http://{}/mcp", self.address),
        };
        let sse = self.state.wire == Wire::Sse;
        let more = sse
            .then_some(["--transport", "sse-only"])
            .into_iter()
            .flatten();
        std::iter::once(url)
            .chain(more.map(str::to_owned))
            .collect()
    }

    /// From now on no call is answered before so many are there.
    pub fn hold(&self, calls: usize) {
        self.state.hold.store(calls, Ordering::SeqCst);
    }

    /// Waits until so many notifications have come in all, or no more come.
    pub async fn until_noted(&self, count: usize) {
        let mut notes = self.state.notes.subscribe();
        while *notes.borrow_and_update() < count {
            if timeout(HANG, notes.changed()).await.is_err() {
                return;
            }
        }
    }

    /// Takes the numbers of the notifications so far.
    pub fn take_numbers(&self) -> Vec<usize> {
        std::mem::take(&mut lock(&self.state.numbers))
    }

    /// Where to send to the client, as soon as it listens.
    pub async fn listener(&self) -> mpsc::Sender<String> {
        let mut listener = self.state.listener.subscribe();
        let there = timeout(HANG, listener.wait_for(Option::is_some)).await;
        let there = there.expect("it listens").expect("a sender lives");
        there.clone().expect("it is there")
    }
}

impl State {
    async fn serve(self: Arc<Self>, stream: TcpStream) {
        if self.wire == Wire::WebSocket {
            return self.frames(stream).await;
        }
        let service = service_fn(|request| {
            let state = Arc::clone(&self);
            async move { Ok::<_, Infallible>(state.answer(request).await) }
        });
        let connection = hyper::server::conn::http1::Builder::new();
        // One that ends early is the client's affair.
        let _ = connection
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    async fn frames(self: Arc<Self>, stream: TcpStream) {
        let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, subprotocol).await else {
            return;
        };
        let (mut out, mut frames) = socket.split();
        let (sender, mut messages) = mpsc::channel(WAITING);
        self.listener.send_replace(Some(sender.clone()));
        tokio::spawn(async move {
            while let Some(message) = messages.recv().await {
                let sent = out.send(WebSocketFrame::text(message)).await;
                if sent.is_err() {
                    return;
                }
            }
        });
        while let Some(Ok(frame)) = frames.next().await {
            if let WebSocketFrame::Text(text) = frame {
                self.takes(&text, &sender);
            }
        }
    }

    /// Takes a message whose answer goes to a shared stream.
    fn takes(self: &Arc<Self>, text: &str, sender: &mpsc::Sender<String>) {
        if let Some(answer) = self.heard(text) {
            let sender = sender.clone();
            tokio::spawn(async move {
                let _ = sender.send(answer.await).await;
            });
        }
    }

    async fn answer(self: Arc<Self>, request: http::Request<Incoming>) -> Answer {
        match request.method().as_str() {
            "GET" => return self.listen(),
            "DELETE" => return status(200),
            _ => {}
        }
        let body = request.into_body().collect().await;
        let body = body
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default();
        let text = String::from_utf8_lossy(&body);
        let sender = self.listener.borrow().clone();
        if let (Wire::Sse, Some(sender)) = (self.wire, sender) {
            self.takes(&text, &sender);
            return status(202);
        }
        let Some(answer) = self.heard(&text) else {
            return status(202);
        };
        let response = http::Response::builder().header("mcp-session-id", "one");
        let (kind, body) = match self.wire {
            Wire::Stream => {
                let event = answer.map(|text| Ok(Frame::data(event(&text))));
                let body = StreamBody::new(stream::once(event));
                ("text/event-stream", BodyExt::boxed(body))
            }
            _ => ("application/json", Full::from(answer.await).boxed()),
        };
        let response = response.header("content-type", kind).body(body);
        response.expect("a response")
    }

    /// Opens the stream on which the server sends.
    fn listen(&self) -> Answer {
        let (sender, messages) = mpsc::channel(WAITING);
        let events = stream::unfold(messages, |mut messages| async {
            let text: String = messages.recv().await?;
            Some((Ok(Frame::data(event(&text))), messages))
        });
        let first = Bytes::from_static(b"event: endpoint\ndata: /messages\n\n");
        let first = (self.wire == Wire::Sse).then_some(Ok(Frame::data(first)));
        let body = StreamBody::new(stream::iter(first).chain(events));
        self.listener.send_replace(Some(sender));
        let response = http::Response::builder().header("content-type", "text/event-stream");
        response.body(BodyExt::boxed(body)).expect("a response")
    }

    /// Hears a message; what will answer it, if it is a request.
    fn heard(self: &Arc<Self>, text: &str) -> Option<impl Future<Output = String> + use<>> {
        let rpc = Rpc::parse(text).expect("a message");
        let is_call = rpc.method.as_deref() == Some("tools/call");
        if rpc.method.as_deref() == Some("notifications/progress") {
            let number = rpc.params()["progress"].as_u64().expect("a number");
            lock(&self.numbers).push(usize::try_from(number).expect("a small number"));
            self.notes.send_modify(|count| *count += 1);
        }
        let id = rpc.id.clone()?;
        if is_call {
            self.calls.send_modify(|count| *count += 1);
        }
        let (mut calls, hold) = (self.calls.subscribe(), self.hold.load(Ordering::SeqCst));
        let wire = self.wire;
        Some(async move {
            if is_call {
                let _ = calls.wait_for(|count| *count >= hold).await;
                let text = rpc.params()["arguments"]["text"].clone();
                return rpc::result(&id, &said(text.as_str().unwrap_or_default()));
            }
            let version = match wire {
                Wire::Sse => "2024-11-05",
                _ => LATEST,
            };
            rpc::result(&id, &initialize_result(version))
        })
    }
}

#[allow(
    clippy::result_large_err,
    clippy::unnecessary_wraps,
    reason = "the library's own signature of an upgrade"
)]
fn subprotocol(
    _: &tokio_tungstenite::tungstenite::handshake::server::Request,
    mut response: tokio_tungstenite::tungstenite::handshake::server::Response,
) -> Result<
    tokio_tungstenite::tungstenite::handshake::server::Response,
    tokio_tungstenite::tungstenite::handshake::server::ErrorResponse,
> {
    let name = "mcp".parse().expect("a header value");
    response
        .headers_mut()
        .insert("sec-websocket-protocol", name);
    Ok(response)
}

fn status(status: u16) -> Answer {
    let response = http::Response::builder().status(status);
    response.body(Full::default().boxed()).expect("a response")
}

fn event(text: &str) -> Bytes {
    format!("event: message\ndata: {text}\n\n").into()
}
