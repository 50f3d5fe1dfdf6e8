//! What is known of the client, and what the server and the bridge ask it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::core::Core;
use super::inflight;
use super::sign_in::{OwnAsks, elicits_urls};
use crate::error::Failure;
use crate::jsonrpc::{Id, Message, reply};

/// Server messages held back until the client has finished its handshake.
const HELD: usize = 1024;

/// What is known of the client.
#[derive(Debug, Default)]
pub(super) struct Client {
    /// Server messages that wait for `notifications/initialized`; `None` when nothing has to.
    held: Option<VecDeque<Message>>,
    /// Server requests that wait for the client's answer.
    asked: HashMap<Id, Box<str>>,
    /// Nobody can answer the server any more.
    gone: bool,
    /// It shows addresses to the user when asked to.
    elicits_urls: bool,
    /// What the bridge has asked it.
    own_asks: OwnAsks,
    /// The address that it was asked to show, and the id of that elicitation.
    shown: Option<(String, String)>,
}

impl Client {
    /// The server no longer wants the client's answer.
    pub fn no_longer_asked(&mut self, id: &Id) {
        self.asked.remove(id);
    }
}

impl Core {
    /// Passes a request of the server's on.
    pub async fn ask_client(self: &Arc<Self>, request: Message) {
        let Some(id) = request.id().cloned() else {
            return;
        };
        let nobody = {
            let mut client = self.client();
            let nobody = client.gone || client.asked.len() >= inflight::LIMIT;
            if !nobody {
                client.asked.insert(id.clone(), request.method().into());
            }
            nobody
        };
        if nobody {
            self.post(decline(&id, request.method()));
            return;
        }
        if request.method() == "ping" || !self.holds(&request) {
            self.to_client(request).await;
        }
    }

    /// Keeps a message back while the client is in the middle of its handshake (2025-11-25 lifecycle §Initialization).
    pub fn holds(&self, message: &Message) -> bool {
        let mut client = self.client();
        let Some(held) = &mut client.held else {
            return false;
        };
        if held.len() >= HELD {
            held.pop_front();
            tracing::warn!(
                "the server sent more than {HELD} messages before the client was ready; dropped one"
            );
        }
        held.push_back(message.clone());
        true
    }

    /// The client has begun its handshake.
    pub fn hold_back(&self, initialize: &Message) {
        let mut client = self.client();
        client.held.get_or_insert_default();
        client.elicits_urls = elicits_urls(initialize);
    }

    /// Whether the client can be asked to show an address to the user now.
    pub fn elicits_urls(&self) -> bool {
        let client = self.client();
        client.elicits_urls && client.held.is_none() && !client.gone
    }

    /// Notes that the client is asked to show an address; whether it has not been asked before.
    pub fn shows_first(&self, url: &str, elicitation: &str) -> bool {
        let mut client = self.client();
        let first = client.shown.as_ref().is_none_or(|(shown, _)| shown != url);
        if first {
            client.shown = Some((url.to_owned(), elicitation.to_owned()));
        }
        first
    }

    /// The elicitation that showed the address of a sign-in which is now done.
    pub fn shown_to_client(&self) -> Option<String> {
        self.client()
            .shown
            .take()
            .map(|(_, elicitation)| elicitation)
    }

    /// Asks the client in the bridge's own name; `None` when it leaves without an answer.
    pub async fn ask_client_ourselves(&self, request: Message) -> Option<Message> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        {
            let mut client = self.client();
            if client.gone {
                return None;
            }
            client.own_asks.insert(request.id()?.clone(), sender);
        }
        self.to_client(request).await;
        receiver.await.ok()
    }

    /// The client need not answer what the bridge has asked it.
    pub fn take_question_back(&self, id: &Id) {
        if self.client().own_asks.remove(id).is_some() {
            let params = format!(r#"{{"requestId":{id}}}"#);
            let notification = reply::notification("notifications/cancelled", &params);
            self.push(notification);
        }
    }

    /// Whether the input has ended.
    pub fn client_is_gone(&self) -> bool {
        self.client().gone
    }

    /// The client is ready: it gets what was held back, before anything newer.
    pub async fn release(&self) {
        loop {
            self.room().await;
            let next = {
                let mut client = self.client();
                let next = client.held.as_mut().and_then(VecDeque::pop_front);
                if next.is_none() {
                    client.held = None;
                }
                next
            };
            let Some(message) = next else { return };
            self.push(message);
        }
    }

    /// Whether messages are held back.
    pub fn is_holding(&self) -> bool {
        self.client().held.is_some()
    }

    /// The client's answer to a server request, on its way back; one that nobody asked for is dropped.
    pub fn respond(self: &Arc<Self>, response: Message) {
        let own = response
            .id()
            .and_then(|id| self.client().own_asks.remove(id));
        if let Some(own) = own {
            let _ = own.send(response);
            return;
        }
        let asked = response.id().and_then(|id| self.client().asked.remove(id));
        if asked.is_some() {
            self.post(response);
        } else {
            tracing::warn!("dropped an answer of the client to nothing that the server asked");
        }
    }

    /// Nobody can answer the server any more: it is told so, now and from now on.
    pub fn client_left(self: &Arc<Self>) {
        let asked = {
            let mut client = self.client();
            client.gone = true;
            client.own_asks.clear();
            std::mem::take(&mut client.asked)
        };
        for (id, method) in asked {
            self.post(decline(&id, &method));
        }
        self.give_up_parked();
    }
}

/// What the server gets where no client can answer any more.
pub(super) fn decline(id: &Id, method: &str) -> Message {
    if method == "elicitation/create" {
        return reply::result(id, r#"{"action":"cancel"}"#);
    }
    reply::failure(id, &Failure::Closed)
}
