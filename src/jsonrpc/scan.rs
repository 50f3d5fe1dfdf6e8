//! Finds the id of a message that is too large to keep: a scanner that sees the bytes once, in pieces of any size.

use serde_json::value::RawValue;

use super::Id;

/// Names and ids longer than this are not kept; no sane message has them.
const KEEP: usize = 1024;

/// What a scan found at the top level of a JSON object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The raw `id`, when it is a string or a number.
    pub id: Option<Id>,
    /// Whether there is a `method`: with an id, the message is a request.
    pub method: bool,
}

/// The scanner. It tracks strings and depth only, so it is neither strict nor slow.
#[derive(Debug, Default)]
pub struct TopLevel {
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// At depth 1: between a key's colon and the end of its value.
    in_value: bool,
    key: Vec<u8>,
    value: Vec<u8>,
    found: Found,
}

impl TopLevel {
    /// Scans one whole message.
    pub fn of(bytes: &[u8]) -> Found {
        let mut scan = Self::default();
        scan.feed(bytes);
        scan.finish()
    }

    /// Takes the next piece.
    pub fn feed(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while let Some((&byte, after)) = rest.split_first() {
            // Deep inside, only quotes and brackets matter: jump to the next of them.
            if self.in_string && !self.escaped && self.depth > 1 {
                match memchr::memchr2(b'"', b'\\', rest) {
                    None => return,
                    Some(0) => {}
                    Some(at) => {
                        rest = rest.get(at..).unwrap_or_default();
                        continue;
                    }
                }
            }
            self.step(byte);
            rest = after;
        }
    }

    /// What was found.
    pub fn finish(self) -> Found {
        self.found
    }

    fn step(&mut self, byte: u8) {
        if self.in_string {
            self.keep(byte);
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => {
                self.in_string = true;
                self.keep(byte);
            }
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                if self.depth == 1 {
                    self.end_member();
                }
                self.depth = self.depth.saturating_sub(1);
            }
            b',' if self.depth == 1 => self.end_member(),
            b':' if self.depth == 1 => self.in_value = true,
            _ if byte.is_ascii_whitespace() => {}
            _ => self.keep(byte),
        }
    }

    fn keep(&mut self, byte: u8) {
        if self.depth != 1 {
            return;
        }
        let part = if self.in_value {
            &mut self.value
        } else {
            &mut self.key
        };
        if part.len() < KEEP {
            part.push(byte);
        }
    }

    /// The value as an id, if it is whole and could stand in an answer.
    fn id(&self) -> Option<Id> {
        let raw = std::str::from_utf8(&self.value).ok()?;
        let is_json = serde_json::from_str::<&RawValue>(raw).is_ok();
        let is_whole = raw.len() < KEEP;
        Id::parse(raw).filter(|_| is_json && is_whole)
    }

    fn end_member(&mut self) {
        match self.key.as_slice() {
            br#""id""# => self.found.id = self.id(),
            br#""method""# => self.found.method = true,
            _ => {}
        }
        self.key.clear();
        self.value.clear();
        self.in_value = false;
    }
}
