//! The end of a sign-in on this machine: a listener on loopback that the authorization server sends the browser back to
//! (RFC 8252 §7.3).
//!
//! Any web page and any local program can send requests here. Only the one that knows `state` ends the wait; nothing of a
//! request is ever written back. The browser's own request stays open until the caller says how the sign-in ended, so that
//! the page never claims more than is true.

mod answer;
mod bind;
mod request;
mod response;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use url::Url;

pub use bind::{Host, NotBound, Port};
pub use response::{Announced, Malformed, Outcome, Rejected, Response, parse_callback};

use crate::secret::Secret;
use answer::{Answer, Page};
use bind::sockets;
use request::{Head, Verdict};

/// How long a connection may take to send its request. Browsers open some that never send one.
const HEAD_LIMIT: Duration = Duration::from_secs(10);

/// Connections served at a time.
const MAX_CONNECTIONS: usize = 64;

/// The wait after the system refused a connection, for want of file descriptors most likely.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// How a sign-in ended when it did not succeed, for the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The user or the authorization server said no.
    Refused,
    /// Something went wrong.
    Failed,
}

/// A bound listener. Dropping it closes its sockets and connections.
#[derive(Debug)]
pub struct Listener {
    site: Arc<Site>,
    callbacks: mpsc::Receiver<Callback>,
    /// One task for each socket; they end with this.
    _sockets: JoinSet<()>,
}

/// What all connections share.
#[derive(Debug)]
struct Site {
    redirect_uri: Url,
    port: u16,
    head_limit: Duration,
    wait: Mutex<Wait>,
    found: mpsc::Sender<Callback>,
}

/// Which request is waited for.
#[derive(Debug)]
enum Wait {
    /// None yet.
    Nobody,
    /// The one with this state.
    For(Secret),
    /// The one with this state has been here.
    Done(Secret),
}

impl Listener {
    /// Binds on loopback. Nobody else can have the port from here on, so the browser may be opened.
    ///
    /// # Errors
    /// The port cannot be had, or `path` does not begin with a slash.
    pub async fn bind(host: Host, port: Port, path: &str) -> Result<Self, NotBound> {
        Self::bind_within(host, port, path, HEAD_LIMIT).await
    }

    async fn bind_within(
        host: Host,
        port: Port,
        path: &str,
        head_limit: Duration,
    ) -> Result<Self, NotBound> {
        let sockets = sockets(host, port).await?;
        let bound = sockets.first().and_then(|socket| socket.local_addr().ok());
        let bound = bound.map_or(0, |address| address.port());
        let redirect_uri = redirect_uri(host, bound, path).ok_or(NotBound::Path)?;
        // There is never more than one, and nobody waits for room.
        let (found, callbacks) = mpsc::channel(1);
        let site = Arc::new(Site {
            redirect_uri,
            port: bound,
            head_limit,
            wait: Mutex::new(Wait::Nobody),
            found,
        });
        let mut tasks = JoinSet::new();
        for socket in sockets {
            tasks.spawn(accept(socket, Arc::clone(&site)));
        }
        Ok(Self {
            site,
            callbacks,
            _sockets: tasks,
        })
    }

    /// The redirect URI, exactly as it must be registered and sent.
    pub fn redirect_uri(&self) -> &str {
        self.site.redirect_uri.as_str()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.site.port
    }

    /// Waits for the request that carries `state`, for as long as it takes. When the wait is given up, another call with the
    /// same state goes on with it; one with another state ends it.
    pub async fn callback(&mut self, state: &Secret) -> Callback {
        self.site.expect(state, &mut self.callbacks);
        match self.callbacks.recv().await {
            Some(callback) => callback,
            // The site holds the other end.
            None => std::future::pending().await,
        }
    }
}

/// The query of a request whose head this is, if a listener on `port` takes it for the callback at `path`.
#[doc(hidden)]
pub fn callback_query(head: Vec<u8>, port: u16, path: &str) -> Option<String> {
    match Head::Whole(head).judge(port, path) {
        Verdict::Callback(query) => Some(query),
        Verdict::Junk(_) => None,
    }
}

/// The redirect URI at `path`, percent-encoded as the browser will ask for it.
fn redirect_uri(host: Host, port: u16, path: &str) -> Option<Url> {
    let mut url = Url::parse(&format!("http://{host}:{port}/")).ok()?;
    url.set_path(path.strip_prefix('/').map(|_| path)?);
    Some(url)
}

async fn accept(socket: TcpListener, site: Arc<Site>) {
    let mut open = JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        if open.len() >= MAX_CONNECTIONS {
            open.join_next().await;
            continue;
        }
        match socket.accept().await {
            Ok((stream, _)) => {
                open.spawn(Arc::clone(&site).serve(stream));
            }
            Err(_) => tokio::time::sleep(ACCEPT_AGAIN).await,
        }
    }
}

impl Site {
    async fn serve(self: Arc<Self>, mut stream: TcpStream) {
        let head = tokio::time::timeout(self.head_limit, Head::read(&mut stream)).await;
        let Ok(Ok(head)) = head else { return };
        let answer = match head.judge(self.port, self.redirect_uri.path()) {
            Verdict::Callback(query) => {
                let response = parse_callback(&query);
                match self.place(&response) {
                    Place::Awaited => {
                        let callback = Callback {
                            response,
                            stream: Some(stream),
                        };
                        // Were there no room, its own end would answer.
                        let _ = self.found.try_send(callback);
                        return;
                    }
                    Place::Late => Answer::Page(Page::AlreadyDone),
                    Place::Stranger => Answer::Page(Page::Unexpected),
                }
            }
            Verdict::Junk(junk) => Answer::Junk(junk),
        };
        answer.write(&mut stream).await;
        answer::drain(&mut stream).await;
    }

    /// Says which state ends the wait from now on.
    fn expect(&self, state: &Secret, callbacks: &mut mpsc::Receiver<Callback>) {
        let mut wait = self.wait.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = match &*wait {
            Wait::For(before) => before == state,
            // It came, and nobody took it yet.
            Wait::Done(before) => before == state && !callbacks.is_empty(),
            Wait::Nobody => false,
        };
        if !waiting {
            while callbacks.try_recv().is_ok() {}
            *wait = Wait::For(state.clone());
        }
    }

    fn place(&self, response: &Response) -> Place {
        let mut wait = self.wait.lock().unwrap_or_else(PoisonError::into_inner);
        match &*wait {
            Wait::For(state) if response.has_state(state) => {
                *wait = Wait::Done(state.clone());
                Place::Awaited
            }
            Wait::Done(state) if response.has_state(state) => Place::Late,
            _ => Place::Stranger,
        }
    }
}

/// How a request relates to the wait.
enum Place {
    Awaited,
    Late,
    Stranger,
}

/// The request that was waited for. The browser shows nothing until it is told how the sign-in ended; when this is dropped
/// it shows a failure.
#[derive(Debug)]
pub struct Callback {
    response: Response,
    stream: Option<TcpStream>,
}

impl Callback {
    /// What the authorization server said.
    pub const fn response(&self) -> &Response {
        &self.response
    }

    /// Shows that the user is signed in, or sends the browser to `page` (`--auth-success-url`). It returns when the browser
    /// has it; then the listener may go.
    pub async fn succeed(self, page: Option<&Url>) {
        let answer = match page {
            Some(url) => Answer::Elsewhere(url.to_string()),
            None => Answer::Page(Page::SignedIn),
        };
        self.finish(answer).await;
    }

    /// Shows that the user is not signed in.
    pub async fn fail(self, end: End) {
        let page = match end {
            End::Refused => Page::Refused,
            End::Failed => Page::Failed,
        };
        self.finish(Answer::Page(page)).await;
    }

    async fn finish(mut self, answer: Answer) {
        if let Some(mut stream) = self.stream.take() {
            answer.write(&mut stream).await;
        }
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        if let Some(stream) = &self.stream {
            // Nothing was written so far, so it fits into the socket's buffer.
            let _ = stream.try_write(&Answer::Page(Page::Failed).bytes());
        }
    }
}

#[cfg(test)]
mod tests;
