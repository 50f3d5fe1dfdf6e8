//! A real HTTP server on loopback, driven by a closure. It logs every request, can stop and start
//! again on its port, and fails its test when a handler panicked or was never called. It must not
//! know MCP.

use std::any::Any;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Instant;

use futures_util::FutureExt;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::gate::{Shelf, lock};
use super::http::{Kind, Request, Response};
use super::tls::{Ca, Mutual};
use super::wire::{self, Speech};

type Answer = Pin<Box<dyn Future<Output = Response> + Send>>;
type Handler = Box<dyn Fn(Request) -> Answer + Send + Sync>;

/// The far end of a test: where it is, and what it was asked.
pub trait Peer {
    /// The URL that the bridge is given.
    fn url(&self) -> String;
    /// The requests that arrived.
    fn log(&self) -> Arc<Shelf<Request>>;
}

/// How a server is to be, before it is.
#[derive(Default)]
pub struct Plan {
    tls: Option<rustls::ServerConfig>,
    http2: bool,
    down: bool,
    one_shot: bool,
}

impl Plan {
    /// Speaks TLS with a certificate of that authority.
    pub fn tls(mut self, ca: &Ca) -> Self {
        self.tls = Some(ca.server(Mutual::None));
        self
    }

    /// Speaks TLS and wants a client certificate of that authority.
    pub fn mutual_tls(mut self, ca: &Ca) -> Self {
        self.tls = Some(ca.server(Mutual::Required));
        self
    }

    /// Speaks TLS 1.2 alone and wants a client certificate of that authority.
    pub fn mutual_tls12(mut self, ca: &Ca) -> Self {
        self.tls = Some(ca.server_with(Mutual::Required, &[&rustls::version::TLS12]));
        self
    }

    /// Offers HTTP/2 beside HTTP/1.1 over TLS; without TLS speaks HTTP/2 alone.
    pub fn http2(mut self) -> Self {
        self.http2 = true;
        self
    }

    /// Reserves its port and refuses connections until `start` is called.
    pub fn down(mut self) -> Self {
        self.down = true;
        self
    }

    /// Ends each connection with its first answer, and says so there: no client has one left when the server stops.
    pub fn one_shot(mut self) -> Self {
        self.one_shot = true;
        self
    }

    /// Makes the server. The handler runs on the server's own single-threaded runtime, so it
    /// must not block.
    pub fn serve<H, F>(self, handler: H) -> Server
    where
        H: Fn(Request) -> F + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let tls = self.tls.map(|mut config| {
            if self.http2 {
                config.alpn_protocols.push(b"h2".to_vec());
            }
            config.alpn_protocols.push(b"http/1.1".to_vec());
            TlsAcceptor::from(Arc::new(config))
        });
        let shared = Shared {
            handler: Box::new(move |request| Box::pin(handler(request))),
            speech: Speech {
                tls,
                http2: self.http2,
            },
            one_shot: self.one_shot,
            log: Arc::default(),
            connections: AtomicUsize::new(0),
            faults: Faults::default(),
        };
        let reserved = reserve(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let server = Server {
            address: reserved.local_addr().expect("a bound socket"),
            scheme,
            shared: Arc::new(shared),
            _reserved: reserved,
            state: Mutex::new(State::Down),
            may_idle: AtomicBool::new(false),
        };
        if !self.down {
            server.start();
        }
        server
    }
}

/// A running server. Dropping it stops it and fails the test if something was wrong.
pub struct Server {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    /// Bound all the time and never listening: the port is ours while the server is down too.
    _reserved: TcpSocket,
    state: Mutex<State>,
    may_idle: AtomicBool,
}

struct Shared {
    handler: Handler,
    speech: Speech,
    one_shot: bool,
    log: Arc<Shelf<Request>>,
    connections: AtomicUsize,
    faults: Faults,
}

enum State {
    /// Nobody listens: connections are refused.
    Down,
    Up(oneshot::Sender<()>, JoinHandle<()>),
    /// Between the two, and after a failure there.
    Lost,
}

/// What went wrong on a server; a test fails with it when the server is dropped.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<Vec<String>>>);

impl Faults {
    /// Adds one.
    pub fn add(&self, fault: impl Into<String>) {
        lock(&self.0).push(fault.into());
    }

    /// Takes all of them away: the test wanted them.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.0))
    }
}

impl Server {
    /// A plain HTTP/1.1 server that is up.
    pub fn new<H, F>(handler: H) -> Self
    where
        H: Fn(Request) -> F + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        Plan::default().serve(handler)
    }

    /// Where it is bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A URL on it; `path` begins with a slash.
    pub fn at(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// Copies of the requests so far, in order of their bodies' arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.log.all()
    }

    /// Waits until at least `count` requests have arrived.
    pub fn wait_requests(&self, count: usize) -> Vec<Request> {
        let what = format!("{count} requests");
        self.shared
            .log
            .wait(&what, |log| (log.len() >= count).then(|| log.to_vec()))
    }

    /// How many TCP connections were accepted so far, over all restarts.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// The list that fails the test on drop.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// Says that it is right if nobody asks this server anything.
    pub fn allow_idle(&self) {
        self.may_idle.store(true, Ordering::SeqCst);
    }

    /// Listens on the reserved port. Nothing happens when it is up.
    pub fn start(&self) {
        let mut state = lock(&self.state);
        match std::mem::replace(&mut *state, State::Lost) {
            State::Down => {
                let socket = reserve(self.address);
                let (stop, stopped) = oneshot::channel();
                let (ready, is_ready) = mpsc::channel();
                let shared = Arc::clone(&self.shared);
                let thread = std::thread::spawn(move || run(socket, shared, &ready, stopped));
                is_ready.recv().expect("the server thread listens");
                *state = State::Up(stop, thread);
            }
            other => *state = other,
        }
    }

    /// Closes the port and every connection at once, as a killed process does. The port stays
    /// reserved. Nothing happens when it is down.
    pub fn stop(&self) {
        let mut state = lock(&self.state);
        match std::mem::replace(&mut *state, State::Lost) {
            State::Up(stop, thread) => {
                let _ = stop.send(());
                thread.join().expect("the server thread ends");
                *state = State::Down;
            }
            other => *state = other,
        }
    }
}

impl Peer for Server {
    fn url(&self) -> String {
        self.at("/mcp")
    }

    fn log(&self) -> Arc<Shelf<Request>> {
        Arc::clone(&self.shared.log)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let State::Up(stop, thread) = std::mem::replace(&mut *lock(&self.state), State::Lost) {
            let _ = stop.send(());
            let _ = thread.join();
        }
        if std::thread::panicking() {
            return;
        }
        let faults = self.shared.faults.take();
        let log = &self.shared.log;
        assert!(faults.is_empty(), "on the server: {faults:#?}\nlog:\n{log}");
        let idle = self.may_idle.load(Ordering::SeqCst);
        let called = log.with(|log| !log.is_empty());
        assert!(called || idle, "nobody asked {}", self.at("/"));
    }
}

/// Binds a port without listening on it: connections to it are refused until somebody listens.
fn reserve(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    // The connections of a server that was stopped keep its port for a while.
    socket.set_reuseaddr(true).expect("a reusable port");
    // The reservation and the listener have it both.
    #[cfg(unix)]
    socket.set_reuseport(true).expect("a shared port");
    socket.bind(address).expect("a free port");
    socket
}

fn run(
    socket: TcpSocket,
    shared: Arc<Shared>,
    ready: &mpsc::Sender<()>,
    mut stopped: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let listener = socket.listen(1024).expect("listen");
        let _ = ready.send(());
        tokio::select! {
            // The sender is dropped only after it was used.
            _ = &mut stopped => {}
            () = accept(&listener, shared) => {}
        }
    });
}

async fn accept(listener: &TcpListener, shared: Arc<Shared>) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(e) => return shared.faults.add(format!("accept: {e}")),
        };
        let _ = stream.set_nodelay(true);
        let number = shared.connections.fetch_add(1, Ordering::SeqCst) + 1;
        let speech = shared.speech.clone();
        let shared = Arc::clone(&shared);
        tokio::spawn(wire::serve(stream, speech, move |request| {
            answer(Arc::clone(&shared), number, request)
        }));
    }
}

async fn answer(
    shared: Arc<Shared>,
    connection: usize,
    request: http::Request<Incoming>,
) -> Result<Kind, hyper::Error> {
    let at = Instant::now();
    let (head, body) = request.into_parts();
    let request = Request {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        headers: head.headers,
        body: body.collect().await?.to_bytes(),
        at,
        connection,
        version: head.version,
    };
    shared.log.push(request.clone());
    let one_shot = shared.one_shot;
    // In a task of its own a handler runs to its end even when the client has gone, so its panic
    // is always seen.
    let task = tokio::spawn(async move {
        let handled = AssertUnwindSafe(async { (shared.handler)(request).await });
        handled.catch_unwind().await.unwrap_or_else(|panic| {
            shared
                .faults
                .add(format!("handler panicked: {}", text(&*panic)));
            Response::reset()
        })
    });
    let response = task.await.unwrap_or_else(|_| Response::reset());
    Ok(if one_shot {
        response.header("connection", "close").0
    } else {
        response.0
    })
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_default()
}
