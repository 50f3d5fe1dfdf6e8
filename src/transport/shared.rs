//! The connection of a transport that has one stream for all messages: counted, replaced when it is lost, and read by a task
//! of its own. It must not know what is on the wire.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::channel::{Channel, lost};
use super::{Events, Listening};
use crate::error::Failure;
use crate::jsonrpc::Message;

/// The connection in use, if there is one. `T` is what sending takes.
#[derive(Debug)]
pub(super) struct Shared<T> {
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    generation: u64,
    connection: Option<Connection<T>>,
}

#[derive(Debug)]
struct Connection<T> {
    way: T,
    channel: Channel,
    /// Taken by the listener.
    unasked: Option<mpsc::Receiver<Message>>,
    reader: AbortHandle,
}

impl<T> Drop for Connection<T> {
    fn drop(&mut self) {
        self.reader.abort();
        self.channel.fail(&lost());
    }
}

/// What a message is sent with.
#[derive(Debug)]
pub(super) struct Open<T> {
    pub way: T,
    pub channel: Channel,
    pub generation: u64,
}

impl<T: Clone + Send + 'static> Shared<T> {
    /// No connection yet.
    pub fn new() -> Self {
        Self {
            state: Mutex::new(State {
                generation: 0,
                connection: None,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the connections.
    pub fn generation(&self) -> u64 {
        self.state().generation
    }

    /// Whether there is a connection.
    pub fn is_connected(&self) -> bool {
        self.state().connection.is_some()
    }

    /// Counts what has come on the connection.
    pub fn heard(&self) -> u64 {
        let state = self.state();
        let connection = state.connection.as_ref();
        connection.map_or(0, |connection| connection.channel.heard())
    }

    /// Drops the connection.
    pub fn close(&self) {
        let connection = self.state().connection.take();
        drop(connection);
    }

    /// Takes a new connection into use. `read` hands on what it brings until it is lost, and says why it was.
    pub fn opened<R>(self: &Arc<Self>, way: T, read: impl FnOnce(Channel) -> R)
    where
        R: Future<Output = Failure> + Send + 'static,
    {
        let (channel, unasked) = Channel::new();
        let mut state = self.state();
        state.generation += 1;
        let generation = state.generation;
        let reader = {
            let (read, channel, shared) =
                (read(channel.clone()), channel.clone(), Arc::clone(self));
            tokio::spawn(async move {
                let failure = read.await;
                tracing::debug!("the connection for all messages ended: {failure}");
                channel.fail(&failure);
                shared.lost(generation);
            })
        };
        let replaced = state.connection.replace(Connection {
            way,
            channel,
            unasked: Some(unasked),
            reader: reader.abort_handle(),
        });
        drop(state);
        drop(replaced);
    }

    fn lost(&self, generation: u64) {
        let mut state = self.state();
        let lost = if state.generation == generation {
            state.connection.take()
        } else {
            None
        };
        drop(state);
        drop(lost);
    }

    /// The connection to send with.
    ///
    /// # Errors
    /// [`Failure::SessionGone`] when there is none.
    pub fn open(&self) -> Result<Open<T>, Failure> {
        let state = self.state();
        let generation = state.generation;
        let connection = state.connection.as_ref().ok_or(Failure::SessionGone {
            generation,
            refusal: None,
        })?;
        Ok(Open {
            way: connection.way.clone(),
            channel: connection.channel.clone(),
            generation,
        })
    }

    /// What comes without being asked for, to the first who wants it.
    ///
    /// # Errors
    /// There is no connection, or someone listens already.
    pub fn listen(&self) -> Result<Listening, Failure> {
        let mut state = self.state();
        let unasked = state.connection.as_mut().and_then(|c| c.unasked.take());
        unasked
            .map(|unasked| Listening::Stream(Events::Unasked(unasked)))
            .ok_or_else(lost)
    }
}
