//! The first request, sent by the bridge's own client: `initialize` without credentials of a sign-in, so that the server says
//! what it wants. And what its answer says, the time of day included.

use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, AGE, CONTENT_TYPE, DATE, LOCATION};
use http::{HeaderMap, HeaderValue, Method};
use url::Url;

use super::check::Finding;
use super::patient::Patient;
use super::proxy::Hop;
use super::tls;
use crate::auth::Authorizer;
use crate::bridge::Order;
use crate::cli::connection;
use crate::era::detect::{Asked, Era, Verdict, era};
use crate::error::{Exit, Failure, Fatal};
use crate::jsonrpc::{Id, Message, reply};
use crate::net::client::Client;
use crate::net::failure::{classify, tls_error};
use crate::net::guard;
use crate::net::headers::media_type;

/// Bytes of the answer that are read.
const BODY: usize = 64 << 10;

/// The longest that the answer is waited for, and its body.
const LIMIT: Duration = Duration::from_secs(60);
const BODY_LIMIT: Duration = Duration::from_secs(5);

/// A clock that differs by more is told.
const CLOCK: Duration = Duration::from_secs(60);

/// What the server said.
#[derive(Debug, Clone)]
pub struct Contact {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// Where it came from.
    pub peer: Option<IpAddr>,
    /// The time until the headers were there, and of this clock then.
    pub took: Duration,
    at: SystemTime,
    /// Whether it was asked with a POST.
    posted: bool,
    body: Bytes,
    version: String,
}

/// Why nothing was said.
#[derive(Debug, Clone)]
pub struct NoContact {
    /// What the bridge would make of it.
    pub finding: Finding,
    /// What TLS said, where it was that.
    pub tls: Option<rustls::Error>,
}

impl NoContact {
    fn of(finding: Finding) -> Self {
        Self { finding, tls: None }
    }
}

impl Contact {
    /// Sends the first request.
    pub async fn make(patient: &Patient<'_>, url: &Url) -> Result<Self, NoContact> {
        let fatal = |wrong: Fatal| NoContact::of(Finding::of_fatal(&wrong));
        let Some(remote) = &patient.remote else {
            return Err(NoContact::of(Finding::skip("not tried")));
        };
        let client = Client::new(patient.network(url)).map_err(fatal)?;
        let remote_args = &patient.args.remote;
        let mut headers = connection::user_headers(remote_args, patient.env).map_err(fatal)?;
        let posts = !matches!(
            remote.order,
            Order::SseOnly | Order::SseFirst | Order::WebSocket
        );
        let method = if posts { Method::POST } else { Method::GET };
        if let command @ Authorizer::Command(_) = remote.exchange.authorizer() {
            let credentials = command.credentials(&method, url).await;
            let credentials =
                credentials.map_err(|failure| NoContact::of(Finding::of_failure(&failure)))?;
            headers.extend(credentials.headers);
        }
        let accepted = match (posts, remote.order) {
            (true, _) => "application/json, text/event-stream",
            (false, Order::WebSocket) => "*/*",
            (false, _) => "text/event-stream",
        };
        headers.insert(ACCEPT, HeaderValue::from_static(accepted));
        let mut request = client.http().request(method, url.clone());
        if posts {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            request = request.body(hello().line().clone());
        }
        let limit = patient.args.network.headers_timeout.limit();
        let limit = limit.map_or(LIMIT, |limit| limit.min(LIMIT));
        let begun = Instant::now();
        let sent = tokio::time::timeout(limit, request.headers(headers).send()).await;
        let shown = guard::shown(url);
        let response = match sent {
            Err(_) => {
                let failure = Failure::Timeout {
                    what: format!("{shown} sent nothing for {} s", limit.as_secs_f64()),
                    option: "--headers-timeout",
                };
                return Err(NoContact::of(Finding::of_failure(&failure).fault("slow")));
            }
            Ok(Err(wrong)) => {
                let finding = Finding::of_failure(&classify(&wrong, &shown));
                let tls = tls_error(&wrong);
                return Err(NoContact { finding, tls });
            }
            Ok(Ok(response)) => response,
        };
        let contact = Self::read(response, (begun, posts)).await;
        contact.leave(&client, url).await;
        Ok(contact)
    }

    async fn read(mut response: reqwest::Response, (begun, posted): (Instant, bool)) -> Self {
        let (took, at) = (begun.elapsed(), SystemTime::now());
        let mut body = BytesMut::new();
        let is_stream = media_type(response.headers()) == "text/event-stream";
        let rest = async {
            while let Ok(Some(chunk)) = response.chunk().await {
                body.extend_from_slice(&chunk);
                if body.len() > BODY || is_stream {
                    break;
                }
            }
        };
        // What has come is enough.
        let _ = tokio::time::timeout(BODY_LIMIT, rest).await;
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            peer: response.remote_addr().map(|address| address.ip()),
            took,
            at,
            posted,
            body: body.freeze(),
            version: format!("{:?}", response.version()),
        }
    }

    /// Leaves the session that the server may have opened.
    async fn leave(&self, client: &Client, url: &Url) {
        let Some(session) = self.headers.get("mcp-session-id") else {
            return;
        };
        let leaving = client
            .http()
            .delete(url.clone())
            .header("mcp-session-id", session)
            .header("mcp-protocol-version", "2025-11-25");
        let _ = tokio::time::timeout(BODY_LIMIT, leaving.send()).await;
    }

    /// Whether it wants to know who asks.
    pub const fn wants_sign_in(&self) -> bool {
        self.status == 401
    }

    fn message(&self) -> Option<Message> {
        Message::parse(self.body.clone()).ok()
    }

    /// Where a redirect leads.
    fn location(&self, url: &Url) -> Option<Url> {
        if !(300..=399).contains(&self.status) {
            return None;
        }
        let to = self.headers.get(LOCATION)?.to_str().ok()?;
        url.join(to).ok()
    }
}

/// The first message of a client.
fn hello() -> Message {
    let params = format!(
        r#"{{"protocolVersion":"2025-11-25","capabilities":{{}},"clientInfo":{{"name":"mcp-tether","version":"{}"}}}}"#,
        env!("CARGO_PKG_VERSION")
    );
    reply::request(&Id::text("mcp-tether:doctor"), "initialize", Some(&params))
}

/// What the server's answer says of it.
pub async fn http(patient: &mut Patient<'_>) -> Finding {
    if let Some(why) = patient.no_ground() {
        return Finding::skip(why);
    }
    let (Some(url), Some(contact)) = (patient.url.clone(), patient.contact.clone()) else {
        return Finding::skip("not tried: there is no URL");
    };
    let contact = match contact {
        Ok(contact) => contact,
        Err(none) => {
            patient.stopped = Some("http");
            return match speaks_tls(patient, &url).await {
                Some(finding) => finding,
                None => none.finding,
            };
        }
    };
    let finding = judged(patient, &url, &contact);
    if matches!(finding.outcome, super::check::Outcome::Fail(_)) {
        patient.stopped = Some("http");
    }
    finding
        .with("httpStatus", contact.status)
        .with("httpVersion", contact.version.as_str())
        .with("mediaType", media_type(&contact.headers))
        .took(contact.took)
}

fn judged(patient: &Patient<'_>, url: &Url, contact: &Contact) -> Finding {
    let status = contact.status;
    let kind = media_type(&contact.headers);
    let asked = if contact.posted { "POST" } else { "GET" };
    if let Some(to) = contact.location(url) {
        return redirected(url, &to, status);
    }
    let is_page = matches!(kind.as_str(), "text/html" | "application/xhtml+xml");
    match status {
        407 => Finding::fail(
            Exit::Unreachable,
            "the proxy wants a user and password (HTTP 407)",
            "set them in the environment: MCP_TETHER_PROXY=http://USER:PASSWORD@HOST:PORT",
        )
        .fault("proxy-407"),
        200..=299 if is_page => page(patient, url),
        200..=299 => Finding::ok(format!("{} {status}, {}", contact.version, kind_shown(&kind))),
        401 => Finding::ok("HTTP 401: the server wants a sign-in").with("signIn", true),
        403 => Finding::fail(
            Exit::Auth,
            "the server refuses access (HTTP 403)",
            "ask the server's owner for access; some refuse addresses or networks",
        )
        .fault("forbidden"),
        405 if contact.posted => Finding::ok(
            "HTTP 405 to POST: not Streamable HTTP; it may speak HTTP+SSE, which --transport sse-only asks for at once",
        )
        .with("post", false),
        400..=499 => refused(contact, &kind, asked),
        500..=599 => Finding::fail(
            Exit::NotMcp,
            format!("the server has a problem (HTTP {status} to {asked})"),
            "try again later, or tell the server's owner",
        )
        .fault("server-problem"),
        _ => Finding::ok(format!("HTTP {status}")),
    }
}

fn kind_shown(kind: &str) -> &str {
    if kind.is_empty() {
        "without a media type"
    } else {
        kind
    }
}

/// A refusal which other ways of asking may not meet: what the handshake finds decides.
fn refused(contact: &Contact, kind: &str, asked: &str) -> Finding {
    let said = contact.message();
    let status = contact.status;
    if said.is_some() && contact.posted {
        let verdict = era(Asked::Initialize, Some(status), said.as_ref());
        if matches!(
            verdict,
            Verdict::Try(Era::Modern) | Verdict::Is(Era::Modern)
        ) {
            return Finding::ok(format!(
                "HTTP {status}: initialize is unknown to it, so that it speaks 2026-07-28 alone; that is fine"
            ))
            .with("modern", true);
        }
    }
    Finding::ok(format!(
        "HTTP {status} to {asked}, {}; the handshake tells more",
        kind_shown(kind)
    ))
}

fn page(patient: &Patient<'_>, url: &Url) -> Finding {
    let mut mcp = url.clone();
    mcp.set_query(None);
    mcp.set_path(&format!("{}/mcp", url.path().trim_end_matches('/')));
    let hint = if url.path().ends_with("/mcp") {
        "check the URL in the server's documentation; a page may also be that of a proxy or a captive portal".to_owned()
    } else {
        format!(
            "MCP endpoints often end in /mcp or /sse: try mcp-tether doctor {}",
            guard::shown(&mcp)
        )
    };
    let place = patient.shown();
    Finding::fail(
        Exit::NotMcp,
        format!("a web page is at {place}, and no MCP server"),
        hint,
    )
    .fault("web-page")
}

fn redirected(url: &Url, to: &Url, status: u16) -> Finding {
    let mut shown = to.clone();
    shown.set_query(None);
    let shown = guard::shown(&shown);
    let mut secure = url.clone();
    let _ = secure.set_scheme("https");
    let is_upgrade = url.scheme() == "http" && to.scheme() == "https" && to.host() == url.host();
    let finding = if is_upgrade {
        Finding::fail(
            Exit::NotMcp,
            format!("the server wants https: it redirects to {shown} (HTTP {status})"),
            format!("use that URL: mcp-tether doctor {shown}"),
        )
        .fault("wants-https")
    } else if guard::same_origin(url, to) {
        Finding::fail(
            Exit::NotMcp,
            format!(
                "the server redirects to {shown} in a way that loses the message (HTTP {status})"
            ),
            format!("use that URL: mcp-tether doctor {shown}"),
        )
        .fault("redirect")
    } else {
        Finding::fail(
            Exit::NotMcp,
            format!("the server redirects to another one, {shown} (HTTP {status}), which is not followed"),
            format!("if you trust it, use that URL: mcp-tether doctor {shown}"),
        )
        .fault("redirect-elsewhere")
    };
    finding.with("location", shown)
}

/// Whether a server that said nothing sensible to plain http speaks TLS.
async fn speaks_tls(patient: &Patient<'_>, url: &Url) -> Option<Finding> {
    if url.scheme() != "http" || matches!(patient.hop, Hop::Proxy) {
        return None;
    }
    let host = url
        .host_str()?
        .trim_start_matches('[')
        .trim_end_matches(']');
    let limit = patient.network(url).connect_timeout;
    let place = (host, url.port_or_known_default()?);
    let stream = tokio::time::timeout(limit, tokio::net::TcpStream::connect(place)).await;
    tls::look(url, stream.ok()?.ok()?, limit).await.ok()?;
    let mut secure = url.clone();
    let port = url.port_or_known_default();
    let _ = secure.set_scheme("https");
    let _ = secure.set_port(port);
    let secure = guard::shown(&secure);
    let finding = Finding::fail(
        Exit::Unreachable,
        "the server speaks https, and the URL says http",
        format!("use the other URL: mcp-tether doctor {secure}"),
    );
    Some(finding.fault("wants-https"))
}

/// Compares this machine's clock with the server's.
pub fn clock(patient: &Patient<'_>) -> Finding {
    let Some(contact) = patient.answer() else {
        return Finding::skip("not tried: nothing was answered");
    };
    let date = contact
        .headers
        .get(DATE)
        .and_then(|date| date.to_str().ok());
    let Some(date) = date.and_then(|date| httpdate::parse_http_date(date).ok()) else {
        return Finding::skip("the server does not tell the time");
    };
    // What a cache has kept for a while tells the time of then.
    let age = contact
        .headers
        .get(AGE)
        .and_then(|age| age.to_str().ok()?.parse().ok());
    let theirs = date + Duration::from_secs(age.unwrap_or(0).min(u64::from(u32::MAX)));
    let (behind, apart) = match contact.at.duration_since(theirs) {
        Ok(ahead) => (false, ahead),
        Err(behind) => (true, behind.duration()),
    };
    // The header has whole seconds, and the answer was on its way.
    let slack = contact.took + Duration::from_secs(1);
    let seconds = apart.saturating_sub(slack).as_secs();
    let signed = i64::try_from(seconds).unwrap_or(i64::MAX);
    let signed = if behind { -signed } else { signed };
    if apart <= CLOCK + slack {
        return Finding::ok("this clock and the server's agree").with("aheadBySeconds", signed);
    }
    let span = humantime::format_duration(Duration::from_secs(apart.as_secs()));
    let place = if behind { "behind" } else { "ahead of" };
    let command = if cfg!(windows) {
        "w32tm /resync"
    } else if cfg!(target_os = "macos") {
        "sudo sntp -sS time.apple.com"
    } else {
        "timedatectl set-ntp true"
    };
    Finding::warn(
        format!(
            "this clock is {span} {place} the server's: certificates may count as out of date, and tokens as ended or still good"
        ),
        format!("set this machine's clock: {command}"),
    )
    .fault("clock")
    .with("aheadBySeconds", signed)
}
