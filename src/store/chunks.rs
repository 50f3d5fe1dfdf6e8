//! A record in several items, for keyrings whose items are small: Credential Manager takes 2,560 bytes.
//!
//! `ACCOUNT/0` is the header, `ACCOUNT/GENERATION/N` are the parts. A new generation is written first, then the header, then
//! the old parts go: whoever is killed in between leaves either the old record or the new one. Writers hold the lock of the
//! key; readers need none.

use serde::{Deserialize, Serialize};

use super::record::hex;

/// The most bytes of one item (`CRED_MAX_CREDENTIAL_BLOB_SIZE`).
pub(super) const SIZE: usize = 2560;

/// How many generations back a killed writer may have left parts.
const SWEPT: u64 = 2;

/// How often a reader begins again when a writer came between.
const READS: u32 = 3;

/// What the parts are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    generation: u64,
    /// How many parts; none for a record that is being deleted.
    parts: usize,
    sha256: String,
}

/// A keyring, as far as it is needed here.
pub(super) trait Items {
    /// Why an item could not be used.
    type Error;
    /// The bytes of an item, if it exists.
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Self::Error>;
    /// Writes an item.
    fn set(&self, name: &str, bytes: &[u8]) -> Result<(), Self::Error>;
    /// Deletes an item, if it exists.
    fn delete(&self, name: &str) -> Result<(), Self::Error>;
}

/// The header and the parts of `text`.
pub(super) fn split(text: &[u8], generation: u64) -> (Header, std::slice::Chunks<'_, u8>) {
    let parts = text.chunks(SIZE);
    let header = Header {
        generation,
        parts: parts.len(),
        sha256: sum(text),
    };
    (header, parts)
}

/// The text of `parts`, if they are those of `header`.
pub(super) fn join(header: &Header, parts: &[Vec<u8>]) -> Option<Vec<u8>> {
    let text = parts.concat();
    (parts.len() == header.parts && sum(&text) == header.sha256).then_some(text)
}

fn sum(text: &[u8]) -> String {
    hex(ring::digest::digest(&ring::digest::SHA256, text).as_ref())
}

/// What is in the items of an account.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// Nothing.
    Absent,
    /// This.
    Whole(Vec<u8>),
    /// A header without its parts.
    Incomplete,
}

fn header_name(account: &str) -> String {
    format!("{account}/0")
}

fn part_name(account: &str, generation: u64, number: usize) -> String {
    format!("{account}/{generation}/{number}")
}

/// Reads the text of `account`.
pub(super) fn read<I: Items>(items: &I, account: &str) -> Result<Text, I::Error> {
    for _ in 0..READS {
        let Some(bytes) = items.get(&header_name(account))? else {
            return Ok(Text::Absent);
        };
        let Ok(header) = serde_json::from_slice::<Header>(&bytes) else {
            return Ok(Text::Incomplete);
        };
        if header.parts == 0 {
            return Ok(Text::Absent);
        }
        let mut parts = Vec::new();
        while parts.len() < header.parts {
            let name = part_name(account, header.generation, parts.len());
            let Some(part) = items.get(&name)? else { break };
            parts.push(part);
        }
        if let Some(text) = join(&header, &parts) {
            return Ok(Text::Whole(text));
        }
    }
    Ok(Text::Incomplete)
}

/// Writes `text` as a new generation of `account`.
pub(super) fn write<I: Items>(items: &I, account: &str, text: &[u8]) -> Result<(), I::Error> {
    let generation = generation(items, account)? + 1;
    let (header, parts) = split(text, generation);
    for (number, part) in parts.enumerate() {
        items.set(&part_name(account, generation, number), part)?;
    }
    set_header(items, account, &header)?;
    // A writer of this generation that was killed may have had more to write.
    sweep(items, account, generation, header.parts)?;
    for old in generation.saturating_sub(SWEPT)..generation {
        sweep(items, account, old, 0)?;
    }
    Ok(())
}

/// Deletes `account`. Readers see nothing as soon as the empty header is there; the parts go before it does, so that none
/// stays behind without a name that leads to it.
pub(super) fn delete<I: Items>(items: &I, account: &str) -> Result<(), I::Error> {
    let generation = generation(items, account)?;
    if generation > 0 {
        let (header, _) = split(&[], generation);
        set_header(items, account, &header)?;
    }
    for old in generation.saturating_sub(SWEPT)..=generation + 1 {
        sweep(items, account, old, 0)?;
    }
    items.delete(&header_name(account))?;
    Ok(())
}

fn set_header<I: Items>(items: &I, account: &str, header: &Header) -> Result<(), I::Error> {
    // A header has nothing that JSON cannot say, so that writing it cannot fail.
    let bytes = serde_json::to_vec(header).unwrap_or_default();
    items.set(&header_name(account), &bytes)
}

/// The generation of the header; 0 when there is none.
fn generation<I: Items>(items: &I, account: &str) -> Result<u64, I::Error> {
    let header = items.get(&header_name(account))?;
    let header: Option<Header> = header.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Ok(header.map_or(0, |header| header.generation))
}

/// Deletes the parts of a generation from `first` on, the last one first: were the first gone, nobody would look for the
/// others.
fn sweep<I: Items>(
    items: &I,
    account: &str,
    generation: u64,
    first: usize,
) -> Result<(), I::Error> {
    let mut end = first;
    while items.get(&part_name(account, generation, end))?.is_some() {
        end += 1;
    }
    for number in (first..end).rev() {
        items.delete(&part_name(account, generation, number))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
