//! What is kept of the tools that a server lists, by name. A server may list ever new ones: there is room for more than a model can
//! use, and beyond that those go that were listed longest ago.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Bytes of names and what is kept with them.
const ROOM: usize = 8 << 20;

/// What each tool takes beside that, about.
const EACH: usize = 128;

/// The tools.
#[derive(Debug)]
pub(super) struct Listed<V> {
    tools: HashMap<Arc<str>, Tool<V>>,
    /// Their names, by when they were listed last.
    order: BTreeMap<u64, Arc<str>>,
    last: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Tool<V> {
    value: V,
    bytes: usize,
    listed: u64,
}

impl<V> Default for Listed<V> {
    fn default() -> Self {
        Self {
            tools: HashMap::new(),
            order: BTreeMap::new(),
            last: 0,
            bytes: 0,
        }
    }
}

impl<V> Listed<V> {
    /// Keeps what is to be known of a tool that has just been listed; `bytes` is the size of `value` on the heap.
    pub fn insert(&mut self, name: &str, value: V, bytes: usize) {
        self.remove(name);
        let name: Arc<str> = name.into();
        let bytes = EACH + name.len() + bytes;
        self.last += 1;
        self.bytes += bytes;
        self.order.insert(self.last, Arc::clone(&name));
        let listed = self.last;
        let tool = Tool {
            value,
            bytes,
            listed,
        };
        self.tools.insert(name, tool);
        while self.bytes > ROOM
            && let Some(oldest) = self.order.values().next().map(Arc::clone)
        {
            self.remove(&oldest);
        }
    }

    /// Forgets a tool.
    pub fn remove(&mut self, name: &str) {
        if let Some(tool) = self.tools.remove(name) {
            self.order.remove(&tool.listed);
            self.bytes -= tool.bytes;
        }
    }

    /// What is kept of a tool.
    pub fn get(&self, name: &str) -> Option<&V> {
        self.tools.get(name).map(|tool| &tool.value)
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}
