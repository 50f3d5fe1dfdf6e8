//! What the listener writes: the page, a redirect, or a line for requests that no browser's user sees. Nothing in it comes
//! from the request.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::request::Junk;

const TEMPLATE: &str = include_str!("page.html");

/// On every answer. The page needs nothing but its own style, named by its hash.
const HEADERS: &str = "Connection: close\r\n\
    Cache-Control: no-store\r\n\
    Referrer-Policy: no-referrer\r\n\
    X-Content-Type-Options: nosniff\r\n\
    Content-Security-Policy: default-src 'none'; \
    style-src 'sha256-gs1p0u8mVmyjiKTDrvoVO5b94ZNy1SqTT8rmTBWLTlI='; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n";

/// The longest that a browser may take to read an answer.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

/// The longest wait for the other side to close.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);

const TICK: &str = "M5 12.5l4.5 4.5L19 7.5";
const CROSS: &str = "M6.5 6.5l11 11M17.5 6.5l-11 11";
const BANG: &str = "M12 5v9M12 18.5v.01";
const LETTER_I: &str = "M12 5.5v.01M12 10.5v8";

/// What the user may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    SignedIn,
    Refused,
    Failed,
    AlreadyDone,
    Unexpected,
}

/// What the page says in one state.
struct Words {
    title: &'static str,
    heading: &'static str,
    text: &'static str,
    tone: &'static str,
    mark: &'static str,
}

impl Page {
    const fn status(self) -> &'static str {
        match self {
            Self::SignedIn => "200 OK",
            Self::Refused => "403 Forbidden",
            Self::Failed => "500 Internal Server Error",
            Self::AlreadyDone => "410 Gone",
            Self::Unexpected => "400 Bad Request",
        }
    }

    const fn words(self) -> Words {
        match self {
            Self::SignedIn => Words {
                title: "Signed in",
                heading: "You are signed in",
                text: "You can close this tab and go back to your app.",
                tone: "good",
                mark: TICK,
            },
            Self::Refused => Words {
                title: "Sign-in refused",
                heading: "Access was not given",
                text: "The sign-in was cancelled or refused. To try again, start from your app. You can close this tab.",
                tone: "bad",
                mark: CROSS,
            },
            Self::Failed => Words {
                title: "Sign-in failed",
                heading: "The sign-in did not work",
                text: "Your app can tell you why, and you can try again from there. You can close this tab.",
                tone: "bad",
                mark: BANG,
            },
            Self::AlreadyDone => Words {
                title: "Link already used",
                heading: "This link was already used",
                text: "A sign-in link works only once. Your app knows whether you are signed in. You can close this tab.",
                tone: "calm",
                mark: LETTER_I,
            },
            Self::Unexpected => Words {
                title: "Unknown link",
                heading: "No sign-in waits for this link",
                text: "It may be from an earlier attempt. You can close this tab. To sign in, start again from your app.",
                tone: "calm",
                mark: LETTER_I,
            },
        }
    }

    fn html(self) -> String {
        let words = self.words();
        TEMPLATE
            .replace("{title}", words.title)
            .replace("{heading}", words.heading)
            .replace("{text}", words.text)
            .replace("{tone}", words.tone)
            .replace("{mark}", words.mark)
    }
}

impl Junk {
    const fn status(self) -> &'static str {
        match self {
            Self::BadRequest => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::Method => "405 Method Not Allowed",
            Self::HeadTooLarge => "431 Request Header Fields Too Large",
        }
    }
}

/// An answer.
#[derive(Debug)]
pub(super) enum Answer {
    Page(Page),
    /// To the page that the user chose.
    Elsewhere(String),
    Junk(Junk),
}

impl Answer {
    /// All of it, as it goes over the wire.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let (status, more, kind, body) = match self {
            Self::Page(page) => (page.status(), String::new(), "text/html", page.html()),
            Self::Elsewhere(to) => (
                "303 See Other",
                format!("Location: {to}\r\n"),
                "text/plain",
                String::new(),
            ),
            Self::Junk(junk) => {
                let allow = match junk {
                    Junk::Method => "Allow: GET\r\n".to_owned(),
                    _ => String::new(),
                };
                (
                    junk.status(),
                    allow,
                    "text/plain",
                    format!("{}\n", junk.status()),
                )
            }
        };
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {}\r\n{more}{HEADERS}\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    /// Writes it and says that no more comes. A browser that left does not matter.
    pub(super) async fn write(&self, stream: &mut TcpStream) {
        let bytes = self.bytes();
        let written = async {
            stream.write_all(&bytes).await?;
            stream.shutdown().await
        };
        let _ = tokio::time::timeout(WRITE_LIMIT, written).await;
    }
}

/// Reads what still comes: closing a socket with unread bytes can take the answer away from the other side.
pub(super) async fn drain(stream: &mut TcpStream) {
    let mut chunk = [0; 2048];
    let end = async { while matches!(stream.read(&mut chunk).await, Ok(1..)) {} };
    let _ = tokio::time::timeout(DRAIN_LIMIT, end).await;
}

#[cfg(test)]
mod tests {
    use super::{Answer, HEADERS, Page, TEMPLATE};

    const PAGES: [Page; 5] = [
        Page::SignedIn,
        Page::Refused,
        Page::Failed,
        Page::AlreadyDone,
        Page::Unexpected,
    ];

    fn base64(bytes: &[u8]) -> String {
        const LETTERS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let group = |part: &[u8]| {
            let all = (0..3).fold(0, |all, at| {
                all << 8 | u32::from(*part.get(at).unwrap_or(&0))
            });
            let letter = |at: usize| match at <= part.len() {
                true => char::from(LETTERS[(all >> (18 - 6 * at)) as usize & 63]),
                false => '=',
            };
            (0..4).map(letter).collect::<String>()
        };
        bytes.chunks(3).map(group).collect()
    }

    #[test]
    fn the_policy_allows_the_style_of_the_page_and_nothing_else() {
        let style = TEMPLATE
            .split(['<', '>'])
            .skip_while(|part| *part != "style")
            .nth(1);
        let rustls::SupportedCipherSuite::Tls13(suite) =
            rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256
        else {
            panic!("a suite of TLS 1.3");
        };
        let hash = suite.common.hash_provider.hash(style.unwrap().as_bytes());
        let wanted = format!("style-src 'sha256-{}'; ", base64(hash.as_ref()));
        assert!(HEADERS.contains(&wanted), "{wanted}");
        assert_eq!(HEADERS.matches("-src").count(), 2);
    }

    #[test]
    fn every_page_is_small_complete_and_alone() {
        for page in PAGES {
            let html = page.html();
            assert!(html.len() < 8 * 1024);
            assert!(!html.contains('{') || html.matches(['{', '}']).count() % 2 == 0);
            for word in [
                "{title}",
                "{heading}",
                "{text}",
                "{tone}",
                "{mark}",
                "<script",
                "http",
                "url(",
                "style=",
            ] {
                assert!(!html.contains(word), "{page:?}: {word}");
            }
            for word in [
                "lang=\"en\"",
                "<title>",
                "<h1>",
                "<main>",
                "prefers-color-scheme: dark",
            ] {
                assert!(html.contains(word), "{page:?}: {word}");
            }
            let bytes = String::from_utf8(Answer::Page(page).bytes()).unwrap();
            assert!(bytes.contains(&format!("\r\nContent-Length: {}\r\n", html.len())));
            assert!(bytes.ends_with(&html));
        }
    }
}
