//! The bridge: takes messages from a client on one queue, gives answers on another, and keeps the link to the remote server
//! in between. Each request is a task of its own, so a slow one holds up nobody; each gets exactly one answer.

mod client;
mod core;
mod deferred;
mod down;
pub mod filter;
mod inflight;
mod input;
mod keep_alive;
mod learned;
mod link;
mod listed;
mod listen;
mod post;
mod replay;
mod request;
mod sign_in;
mod tries;
mod up;

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::core::Core;
pub use self::link::{Order, Protocol, Remote};
use self::post::Waiting;
pub use self::sign_in::{AtEnd, Audience, Begins};
use crate::error::Failure;
use crate::jsonrpc::{Message, reply};
use crate::queue::{self, Receiver, Sender};
use crate::transport::stdio::Input;

/// Bytes of notifications that may wait to be sent before nothing more is read.
const LANE: usize = 64 << 20;

/// The longest that a refresh in progress is waited for on leaving.
const SETTLE: Duration = Duration::from_secs(1);

/// How the bridge behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long the first message waits for a server that is not up, counted from reading it.
    pub initialize_wait: Duration,
    /// The longest that any request may take; `None` for no limit, but 60 s for `initialize`.
    pub request_timeout: Option<Duration>,
    /// How long running requests may go on when input has ended.
    pub grace: Duration,
    /// How often to ping the server; `None` for never.
    pub ping_interval: Option<Duration>,
    /// The largest line that is read, in bytes; for the error that a larger one gets.
    pub max_message_size: usize,
    /// Which tools the client may see and call.
    pub filter: filter::Options,
    /// Who may begin a sign-in.
    pub begins: Begins,
    /// What becomes of a sign-in when the input ends.
    pub at_end: AtEnd,
    /// Who waits for the answers.
    pub audience: Audience,
    /// The server, as it is called in what people read and type.
    pub server: String,
}

/// Why the bridge ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The client closed its end, and all that could be answered was.
    Input,
    /// The client no longer reads.
    Output,
    /// It was told to stop.
    Stopped,
}

/// The bridge.
#[derive(Debug)]
pub struct Bridge {
    core: Arc<Core>,
    tasks: JoinSet<()>,
    /// Messages that wait until the handshake in progress is through.
    parked: VecDeque<(Message, inflight::Busy)>,
    parked_bytes: usize,
    /// A step of the handshake is in progress.
    barrier: bool,
    lifted: Arc<Notify>,
    /// Notifications go out one after the other, in their order.
    lane: Sender<Waiting>,
}

impl Bridge {
    /// A bridge to `remote` that answers on `out`. Must be called inside a runtime.
    pub fn new(options: Options, remote: Remote, out: Sender<Message>) -> Self {
        let core = Arc::new(Core::new(options, remote, out));
        let mut tasks = JoinSet::new();
        let (lane, mut posts) = queue::bounded::<Waiting>(LANE);
        let poster = Arc::clone(&core);
        tasks.spawn(async move {
            while let Some(Waiting { message, busy }) = posts.recv().await {
                poster.deliver(message).await;
                drop(busy);
            }
        });
        tasks.spawn(listen::run(Arc::clone(&core)));
        if let Some(interval) = core.options.ping_interval {
            tasks.spawn(keep_alive::run(Arc::clone(&core), interval));
        }
        Self {
            core,
            tasks,
            parked: VecDeque::new(),
            parked_bytes: 0,
            barrier: false,
            lifted: Arc::default(),
            lane,
        }
    }

    /// Serves until the client leaves or `stop` is ready, then leaves the session. Every request that was taken in has
    /// been answered when it returns.
    pub async fn run(mut self, mut input: Receiver<Input>, stop: impl Future<Output = ()>) -> End {
        let end = self.serve(&mut input, stop).await;
        // Streams are closed before the session is left.
        self.tasks.abort_all();
        // Room or not: these are a few bytes each, and there is no time.
        for entry in self.core.inflight.take_all() {
            self.core.fail(&entry, &Failure::Closed);
        }
        let leave = async {
            if let Some(transport) = self.core.link.transport() {
                transport.close().await;
            }
        };
        let settle = tokio::time::timeout(SETTLE, self.core.settle());
        let _ = tokio::join!(leave, settle);
        self.core.end_output();
        end
    }

    async fn serve(&mut self, input: &mut Receiver<Input>, stop: impl Future<Output = ()>) -> End {
        tokio::pin!(stop);
        let core = Arc::clone(&self.core);
        let lifted = Arc::clone(&self.lifted);
        let lane = self.lane.clone();
        let mut deadline: Option<Instant> = None;
        loop {
            let ended = deadline.is_some();
            // Past the limits nothing more is read: what is refused has to be written first, and a client that notifies
            // faster than the server takes it has to wait. Of one that has left all is taken: no more can come.
            let readable = async {
                let room = async {
                    core.inflight.work.below(2 * inflight::LIMIT).await;
                    lane.room().await;
                };
                tokio::select! {
                    () = room => {}
                    () = input.ended() => {}
                }
                input.recv().await
            };
            tokio::select! {
                biased;
                () = &mut stop => return End::Stopped,
                () = core.client_gone() => return End::Output,
                () = lifted.notified() => self.lift(),
                () = core.inflight.work.done(), if ended => return End::Input,
                () = tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now)), if ended => return End::Input,
                Some(_) = self.tasks.join_next() => {}
                next = readable, if !ended => match next {
                    Some(input) => self.take(input),
                    None => {
                        tracing::debug!("input ended: finishing what is running");
                        deadline = Some(Instant::now() + core.grace());
                        core.client_left();
                        core.leave_sign_in();
                        core.end_subscriptions();
                    }
                },
            }
        }
    }

    /// Writes an answer of our own. It counts as work, so that it is written before we leave.
    fn answer(&mut self, message: Message) {
        let busy = self.core.inflight.work.start();
        let core = Arc::clone(&self.core);
        self.tasks.spawn(async move {
            core.to_client(message).await;
            drop(busy);
        });
    }
}

/// An error for a message whose id could not be read: only clients of 2025-11-25 and later take one without an id.
fn without_id(version: Option<&str>, code: i64, message: &str) -> Option<Message> {
    version
        .is_some_and(|version| version >= "2025-11-25")
        .then(|| reply::error(None, code, message, None))
}

#[cfg(test)]
pub(super) mod tests;
