//! The request line and headers of whoever asks: read, and judged by what may reach the callback at all.

use std::io::{self, ErrorKind};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// The longest head, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// The head of a request.
pub(super) enum Head {
    /// All of it, without the empty line.
    Whole(Vec<u8>),
    /// Over 16 KiB.
    TooLarge,
}

/// Requests that are no callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Junk {
    /// No HTTP, or for a host that is not this listener.
    BadRequest,
    /// Another path.
    NotFound,
    /// Anything but GET.
    Method,
    /// A head over 16 KiB.
    HeadTooLarge,
}

/// What a request is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A GET on the path, with this query.
    Callback(String),
    /// Anything else.
    Junk(Junk),
}

impl Head {
    /// Reads up to the empty line.
    pub(super) async fn read(stream: &mut TcpStream) -> io::Result<Self> {
        let mut head = Vec::new();
        let mut chunk = [0; 2048];
        loop {
            let count = stream.read(&mut chunk).await?;
            if count == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            // The end may lie across two chunks.
            let from = head.len().saturating_sub(3);
            head.extend_from_slice(chunk.get(..count).unwrap_or_default());
            let new = head.get(from..).unwrap_or_default();
            let end = memchr::memmem::find(new, b"\r\n\r\n").map(|at| from + at);
            if end.unwrap_or(head.len()) > MAX_HEAD {
                return Ok(Self::TooLarge);
            }
            if let Some(end) = end {
                head.truncate(end);
                return Ok(Self::Whole(head));
            }
        }
    }

    /// Judges the request for a listener on `port` that knows one `path`.
    pub(super) fn judge(&self, port: u16, path: &str) -> Verdict {
        let text = match self {
            Self::Whole(head) => std::str::from_utf8(head).ok(),
            Self::TooLarge => return Verdict::Junk(Junk::HeadTooLarge),
        };
        let Some((method, target, host)) = text.and_then(parse) else {
            return Verdict::Junk(Junk::BadRequest);
        };
        if !is_ours(host, port) {
            // A page whose name was rebound to loopback looks like this.
            return Verdict::Junk(Junk::BadRequest);
        }
        let (asked, query) = target.split_once('?').unwrap_or((target, ""));
        match method {
            _ if asked != path => Verdict::Junk(Junk::NotFound),
            "GET" => Verdict::Callback(query.to_owned()),
            _ => Verdict::Junk(Junk::Method),
        }
    }
}

/// The method, target and host of a request in origin form. `Host` must be there once (RFC 9112 §3.2).
fn parse(head: &str) -> Option<(&str, &str, &str)> {
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let formed = words.next().is_none() && version.starts_with("HTTP/1.");
    if !formed || method.is_empty() || !target.starts_with('/') {
        return None;
    }
    let mut host = None;
    for line in lines {
        let (name, value) = line.split_once(':')?;
        if name.is_empty() || name.contains([' ', '\t']) {
            return None;
        }
        if name.eq_ignore_ascii_case("host") && host.replace(value.trim()).is_some() {
            return None;
        }
    }
    Some((method, target, host?))
}

/// Whether `Host` names this listener.
fn is_ours(host: &str, port: u16) -> bool {
    let (name, given) = match host.rsplit_once(':') {
        Some((name, given)) if !given.ends_with(']') => (name, given),
        _ => (host, "80"),
    };
    let local = matches!(name, "127.0.0.1" | "[::1]") || name.eq_ignore_ascii_case("localhost");
    local && given == port.to_string()
}

#[cfg(test)]
mod tests {
    use super::{Head, Junk, Verdict, is_ours};

    fn judge(head: &str) -> Verdict {
        Head::Whole(head.replace('\n', "\r\n").into_bytes()).judge(81, "/cb")
    }

    #[test]
    fn only_a_get_on_the_path_is_a_callback() {
        let found = judge("GET /cb?a=b?c HTTP/1.1\nAccept: */*\nhOST:  localhost:81 ");
        assert_eq!(found, Verdict::Callback("a=b?c".to_owned()));
        let found = judge("GET /cb HTTP/1.0\nHost: 127.0.0.1:81");
        assert_eq!(found, Verdict::Callback(String::new()));
        let table = [
            ("GET /cb/ HTTP/1.1\nHost: [::1]:81", Junk::NotFound),
            ("GET //cb HTTP/1.1\nHost: [::1]:81", Junk::NotFound),
            ("POST /favicon.ico HTTP/1.1\nHost: [::1]:81", Junk::NotFound),
            ("POST /cb HTTP/1.1\nHost: [::1]:81", Junk::Method),
            ("HEAD /cb HTTP/1.1\nHost: [::1]:81", Junk::Method),
            ("get /cb HTTP/1.1\nHost: [::1]:81", Junk::Method),
            ("", Junk::BadRequest),
            ("GET /cb", Junk::BadRequest),
            ("GET /cb HTTP/1.1", Junk::BadRequest),
            ("GET /cb HTTP/2\nHost: [::1]:81", Junk::BadRequest),
            ("GET  /cb HTTP/1.1\nHost: [::1]:81", Junk::BadRequest),
            ("GET /cb HTTP/1.1 x\nHost: [::1]:81", Junk::BadRequest),
            ("GET /cb HTTP/1.1\nHost : [::1]:81", Junk::BadRequest),
            ("GET /cb HTTP/1.1\n Host: [::1]:81", Junk::BadRequest),
            (
                "GET /cb HTTP/1.1\nHost: [::1]:81\nHost: [::1]:81",
                Junk::BadRequest,
            ),
            (
                "GET http://[::1]:81/cb HTTP/1.1\nHost: [::1]:81",
                Junk::BadRequest,
            ),
            ("CONNECT evil:1 HTTP/1.1\nHost: [::1]:81", Junk::BadRequest),
        ];
        for (head, junk) in table {
            assert_eq!(judge(head), Verdict::Junk(junk), "{head}");
        }
    }

    #[test]
    fn a_foreign_host_is_not_ours() {
        for host in ["127.0.0.1:81", "localhost:81", "LocalHost:81", "[::1]:81"] {
            assert!(is_ours(host, 81), "{host}");
        }
        for host in [
            "127.0.0.1",
            "127.0.0.1:82",
            "127.0.0.1:081",
            "localhost.evil.example:81",
            "evil.example:81",
            "evil.example",
            "::1:81",
            "[::1]",
            "x@127.0.0.1:81",
            "",
        ] {
            assert!(!is_ours(host, 81), "{host}");
        }
        assert!(is_ours("127.0.0.1", 80));
        assert!(is_ours("[::1]", 80));
    }
}
