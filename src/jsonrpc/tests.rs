use bytes::Bytes;
use proptest::prelude::*;

use super::{Found, Id, Kind, Malformed, Message, Method, TopLevel, insert_member, reply};

fn parse(text: &str) -> Message {
    Message::parse(Bytes::from(text.to_owned())).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"))
}

fn refuse(text: &str) -> Malformed {
    Message::parse(Bytes::from(text.to_owned())).expect_err(text)
}

#[test]
fn tells_the_kinds_apart() {
    let table = [
        (r#"{"jsonrpc":"2.0","id":1,"method":"a"}"#, Kind::Request),
        (r#"{"method":"a","params":{},"id":"x"}"#, Kind::Request),
        (r#"{"jsonrpc":"2.0","method":"a"}"#, Kind::Notification),
        (r#"{"jsonrpc":"2.0","id":1,"result":null}"#, Kind::Result),
        (
            r#"{"id":1,"result":{},"error":null,"extra":1}"#,
            Kind::Result,
        ),
        (
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":""}}"#,
            Kind::Error,
        ),
        (
            r#"{"jsonrpc":"2.0","error":{"code":1,"message":""}}"#,
            Kind::Error,
        ),
    ];
    for (text, kind) in table {
        assert_eq!(parse(text).kind(), kind, "{text}");
    }
}

#[test]
fn an_error_of_another_protocol_is_no_message() {
    for text in [
        r#"{"error":"insufficient_scope","error_description":"x"}"#,
        r#"{"id":1,"error":{"message":"no code"}}"#,
        r#"{"id":1,"error":{"code":"E1","message":"x"}}"#,
        r#"{"id":1,"error":null}"#,
        r#"{"id":1,"error":[-32600]}"#,
    ] {
        assert!(matches!(refuse(text), Malformed::NotMessage(_)), "{text}");
    }
}

#[test]
fn what_a_client_is_to_get_is_marked() {
    let any = |text: &'static str| Message::parse_any(Bytes::from_static(text.as_bytes()));
    assert!(any(r#"{"id":1,"result":1,"jsonrpc" : "2.0"}"#).is_ok());
    for text in [
        r#"{"id":1,"result":1}"#,
        r#"{"jsonrpc":2.0,"id":1,"result":1}"#,
        r#"{"jsonrpc":"3.0","id":1,"result":1}"#,
        r#"{"jsonrpc":null,"id":1,"result":1}"#,
        r#"[{"jsonrpc":"2.0","method":"a"},{"id":1,"result":1}]"#,
    ] {
        assert_eq!(
            any(text).unwrap_err(),
            Malformed::NotMessage(Id::parse("1")),
            "{text}"
        );
    }
}

#[test]
fn says_what_is_no_message() {
    assert!(matches!(refuse("nonsense"), Malformed::Json(_)));
    assert!(matches!(refuse(r#"{"id":1"#), Malformed::Json(_)));
    assert!(matches!(
        refuse(r#"{"id":1,"method":"a"} x"#),
        Malformed::Json(_)
    ));
    assert_eq!(refuse("[]"), Malformed::Array);
    assert_eq!(refuse("7"), Malformed::NotMessage(None));
    assert_eq!(
        refuse(r#"{"id":null,"method":"a"}"#),
        Malformed::NotMessage(None)
    );
    assert_eq!(
        refuse(r#"{"id":{},"method":"a"}"#),
        Malformed::NotMessage(None)
    );
    assert_eq!(refuse(r#"{"id":5}"#), Malformed::NotMessage(Id::parse("5")));
    assert_eq!(
        refuse(r#"{"id":5,"method":7}"#),
        Malformed::NotMessage(Id::parse("5"))
    );
    assert_eq!(
        refuse(r#"{"id":5,"method":"a","method":"b"}"#),
        Malformed::NotMessage(Id::parse("5"))
    );
    let bytes = Bytes::from_static(b"{\"id\":1,\"method\":\"\xff\"}");
    assert!(matches!(Message::parse(bytes), Err(Malformed::Json(_))));
}

#[test]
fn a_plain_method_is_read_where_it_stands() {
    let plain = parse(r#"{"jsonrpc":"2.0","method":"tools/call","id":1}"#);
    assert!(matches!(plain.method, Some(Method::At(_))));
    assert_eq!(plain.method(), "tools/call");
    assert!(plain.is("tools/call") && !plain.is("tools/cal"));
    let escaped = parse(r#"{"jsonrpc":"2.0","method":"tools\/call","id":1}"#);
    assert!(matches!(escaped.method, Some(Method::Text(_))));
    assert_eq!(escaped.method(), "tools/call");
    assert!(escaped.is("tools/call") && !escaped.is(""));
}

#[test]
fn keeps_every_byte_that_needs_no_change() {
    let text = r#"{"x":12345678901234567890, "jsonrpc":"2.0","params":{"a":1.0,"b":-0.0,"c":1e400,"d":"\u00e9\/"},"id":1.50,"method":"m"}"#;
    let message = parse(text);
    assert_eq!(message.line().as_ref(), text.as_bytes());
    assert_eq!(message.id().unwrap().raw(), "1.50");
    assert_eq!(
        message.payload().unwrap(),
        r#"{"a":1.0,"b":-0.0,"c":1e400,"d":"\u00e9\/"}"#
    );
}

#[test]
fn puts_a_pretty_printed_message_on_one_line() {
    let message = parse("\r\n {\n  \"id\": 1,\r\n  \"result\": {\"a\":\n1}\n}\n");
    assert_eq!(
        message.line().as_ref(),
        b"{   \"id\": 1,    \"result\": {\"a\": 1} }"
    );
}

#[test]
fn ids_compare_as_json_values_of_one_type() {
    let same = [
        ("7", "7"),
        ("7", "7.0"),
        ("100", "1e2"),
        (r#""a/b""#, r#""a\/b""#),
        (r#""é""#, r#""\u00e9""#),
    ];
    for (a, b) in same {
        assert_eq!(Id::parse(a), Id::parse(b), "{a} {b}");
    }
    let other = [
        ("7", r#""7""#),
        ("7", "8"),
        ("12345678901234567890", "12345678901234567891"),
    ];
    for (a, b) in other {
        assert_ne!(Id::parse(a), Id::parse(b), "{a} {b}");
    }
    assert_eq!(Id::parse("1.50").unwrap().raw(), "1.50");
    assert!(
        Id::parse("null").is_none() && Id::parse("true").is_none() && Id::parse("{}").is_none()
    );
}

#[test]
fn an_id_is_replaced_or_put_in_and_nothing_else_moves() {
    let id = Id::text("mine");
    let cases = [
        (
            r#"{"id" : 12 ,"result":{"id":3}}"#,
            r#"{"id" : "mine" ,"result":{"id":3}}"#,
        ),
        (
            r#"{"error":{"code":1},"id":null}"#,
            r#"{"error":{"code":1},"id":"mine"}"#,
        ),
        (
            r#"{"error":{"code":1}}"#,
            r#"{"id":"mine","error":{"code":1}}"#,
        ),
    ];
    for (from, to) in cases {
        let message = parse(from).with_id(&id);
        assert_eq!(message.line().as_ref(), to.as_bytes());
        assert_eq!(message.id(), Some(&id));
    }
    assert_eq!(
        insert_member(&Bytes::from_static(b"{ }"), "id", "1").as_ref(),
        br#"{"id":1 }"#
    );
}

#[test]
fn a_payload_is_replaced() {
    let message = parse(r#"{"id":1,"result":{"tools":[]} ,"z":0}"#).with_payload(b"[1]");
    assert_eq!(message.line().as_ref(), br#"{"id":1,"result":[1] ,"z":0}"#);
}

#[test]
fn an_array_is_split_into_its_own_slices() {
    let one = r#"{"jsonrpc":"2.0","id":1,"method":"a"}"#;
    let other = r#"{"jsonrpc":"2.0","method":"b"}"#;
    let messages = Message::parse_any(format!("[{one},\n {other}]").into()).unwrap();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[1].line(), other);
    assert!(Message::parse_any(Bytes::from_static(b"[1]")).is_err());
}

#[test]
fn own_messages_are_valid() {
    let id = Id::text("a\"b");
    assert_eq!(
        reply::error(Some(&id), -32600, "no \"way\"", None).kind(),
        Kind::Error
    );
    assert_eq!(reply::result(&id, "{}").id(), Some(&id));
    assert_eq!(reply::request(&id, "ping", None).method(), "ping");
    let failure = reply::failure(&id, &crate::error::Failure::Closed);
    assert!(failure.payload().unwrap().contains(r#""kind":"shutdown""#));
}

#[test]
fn the_scanner_finds_the_id_wherever_it_stands() {
    let cases = [
        (
            r#"{"id":7,"method":"a","params":{"id":9}}"#,
            Some("7"),
            true,
        ),
        (
            r#"{"method":"a","params":{"id":9,"x":"\",\"id\":8"},"jsonrpc":"2.0","id":"z"}"#,
            Some(r#""z""#),
            true,
        ),
        (r#"{"result":{"method":"m"},"id":1}"#, Some("1"), false),
        (r#"{"method":"a","params":[{"id":1}]}"#, None, true),
    ];
    for (text, id, method) in cases {
        let expected = Found {
            id: id.and_then(Id::parse),
            method,
        };
        assert_eq!(TopLevel::of(text.as_bytes()), expected, "{text}");
        let mut bytewise = TopLevel::default();
        for byte in text.as_bytes() {
            bytewise.feed(&[*byte]);
        }
        assert_eq!(bytewise.finish(), expected, "{text} in single bytes");
    }
}

#[test]
fn the_scanner_takes_no_id_that_an_answer_could_not_repeat() {
    let long = "7".repeat(2000);
    for raw in [
        "\"a\tb\"",
        "\"a\\x\"",
        "-",
        "1.",
        "007",
        &long,
        &format!("\"{long}\""),
    ] {
        let text = format!(r#"{{"method":"a","id":{raw}}}"#);
        assert_eq!(TopLevel::of(text.as_bytes()).id, None, "{text}");
    }
}

proptest! {
    #[test]
    fn parse_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Message::parse_any(Bytes::from(bytes.clone()));
        let _ = TopLevel::of(&bytes);
    }

    #[test]
    fn any_string_id_survives(text in ".*") {
        let id = Id::text(&text);
        let raw = serde_json::to_string(&text).unwrap();
        prop_assert_eq!(Id::parse(&raw).unwrap(), id.clone());
        let message = Message::parse(Bytes::from(format!(r#"{{"id":{id},"method":"m"}}"#))).unwrap();
        prop_assert_eq!(message.id(), Some(&id));
    }
}

#[test]
fn params_are_replaced_or_put_in() {
    for (text, wanted) in [
        (
            r#"{"id":1, "method":"a","params":{"x":1},"y":2.0}"#,
            r#"{"id":1, "method":"a","params":{"k":1},"y":2.0}"#,
        ),
        (
            r#"{"method":"a","params":null}"#,
            r#"{"method":"a","params":{"k":1}}"#,
        ),
        (
            r#"{"id":1,"method":"a"}"#,
            r#"{"params":{"k":1},"id":1,"method":"a"}"#,
        ),
    ] {
        let changed = parse(text).with_params(r#"{"k":1}"#);
        assert_eq!(changed.line(), wanted);
        assert_eq!(changed.payload(), Some(r#"{"k":1}"#));
    }
}
