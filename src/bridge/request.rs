//! The way of one request: sent, repeated where that does no harm, its reply read, answered once.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::core::Core;
use super::filter::Verdict;
use super::link::{answers, other_id};
use super::sign_in::{AtEnd, Waited};
use crate::era::headers::{is_modern, meta, mismatch};
use crate::error::{Failure, Repeat};
use crate::jsonrpc::{Id, Message, reply};
use crate::net::retry::{Backoff, reads};
use crate::tools;
use crate::transport::{Events, Outgoing, Reply};

/// Sends of one request at most, and the waiting between them.
const MAX_SENDS: u32 = 3;
const MAX_WAITING: Duration = Duration::from_secs(30);

/// Sign-ins for the sake of one request: the first, and two that ask for more scope.
const MAX_SIGN_INS: u32 = 3;

/// The request whose answer ends a subscription (2026-07-28 subscriptions).
pub(super) const LISTEN: &str = "subscriptions/listen";

/// The limit for `initialize` where none is given.
const INITIALIZE_LIMIT: Duration = Duration::from_secs(60);

/// How long a stream is read on after its answer, so that its connection can be used again.
const LINGER: Duration = Duration::from_secs(1);

/// When to send a request again.
#[derive(Debug)]
struct Tries {
    method: Box<str>,
    sends: u32,
    waited: Duration,
    backoff: Backoff,
    /// Until when a handshake waits for the server to come up.
    handshake: Option<Instant>,
}

impl Tries {
    fn new(method: &str, arrived: Instant, initialize_wait: Duration) -> Self {
        let handshake =
            matches!(method, "initialize" | "server/discover").then(|| arrived + initialize_wait);
        let cap = if handshake.is_some() { 1 } else { 8 };
        Self {
            method: method.into(),
            sends: 0,
            waited: Duration::ZERO,
            backoff: Backoff::new(Duration::from_millis(250), Duration::from_secs(cap)),
            handshake,
        }
    }

    /// The wait before the next send, or `None` to give up.
    fn again(&mut self, failure: &Failure, now: Instant, random: f64) -> Option<Duration> {
        self.sends += 1;
        let asked = match failure.repeat() {
            Repeat::Any(wait) => wait,
            Repeat::Reads(wait) if reads(&self.method) => wait,
            _ => return None,
        };
        let wait = asked.unwrap_or_else(|| self.backoff.wait(random));
        if let (Failure::Unreachable { .. }, Some(until)) = (failure, self.handshake) {
            return (now + wait < until).then_some(wait);
        }
        // A server may ask for any wait, even one that no sum can hold.
        self.waited = self.waited.saturating_add(wait);
        (self.sends < MAX_SENDS && self.waited <= MAX_WAITING).then_some(wait)
    }
}

/// Sends a message that has no answer, again where that does no harm.
pub(super) async fn repeated(core: &Core, outgoing: &Outgoing) -> Result<Reply, Failure> {
    let method = outgoing.message.method();
    let mut tries = Tries::new(method, Instant::now(), core.options.initialize_wait);
    loop {
        let failure = match core.link.exchange(outgoing).await {
            Ok(reply) => return Ok(reply),
            Err(failure) => failure,
        };
        match tries.again(&failure, Instant::now(), fastrand::f64()) {
            Some(wait) => tokio::time::sleep(wait).await,
            None => return Err(failure),
        }
    }
}

/// One request of the client's.
#[derive(Debug)]
pub(super) struct Request {
    pub core: Arc<Core>,
    pub message: Message,
    pub id: Id,
    /// Its place in the table of requests.
    pub serial: u64,
    /// When its line was read.
    pub arrived: Instant,
}

impl Request {
    /// Sees to it that the request is answered.
    pub async fn serve(self) {
        if let Some(answer) = self.core.answered_here(&self).await {
            return self.answer_here(answer).await;
        }
        let limit = match (self.core.options.request_timeout, self.message.method()) {
            // At a terminal the user may take longer to sign in.
            (None, "initialize") if self.core.options.at_end == AtEnd::Leave => {
                Some(INITIALIZE_LIMIT)
            }
            // It is meant to last.
            (_, LISTEN) => None,
            (limit, _) => limit,
        };
        let outcome = match limit {
            None => self.walk().await,
            Some(limit) => tokio::time::timeout_at(self.arrived + limit, self.walk())
                .await
                .unwrap_or_else(|_| Err(self.overdue(limit))),
        };
        if let (Err(Failure::SignInNeeded(_)), "initialize") = (&outcome, self.message.method())
            && self.core.can_defer()
            && let Some(answer) = self.core.defer(&self.message).await
        {
            return self.answer_here(answer).await;
        }
        self.core.room().await;
        let entry = self.core.inflight.take_own(&self.id, self.serial);
        match (outcome, entry) {
            (Ok(Some((answer, rest))), entry) => {
                if let Some(entry) = entry {
                    self.core.complete(&entry, answer);
                }
                self.linger(rest);
            }
            (Err(failure), Some(entry)) => self.core.fail(&entry, &failure),
            (Ok(None) | Err(_), _) => {}
        }
    }

    /// Writes an answer that the server has not given.
    async fn answer_here(&self, answer: Message) {
        self.core.room().await;
        if self.core.inflight.take_own(&self.id, self.serial).is_some() {
            self.core.complete_here(answer);
        }
    }

    /// The time is up: the server is told to stop working on it.
    fn overdue(&self, limit: Duration) -> Failure {
        // One of 2026-07-28 ends with its stream.
        if self.message.method() != "initialize" && !is_modern(&self.message) {
            let params = format!(
                r#"{{"requestId":{},"reason":"the time limit of the request passed"}}"#,
                self.id
            );
            self.core
                .post(reply::notification("notifications/cancelled", &params));
        }
        Failure::Timeout {
            what: format!("the server did not answer within {} s", limit.as_secs_f64()),
            option: "--request-timeout",
        }
    }

    /// The answer, and the rest of the stream that brought it; `None` when it is no longer waited for.
    async fn walk(&self) -> Result<Option<(Message, Events)>, Failure> {
        let mut tries = Tries::new(
            self.message.method(),
            self.arrived,
            self.core.options.initialize_wait,
        );
        let mut sign_ins = 0;
        let mut mended = false;
        let mut id = self.id.clone();
        loop {
            let failure = match self.attempt(&id).await {
                Ok(answered) => return Ok(answered),
                Err(failure) => failure,
            };
            if matches!(failure, Failure::SignInNeeded(_)) {
                // The server did nothing: a cancel now ends all of it.
                self.core.inflight.set_unsent(&self.id, self.serial);
                sign_ins += 1;
                if sign_ins > MAX_SIGN_INS {
                    return Err(failure);
                }
                self.sign_in(failure).await?;
                continue;
            }
            if is_modern(&self.message) && !matches!(failure, Failure::Unreachable { .. }) {
                // What is sent once more is another request (2026-07-28 streamable-http §Receiving Messages).
                id = self.core.link.own_id();
                if self.message.method() == LISTEN {
                    // Its id is in each notification: only the client can begin another one.
                    return Err(failure);
                }
                let error = failure
                    .refusal()
                    .and_then(|refusal| refusal.message.as_ref());
                if !mended && error.is_some_and(mismatch) {
                    mended = true;
                    self.list_tools().await?;
                    continue;
                }
            }
            match tries.again(&failure, Instant::now(), fastrand::f64()) {
                Some(wait) => {
                    tracing::debug!(
                        method = self.message.method(),
                        "sending again in {wait:?}: {failure}"
                    );
                    tokio::time::sleep(wait).await;
                    if !self.waits() {
                        // Cancelled meanwhile.
                        return Ok(None);
                    }
                }
                None => return Err(failure),
            }
        }
    }

    /// Waits until the user has signed in. `refused` is what `initialize` fails with while it waits: it is answered here then.
    async fn sign_in(&self, refused: Failure) -> Result<(), Failure> {
        let opens = self.message.method() == "initialize";
        // The answer must be out before the limit on the whole request passes.
        let limit = self
            .core
            .options
            .request_timeout
            .unwrap_or(INITIALIZE_LIMIT);
        let wait = self.core.options.initialize_wait.min(limit.mul_f32(0.9));
        let until = opens.then(|| self.arrived + wait);
        match self.core.wait_for_sign_in(&self.message, until).await {
            Waited::SignedIn => Ok(()),
            // Its own words say more.
            Waited::Failed(Failure::NoSignIn) => Err(refused.without_sign_in()),
            Waited::Failed(failure) => Err(failure),
            Waited::NotYet(_) if opens => Err(refused),
            Waited::NotYet(address) => Err(self.core.sign_in_pending(address)),
        }
    }

    /// Sends it once and reads the reply until the answer is there.
    async fn attempt(&self, id: &Id) -> Result<Option<(Message, Events)>, Failure> {
        if self.message.method() == "tools/call" {
            self.allowed().await?;
        }
        if self.message.method() != "initialize" {
            // A cancel meanwhile leaves nothing to send.
            self.core.link.ready().await?;
            if !self.waits() {
                return Ok(None);
            }
        }
        self.core.inflight.set_sent(&self.id, self.serial);
        let outgoing = if self.message.method() == "initialize" {
            Outgoing::opening(self.message.clone())
        } else {
            let message = if *id == self.id {
                self.message.clone()
            } else {
                self.message.with_id(id)
            };
            self.core.learned.outgoing(message)
        };
        let mut events = self.core.link.exchange(&outgoing).await?.into_events()?;
        while let Some(message) = events.next().await? {
            if answers(&message, id) {
                events.answered();
                return Ok(Some((message, events)));
            }
            self.pass_on(message).await;
        }
        if self.waits() {
            Err(other_id())
        } else {
            Ok(None)
        }
    }

    fn waits(&self) -> bool {
        self.core.inflight.holds(&self.id, self.serial)
    }

    /// Passes on what came in the reply before the answer.
    async fn pass_on(&self, message: Message) {
        // After a cancel the client no longer knows what the progress is of.
        if self.waits() || message.method() != "notifications/progress" {
            self.core.from_server(message).await;
        }
    }

    /// Reads on to the end of the stream, which should be near.
    fn linger(&self, mut events: Events) {
        if let Events::Ready(rest) = &events
            && rest.is_empty()
        {
            return;
        }
        let core = Arc::clone(&self.core);
        tokio::spawn(async move {
            let rest = async {
                while let Ok(Some(message)) = events.next().await {
                    core.from_server(message).await;
                }
            };
            let _ = tokio::time::timeout(LINGER, rest).await;
        });
    }

    /// Whether the filter lets the tool be called.
    async fn allowed(&self) -> Result<(), Failure> {
        #[derive(Deserialize)]
        struct Call {
            name: String,
        }
        let filter = &self.core.filter;
        if filter.hides_nothing() {
            return Ok(());
        }
        let Some(Call { name }) = self.message.read() else {
            // A name given twice, say, of which the server may take the other one.
            return Err(Failure::Filtered {
                tool: "(no readable name)".to_owned(),
            });
        };
        if filter.judge(&name) == Verdict::Unlisted {
            self.list_tools().await?;
        }
        match filter.judge(&name) {
            Verdict::Allowed => Ok(()),
            Verdict::Hidden | Verdict::Unlisted => Err(Failure::Filtered { tool: name }),
        }
    }

    /// Lists all pages of tools, so that it is known what they are.
    async fn list_tools(&self) -> Result<(), Failure> {
        /// More pages than any server has; a cursor that never ends must not hold the call for ever.
        const PAGES: usize = 1000;
        let meta = meta(&self.message);
        let mut cursor: Option<Value> = None;
        for _ in 0..PAGES {
            let members = [("_meta", meta.clone()), ("cursor", cursor.take())];
            let params: Map<String, Value> = members
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)))
                .collect();
            let params = (!params.is_empty()).then(|| Value::Object(params).to_string());
            let mut answer = self.core.ask("tools/list", params.as_deref()).await?;
            let page = answer.payload().and_then(tools::page);
            let next = page.and_then(|page| page.next_cursor);
            cursor = next.and_then(|raw| serde_json::from_str(raw.get()).ok());
            if meta.is_some() {
                answer = self.core.learned.page(answer);
            }
            self.core.filter.page(answer);
            if cursor.is_none() {
                return Ok(());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
