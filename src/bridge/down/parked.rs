//! Calls whose server waits for an answer of the user's while no request of the client's is in flight. Each is found again by a
//! state that nobody can guess, once, within a limit (2026-07-28 mrtr §Server Requirements).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use tokio::task::AbortHandle;

use super::call::Call;
use crate::bridge::client::decline;
use crate::bridge::core::Core;
use crate::era::mrtr::{self, Retry};
use crate::jsonrpc::{Id, Message, reply};

/// How long the user may take.
const LIMIT: Duration = Duration::from_secs(600);

/// Calls that may wait at once.
pub(super) const MANY: usize = 256;

/// A question of the server's that waits.
#[derive(Debug)]
pub(super) struct Asked {
    /// What the client calls it.
    pub key: String,
    /// What the server calls it.
    pub id: Id,
    /// What is asked for.
    pub method: Box<str>,
}

/// A call that waits.
#[derive(Debug)]
pub(super) struct Parked {
    pub call: Call,
    /// What the server has asked.
    pub asked: Vec<Asked>,
    /// What the request that goes on must have in common with the one that it was.
    bound: String,
    expiry: AbortHandle,
}

/// The calls that wait, by their state.
#[derive(Debug, Default)]
pub(super) struct Table(Mutex<HashMap<String, Parked>>);

impl Table {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Parked>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the call out that a request goes on with.
    ///
    /// # Errors
    /// Why it does not; the call waits on.
    pub fn take(&self, retry: &Retry, request: &Message) -> Result<Parked, &'static str> {
        let mut parked = self.lock();
        let found = parked
            .get(&retry.state)
            .ok_or("this requestState is not known, or no longer")?;
        if found.bound != mrtr::bound(request) {
            return Err("this requestState belongs to another request");
        }
        let answered = |asked: &Asked| retry.responses.iter().any(|(key, _)| *key == asked.key);
        if !found.asked.iter().all(answered) {
            return Err("inputResponses does not answer all of inputRequests");
        }
        let found = parked.remove(&retry.state).ok_or("gone")?;
        found.expiry.abort();
        Ok(found)
    }
}

impl Core {
    /// Keeps a call until the client goes on with it; its state, or `None` when too many wait already.
    pub(super) fn park(
        self: &Arc<Self>,
        call: Call,
        asked: Vec<Asked>,
        bound: String,
    ) -> Option<String> {
        let random: [u8; 24] = ring::rand::generate(&SystemRandom::new()).ok()?.expose();
        let state = URL_SAFE_NO_PAD.encode(random);
        let (core, key) = (Arc::clone(self), state.clone());
        let expiry = tokio::spawn(async move {
            tokio::time::sleep(LIMIT).await;
            let expired = core.down.parked.lock().remove(&key);
            if let Some(parked) = expired {
                core.give_up(parked);
            }
        });
        let parked = Parked {
            call,
            asked,
            bound,
            expiry: expiry.abort_handle(),
        };
        let full = {
            let mut table = self.down.parked.lock();
            if table.len() < MANY {
                table.insert(state.clone(), parked);
                None
            } else {
                Some(parked)
            }
        };
        if let Some(parked) = full {
            parked.expiry.abort();
            self.give_up(parked);
            return None;
        }
        Some(state)
    }

    /// Nobody goes on with what waits: the server is told.
    pub fn give_up_parked(self: &Arc<Self>) {
        let all = std::mem::take(&mut *self.down.parked.lock());
        for parked in all.into_values() {
            parked.expiry.abort();
            self.give_up(parked);
        }
    }

    fn give_up(self: &Arc<Self>, parked: Parked) {
        let params = format!(
            r#"{{"requestId":{},"reason":"the client did not go on with it"}}"#,
            parked.call.id()
        );
        self.post(reply::notification("notifications/cancelled", &params));
        for asked in parked.asked {
            self.post(decline(&asked.id, &asked.method));
        }
    }
}
