use std::io::BufReader;

use futures_util::FutureExt;

use super::{Input, read_lines, write_lines};
use crate::jsonrpc::{Id, Malformed, Message};
use crate::queue::bounded;

fn inputs(bytes: &[u8], limit: usize) -> Vec<String> {
    let (sender, mut receiver) = bounded(1 << 20);
    read_lines(
        &mut BufReader::with_capacity(7, bytes),
        limit,
        &sender,
        || {},
    )
    .unwrap();
    drop(sender);
    let mut seen = Vec::new();
    while let Some(items) = receiver.recv_all().now_or_never().flatten() {
        seen.extend(items.into_iter().map(|item| match item {
            Input::Message(message) => String::from_utf8(message.line().to_vec()).unwrap(),
            Input::Batch(parts) => format!("batch of {}", parts.len()),
            Input::Malformed(Malformed::NotMessage(id)) => format!("no message {id:?}"),
            Input::Malformed(_) => "malformed".to_owned(),
            Input::TooLarge(found) => format!("too large {:?} {}", found.id, found.method),
        }));
    }
    seen
}

#[test]
fn lines_come_whole_whatever_their_ends() {
    let bytes =
        b"\xef\xbb\xbf{\"method\":\"a\"}\r\n\n \t\r\n{\"method\":\"b\"}\n{\"method\":\"c\"}";
    assert_eq!(
        inputs(bytes, 100),
        [
            r#"{"method":"a"}"#,
            r#"{"method":"b"}"#,
            r#"{"method":"c"}"#
        ]
    );
}

#[test]
fn bad_lines_are_reported_and_the_next_one_works() {
    let bytes = b"nonsense\n{\"id\":5}\n[{\"method\":\"a\"},3]\n{\"meth";
    assert_eq!(
        inputs(bytes, 100),
        [
            "malformed".to_owned(),
            format!("no message {:?}", Id::parse("5")),
            "batch of 2".to_owned(),
            "malformed".to_owned()
        ]
    );
}

#[test]
fn a_line_over_the_limit_is_skipped_and_its_id_found() {
    let long = format!(
        r#"{{"method":"a","params":{{"id":1,"x":"{}"}},"id":"z"}}"#,
        "y".repeat(100)
    );
    let bytes = format!("{long}\n{{\"method\":\"b\"}}\n{long}");
    let too_large = format!("too large {:?} true", Id::parse("\"z\""));
    assert_eq!(
        inputs(bytes.as_bytes(), 40),
        [&too_large, r#"{"method":"b"}"#, &too_large]
    );
}

#[test]
fn messages_are_written_one_a_line_in_order() {
    let big = format!(r#"{{"method":"{}"}}"#, "x".repeat(2 << 20));
    let lines = [r#"{"method":"a"}"#, &big, r#"{"method":"b"}"#];
    let batch = lines
        .iter()
        .map(|line| Message::parse((*line).to_owned().into()).unwrap())
        .collect();
    let mut out = Vec::new();
    let mut widened = false;
    write_lines(&mut out, [batch].into_iter(), || widened = true).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        format!("{}\n", lines.join("\n"))
    );
    assert!(widened, "a large message asks for a larger pipe");
}

#[test]
fn many_small_messages_at_once_ask_for_a_larger_pipe_and_few_do_not() {
    let line = format!(r#"{{"method":"{}"}}"#, "x".repeat(1000));
    for (count, wide) in [(1000, false), (2000, true)] {
        let message = Message::parse(line.clone().into()).unwrap();
        let (mut out, mut widened) = (Vec::new(), false);
        let batch = std::iter::repeat_n(message, count).collect();
        write_lines(&mut out, [batch].into_iter(), || widened = true).unwrap();
        assert_eq!(out.len(), count * (line.len() + 1));
        assert_eq!(widened, wide, "{count} messages");
    }
}
