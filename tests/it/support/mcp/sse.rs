//! A scripted MCP server over HTTP+SSE (2024-11-05): one event stream for all answers, messages
//! POSTed to the endpoint that its first event names.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::support::gate::{Shelf, lock};
use crate::support::http::{Feed, Request, Response};
use crate::support::server::{Peer, Plan, Server};

use super::{ANSWER, Call, Hooks, answer, initialize_result};

/// A running scripted HTTP+SSE server at `/sse`.
pub struct Sse {
    /// The HTTP server under it: its log, connections, `start`, `stop`, `allow_idle`.
    pub server: Server,
    state: Arc<State>,
}

struct State {
    hooks: Hooks<Option<String>>,
    streams: Shelf<Stream>,
    /// How many of the next GETs are refused.
    refusals: AtomicUsize,
    /// The status of accepted POSTs.
    post_status: AtomicU16,
    /// What the endpoint event says; `{session}` stands for the session's number.
    endpoint: Mutex<String>,
    silent: AtomicBool,
}

#[derive(Clone)]
struct Stream(Feed);

impl std::fmt::Display for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "event stream, over: {}", self.0.gone().is_open())
    }
}

impl Default for Sse {
    fn default() -> Self {
        Self::new()
    }
}

impl Sse {
    /// A running server on plain HTTP/1.1.
    pub fn new() -> Self {
        Self::serve_on(Plan::default())
    }

    /// One on a server of that plan (TLS, HTTP/2, down).
    pub fn serve_on(plan: Plan) -> Self {
        let state = Arc::new(State {
            hooks: Hooks::default(),
            streams: Shelf::default(),
            refusals: AtomicUsize::new(0),
            post_status: AtomicU16::new(202),
            endpoint: Mutex::new("/messages?sessionId={session}".to_owned()),
            silent: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        let server = plan.serve(move |request| handle(Arc::clone(&shared), request));
        Self { server, state }
    }

    /// Answers a method by a closure from now on. The text that it gives goes out as one event on
    /// the call's own stream (`call.feed`, for more than that); `None` sends nothing.
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

    /// What the endpoint event of later streams says; `{session}` stands for the session's number.
    pub fn endpoint(&self, endpoint: &str) {
        endpoint.clone_into(&mut lock(&self.state.endpoint));
    }

    /// Later streams open without an endpoint event.
    pub fn no_endpoint(&self) {
        self.state.silent.store(true, Ordering::SeqCst);
    }

    /// Refuses the next `times` GETs with 503.
    pub fn refuse_streams(&self, times: usize) {
        self.state.refusals.store(times, Ordering::SeqCst);
    }

    /// The status of POSTs from now on, instead of 202. Only a 2xx one is also handled.
    pub fn post_status(&self, status: u16) {
        self.state.post_status.store(status, Ordering::SeqCst);
    }

    /// Waits for the `nth` stream, counted from 1, and gives its feed. Feed it `end`, `cut` or
    /// `reset` to lose it.
    pub fn stream(&self, nth: usize) -> Feed {
        let what = format!("event stream {nth}");
        let streams = &self.state.streams;
        streams.wait(&what, |streams| Some(streams.get(nth - 1)?.0.clone()))
    }

    /// Cuts the TCP connection of every open stream. Returns at once.
    pub fn drop_streams(&self) {
        self.state.streams.with(|streams| {
            let open = streams.iter().filter(|stream| !stream.0.gone().is_open());
            open.for_each(|stream| stream.0.cut());
        });
    }

    /// The POSTs so far with that JSON-RPC method.
    pub fn calls(&self, method: &str) -> Vec<Request> {
        self.server.log().with(|log| of(log, method))
    }

    /// Waits until that method was called at least `count` times.
    pub fn wait_calls(&self, method: &str, count: usize) -> Vec<Request> {
        let what = format!("{count} of {method}");
        self.server.log().wait(&what, |log| {
            let found = of(log, method);
            (found.len() >= count).then_some(found)
        })
    }
}

impl Peer for Sse {
    fn url(&self) -> String {
        self.server.at("/sse")
    }

    fn log(&self) -> Arc<Shelf<Request>> {
        self.server.log()
    }
}

fn of(log: &[Request], method: &str) -> Vec<Request> {
    let wanted = |request: &&Request| request.rpc_method().as_deref() == Some(method);
    log.iter().filter(wanted).cloned().collect()
}

async fn handle(state: Arc<State>, request: Request) -> Response {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/sse") => state.open(),
        // What tells a client that tried Streamable HTTP first.
        ("POST", "/sse") => Response::status(405),
        ("POST", _) => state.post(request),
        _ => Response::status(404),
    }
}

impl State {
    fn open(&self) -> Response {
        let refusals = &self.refusals;
        let less = |left: usize| left.checked_sub(1);
        if refusals
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
            .is_ok()
        {
            return Response::status(503);
        }
        let (response, feed) = Response::events();
        // The number is only a promise until the push; the handlers run on one thread.
        let session = self.streams.with(<[Stream]>::len) + 1;
        if !self.silent.load(Ordering::SeqCst) {
            let endpoint = lock(&self.endpoint).replace("{session}", &session.to_string());
            feed.send(format!("event: endpoint\ndata: {endpoint}\n\n"));
        }
        self.streams.push(Stream(feed));
        response
    }

    fn post(self: Arc<Self>, request: Request) -> Response {
        let status = self.post_status.load(Ordering::SeqCst);
        if !(200..300).contains(&status) {
            return Response::status(status);
        }
        let Some(feed) = self.feed(&request) else {
            return Response::status(404);
        };
        let Some(rpc) = request.rpc() else {
            return Response::status(400);
        };
        let call = Call {
            request,
            rpc: Some(rpc),
            feed: Some(feed.clone()),
        };
        // The POST is answered at once; what it asked for comes on the stream.
        tokio::spawn(async move {
            if let Some(text) = self.answer(call).await {
                feed.send(format!("event: message\ndata: {text}\n\n"));
            }
        });
        Response::status(status)
    }

    /// The stream that the query's session number names, while it is open.
    fn feed(&self, request: &Request) -> Option<Feed> {
        let (_, session) = request.query.as_deref()?.split_once("sessionId=")?;
        let nth: usize = session.parse().ok()?;
        self.streams.with(|streams| {
            let feed = streams.get(nth.checked_sub(1)?)?.0.clone();
            (!feed.gone().is_open()).then_some(feed)
        })
    }

    async fn answer(&self, call: Call) -> Option<String> {
        let rpc = call.rpc.clone()?;
        let method = rpc.method.as_deref().unwrap_or(ANSWER);
        if let Some(hook) = self.hooks.take(method) {
            return hook(call).await;
        }
        if !rpc.is_request() {
            return None;
        }
        if method == "initialize" {
            return Some(call.result(&initialize_result("2024-11-05")));
        }
        let feed = call.feed.clone()?;
        Some(answer(&call, |note| feed.event(note)).await)
    }
}
