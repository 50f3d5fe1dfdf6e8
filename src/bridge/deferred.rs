//! The client's handshake while the user has not signed in: it is answered here, with one tool that signs in. Once that is
//! done the real handshake follows, and the client is told that there is more.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::core::Core;
use super::link::Phase;
use super::request::Request;
use super::sign_in::{AtEnd, Waited, address};
use crate::auth::SignIn;
use crate::error::Failure;
use crate::jsonrpc::{Message, reply};
use crate::tools;

/// The one tool that there is before the sign-in.
const SIGN_IN: &str = "sign_in";

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
    /// Here, with these capabilities, and the server knows nothing of it yet.
    Provisional(Value),
    /// Here, and by the server afterwards.
    Switched {
        /// What was announced and the server does not have.
        lacks: Vec<&'static str>,
        /// The server has a tool of that name itself.
        own_sign_in: bool,
    },
}

/// How the client's handshake was answered.
#[derive(Debug, Default)]
pub(super) struct Deferred(Mutex<State>);

impl Deferred {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the server knows nothing of the handshake yet.
    pub fn is_provisional(&self) -> bool {
        matches!(*self.lock(), State::Provisional(_))
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
    pub fn can_defer(&self) -> bool {
        let gone = self.client_is_gone() && self.options.at_end != AtEnd::Leave;
        self.oauth().is_some() && !gone && matches!(*self.deferred.lock(), State::Direct)
    }

    /// Answers `initialize` without the server. From now on it is asked for its own answer until it gives one.
    pub async fn defer(self: &Arc<Self>, initialize: &Message) -> Option<Message> {
        let oauth = self.oauth()?;
        let kept = oauth.record();
        let kept = kept.and_then(|record| record.initialize_result.clone());
        let url = address(&oauth.status().borrow());
        let result = provisional(
            initialize,
            kept.as_deref(),
            &instructions(&self.options.server, url.as_deref()),
        );
        let capabilities = result.get("capabilities").cloned().unwrap_or_default();
        *self.deferred.lock() = State::Provisional(capabilities);
        self.link.defer(initialize);
        let core = Arc::clone(self);
        tokio::spawn(async move { core.switch_over().await });
        Some(reply::result(initialize.id()?, &result.to_string()))
    }

    /// Waits for the real handshake, and sees to it once the user has signed in.
    async fn switch_over(self: Arc<Self>) {
        let Some(oauth) = self.oauth() else { return };
        let mut sign_in = oauth.status();
        let signs_in = async {
            loop {
                let done = matches!(*sign_in.borrow_and_update(), SignIn::Done);
                // Where it fails, the next request tries again.
                if done && let Err(failure) = self.link.ready().await {
                    tracing::warn!("signed in, but the server cannot be used yet: {failure}");
                }
                if sign_in.changed().await.is_err() {
                    return std::future::pending().await;
                }
            }
        };
        let mut link = self.link.status();
        tokio::select! {
            opened = link.wait_for(|status| status.generation > 0 && matches!(status.phase, Phase::Open)) => {
                if opened.is_err() {
                    return;
                }
            }
            () = signs_in => {}
        }
        if let Some(result) = self.link.replay.saved().result {
            self.remember(&result);
        }
        for list in self.switched() {
            let method = format!("notifications/{list}/list_changed");
            self.from_server(reply::notification(&method, "{}")).await;
        }
    }

    /// The real handshake is through: which lists have changed for the client.
    fn switched(self: &Arc<Self>) -> Vec<&'static str> {
        let had = self.link.replay.capabilities();
        let mut state = self.deferred.lock();
        let State::Provisional(announced) = &*state else {
            return Vec::new();
        };
        let of = |capabilities: &Value, name: &str| capabilities.get(name).is_some();
        let mut lists: Vec<&'static str> = LISTS.iter().map(|(_, name, _)| *name).collect();
        lists.dedup();
        lists.retain(|name| of(announced, name));
        let lacks = lists
            .iter()
            .copied()
            .filter(|name| !of(&had, name))
            .collect();
        *state = State::Switched {
            lacks,
            own_sign_in: false,
        };
        lists
    }

    /// The answer to a request that the server is not, or must not be, asked for.
    pub async fn answered_here(self: &Arc<Self>, request: &Request) -> Option<Message> {
        if matches!(*self.deferred.lock(), State::Direct) {
            return None;
        }
        let message = &request.message;
        let list = LISTS
            .iter()
            .find(|(method, ..)| *method == message.method());
        let signs_in = message.method() == "tools/call" && names_sign_in(message);
        let provisional = match &*self.deferred.lock() {
            State::Direct | State::Provisional(_) => true,
            State::Switched { lacks, own_sign_in } => {
                let lacking = list.filter(|(_, name, _)| lacks.contains(name));
                if let Some((.., empty)) = lacking {
                    return Some(reply::result(&request.id, empty));
                }
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
        let running = self.oauth()?.status().borrow().is_running();
        // Somebody may have signed in elsewhere.
        if !running && self.link.ready().await.is_ok() {
            return if signs_in {
                Some(told(
                    request,
                    "You are signed in. List the tools of this server again: they are available now.",
                ))
            } else {
                None
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
            Waited::SignedIn => match self.link.ready().await {
                Ok(()) => told(
                    request,
                    "Signed in. List the tools of this server again: they are available now.",
                ),
                Err(failure) => failed(request, &failure),
            },
            Waited::NotYet(Some(url)) => told(
                request,
                &format!(
                    "The user has to open {url} in a browser on this machine and sign in. Show them the address, then call {SIGN_IN} again to wait for them."
                ),
            ),
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

/// The result of `initialize` before the server can be asked: the last one of this login where there is one.
fn provisional(initialize: &Message, kept: Option<&str>, instructions: &str) -> Value {
    #[derive(Deserialize)]
    struct Params {
        #[serde(rename = "protocolVersion")]
        version: String,
    }
    let mut result: Map<String, Value> = kept
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let version = initialize.read().map(|params: Params| params.version);
    result.insert(
        "protocolVersion".to_owned(),
        version.unwrap_or_else(|| "2025-11-25".to_owned()).into(),
    );
    let changing = json!({ "listChanged": true });
    match result
        .get_mut("capabilities")
        .and_then(Value::as_object_mut)
    {
        // The client has to learn of the switch.
        Some(known) => {
            for name in ["tools", "resources", "prompts"] {
                let list = known.get_mut(name).and_then(Value::as_object_mut);
                if let Some(list) = list {
                    list.insert("listChanged".to_owned(), true.into());
                } else if name == "tools" {
                    known.insert(name.to_owned(), changing.clone());
                }
            }
        }
        None => {
            let all = json!({ "tools": changing, "resources": changing, "prompts": changing });
            result.insert("capabilities".to_owned(), all);
        }
    }
    result
        .entry("serverInfo")
        .or_insert_with(|| json!({ "name": "mcp-tether", "version": env!("CARGO_PKG_VERSION") }));
    let before = result.get("instructions").and_then(Value::as_str);
    let all = match before {
        Some(before) => format!("{instructions}\n\n{before}"),
        None => instructions.to_owned(),
    };
    result.insert("instructions".to_owned(), all.into());
    Value::Object(result)
}

fn instructions(server: &str, url: Option<&str>) -> String {
    match url {
        Some(url) => format!(
            "The user has to sign in to {server} first: open {url} in a browser, or call the tool {SIGN_IN}. The server's tools appear once that is done."
        ),
        None => format!(
            "The user has to sign in to {server} first: call the tool {SIGN_IN}. The server's tools appear once that is done."
        ),
    }
}

fn sign_in_tool(server: &str) -> Value {
    json!({
        "name": SIGN_IN,
        "title": "Sign in",
        "description": format!("Signs the user in to {server}. Gives the address to open in a browser and waits until the user has signed in; then the server's own tools appear."),
        "inputSchema": { "type": "object", "properties": {} },
        "annotations": { "title": "Sign in", "readOnlyHint": false, "destructiveHint": false, "idempotentHint": true, "openWorldHint": true },
    })
}

fn names_sign_in(call: &Message) -> bool {
    #[derive(Deserialize)]
    struct Call {
        name: String,
    }
    call.read().is_some_and(|call: Call| call.name == SIGN_IN)
}

fn told(request: &Request, text: &str) -> Message {
    let result = json!({ "content": [{ "type": "text", "text": text }] });
    reply::result(&request.id, &result.to_string())
}

fn failed(request: &Request, failure: &Failure) -> Message {
    let hint = failure.hint().map(|hint| format!("; {hint}"));
    let text = format!("{failure}{}", hint.unwrap_or_default());
    let result = json!({ "content": [{ "type": "text", "text": text }], "isError": true });
    reply::result(&request.id, &result.to_string())
}
