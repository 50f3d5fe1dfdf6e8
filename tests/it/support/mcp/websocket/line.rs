//! One WebSocket connection from the server's side, driven by the test. It must not know MCP.

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame as RawFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::support::gate::Gate;

/// A control frame from the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control(pub Frame);

impl std::fmt::Display for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// One connection, from the server's side.
#[derive(Clone)]
pub struct Line {
    out: UnboundedSender<Out>,
    gone: Gate,
}

enum Out {
    Frame(Frame),
    Cut,
}

/// What is still to be sent on a connection.
pub(super) struct ToSend(UnboundedReceiver<Out>);

impl Line {
    /// One, and the other end of it.
    pub(super) fn new() -> (Self, ToSend) {
        let (out, to_send) = unbounded_channel();
        let gone = Gate::new();
        (Self { out, gone }, ToSend(to_send))
    }

    /// Sends a text frame.
    pub fn text(&self, text: impl Into<String>) {
        self.frame(Frame::text(text.into()));
    }

    /// Sends a frame of any kind.
    pub fn frame(&self, frame: Frame) {
        let _ = self.out.send(Out::Frame(frame));
    }

    /// Sends one text message in so many frames.
    pub fn fragments(&self, text: &str, count: usize) {
        let bytes = text.as_bytes();
        let parts: Vec<&[u8]> = bytes.chunks(bytes.len().div_ceil(count)).collect();
        for (at, part) in parts.iter().enumerate() {
            let kind = if at == 0 { Data::Text } else { Data::Continue };
            let last = at + 1 == parts.len();
            let part = RawFrame::message(part.to_vec(), OpCode::Data(kind), last);
            self.frame(Frame::Frame(part));
        }
    }

    /// Closes the TCP connection without a close frame.
    pub fn cut(&self) {
        let _ = self.out.send(Out::Cut);
    }

    /// Opens when the connection is over.
    pub fn gone(&self) -> &Gate {
        &self.gone
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "connection, over: {}", self.gone.is_open())
    }
}

/// Sends what the test wants and hands on what comes, until one side has had enough.
pub(super) async fn talk<S>(
    socket: WebSocketStream<S>,
    ToSend(mut to_send): ToSend,
    heard: impl Fn(Frame),
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sink, mut stream) = socket.split();
    let write = async {
        while let Some(Out::Frame(frame)) = to_send.recv().await {
            // The client has left; what it got is for the test to judge.
            let _ = sink.send(frame).await;
        }
    };
    let read = async {
        while let Some(Ok(frame)) = stream.next().await {
            heard(frame);
        }
    };
    tokio::select! {
        () = write => {}
        () = read => {}
    }
}
