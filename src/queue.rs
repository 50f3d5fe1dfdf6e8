//! A queue bounded by bytes, between threads and tasks: the two ends of the bridge.
//!
//! A giver may block a thread, as the one of stdin does, or await. Items are taken in the order in which they were given.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// What a queued item weighs, in bytes.
pub trait Weight {
    /// Bytes of memory that the item holds.
    fn weight(&self) -> usize;
}

struct State<T> {
    items: VecDeque<T>,
    bytes: usize,
    senders: usize,
    /// Nothing more is given.
    ended: bool,
    /// The receiver is gone: nothing sent from now on can be taken.
    abandoned: bool,
}

impl<T: Weight> State<T> {
    fn is_closed(&self) -> bool {
        self.abandoned || self.ended
    }

    /// Whether one more may come, whatever it weighs; a closed queue has room, to say so to whoever comes.
    fn has_room(&self, limit: usize) -> bool {
        self.bytes < limit || self.is_closed()
    }

    fn put(&mut self, item: T) -> Result<(), Gone> {
        if self.is_closed() {
            return Err(Gone);
        }
        self.bytes = self.bytes.saturating_add(item.weight());
        self.items.push_back(item);
        Ok(())
    }
}

struct Shared<T> {
    state: Mutex<State<T>>,
    limit: usize,
    changed: Condvar,
    item: Notify,
    space: Notify,
}

/// The giving end; clone it for another giver. The queue ends when the last one is dropped, or by [`Sender::end`].
pub struct Sender<T: Weight>(Arc<Shared<T>>);

/// The taking end.
pub struct Receiver<T: Weight>(Arc<Shared<T>>);

/// The other end is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

/// Makes a queue that has room while it holds less than `limit` bytes: at most that and one item.
pub fn bounded<T: Weight>(limit: usize) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared {
        state: Mutex::new(State {
            items: VecDeque::new(),
            bytes: 0,
            senders: 1,
            ended: false,
            abandoned: false,
        }),
        limit,
        changed: Condvar::new(),
        item: Notify::new(),
        space: Notify::new(),
    });
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

impl<T: Weight> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts `item` in. A receiver that waits has seen the queue empty: it is woken for the first item, and finds the others.
    fn put(&self, mut state: MutexGuard<'_, State<T>>, item: T) -> Result<(), Gone> {
        let first = state.items.is_empty();
        state.put(item)?;
        drop(state);
        if first {
            self.item.notify_one();
        }
        Ok(())
    }

    fn announce_space(&self) {
        self.changed.notify_all();
        self.space.notify_waiters();
    }
}

impl<T: Weight> Sender<T> {
    /// Gives `item`, waiting for room.
    ///
    /// # Errors
    /// [`Gone`] when nobody takes any more.
    pub async fn send(&self, item: T) -> Result<(), Gone> {
        // Usually there is room, and one look is enough.
        if let Some(item) = self.offer(item)? {
            self.room().await;
            self.push(item)?;
        }
        Ok(())
    }

    /// Gives `item` if there is room; else it comes back.
    ///
    /// # Errors
    /// [`Gone`] when nobody takes any more.
    pub fn offer(&self, item: T) -> Result<Option<T>, Gone> {
        let state = self.0.lock();
        if !state.has_room(self.0.limit) {
            return Ok(Some(item));
        }
        self.0.put(state, item)?;
        Ok(None)
    }

    /// Waits until there is room, or nobody takes any more.
    pub async fn room(&self) {
        while !self.0.lock().has_room(self.0.limit) {
            // Registered before the second look, so that room made in between is not missed.
            let space = self.0.space.notified();
            tokio::pin!(space);
            space.as_mut().enable();
            if self.0.lock().has_room(self.0.limit) {
                return;
            }
            space.await;
        }
    }

    /// Gives `item` at once, room or not: for one who has just waited for it.
    ///
    /// # Errors
    /// [`Gone`] when nobody takes any more.
    pub fn push(&self, item: T) -> Result<(), Gone> {
        self.0.put(self.0.lock(), item)
    }

    /// Gives `item`, blocking this thread until there is room.
    ///
    /// # Errors
    /// [`Gone`] when nobody takes any more.
    pub fn send_blocking(&self, item: T) -> Result<(), Gone> {
        let mut state = self.0.lock();
        while !state.has_room(self.0.limit) {
            state = self
                .0
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        self.0.put(state, item)
    }

    /// Ends the queue, whoever still holds a giving end: what is in it can be taken, nothing more can be given.
    pub fn end(&self) {
        self.0.lock().ended = true;
        self.0.announce_space();
        self.0.item.notify_one();
    }

    /// Waits until the receiver is gone.
    pub async fn abandoned(&self) {
        loop {
            let space = self.0.space.notified();
            tokio::pin!(space);
            space.as_mut().enable();
            if self.0.lock().abandoned {
                return;
            }
            space.await;
        }
    }
}

impl<T: Weight> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}

impl<T: Weight> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.lock().senders += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T: Weight> Drop for Sender<T> {
    fn drop(&mut self) {
        let last = {
            let mut state = self.0.lock();
            state.senders -= 1;
            state.senders == 0
        };
        if last {
            self.end();
        }
    }
}

impl<T: Weight> Receiver<T> {
    /// The next item, or `None` when every sender is gone and the queue is empty. Safe to drop while waiting.
    pub async fn recv(&mut self) -> Option<T> {
        self.take(|state| {
            let item = state.items.pop_front()?;
            state.bytes = state.bytes.saturating_sub(item.weight());
            Some(item)
        })
        .await
    }

    /// Waits until nothing more can be given.
    pub async fn ended(&self) {
        loop {
            let space = self.0.space.notified();
            tokio::pin!(space);
            space.as_mut().enable();
            if self.0.lock().ended {
                return;
            }
            space.await;
        }
    }

    /// Everything that is queued, once there is something; `None` when every sender is gone.
    pub async fn recv_all(&mut self) -> Option<VecDeque<T>> {
        self.take(|state| {
            state.bytes = 0;
            Some(std::mem::take(&mut state.items)).filter(|items| !items.is_empty())
        })
        .await
    }

    async fn take<R>(&mut self, take: impl Fn(&mut State<T>) -> Option<R>) -> Option<R> {
        loop {
            {
                let mut state = self.0.lock();
                let was_full = !state.has_room(self.0.limit);
                if let Some(taken) = take(&mut state) {
                    drop(state);
                    // Nobody waits for room where there was some, and telling nobody would be a call of the system.
                    if was_full {
                        self.0.announce_space();
                    }
                    return Some(taken);
                }
                if state.ended {
                    return None;
                }
            }
            self.0.item.notified().await;
        }
    }
}

impl<T: Weight> Drop for Receiver<T> {
    fn drop(&mut self) {
        {
            let mut state = self.0.lock();
            state.abandoned = true;
            state.items.clear();
            state.bytes = 0;
        }
        self.0.announce_space();
    }
}

#[cfg(test)]
mod tests;
