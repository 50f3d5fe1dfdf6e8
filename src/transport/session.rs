//! The session of Streamable HTTP (transports §Session Management): its id, the revision for the headers, and a generation
//! that counts sessions, so that one lost session is renewed once.

use std::sync::{Mutex, PoisonError};

use http::{HeaderMap, HeaderName, HeaderValue};

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// The headers of one session.
#[derive(Debug, Clone, Default)]
pub struct Session {
    /// Marked sensitive: it is as good as a password.
    id: Option<HeaderValue>,
    version: Option<HeaderValue>,
    /// Which session it is; 0 is none yet.
    pub generation: u64,
}

impl Session {
    /// Whether the server gave a session id.
    pub const fn has_id(&self) -> bool {
        self.id.is_some()
    }

    /// Puts the session's headers into `headers`.
    pub fn apply(&self, headers: &mut HeaderMap) {
        if let Some(id) = &self.id {
            headers.insert(SESSION_ID, id.clone());
        }
        if let Some(version) = &self.version {
            headers.insert(PROTOCOL_VERSION, version.clone());
        }
    }
}

/// The session in use, and the one being opened.
#[derive(Debug, Default)]
pub struct Current(Mutex<(Session, Option<HeaderValue>)>);

impl Current {
    /// The session in use.
    pub fn get(&self) -> Session {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .clone()
    }

    /// Notes the session id on the answer to an opening message. It counts only if that answer is a success.
    pub fn offered(&self, headers: &HeaderMap) {
        let id = headers.get(SESSION_ID).cloned().map(|mut id| {
            id.set_sensitive(true);
            id
        });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 = id;
    }

    /// Takes the offered session into use. A server that offered none clears the old one. Revisions before 2025-06-18
    /// know no version header.
    pub fn begin(&self, version: Option<&str>) -> u64 {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let version = version.filter(|version| !matches!(*version, "2024-11-05" | "2025-03-26"));
        let generation = state.0.generation + 1;
        let id = state.1.take();
        state.0 = Session {
            id,
            version: version.and_then(|version| HeaderValue::from_str(version).ok()),
            generation,
        };
        generation
    }

    /// Forgets the session, as on leaving.
    pub fn end(&self) -> Session {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = state.0.clone();
        state.0.id = None;
        ended
    }
}
