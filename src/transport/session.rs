//! The session of Streamable HTTP (transports §Session Management): its id, the revision for the headers, and a generation
//! that counts sessions, so that one lost session is renewed once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::watch;

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
    /// Tells while a copy of it is in use.
    in_use: Option<watch::Receiver<()>>,
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
    /// Hears when nobody uses the session any more.
    users: watch::Sender<()>,
    /// The server does not know the session any more.
    is_gone: bool,
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

    /// The server does not know the session of this generation any more.
    pub fn gone(&self, generation: u64) {
        let mut state = self.lock();
        state.is_gone |= state.session.generation == generation;
    }

    /// Takes the offered session into use, and gives its generation and the one that it replaces, if the server still has that. A
    /// server that offered none clears the old one. Revisions before 2025-06-18 know no version header.
    pub fn begin(&self, version: Option<&str>) -> (u64, Option<Replaced>) {
        let mut state = self.lock();
        let version = version.filter(|version| !matches!(*version, "2024-11-05" | "2025-03-26"));
        let (users, in_use) = watch::channel(());
        let session = Session {
            id: state.offered.take(),
            version: version.and_then(|version| HeaderValue::from_str(version).ok()),
            generation: state.session.generation + 1,
            in_use: Some(in_use),
        };
        let users = std::mem::replace(&mut state.users, users);
        let replaced = std::mem::replace(&mut state.session, session);
        let is_gone = std::mem::take(&mut state.is_gone);
        let is_left = !is_gone && replaced.has_id() && replaced.id != state.session.id;
        let replaced = is_left.then_some(Replaced {
            session: replaced,
            users,
        });
        (state.session.generation, replaced)
    }

    /// Forgets the session, as on leaving.
    pub fn end(&self) -> Session {
        let mut state = self.lock();
        let ended = state.session.clone();
        state.session.id = None;
        ended
    }
}

/// A session that was replaced while the server still has it.
#[derive(Debug)]
pub struct Replaced {
    session: Session,
    users: watch::Sender<()>,
}

impl Replaced {
    /// The session, once no request uses it any more.
    pub async fn unused(mut self) -> Session {
        self.session.in_use = None;
        self.users.closed().await;
        self.session
    }
}
