//! The verdicts that an answer allows about the server's transport (2025-11-25 transports §Backwards Compatibility;
//! 2026-07-28 streamable-http §Backward Compatibility).

use serde::Deserialize;

use crate::jsonrpc::{Id, Message};

/// The error codes that only a server of revision 2026-07-28 sends.
const MODERN_CODES: std::ops::RangeInclusive<i64> = -32022..=-32020;

#[derive(Deserialize)]
struct Error {
    code: i64,
}

/// Whether a refusal of the first POST speaks for HTTP+SSE: 400, 404 or 405, unless the body shows that somebody who
/// knows Streamable HTTP has read the request. 401, 403, 5xx and time-outs are never evidence.
pub fn speaks_for_sse(status: u16, body: Option<&Message>, asked: Option<&Id>) -> bool {
    if !matches!(status, 400 | 404 | 405) {
        return false;
    }
    let Some(error) = body else {
        return true;
    };
    let answers_us = error.id().is_some() && error.id() == asked;
    let modern = error
        .read::<Error>()
        .is_some_and(|error| MODERN_CODES.contains(&error.code));
    !answers_us && !modern
}

#[cfg(test)]
mod tests {
    use super::speaks_for_sse;
    use crate::jsonrpc::{Id, Message};

    #[test]
    fn only_a_refusal_by_a_stranger_speaks_for_sse() {
        let asked = Id::parse("1");
        let body = |text: &'static str| Message::parse(text.into()).unwrap();
        let cases = [
            (405, None, true),
            (404, None, true),
            (400, None, true),
            (
                400,
                Some(body(r#"{"id":null,"error":{"code":-32000,"message":"x"}}"#)),
                true,
            ),
            (
                400,
                Some(body(r#"{"id":1,"error":{"code":-32600,"message":"x"}}"#)),
                false,
            ),
            (
                400,
                Some(body(r#"{"id":"1","error":{"code":-32600,"message":"x"}}"#)),
                true,
            ),
            (
                400,
                Some(body(r#"{"error":{"code":-32022,"message":"x"}}"#)),
                false,
            ),
            (401, None, false),
            (403, None, false),
            (500, None, false),
            (503, None, false),
        ];
        for (status, body, expected) in cases {
            assert_eq!(
                speaks_for_sse(status, body.as_ref(), asked.as_ref()),
                expected,
                "{status} {body:?}"
            );
        }
    }
}
