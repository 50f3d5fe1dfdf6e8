//! What the one session brings that comes in no reply, or in that of another request: each finds the call or the subscription
//! that it is for.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::call::Turn;
use crate::bridge::client::decline;
use crate::bridge::core::Core;
use crate::bridge::replay::Owner;
use crate::era::envelope::progress_token;
use crate::jsonrpc::reply::{self, code};
use crate::jsonrpc::{Id, Kind, Message};
use crate::transport::Events;

impl Core {
    /// Takes what is for a client of 2026-07-28; the rest is given back.
    pub async fn from_session(self: &Arc<Self>, message: Message) -> Option<Message> {
        let ours = self.link.replay.owner() == Owner::Bridge;
        match message.kind() {
            Kind::Result | Kind::Error => {
                let call = message.id().and_then(|id| self.down.calls.of(id));
                let Some(call) = call else {
                    return Some(message);
                };
                // It may have to wait for what came before it.
                tokio::spawn(async move {
                    let _ = call.send(Turn::Answer(message, Events::none())).await;
                });
            }
            Kind::Request if ours => match self.down.calls.only_one_that_asks() {
                Some(call) => self.question(&call, message),
                None => self.refuse(&message),
            },
            Kind::Notification => return self.told(message, ours).await,
            Kind::Request => return Some(message),
        }
        None
    }

    async fn told(self: &Arc<Self>, message: Message, ours: bool) -> Option<Message> {
        let call = match message.method() {
            "notifications/progress" => progress_token(&message)
                .and_then(|token| Id::parse(&token))
                .and_then(|id| self.down.calls.of(&id)),
            // Where streams tell calls apart, this one names none.
            "notifications/message" if ours && self.link.shares_one_stream() => {
                self.down.calls.only_one_that_logs()
            }
            _ => None,
        };
        if let Some(call) = call {
            let _ = call.try_send(Turn::Notification(message));
            return None;
        }
        if !ours {
            return Some(message);
        }
        if message.method() == "notifications/tools/list_changed" {
            self.filter.forget();
        }
        for copy in self.down.subscriptions.copies(&message) {
            self.to_client(copy).await;
        }
        None
    }

    /// A question of the server's on its way to the call that it came in.
    pub(super) fn question(self: &Arc<Self>, call: &mpsc::Sender<Turn>, question: Message) {
        let Some(id) = question.id().cloned() else {
            return;
        };
        if question.method() == "ping" {
            return self.post(reply::result(&id, "{}"));
        }
        if self.client_is_gone() {
            return self.post(decline(&id, question.method()));
        }
        if let Err(full) = call.try_send(Turn::Question(question))
            && let Turn::Question(question) = full.into_inner()
        {
            self.refuse(&question);
        }
    }

    /// Tells the server that the client cannot be asked (SEP-2260 §Client).
    pub(super) fn refuse(self: &Arc<Self>, question: &Message) {
        let Some(id) = question.id() else { return };
        if question.method() == "ping" {
            return self.post(reply::result(id, "{}"));
        }
        let told = format!("the client cannot be asked for {} here", question.method());
        self.post(reply::error(Some(id), code::INVALID_PARAMS, &told, None));
    }
}
