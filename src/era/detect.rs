//! The verdicts that an answer allows about the server: its transport, and whether it speaks the revision of 2026-07-28 or an
//! earlier one (2025-11-25 transports §Backwards Compatibility; 2026-07-28 streamable-http §Backward Compatibility). 401, 403,
//! 5xx and time-outs are never evidence.

use serde::Deserialize;
use serde_json::Value;

use super::headers::is_modern;
use super::{LEGACY, MODERN};
use crate::jsonrpc::{Id, Kind, Message};

/// The error codes that only a server of revision 2026-07-28 sends.
const MODERN_CODES: std::ops::RangeInclusive<i64> = -32022..=-32020;

/// `UnsupportedProtocolVersion`.
const UNSUPPORTED_VERSION: i64 = -32022;

/// The two dialects of MCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// Revisions up to 2025-11-25: `initialize`, sessions, requests of the server.
    Legacy,
    /// Revision 2026-07-28: each request for itself.
    Modern,
}

/// What a server was asked, as far as the verdict depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// `initialize`.
    Initialize,
    /// `initialize` for a client that does not know it: it is asked only of a server that seems to want it.
    OwnInitialize,
    /// `server/discover`.
    Discover,
    /// Another request of 2026-07-28.
    Modern,
    /// Another request of an earlier revision: no evidence.
    Legacy,
}

impl Asked {
    /// What a request asks.
    pub fn of(request: &Message) -> Self {
        match (request.method(), is_modern(request)) {
            ("initialize", _) => Self::Initialize,
            ("server/discover", true) => Self::Discover,
            (_, true) => Self::Modern,
            (_, false) => Self::Legacy,
        }
    }
}

/// What an answer says about the dialect of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It speaks this one.
    Is(Era),
    /// It does not seem to speak the other one: this one is worth a try.
    Try(Era),
    /// `server/discover` would tell.
    Probe,
    /// Nothing.
    Unclear,
}

#[derive(Deserialize)]
struct Error {
    code: i64,
    #[serde(default)]
    data: Value,
}

impl Error {
    /// The revisions that the server says it speaks.
    fn supported(&self) -> Vec<&str> {
        let listed = self.data.get("supported").and_then(Value::as_array);
        let listed = listed.into_iter().flatten();
        listed.filter_map(Value::as_str).collect()
    }
}

/// What the answer `said`, if the body was one, says about the dialect. `status` is the HTTP status of a refusal, `None` where the
/// answer came as a success or not over HTTP.
pub fn era(asked: Asked, status: Option<u16>, said: Option<&Message>) -> Verdict {
    if !matches!(status, None | Some(400 | 404..=407 | 409..=412 | 414..=428)) {
        return Verdict::Unclear;
    }
    let Some(said) = said else {
        return match asked {
            Asked::Discover => Verdict::Try(Era::Legacy),
            Asked::OwnInitialize => Verdict::Try(Era::Modern),
            Asked::Modern => Verdict::Probe,
            Asked::Initialize | Asked::Legacy => Verdict::Unclear,
        };
    };
    if said.kind() == Kind::Result {
        return granted(asked, said);
    }
    let Some(error) = said.read::<Error>() else {
        return Verdict::Unclear;
    };
    let code = error.code;
    match asked {
        Asked::Initialize => match code {
            _ if MODERN_CODES.contains(&code) => Verdict::Try(Era::Modern),
            // It has no such method, or misses what each of its requests has.
            -32601 => Verdict::Try(Era::Modern),
            -32602 if status == Some(400) => Verdict::Try(Era::Modern),
            _ => Verdict::Unclear,
        },
        Asked::OwnInitialize => Verdict::Try(Era::Modern),
        Asked::Discover | Asked::Modern if code == UNSUPPORTED_VERSION => {
            if only_legacy(&error.supported()) {
                Verdict::Try(Era::Legacy)
            } else {
                Verdict::Is(Era::Modern)
            }
        }
        Asked::Discover => Verdict::Try(Era::Legacy),
        Asked::Modern if MODERN_CODES.contains(&code) => Verdict::Is(Era::Modern),
        Asked::Modern => Verdict::Probe,
        Asked::Legacy => Verdict::Unclear,
    }
}

/// What a result says.
fn granted(asked: Asked, result: &Message) -> Verdict {
    #[derive(Deserialize)]
    struct Discovered {
        #[serde(rename = "supportedVersions")]
        versions: Vec<String>,
    }
    impl Discovered {
        fn versions(&self) -> Vec<&str> {
            self.versions.iter().map(String::as_str).collect()
        }
    }
    #[derive(Deserialize)]
    struct Opened {
        #[serde(rename = "protocolVersion")]
        version: String,
    }
    #[derive(Deserialize)]
    struct Typed {
        #[serde(rename = "resultType")]
        _result_type: String,
    }
    match asked {
        // Some answer `initialize` with a revision that does not have it.
        Asked::Initialize | Asked::OwnInitialize => match result.read::<Opened>() {
            Some(opened) if opened.version.as_str() >= MODERN => Verdict::Try(Era::Modern),
            _ => Verdict::Is(Era::Legacy),
        },
        Asked::Discover => match result.read::<Discovered>() {
            Some(found) if found.versions().contains(&MODERN) => Verdict::Is(Era::Modern),
            Some(found) if only_legacy(&found.versions()) => Verdict::Try(Era::Legacy),
            _ => Verdict::Unclear,
        },
        // Earlier revisions have no such member, but a server without sessions may answer anyone.
        Asked::Modern if result.read::<Typed>().is_some() => Verdict::Is(Era::Modern),
        Asked::Modern | Asked::Legacy => Verdict::Unclear,
    }
}

fn only_legacy(versions: &[&str]) -> bool {
    !versions.is_empty() && versions.iter().all(|version| LEGACY.contains(version))
}

/// Whether a server that refuses our revision names it among those that it speaks: it wants to be asked once more
/// (2026-07-28 versioning §Protocol Version Negotiation).
pub fn asks_again(error: &Message) -> bool {
    let error = error.read::<Error>();
    error.is_some_and(|error| {
        error.code == UNSUPPORTED_VERSION && error.supported().contains(&MODERN)
    })
}

/// Whether a refusal of the first POST speaks for HTTP+SSE: 400, 404 or 405, unless the body shows that somebody who
/// knows Streamable HTTP has read the request.
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
    use super::{Asked, Era, Verdict, era, speaks_for_sse};
    use crate::jsonrpc::{Id, Message};

    fn body(text: &'static str) -> Message {
        Message::parse(text.into()).unwrap()
    }

    fn error(code: i64, data: &str) -> Message {
        let text = format!(r#"{{"id":1,"error":{{"code":{code},"message":"x","data":{data}}}}}"#);
        Message::parse(text.into()).unwrap()
    }

    #[test]
    fn only_a_refusal_by_a_stranger_speaks_for_sse() {
        let asked = Id::parse("1");
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

    #[test]
    fn the_first_message_is_the_probe() {
        use Asked::{Discover, Initialize, Legacy, Modern, OwnInitialize};
        use Verdict::{Is, Probe, Try, Unclear};
        let (old, new) = (Era::Legacy, Era::Modern);
        let legacy_only = r#"{"supported":["2025-06-18","2025-11-25"]}"#;
        let both = r#"{"supported":["2025-11-25","2026-07-28"]}"#;
        let cases = [
            (Initialize, Some(400), Some(error(-32022, both)), Try(new)),
            (Initialize, Some(400), Some(error(-32020, "1")), Try(new)),
            (Initialize, Some(404), Some(error(-32601, "1")), Try(new)),
            (Initialize, None, Some(error(-32601, "1")), Try(new)),
            (Initialize, Some(400), Some(error(-32602, "1")), Try(new)),
            (Initialize, None, Some(error(-32602, "1")), Unclear),
            (Initialize, Some(400), Some(error(-32000, "1")), Unclear),
            (Initialize, Some(404), None, Unclear),
            (OwnInitialize, Some(404), None, Try(new)),
            (OwnInitialize, None, Some(error(-32603, "1")), Try(new)),
            (Discover, Some(400), Some(error(-32022, both)), Is(new)),
            (Discover, None, Some(error(-32022, legacy_only)), Try(old)),
            (
                Discover,
                None,
                Some(error(-32022, r#"{"supported":["2030-01-01"]}"#)),
                Is(new),
            ),
            (Discover, Some(400), Some(error(-32020, "1")), Try(old)),
            (Discover, Some(200), Some(error(-32601, "1")), Unclear),
            (Discover, None, Some(error(-32601, "1")), Try(old)),
            (Discover, Some(400), Some(error(-32000, "1")), Try(old)),
            (Discover, Some(404), None, Try(old)),
            (Discover, Some(405), None, Try(old)),
            (Discover, Some(406), None, Try(old)),
            (Modern, Some(404), Some(error(-32601, "1")), Probe),
            (Modern, None, Some(error(-32602, "1")), Probe),
            (Modern, Some(400), None, Probe),
            (Modern, Some(400), Some(error(-32021, "1")), Is(new)),
            (Legacy, Some(400), Some(error(-32022, "1")), Unclear),
        ];
        for (asked, status, said, expected) in cases {
            let found = era(asked, status, said.as_ref());
            assert_eq!(found, expected, "{asked:?} {status:?} {said:?}");
        }
        let results = [
            (Initialize, r#"{"protocolVersion":"2025-06-18"}"#, Is(old)),
            (Initialize, r#"{"protocolVersion":"2026-07-28"}"#, Try(new)),
            (Initialize, r#"{}"#, Is(old)),
            (Discover, r#"{"supportedVersions":["2026-07-28"]}"#, Is(new)),
            (
                Discover,
                r#"{"supportedVersions":["2025-11-25"]}"#,
                Try(old),
            ),
            (Discover, r#"{}"#, Unclear),
            (Modern, r#"{"resultType":"complete"}"#, Is(new)),
            (Modern, r#"{"tools":[]}"#, Unclear),
            (Legacy, r#"{"tools":[]}"#, Unclear),
        ];
        for (asked, result, expected) in results {
            let text = format!(r#"{{"id":1,"result":{result}}}"#);
            let said = Message::parse(text.into()).unwrap();
            assert_eq!(
                era(asked, None, Some(&said)),
                expected,
                "{asked:?} {result}"
            );
        }
    }

    #[test]
    fn what_speaks_of_the_moment_or_of_the_user_is_no_evidence() {
        for status in [401, 403, 408, 413, 429, 500, 502, 503] {
            for asked in [
                Asked::Initialize,
                Asked::OwnInitialize,
                Asked::Discover,
                Asked::Modern,
            ] {
                for said in [None, Some(error(-32022, "1")), Some(error(-32601, "1"))] {
                    let found = era(asked, Some(status), said.as_ref());
                    assert_eq!(found, Verdict::Unclear, "{asked:?} {status} {said:?}");
                }
            }
        }
    }
}
