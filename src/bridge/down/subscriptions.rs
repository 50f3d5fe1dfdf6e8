//! The `subscriptions/listen` of a client of 2026-07-28: each gets its own copy of what the session brings, and the resources are
//! subscribed to for as long as one of them wants them (2026-07-28 subscriptions).

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::bridge::core::Core;
use crate::bridge::request::{Request, Step};
use crate::era::subscriptions::{Filter, acknowledged, tagged};
use crate::error::Failure;
use crate::jsonrpc::reply::{self, code};
use crate::jsonrpc::{Id, Message};

/// The longest that the server's stream is waited for, without which nothing can be promised.
const STREAM: Duration = Duration::from_secs(5);

/// The subscriptions, by the serial numbers of their requests.
#[derive(Debug, Default)]
pub(super) struct Table(Mutex<HashMap<u64, (Id, Filter)>>);

/// A subscription lasts until this is dropped.
struct Lasting {
    core: Arc<Core>,
    serial: u64,
    watched: Vec<String>,
}

impl Drop for Lasting {
    fn drop(&mut self) {
        self.core.down.subscriptions.lock().remove(&self.serial);
        for uri in std::mem::take(&mut self.watched) {
            let core = Arc::clone(&self.core);
            tokio::spawn(async move { core.unwatch(uri).await });
        }
    }
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, (Id, Filter)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The copies of a notification, one for each subscription that wants it.
    pub fn copies(&self, notification: &Message) -> Vec<Message> {
        let table = self.lock();
        let wanted = table
            .values()
            .filter(|(_, filter)| filter.wants(notification));
        wanted.map(|(id, _)| tagged(notification, id)).collect()
    }
}

impl Request {
    /// Serves a subscription until the client cancels it.
    pub(super) async fn listen(&self) -> Result<Step, Failure> {
        let Some(wanted) = Filter::of_listen(&self.message) else {
            let told = "params.notifications is missing or no object";
            let error = reply::error(Some(&self.id), code::INVALID_PARAMS, told, None);
            return Ok(Step::Here(error));
        };
        let capabilities = self.core.link.replay.capabilities().to_string();
        let mut promised = wanted.honoured(&capabilities);
        if !promised.is_empty() && !self.core.link.is_heard(STREAM).await {
            promised = Filter::default();
        }
        let mut lasting = Lasting {
            core: Arc::clone(&self.core),
            serial: self.serial,
            watched: Vec::new(),
        };
        for uri in std::mem::take(&mut promised.uris) {
            if self.core.watch(&uri).await {
                lasting.watched.push(uri.clone());
                promised.uris.insert(uri);
            }
        }
        self.subscribed(promised).await;
        // It is answered when the client leaves, and ended when the client cancels it.
        std::future::pending::<()>().await;
        drop(lasting);
        Ok(Step::Gone)
    }

    /// Tells the client what it will hear of, unless it has been told something, and no copy of anything before.
    async fn subscribed(&self, promised: Filter) {
        self.core.room().await;
        let mut table = self.core.down.subscriptions.lock();
        if !self.core.inflight.take_acknowledged(&self.id) {
            self.core.push(acknowledged(&self.id, &promised));
        }
        table.insert(self.serial, (self.id.clone(), promised));
    }

    /// Serves a subscription until the user has signed in and the server can be asked for it.
    pub async fn listen_meanwhile(&self) {
        let announced = self.core.deferred.provisional();
        let wanted = Filter::of_listen(&self.message);
        let (Some((_, announced)), Some(wanted)) = (announced, wanted) else {
            return;
        };
        let promised = Filter {
            uris: BTreeSet::new(),
            ..wanted.honoured(&announced.to_string())
        };
        let lasting = Lasting {
            core: Arc::clone(&self.core),
            serial: self.serial,
            watched: Vec::new(),
        };
        self.subscribed(promised).await;
        let inflight = &self.core.inflight;
        inflight.set_acknowledged(&self.id, self.serial);
        self.core.deferred.switched().await;
        drop(lasting);
    }
}
