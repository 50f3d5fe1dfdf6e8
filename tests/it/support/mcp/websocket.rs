//! A scripted MCP server over WebSocket: each text frame is a message, and so is each answer.

#![allow(
    clippy::result_large_err,
    reason = "the library's own signature of an upgrade"
)]

mod line;

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Version};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::handshake::server::{
    ErrorResponse, Request as Upgrade, Response as Upgraded,
};

use crate::support::gate::{Shelf, lock};
use crate::support::http::Request;
use crate::support::server::Peer;
use crate::support::tls::{Ca, Mutual};

pub use self::line::Control;
use self::line::{Line, talk};
use super::{ANSWER, Call, Hooks, LATEST, answer, initialize_result};

/// A running scripted WebSocket server at `/mcp`. In its log the upgrades are GETs, and each message from the client is a
/// request of the method `FRAME`.
pub struct WebSocket {
    address: SocketAddr,
    scheme: &'static str,
    state: Arc<State>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct State {
    hooks: Hooks<Option<String>>,
    lines: Shelf<Line>,
    log: Arc<Shelf<Request>>,
    /// Pongs and closes of the client.
    control: Shelf<Control>,
    connections: AtomicUsize,
    /// What the next upgrades are answered with instead.
    refusals: Mutex<VecDeque<(u16, HeaderMap)>>,
    /// Headers that replace those of a 101; an empty value takes one away.
    bent: Mutex<Vec<(&'static str, &'static str)>>,
    /// The challenge for upgrades without a token.
    challenge: Mutex<Option<String>>,
}

impl Default for WebSocket {
    fn default() -> Self {
        Self::new()
    }
}

impl WebSocket {
    /// A running server without TLS.
    pub fn new() -> Self {
        Self::serve(None, "ws")
    }

    /// One that speaks TLS and would rather have HTTP/2.
    pub fn tls(ca: &Ca, mutual: Mutual) -> Self {
        let mut config = ca.server(mutual);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self::serve(Some(TlsAcceptor::from(Arc::new(config))), "wss")
    }

    fn serve(tls: Option<TlsAcceptor>, scheme: &'static str) -> Self {
        let state = Arc::new(State {
            hooks: Hooks::default(),
            lines: Shelf::default(),
            log: Arc::default(),
            control: Shelf::default(),
            connections: AtomicUsize::new(0),
            refusals: Mutex::default(),
            bent: Mutex::default(),
            challenge: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let (bound, is_bound) = mpsc::channel();
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || run(&shared, tls, &bound, stopped));
        Self {
            address: is_bound.recv().expect("the server thread listens"),
            scheme,
            state,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Where it is bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL with `http` or `https`.
    pub fn http_url(&self) -> String {
        self.url().replacen("ws", "http", 1)
    }

    /// Answers a method by a closure from now on; `None` sends nothing.
    pub fn on<H, F>(&self, method: &str, hook: H)
    where
        H: Fn(Call) -> F + Send + Sync + 'static,
        F: Future<Output = Option<String>> + Send + 'static,
    {
        self.state.hooks.clear(method);
        self.state.hooks.add(usize::MAX, method, hook);
    }

    /// Answers the next `times` messages of a method by a closure; then the default is back.
    pub fn times<H, F>(&self, times: usize, method: &str, hook: H)
    where
        H: Fn(Call) -> F + Send + Sync + 'static,
        F: Future<Output = Option<String>> + Send + 'static,
    {
        self.state.hooks.add(times, method, hook);
    }

    /// Answers the next upgrade with that status and these headers.
    pub fn refuse(&self, status: u16, headers: &[(&'static str, &str)]) {
        let headers = headers.iter().map(|(name, value)| {
            let name = http::HeaderName::from_static(name);
            (name, value.parse().expect("a header value"))
        });
        lock(&self.state.refusals).push_back((status, headers.collect()));
    }

    /// Refuses upgrades without an `Authorization` header from now on, with that challenge.
    pub fn wants_token(&self, challenge: &str) {
        *lock(&self.state.challenge) = Some(challenge.to_owned());
    }

    /// Puts headers in place of those of a 101 from now on; an empty value takes one away.
    pub fn bend(&self, headers: &[(&'static str, &'static str)]) {
        *lock(&self.state.bent) = headers.to_vec();
    }

    /// Waits for the `nth` connection, counted from 1.
    pub fn line(&self, nth: usize) -> Line {
        let what = format!("connection {nth}");
        let lines = &self.state.lines;
        lines.wait(&what, |lines| lines.get(nth - 1).cloned())
    }

    /// Waits for a control frame from the client.
    pub fn wait_control(&self, what: &str, wanted: impl Fn(&Frame) -> bool) -> Frame {
        let control = &self.state.control;
        control.wait(what, |all| {
            let mut all = all.iter();
            all.find(|one| wanted(&one.0)).map(|one| one.0.clone())
        })
    }

    /// The upgrades that were asked for.
    pub fn upgrades(&self) -> Vec<Request> {
        let mut all = self.state.log.all();
        all.retain(|request| request.method == Method::GET);
        all
    }

    /// The messages so far with that JSON-RPC method.
    pub fn calls(&self, method: &str) -> Vec<Request> {
        self.state.log.with(|log| of(log, method))
    }

    /// Waits until that method was called at least `count` times.
    pub fn wait_calls(&self, method: &str, count: usize) -> Vec<Request> {
        self.state.log.wait(&format!("{count} of {method}"), |log| {
            let found = of(log, method);
            (found.len() >= count).then_some(found)
        })
    }
}

impl Peer for WebSocket {
    fn url(&self) -> String {
        format!("{}://{}/mcp", self.scheme, self.address)
    }

    fn log(&self) -> Arc<Shelf<Request>> {
        Arc::clone(&self.state.log)
    }
}

impl Drop for WebSocket {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        let thread = self.thread.take().map(JoinHandle::join);
        if std::thread::panicking() {
            return;
        }
        assert!(matches!(thread, Some(Ok(()))), "the server panicked");
        let called = self.state.log.with(|log| !log.is_empty());
        assert!(called, "nobody asked {}", self.url());
    }
}

fn of(log: &[Request], method: &str) -> Vec<Request> {
    let wanted = |request: &&Request| request.rpc_method().as_deref() == Some(method);
    log.iter().filter(wanted).cloned().collect()
}

fn run(
    state: &Arc<State>,
    tls: Option<TlsAcceptor>,
    bound: &mpsc::Sender<SocketAddr>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        bound.send(address).expect("the test waits");
        tokio::select! {
            _ = stopped => {}
            () = accept(listener, state, tls) => {}
        }
    });
}

async fn accept(listener: TcpListener, state: &Arc<State>, tls: Option<TlsAcceptor>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (state, tls) = (Arc::clone(state), tls.clone());
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            match tls {
                None => state.serve(stream).await,
                // A client that refuses our certificate is its own affair: the test sees its error.
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        state.serve(stream).await;
                    }
                }
            }
        });
    }
}

impl State {
    async fn serve<S>(self: Arc<Self>, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let connection = self.connections.fetch_add(1, Ordering::SeqCst) + 1;
        let upgrade = |request: &Upgrade, response: Upgraded| {
            self.log.push(logged(request, connection));
            self.upgraded(request.headers(), response)
        };
        let Ok(stream) = headed(stream).await else {
            return;
        };
        let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, upgrade).await else {
            return;
        };
        let (line, to_send) = Line::new();
        self.lines.push(line.clone());
        let heard = |frame: Frame| match frame {
            Frame::Text(text) => self.heard(text.into(), &line, connection),
            other => self.control.push(Control(other)),
        };
        talk(socket, to_send, heard).await;
        line.gone().open();
    }

    fn upgraded(
        &self,
        asked: &HeaderMap,
        mut response: Upgraded,
    ) -> Result<Upgraded, ErrorResponse> {
        let mut refused = lock(&self.refusals).pop_front();
        if let Some(challenge) = &*lock(&self.challenge)
            && !asked.contains_key("authorization")
        {
            let challenge = challenge.parse().expect("a header value");
            let headers = [(http::header::WWW_AUTHENTICATE, challenge)];
            refused = Some((401, headers.into_iter().collect()));
        }
        if let Some((status, headers)) = refused {
            let mut refusal = ErrorResponse::new(Some("no".to_owned()));
            *refusal.status_mut() = StatusCode::from_u16(status).expect("a status code");
            *refusal.headers_mut() = headers;
            let headers = refusal.headers_mut();
            headers.insert("content-length", "2".parse().expect("a number"));
            // It hangs up: nobody is to ask again on this connection.
            headers.insert("connection", "close".parse().expect("a token"));
            return Err(refusal);
        }
        let headers = response.headers_mut();
        headers.insert("sec-websocket-protocol", "mcp".parse().expect("a token"));
        for (name, value) in lock(&self.bent).iter() {
            if value.is_empty() {
                headers.remove(*name);
            } else {
                headers.insert(*name, value.parse().expect("a header value"));
            }
        }
        Ok(response)
    }

    fn heard(self: &Arc<Self>, body: Bytes, line: &Line, connection: usize) {
        let request = Request {
            method: Method::from_bytes(b"FRAME").expect("a method"),
            path: String::new(),
            query: None,
            headers: HeaderMap::new(),
            body,
            at: Instant::now(),
            connection,
            version: Version::HTTP_11,
        };
        self.log.push(request.clone());
        let (state, line) = (Arc::clone(self), line.clone());
        tokio::spawn(async move {
            let call = Call {
                rpc: request.rpc(),
                request,
                feed: None,
            };
            if let Some(text) = state.answer(call, &line).await {
                line.text(text);
            }
        });
    }

    async fn answer(&self, call: Call, line: &Line) -> Option<String> {
        let rpc = call.rpc.clone()?;
        let method = rpc.method.as_deref().unwrap_or(ANSWER);
        if let Some(hook) = self.hooks.take(method) {
            return hook(call).await;
        }
        if !rpc.is_request() {
            return None;
        }
        if method == "initialize" {
            return Some(call.result(&initialize_result(LATEST)));
        }
        Some(answer(&call, |note| line.text(note)).await)
    }
}

/// The same connection, read up to the end of the first head: the library takes a head that comes in many small pieces for an
/// attack.
async fn headed<S>(stream: S) -> io::Result<impl AsyncRead + AsyncWrite + Unpin>
where
    S: AsyncRead + AsyncWrite,
{
    let (mut from, to) = tokio::io::split(stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(from.read_u8().await?);
    }
    Ok(tokio::io::join(io::Cursor::new(head).chain(from), to))
}

fn logged(request: &Upgrade, connection: usize) -> Request {
    Request {
        method: request.method().clone(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().map(str::to_owned),
        headers: request.headers().clone(),
        body: Bytes::new(),
        at: Instant::now(),
        connection,
        version: request.version(),
    }
}
