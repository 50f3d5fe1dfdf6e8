//! The pulse of a connection, over a pipe in memory and a clock that stands still.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::{MISSING, MISSING_WHILE_BUSY, PING, Sent, carry};
use crate::error::Failure;
use crate::jsonrpc::{Id, Message};
use crate::transport::Limits;
use crate::transport::channel::Channel;

struct Scene {
    /// The server's end of the pipe.
    far: DuplexStream,
    _frames: mpsc::Sender<Sent>,
    channel: Channel,
    unasked: mpsc::Receiver<Message>,
    ended: JoinHandle<Failure>,
}

fn scene() -> Scene {
    let (near, far) = tokio::io::duplex(1 << 16);
    let (frames, to_write) = mpsc::channel(1);
    let (channel, unasked) = Channel::new();
    let limits = Limits {
        headers: None,
        body: None,
        message: 1 << 16,
    };
    Scene {
        far,
        _frames: frames,
        channel: channel.clone(),
        unasked,
        ended: tokio::spawn(carry(near, limits, to_write, channel)),
    }
}

async fn server(far: DuplexStream) -> WebSocketStream<DuplexStream> {
    WebSocketStream::from_raw_socket(far, Role::Server, None).await
}

#[tokio::test(start_paused = true)]
async fn two_pings_without_a_pong_are_a_lost_connection() {
    let begun = Instant::now();
    let scene = scene();
    let failure = scene.ended.await.unwrap();
    assert!(matches!(failure, Failure::Lost(_)), "{failure}");
    assert_eq!(begun.elapsed().as_secs(), (PING * (MISSING + 1)).as_secs());
    drop(scene.far);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_busy_with_a_request_may_leave_more_pings_alone() {
    let begun = Instant::now();
    let scene = scene();
    let asked = scene.channel.expect(&Id::parse("1").unwrap());
    let failure = scene.ended.await.unwrap();
    assert!(failure.to_string().contains("10 pings"), "{failure}");
    let limit = PING * (MISSING_WHILE_BUSY + 1);
    assert_eq!(begun.elapsed().as_secs(), limit.as_secs());
    drop((asked, scene.far));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_came_into_the_silence_does_not_explain_it() {
    let begun = Instant::now();
    let scene = scene();
    tokio::time::sleep(PING + Duration::from_secs(1)).await;
    let asked = scene.channel.expect(&Id::parse("1").unwrap());
    scene.ended.await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), (PING * (MISSING + 1)).as_secs());
    drop((asked, scene.far));
}

#[tokio::test(start_paused = true)]
async fn a_subscription_does_not_explain_silence() {
    let begun = Instant::now();
    let scene = scene();
    let asked = scene.channel.expect_end(&Id::parse("1").unwrap());
    scene.ended.await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), (PING * (MISSING + 1)).as_secs());
    drop((asked, scene.far));
}

#[tokio::test(start_paused = true)]
async fn pongs_keep_the_connection() {
    let begun = Instant::now();
    let scene = scene();
    let mut server = server(scene.far).await;
    let mut pings = 0;
    while pings < 10 {
        // The library answers each.
        if let Some(Ok(Frame::Ping(_))) = server.next().await {
            pings += 1;
        }
    }
    assert_eq!(begun.elapsed().as_secs(), (PING * 10).as_secs());
    assert!(!scene.ended.is_finished());
}

#[tokio::test(start_paused = true)]
async fn pings_are_answered() {
    let scene = scene();
    let mut server = server(scene.far).await;
    server.send(Frame::Ping("x".into())).await.unwrap();
    let answer = server.next().await.unwrap().unwrap();
    assert_eq!(answer, Frame::Pong("x".into()));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_not_the_servers_fault() {
    let mut scene = scene();
    let mut server = server(scene.far).await;
    let note = r#"{"jsonrpc":"2.0","method":"notifications/x"}"#;
    let notes = 100;
    for _ in 0..notes {
        server.send(Frame::text(note)).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(!scene.ended.is_finished());
    for _ in 0..notes {
        scene.unasked.recv().await.unwrap();
    }
}
