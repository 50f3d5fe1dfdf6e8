//! What the server's first answer says of it: its status, its media type, where it leads, and the time of day.

use std::time::Duration;

use http::header::{AGE, DATE};
use url::Url;

use super::check::{Finding, Outcome};
use super::contact::Contact;
use super::patient::Patient;
use super::proxy::Hop;
use super::tls;
use crate::era::detect::{Asked, Era, Verdict, era};
use crate::error::Exit;
use crate::net::guard;
use crate::net::headers::media_type;

/// How long a server is asked whether it speaks TLS.
const LOOK: Duration = Duration::from_secs(5);

/// A clock that differs by more is told.
const CLOCK: Duration = Duration::from_secs(60);

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
            // A server that is silent has said nothing of what it speaks.
            if none.finding.details.get("fault").is_some() {
                return none.finding;
            }
            let secure = tokio::time::timeout(LOOK, speaks_tls(patient, &url)).await;
            return secure.ok().flatten().unwrap_or(none.finding);
        }
    };
    let finding = judged(patient, &url, &contact);
    if matches!(finding.outcome, Outcome::Fail(_)) {
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
        101 => Finding::ok("HTTP 101: the server takes WebSocket"),
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
    let hint = if url.path().trim_end_matches('/').ends_with("/mcp") {
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
