//! What each request of revision 2026-07-28 says about its sender, and what a session of an older one said once.

use super::parts::{
    CAPABILITIES, META, PROGRESS_TOKEN, UNKNOWN, edit_meta, edit_params, is_object, meta_of, param,
    params, quoted, text, without_tasks,
};
use super::{LEVELS, MODERN};
use crate::jsonrpc::reply::{self, code};
use crate::jsonrpc::{Id, Kind, Members, Message};

const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";

const EXTENSIONS: &str = "extensions";

/// The keys of an envelope.
const KEYS: [&str; 4] = [
    PROTOCOL_VERSION,
    CLIENT_CAPABILITIES,
    CLIENT_INFO,
    LOG_LEVEL,
];

/// `UnsupportedProtocolVersion` (2026-07-28 basic §Error Codes).
const UNSUPPORTED_VERSION: i64 = -32022;

/// What a request of 2026-07-28 says about its sender in `_meta` (2026-07-28 basic §_meta).
#[derive(Debug, Clone)]
pub struct Envelope {
    /// What the client can do: a raw object.
    pub capabilities: String,
    /// Who it says it is, raw.
    pub client_info: Option<String>,
    /// From which level on it wants log messages; `None` for none at all.
    pub log_level: Option<String>,
}

/// Why a request of that form is invalid (2026-07-28 basic §_meta, versioning §Protocol Version Negotiation).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invalid {
    /// A key of `_meta` that must be there is not, or is of another type.
    Meta(&'static str),
    /// It is of a revision that nobody here speaks.
    Version(String),
}

impl Invalid {
    /// The error that the request gets.
    pub fn answer(&self, id: &Id) -> Message {
        match self {
            Self::Meta(key) => {
                let message = format!("Invalid params: _meta lacks a valid {key}");
                reply::error(Some(id), code::INVALID_PARAMS, &message, None)
            }
            Self::Version(requested) => {
                let data = serde_json::json!({ "supported": [MODERN], "requested": requested });
                let message = "Unsupported protocol version";
                reply::error(Some(id), UNSUPPORTED_VERSION, message, Some(data))
            }
        }
    }
}

impl Envelope {
    /// Reads the envelope of a request. A log level that there is not counts as none.
    ///
    /// # Errors
    /// [`Invalid`] when a key that must be there is missing, or the request is of another revision.
    pub fn of(request: &Message) -> Result<Self, Invalid> {
        let meta = param(request, META).unwrap_or_default();
        let meta = Members::read(&meta).unwrap_or_default();
        let version = meta.get(PROTOCOL_VERSION).and_then(text);
        let version = version.ok_or(Invalid::Meta(PROTOCOL_VERSION))?;
        if version != MODERN {
            return Err(Invalid::Version(version));
        }
        let object = |key| meta.get(key).filter(|raw| is_object(raw));
        let level = meta.get(LOG_LEVEL).and_then(text);
        Ok(Self {
            capabilities: object(CLIENT_CAPABILITIES)
                .ok_or(Invalid::Meta(CLIENT_CAPABILITIES))?
                .to_owned(),
            client_info: object(CLIENT_INFO).map(str::to_owned),
            log_level: level.filter(|level| LEVELS.contains(&level.as_str())),
        })
    }

    /// What `initialize` says about the client, as an envelope: without what 2026-07-28 does not know (2025-11-25
    /// lifecycle §Initialization).
    pub fn of_initialize(initialize: &Message) -> Self {
        let params = params(initialize).unwrap_or_default();
        let known = without_tasks(params.get(CAPABILITIES));
        let mut capabilities = Members::read(&known).unwrap_or_default();
        let roots = capabilities.get("roots").and_then(|raw| {
            let mut roots = Members::read(raw)?;
            roots.remove("listChanged")?;
            Some(roots.to_string())
        });
        if let Some(roots) = roots {
            capabilities.set("roots", roots);
        }
        let info = params.get("clientInfo").filter(|raw| is_object(raw));
        Self {
            capabilities: capabilities.to_string(),
            client_info: Some(info.unwrap_or(UNKNOWN).to_owned()),
            log_level: None,
        }
    }

    /// The same, declaring an extension that the sender has, too (2026-07-28 extensions §Negotiation; SEP-2133).
    #[must_use]
    pub fn declaring(self, extension: &str) -> Self {
        let mut capabilities = Members::read(&self.capabilities).unwrap_or_default();
        let declared = {
            let extensions = capabilities.get(EXTENSIONS).and_then(Members::read);
            let mut extensions = extensions.unwrap_or_default();
            if extensions.get(extension).is_none() {
                extensions.set(extension, "{}");
            }
            extensions.to_string()
        };
        capabilities.set(EXTENSIONS, declared);
        Self {
            capabilities: capabilities.to_string(),
            ..self
        }
    }

    /// The request with this envelope in place of any it had. Other metadata stays; `params.task` of 2025-11-25 goes
    /// (2026-07-28 basic §_meta).
    #[must_use]
    pub fn put_in(&self, request: &Message) -> Message {
        edit_params(request, |params| {
            params.remove("task");
            edit_meta(params, |meta| {
                meta.retain(|name, _| !KEYS.contains(&name));
                for (key, raw) in self.keys() {
                    meta.set(key, raw);
                }
            });
        })
    }

    /// The raw `_meta` for a request of the bridge's own.
    pub fn meta(&self) -> String {
        let mut meta = Members::default();
        for (key, raw) in self.keys() {
            meta.set(key, raw);
        }
        meta.to_string()
    }

    /// The keys that it has, each with its raw value.
    fn keys(&self) -> impl Iterator<Item = (&'static str, String)> {
        let info = self.client_info.clone();
        let level = self.log_level.as_deref().map(quoted);
        let required = [
            (PROTOCOL_VERSION, quoted(MODERN)),
            (CLIENT_CAPABILITIES, self.capabilities.clone()),
        ];
        let optional = [
            info.map(|raw| (CLIENT_INFO, raw)),
            level.map(|raw| (LOG_LEVEL, raw)),
        ];
        required.into_iter().chain(optional.into_iter().flatten())
    }
}

/// The request, declaring an extension that whoever sends it on has, too ([`Envelope::declaring`]). One that is not of 2026-07-28,
/// or declares it already, keeps its bytes.
#[must_use]
pub fn declaring(request: &Message, extension: &str) -> Message {
    let Ok(envelope) = Envelope::of(request) else {
        return request.clone();
    };
    let capabilities = Members::read(&envelope.capabilities).unwrap_or_default();
    let extensions = capabilities.get(EXTENSIONS).and_then(Members::read);
    if extensions.is_some_and(|extensions| extensions.get(extension).is_some()) {
        return request.clone();
    }
    let declared = envelope.declaring(extension).capabilities;
    edit_params(request, |params| {
        edit_meta(params, |meta| meta.set(CLIENT_CAPABILITIES, declared));
    })
}

/// The request without the keys of an envelope; an empty `_meta` goes as well (2026-07-28 basic §_meta).
#[must_use]
pub fn stripped(request: &Message) -> Message {
    edit_params(request, strip)
}

/// Takes the keys of an envelope out of params.
pub(super) fn strip(params: &mut Members<'_>) {
    edit_meta(params, |meta| {
        meta.retain(|name, _| !KEYS.contains(&name));
    });
}

/// The token under which the sender of a request wants to hear of its progress, or under which a notification tells of it, raw
/// (2025-11-25 progress §Progress Flow).
pub fn progress_token(message: &Message) -> Option<String> {
    match message.kind() {
        Kind::Notification => param(message, PROGRESS_TOKEN),
        _ => meta_of(message, PROGRESS_TOKEN),
    }
}

/// The request, or the notification of progress, with another token, raw. One that has none is returned as it is
/// (2025-11-25 progress §Progress Flow).
#[must_use]
pub fn with_progress_token(message: &Message, raw: &str) -> Message {
    match message.kind() {
        Kind::Request if progress_token(message).is_some() => {
            edit_params(message, |params| set_progress_token(params, raw))
        }
        Kind::Notification if param(message, PROGRESS_TOKEN).is_some() => {
            edit_params(message, |params| params.set(PROGRESS_TOKEN, raw.to_owned()))
        }
        _ => message.clone(),
    }
}

/// Gives params of a request another token if they have one.
pub(super) fn set_progress_token(params: &mut Members<'_>, raw: &str) {
    let meta = params.get(META).and_then(Members::read);
    if meta.is_some_and(|meta| meta.get(PROGRESS_TOKEN).is_some()) {
        edit_meta(params, |meta| meta.set(PROGRESS_TOKEN, raw.to_owned()));
    }
}

#[cfg(test)]
mod tests;
