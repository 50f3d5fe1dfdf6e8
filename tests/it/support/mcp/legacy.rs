//! A scripted MCP server over Streamable HTTP, for 2025-03-26, 2025-06-18 and 2025-11-25. It is
//! strict: what the revision forbids a client is answered with 400 and fails the test.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::support::gate::{Shelf, lock};
use crate::support::http::{Feed, Request, Response};
use crate::support::rpc::Rpc;
use crate::support::server::{Faults, Peer, Plan, Server};

use super::{ANSWER, Call, Hooks, LATEST, answer, initialize_result};

const PATH: &str = "/mcp";
pub(super) const SESSION: &str = "mcp-session-id";

/// How a scripted server is to be. The default: 2025-11-25, sessions, JSON answers, no listening
/// stream, strict.
pub struct LegacyPlan {
    version: String,
    pub(super) sessions: bool,
    streams: bool,
    listens: bool,
    pub(super) strict: bool,
    guard: Option<Guard>,
}

/// Looks at each request first, and answers those that go no further.
type Guard = Box<dyn Fn(&Request) -> Option<Response> + Send + Sync>;

impl Default for LegacyPlan {
    fn default() -> Self {
        Self {
            version: LATEST.to_owned(),
            sessions: true,
            streams: false,
            listens: false,
            strict: true,
            guard: None,
        }
    }
}

impl LegacyPlan {
    /// The newest revision it speaks; an older one that the client asks for is granted.
    pub fn version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    /// Gives no session id and asks for none.
    pub fn stateless(mut self) -> Self {
        self.sessions = false;
        self
    }

    /// Answers each request with an event stream.
    pub fn streams(mut self) -> Self {
        self.streams = true;
        self
    }

    /// Opens a listening stream on GET instead of a 405.
    pub fn listens(mut self) -> Self {
        self.listens = true;
        self
    }

    /// Does not check the client's headers.
    pub fn lenient(mut self) -> Self {
        self.strict = false;
        self
    }

    /// Has each request looked at before anything else, of any path; what `guard` answers goes no
    /// further.
    pub fn guarded<G>(mut self, guard: G) -> Self
    where
        G: Fn(&Request) -> Option<Response> + Send + Sync + 'static,
    {
        self.guard = Some(Box::new(guard));
        self
    }

    /// Makes it, on a plain server that is up.
    pub fn serve(self) -> Legacy {
        self.serve_on(Plan::default())
    }

    /// Makes it on a server of that plan (TLS, HTTP/2, down).
    pub fn serve_on(self, plan: Plan) -> Legacy {
        let state = Arc::new(State {
            plan: self,
            hooks: Hooks::default(),
            sessions: Mutex::default(),
            minted: AtomicUsize::new(0),
            negotiated: Mutex::default(),
            feeds: Shelf::default(),
            faults: Faults::default(),
        });
        let shared = Arc::clone(&state);
        let server = plan.serve(move |request| handle(Arc::clone(&shared), request));
        Legacy { server, state }
    }
}

/// A running scripted server.
pub struct Legacy {
    /// The HTTP server under it: its log, connections, `start`, `stop`, `allow_idle`.
    pub server: Server,
    state: Arc<State>,
}

pub(super) struct State {
    pub(super) plan: LegacyPlan,
    hooks: Hooks<Response>,
    /// The sessions that are alive.
    pub(super) sessions: Mutex<BTreeSet<String>>,
    minted: AtomicUsize,
    /// The revision of the last `initialize`.
    pub(super) negotiated: Mutex<Option<String>>,
    feeds: Shelf<Listener>,
    /// Offences of the client; joined to the server's when this is dropped.
    pub(super) faults: Faults,
}

#[derive(Clone)]
struct Listener(Feed);

impl std::fmt::Display for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "listening stream, over: {}", self.0.gone().is_open())
    }
}

impl Default for Legacy {
    fn default() -> Self {
        Self::new()
    }
}

impl Legacy {
    /// The default plan, running.
    pub fn new() -> Self {
        LegacyPlan::default().serve()
    }

    /// Answers a method by a closure from now on, in place of earlier hooks. `GET` and `DELETE`
    /// stand for the HTTP methods, [`ANSWER`] for the client's answers. Headers and session are
    /// checked before a hook for a POST, not before one for `GET` and `DELETE`.
    pub fn on<H, F>(&self, method: &str, hook: H)
    where
        H: Fn(Call) -> F + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        self.state.hooks.clear(method);
        self.state.hooks.add(usize::MAX, method, hook);
    }

    /// Answers the next `times` messages of a method by a closure, after those of earlier hooks;
    /// then the default is back.
    pub fn times<H, F>(&self, times: usize, method: &str, hook: H)
    where
        H: Fn(Call) -> F + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        self.state.hooks.add(times, method, hook);
    }

    /// Takes the hooks of a method away.
    pub fn default_for(&self, method: &str) {
        self.state.hooks.clear(method);
    }

    /// The requests so far whose JSON-RPC method (or HTTP method, for `GET` and `DELETE`) is that.
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

    /// Waits for the `nth` listening stream, counted from 1, and gives its feed.
    pub fn listening(&self, nth: usize) -> Feed {
        let what = format!("listening stream {nth}");
        let feeds = &self.state.feeds;
        feeds.wait(&what, |feeds| Some(feeds.get(nth - 1)?.0.clone()))
    }

    /// Ends every session, as a restarted server would have: the next request gets 404.
    pub fn forget_sessions(&self) {
        lock(&self.state.sessions).clear();
    }

    /// Accepts a session id that an `initialize` hook gave out.
    pub fn admit(&self, session: &str) {
        lock(&self.state.sessions).insert(session.to_owned());
    }

    /// The sessions that are alive.
    pub fn sessions(&self) -> Vec<String> {
        lock(&self.state.sessions).iter().cloned().collect()
    }

    /// The list of the client's offences, which fails the test; `take` what a test provokes.
    pub fn faults(&self) -> &Faults {
        &self.state.faults
    }
}

impl Peer for Legacy {
    fn url(&self) -> String {
        self.server.at(PATH)
    }

    fn log(&self) -> Arc<Shelf<Request>> {
        self.server.log()
    }
}

impl Drop for Legacy {
    fn drop(&mut self) {
        for fault in self.state.faults.take() {
            self.server.faults().add(fault);
        }
    }
}

fn of(log: &[Request], method: &str) -> Vec<Request> {
    let wanted = |request: &&Request| {
        request.method.as_str() == method || request.rpc_method().as_deref() == Some(method)
    };
    log.iter().filter(wanted).cloned().collect()
}

async fn handle(state: Arc<State>, request: Request) -> Response {
    let guard = state.plan.guard.as_ref();
    if let Some(response) = guard.and_then(|guard| guard(&request)) {
        return response;
    }
    if request.path != PATH {
        return Response::status(404);
    }
    match request.method.as_str() {
        "GET" => state.on_get(request).await,
        "DELETE" => state.on_delete(request).await,
        "POST" => state.on_post(request).await,
        _ => Response::status(405),
    }
}

impl State {
    async fn on_get(&self, request: Request) -> Response {
        if let Some(hook) = self.hooks.take("GET") {
            return hook(bare(request)).await;
        }
        if !self.plan.listens {
            return Response::status(405);
        }
        let offence = self.check_version(&request);
        if let Some(refusal) = offence.or_else(|| self.check_session(&request)) {
            return refusal;
        }
        let (response, feed) = Response::events();
        self.feeds.push(Listener(feed));
        response
    }

    async fn on_delete(&self, request: Request) -> Response {
        let session = request.header(SESSION).map(str::to_owned);
        if let Some(hook) = self.hooks.take("DELETE") {
            return hook(bare(request)).await;
        }
        if let Some(refusal) = self.check_version(&request) {
            return refusal;
        }
        let known = session.is_some_and(|session| lock(&self.sessions).remove(&session));
        Response::status(if known { 200 } else { 404 })
    }

    async fn on_post(&self, request: Request) -> Response {
        if let Some(refusal) = self.check_post(&request) {
            return refusal;
        }
        let rpc = match Rpc::parse(&request.text()) {
            Ok(rpc) => rpc,
            Err(e) => return self.offend(&request, &format!("no JSON-RPC message: {e}")),
        };
        let method = rpc.method.clone().unwrap_or_else(|| ANSWER.to_owned());
        let call = Call {
            request,
            rpc: Some(rpc),
            feed: None,
        };
        let first = method == "initialize";
        // Before the hooks, so that a hooked method also meets a lost session.
        if let (false, Some(refusal)) = (first, self.check_session(&call.request)) {
            return refusal;
        }
        if let Some(hook) = self.hooks.take(&method) {
            if first {
                // Nobody knows which revision the hook will agree on.
                *lock(&self.negotiated) = None;
            }
            return hook(call).await;
        }
        if first {
            self.initialize(&call)
        } else if call.rpc.as_ref().is_some_and(Rpc::is_request) {
            self.answer(call).await
        } else {
            Response::accepted()
        }
    }

    fn initialize(&self, call: &Call) -> Response {
        let asked = call.params()["protocolVersion"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let older = ("2025-03-26"..=self.plan.version.as_str()).contains(&asked.as_str());
        let version = if older {
            asked
        } else {
            self.plan.version.clone()
        };
        let text = call.result(&initialize_result(&version));
        *lock(&self.negotiated) = Some(version);
        let response = self.whole(&text);
        if !self.plan.sessions {
            return response;
        }
        let number = self.minted.fetch_add(1, Ordering::SeqCst) + 1;
        let session = format!("session-{number}");
        lock(&self.sessions).insert(session.clone());
        response.header(SESSION, &session)
    }

    /// Answers at once as JSON, or as a stream where the plan or the progress asks for one.
    async fn answer(&self, call: Call) -> Response {
        if call.progress(0, 0).is_none() {
            return self.whole(&answer(&call, |_| {}).await);
        }
        let (response, feed) = Response::events();
        tokio::spawn(async move {
            let text = answer(&call, |note| feed.event(note)).await;
            feed.event(&text);
            feed.end();
        });
        response
    }

    fn whole(&self, text: &str) -> Response {
        if !self.plan.streams {
            return Response::json(200, text.to_owned());
        }
        let (response, feed) = Response::events();
        feed.event(text);
        response
    }
}

fn bare(request: Request) -> Call {
    Call {
        request,
        rpc: None,
        feed: None,
    }
}
