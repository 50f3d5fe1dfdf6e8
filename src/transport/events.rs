//! Server-sent events out of a byte stream in pieces of any size (WHATWG HTML §9.2.6).
//!
//! The stream is cut into blocks at blank lines: what came whole is read in one pass where it stands, and of the rest each byte
//! is looked at twice however large an event is. The shape that servers nearly always send, one `data` line, is passed on as a
//! slice of the received memory. `eventsource-stream` joins the others; it sees whole lines in small groups only, since it reads
//! its buffer from the start again for each piece.
//! Ids and retry times are noted here, also from blocks without data, which announce a resumable stream.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use eventsource_stream::EventStream;
use futures_util::{FutureExt, StreamExt, stream};
use memchr::{memchr, memchr2};

use crate::jsonrpc::{Found, TopLevel};

/// Lines are given to `eventsource-stream` in groups of this many bytes; a longer line goes alone.
const GROUP: usize = 4096;

/// Framing allowed on top of the data of the largest event, in bytes.
const FRAMING: usize = 4096;

/// Which event it is; events of other names are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// No name, or `message`: carries a JSON-RPC message.
    Message,
    /// `endpoint`: where to POST (revision 2024-11-05).
    Endpoint,
}

/// One event with data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its name.
    pub name: Name,
    /// Its data, several lines joined by line feeds.
    pub data: Bytes,
}

/// An event was larger than the limit and is skipped; the stream goes on. What could be seen of its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooLarge(pub Found);

/// Where a stream stands: what it takes to go on with it later.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The last event id, for `Last-Event-ID`.
    pub last_id: Option<String>,
    /// The wait that the server asks for before a reconnect.
    pub retry: Option<Duration>,
}

/// The parser of one connection's bytes.
#[derive(Debug)]
pub struct Parser {
    limit: usize,
    cursor: Cursor,
    /// The unfinished block.
    partial: BytesMut,
    /// Nothing of the current line has been seen yet.
    at_line_start: bool,
    /// The last byte was CR: a LF that follows belongs to it.
    after_cr: bool,
    first_block: bool,
    /// The current block is over the limit and thrown away.
    skipping: Option<TopLevel>,
    ready: VecDeque<Result<Event, TooLarge>>,
}

impl Parser {
    /// A parser for events of up to `limit` bytes, going on at `cursor`.
    pub fn new(limit: usize, cursor: Cursor) -> Self {
        Self {
            limit,
            cursor,
            partial: BytesMut::new(),
            at_line_start: true,
            after_cr: false,
            first_block: true,
            skipping: None,
            ready: VecDeque::new(),
        }
    }

    /// Where the stream stands.
    pub const fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Takes the next piece of the stream.
    pub fn push(&mut self, mut piece: Bytes) {
        // The line feed of a CR at the end of a piece may come in the next one, and belongs to it.
        let plain = !self.after_cr && memchr(b'\r', &piece).is_none();
        loop {
            let between = self.at_line_start && self.partial.is_empty() && self.skipping.is_none();
            if plain && between {
                self.read_blocks(&mut piece);
            }
            let Some(end) = self.find_end(&piece) else {
                break;
            };
            if let Some(mut block) = self.take_block(piece.split_to(end)) {
                self.read_blocks(&mut block);
            }
            self.first_block = false;
        }
        self.keep(&piece);
    }

    /// Reads and takes off the blocks that are whole in `piece`.
    fn read_blocks(&mut self, piece: &mut Bytes) {
        while let Some(end) = self.read_block(piece) {
            piece.advance(end);
            self.first_block = false;
        }
    }

    /// Whether an event is complete.
    pub fn has_events(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether an event is over the limit that has not ended yet.
    pub const fn is_skipping(&self) -> bool {
        self.skipping.is_some()
    }

    /// The next event that is complete.
    pub fn pop(&mut self) -> Option<Result<Event, TooLarge>> {
        self.ready.pop_front()
    }

    /// Where in `piece` the current block ends, its blank line included.
    fn find_end(&mut self, piece: &[u8]) -> Option<usize> {
        let mut from = 0;
        while let Some(found) = memchr2(b'\n', b'\r', piece.get(from..)?) {
            let at = from + found;
            let feed = piece.get(at) == Some(&b'\n');
            let second_half = feed && found == 0 && self.after_cr;
            self.after_cr = !feed;
            from = at + 1;
            if second_half {
                continue;
            }
            if self.at_line_start && found == 0 {
                return Some(from);
            }
            self.at_line_start = true;
        }
        if from < piece.len() {
            self.at_line_start = false;
            self.after_cr = false;
        }
        None
    }

    /// The whole block of which `rest` is the end; `None` when it was too large.
    fn take_block(&mut self, rest: Bytes) -> Option<Bytes> {
        self.at_line_start = true;
        if self.partial.len() + rest.len() > self.limit.saturating_add(FRAMING) {
            self.skip(&rest);
        } else if let Some(scan) = &mut self.skipping {
            scan.feed(&rest);
        }
        if let Some(scan) = self.skipping.take() {
            self.ready.push_back(Err(TooLarge(scan.finish())));
            return None;
        }
        if self.partial.is_empty() {
            return Some(rest);
        }
        self.partial.extend_from_slice(&rest);
        Some(self.partial.split().freeze())
    }

    /// Keeps the start of an unfinished block.
    fn keep(&mut self, piece: &[u8]) {
        if let Some(scan) = &mut self.skipping {
            scan.feed(piece);
            return;
        }
        if self.partial.len() + piece.len() > self.limit.saturating_add(FRAMING) {
            self.skip(piece);
            return;
        }
        self.partial.extend_from_slice(piece);
        // Of a comment without an end all is kept; looking for it again with each piece would take for ever.
        if memchr2(b'\n', b'\r', piece).is_none() {
            return;
        }
        // Keep-alive comments may go on for hours without a blank line. A line feed here is the second half of a CRLF.
        while let Some(b':' | b'\n') = self.partial.first() {
            let Some(end) = memchr2(b'\n', b'\r', &self.partial) else {
                break;
            };
            self.partial.advance(end + 1);
            // What follows is not the start of the stream any more.
            self.first_block = false;
        }
    }

    /// Begins to throw the block away; the scan passes over what stands before the message.
    fn skip(&mut self, piece: &[u8]) {
        let mut scan = TopLevel::default();
        scan.feed(&std::mem::take(&mut self.partial));
        scan.feed(piece);
        self.skipping = Some(scan);
    }

    /// Reads the block that `piece` begins with and gives its length; `None`, and nothing is read, where its blank line is not in
    /// it, or it is over the limit.
    fn read_block(&mut self, piece: &Bytes) -> Option<usize> {
        let mut data: Option<Range<usize>> = None;
        let mut data_lines = 0;
        let mut name = Some(Name::Message);
        let (mut id, mut retry) = (None, None);
        let start = match piece.first() {
            // Left over from a CRLF that was cut, or a blank line more.
            Some(b'\n') => 1,
            _ if self.first_block && piece.starts_with(b"\xef\xbb\xbf") => 3,
            _ => 0,
        };
        let mut lines = Lines::of(piece, start);
        loop {
            let line = lines.next()?;
            if line.is_empty() {
                break;
            }
            match Field::of(piece.get(line.clone()).unwrap_or_default()) {
                Field::Data(text) => {
                    data_lines += 1;
                    data = Some(line.end - text.len()..line.end);
                }
                Field::Event(b"" | b"message") => name = Some(Name::Message),
                Field::Event(b"endpoint") => name = Some(Name::Endpoint),
                Field::Event(_) => name = None,
                Field::Id(text) if !text.contains(&0) => id = Some(text),
                Field::Retry(text) if !text.is_empty() && text.iter().all(u8::is_ascii_digit) => {
                    retry = Some(text);
                }
                Field::Id(_) | Field::Retry(_) | Field::Other => {}
            }
        }
        let end = lines.at;
        if end > self.limit.saturating_add(FRAMING) {
            return None;
        }
        if let Some(id) = id {
            let id = String::from_utf8_lossy(id).into_owned();
            self.cursor.last_id = Some(id).filter(|id| !id.is_empty());
        }
        if let Some(retry) = retry {
            let millis = std::str::from_utf8(retry).ok();
            let millis = millis.and_then(|text| text.parse().ok());
            self.cursor.retry = millis.map(Duration::from_millis);
        }
        let data = match (data_lines, data) {
            (1, Some(span)) => piece.slice(span),
            (2.., _) => join(&piece.slice(start..end)),
            _ => return Some(end),
        };
        if let Some(name) = name.filter(|_| !data.is_empty()) {
            self.ready.push_back(if data.len() > self.limit {
                Err(TooLarge(TopLevel::of(&data)))
            } else {
                Ok(Event { name, data })
            });
        }
        Some(end)
    }
}

/// The data of a block with several `data` lines.
fn join(block: &Bytes) -> Bytes {
    let mut groups: Vec<Vec<u8>> = vec![Vec::new()];
    for line in Lines::of(block, 0) {
        // Other lines are read already. One that begins with a byte order mark would end the program: `eventsource-stream`
        // 0.2.3 panics when it begins what it is given.
        let line = block.get(line).unwrap_or_default();
        if !matches!(Field::of(line), Field::Data(_)) {
            continue;
        }
        if groups
            .last()
            .is_some_and(|group| group.len() + line.len() > GROUP)
        {
            groups.push(Vec::new());
        }
        if let Some(group) = groups.last_mut() {
            group.extend_from_slice(line);
            group.push(b'\n');
        }
    }
    groups.push(b"\n".to_vec());
    let pieces = stream::iter(groups.into_iter().map(Ok::<_, std::convert::Infallible>));
    let event = EventStream::new(pieces).next().now_or_never().flatten();
    match event {
        Some(Ok(event)) => Bytes::from(event.data),
        // Not UTF-8: let the JSON parser say so, as it does for a single line.
        _ => block.clone(),
    }
}

/// A line, with the value of its field.
enum Field<'a> {
    Data(&'a [u8]),
    Event(&'a [u8]),
    Id(&'a [u8]),
    Retry(&'a [u8]),
    /// A comment, or a field without a meaning.
    Other,
}

impl<'a> Field<'a> {
    fn of(line: &'a [u8]) -> Self {
        let (field, rest): (fn(&'a [u8]) -> Self, _) = match line {
            [b'd', b'a', b't', b'a', rest @ ..] => (Self::Data, rest),
            [b'e', b'v', b'e', b'n', b't', rest @ ..] => (Self::Event, rest),
            [b'i', b'd', rest @ ..] => (Self::Id, rest),
            [b'r', b'e', b't', b'r', b'y', rest @ ..] => (Self::Retry, rest),
            _ => return Self::Other,
        };
        match rest {
            [] => field(rest),
            [b':', b' ', value @ ..] | [b':', value @ ..] => field(value),
            _ => Self::Other,
        }
    }
}

/// The lines that have ended, without their ends.
struct Lines<'a> {
    block: &'a [u8],
    at: usize,
}

impl<'a> Lines<'a> {
    const fn of(block: &'a [u8], at: usize) -> Self {
        Self { block, at }
    }
}

impl Iterator for Lines<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.block.get(self.at..)?;
        let line = self.at..self.at + memchr2(b'\n', b'\r', rest)?;
        let crlf = self.block.get(line.end..line.end + 2) == Some(b"\r\n");
        self.at = line.end + 1 + usize::from(crlf);
        Some(line)
    }
}

#[cfg(test)]
mod tests;
