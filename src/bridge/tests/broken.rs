//! A server that gives streams and refuses sessions: it is asked more and more seldom. The clock is virtual.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::mpsc;

use super::rig::{Rig, exchange, options, remote_of};
use crate::auth::Authorizer;
use crate::bridge::Protocol;
use crate::error::{Failure, Refusal};
use crate::jsonrpc::{Kind, Message, reply};
use crate::transport::scripted::{Scripted, Streams};
use crate::transport::{Events, Listening, Reply};

#[derive(Default)]
struct Server {
    refuses: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How often the stream was opened, and the last one.
    opened: usize,
    stream: Option<mpsc::Sender<Result<Message, Failure>>>,
}

impl Server {
    fn answer(&self, message: &Message) -> Result<Reply, Failure> {
        if message.kind() != Kind::Request {
            return Ok(Reply::Accepted);
        }
        if self.refuses.load(Ordering::Relaxed) {
            let refusal = Refusal {
                status: 500,
                ..Refusal::said(reply::error(None, -32603, "no session", None))
            };
            return Err(Failure::Status(Box::new(refusal)));
        }
        let result = match message.method() {
            "initialize" => r#"{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{}}"#,
            _ => "{}",
        };
        Ok(Reply::One(reply::result(message.id().unwrap(), result)))
    }

    fn open(&self) -> Listening {
        let (sender, receiver) = mpsc::channel(1);
        let mut state = self.state.lock().unwrap();
        state.opened += 1;
        state.stream = Some(sender);
        Listening::Stream(Events::Scripted(receiver))
    }

    fn opened(&self) -> usize {
        self.state.lock().unwrap().opened
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_a_session_is_opened_more_and_more_seldom() {
    fastrand::seed(7);
    let server = Arc::new(Server::default());
    let (asks, opens, looks) = (
        Arc::clone(&server),
        Arc::clone(&server),
        Arc::clone(&server),
    );
    let scripted = Scripted::new(move |outgoing| {
        let answer = asks.answer(&outgoing.message);
        async move { answer }.boxed()
    })
    .with_streams(Streams {
        open: Box::new(move || Ok(opens.open())),
        shared: Some(Box::new(move || {
            looks.state.lock().unwrap().stream.is_some()
        })),
    });
    let remote = remote_of(exchange(Authorizer::None), scripted, Protocol::Legacy);
    let mut rig = Rig::over(options(), remote);
    rig.send(r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{}}}"#)
        .await;
    assert!(rig.recv().await.contains("2025-06-18"));
    rig.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
        .await;
    tokio::time::sleep(Duration::from_secs(60)).await;

    server.refuses.store(true, Ordering::Relaxed);
    server.state.lock().unwrap().stream = None;
    tokio::time::sleep(Duration::from_secs(1200)).await;
    // Waits of 15 to 30 seconds, once they have grown.
    let opened = server.opened();
    assert!((30..100).contains(&opened), "{opened} streams");

    server.refuses.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let healed = server.opened();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(server.opened(), healed, "there is a session again");
}
