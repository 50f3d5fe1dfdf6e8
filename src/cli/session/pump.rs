//! What comes from the bridge: answers go to whoever waits for them, questions and notifications to the front.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{oneshot, watch};

use crate::jsonrpc::reply::{self, code};
use crate::jsonrpc::{Id, Kind, Message};
use crate::queue::{Receiver, Sender};
use crate::transport::stdio::Input;

/// The result of an elicitation, as raw JSON, once there is one.
pub type Answer<'a> = Pin<Box<dyn Future<Output = String> + Send + 'a>>;

/// What becomes of that which the server says and asks by itself.
pub trait Front: Send + Sync {
    /// The server tells something: progress, a log message, that a list has changed.
    fn told(&self, notification: &Message) {
        let _ = notification;
    }

    /// The server asks the user something; `params` are those of `elicitation/create`, as raw JSON.
    fn asked<'a>(&'a self, params: &'a str) -> Answer<'a> {
        let _ = params;
        Box::pin(async { r#"{"action":"decline"}"#.to_owned() })
    }
}

/// Nobody is told anything, and what is asked is declined.
#[derive(Debug, Clone, Copy)]
pub struct Nobody;

impl Front for Nobody {}

/// Shared by the session and the pump.
pub struct Shared {
    front: Arc<dyn Front>,
    waiting: Mutex<Option<HashMap<Id, oneshot::Sender<Message>>>>,
    /// Questions that the user has yet to answer.
    asked: watch::Sender<usize>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

impl Shared {
    /// Nothing is waited for.
    pub fn new(front: Arc<dyn Front>) -> Self {
        Self {
            front,
            waiting: Mutex::new(Some(HashMap::new())),
            asked: watch::Sender::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<HashMap<Id, oneshot::Sender<Message>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to a request that is about to be sent; an error when none can come any more.
    pub fn expect(&self, id: &Id) -> oneshot::Receiver<Message> {
        let (sender, receiver) = oneshot::channel();
        if let Some(waiting) = self.lock().as_mut() {
            waiting.insert(id.clone(), sender);
        }
        receiver
    }

    /// Nobody waits for it any more.
    pub fn forget(&self, id: &Id) {
        if let Some(waiting) = self.lock().as_mut() {
            waiting.remove(id);
        }
    }

    /// Takes out all that is waited for.
    pub fn take_all(&self) -> Vec<Id> {
        let mut waiting = self.lock();
        let taken = waiting.as_mut().map(std::mem::take).unwrap_or_default();
        taken.into_keys().collect()
    }

    /// How many questions the user has yet to answer.
    pub fn asked(&self) -> watch::Receiver<usize> {
        self.asked.subscribe()
    }
}

/// Takes what the bridge says until it ends.
pub async fn run(mut from: Receiver<Message>, to: Sender<Input>, shared: Arc<Shared>) {
    while let Some(message) = from.recv().await {
        match message.kind() {
            Kind::Result | Kind::Error => {
                let id = message.id();
                let waiter = id.and_then(|id| shared.lock().as_mut()?.remove(id));
                if let Some(waiter) = waiter {
                    let _ = waiter.send(message);
                }
            }
            Kind::Notification => shared.front.told(&message),
            Kind::Request => {
                let (to, shared) = (to.clone(), Arc::clone(&shared));
                tokio::spawn(async move {
                    if let Some(answer) = answer(&shared, &message).await {
                        // The bridge takes all of it, for as long as it is there.
                        let _ = to.push(Input::Message(answer));
                    }
                });
            }
        }
    }
    // Nothing more can come.
    *shared.lock() = None;
}

/// What a request of the server's gets.
async fn answer(shared: &Shared, request: &Message) -> Option<Message> {
    let id = request.id()?;
    Some(match request.method() {
        "ping" => reply::result(id, "{}"),
        "elicitation/create" => {
            shared.asked.send_modify(|count| *count += 1);
            let result = shared.front.asked(request.payload().unwrap_or("{}")).await;
            shared
                .asked
                .send_modify(|count| *count = count.saturating_sub(1));
            reply::result(id, &result)
        }
        // Not announced, so no server should ask for it (2025-11-25 lifecycle §Operation).
        other => {
            tracing::debug!("refused a request of the server's: {other}");
            let told = "this client has neither roots nor a model to sample from";
            reply::error(Some(id), code::METHOD_NOT_FOUND, told, None)
        }
    })
}
