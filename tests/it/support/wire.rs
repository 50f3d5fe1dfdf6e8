//! One accepted connection of a fake server: TLS, HTTP, and the ways to break it. It must not
//! know who answers.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::gate::Gate;
use super::http::{Body, Kind};

/// How a connection is broken.
#[derive(Clone, Copy)]
pub(super) enum Ending {
    /// The connection is closed (FIN) without the end of what was begun.
    Closed,
    /// The connection is reset (RST).
    Reset,
}

/// Breaks one connection from inside its responses.
#[derive(Default)]
pub(super) struct Switch {
    ending: AtomicU8,
    fired: Gate,
}

impl Switch {
    pub(super) fn fire(&self, ending: Ending) {
        self.ending.store(ending as u8, Ordering::SeqCst);
        self.fired.open();
    }

    fn resets(&self) -> bool {
        self.fired.is_open() && self.ending.load(Ordering::SeqCst) == Ending::Reset as u8
    }
}

/// The socket under HTTP and TLS. It dies the way its switch says.
struct Wire {
    stream: TcpStream,
    switch: Arc<Switch>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.switch.resets() {
            // With no time to linger, closing sends a reset.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// What a connection speaks.
#[derive(Clone)]
pub(super) struct Speech {
    pub(super) tls: Option<TlsAcceptor>,
    /// HTTP/2 with prior knowledge when there is no TLS to negotiate it.
    pub(super) http2: bool,
}

/// Serves one connection until it ends or is broken.
pub(super) async fn serve<A, F>(stream: TcpStream, speech: Speech, answer: A)
where
    A: Fn(http::Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Kind, hyper::Error>> + Send + 'static,
{
    let switch = Arc::new(Switch::default());
    let wire = Wire {
        stream,
        switch: Arc::clone(&switch),
    };
    match speech.tls {
        None => drive(wire, switch, speech.http2, answer).await,
        Some(acceptor) => {
            // A client that refuses our certificate is its own affair: the test sees its error.
            if let Ok(tls) = acceptor.accept(wire).await {
                let http2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
                drive(tls, switch, http2, answer).await;
            }
        }
    }
}

async fn drive<S, A, F>(stream: S, switch: Arc<Switch>, http2: bool, answer: A)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Fn(http::Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Kind, hyper::Error>> + Send + 'static,
{
    let handle = Arc::clone(&switch);
    let service = service_fn(move |request| send(answer(request), Arc::clone(&handle)));
    let io = TokioIo::new(stream);
    let mut connection: Pin<Box<dyn Future<Output = Result<(), hyper::Error>> + Send>> = if http2 {
        Box::pin(http2::Builder::new(TokioExecutor::new()).serve_connection(io, service))
    } else {
        Box::pin(http1::Builder::new().serve_connection(io, service))
    };
    tokio::select! {
        biased;
        // An error here means that the client left; what it got is for the test to judge.
        _ = &mut connection => return,
        () = switch.fired.opened() => {}
    }
    // The bytes sent before the break are still in HTTP's buffers. The body stays pending, so
    // this ends only by the clock, or when the client goes first.
    let _ = tokio::time::timeout(Duration::from_millis(20), &mut connection).await;
}

async fn send<F>(answer: F, switch: Arc<Switch>) -> Result<http::Response<Body>, hyper::Error>
where
    F: Future<Output = Result<Kind, hyper::Error>>,
{
    match answer.await? {
        Kind::Answer(mut answer) => {
            if let Body::Fed(fed) = answer.body_mut() {
                fed.switch = Some(switch);
            }
            Ok(*answer)
        }
        Kind::Stall => std::future::pending().await,
        Kind::Reset => {
            switch.fire(Ending::Reset);
            std::future::pending().await
        }
    }
}
