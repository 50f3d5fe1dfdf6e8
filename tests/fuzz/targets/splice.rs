//! Splices: whatever is edited, the result is one message and everything else keeps its bytes.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mcp_tether::jsonrpc::{Id, Kind, Members, Message, TopLevel, insert_member, split_array};
use mcp_tether_fuzz::{Pick, expect, json};

fuzz_target!(|data: &[u8]| {
    let mut pick = Pick(data);
    let (cut, name) = (usize::from(pick.byte()), *pick.of(&["id", "a", "\"\n", ""]));
    let (Some(id), Some(raw)) = (pick.text(), pick.text()) else {
        return;
    };
    let rest = pick.0;

    let parsed = Message::parse(Bytes::copy_from_slice(rest));
    expect::check(rest, &parsed);
    scan_in_pieces(rest, cut);
    array(rest);
    if let Ok(text) = std::str::from_utf8(rest) {
        members(text, name, raw);
    }
    let id = Id::parse(id)
        .filter(|id| json::is_valid(id.raw()) && !id.raw().ends_with([' ', '\t', '\r']));
    if let (Some(id), Ok(message)) = (&id, &parsed) {
        with_id(message, id);
    }
    if let (true, Ok(message)) = (json::is_valid(raw), &parsed) {
        with_payload(message, raw);
    }
});

fn with_id(message: &Message, id: &Id) {
    let (before, changed) = (expect::whole(message), message.with_id(id));
    let after = expect::whole(&changed);
    if message.kind() == Kind::Notification {
        json::assert_same_but(before, after, &["id"]);
        return;
    }
    assert_eq!(changed.id().map(Id::raw), Some(id.raw()));
    json::assert_same_but(before, after, &["id"]);
    if let Some(old) = message.id() {
        let back = changed.with_id(old);
        assert_eq!(back.line(), message.line());
    }
}

fn with_payload(message: &Message, raw: &str) {
    let raw = raw.trim_ascii().replace('\r', " ");
    let raw = raw.as_str();
    let names: &[&str] = match message.kind() {
        Kind::Request | Kind::Notification => &["params"],
        Kind::Result => &["result"],
        Kind::Error => &["error"],
    };
    let before = expect::whole(message);
    let changed = message.with_payload(raw.as_bytes());
    json::assert_same_but(before, expect::whole(&changed), names);
    let replaced = message.payload().is_some() && message.kind() != Kind::Error;
    if replaced {
        assert_eq!(changed.payload(), Some(raw));
    }
    let changed = message.with_params(raw);
    json::assert_same_but(before, expect::whole(&changed), names);
    if matches!(message.kind(), Kind::Request | Kind::Notification) {
        assert_eq!(changed.payload(), Some(raw));
    }
}

fn members(text: &str, name: &str, raw: &str) {
    let (read, expected) = (Members::read(text), json::members(text));
    assert_eq!(read.is_some(), expected.is_some(), "{text}");
    let (Some(mut read), Some(mut expected)) = (read, expected) else {
        return;
    };
    assert!(same(&read, &expected), "{read:?} {expected:?}");
    let written = read.to_string();
    let again = json::members(&written).expect("it is an object");
    assert_eq!(again, expected);
    if !json::is_valid(raw) {
        return;
    }
    let line = Bytes::copy_from_slice(text.trim_ascii().as_bytes());
    if !name.contains(['"', '\n']) {
        let longer = insert_member(&line, name, raw);
        let longer = std::str::from_utf8(&longer).expect("text");
        let mut all = json::members(longer).expect("it is an object");
        assert_eq!(
            all.remove(0),
            (name.to_owned(), raw.trim_matches([' ', '\t', '\r', '\n']))
        );
        assert_eq!(all, expected);
    }

    assert_eq!(read.get(name), json::member(text, name));
    read.set(name, raw);
    let at = expected.iter().position(|(known, _)| known == name);
    expected.retain(|(known, _)| known != name);
    let at = at.unwrap_or(expected.len());
    expected.insert(at, (name.to_owned(), raw));
    assert!(same(&read, &expected), "{read:?} {expected:?}");
    assert!(json::is_valid(&read.to_string()));
    assert_eq!(read.remove(name).as_deref(), Some(raw));
    assert_eq!(read.get(name), None);
}

fn same(read: &Members<'_>, expected: &[(String, &str)]) -> bool {
    read.iter()
        .eq(expected.iter().map(|(name, raw)| (name.as_str().into(), *raw)))
}

fn array(bytes: &[u8]) {
    let line = expect::line_of(bytes);
    let expected = std::str::from_utf8(&line).ok().and_then(json::elements);
    let found = split_array(Bytes::copy_from_slice(bytes)).ok();
    let found: Option<Vec<&[u8]>> = found
        .as_ref()
        .map(|parts| parts.iter().map(|part| &part[..]).collect());
    let expected: Option<Vec<&[u8]>> =
        expected.map(|parts| parts.into_iter().map(str::as_bytes).collect());
    assert_eq!(found, expected);
}

fn scan_in_pieces(bytes: &[u8], cut: usize) {
    let mut scan = TopLevel::default();
    let (one, two) = bytes.split_at(cut.min(bytes.len()));
    scan.feed(one);
    for byte in two {
        scan.feed(std::slice::from_ref(byte));
    }
    assert_eq!(scan.finish(), TopLevel::of(bytes));
}
