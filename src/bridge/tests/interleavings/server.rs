//! The server of a case: it speaks one dialect, does what its deeds say, and notes what it must not hear.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::deeds::{Deed, listens};
use super::{ENVELOPE, Hello, Learns, Plan, Wrongs};
use crate::era::detect::Era;
use crate::error::{Failure, Refusal};
use crate::jsonrpc::{Id, Kind, Message, reply};
use crate::transport::scripted::Scripted;
use crate::transport::{Outgoing, Reply};

/// The requests in whose place 2026-07-28 has something else.
const LEGACY_ONLY: [&str; 5] = [
    "initialize",
    "ping",
    "logging/setLevel",
    "resources/subscribe",
    "resources/unsubscribe",
];

#[derive(Debug, Default)]
pub(super) struct State {
    deeds: usize,
    /// When the other dialect was refused for good.
    refused: Option<Instant>,
    /// First messages that were lost.
    lost: u32,
    /// Sessions that were opened, and those that went.
    opened: u64,
    gone: u64,
    initialized: bool,
    /// The ids of this session, and whether each may come again since its reply was lost.
    ids: BTreeMap<String, bool>,
    /// What was asked, and who waits for it.
    pub questions: BTreeMap<String, Option<oneshot::Sender<()>>>,
    /// How many rounds were begun; those that nobody has gone on with, by their state, with what they asked.
    pub begun: usize,
    pub rounds: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Debug)]
pub(super) struct Server {
    plan: Arc<Plan>,
    wrongs: Wrongs,
    state: Mutex<State>,
}

/// The way to this server.
pub(super) fn transport(server: &Arc<Server>) -> Scripted {
    let server = Arc::clone(server);
    Scripted::new(move |outgoing: Outgoing| {
        let server = Arc::clone(&server);
        async move { server.take(outgoing.message).await }.boxed()
    })
}

impl Server {
    pub fn new(plan: Arc<Plan>, wrongs: Wrongs) -> Self {
        Self {
            plan,
            wrongs,
            state: Mutex::default(),
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_modern(&self) -> bool {
        self.plan.server == Era::Modern
    }

    async fn take(self: &Arc<Self>, message: Message) -> Result<Reply, Failure> {
        let text = String::from_utf8(message.line().to_vec()).unwrap();
        match message.kind() {
            Kind::Request => return self.request(&message, &text).await,
            _ if self.is_modern() => self.wrongs.add(format!("no request: {text}")),
            Kind::Notification => self.notification(&message, &text),
            Kind::Result | Kind::Error => {
                let id = message.id().map(Id::raw).unwrap_or_default();
                let waits = self.state().questions.get_mut(id).and_then(Option::take);
                self.wrongs
                    .check(waits.is_some(), || format!("not asked for: {text}"));
                if let Some(waits) = waits {
                    let _ = waits.send(());
                }
            }
        }
        self.no_envelope(&text);
        Ok(Reply::Accepted)
    }

    fn no_envelope(&self, text: &str) {
        let foreign = [ENVELOPE, "requestState", "inputResponses"];
        let heard = !self.is_modern() && foreign.iter().any(|word| text.contains(word));
        self.wrongs.check(!heard, || format!("foreign: {text}"));
    }

    fn notification(&self, message: &Message, text: &str) {
        match message.method() {
            "notifications/initialized" => self.state().initialized = true,
            "notifications/cancelled" => {
                let id = params(message)["requestId"].to_string();
                // It may overtake its request where both wait for a new session, but names it as the server does.
                let ours = id.starts_with("\"mcp-tether:");
                self.wrongs.check(ours == self.plan.mixed(), || {
                    format!("cancels what never comes: {text}")
                });
            }
            _ => {}
        }
    }

    async fn request(self: &Arc<Self>, message: &Message, text: &str) -> Result<Reply, Failure> {
        let id = message.id().unwrap();
        if text.contains(ENVELOPE) != self.is_modern() {
            return self.foreign(message, text);
        }
        let opens = matches!(message.method(), "initialize" | "server/discover");
        let deed = if opens { self.hello() } else { self.next() };
        if matches!(deed, Deed::Unreachable) {
            let (what, hint) = ("down".to_owned(), "up");
            return Err(Failure::Unreachable { what, hint });
        }
        let repeats = matches!(
            deed,
            Deed::Cut | Deed::Ends | Deed::Lost | Deed::Unavailable | Deed::Gone
        );
        self.check(message, text, repeats);
        if message.method() == "initialize" && !matches!(deed, Deed::Lost) {
            let mut state = self.state();
            state.opened += 1;
            state.initialized = false;
            state.ids.clear();
            let (opened, gone) = (state.opened, state.gone);
            let once = opened <= gone + 1;
            self.wrongs
                .check(once, || format!("{opened} sessions, {gone} gone"));
        }
        match deed {
            Deed::Lost => Err(Failure::Lost("reset".to_owned())),
            Deed::Unavailable => Err(refusal(503, None)),
            Deed::Gone if !self.is_modern() => {
                let generation = self.state().opened;
                self.state().gone = generation;
                Err(Failure::SessionGone {
                    generation,
                    refusal: None,
                })
            }
            Deed::Nameless => Ok(Reply::One(reply::error(None, -1, "nameless", None))),
            Deed::Answer | Deed::Gone if !listens(message) => {
                Ok(Reply::One(self.answer(message, id)))
            }
            deed => Ok(self.stream(message, deed)),
        }
    }

    /// A request in the other dialect: refused once, and never heard again.
    fn foreign(&self, message: &Message, text: &str) -> Result<Reply, Failure> {
        let mut state = self.state();
        let before = state.refused.is_none_or(|at| at == Instant::now());
        let Learns::Refused(way) = self.plan.learns else {
            drop(state);
            self.wrongs.add(format!("in the other dialect: {text}"));
            return Err(refusal(500, None));
        };
        let probes = matches!(message.method(), "initialize" | "server/discover");
        let modern = self.is_modern();
        let right = before && state.opened == 0 && (probes || !modern);
        if probes {
            state.refused = Some(Instant::now());
        }
        drop(state);
        self.wrongs.check(right, || format!("foreign: {text}"));
        let error = |code| reply::error(message.id(), code, "no", None);
        Err(match (modern, way) {
            (true, 0) => refusal(400, Some(error(-32022))),
            (true, 1) => refusal(400, Some(error(-32020))),
            (true, 2) => refusal(404, Some(error(-32601))),
            (true, 3) => refusal(400, Some(error(-32602))),
            (false, 0) => refusal(400, Some(reply::error(None, -32000, "no", None))),
            (false, 1) => refusal(404, None),
            (false, 2) => refusal(405, None),
            (false, 3) => refusal(400, Some(error(-32602))),
            _ => return Ok(Reply::One(error(-32601))),
        })
    }

    /// What becomes of the first message.
    fn hello(&self) -> Deed {
        match self.plan.hello {
            Hello::Prompt => Deed::Answer,
            Hello::Late(wait) => Deed::Late(wait),
            Hello::Lost(times) => {
                let mut state = self.state();
                state.lost += 1;
                if state.lost <= times {
                    Deed::Lost
                } else {
                    Deed::Answer
                }
            }
        }
    }

    fn next(&self) -> Deed {
        let mut state = self.state();
        let at = state.deeds % self.plan.deeds.len();
        state.deeds += 1;
        self.plan.deeds[at].clone()
    }

    /// Whether a request is one of its dialect. Its id may come again where `repeats`.
    fn check(&self, message: &Message, text: &str, repeats: bool) {
        let id = message.id().unwrap().raw().to_owned();
        let method = message.method();
        let mut state = self.state();
        let before = state.ids.insert(id, repeats);
        // Only a client of its own revision can be meant to send the same words once more.
        let again = !self.is_modern() && !self.plan.mixed() && before == Some(true);
        self.wrongs
            .check(before.is_none() || again, || format!("an id again: {text}"));
        let in_session = method == "initialize" || !self.plan.mixed() || state.initialized;
        self.wrongs.check(self.is_modern() || in_session, || {
            format!("no session: {text}")
        });
        if !self.is_modern() {
            let modern = matches!(method, "server/discover" | "subscriptions/listen");
            self.no_envelope(text);
            return self.wrongs.check(!modern, || format!("foreign: {text}"));
        }
        let params = params(message);
        let meta = &params["_meta"];
        let enveloped = meta[format!("{ENVELOPE}protocolVersion")] == "2026-07-28"
            && meta[format!("{ENVELOPE}clientCapabilities")].is_object();
        let right = enveloped && !LEGACY_ONLY.contains(&method) && !method.starts_with("tasks/");
        self.wrongs.check(right, || format!("no envelope: {text}"));
        self.round(&state, &params, text);
        if let Some(given) = params["requestState"].as_str().filter(|_| !repeats) {
            state.rounds.remove(given);
        }
    }

    /// Whether what goes on with a round belongs to one, and answers all that it asked.
    fn round(&self, state: &State, params: &Value, text: &str) {
        let Some(given) = params["requestState"].as_str() else {
            let alone = params.get("inputResponses").is_none();
            return self.wrongs.check(alone, || format!("no state: {text}"));
        };
        let answered = params["inputResponses"].as_object();
        let answered: BTreeSet<_> = answered.into_iter().flat_map(|all| all.keys()).collect();
        let asked = state.rounds.get(given);
        // A client of this dialect answers for its bytes itself.
        let exact = !self.plan.mixed() || text.contains(r#""st\/"#);
        let right =
            exact && asked.is_some_and(|asked| asked.iter().collect::<BTreeSet<_>>() == answered);
        self.wrongs
            .check(right, || format!("no such round: {text}"));
    }
}

pub(super) fn params(message: &Message) -> Value {
    message.read().unwrap_or_default()
}

fn refusal(status: u16, message: Option<Message>) -> Failure {
    Failure::Status(Box::new(Refusal {
        status,
        message,
        ..Refusal::said(reply::error(None, 0, "", None))
    }))
}
