//! What the scripted Streamable HTTP server holds against its client, by the revision that they
//! agreed on. It must not answer anything that is allowed.

use crate::support::gate::lock;
use crate::support::http::{Request, Response};

use super::legacy::{SESSION, State};

const VERSION: &str = "mcp-protocol-version";

impl State {
    /// The headers that every POST must have.
    pub(super) fn check_post(&self, request: &Request) -> Option<Response> {
        let accept = request.header("accept").unwrap_or_default();
        let both = accept.contains("application/json") && accept.contains("text/event-stream");
        let media_type = request.header("content-type").unwrap_or_default();
        let first = request.rpc_method().as_deref() == Some("initialize");
        if !both {
            Some("Accept lacks a media type")
        } else if !media_type.starts_with("application/json") {
            Some("Content-Type is not application/json")
        } else if first && request.header(SESSION).is_some() {
            Some("initialize with a session id")
        } else if request.header("origin").is_some() {
            Some("a native client sends no Origin")
        } else {
            None
        }
        .filter(|_| self.plan.strict)
        .map(|offence| self.offend(request, offence))
        .or_else(|| {
            if first {
                None
            } else {
                self.check_version(request)
            }
        })
    }

    /// Since 2025-06-18 every request after `initialize` names the negotiated revision.
    pub(super) fn check_version(&self, request: &Request) -> Option<Response> {
        let negotiated = lock(&self.negotiated).clone()?;
        let sent = request.header(VERSION);
        let wrong = match sent {
            None => negotiated.as_str() >= "2025-06-18",
            Some(sent) => sent != negotiated,
        };
        (wrong && self.plan.strict)
            .then(|| self.offend(request, &format!("{VERSION} is not {negotiated}")))
    }

    /// 400 without the id, 404 with one that is dead.
    pub(super) fn check_session(&self, request: &Request) -> Option<Response> {
        if !self.plan.sessions {
            return None;
        }
        match request.header(SESSION) {
            None => Some(Response::status(400)),
            Some(session) if lock(&self.sessions).contains(session) => None,
            Some(_) => Some(Response::status(404)),
        }
    }

    /// Refuses with 400 and books it.
    pub(super) fn offend(&self, request: &Request, offence: &str) -> Response {
        self.faults.add(format!("{offence}: {request}"));
        Response::of(400, "text/plain", offence.to_owned())
    }
}
