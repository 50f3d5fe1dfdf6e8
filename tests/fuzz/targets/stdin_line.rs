//! Bytes on stdin: where lines end, which are over the limit, and what each of them is.
#![no_main]

use std::io::BufReader;

use futures_util::FutureExt;
use libfuzzer_sys::fuzz_target;
use mcp_tether::jsonrpc::{Found, Malformed, reply};
use mcp_tether::queue;
use mcp_tether::transport::stdio::{Input, read_lines};
use mcp_tether_fuzz::expect::{self, Expected};
use mcp_tether_fuzz::{Pick, json};

fuzz_target!(|data: &[u8]| {
    let mut pick = Pick(data);
    let limit = *pick.of(&[0, 16, 64, 1024, 4096, usize::MAX]);
    let capacity = *pick.of(&[1, 2, 7, 64, 65536]);
    let stream = pick.0;

    let (sender, mut receiver) = queue::bounded(usize::MAX);
    let mut input = BufReader::with_capacity(capacity, stream);
    read_lines(&mut input, limit, &sender, || {}).expect("a slice can be read");
    drop(sender);
    let mut found = Vec::new();
    while let Some(Some(some)) = receiver.recv_all().now_or_never() {
        found.extend(some);
    }
    let mut found = found.into_iter();

    let mut lines: Vec<&[u8]> = stream.split(|byte| *byte == b'\n').collect();
    if lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    for (number, line) in lines.into_iter().enumerate() {
        if line.len() > limit {
            let Some(Input::TooLarge(seen)) = found.next() else {
                panic!("a line of {} bytes passed", line.len());
            };
            oversize(line, &seen);
            continue;
        }
        let line = match line.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) if number == 0 => rest,
            _ => line,
        };
        if line.trim_ascii().is_empty() {
            continue;
        }
        whole(line, found.next().expect("a line was lost"));
    }
    assert!(found.next().is_none(), "there is one too many");
});

fn whole(line: &[u8], input: Input) {
    let read = match input {
        Input::Message(message) => {
            expect::whole(&message);
            Ok(message)
        }
        Input::Malformed(malformed) => Err(malformed),
        Input::Batch(parts) => {
            let line = expect::line_of(line);
            let text = std::str::from_utf8(&line).expect("it was read");
            let elements = json::elements(text).expect("it is an array");
            assert_eq!(elements.len(), parts.len());
            for (element, part) in elements.iter().zip(&parts) {
                expect::check(element.as_bytes(), part);
            }
            return;
        }
        Input::TooLarge(_) => panic!("{} bytes are too many", line.len()),
    };
    if expect::message(line) == Expected::Array {
        // Were it JSON, it would be a batch.
        assert!(matches!(read, Err(Malformed::Json(_))), "{read:?}");
        let line = expect::line_of(line);
        let text = std::str::from_utf8(&line).unwrap_or_default();
        assert!(!json::is_valid(text));
        return;
    }
    expect::check(line, &read);
    if let Err(Malformed::NotMessage(Some(id))) = &read {
        answerable(id);
    }
}

/// What is seen of a line that is too large is what a reader of the whole line would see.
fn oversize(line: &[u8], seen: &Found) {
    if let Some(id) = &seen.id {
        answerable(id);
    }
    let Some(members) = std::str::from_utf8(line).ok().and_then(json::members) else {
        return;
    };
    let text = std::str::from_utf8(line).unwrap_or_default();
    if text.contains(r"\u") {
        // Names are not decoded there.
        return;
    }
    let has_method = members.iter().any(|(name, _)| name == "method");
    let id = members.iter().rev().find(|(name, _)| name == "id");
    let id = id.map(|(_, raw)| *raw);
    let id = id.filter(|raw| expect::is_id(raw) && raw.len() < 1024);
    assert_eq!(seen.method, has_method);
    assert_eq!(seen.id.as_ref().map(|id| id.raw()), id);
}

/// An answer with this id is a message with this id.
fn answerable(id: &mcp_tether::jsonrpc::Id) {
    let answer = reply::error(Some(id), -32600, "too large", None);
    expect::whole(&answer);
    assert_eq!(answer.id(), Some(id));
}
