//! What has been set up with the server, so that a new session can be brought to the same state: the messages themselves, as they
//! came.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::era::envelope::{Envelope, declaring};
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

/// Whose handshake it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Owner {
    /// The client's.
    #[default]
    Client,
    /// The bridge's own: the client's revision knows none.
    Bridge,
}

/// The saved messages.
#[derive(Debug, Clone, Default)]
pub(super) struct Saved {
    /// Whose handshake it is.
    pub owner: Owner,
    /// The `initialize` that opens a session.
    pub initialize: Option<Message>,
    /// What came of it.
    pub agreed: Option<Agreed>,
    /// Its whole result.
    pub result: Option<Arc<str>>,
    /// What a request of 2026-07-28 would say of a client that had its handshake.
    envelope: Option<Arc<Envelope>>,
    /// The client's `notifications/initialized`.
    pub initialized: Option<Message>,
    /// The last `logging/setLevel`.
    pub log_level: Option<Message>,
    /// A `resources/subscribe` for each resource subscribed to.
    pub subscriptions: Vec<(String, Message)>,
}

impl Saved {
    fn of_client(initialize: &Message, envelope: Envelope) -> Self {
        Self {
            initialize: Some(initialize.clone()),
            envelope: Some(Arc::new(envelope)),
            ..Self::default()
        }
    }
}

/// The saved messages of this process.
#[derive(Debug, Default)]
pub(super) struct Replay {
    saved: Mutex<Saved>,
    /// What we do beside what the client can do.
    extension: Option<&'static str>,
}

impl Replay {
    /// Nothing yet. Requests of 2026-07-28 declare `extension`.
    pub fn new(extension: Option<&'static str>) -> Self {
        Self {
            extension,
            ..Self::default()
        }
    }

    /// What a request of 2026-07-28 would say of the client that begins so.
    pub fn envelope_of(&self, initialize: &Message) -> Envelope {
        self.declared(Envelope::of_initialize(initialize))
    }

    /// The envelope of a client with what we do beside it.
    pub fn declared(&self, envelope: Envelope) -> Envelope {
        match self.extension {
            Some(extension) => envelope.declaring(extension),
            None => envelope,
        }
    }

    /// A request of a client's of 2026-07-28, for a server of that revision, with what we do beside it.
    pub fn declaring(&self, request: Message) -> Message {
        match self.extension {
            Some(extension) => declaring(&request, extension),
            None => request,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Saved> {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner)
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
    pub fn opened(&self, initialize: &Message, agreed: Agreed, result: Option<&str>) {
        let envelope = self.envelope_of(initialize);
        *self.lock() = Saved {
            agreed: Some(agreed),
            result: result.map(Arc::from),
            ..Saved::of_client(initialize, envelope)
        };
    }

    /// Keeps a handshake of the client's that the server has yet to agree to.
    pub fn deferred(&self, initialize: &Message) {
        let envelope = self.envelope_of(initialize);
        *self.lock() = Saved::of_client(initialize, envelope);
    }

    /// Keeps a handshake of the bridge's own that the server has yet to agree to, unless there is one already; `begin` is called
    /// before anybody can see it.
    pub fn begin(&self, initialize: &Message, initialized: &Message, begin: impl FnOnce()) {
        let mut saved = self.lock();
        if saved.initialize.is_none() {
            begin();
            *saved = Saved {
                owner: Owner::Bridge,
                initialize: Some(initialize.clone()),
                initialized: Some(initialized.clone()),
                ..Saved::default()
            };
        }
    }

    /// Drops a handshake of the bridge's own that the server has not agreed to; whether there was one.
    pub fn take_back(&self) -> bool {
        let mut saved = self.lock();
        let taken = saved.owner == Owner::Bridge && saved.agreed.is_none();
        if taken {
            *saved = Saved::default();
        }
        taken
    }

    /// Whose handshake it is.
    pub fn owner(&self) -> Owner {
        self.lock().owner
    }

    /// The whole result of the handshake.
    pub fn result(&self) -> Option<Arc<str>> {
        self.lock().result.clone()
    }

    /// What a request of 2026-07-28 would say of a client that has had its handshake.
    pub fn envelope(&self) -> Option<Arc<Envelope>> {
        self.lock().envelope.clone()
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
        saved.result = result.map(Arc::from);
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
        #[derive(Deserialize)]
        struct Level {
            level: String,
        }
        match request.method() {
            "logging/setLevel" => {
                let mut saved = self.lock();
                saved.log_level = Some(request.clone());
                if let (Some(envelope), Some(Level { level })) =
                    (&mut saved.envelope, request.read())
                {
                    Arc::make_mut(envelope).log_level = Some(level);
                }
            }
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
