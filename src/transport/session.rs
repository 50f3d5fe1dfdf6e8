//! The session of Streamable HTTP (transports §Session Management): its id, the revision for the headers, and a generation
//! that counts sessions, so that one lost session is renewed once.

use std::sync::{Mutex, MutexGuard, PoisonError};

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
pub struct Current(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    session: Session,
    /// The id on the answer to the last opening message.
    offered: Option<HeaderValue>,
}

impl Current {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session in use.
    pub fn get(&self) -> Session {
        self.lock().session.clone()
    }

    /// Notes the session id on the answer to an opening message. It counts only if that answer is a success.
    pub fn offered(&self, headers: &HeaderMap) {
        let id = headers.get(SESSION_ID).cloned().map(|mut id| {
            id.set_sensitive(true);
            id
        });
        self.lock().offered = id;
    }

    /// Takes the offered session into use. A server that offered none clears the old one. Revisions before 2025-06-18
    /// know no version header.
    pub fn begin(&self, version: Option<&str>) -> u64 {
        let mut state = self.lock();
        let version = version.filter(|version| !matches!(*version, "2024-11-05" | "2025-03-26"));
        state.session = Session {
            id: state.offered.take(),
            version: version.and_then(|version| HeaderValue::from_str(version).ok()),
            generation: state.session.generation + 1,
        };
        state.session.generation
    }

    /// Forgets the session, as on leaving.
    pub fn end(&self) -> Session {
        let mut state = self.lock();
        let ended = state.session.clone();
        state.session.id = None;
        ended
    }
}
