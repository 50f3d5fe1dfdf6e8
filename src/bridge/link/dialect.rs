//! Which dialect the server speaks. The client's own is tried first, so a matched pair costs nothing; a refusal leads to the
//! other one, and what was found for a mixed pair is remembered.

use std::sync::{Arc, PoisonError};
use std::time::SystemTime;

use serde::Deserialize;
use serde_json::Value;

use super::choose::Order;
use super::{Link, Remote};
use crate::era::detect::{self, Asked, Era};
use crate::era::envelope::Envelope;
use crate::era::{down, headers};
use crate::error::{Failure, Refusal};
use crate::jsonrpc::{Message, reply};
use crate::store::verdicts::Verdict as Kept;
use crate::transport::{Outgoing, Scope};

/// Which revisions the server speaks (`--protocol`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Found out.
    #[default]
    Auto,
    /// Those up to 2025-11-25.
    Legacy,
    /// 2026-07-28.
    Modern,
}

/// What is known of the server's dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bridge) enum Known {
    /// Nothing: the client's own is tried.
    Nothing,
    /// Remembered, or worth a try.
    Supposed(Era),
    /// It was spoken, or the user says so.
    Settled(Era),
}

impl Remote {
    /// What to begin with.
    pub(super) fn first_dialect(&self, remembered: &Kept) -> Known {
        match (self.protocol, self.order, remembered.modern) {
            // HTTP+SSE is the transport of the first revision.
            (Protocol::Legacy, ..) | (_, Order::SseOnly, _) => Known::Settled(Era::Legacy),
            (Protocol::Modern, ..) => Known::Settled(Era::Modern),
            (_, Order::SseFirst, _) => Known::Supposed(Era::Legacy),
            _ if remembered.sse => Known::Supposed(Era::Legacy),
            (_, _, Some(true)) => Known::Supposed(Era::Modern),
            (_, _, Some(false)) => Known::Supposed(Era::Legacy),
            (.., None) => Known::Nothing,
        }
    }
}

impl Link {
    /// What is known of the server's dialect.
    pub fn dialect(&self) -> Known {
        *self.dialect.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The dialect that the server is taken to speak.
    pub fn era(&self) -> Option<Era> {
        match self.dialect() {
            Known::Nothing => None,
            Known::Supposed(era) | Known::Settled(era) => Some(era),
        }
    }

    /// Takes the server to speak this dialect until it shows, or nothing to be known again.
    pub fn suppose(&self, era: Option<Era>) {
        let mut dialect = self.dialect.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*dialect, Known::Settled(_)) {
            *dialect = era.map_or(Known::Nothing, Known::Supposed);
        }
    }

    /// The server has spoken this dialect, with a client of the same one or, if `mixed`, of the other.
    pub fn settle(&self, era: Era, mixed: bool) {
        let before = {
            let mut dialect = self.dialect.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *dialect, Known::Settled(era))
        };
        let matched = before == Known::Nothing && !mixed;
        if matches!(before, Known::Settled(_)) || matched {
            return;
        }
        tracing::debug!("the server speaks {era:?}, mixed: {mixed}");
        let modern = era == Era::Modern;
        self.remote.remember(|verdict| {
            // A client of the same dialect takes nothing away from one of the other.
            if mixed || verdict.modern == Some(!modern) {
                verdict.modern = mixed.then_some(modern);
            }
        });
    }

    /// It has HTTP+SSE, so it speaks an earlier revision.
    pub(super) fn settle_sse(&self) {
        *self.dialect.lock().unwrap_or_else(PoisonError::into_inner) = Known::Settled(Era::Legacy);
    }

    /// Asks a server of 2026-07-28 what it is. The result is a `DiscoverResult`, or the server's error.
    pub async fn discover(self: &Arc<Self>, envelope: &Envelope) -> Result<Message, Failure> {
        let envelope = self.replay.declared(envelope.clone());
        let params = format!(r#"{{"_meta":{}}}"#, envelope.meta());
        let mut asked = 0;
        loop {
            let id = self.own_id();
            let request = reply::request(&id, "server/discover", Some(&params));
            let outgoing = Outgoing {
                headers: headers::of(&request, |_| Vec::new()),
                // It may be a part of the handshake that the messages of a session wait for.
                scope: Scope::Alone,
                ..Outgoing::new(request)
            };
            let outcome = self.answered(self.exchange(&outgoing), &id).await;
            asked += 1;
            let said = match &outcome {
                Ok(answer) => Some(answer),
                Err(failure) => failure.said(),
            };
            if asked > 1 || !said.is_some_and(detect::asks_again) {
                return outcome;
            }
        }
    }

    /// Finds out what the server speaks, for a client of 2026-07-28 whose `discover` was answered without it, and opens a session
    /// where it wants one. It gives the server's capabilities.
    pub async fn find_out(self: &Arc<Self>, discover: &Message) -> Result<Value, Failure> {
        let Ok(envelope) = Envelope::of(discover) else {
            return Err(Failure::Closed);
        };
        let mut tried = 0;
        loop {
            tried += 1;
            if self.is_legacy() {
                self.open_our_own(&down::initialize(&self.own_id(), &envelope));
                let Err(failure) = self.ready().await else {
                    return Ok(self.replay.capabilities());
                };
                let other = verdict(Asked::OwnInitialize, Err(&failure));
                if tried > 1 || self.is_settled() || other != detect::Verdict::Try(Era::Modern) {
                    return Err(failure);
                }
                self.take_back();
                self.suppose(Some(Era::Modern));
                continue;
            }
            let discovered = self.discover(&envelope).await;
            match verdict(Asked::Discover, discovered.as_ref()) {
                detect::Verdict::Is(era) => {
                    self.settle(era, false);
                    return Ok(capabilities(discovered.as_ref().ok()));
                }
                detect::Verdict::Try(era) if tried == 1 && !self.is_settled() => {
                    self.suppose(Some(era));
                }
                _ => {
                    let said = |error| Failure::Status(Box::new(Refusal::said(error)));
                    return discovered.and_then(|answer| Err(said(answer)));
                }
            }
        }
    }

    /// Whether the server's dialect is known for good.
    pub fn is_settled(&self) -> bool {
        matches!(self.dialect(), Known::Settled(_))
    }

    fn is_legacy(&self) -> bool {
        self.era() == Some(Era::Legacy)
    }
}

/// The capabilities in a `DiscoverResult`.
fn capabilities(discovered: Option<&Message>) -> Value {
    #[derive(Deserialize)]
    struct Discovered {
        capabilities: Value,
    }
    let discovered = discovered.and_then(Message::read);
    discovered.map_or(Value::Null, |found: Discovered| found.capabilities)
}

/// What an outcome says of the server's dialect.
pub(in crate::bridge) fn verdict(
    asked: Asked,
    outcome: Result<&Message, &Failure>,
) -> detect::Verdict {
    match outcome {
        Ok(answer) => detect::era(asked, None, Some(answer)),
        Err(Failure::Status(refusal)) => {
            let status = Some(refusal.status).filter(|status| *status != Refusal::IN_A_SUCCESS);
            detect::era(asked, status, refusal.message.as_ref())
        }
        Err(_) => detect::Verdict::Unclear,
    }
}

impl Remote {
    /// What was found before.
    pub(super) fn remembered(&self) -> Kept {
        let verdicts = self.verdicts.as_ref();
        verdicts.map_or_else(Kept::default, |verdicts| {
            verdicts.of(&self.shown(), SystemTime::now())
        })
    }

    /// Changes what is remembered.
    pub(super) fn remember(&self, change: impl FnOnce(&mut Kept)) {
        if let Some(verdicts) = &self.verdicts {
            verdicts.change(&self.shown(), SystemTime::now(), change);
        }
    }
}
