//! Which URLs are fit to talk to, and how they are shown.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::StatusCode;
use reqwest::redirect::{Attempt, Policy};
use url::{Host, Url};

use crate::error::Fatal;

/// Redirects within one origin that are followed before giving up.
pub const MAX_REDIRECTS: usize = 10;

/// Whether plain http is accepted beyond this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainHttp {
    /// To any host (`--allow-http`).
    Anywhere,
    /// To loopback only.
    Loopback,
}

/// Whether a URL says by its scheme that the server speaks WebSocket.
pub fn names_websocket(text: &str) -> bool {
    Url::parse(text.trim()).is_ok_and(|url| matches!(url.scheme(), "ws" | "wss"))
}

/// Reads the URL of a remote server. One of WebSocket is given as that of the upgrade request: `wss` as `https`, `ws` as `http`.
///
/// # Errors
/// A usage error that says what is wrong with the URL and what to type instead.
pub fn server_url(text: &str, plain: PlainHttp) -> Result<Url, Fatal> {
    let text = text.trim();
    let mut url = Url::parse(text).map_err(|wrong| {
        Fatal::usage(
            format!("{:?} is not a URL: {wrong}", without_query(text)),
            "give the whole address, like https://example.com/mcp",
        )
    })?;
    let (plainly, safely) = match url.scheme() {
        "ws" | "wss" => ("ws", "wss"),
        _ => ("http", "https"),
    };
    let known = url.scheme() == plainly || url.scheme() == safely;
    if url.host_str().is_none_or(str::is_empty) || !known {
        return Err(Fatal::usage(
            format!("{} is not an http, https, ws or wss URL", shown(&url)),
            "give the whole address, like https://example.com/mcp",
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Fatal::usage(
            "the URL holds a user name or password, which every process list would show",
            "take it out and give an Authorization header with --header-file",
        ));
    }
    if url.scheme() == plainly && plain == PlainHttp::Loopback && !is_loopback(&url) {
        return Err(Fatal::usage(
            format!(
                "plain {plainly} to {} could be read on the way",
                host_shown(&url)
            ),
            format!("use {safely}, or add --allow-http if the network is trusted"),
        ));
    }
    let of_upgrade = if url.scheme() == plainly {
        "http"
    } else {
        "https"
    };
    // All four are special schemes with the same parts, so that it cannot fail.
    let _ = url.set_scheme(of_upgrade);
    Ok(url)
}

/// What was typed, up to where a secret may begin.
pub fn without_query(text: &str) -> &str {
    text.split(['?', '#']).next().unwrap_or_default()
}

/// Whether the URL leads to this machine: `localhost`, all of 127.0.0.0/8, `[::1]`.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name.eq_ignore_ascii_case("localhost")
                || name.to_ascii_lowercase().ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether two URLs have the same scheme, host and port (RFC 6454).
pub fn same_origin(a: &Url, b: &Url) -> bool {
    a.origin() == b.origin()
}

/// Whether redirects are followed where they are seen first, or left to whoever sent the request.
#[derive(Debug, Clone, Default)]
pub struct Following(Arc<AtomicBool>);

impl Following {
    /// From now on redirects are left to the sender: a request that is good for one URL only has to be made anew.
    pub fn leave(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether they are left to the sender.
    pub fn is_left(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Follows 307 and 308 within the origin only: other codes turn a POST into a GET, and another origin must see neither
/// the message nor the user's headers.
pub fn redirects(following: Following) -> Policy {
    Policy::custom(move |attempt: Attempt<'_>| {
        let first = attempt.previous().first();
        let within = first.is_some_and(|from| is_followed(attempt.status(), from, attempt.url()));
        if within && !following.is_left() && attempt.previous().len() <= MAX_REDIRECTS {
            attempt.follow()
        } else {
            attempt.stop()
        }
    })
}

/// Whether a redirect keeps the method and stays within the origin.
pub fn is_followed(status: StatusCode, from: &Url, to: &Url) -> bool {
    matches!(status.as_u16(), 307 | 308) && same_origin(from, to)
}

/// A URL for people: without user, password, fragment and the values of its query, which may be secrets.
pub fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_fragment(None);
    if let Some(query) = url.query() {
        // A part without a name is all value.
        let parts: Vec<String> = query
            .split('&')
            .map(|part| match part.split_once('=') {
                Some((name, _)) => format!("{name}=.."),
                None => "..".to_owned(),
            })
            .collect();
        shown.set_query(Some(&parts.join("&")));
    }
    shown.to_string()
}

/// The host and port for people.
pub fn host_shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{PlainHttp, is_loopback, names_websocket, server_url, shown};
    use url::Url;

    #[test]
    fn plain_http_is_for_loopback_unless_allowed() {
        for text in [
            "http://localhost:1/mcp",
            "http://127.0.0.1/",
            "http://127.9.8.7:80/x",
            "http://[::1]:9/mcp",
            "https://example.com",
            "ws://localhost:1/mcp",
            "wss://example.com",
        ] {
            assert!(server_url(text, PlainHttp::Loopback).is_ok(), "{text}");
        }
        for text in [
            "http://example.com/mcp",
            "ws://example.com/mcp",
            "http://10.0.0.1/",
            "http://localhost.evil.example/",
            "http://[::2]/",
        ] {
            let refused = server_url(text, PlainHttp::Loopback).unwrap_err();
            assert!(refused.hint.unwrap().contains("--allow-http"), "{text}");
            assert!(server_url(text, PlainHttp::Anywhere).is_ok(), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_server_url() {
        for text in [
            "",
            "example.com/mcp",
            "ftp://example.com",
            "file:///etc/passwd",
            "https://",
            "https://u:p@example.com/",
        ] {
            let refused = server_url(text, PlainHttp::Anywhere).expect_err(text);
            assert!(!refused.message.contains("u:p"), "{}", refused.message);
        }
    }

    #[test]
    fn a_websocket_url_is_that_of_its_upgrade() {
        for (text, upgrade) in [
            ("ws://127.0.0.1:9/a?b=c", "http://127.0.0.1:9/a?b=c"),
            ("ws://localhost", "http://localhost/"),
            ("wss://h.example:443/mcp", "https://h.example/mcp"),
        ] {
            let url = server_url(text, PlainHttp::Loopback).unwrap();
            assert_eq!(url.as_str(), upgrade);
            assert!(names_websocket(text) && !names_websocket(upgrade));
        }
    }

    #[test]
    fn shows_no_secrets() {
        let url = Url::parse("https://u:p@h.example/a?key=s3cret&x=1&s3cret#frag").unwrap();
        assert_eq!(shown(&url), "https://h.example/a?key=..&x=..&..");
        assert!(!is_loopback(&url));
    }
}
