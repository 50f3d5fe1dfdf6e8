//! stdin and stdout: newline-delimited JSON-RPC on two threads, so that a slow or silent client never blocks a request
//! (MCP transports §stdio). Lines are read and written whole; what they mean is decided elsewhere.

mod pipe;

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, BufRead, Write};
use std::thread;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::jsonrpc::{Found, Malformed, Message, TopLevel, is_array, split_array};
use crate::queue::{Gone, Receiver, Sender, Weight};

/// Bytes read from stdin at a time.
const READ: usize = 64 * 1024;

/// Messages up to this size are gathered into one write.
const GATHER: usize = 64 * 1024;

/// What came in on one line.
#[derive(Debug)]
pub enum Input {
    /// A message.
    Message(Message),
    /// The elements of an array (a batch of revision 2025-03-26), each read by itself.
    Batch(Vec<Result<Message, Malformed>>),
    /// Something else.
    Malformed(Malformed),
    /// A line over the limit, which was skipped: what could be seen of it.
    TooLarge(Found),
}

/// What an input holds beside its text, in bytes: without it any number of lines that are no messages would fit.
const ENTRY: usize = 256;

impl Weight for Input {
    fn weight(&self) -> usize {
        match self {
            Self::Message(message) => ENTRY + message.weight(),
            Self::Batch(parts) => {
                let texts: usize = parts.iter().flatten().map(Weight::weight).sum();
                ENTRY + ENTRY * parts.len() + texts
            }
            Self::Malformed(_) | Self::TooLarge(_) => ENTRY,
        }
    }
}

impl Input {
    /// Reads one line.
    pub fn parse(line: Bytes) -> Self {
        if is_array(&line) {
            return match split_array(line) {
                Ok(parts) => Self::Batch(parts.into_iter().map(Message::parse).collect()),
                Err(malformed) => Self::Malformed(malformed),
            };
        }
        match Message::parse(line) {
            Ok(message) => Self::Message(message),
            Err(malformed) => Self::Malformed(malformed),
        }
    }
}

/// Reads lines from stdin into `sender` until the end of input; lines over `limit` bytes are skipped.
///
/// # Errors
/// When the thread cannot be started.
pub fn spawn_reader(limit: usize, sender: Sender<Input>) -> io::Result<()> {
    thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(move || {
            let mut input = io::BufReader::with_capacity(READ, io::stdin());
            let widen = || pipe::widen(io::stdin());
            match read_lines(&mut input, limit, &sender, widen) {
                Ok(()) => tracing::debug!("stdin ended"),
                Err(wrong) => tracing::warn!("cannot read stdin: {wrong}"),
            }
        })?;
    Ok(())
}

/// Writes the messages of `receiver` to stdout, one line each. What it returns is ready when the last one has been flushed,
/// or stdout is closed; it must be polled for anything to be written.
///
/// # Errors
/// When the thread cannot be started.
pub fn spawn_writer(mut receiver: Receiver<Message>) -> io::Result<impl Future<Output = ()>> {
    // All that is queued is handed over at once: while the thread writes, the next batch gathers.
    let (to_thread, mut batches) = mpsc::channel::<VecDeque<Message>>(1);
    let (done, flushed) = oneshot::channel();
    thread::Builder::new()
        .name("stdout".to_owned())
        .spawn(move || {
            let batches = std::iter::from_fn(|| batches.blocking_recv());
            let widen = || pipe::widen(io::stdout());
            let written = pipe::stdout().and_then(|mut out| write_lines(&mut out, batches, widen));
            if let Err(wrong) = written {
                tracing::debug!("stdout is closed: {wrong}");
            }
            let _ = done.send(());
        })?;
    Ok(async move {
        tokio::select! {
            () = async {
                while let Some(batch) = receiver.recv_all().await {
                    if to_thread.send(batch).await.is_err() {
                        return;
                    }
                }
            } => {}
            () = to_thread.closed() => {}
        }
        drop((receiver, to_thread));
        let _ = flushed.await;
    })
}

/// Reads lines of `input` into `sender` until its end; `widen` is called once, before the first large one is whole.
///
/// # Errors
/// When `input` cannot be read.
#[doc(hidden)]
pub fn read_lines(
    input: &mut impl BufRead,
    limit: usize,
    sender: &Sender<Input>,
    widen: impl FnOnce(),
) -> io::Result<()> {
    let mut first = true;
    let mut widen = Some(widen);
    loop {
        let mut line = Vec::new();
        let read = read_line(input, limit, &mut line, &mut widen)?;
        if std::mem::take(&mut first) && line.starts_with(b"\xef\xbb\xbf") {
            line.drain(..3);
        }
        let input = match read {
            Line::End => return Ok(()),
            Line::TooLarge(found) => Input::TooLarge(found),
            Line::Whole if line.trim_ascii().is_empty() => continue,
            Line::Whole => Input::parse(Bytes::from(line)),
        };
        if sender.send_blocking(input) == Err(Gone) {
            return Ok(());
        }
    }
}

enum Line {
    Whole,
    TooLarge(Found),
    End,
}

/// Reads up to the next line feed or the end of input. What is over `limit` is looked through for its id and dropped.
fn read_line(
    input: &mut impl BufRead,
    limit: usize,
    line: &mut Vec<u8>,
    widen: &mut Option<impl FnOnce()>,
) -> io::Result<Line> {
    let mut oversize: Option<TopLevel> = None;
    let mut any = false;
    loop {
        let piece = match input.fill_buf() {
            Ok(piece) => piece,
            Err(wrong) if wrong.kind() == io::ErrorKind::Interrupted => continue,
            Err(wrong) => return Err(wrong),
        };
        let feed = memchr::memchr(b'\n', piece);
        let part = piece.get(..feed.unwrap_or(piece.len())).unwrap_or_default();
        let ended = feed.is_some() || piece.is_empty();
        any |= !piece.is_empty();
        match &mut oversize {
            Some(scan) => scan.feed(part),
            None if line.len() + part.len() > limit => {
                let mut scan = TopLevel::default();
                scan.feed(line);
                scan.feed(part);
                *line = Vec::new();
                oversize = Some(scan);
            }
            None => line.extend_from_slice(part),
        }
        let used = part.len() + usize::from(feed.is_some());
        input.consume(used);
        if line.len() >= pipe::LARGE
            && let Some(widen) = widen.take()
        {
            widen();
        }
        if ended {
            return Ok(match oversize {
                Some(scan) => Line::TooLarge(scan.finish()),
                None if any => Line::Whole,
                None => Line::End,
            });
        }
    }
}

fn write_lines(
    output: &mut impl Write,
    batches: impl Iterator<Item = VecDeque<Message>>,
    widen: impl FnOnce(),
) -> io::Result<()> {
    let mut widen = Some(widen);
    let mut gathered = Vec::with_capacity(GATHER);
    for batch in batches {
        let mut bytes = 0;
        for message in batch {
            let line = message.line();
            bytes += line.len();
            if gathered.len() + line.len() >= GATHER {
                output.write_all(&gathered)?;
                gathered.clear();
            }
            if bytes >= pipe::LARGE
                && let Some(widen) = widen.take()
            {
                widen();
            }
            if line.len() >= GATHER {
                output.write_all(line)?;
            } else {
                gathered.extend_from_slice(line);
            }
            gathered.push(b'\n');
        }
        output.write_all(&gathered)?;
        output.flush()?;
        gathered.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests;
