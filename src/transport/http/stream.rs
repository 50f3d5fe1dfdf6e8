//! An event stream over HTTP, and how it goes on after a break (transports §Resumability and Redelivery; SEP-1699).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;
use tokio::time::Instant;

use super::Http;
use crate::error::Failure;
use crate::jsonrpc::{Message, TopLevel, elements, is_array};
use crate::net::failure::cause;
use crate::net::headers::media_type;
use crate::net::retry::reconnect_wait;
use crate::transport::events::{Cursor, Name, Parser, TooLarge};
use crate::transport::exchange::excerpt;
use crate::transport::session::Session;

/// The wait before a resume where the server names none.
const DEFAULT_RETRY: Duration = Duration::from_secs(1);

/// Resumes without a new event after which the stream is given up.
const MAX_RESUMES: u32 = 5;

/// How long resumes without a new event go on.
const MAX_RESUME_TIME: Duration = Duration::from_secs(60);

/// Whether a broken stream is taken up again here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// It brings the answer to a request: resumed, since nobody else knows of it.
    Answer,
    /// The server sends by itself: reopened by the listener.
    Listen,
}

/// Messages of one event stream.
#[derive(Debug)]
pub struct HttpEvents {
    http: Arc<Http>,
    session: Session,
    purpose: Purpose,
    response: Option<Response>,
    parser: Parser,
    /// What is left of the last event, the first one last.
    batch: Vec<Bytes>,
    /// Resumes since the last new event, and since when.
    fruitless: u32,
    broken_since: Option<Instant>,
}

impl HttpEvents {
    pub(super) fn answering(http: Arc<Http>, session: Session, response: Response) -> Self {
        Self::new(http, session, response, Purpose::Answer)
    }

    pub(super) fn listening(
        http: Arc<Http>,
        session: Session,
        response: Response,
        cursor: Cursor,
    ) -> Self {
        let mut events = Self::new(http, session, response, Purpose::Listen);
        events.parser = Parser::new(events.http.exchange.limits().message, cursor);
        events
    }

    fn new(http: Arc<Http>, session: Session, response: Response, purpose: Purpose) -> Self {
        let limit = http.exchange.limits().message;
        Self {
            http,
            session,
            purpose,
            response: Some(response),
            parser: Parser::new(limit, Cursor::default()),
            batch: Vec::new(),
            fruitless: 0,
            broken_since: None,
        }
    }

    /// Where the stream stands.
    pub const fn cursor(&self) -> &Cursor {
        self.parser.cursor()
    }

    /// The answer has come: what is left is read, but a break is no loss any more.
    pub(in crate::transport) const fn answered(&mut self) {
        self.purpose = Purpose::Listen;
    }

    /// The next message; `None` when a listening stream has ended.
    pub(in crate::transport) async fn next(&mut self) -> Result<Option<Message>, Failure> {
        loop {
            if let Some(message) = self.at_hand()? {
                return Ok(Some(message));
            }
            let ended = match &mut self.response {
                None => "the stream ended".to_owned(),
                Some(response) => match response.chunk().await {
                    Ok(Some(chunk)) => {
                        let before = self.parser.cursor().last_id.clone();
                        self.parser.push(chunk);
                        let over = self.parser.is_skipping() && !self.parser.has_events();
                        if over && self.purpose == Purpose::Answer {
                            // It may have no end; the answer it may be will not be taken anyway.
                            self.too_large()?;
                        }
                        if self.parser.has_events() || self.parser.cursor().last_id != before {
                            self.fruitless = 0;
                            self.broken_since = None;
                        }
                        continue;
                    }
                    Ok(None) => "the stream ended".to_owned(),
                    Err(wrong) => cause(&wrong),
                },
            };
            self.response = None;
            if self.purpose == Purpose::Listen {
                tracing::debug!("listening stream: {ended}");
                return Ok(None);
            }
            self.resume(ended).await?;
        }
    }

    /// The next message of those that have come.
    fn at_hand(&mut self) -> Result<Option<Message>, Failure> {
        loop {
            let data = match self.batch.pop() {
                Some(data) => data,
                None => match self.parser.pop() {
                    None => return Ok(None),
                    Some(Ok(event)) if event.name != Name::Message => continue,
                    Some(Ok(event)) if is_array(&event.data) => {
                        self.batch = elements(event.data);
                        self.batch.reverse();
                        continue;
                    }
                    Some(Ok(event)) => event.data,
                    Some(Err(TooLarge(_))) => {
                        self.too_large()?;
                        continue;
                    }
                },
            };
            if let Some(message) = self.read(data)? {
                return Ok(Some(message));
            }
        }
    }

    /// The message of an event, or of one element of it.
    fn read(&self, data: Bytes) -> Result<Option<Message>, Failure> {
        let seen = data.clone();
        match Message::parse_marked(data) {
            Ok(message) => Ok(Some(message)),
            // Some servers send words like `ping`; what begins like an answer may have been the one.
            Err(_)
                if self.purpose == Purpose::Listen
                    || !matches!(seen.first(), Some(b'{' | b'['))
                    || TopLevel::of(&seen).method =>
            {
                tracing::warn!("ignored an event that is no JSON-RPC message");
                Ok(None)
            }
            Err(_) => Err(Failure::NotMcp {
                what: "the server's event stream brought a broken JSON-RPC message".to_owned(),
                excerpt: excerpt(&seen),
            }),
        }
    }

    fn too_large(&self) -> Result<(), Failure> {
        let limit = self.http.exchange.limits().message;
        if self.purpose == Purpose::Listen {
            tracing::warn!(
                "ignored an event larger than {limit} bytes; --max-message-size raises the limit"
            );
            return Ok(());
        }
        Err(Failure::TooLarge { limit })
    }

    /// Opens the stream again after the last event that came. The server's wait is kept to the millisecond.
    async fn resume(&mut self, mut ended: String) -> Result<(), Failure> {
        let broken_since = *self.broken_since.get_or_insert_with(Instant::now);
        loop {
            if self.parser.cursor().last_id.is_none()
                || self.fruitless >= MAX_RESUMES
                || broken_since.elapsed() >= MAX_RESUME_TIME
            {
                return Err(Failure::Lost(ended));
            }
            let retry = self.parser.cursor().retry.unwrap_or(DEFAULT_RETRY);
            let wait = reconnect_wait(retry) * 2u32.pow(self.fruitless);
            tokio::time::sleep(wait.min(MAX_RESUME_TIME)).await;
            self.fruitless += 1;
            let cursor = self.parser.cursor().clone();
            let left = MAX_RESUME_TIME.saturating_sub(broken_since.elapsed());
            let got = tokio::time::timeout(left, self.http.get(&self.session, &cursor)).await;
            match got.unwrap_or_else(|_| {
                Err(Failure::Lost(
                    "the server does not resume the stream".to_owned(),
                ))
            }) {
                Ok(response)
                    if response.status().is_success()
                        && media_type(response.headers()) == "text/event-stream" =>
                {
                    self.parser = Parser::new(self.http.exchange.limits().message, cursor);
                    self.response = Some(response);
                    return Ok(());
                }
                Ok(response)
                    if response.status().is_server_error() || response.status().as_u16() == 429 =>
                {
                    ended = format!(
                        "the server refused to resume the stream (HTTP {})",
                        response.status().as_u16()
                    );
                }
                Ok(response) => {
                    let status = response.status().as_u16();
                    return Err(Failure::Lost(format!(
                        "{ended}, and the server does not resume it (HTTP {status})"
                    )));
                }
                Err(failure) => ended = failure.to_string(),
            }
        }
    }
}
