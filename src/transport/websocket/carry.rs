//! What happens on one open WebSocket: frames come and go until it is lost, and pings find out whether it is. It must not know
//! what a message says, nor how the connection came to be.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message as Frame, Utf8Bytes};

use crate::error::Failure;
use crate::net::failure::cause;
use crate::transport::Limits;
use crate::transport::channel::{Channel, lost};
use crate::transport::exchange::excerpt;

/// Between two pings.
const PING: Duration = Duration::from_secs(30);

/// Pings without any byte in return after which the connection is lost.
const MISSING: u32 = 2;

/// The same while the server has a request in hand since before the silence: one of a single thread answers no ping before it is
/// done.
const MISSING_WHILE_BUSY: u32 = 10;

/// The longest that a last close frame is waited for.
const FAREWELL: Duration = Duration::from_millis(500);

/// A frame to write.
#[derive(Debug)]
pub(super) struct Sent {
    pub frame: Frame,
    /// Hears that it was written, or why not. When nobody listens any more it is not written.
    pub written: oneshot::Sender<Result<(), Failure>>,
}

/// Why we close the connection.
#[derive(Debug, Clone, Copy)]
pub(super) enum Farewell {
    /// It is no longer needed.
    Done,
    /// A message was too large.
    Size,
}

/// The close frame (RFC 6455 §7.4.1).
pub(super) fn close(why: Farewell) -> Frame {
    Frame::Close(Some(CloseFrame {
        code: match why {
            Farewell::Done => CloseCode::Normal,
            Farewell::Size => CloseCode::Size,
        },
        reason: Utf8Bytes::default(),
    }))
}

/// Writes `frames` and hands on what comes until the connection is lost: why it was.
pub(super) async fn carry<S>(
    socket: S,
    limits: Limits,
    mut frames: mpsc::Receiver<Sent>,
    channel: Channel,
) -> Failure
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let pulse = Arc::new(Pulse::of(channel));
    let socket = Heard {
        socket,
        pulse: Arc::clone(&pulse),
    };
    let config = WebSocketConfig::default()
        .max_message_size(Some(limits.message))
        .max_frame_size(Some(limits.message));
    let (mut sink, mut stream) =
        WebSocketStream::from_raw_socket(socket, Role::Client, Some(config))
            .await
            .split();
    let failure = tokio::select! {
        failure = read(&mut stream, &pulse, limits.message) => failure,
        failure = write(&mut sink, &mut frames, &pulse, &limits) => failure,
    };
    if matches!(failure, Failure::TooLarge { .. }) {
        let _ = tokio::time::timeout(FAREWELL, sink.send(close(Farewell::Size))).await;
    }
    failure
}

/// Hands messages on. Pings are answered by the library, when it is asked for the next frame.
async fn read<R>(stream: &mut R, pulse: &Pulse, limit: usize) -> Failure
where
    R: Stream<Item = Result<Frame, Error>> + Unpin,
{
    loop {
        let data: Bytes = match stream.next().await {
            Some(Ok(Frame::Text(text))) => text.into(),
            // Some servers make no difference between the two.
            Some(Ok(Frame::Binary(data))) => data,
            Some(Ok(Frame::Close(frame))) => {
                // Asking once more sends the answer to it; nothing else is to come.
                let _ = stream.next().now_or_never();
                return closed(frame.as_ref());
            }
            Some(Ok(_)) => continue,
            Some(Err(wrong)) => return broken(&wrong, limit),
            None => return lost(),
        };
        pulse.busy.store(true, Ordering::Relaxed);
        pulse.channel.read(data).await;
        pulse.busy.store(false, Ordering::Relaxed);
    }
}

/// Writes frames, and a ping now and then.
async fn write<W>(
    sink: &mut W,
    frames: &mut mpsc::Receiver<Sent>,
    pulse: &Pulse,
    limits: &Limits,
) -> Failure
where
    W: Sink<Frame, Error = Error> + Unpin,
{
    let mut ping = Instant::now() + PING;
    loop {
        match tokio::time::timeout_at(ping, frames.recv()).await {
            Ok(None) => return lost(),
            Ok(Some(sent)) if sent.written.is_closed() => {}
            Ok(Some(sent)) => {
                let done = write_one(sink, sent.frame, limits).await;
                let _ = sent.written.send(done.clone());
                if let Err(failure) = done {
                    return failure;
                }
            }
            Err(_) => {
                if let Err(missing) = pulse.beats() {
                    return Failure::Lost(format!("the server left {missing} pings unanswered"));
                }
                if let Err(failure) = write_one(sink, Frame::Ping(Bytes::new()), limits).await {
                    return failure;
                }
                ping = Instant::now() + PING;
            }
        }
    }
}

async fn write_one<W>(sink: &mut W, frame: Frame, limits: &Limits) -> Result<(), Failure>
where
    W: Sink<Frame, Error = Error> + Unpin,
{
    let send = sink.send(frame);
    let sent = match limits.headers {
        None => send.await,
        Some(limit) => tokio::time::timeout(limit, send)
            .await
            .map_err(|_| Failure::Timeout {
                what: format!("the server took no message for {} s", limit.as_secs_f64()),
                option: "--headers-timeout",
            })?,
    };
    sent.map_err(|wrong| broken(&wrong, limits.message))
}

/// The server has closed the connection: what it said.
fn closed(frame: Option<&CloseFrame>) -> Failure {
    let said = frame.map_or_else(String::new, |frame| {
        let reason = excerpt(frame.reason.as_bytes()).map(|reason| format!(": {reason}"));
        let code = u16::from(frame.code);
        format!(" (code {code}{})", reason.unwrap_or_default())
    });
    Failure::Lost(format!("the server closed the connection{said}"))
}

/// What an error of the library means.
fn broken(wrong: &Error, limit: usize) -> Failure {
    match wrong {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => {
            tracing::warn!("the server sent a message larger than --max-message-size");
            Failure::TooLarge { limit }
        }
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(
            ProtocolError::ResetWithoutClosingHandshake | ProtocolError::SendAfterClosing,
        ) => Failure::Lost("the server closed the connection".to_owned()),
        Error::Io(wrong) => Failure::Lost(cause(wrong)),
        other => Failure::NotMcp {
            what: format!("the server breaks the rules of WebSocket: {other}"),
            excerpt: None,
        },
    }
}

/// Whether the server is alive.
#[derive(Debug)]
struct Pulse {
    channel: Channel,
    /// Pings since the last byte came.
    pings: AtomicU32,
    /// Requests before the first of them.
    asked: AtomicU64,
    /// A message is being handed on: nothing is read meanwhile, and that is not the server's fault.
    busy: AtomicBool,
}

impl Pulse {
    fn of(channel: Channel) -> Self {
        Self {
            channel,
            pings: AtomicU32::default(),
            asked: AtomicU64::default(),
            busy: AtomicBool::default(),
        }
    }

    fn heard(&self) {
        self.pings.store(0, Ordering::Relaxed);
        self.channel.hear();
    }

    /// Whether the server is alive, as far as it shows; if so, another ping is due, else it is told how many were missed.
    fn beats(&self) -> Result<(), u32> {
        if self.busy.load(Ordering::Relaxed) {
            self.heard();
        }
        let pings = self.pings.fetch_add(1, Ordering::Relaxed);
        if pings == 0 {
            self.asked.store(self.channel.asked(), Ordering::Relaxed);
        }
        let asked = self.asked.load(Ordering::Relaxed);
        let missing = if self.channel.waits_for_one_of(asked) {
            MISSING_WHILE_BUSY
        } else {
            MISSING
        };
        if pings < missing { Ok(()) } else { Err(pings) }
    }
}

/// A socket that takes note when bytes come: a large message may take longer than a ping may go unanswered.
#[derive(Debug)]
struct Heard<S> {
    socket: S,
    pulse: Arc<Pulse>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.socket).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.pulse.heard();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
