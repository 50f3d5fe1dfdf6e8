//! What a request does that the server refuses for want of a sign-in: who begins one, who waits for it and how long, and
//! what the client is told meanwhile.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::core::Core;
use crate::auth::prompt::Prompt;
use crate::auth::{Oauth, SignIn};
use crate::error::Failure;
use crate::jsonrpc::{Id, Message, reply};

/// The longest that a request waits for the user, once the client has had its handshake.
const WAIT: Duration = Duration::from_secs(45);

/// The longest that the address of a sign-in is waited for before the client is told that there is one.
const ADDRESS: Duration = Duration::from_secs(10);

/// How often a waiting request shows progress.
const PROGRESS: Duration = Duration::from_secs(5);

/// Who may begin a sign-in (`--sign-in`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Begins {
    /// Any request that the server refuses for want of one.
    #[default]
    Eager,
    /// Tool calls only.
    OnDemand,
}

/// What becomes of standard input when it ends before the user has signed in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AtEnd {
    /// The sign-in ends with it: a host has left.
    #[default]
    Leave,
    /// It goes on for this long: a person at a terminal waits for the answers.
    Stay(Duration),
}

/// Who waits for the answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Audience {
    /// A client program: it gives up after a while and is told something before that.
    #[default]
    Program,
    /// A person at a terminal: a sign-in is waited for as long as it takes, and what went wrong with it is told in our words.
    Person,
}

/// How the wait for the user ended.
#[derive(Debug)]
pub(super) enum Waited {
    /// The user is signed in.
    SignedIn,
    /// Not yet. The address to open, where it is known.
    NotYet(Option<Prompt>),
    /// It failed, or may not be begun by this request.
    Failed(Failure),
}

impl Core {
    /// The sign-in of the user, where there is one.
    pub fn oauth(&self) -> Option<&Arc<Oauth>> {
        self.link.authorizer().oauth()
    }

    /// Waits for the end of the sign-in that goes on, if one does; else for ever.
    pub async fn signed_in(&self) {
        if let Some(oauth) = self.oauth()
            && oauth.status().borrow().is_running()
            && let Waited::SignedIn = settled(oauth.status()).await
        {
            return;
        }
        std::future::pending::<()>().await;
    }

    /// Waits until the user has signed in, for the sake of a request that the server refused.
    pub async fn wait_for_sign_in(
        self: &Arc<Self>,
        request: &Message,
        until: Option<Instant>,
    ) -> Waited {
        let Some(oauth) = self.oauth() else {
            return Waited::NotYet(None);
        };
        let stays = self.options.at_end != AtEnd::Leave;
        if self.client_is_gone() && !stays {
            return Waited::Failed(self.left_too_early());
        }
        if let Some(outcome) = self.must_not_begin(oauth, request) {
            return outcome;
        }
        let status = oauth.sign_in();
        let person = self.options.audience == Audience::Person;
        let elicits = self.elicits_urls() && !person;
        // A client that shows the address itself needs no browser from us.
        let _waiting = (!elicits).then(|| oauth.wait());
        let until = until.unwrap_or_else(|| Instant::now() + WAIT);
        let patience = async {
            tokio::time::sleep_until(until).await;
            // A person at a terminal has nothing else to wait for.
            if person || stays && self.client_is_gone() {
                std::future::pending::<()>().await;
            }
        };
        let outcome = tokio::select! {
            biased;
            outcome = settled(status.clone()) => outcome,
            () = patience => Waited::NotYet(address(&status.borrow())),
            () = self.show_progress(request, status.clone()), if !person => Waited::NotYet(None),
            () = self.elicit(status.clone()), if elicits => Waited::NotYet(None),
        };
        if let Waited::SignedIn = outcome
            && let Some(elicitation) = self.shown_to_client()
        {
            let params = json!({ "elicitationId": elicitation }).to_string();
            let method = "notifications/elicitation/complete";
            self.to_client(reply::notification(method, &params)).await;
        }
        outcome
    }

    /// Begins a sign-in for the sake of a request, if that may, and gives what the client is to show as soon as that is known.
    pub async fn sign_in_invitation(&self, request: &Message) -> Option<Value> {
        let oauth = self.oauth()?;
        if self.client_is_gone() || self.must_not_begin(oauth, request).is_some() {
            return None;
        }
        let mut status = oauth.sign_in();
        let known = status.wait_for(|status| !matches!(status, SignIn::Idle | SignIn::Begun));
        let known = tokio::time::timeout(ADDRESS, known).await.ok()?.ok()?;
        Some(Value::Object(self.invitation(&address(&known)?)))
    }

    /// The params of an elicitation that asks the user to sign in (2025-11-25 elicitation §URL Mode).
    fn invitation(&self, prompt: &Prompt) -> Map<String, Value> {
        let mut message = format!("Sign in to {} to use its tools.", self.options.server);
        if let Some(code) = prompt.code() {
            message += &format!(" The code is {code}.");
        }
        let params = [
            ("mode", "url".to_owned()),
            ("url", prompt.link().as_str().to_owned()),
            ("message", message),
        ];
        let params = params.map(|(name, value)| (name.to_owned(), value.into()));
        params.into_iter().collect()
    }

    /// Why this request neither begins a sign-in nor waits for one.
    fn must_not_begin(&self, oauth: &Oauth, request: &Message) -> Option<Waited> {
        let calls_tool = request.method() == "tools/call";
        if matches!(request.method(), "ping" | "server/discover") {
            return Some(Waited::NotYet(None));
        }
        match &*oauth.status().borrow() {
            SignIn::Begun | SignIn::Started(_) => None,
            _ if calls_tool => None,
            _ if self.options.begins == Begins::OnDemand => Some(Waited::NotYet(None)),
            // Whoever said no is not asked again and again; a server that was down may be up.
            SignIn::Failed(
                failure @ (Failure::SignIn { .. }
                | Failure::Credentials { .. }
                | Failure::Mismatch { .. }
                | Failure::NoSignIn),
            ) => Some(Waited::Failed(failure.clone())),
            SignIn::Idle | SignIn::Done | SignIn::Failed(_) => None,
        }
    }

    /// What a request gets that cannot wait any longer.
    pub fn sign_in_pending(&self, prompt: Option<Prompt>) -> Failure {
        let hint = format!("or type: mcp-tether login {}", self.options.server);
        match prompt {
            Some(prompt) => Failure::SignIn {
                what: format!("sign-in needed: {}, then try again", prompt.task()),
                hint,
            },
            None => Failure::SignIn {
                what: "the server wants a sign-in first".to_owned(),
                hint: format!("call a tool of this server, {hint}"),
            },
        }
    }

    /// Standard input has ended, and with it the sign-in.
    pub fn left_too_early(&self) -> Failure {
        Failure::SignIn {
            what: "the server wants a sign-in, and stdin ended before the user could sign in"
                .to_owned(),
            hint: format!("sign in first: mcp-tether login {}", self.options.server),
        }
    }

    /// Shows the client that a request waits for the user; never returns.
    async fn show_progress(self: &Arc<Self>, request: &Message, status: watch::Receiver<SignIn>) {
        #[derive(Deserialize)]
        struct Params<'a> {
            #[serde(borrow, rename = "_meta")]
            meta: Meta<'a>,
        }
        #[derive(Deserialize)]
        struct Meta<'a> {
            #[serde(borrow, rename = "progressToken")]
            token: &'a RawValue,
        }
        let token = request.read().map(|params: Params<'_>| params.meta.token);
        let Some(token) = token else {
            return std::future::pending().await;
        };
        for step in 1u64.. {
            let told = match address(&status.borrow()) {
                Some(prompt) => format!("waiting for the sign-in at {prompt}"),
                None => "waiting for the sign-in".to_owned(),
            };
            let params = format!(
                r#"{{"progressToken":{},"progress":{step},"message":{}}}"#,
                token.get(),
                json!(told)
            );
            // The first one waits for the address, which it is to bring.
            if step > 1 || address(&status.borrow()).is_some() {
                self.to_client(reply::notification("notifications/progress", &params))
                    .await;
            }
            tokio::time::sleep(PROGRESS).await;
        }
    }

    /// Asks the client to show the address to the user (2025-11-25 elicitation §URL Mode), once for all requests that wait. A user
    /// who declines ends the sign-in. Never returns.
    async fn elicit(self: &Arc<Self>, mut status: watch::Receiver<SignIn>) {
        let started = status
            .wait_for(|status| matches!(status, SignIn::Started(_)))
            .await
            .ok()
            .and_then(|status| address(&status));
        let id = self.link.own_id();
        let elicitation = id.raw().trim_matches('"').to_owned();
        if let Some(prompt) = started
            && self.shows_first(&prompt.to_string(), &elicitation)
        {
            let mut params = self.invitation(&prompt);
            params.insert("elicitationId".to_owned(), elicitation.into());
            let params = Value::Object(params);
            let request = reply::request(&id, "elicitation/create", Some(&params.to_string()));
            let answer = self.ask_client_ourselves(request).await;
            if answer.is_some_and(|answer| declines(&answer))
                && let Some(oauth) = self.oauth()
            {
                oauth.abandon(Failure::SignIn {
                    what: "the user declined to sign in".to_owned(),
                    hint: format!(
                        "call a tool to be asked again, or type mcp-tether login {}",
                        self.options.server
                    ),
                });
            }
        }
        std::future::pending::<()>().await;
    }
}

/// Whether the user did not agree.
fn declines(answer: &Message) -> bool {
    #[derive(Deserialize)]
    struct Elicited {
        action: String,
    }
    let elicited: Option<Elicited> = answer.read();
    elicited.is_some_and(|elicited| matches!(elicited.action.as_str(), "decline" | "cancel"))
}

/// Waits until the sign-in has ended.
pub(super) async fn settled(mut status: watch::Receiver<SignIn>) -> Waited {
    match status
        .wait_for(|status| !status.is_running())
        .await
        .as_deref()
    {
        Ok(SignIn::Done) => Waited::SignedIn,
        Ok(SignIn::Failed(failure)) => Waited::Failed(failure.clone()),
        Ok(_) => Waited::NotYet(None),
        Err(_) => Waited::Failed(Failure::Closed),
    }
}

/// Where the user has to go.
pub(super) fn address(status: &SignIn) -> Option<Prompt> {
    match status {
        SignIn::Started(prompt) => Some(prompt.clone()),
        _ => None,
    }
}

/// Whether the client's `initialize` says that it shows addresses (2025-11-25 elicitation §Capabilities).
pub(super) fn elicits_urls(initialize: &Message) -> bool {
    #[derive(Deserialize)]
    struct Params {
        #[serde(default)]
        capabilities: Value,
    }
    initialize
        .read()
        .is_some_and(|params: Params| params.capabilities.pointer("/elicitation/url").is_some())
}

/// The id of a message as a map key for what we ask the client ourselves.
pub(super) type OwnAsks = std::collections::HashMap<Id, tokio::sync::oneshot::Sender<Message>>;

#[cfg(test)]
pub(super) mod tests;
