//! Pings on the one stream: when it is taken for dead. The clock is virtual, and there is no network.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::call;
use super::rig::{Rig, options, remote};
use crate::auth::Authorizer;
use crate::bridge::{Options, Protocol};
use crate::error::Failure;
use crate::jsonrpc::{Kind, Message, reply};
use crate::transport::scripted::{Scripted, Streams};
use crate::transport::{Events, Listening, Outgoing, Reply};

/// The time between pings, in seconds.
const PING: u64 = 30;

#[derive(Default)]
struct Server {
    stream: Mutex<Option<mpsc::Sender<Result<Message, Failure>>>>,
    opened: AtomicUsize,
    heard: Arc<AtomicU64>,
    pings: AtomicUsize,
    /// Which pings stay without an answer, counted from one.
    mute: Vec<usize>,
    /// Lets a call of a tool be answered.
    done: Notify,
}

impl Server {
    async fn answer(&self, outgoing: &Outgoing) -> Result<Reply, Failure> {
        let message = &outgoing.message;
        if message.kind() != Kind::Request {
            return Ok(Reply::Accepted);
        }
        let result = match message.method() {
            "initialize" => {
                r#"{"protocolVersion":"2024-11-05","capabilities":{"tools":{}},"serverInfo":{}}"#
            }
            "ping" => {
                let number = self.pings.fetch_add(1, Ordering::SeqCst) + 1;
                if self.mute.contains(&number) {
                    std::future::pending::<()>().await;
                }
                "{}"
            }
            _ => {
                self.done.notified().await;
                "{}"
            }
        };
        Ok(Reply::One(reply::result(message.id().unwrap(), result)))
    }

    fn open(&self) -> Listening {
        let (sender, receiver) = mpsc::channel(1);
        self.opened.fetch_add(1, Ordering::SeqCst);
        *self.stream.lock().unwrap() = Some(sender);
        Listening::Stream(Events::Scripted(receiver))
    }

    fn say(&self) {
        let note = reply::notification("notifications/message", r#"{"data":1}"#);
        let stream = self.stream.lock().unwrap();
        stream.as_ref().unwrap().try_send(Ok(note)).unwrap();
        self.breathe();
    }

    /// Something comes that is no message.
    fn breathe(&self) {
        self.heard.fetch_add(1, Ordering::SeqCst);
    }

    fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }
}

/// A bridge with a session to a server that does not answer these pings.
async fn scene(mute: &[usize]) -> (Rig, Arc<Server>) {
    let limit = Duration::from_secs(1);
    scene_with(mute, Some(limit)).await
}

/// The same with a limit for requests.
async fn scene_with(mute: &[usize], request_timeout: Option<Duration>) -> (Rig, Arc<Server>) {
    let server = Arc::new(Server {
        mute: mute.to_vec(),
        ..Server::default()
    });
    let (asked, opens, open) = (server.clone(), server.clone(), server.clone());
    let scripted = Scripted::new(move |outgoing| {
        let server = Arc::clone(&asked);
        async move { server.answer(&outgoing).await }.boxed()
    });
    let heard = Arc::clone(&server.heard);
    let scripted = scripted.with_pulse(heard).with_streams(Streams {
        open: Box::new(move || Ok(opens.open())),
        shared: Some(Box::new(move || open.stream.lock().unwrap().is_some())),
    });
    let options = Options {
        ping_interval: Some(Duration::from_secs(PING)),
        request_timeout,
        ..options()
    };
    let mut rig = Rig::over(
        options,
        remote(scripted, Authorizer::None, Protocol::Legacy),
    );
    rig.send(r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{}}}"#)
        .await;
    assert!(rig.recv().await.contains("2024-11-05"));
    rig.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
        .await;
    (rig, server)
}

async fn seconds(count: u64) {
    tokio::time::sleep(Duration::from_secs(count)).await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_opened_anew_when_two_pings_in_a_row_stay_unanswered() {
    let (_rig, server) = scene(&[1, 3, 4]).await;
    // The limit of requests is a second; that of pings a minute.
    seconds(PING + 59).await;
    assert_eq!(server.pings.load(Ordering::SeqCst), 1);
    // The second one is answered.
    seconds(2 + 2 * PING + 60 + PING + 58).await;
    assert_eq!(server.pings.load(Ordering::SeqCst), 4);
    assert_eq!(server.opened(), 1);
    seconds(5).await;
    assert_eq!(server.opened(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stream_on_which_anything_else_comes_is_not_dead() {
    let (mut rig, server) = scene(&[1, 2, 3, 4]).await;
    for _ in 0..4 {
        seconds(PING + 30).await;
        server.say();
        assert!(rig.recv().await.contains("notifications/message"));
        seconds(30).await;
    }
    seconds(10).await;
    assert_eq!(server.opened(), 1);
    assert_eq!(server.pings.load(Ordering::SeqCst), 4);
}

#[tokio::test(start_paused = true)]
async fn a_stream_on_which_comments_come_is_not_dead() {
    let (_rig, server) = scene(&[1, 2, 3, 4]).await;
    for _ in 0..4 {
        seconds(PING + 30).await;
        server.breathe();
        seconds(30).await;
    }
    seconds(10).await;
    assert_eq!(server.opened(), 1);
}

/// How long it takes until a ping that is sent now is missed.
const MISSED: u64 = PING + 60;

/// A bridge with a session to a server that answers nothing from now on but the calls that it is told to.
async fn silent() -> (Rig, Arc<Server>) {
    let all: Vec<usize> = (1..100).collect();
    scene_with(&all, None).await
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_busy_with_a_call_keeps_its_stream() {
    let (mut rig, server) = silent().await;
    rig.send(&call(1)).await;
    seconds(10 * 60).await;
    assert_eq!(server.opened(), 1);
    server.done.notify_one();
    assert!(rig.recv().await.contains(r#""id":1"#));
    server.breathe();
    // It is not busy any more: after the ping that is under way two are enough.
    seconds(3 * MISSED).await;
    assert_eq!(server.opened(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_dead_stream_is_noticed_although_a_call_waits_on_it() {
    let (rig, server) = silent().await;
    rig.send(&call(1)).await;
    seconds(10 * MISSED - 5).await;
    assert_eq!(server.opened(), 1);
    seconds(10).await;
    assert_eq!(server.opened(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_came_into_the_silence_does_not_explain_it() {
    let (rig, server) = silent().await;
    seconds(MISSED - 5).await;
    rig.send(&call(1)).await;
    seconds(MISSED).await;
    assert_eq!(server.opened(), 1);
    seconds(10).await;
    assert_eq!(server.opened(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_waits_for_any_more_does_not_explain_the_silence() {
    let (rig, server) = silent().await;
    let begun = Instant::now();
    rig.send(&call(1)).await;
    seconds(3 * MISSED + 5).await;
    assert_eq!(server.opened(), 1);
    rig.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#)
        .await;
    seconds(MISSED).await;
    assert_eq!(server.opened(), 2, "{:?}", begun.elapsed());
}
