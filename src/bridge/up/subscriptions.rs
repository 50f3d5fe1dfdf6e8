//! One `subscriptions/listen` for all that a client of an earlier revision hears of without asking: changed lists, and the
//! resources that it has subscribed to. Its filter is fixed, so a change replaces it: the new one first, then the old one ends
//! (2026-07-28 subscriptions).

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::bridge::core::Core;
use crate::bridge::link;
use crate::bridge::request::LISTEN;
use crate::era::subscriptions::{self, Filter, listen_params};
use crate::error::{Failure, Refusal};
use crate::jsonrpc::{Id, Kind, Message, reply};
use crate::net::retry::Backoff;

/// The longest that an acknowledgement is waited for.
const ACKNOWLEDGED: Duration = Duration::from_secs(30);

/// The longest that a subscription is waited for: an old stream may have to be given up first.
const HEARD: Duration = Duration::from_secs(60);

/// The first wait before a stream that ended is opened again, and the longest.
const FIRST: Duration = Duration::from_millis(500);
const CAP: Duration = Duration::from_secs(30);

/// The resources that the client has subscribed to, and how often they changed.
#[derive(Debug, Clone, Default)]
struct Wanted {
    uris: BTreeSet<String>,
    change: u64,
}

/// What the server has promised, and after which change.
#[derive(Debug, Clone)]
struct Heard {
    promised: Result<Filter, Failure>,
    change: u64,
}

/// The subscriptions of such a client.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    wanted: watch::Sender<Wanted>,
    heard: watch::Sender<Option<Heard>>,
    /// Streams of ours, and who waits for the acknowledgement.
    streams: Mutex<HashMap<Id, Option<oneshot::Sender<Filter>>>>,
}

impl Subscriptions {
    fn streams(&self) -> MutexGuard<'_, HashMap<Id, Option<oneshot::Sender<Filter>>>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Subscribes to a resource; whether the server tells of its changes.
    pub async fn add(&self, uri: &str) -> Result<bool, Failure> {
        let mut wish = Wish {
            ours: self,
            uri,
            granted: false,
        };
        let change = self.change(|uris| uris.insert(uri.to_owned()));
        let mut heard = self.heard.subscribe();
        let heard = heard.wait_for(|heard| heard.as_ref().is_some_and(|it| it.change >= change));
        let heard = tokio::time::timeout(HEARD, heard).await;
        let promised = match heard {
            Ok(Ok(heard)) => heard.as_ref().map(|heard| heard.promised.clone()),
            _ => None,
        };
        let unheard = || Failure::Lost("the server did not say what it tells of".to_owned());
        let filter = promised.unwrap_or_else(|| Err(unheard()))?;
        wish.granted = filter.uris.contains(uri);
        Ok(wish.granted)
    }

    /// Takes a subscription back.
    pub fn remove(&self, uri: &str) {
        self.change(|uris| uris.remove(uri));
    }

    /// Changes what is wanted; the number of the last change.
    fn change(&self, change: impl FnOnce(&mut BTreeSet<String>) -> bool) -> u64 {
        self.wanted.send_if_modified(|wanted| {
            let changed = change(&mut wanted.uris);
            wanted.change += u64::from(changed);
            changed
        });
        self.wanted.borrow().change
    }

    /// A notification on its way to the client; `None` when it is for us.
    pub fn incoming(&self, notification: Message) -> Option<Message> {
        let Some(id) = subscriptions::subscription(&notification) else {
            return Some(notification);
        };
        let mut streams = self.streams();
        let Some(stream) = streams.get_mut(&id) else {
            // One of ours that has just been replaced.
            return (!link::is_own(&id)).then_some(notification);
        };
        if notification.method() == subscriptions::ACKNOWLEDGED {
            let promised = Filter::of_acknowledged(&notification).unwrap_or_default();
            if let Some(stream) = stream.take() {
                let _ = stream.send(promised);
            }
            return None;
        }
        Some(subscriptions::untagged(&notification))
    }
}

/// A subscription that is taken back when this is dropped, unless it was granted.
struct Wish<'a> {
    ours: &'a Subscriptions,
    uri: &'a str,
    granted: bool,
}

impl Drop for Wish<'_> {
    fn drop(&mut self) {
        if !self.granted {
            self.ours.remove(self.uri);
        }
    }
}

/// A stream that is open until this is dropped.
struct Stream {
    core: Arc<Core>,
    id: Id,
    reader: JoinHandle<()>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.reader.abort();
        self.core.up.subscriptions.streams().remove(&self.id);
        if self.core.link.shares_one_stream() {
            let params = format!(r#"{{"requestId":{}}}"#, self.id);
            self.core
                .post(reply::notification("notifications/cancelled", &params));
        }
    }
}

/// Keeps the subscriptions for as long as it is polled.
pub(in crate::bridge) async fn keep(core: &Arc<Core>) {
    core.up.is_needed();
    let ours = &core.up.subscriptions;
    let mut wanted = ours.wanted.subscribe();
    let mut backoff = Backoff::new(FIRST, CAP);
    let mut current: Option<Stream> = None;
    loop {
        let Wanted { uris, change } = wanted.borrow_and_update().clone();
        let all = Filter {
            tools: true,
            prompts: true,
            resources: true,
            uris,
        };
        let filter = all.honoured(&core.link.replay.capabilities().to_string());
        let promised = if filter.is_empty() {
            current = None;
            Ok(Filter::default())
        } else {
            open(core, &filter).await.map(|(stream, promised)| {
                // One that promises nothing is not worth a stream.
                current = (!promised.is_empty()).then_some(stream);
                promised
            })
        };
        // Who says no has heard the question.
        let refused = matches!(&promised, Err(failure) if failure.said().is_some());
        let failed = promised.is_err() && !refused;
        if let Err(failure) = &promised {
            tracing::debug!("the server cannot be listened to: {failure}");
        }
        ours.heard.send_replace(Some(Heard { promised, change }));
        let opened = Instant::now();
        let ended = async {
            match &mut current {
                _ if failed => {}
                Some(stream) => {
                    let _ = (&mut stream.reader).await;
                }
                None => std::future::pending().await,
            }
            tokio::time::sleep(backoff.after(opened.elapsed(), fastrand::f64())).await;
        };
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { return },
            () = ended => current = current.filter(|_| failed),
        }
    }
}

/// Opens a stream and waits until the server says what it will bring.
async fn open(core: &Arc<Core>, filter: &Filter) -> Result<(Stream, Filter), Failure> {
    let envelope = core.link.replay.envelope().ok_or(Failure::Closed)?;
    let id = core.link.own_id();
    let request = reply::request(&id, LISTEN, Some(&listen_params(filter)));
    let outgoing = core.learned.outgoing(envelope.put_in(&request));
    let (acknowledged, waits) = oneshot::channel();
    let (ended, why) = oneshot::channel();
    core.up
        .subscriptions
        .streams()
        .insert(id.clone(), Some(acknowledged));
    let reader = Arc::clone(core);
    let reader = tokio::spawn(async move {
        let read = async {
            let mut events = reader.link.exchange(&outgoing).await?.into_events()?;
            while let Some(message) = events.next().await? {
                match message.kind() {
                    Kind::Result => return Ok(()),
                    Kind::Error => return Err(Failure::Status(Box::new(Refusal::said(message)))),
                    Kind::Request | Kind::Notification => {}
                }
                reader.from_server(message).await;
            }
            Ok(())
        };
        let _ = ended.send(read.await);
    });
    let stream = Stream {
        core: Arc::clone(core),
        id,
        reader,
    };
    let promised = async {
        tokio::select! {
            biased;
            promised = waits => promised.map_err(|_| Failure::Closed),
            why = why => Err(match why {
                Ok(Ok(())) => return Ok(Filter::default()),
                Ok(Err(failure)) => failure,
                Err(_) => Failure::Closed,
            }),
        }
    };
    let promised = tokio::time::timeout(ACKNOWLEDGED, promised).await;
    let promised = promised.unwrap_or_else(|_| {
        Err(Failure::Lost(
            "the server did not acknowledge a subscription".to_owned(),
        ))
    })?;
    Ok((stream, promised))
}
