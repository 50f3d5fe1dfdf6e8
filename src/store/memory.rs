//! Sign-ins that end with the process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::index::{Login, Place};
use super::record::{Key, Record};

/// The sign-ins of this process; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    records: Arc<Mutex<BTreeMap<Key, Record>>>,
}

impl Memory {
    pub(super) fn load(&self, key: &Key) -> Option<Record> {
        self.records().get(key).cloned()
    }

    pub(super) fn save(&self, record: Record) {
        self.records().insert(record.key.clone(), record);
    }

    pub(super) fn delete(&self, key: &Key) {
        self.records().remove(key);
    }

    pub(super) fn logins(&self) -> Vec<Login> {
        let login = |record| Login::new(record, Place::Memory);
        self.records().values().map(login).collect()
    }

    fn records(&self) -> MutexGuard<'_, BTreeMap<Key, Record>> {
        // Nothing panics while it holds the lock, and a map is whole after each call anyway.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
