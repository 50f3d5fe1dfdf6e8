//! What a session of an earlier revision has once and the client's requests have each: the log level, and the resources that
//! are subscribed to. One task makes the changes, one after the other, so that they reach the server in their order.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use crate::bridge::core::Core;
use crate::era::down::more_verbose;
use crate::jsonrpc::{Kind, reply};

/// How long a request waits for its log level.
const PATIENCE: Duration = Duration::from_secs(5);

/// Changes that may wait.
const WAITING: usize = 256;

#[derive(Debug)]
enum Change {
    /// What any request in flight wants to hear.
    Level,
    Watch(String),
    Unwatch(String),
}

/// A change, and who waits until it is made; it is told whether the server has agreed.
type Order = (Change, oneshot::Sender<bool>);

/// The way to the task that makes the changes.
#[derive(Debug, Default)]
pub(super) struct Settings(OnceLock<mpsc::Sender<Order>>);

/// What the server has been told.
#[derive(Debug, Default)]
struct Made {
    level: Option<String>,
    /// How many subscriptions want each resource.
    watched: HashMap<String, usize>,
}

impl Core {
    /// Sees to it that the server logs what any request in flight wants to hear. One that does not answer holds up nobody for long.
    pub(super) async fn set_log_level(self: &Arc<Self>) {
        if self.link.replay.capabilities().get("logging").is_some() {
            let _ = tokio::time::timeout(PATIENCE, self.set(Change::Level)).await;
        }
    }

    /// Subscribes to a resource; whether the server has agreed.
    pub(super) async fn watch(self: &Arc<Self>, uri: &str) -> bool {
        self.set(Change::Watch(uri.to_owned())).await
    }

    /// Takes that back.
    pub(super) async fn unwatch(self: &Arc<Self>, uri: String) {
        self.set(Change::Unwatch(uri)).await;
    }

    async fn set(self: &Arc<Self>, change: Change) -> bool {
        let orders = self.down.settings.0.get_or_init(|| {
            let (orders, received) = mpsc::channel(WAITING);
            tokio::spawn(make(Arc::clone(self), received));
            orders
        });
        let (done, made) = oneshot::channel();
        let ordered = orders.send((change, done)).await.is_ok();
        ordered && made.await.unwrap_or(false)
    }

    /// Asks the server for a setting, which a new session gets as well.
    async fn settle_with_server(self: &Arc<Self>, method: &str, params: &str) -> bool {
        let answer = self.ask(method, Some(params)).await;
        let agreed = answer.is_ok_and(|answer| answer.kind() == Kind::Result);
        if agreed {
            let request = reply::request(&self.link.own_id(), method, Some(params));
            self.link.replay.succeeded(&request);
        }
        agreed
    }
}

async fn make(core: Arc<Core>, mut orders: mpsc::Receiver<Order>) {
    let mut made = Made::default();
    while let Some((change, done)) = orders.recv().await {
        let agreed = match change {
            Change::Level => made.log(&core).await,
            Change::Watch(uri) => {
                let agreed = made.watch(&core, uri.clone()).await;
                if agreed && done.is_closed() {
                    // Who wanted it was cancelled meanwhile.
                    made.unwatch(&core, uri).await;
                }
                agreed
            }
            Change::Unwatch(uri) => made.unwatch(&core, uri).await,
        };
        let _ = done.send(agreed);
    }
}

impl Made {
    async fn log(&mut self, core: &Arc<Core>) -> bool {
        let levels = core.down.calls.levels();
        let most = levels.iter().map(String::as_str).reduce(more_verbose);
        let Some(level) = most.filter(|level| self.level.as_deref() != Some(level)) else {
            return true;
        };
        self.level = Some(level.to_owned());
        let params = json!({ "level": level }).to_string();
        core.settle_with_server("logging/setLevel", &params).await
    }

    async fn watch(&mut self, core: &Arc<Core>, uri: String) -> bool {
        if let Some(count) = self.watched.get_mut(&uri) {
            *count += 1;
            return true;
        }
        let params = json!({ "uri": uri }).to_string();
        let agreed = core
            .settle_with_server("resources/subscribe", &params)
            .await;
        if agreed {
            self.watched.insert(uri, 1);
        }
        agreed
    }

    async fn unwatch(&mut self, core: &Arc<Core>, uri: String) -> bool {
        let Some(count) = self.watched.get_mut(&uri) else {
            return false;
        };
        *count -= 1;
        if *count > 0 {
            return true;
        }
        let params = json!({ "uri": uri }).to_string();
        self.watched.remove(&uri);
        core.settle_with_server("resources/unsubscribe", &params)
            .await
    }
}
