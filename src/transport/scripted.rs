//! A transport for tests: a closure answers, and another one opens the streams on which the peer sends by itself.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;

use super::{Listening, Outgoing, Reply};
use crate::error::Failure;

type Script = Box<dyn Fn(Outgoing) -> BoxFuture<'static, Result<Reply, Failure>> + Send + Sync>;

/// The streams on which a scripted peer sends by itself.
pub struct Streams {
    /// Opens one.
    pub open: Box<dyn Fn() -> Result<Listening, Failure> + Send + Sync>,
    /// Where all messages share one: whether it is open still.
    pub shared: Option<Box<dyn Fn() -> bool + Send + Sync>>,
}

/// Answers as its script says.
pub struct Scripted {
    script: Script,
    streams: Option<Streams>,
    /// The shared stream, until it is listened to.
    opened: Mutex<Option<Listening>>,
    generation: AtomicU64,
    heard: Arc<AtomicU64>,
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}

impl Scripted {
    /// A peer that does what `script` says.
    pub fn new(
        script: impl Fn(Outgoing) -> BoxFuture<'static, Result<Reply, Failure>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            script: Box::new(script),
            streams: None,
            opened: Mutex::default(),
            generation: AtomicU64::new(0),
            heard: Arc::default(),
        }
    }

    /// The same, of which `heard` counts what comes.
    pub fn with_pulse(self, heard: Arc<AtomicU64>) -> Self {
        Self { heard, ..self }
    }

    pub(super) fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    /// The same with streams.
    pub fn with_streams(self, streams: Streams) -> Self {
        Self {
            streams: Some(streams),
            ..self
        }
    }

    pub(super) fn shares_one_stream(&self) -> bool {
        self.shared().is_some()
    }

    fn shared(&self) -> Option<&dyn Fn() -> bool> {
        Some(&**self.streams.as_ref()?.shared.as_ref()?)
    }

    pub(super) fn is_connected(&self) -> bool {
        self.shared().is_none_or(|is_open| is_open())
    }

    pub(super) fn connect(&self) -> Result<(), Failure> {
        if let (Some(streams), Some(_)) = (&self.streams, self.shared()) {
            let stream = (streams.open)()?;
            *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream);
            self.generation.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    pub(super) fn listen(&self) -> Result<Listening, Failure> {
        let Some(streams) = &self.streams else {
            return Ok(Listening::NotOffered);
        };
        if !self.shares_one_stream() {
            return (streams.open)();
        }
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.take().ok_or(Failure::Closed)
    }

    pub(super) async fn send(&self, outgoing: &Outgoing) -> Result<Reply, Failure> {
        (self.script)(outgoing.clone()).await
    }

    pub(super) fn begin(&self) -> u64 {
        if self.shares_one_stream() {
            return self.generation();
        }
        self.generation.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }
}
