use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use crate::jsonrpc::{Found, Id};

use super::{Cursor, Event, Name, Parser, TooLarge};

fn events(pieces: &[&[u8]]) -> (Vec<String>, Cursor) {
    let mut parser = Parser::new(1 << 20, Cursor::default());
    let mut seen = Vec::new();
    for piece in pieces {
        parser.push(Bytes::copy_from_slice(piece));
        while let Some(event) = parser.pop() {
            let event = event.unwrap();
            let text = String::from_utf8_lossy(&event.data).into_owned();
            seen.push(match event.name {
                Name::Message => text,
                Name::Endpoint => format!("endpoint={text}"),
            });
        }
    }
    (seen, parser.cursor().clone())
}

#[test]
fn reads_the_forms_of_the_standard_however_they_are_cut() {
    let table: &[(&[u8], &[&str])] = &[
        (b"data: a\n\n", &["a"]),
        (b"data:a\r\n\r\ndata: b\r\n\r\n", &["a", "b"]),
        (b"data:a\r\rdata: b\r\r", &["a", "b"]),
        (b"\xef\xbb\xbfdata: a\n\n", &["a"]),
        (b"\xef\xbb\xbf\ndata: a\n\n", &["a"]),
        (b"\xef\xbb\xbf\r\ndata: a\r\n\r\n", &["a"]),
        (b"data: a\ndata: b\n\n", &["a\nb"]),
        (b"data: a\ndata: b\n\ndata: c\n\n", &["a\nb", "c"]),
        (b"data: a\r\ndata\r\ndata: b\r\n\r\n", &["a\n\nb"]),
        // A byte order mark counts at the start of the stream alone; anywhere else it is a part of the field's name.
        (
            b"data: a\n\n\xef\xbb\xbfdata: x\ndata: b\ndata: c\n\n",
            &["a", "b\nc"],
        ),
        (
            b"\xef\xbb\xbf\xef\xbb\xbfdata: x\ndata: b\ndata: c\n\n",
            &["b\nc"],
        ),
        (b": c\n\xef\xbb\xbfdata: x\ndata: b\n\n", &["b"]),
        (b": c\r\n\xef\xbb\xbfdata: x\r\ndata: b\r\n\r\n", &["b"]),
        (b": comment\n\n:x\ndata: a\n: y\n\n", &["a"]),
        (b"event: message\nid: 1\ndata: a\n\n", &["a"]),
        (b"event: other\ndata: a\n\ndata: b\n\n", &["b"]),
        (
            b"event: endpoint\ndata: /messages?x=1\n\n",
            &["endpoint=/messages?x=1"],
        ),
        (b"id: 7\ndata:\n\n", &[]),
        (b"data:  two blanks\n\n", &[" two blanks"]),
        ("data: h\u{e9}\u{4e16}\n\n".as_bytes(), &["h\u{e9}\u{4e16}"]),
        (b"data: unfinished\n", &[]),
        (b"\n\n\ndata: a\n\n\n\n", &["a"]),
        (b"unknown: x\nnofield\ndata: a\n\n", &["a"]),
    ];
    for (bytes, expected) in table {
        assert_eq!(
            events(&[bytes]).0,
            *expected,
            "{:?}",
            bytes.escape_ascii().to_string()
        );
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(
            events(&single).0,
            *expected,
            "{:?} in bytes",
            bytes.escape_ascii().to_string()
        );
    }
}

#[test]
fn a_lone_cr_at_the_end_of_a_piece_dispatches_at_once() {
    assert_eq!(events(&[b"data: a\r\r"]).0, ["a"]);
    assert_eq!(
        events(&[b"data: a\r", b"\n\r", b"\ndata: b\n\n"]).0,
        ["a", "b"]
    );
}

#[test]
fn ids_and_retry_times_are_noted_without_data() {
    let (seen, cursor) = events(&[b"id: 5\ndata:\n\nretry: 1500\n\n"]);
    assert!(seen.is_empty());
    assert_eq!(cursor.last_id.as_deref(), Some("5"));
    assert_eq!(cursor.retry, Some(Duration::from_millis(1500)));
}

#[test]
fn bad_ids_and_retry_times_are_ignored() {
    let (_, cursor) = events(&[b"id: 5\n\nid: a\0b\n\nretry: +5\n\nretry: 1.5\n\nretry:\n\n"]);
    assert_eq!(cursor.last_id.as_deref(), Some("5"));
    assert_eq!(cursor.retry, None);
    let (_, cursor) = events(&[b"id: 5\n\nid\n\n"]);
    assert_eq!(cursor.last_id, None, "an empty id resets it");
}

#[test]
fn an_event_over_the_limit_is_skipped_and_the_next_one_works() {
    let mut parser = Parser::new(10, Cursor::default());
    let mut big = b"data: ".to_vec();
    big.extend(std::iter::repeat_n(b'x', 20_000));
    big.extend(b"\n\ndata: 0123456789\n\ndata: 01234567890\n\n");
    for piece in big.chunks(777) {
        parser.push(Bytes::copy_from_slice(piece));
    }
    let seen: Vec<_> = std::iter::from_fn(|| parser.pop()).collect();
    let fits = Event {
        name: Name::Message,
        data: Bytes::from_static(b"0123456789"),
    };
    assert_eq!(
        seen,
        [
            Err(TooLarge(Found::default())),
            Ok(fits),
            Err(TooLarge(Found::default()))
        ]
    );
}

#[test]
fn a_long_comment_is_looked_through_once() {
    let mut parser = Parser::new(usize::MAX, Cursor::default());
    parser.push(Bytes::from_static(b":"));
    for _ in 0..1 << 20 {
        parser.push(Bytes::from_static(b"x"));
    }
    parser.push(Bytes::from_static(b"\ndata: a\n\n"));
    assert_eq!(&parser.pop().unwrap().unwrap().data[..], b"a");
}

#[test]
fn endless_comments_take_no_memory() {
    for (comment, event) in [
        (": keep-alive\n", "data: a\n\n"),
        (": keep-alive\r\n", "data: a\r\n\r\n"),
        (": keep-alive\r", "data: a\r\r"),
    ] {
        let mut parser = Parser::new(10, Cursor::default());
        for _ in 0..10_000 {
            parser.push(Bytes::from_static(comment.as_bytes()));
        }
        parser.push(Bytes::from_static(event.as_bytes()));
        assert_eq!(parser.pop().unwrap().unwrap().data, "a", "{comment:?}");
        assert!(parser.pop().is_none());
    }
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_events(
        lines in proptest::collection::vec("(data: ?[a-z\u{e9}]{0,6}|id: [0-9]|event: message|:c|)", 0..30),
        ends in proptest::collection::vec(0..3usize, 30),
        cuts in proptest::collection::vec(1..9usize, 1..80),
    ) {
        let bytes: Vec<u8> = lines.iter().zip(ends)
            .flat_map(|(line, end)| [line.as_bytes(), [&b"\n"[..], b"\r\n", b"\r"][end]].concat())
            .collect();
        let whole = events(&[&bytes]);
        let mut pieces = Vec::new();
        let mut rest = bytes.as_slice();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break; }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        prop_assert_eq!(events(&pieces), whole);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut parser = Parser::new(50, Cursor::default());
        parser.push(Bytes::from(bytes));
        while parser.pop().is_some() {}
    }
}

#[test]
fn the_id_of_an_event_over_the_limit_is_found_at_its_end() {
    let mut parser = Parser::new(10, Cursor::default());
    let event = format!(
        "id: 9\ndata: {{\"result\":{{\"x\":\"{}\"}},\"id\":7}}\n\n",
        "y".repeat(20_000)
    );
    for piece in event.as_bytes().chunks(1000) {
        parser.push(Bytes::copy_from_slice(piece));
    }
    let found = Found {
        id: Id::parse("7"),
        method: false,
    };
    assert_eq!(parser.pop(), Some(Err(TooLarge(found))));
}
