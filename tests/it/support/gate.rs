//! Things to wait for: a gate that opens once, and a shelf that fills. Both serve the test's
//! thread and the handlers' tasks alike. They must not know what is waited for.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use super::DEADLINE;

/// Takes a lock even after a panic elsewhere: a failing test still has to print what it knows.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens once and stays open. Clones are the same gate.
#[derive(Clone)]
pub struct Gate(Arc<(Mutex<bool>, Condvar, watch::Sender<bool>)>);

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self(Arc::new((
            Mutex::new(false),
            Condvar::new(),
            watch::Sender::new(false),
        )))
    }

    /// Lets everyone through, now and later.
    pub fn open(&self) {
        *lock(&self.0.0) = true;
        self.0.1.notify_all();
        self.0.2.send_replace(true);
    }

    /// Whether it has been opened.
    pub fn is_open(&self) -> bool {
        *lock(&self.0.0)
    }

    /// Waits in a handler.
    pub async fn opened(&self) {
        // The sender lives in this gate, so the wait cannot fail before it succeeds.
        let _ = self.0.2.subscribe().wait_for(|open| *open).await;
    }

    /// Waits on the test's thread. Panics with `what` when the deadline passes.
    pub fn wait(&self, what: &str) {
        let guard = lock(&self.0.0);
        let (guard, _) = self
            .0
            .1
            .wait_timeout_while(guard, DEADLINE, |open| !*open)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(*guard, "waited {DEADLINE:?} for {what}");
    }
}

/// A growing list that can be awaited.
pub struct Shelf<T> {
    items: Mutex<Vec<T>>,
    grown: Condvar,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self {
            items: Mutex::new(Vec::new()),
            grown: Condvar::new(),
        }
    }
}

impl<T> Shelf<T> {
    /// Adds one and wakes those who wait.
    pub fn push(&self, item: T) {
        lock(&self.items).push(item);
        self.grown.notify_all();
    }

    /// A look at all of it.
    pub fn with<R>(&self, look: impl FnOnce(&[T]) -> R) -> R {
        look(&lock(&self.items))
    }

    /// Waits until `look` finds what it wants and gives that. Panics with `what` and a print of
    /// the shelf when the deadline passes.
    pub fn wait<R>(&self, what: &str, mut look: impl FnMut(&[T]) -> Option<R>) -> R
    where
        T: fmt::Display,
    {
        let end = Instant::now() + DEADLINE;
        let mut items = lock(&self.items);
        loop {
            if let Some(found) = look(&items) {
                return found;
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "waited {DEADLINE:?} for {what}; there is:\n{}",
                render(&items)
            );
            items = self
                .grown
                .wait_timeout(items, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

impl<T: Clone> Shelf<T> {
    /// A copy of all of it.
    pub fn all(&self) -> Vec<T> {
        lock(&self.items).clone()
    }
}

impl<T: fmt::Display> fmt::Display for Shelf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&render(&lock(&self.items)))
    }
}

/// One line for each item.
fn render<T: fmt::Display>(items: &[T]) -> String {
    items
        .iter()
        .map(|item| format!("  {item}\n"))
        .collect::<String>()
}
