//! A server that restarts under very many bridges: when does each of them come back? The clock is virtual and there is no network;
//! what decides when a bridge comes back is the real code.
//!
//! `MCP_TETHER_BRIDGES` says how many bridges there are, `MCP_TETHER_PLOT` names a file for a picture of the arrivals.

mod curve;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio::time::Instant;

use self::curve::Curve;
use super::rig::{Rig, exchange, options, remote_of};
use crate::auth::Authorizer;
use crate::bridge::Protocol;
use crate::error::Failure;
use crate::jsonrpc::{Kind, Message, reply};
use crate::transport::scripted::{Scripted, Streams};
use crate::transport::{Events, Listening, Outgoing, Reply, Scope};

/// The width of a column of the curve.
const STEP: Duration = Duration::from_millis(100);

/// No column may hold more than this part of all bridges. An outage of five seconds ends while many of those with one stream are in
/// the tries of a renewal, which follow each other fast: about a ninth of them come in one column.
const CROWD: usize = 7;

/// Bridges with one stream for all messages.
const SHARED: &str = "one stream";

/// The longest of their waits that begins in an outage of five seconds: each wait follows the four tries of a renewal.
const THIRD_WAIT: Duration = Duration::from_secs(4);

/// How long the server is away.
const OUTAGES: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_secs(5),
    Duration::from_secs(60),
];

/// Everybody is back by then, however long the longest wait is.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server, and what it sees.
#[derive(Default)]
struct Server(Mutex<State>);

#[derive(Default)]
struct State {
    is_up: bool,
    /// Counts its starts.
    start: u64,
    since: Option<Instant>,
    /// The streams on which it sends.
    streams: Vec<mpsc::Sender<Result<Message, Failure>>>,
    /// Bridges that came back, for each step since the start.
    arrivals: Vec<usize>,
    /// Attempts while it was away.
    knocks: usize,
}

impl Server {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn stop(&self) {
        let mut state = self.state();
        (state.is_up, state.knocks) = (false, 0);
        state.streams.clear();
    }

    fn start(&self) {
        let mut state = self.state();
        state.is_up = true;
        state.start += 1;
        state.since = Some(Instant::now());
        state.arrivals.clear();
    }

    /// Waits until it has a stream to each of so many bridges.
    async fn until_heard_by(&self, count: usize) {
        let all = async {
            while self.state().streams.len() < count {
                tokio::time::sleep(STEP).await;
            }
        };
        let all = tokio::time::timeout(PATIENCE, all).await;
        all.expect("every bridge comes back");
    }
}

/// The way from one bridge to the server.
struct Line {
    server: Arc<Server>,
    shared: bool,
    /// Sessions so far, or streams that all messages share.
    generation: AtomicU64,
    /// The start of the server that knows the session.
    known: AtomicU64,
    /// The last start that it was seen after.
    seen: AtomicU64,
}

impl Line {
    fn new(server: &Arc<Server>, shared: bool) -> Arc<Self> {
        Arc::new(Self {
            server: Arc::clone(server),
            shared,
            generation: AtomicU64::new(0),
            known: AtomicU64::new(0),
            seen: AtomicU64::new(0),
        })
    }

    /// Reaches the server, and gives which start of it that is.
    fn knock(&self) -> Result<u64, Failure> {
        let mut state = self.server.state();
        if !state.is_up {
            state.knocks += 1;
            return Err(Failure::Unreachable {
                what: "nobody listens".to_owned(),
                hint: "",
            });
        }
        if self.seen.swap(state.start, Ordering::Relaxed) != state.start {
            let after = state.since.unwrap().elapsed().as_millis() / STEP.as_millis();
            let after = usize::try_from(after).unwrap();
            if state.arrivals.len() <= after {
                state.arrivals.resize(after + 1, 0);
            }
            state.arrivals[after] += 1;
        }
        Ok(state.start)
    }

    fn is_known(&self) -> bool {
        let state = self.server.state();
        state.is_up && self.known.load(Ordering::Relaxed) == state.start
    }

    fn begins(&self, start: u64) {
        self.known.store(start, Ordering::Relaxed);
        self.generation.fetch_add(1, Ordering::Relaxed);
    }

    fn gone(&self) -> Failure {
        Failure::SessionGone {
            generation: self.generation.load(Ordering::Relaxed),
            refusal: None,
        }
    }

    fn answer(&self, outgoing: &Outgoing) -> Result<Reply, Failure> {
        if self.shared && !self.is_known() {
            return Err(self.gone());
        }
        let start = self.knock()?;
        if outgoing.scope == Scope::Session && !self.is_known() {
            return Err(self.gone());
        }
        let message = &outgoing.message;
        if message.kind() != Kind::Request {
            return Ok(Reply::Accepted);
        }
        let mut result = "{}";
        if message.method() == "initialize" {
            if !self.shared {
                self.begins(start);
            }
            result =
                r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{}}"#;
        }
        Ok(Reply::One(reply::result(message.id().unwrap(), result)))
    }

    fn stream(&self) -> Result<Listening, Failure> {
        let start = self.knock()?;
        if self.shared {
            self.begins(start);
        } else if !self.is_known() {
            return Err(self.gone());
        }
        let (sender, receiver) = mpsc::channel(1);
        self.server.state().streams.push(sender);
        Ok(Listening::Stream(Events::Scripted(receiver)))
    }

    /// The transport over it.
    fn transport(self: &Arc<Self>) -> Scripted {
        let (asks, opens, looks) = (Arc::clone(self), Arc::clone(self), Arc::clone(self));
        let scripted = Scripted::new(move |outgoing| {
            let answer = asks.answer(&outgoing);
            async move { answer }.boxed()
        });
        scripted.with_streams(Streams {
            open: Box::new(move || opens.stream()),
            shared: self.shared.then(|| Box::new(move || looks.is_known()) as _),
        })
    }
}

/// So many bridges, which have shaken hands and listen.
async fn bridges(server: &Arc<Server>, count: usize, shared: bool) -> Vec<Rig> {
    let exchange = exchange(Authorizer::None);
    let mut rigs = Vec::with_capacity(count);
    for _ in 0..count {
        let scripted = Line::new(server, shared).transport();
        let remote = remote_of(Arc::clone(&exchange), scripted, Protocol::Legacy);
        let mut rig = Rig::over(options(), remote);
        rig.send(r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{}}}"#)
            .await;
        assert!(rig.recv().await.contains("2025-06-18"));
        rig.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
            .await;
        rigs.push(rig);
    }
    server.until_heard_by(count).await;
    rigs
}

/// Restarts the server under all of them, outage by outage; each bridge works again after each.
async fn restarts(transport: &'static str, shared: bool, count: usize) -> Vec<Curve> {
    let server = Arc::new(Server::default());
    server.start();
    let mut rigs = bridges(&server, count, shared).await;
    let mut curves = Vec::new();
    for outage in OUTAGES {
        // What earlier outages have taught is forgotten.
        tokio::time::sleep(Duration::from_secs(600)).await;
        server.stop();
        if !outage.is_zero() {
            tokio::time::sleep(outage).await;
        }
        server.start();
        server.until_heard_by(count).await;
        let curve = {
            let state = server.state();
            let (arrivals, knocks) = (state.arrivals.clone(), state.knocks);
            Curve {
                transport,
                outage,
                arrivals,
                knocks,
            }
        };
        println!("{}", curve.row());
        assert_eq!(
            curve.arrivals.iter().sum::<usize>(),
            count,
            "all came back, each is counted once"
        );
        for rig in &mut rigs {
            rig.send(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}}"#)
                .await;
            assert_eq!(rig.recv().await, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
        }
        curves.push(curve);
    }
    curves
}

#[tokio::test(start_paused = true)]
async fn a_server_that_restarts_is_not_run_over_by_all_that_come_back() {
    let count = std::env::var("MCP_TETHER_BRIDGES");
    // So many that chance hardly moves what the fullest column holds.
    let count = count.map_or(3000, |count| count.parse().unwrap());
    println!("{}", Curve::TITLES);
    let mut curves = restarts("http", false, count).await;
    curves.extend(restarts(SHARED, true, count).await);
    if let Some(file) = std::env::var_os("MCP_TETHER_PLOT") {
        std::fs::write(file, curve::picture(&curves, count)).unwrap();
    }
    for curve in &curves {
        assert!(curve.peak() <= count / CROWD, "{}", curve.row());
        // Nobody's fourth wait, 4 to 8 s, begins within the outage.
        if curve.transport == SHARED && curve.outage <= Duration::from_secs(5) {
            assert!(curve.last() <= THIRD_WAIT + STEP, "{}", curve.row());
        }
    }
}
