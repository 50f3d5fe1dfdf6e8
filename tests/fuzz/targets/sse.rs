//! Bytes of an event stream in pieces of any size, against a reader of the whole stream.
#![no_main]

use std::time::Duration;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mcp_tether::transport::events::{Cursor, Name, Parser};
use mcp_tether_fuzz::{Pick, sse};

/// What the program allows on top of the data of an event.
const FRAMING: usize = 4096;

/// Two bytes that no UTF-8 has stand for long runs, so that small inputs reach the limits.
const RUN: u8 = 0xff;

fuzz_target!(|data: &[u8]| {
    let mut pick = Pick(data);
    let limit = *pick.of(&[0, 8, 64, 4096, 1 << 20]);
    let mut seed = u32::from(pick.byte());
    let stream = expanded(pick.0);

    let mut parser = Parser::new(limit, Cursor::default());
    let mut rest = Bytes::from(stream.clone());
    let mut events = Vec::new();
    while !rest.is_empty() {
        let size = match seed {
            0 => rest.len(),
            // Long ones would take too long.
            1 if stream.len() < 1024 => 1,
            _ => {
                seed = seed.wrapping_mul(1_103_515_245).wrapping_add(12345) | 2;
                1 + (seed >> 16) as usize % 97
            }
        };
        parser.push(rest.split_to(size.min(rest.len())));
        while let Some(event) = parser.pop() {
            events.push(event);
        }
        assert!(!parser.has_events());
    }

    let mut events = events.into_iter();
    let (mut last_id, mut retry) = (None, None);
    for block in sse::blocks(&stream) {
        let allowed = limit.saturating_add(FRAMING);
        if block.size > allowed + 4 && !block.has_comment {
            assert!(matches!(events.next(), Some(Err(_))), "it passed");
            continue;
        }
        if block.size + 4 > allowed {
            // How the pieces fell decides.
            return;
        }
        if let Some(id) = block.ids.last() {
            let text = String::from_utf8_lossy(id).into_owned();
            last_id = Some(text).filter(|id| !id.is_empty());
        }
        if let Some(millis) = block.retries.last() {
            let text = std::str::from_utf8(millis).expect("digits");
            retry = text.parse().ok().map(Duration::from_millis);
        }
        let name = match &block.name[..] {
            b"" | b"message" => Name::Message,
            b"endpoint" => Name::Endpoint,
            _ => continue,
        };
        let data = block.data.join(&b'\n');
        if data.is_empty() {
            continue;
        }
        let event = events.next().expect("an event is missing");
        if block.data.len() > 1 && !block.is_text {
            // It is no message either way.
            continue;
        }
        match event {
            Ok(event) => {
                assert!(data.len() <= limit, "it is over the limit");
                assert_eq!(event.name, name);
                assert_eq!(&event.data[..], &data[..]);
            }
            Err(_) => assert!(data.len() > limit, "it is within the limit"),
        }
    }
    assert!(events.next().is_none(), "there is one too many");
    assert_eq!(parser.cursor().last_id, last_id);
    assert_eq!(parser.cursor().retry, retry);
});

fn expanded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.iter();
    while let Some(&byte) = rest.next() {
        if byte == RUN && out.len() < 9000 {
            let count = usize::from(rest.next().copied().unwrap_or_default());
            out.resize(out.len() + count * 32, b'a');
        } else {
            out.push(byte);
        }
    }
    out
}
