//! Reads the lines of a bridge without costing more than the bridge: bytes are scanned for
//! newlines in place, and only the two ends of a long line are kept.

use std::io::{self, Read};

use anyhow::ensure;

/// How much of a line's start is kept.
const HEAD: usize = 1024;

/// How much of its end is kept.
const TAIL: usize = 64;

/// One line, or the ends of a long one.
#[derive(Default)]
pub struct Line {
    /// Length without the newline.
    pub len: usize,
    /// The first bytes, at most `HEAD`; the whole line if it is no longer.
    pub head: Vec<u8>,
    /// The last bytes, at most `TAIL`.
    tail: Vec<u8>,
}

impl Line {
    /// Adds the next piece.
    fn add(&mut self, part: &[u8]) {
        self.len += part.len();
        let room = HEAD.saturating_sub(self.head.len()).min(part.len());
        let start = part.get(..room).unwrap_or_default();
        self.head.extend_from_slice(start);
        keep_tail(&mut self.tail, part);
    }

    /// Whether the line is the answer to the request of this id, which may stand at either end.
    pub fn answers(&self, id: u64) -> bool {
        id_in(&self.head) == Some(id) || id_in(&self.tail) == Some(id)
    }

    /// An error if the line is an error answer.
    pub fn check(&self) -> anyhow::Result<()> {
        let bad = memchr::memmem::find(&self.head, br#""error":"#).is_some();
        let shown = String::from_utf8_lossy(self.head.get(..200).unwrap_or(&self.head));
        ensure!(!bad, "answered by an error: {shown}");
        Ok(())
    }
}

/// The number that follows the first `"id":`.
pub fn id_in(bytes: &[u8]) -> Option<u64> {
    let at = memchr::memmem::find(bytes, br#""id":"#)?;
    let rest = bytes.get(at + 5..)?;
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()
}

/// Adds a piece of a line to the end that is kept of it.
fn keep_tail(tail: &mut Vec<u8>, part: &[u8]) {
    tail.extend_from_slice(
        part.get(part.len().saturating_sub(TAIL)..)
            .unwrap_or_default(),
    );
    tail.drain(..tail.len().saturating_sub(TAIL));
}

/// A buffer behind a pipe.
pub struct Lines<R> {
    source: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl<R: Read> Lines<R> {
    /// Reads from `source`, in pieces larger than a pipe holds.
    pub fn new(source: R) -> Self {
        Self {
            source,
            buffer: vec![0; 256 * 1024],
            start: 0,
            end: 0,
        }
    }

    /// Waits for the next line, of any length.
    pub fn next(&mut self) -> io::Result<Line> {
        let mut line = Line::default();
        loop {
            if self.start == self.end {
                self.read()?;
            }
            let bytes = self.buffer.get(self.start..self.end).unwrap_or_default();
            let newline = memchr::memchr(b'\n', bytes);
            let part = newline.map_or(bytes, |at| bytes.get(..at).unwrap_or_default());
            line.add(part);
            self.start += part.len() + usize::from(newline.is_some());
            if newline.is_some() {
                return Ok(line);
            }
        }
    }

    /// Waits for input, then hands over all lines that are whole. For short lines.
    pub fn batch(&mut self, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        self.read()?;
        let bytes = self.buffer.get(self.start..self.end).unwrap_or_default();
        let mut used = 0;
        for newline in memchr::memchr_iter(b'\n', bytes) {
            each(bytes.get(used..newline).unwrap_or_default());
            used = newline + 1;
        }
        self.start += used;
        Ok(())
    }

    /// Reads once, behind the bytes that are left.
    fn read(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            self.buffer.resize(self.end * 2, 0);
        }
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let read = self.source.read(room)?;
        if read == 0 {
            let gone = "the bridge closed its stdout";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, gone));
        }
        self.end += read;
        Ok(())
    }
}
