//! HTTP+SSE (revision 2024-11-05, transports §HTTP with SSE): one GET stream brings everything, messages are POSTed to the
//! address that its `endpoint` event names. Losing the stream is losing the session.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use reqwest::Response;
use url::Url;

use super::channel::{Channel, lost};
use super::events::{Cursor, Event, Name, Parser, TooLarge};
use super::exchange::{Ask, Exchange};
use super::shared::{Open, Shared};
use super::{Events, Listening, Outgoing, Reply};
use crate::error::Failure;
use crate::jsonrpc::{Found, Kind};
use crate::net::guard;
use crate::net::headers::media_type;

/// The longest wait for the first `endpoint` event.
const ENDPOINT_WAIT: Duration = Duration::from_secs(10);

/// A link to one HTTP+SSE server.
#[derive(Debug)]
pub struct Sse {
    exchange: Arc<Exchange>,
    /// The stream, and where to POST while it is open.
    shared: Arc<Shared<Endpoint>>,
}

type Endpoint = Arc<Mutex<Url>>;

impl Sse {
    /// A link that is not connected yet.
    pub fn new(exchange: Arc<Exchange>) -> Self {
        Self {
            exchange,
            shared: Arc::new(Shared::new()),
        }
    }

    /// Counts the connections.
    pub fn generation(&self) -> u64 {
        self.shared.generation()
    }

    /// Whether the stream is open.
    pub fn is_connected(&self) -> bool {
        self.shared.is_connected()
    }

    pub(super) fn heard(&self) -> u64 {
        self.shared.heard()
    }

    pub(super) fn close(&self) {
        self.shared.close();
    }

    /// Opens the stream anew and waits for its `endpoint`.
    ///
    /// # Errors
    /// Why there is none; [`Failure::NotMcp`] when the server answers, but not as HTTP+SSE.
    pub async fn connect(&self) -> Result<(), Failure> {
        self.close();
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let url = self.exchange.url().clone();
        let ask = Ask {
            method: Method::GET,
            url: url.clone(),
            headers,
            body: None,
        };
        let response = self.exchange.send(&ask).await?;
        if !response.status().is_success() {
            return Err(self.exchange.refused(response).await);
        }
        let media_type = media_type(response.headers());
        if media_type != "text/event-stream" {
            return Err(not_sse(format!(
                "a GET was answered with {media_type:?} and no event stream"
            )));
        }
        let mut stream = Stream::new(response, self.exchange.limits().message);
        let first = tokio::time::timeout(ENDPOINT_WAIT, stream.endpoint(&url)).await;
        let endpoint = first.unwrap_or_else(|_| {
            Err(not_sse(format!(
                "the event stream named no endpoint within {} s",
                ENDPOINT_WAIT.as_secs()
            )))
        })?;
        self.connected(stream, endpoint);
        Ok(())
    }

    fn connected(&self, mut stream: Stream, endpoint: Url) {
        let endpoint = Arc::new(Mutex::new(endpoint));
        let (exchange, moves) = (Arc::clone(&self.exchange), Arc::clone(&endpoint));
        self.shared.opened(endpoint, |channel| async move {
            stream.run(&channel, exchange.url(), &moves).await;
            lost()
        });
    }

    pub(super) async fn send(&self, outgoing: &Outgoing) -> Result<Reply, Failure> {
        let Open {
            way,
            channel,
            generation,
        } = self.shared.open()?;
        let message = &outgoing.message;
        let id = message.id().filter(|_| message.kind() == Kind::Request);
        let answer = id.map(|id| channel.expect(id));
        // A stream that is lost ends for its listener when nobody holds the channel, and a POST may take long.
        drop(channel);
        let posted = self.post(&way, generation, outgoing);
        let Some(mut answer) = answer else {
            return posted.await.map(|()| Reply::Accepted);
        };
        // Biased to the POST: the answer counts once the server has taken the request, or before it says so.
        let first = tokio::select! {
            biased;
            posted = posted => posted.map(|()| None),
            answered = answer.next() => answered,
        };
        match first {
            Ok(Some(message)) => Ok(Reply::One(message)),
            Ok(None) => Ok(Reply::Many(Events::Answer(answer))),
            Err(failure) => Err(failure),
        }
    }

    async fn post(
        &self,
        way: &Endpoint,
        generation: u64,
        outgoing: &Outgoing,
    ) -> Result<(), Failure> {
        let mut headers = outgoing.headers.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let ask = Ask {
            method: Method::POST,
            url: way.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            headers,
            body: Some(outgoing.message.line().clone()),
        };
        let response = self.exchange.send(&ask).await?;
        if response.status().is_success() {
            return Ok(());
        }
        match self.exchange.refused(response).await {
            Failure::Status(refusal) if refusal.status == 404 => Err(Failure::SessionGone {
                generation,
                refusal: Some(refusal),
            }),
            other => Err(other),
        }
    }

    pub(super) fn listen(&self) -> Result<Listening, Failure> {
        self.shared.listen()
    }
}

fn not_sse(what: String) -> Failure {
    Failure::NotMcp {
        what,
        excerpt: None,
    }
}

/// The GET stream.
struct Stream {
    response: Response,
    parser: Parser,
    limit: usize,
}

impl Stream {
    fn new(response: Response, limit: usize) -> Self {
        Self {
            response,
            parser: Parser::new(limit, Cursor::default()),
            limit,
        }
    }

    /// The next event; `None` when the stream has ended. `heard` is called for each piece, a comment also.
    async fn next(&mut self, heard: impl Fn()) -> Option<Result<Event, TooLarge>> {
        loop {
            if let Some(event) = self.parser.pop() {
                return Some(event);
            }
            match self.response.chunk().await {
                Ok(Some(chunk)) => {
                    heard();
                    self.parser.push(chunk);
                }
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// The address of the first `endpoint` event.
    async fn endpoint(&mut self, server: &Url) -> Result<Url, Failure> {
        while let Some(event) = self.next(|| ()).await {
            if let Ok(Event {
                name: Name::Endpoint,
                data,
            }) = event
            {
                return resolve(server, &data);
            }
        }
        Err(not_sse(
            "the event stream ended without naming an endpoint".to_owned(),
        ))
    }

    /// Hands on all messages until the stream ends.
    async fn run(&mut self, channel: &Channel, server: &Url, endpoint: &Mutex<Url>) {
        while let Some(event) = self.next(|| channel.hear()).await {
            match event {
                Ok(Event {
                    name: Name::Message,
                    data,
                }) => channel.read(data).await,
                Ok(Event {
                    name: Name::Endpoint,
                    data,
                }) => match resolve(server, &data) {
                    Ok(moved) => {
                        *endpoint.lock().unwrap_or_else(PoisonError::into_inner) = moved;
                    }
                    Err(failure) => tracing::warn!("ignored a new endpoint: {failure}"),
                },
                Err(TooLarge(found)) => {
                    tracing::warn!("dropped an event larger than --max-message-size");
                    let failure = Failure::TooLarge { limit: self.limit };
                    match found {
                        Found {
                            id: Some(id),
                            method: false,
                        } => channel.fail_one(&id, failure),
                        // It may have been anyone's answer.
                        Found { method: false, .. } => channel.fail(&failure),
                        Found { method: true, .. } => {}
                    }
                }
            }
        }
    }
}

/// The address that an `endpoint` event names, relative to the server's URL. Another origin must not see the user's headers.
fn resolve(server: &Url, data: &Bytes) -> Result<Url, Failure> {
    let text = std::str::from_utf8(data).unwrap_or_default().trim();
    match server.join(text) {
        Ok(url) if guard::same_origin(server, &url) => Ok(url),
        _ => Err(not_sse(
            "the event stream names an endpoint of another origin".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use reqwest::Response;
    use url::Url;

    use super::{Channel, Stream};

    #[tokio::test]
    async fn a_comment_is_a_sign_of_life() {
        let (channel, _unasked) = Channel::new();
        let response = Response::from(http::Response::new(": ping\n\n"));
        let server = Url::parse("https://server.example/sse").unwrap();
        let endpoint = Mutex::new(server.clone());
        let mut stream = Stream::new(response, 1 << 10);
        stream.run(&channel, &server, &endpoint).await;
        assert_eq!(channel.heard(), 1);
    }
}
