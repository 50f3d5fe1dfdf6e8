//! What the client has set up, so that a new session can be brought to the same state: the messages themselves, as they came.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::jsonrpc::{Kind, Message};

/// What a handshake agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Agreed {
    /// The negotiated revision.
    pub version: String,
    /// The server's capabilities, as a value: key order and spelling do not matter.
    capabilities: serde_json::Value,
}

impl Agreed {
    /// Reads an `InitializeResult`.
    pub fn read(answer: &Message) -> Option<Self> {
        #[derive(Deserialize)]
        struct InitializeResult<'a> {
            #[serde(rename = "protocolVersion")]
            version: String,
            #[serde(borrow, default)]
            capabilities: Option<&'a RawValue>,
        }
        if answer.kind() != Kind::Result {
            return None;
        }
        let result: InitializeResult<'_> = answer.read()?;
        let capabilities = result.capabilities.map_or("null", RawValue::get);
        Some(Self {
            version: result.version,
            capabilities: serde_json::from_str(capabilities).unwrap_or_default(),
        })
    }
}

/// The saved messages.
#[derive(Debug, Clone, Default)]
pub(super) struct Saved {
    /// The client's `initialize`.
    pub initialize: Option<Message>,
    /// What came of it.
    pub agreed: Option<Agreed>,
    /// The result of a handshake that the client has not seen.
    pub result: Option<String>,
    /// The client's `notifications/initialized`.
    pub initialized: Option<Message>,
    /// The last `logging/setLevel`.
    pub log_level: Option<Message>,
    /// A `resources/subscribe` for each resource subscribed to.
    pub subscriptions: Vec<(String, Message)>,
}

/// The saved messages of this process.
#[derive(Debug, Default)]
pub(super) struct Replay(Mutex<Saved>);

impl Replay {
    fn lock(&self) -> MutexGuard<'_, Saved> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of it.
    pub fn saved(&self) -> Saved {
        self.lock().clone()
    }

    /// The negotiated revision.
    pub fn version(&self) -> Option<String> {
        self.lock()
            .agreed
            .as_ref()
            .map(|agreed| agreed.version.clone())
    }

    /// Keeps a successful handshake; what was set up before it is void.
    pub fn opened(&self, initialize: &Message, agreed: Agreed) {
        *self.lock() = Saved {
            initialize: Some(initialize.clone()),
            agreed: Some(agreed),
            ..Saved::default()
        };
    }

    /// Keeps a handshake that the server has yet to agree to.
    pub fn deferred(&self, initialize: &Message) {
        *self.lock() = Saved {
            initialize: Some(initialize.clone()),
            ..Saved::default()
        };
    }

    /// Whether the client has had its handshake and the server has not.
    pub fn is_deferred(&self) -> bool {
        let saved = self.lock();
        saved.initialize.is_some() && saved.agreed.is_none()
    }

    /// Keeps what the server has agreed to for the first time, and the whole result that says so.
    pub fn agreed(&self, agreed: Agreed, result: Option<&str>) {
        let mut saved = self.lock();
        saved.agreed = Some(agreed);
        saved.result = result.map(str::to_owned);
    }

    /// The server's capabilities.
    pub fn capabilities(&self) -> serde_json::Value {
        let saved = self.lock();
        let agreed = saved.agreed.as_ref();
        agreed.map_or(serde_json::Value::Null, |agreed| {
            agreed.capabilities.clone()
        })
    }

    /// Keeps the client's `notifications/initialized`.
    pub fn initialized(&self, notification: &Message) {
        self.lock().initialized = Some(notification.clone());
    }

    /// Keeps what a successful request has set up.
    pub fn succeeded(&self, request: &Message) {
        #[derive(Deserialize)]
        struct Resource {
            uri: String,
        }
        match request.method() {
            "logging/setLevel" => self.lock().log_level = Some(request.clone()),
            "resources/subscribe" | "resources/unsubscribe" => {
                let Some(Resource { uri }) = request.read() else {
                    return;
                };
                let mut saved = self.lock();
                saved.subscriptions.retain(|(known, _)| *known != uri);
                if request.method() == "resources/subscribe" {
                    saved.subscriptions.push((uri, request.clone()));
                }
            }
            _ => {}
        }
    }
}
