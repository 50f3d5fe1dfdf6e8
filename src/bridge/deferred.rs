//! What a client begins with, `initialize` or `server/discover`, while the user has not signed in: it is answered here, with one
//! tool that signs in. Once that is done the server is asked, and the client is told that there is more.

mod words;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};

use self::words::{
    SIGN_IN, failed, instructions, names_sign_in, pending, provisional, sign_in_tool, told,
};
use super::core::Core;
use super::link::Phase;
use super::request::Request;
use super::sign_in::{AtEnd, Audience, Waited, address};
use crate::auth::SignIn;
use crate::era::{down, up};
use crate::error::Failure;
use crate::jsonrpc::{Message, reply};
use crate::tools;

/// The lists of a server, the capability that announces each, and the empty one.
const LISTS: [(&str, &str, &str); 4] = [
    ("tools/list", "tools", r#"{"tools":[]}"#),
    ("resources/list", "resources", r#"{"resources":[]}"#),
    (
        "resources/templates/list",
        "resources",
        r#"{"resourceTemplates":[]}"#,
    ),
    ("prompts/list", "prompts", r#"{"prompts":[]}"#),
];

/// How the client's handshake was answered.
#[derive(Debug, Default)]
enum State {
    /// By the server.
    #[default]
    Direct,
    /// Here, and the server knows nothing of it yet.
    Provisional {
        /// What the client began with.
        opening: Message,
        /// The capabilities that it was told.
        announced: Value,
    },
    /// Here, and by the server afterwards.
    Switched {
        /// What was announced and the server does not have.
        lacks: Vec<&'static str>,
        /// The server has a tool of that name itself.
        own_sign_in: bool,
    },
}

/// How the client's handshake was answered.
#[derive(Debug)]
pub(super) struct Deferred {
    state: Mutex<State>,
    /// The server is asked by one request at a time.
    turn: Semaphore,
    /// Told when the server has been asked at last.
    switched: watch::Sender<()>,
}

impl Default for Deferred {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            turn: Semaphore::new(1),
            switched: watch::Sender::default(),
        }
    }
}

impl Deferred {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the server knows nothing of the handshake yet.
    pub fn is_provisional(&self) -> bool {
        matches!(*self.lock(), State::Provisional { .. })
    }

    /// What the client began with, and the capabilities that it was told, while the server knows nothing of it.
    pub fn provisional(&self) -> Option<(Message, Value)> {
        match &*self.lock() {
            State::Provisional { opening, announced } => Some((opening.clone(), announced.clone())),
            _ => None,
        }
    }

    /// The server has these capabilities: whether the client is one of 2026-07-28, and which lists have changed for it.
    fn switch(&self, had: &Value) -> (bool, Vec<&'static str>) {
        let mut state = self.lock();
        let State::Provisional { announced, opening } = &*state else {
            return (false, Vec::new());
        };
        let modern = opening.method() == "server/discover";
        let of = |capabilities: &Value, name: &str| capabilities.get(name).is_some();
        let mut lists: Vec<&'static str> = LISTS.iter().map(|(_, name, _)| *name).collect();
        lists.dedup();
        lists.retain(|name| of(announced, name));
        let lacks = lists.iter().copied().filter(|name| !of(had, name));
        *state = State::Switched {
            lacks: lacks.collect(),
            own_sign_in: false,
        };
        (modern, lists)
    }

    /// The empty list for a request of one that was announced and the server does not have.
    fn lacking(&self, request: &Request) -> Option<Message> {
        let State::Switched { lacks, .. } = &*self.lock() else {
            return None;
        };
        let (.., empty) = list(&request.message).filter(|(_, name, _)| lacks.contains(name))?;
        Some(reply::result(&request.id, empty))
    }

    /// Waits until the server has been asked at last.
    pub async fn switched(&self) {
        let mut switched = self.switched.subscribe();
        while self.is_provisional() && switched.changed().await.is_ok() {}
    }

    /// Looks at a list of tools on its way to the client: a tool of the server's own counts more than ours.
    pub fn note_tools(&self, answer: &Message) {
        if let State::Switched { own_sign_in, .. } = &mut *self.lock()
            && let Some(page) = answer.payload().and_then(tools::page)
        {
            *own_sign_in |= page
                .tools
                .iter()
                .any(|tool| tool.name.as_deref() == Some(SIGN_IN));
        }
    }
}

impl Core {
    /// Whether a handshake can be answered here: it is the first one, and somebody may still read more than its answer.
    pub fn can_defer(&self, opening: &Message) -> bool {
        let gone = self.client_is_gone() && self.options.at_end != AtEnd::Leave;
        let first = match &*self.deferred.lock() {
            State::Direct => true,
            // A client that speaks both dialects may begin with either, one after the other.
            State::Provisional {
                opening: before, ..
            } => before.method() != opening.method(),
            State::Switched { .. } => false,
        };
        let person = self.options.audience == Audience::Person;
        self.oauth().is_some() && !gone && first && !person
    }

    /// Answers what the client begins with without the server. From now on it is asked for its own answer until it gives one.
    pub async fn defer(self: &Arc<Self>, opening: &Message) -> Option<Message> {
        let oauth = self.oauth()?;
        let kept = oauth.record();
        let kept = kept.and_then(|record| record.initialize_result.clone());
        let prompt = address(&oauth.status().borrow());
        let result = provisional(
            opening,
            kept.as_deref(),
            &instructions(&self.options.server, prompt.as_ref()),
        );
        let announced = result.get("capabilities").cloned().unwrap_or_default();
        let opens = opening.method() == "initialize";
        *self.deferred.lock() = State::Provisional {
            opening: opening.clone(),
            announced,
        };
        if opens {
            self.link.defer(opening);
        }
        let core = Arc::clone(self);
        tokio::spawn(async move { core.switch_over().await });
        let result = result.to_string();
        let result = if opens {
            result
        } else {
            down::discover_result(&result)
        };
        Some(reply::result(opening.id()?, &result))
    }

    /// Asks the server for what the client was told without it, in a task that no cancelled request takes along.
    async fn open(self: &Arc<Self>) -> Result<(), Failure> {
        let core = Arc::clone(self);
        let opening = tokio::spawn(async move { core.opening().await });
        opening.await.unwrap_or(Err(Failure::Closed))
    }

    async fn opening(self: &Arc<Self>) -> Result<(), Failure> {
        let _turn = self.deferred.turn.acquire().await;
        match self.deferred.provisional() {
            Some((opening, _)) if opening.method() == "server/discover" => {
                // A session that this opens may tell something at once.
                self.down.is_needed();
                let had = self.link.find_out(&opening).await?;
                self.switch(&had).await;
                Ok(())
            }
            Some(_) => self.link.ready().await,
            None => Ok(()),
        }
    }

    /// Waits for the real handshake, and sees to it once the user has signed in.
    async fn switch_over(self: Arc<Self>) {
        let Some(oauth) = self.oauth() else { return };
        let mut sign_in = oauth.status();
        let signs_in = async {
            loop {
                let done = matches!(*sign_in.borrow_and_update(), SignIn::Done);
                // Where it fails, the next request tries again.
                if done {
                    match self.open().await {
                        Ok(()) => return,
                        Err(failure) => tracing::warn!(
                            "signed in, but the server cannot be used yet: {failure}"
                        ),
                    }
                }
                if sign_in.changed().await.is_err() {
                    return std::future::pending().await;
                }
            }
        };
        let mut link = self.link.status();
        tokio::select! {
            opened = link.wait_for(|status| {
                let open = status.generation > 0 && matches!(status.phase, Phase::Open);
                open && self.link.replay.result().is_some()
            }) => {
                if opened.is_err() {
                    return;
                }
            }
            () = signs_in => {}
        }
        if let Some(result) = self.link.replay.result() {
            self.remember(&result);
        }
        self.switch(&self.link.replay.capabilities()).await;
    }

    /// The server, which has these capabilities, knows of the client now: it is told which lists have changed.
    async fn switch(self: &Arc<Self>, had: &Value) {
        let (modern, lists) = self.deferred.switch(had);
        for list in lists {
            let method = format!("notifications/{list}/list_changed");
            let notification = reply::notification(&method, "{}");
            if !modern {
                self.from_server(notification).await;
                continue;
            }
            for copy in self.down.copies(&notification) {
                self.to_client(copy).await;
            }
        }
        self.deferred.switched.send_replace(());
    }

    /// The answer to a request that the server is not, or must not be, asked for.
    pub async fn answered_here(self: &Arc<Self>, request: &Request) -> Option<Message> {
        if matches!(*self.deferred.lock(), State::Direct) {
            return None;
        }
        let answer = self.deferred_answer(request).await?;
        if !request.modern {
            return Some(answer);
        }
        let result = answer.payload().unwrap_or_default();
        let result = down::result(request.message.method(), result, None);
        Some(answer.with_payload(result.as_bytes()))
    }

    async fn deferred_answer(self: &Arc<Self>, request: &Request) -> Option<Message> {
        let message = &request.message;
        let list = list(message);
        let signs_in = message.method() == "tools/call" && names_sign_in(message);
        if let Some(empty) = self.deferred.lacking(request) {
            return Some(empty);
        }
        let provisional = match &*self.deferred.lock() {
            State::Direct | State::Provisional { .. } => true,
            State::Switched { own_sign_in, .. } => {
                if !signs_in || *own_sign_in {
                    return None;
                }
                false
            }
        };
        if !provisional {
            return Some(told(
                request,
                "You are signed in. List the tools of this server again: they are available now.",
            ));
        }
        if message.method() == "ping" {
            return Some(reply::result(&request.id, "{}"));
        }
        let oauth = self.oauth()?;
        let running = || oauth.status().borrow().is_running();
        // Somebody may have signed in elsewhere.
        let mut open = !running() && self.open().await.is_ok();
        if !open && !running() && list.is_some() && request.modern {
            // What it began with must not begin a sign-in, so this does, as `initialize` would.
            let until = request.arrived + self.options.initialize_wait;
            let waited = self.wait_for_sign_in(message, Some(until)).await;
            open = matches!(waited, Waited::SignedIn) && self.open().await.is_ok();
        }
        if open {
            return if signs_in {
                Some(told(
                    request,
                    "You are signed in. List the tools of this server again: they are available now.",
                ))
            } else {
                self.deferred.lacking(request)
            };
        }
        if signs_in {
            return Some(self.sign_in_called(request).await);
        }
        let (method, _, empty) = list?;
        let tools = json!({ "tools": [sign_in_tool(&self.options.server)] });
        Some(if *method == "tools/list" {
            reply::result(&request.id, &tools.to_string())
        } else {
            reply::result(&request.id, empty)
        })
    }

    /// The tool `sign_in`: gives the address, and waits for the user as long as a call may.
    async fn sign_in_called(self: &Arc<Self>, request: &Request) -> Message {
        match self.wait_for_sign_in(&request.message, None).await {
            Waited::SignedIn => match self.open().await {
                Ok(()) => told(
                    request,
                    "Signed in. List the tools of this server again: they are available now.",
                ),
                Err(failure) => failed(request, &failure),
            },
            Waited::NotYet(Some(prompt)) => told(request, &pending(&prompt)),
            Waited::NotYet(None) => told(
                request,
                &format!("The sign-in is being prepared. Call {SIGN_IN} again in a moment."),
            ),
            Waited::Failed(failure) => failed(request, &failure),
        }
    }

    /// Keeps the server's answer to `initialize` with the sign-in, for the next time that it has to be answered here.
    pub fn remember(&self, result: &str) {
        let Some(oauth) = self.oauth().filter(|oauth| oauth.record().is_some()) else {
            return;
        };
        oauth.remember(result.to_owned());
    }

    /// The same for a `DiscoverResult`, which says the same in other words.
    pub fn remember_discovered(&self, discover: &Message, answer: &Message) {
        if self.oauth().is_some_and(|oauth| oauth.record().is_some()) {
            let result = answer.payload().unwrap_or_default();
            self.remember(&up::initialize_result(discover, result));
        }
    }

    /// Gives the sign-in up when nobody is left for whom it goes on.
    pub fn leave_sign_in(&self) {
        if self.options.at_end == AtEnd::Leave
            && let Some(oauth) = self.oauth()
        {
            oauth.abandon(self.left_too_early());
        }
    }

    /// Waits for what is being written to the store.
    pub async fn settle(&self) {
        if let Some(oauth) = self.oauth() {
            oauth.settle().await;
        }
    }
}

/// The list that a request asks for.
fn list(request: &Message) -> Option<&'static (&'static str, &'static str, &'static str)> {
    LISTS
        .iter()
        .find(|(method, ..)| *method == request.method())
}
