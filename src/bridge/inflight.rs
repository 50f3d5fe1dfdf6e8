//! The requests that wait for an answer. Whoever takes an entry out writes the answer, so each request gets exactly one.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::request::LISTEN;
use crate::jsonrpc::{Id, Message};

/// Requests that may be in flight at once.
pub(super) const LIMIT: usize = 4096;

/// A request that waits.
#[derive(Debug)]
pub(super) struct Entry {
    /// The request.
    pub message: Message,
    /// Tells it from a later request of the same id.
    pub serial: u64,
    /// Whether any of it may have left, and how it is cancelled then.
    pub sent: Sent,
    /// It is a subscription that was acknowledged before the server was asked for it.
    acknowledged: bool,
    /// Its task, once there is one.
    pub task: Option<AbortHandle>,
    /// Counts it as work until it is answered.
    _busy: Busy,
}

/// What has become of a request on its way to the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Sent {
    /// The server knows nothing of it.
    #[default]
    No,
    /// It may be working on it, and stops when the stream ends.
    Stream,
    /// It may be working on it under this id, and has to be told.
    Told(Id),
}

/// Why a request was not taken in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Its id is in flight already.
    Duplicate,
    /// [`LIMIT`] are in flight.
    Full,
}

#[derive(Debug, Default)]
struct Table {
    entries: HashMap<Id, Entry>,
    last_serial: u64,
}

/// The table.
#[derive(Debug, Default)]
pub(super) struct Inflight {
    table: Mutex<Table>,
    pub work: Work,
}

impl Inflight {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a request in and gives its serial number.
    pub fn insert(&self, id: &Id, message: &Message) -> Result<u64, Refused> {
        let mut state = self.lock();
        if state.entries.contains_key(id) {
            return Err(Refused::Duplicate);
        }
        if state.entries.len() >= LIMIT {
            return Err(Refused::Full);
        }
        state.last_serial += 1;
        let serial = state.last_serial;
        let entry = Entry {
            message: message.clone(),
            serial,
            sent: Sent::No,
            acknowledged: false,
            task: None,
            _busy: self.work.start(),
        };
        state.entries.insert(id.clone(), entry);
        Ok(serial)
    }

    /// The serial number under which `id` waits.
    pub fn serial(&self, id: &Id) -> Option<u64> {
        self.lock().entries.get(id).map(|entry| entry.serial)
    }

    /// The serial number of the last request.
    pub fn last(&self) -> u64 {
        self.lock().last_serial
    }

    /// Whether the server has yet to answer one of the first `serial` requests that were sent to it. A subscription, which lasts, is
    /// no work.
    pub fn works_on_one_of(&self, serial: u64) -> bool {
        let table = self.lock();
        table.entries.values().any(|entry| {
            entry.serial <= serial && entry.sent != Sent::No && entry.message.method() != LISTEN
        })
    }

    /// Whether this very request still waits.
    pub fn holds(&self, id: &Id, serial: u64) -> bool {
        self.serial(id) == Some(serial)
    }

    /// Notes the task of a request, unless it has been answered already.
    pub fn set_task(&self, id: &Id, serial: u64, task: AbortHandle) {
        self.change(id, serial, |entry| entry.task = Some(task));
    }

    /// Notes what has become of it.
    pub fn set_sent(&self, id: &Id, serial: u64, sent: Sent) {
        self.change(id, serial, |entry| entry.sent = sent);
    }

    /// What has become of it, if it still waits.
    pub fn sent(&self, id: &Id, serial: u64) -> Option<Sent> {
        let table = self.lock();
        let entry = table.entries.get(id).filter(|entry| entry.serial == serial);
        entry.map(|entry| entry.sent.clone())
    }

    /// Notes that the client has an acknowledgement of it that is not the server's.
    pub fn set_acknowledged(&self, id: &Id, serial: u64) {
        self.change(id, serial, |entry| entry.acknowledged = true);
    }

    /// Takes that note back; whether there was one, and the client must not hear of it again.
    pub fn take_acknowledged(&self, id: &Id) -> bool {
        let mut table = self.lock();
        let entry = table.entries.get_mut(id);
        entry.is_some_and(|entry| std::mem::take(&mut entry.acknowledged))
    }

    fn change(&self, id: &Id, serial: u64, change: impl FnOnce(&mut Entry)) {
        let mut table = self.lock();
        let entry = table.entries.get_mut(id);
        if let Some(entry) = entry.filter(|entry| entry.serial == serial) {
            change(entry);
        }
    }

    /// Takes a request out, to answer it or because it was cancelled.
    pub fn take(&self, id: &Id) -> Option<Entry> {
        self.lock().entries.remove(id)
    }

    /// Puts back what was taken out.
    pub fn put_back(&self, id: &Id, entry: Entry) {
        self.lock().entries.insert(id.clone(), entry);
    }

    /// Takes a request out if it is still this very one.
    pub fn take_own(&self, id: &Id, serial: u64) -> Option<Entry> {
        let mut state = self.lock();
        if state.entries.get(id)?.serial != serial {
            return None;
        }
        state.entries.remove(id)
    }

    /// Takes out all requests of a method.
    pub fn take_method(&self, method: &str) -> Vec<Entry> {
        let entries = &mut self.lock().entries;
        let taken = entries.extract_if(|_, entry| entry.message.method() == method);
        taken.map(|(_, entry)| entry).collect()
    }

    /// Takes all of them out.
    pub fn take_all(&self) -> Vec<Entry> {
        self.lock()
            .entries
            .drain()
            .map(|(_, entry)| entry)
            .collect()
    }
}

/// Counts what is still to be done before leaving.
#[derive(Debug)]
pub(super) struct Work(watch::Sender<usize>);

impl Default for Work {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Work {
    /// Counts one thing until the guard is dropped.
    pub fn start(&self) -> Busy {
        self.0.send_modify(|count| *count += 1);
        Busy(self.0.clone())
    }

    /// Waits until nothing is left.
    pub async fn done(&self) {
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Waits until there is less than `limit`.
    pub async fn below(&self, limit: usize) {
        let _ = self.0.subscribe().wait_for(|count| *count < limit).await;
    }
}

/// One thing that is still to be done.
#[derive(Debug)]
pub(super) struct Busy(watch::Sender<usize>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}
