//! Which proxy is on the way, whether it answers, and whether it lets us through.

use std::time::Duration;

use http::header::{PROXY_AUTHENTICATE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Intercept;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use super::check::Finding;
use super::pac;
use super::patient::Patient;
use crate::auth::challenge;
use crate::error::Exit;
use crate::net::client::Proxy;
use crate::net::guard;
use crate::net::proxy::used;

/// Bytes of a proxy's answer that are read.
const HEAD: usize = 16 << 10;

/// Headers of a proxy's answer.
const HEADERS: usize = 64;

/// How long a proxy may take to answer.
const LIMIT: Duration = Duration::from_secs(20);

/// The first hop on the way to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hop {
    /// The server itself.
    Direct,
    /// A proxy.
    Proxy,
}

/// Looks at the proxy on the way.
pub async fn check(patient: &mut Patient<'_>) -> Finding {
    let Some(url) = patient.url.clone() else {
        return Finding::skip("not tried: there is no URL");
    };
    let wanted = patient.network(&url).proxy;
    if matches!(wanted, Proxy::Environment) && pac::is_excepted(&url, patient.env) {
        return Finding::ok("none: NO_PROXY names the server");
    }
    if let Some(finding) = pac::named(&wanted, &url, patient.env) {
        patient.stopped = Some("proxy");
        return finding;
    }
    let Some(proxy) = used(&wanted, &url) else {
        let system = match wanted {
            Proxy::Environment if !guard::is_loopback(&url) => pac::of_system(patient.env).await,
            _ => None,
        };
        return match (system, wanted) {
            (Some(finding), _) => finding,
            (None, Proxy::Direct) => Finding::ok("none is used (--no-proxy)"),
            (None, _) if guard::is_loopback(&url) => {
                Finding::ok("none: the server is on this machine")
            }
            (None, _) => Finding::ok("none is set"),
        };
    };
    let shown = shown(&proxy);
    patient.hop = Hop::Proxy;
    let limit = patient.network(&url).connect_timeout;
    let finding = match reach(&proxy, limit).await {
        Err(why) => Err(Finding::fail(
            Exit::Unreachable,
            format!("the proxy {shown} does not answer: {why}"),
            "start the proxy or correct its address with --proxy, or go without it with --no-proxy",
        )
        .fault("proxy-down")),
        Ok(stream) if proxy.uri().scheme_str() == Some("http") => {
            through(patient, &proxy, &url, stream).await
        }
        // Its own protocol comes with the first request.
        Ok(_) => Ok(Finding::ok(format!("{shown} answers"))),
    };
    let finding = finding.unwrap_or_else(|failed| {
        patient.stopped = Some("proxy");
        failed
    });
    finding.with("proxy", shown)
}

/// The proxy for people, without its user and password.
fn shown(proxy: &Intercept) -> String {
    let uri = proxy.uri();
    let (host, port) = place(uri);
    format!("{}://{host}:{port}", uri.scheme_str().unwrap_or("http"))
}

fn place(uri: &Uri) -> (&str, u16) {
    let usual = match uri.scheme_str() {
        Some("https") => 443,
        Some(scheme) if scheme.starts_with("socks") => 1080,
        _ => 80,
    };
    (
        uri.host().unwrap_or_default(),
        uri.port_u16().unwrap_or(usual),
    )
}

async fn reach(proxy: &Intercept, limit: Duration) -> Result<TcpStream, String> {
    let (host, port) = place(proxy.uri());
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match tokio::time::timeout(limit, TcpStream::connect((host, port))).await {
        Err(_) => Err(format!("nothing came for {} s", limit.as_secs_f64())),
        Ok(connected) => connected.map_err(|wrong| super::network::told(&wrong)),
    }
}

/// Asks an HTTP proxy to let us through: by a tunnel for https, and else by a request for nothing.
async fn through(
    patient: &mut Patient<'_>,
    proxy: &Intercept,
    url: &Url,
    mut stream: TcpStream,
) -> Result<Finding, Finding> {
    let target = format!(
        "{}:{}",
        url.host_str().unwrap_or_default(),
        url.port_or_known_default().unwrap_or(443)
    );
    let tunnel = url.scheme() == "https";
    let line = if tunnel {
        format!("CONNECT {target} HTTP/1.1\r\n")
    } else {
        format!("HEAD http://{target}/ HTTP/1.1\r\n")
    };
    let auth = proxy.basic_auth().and_then(|value| value.to_str().ok());
    let auth = auth.map(|value| format!("proxy-authorization: {value}\r\n"));
    let request = format!(
        "{line}host: {target}\r\n{}\r\n",
        auth.as_deref().unwrap_or_default()
    );
    let shown = shown(proxy);
    let asked = tokio::time::timeout(LIMIT, ask(&mut stream, &request)).await;
    let (status, headers) = match asked {
        Ok(Some(answer)) => answer,
        Ok(None) => {
            return Err(Finding::fail(
                Exit::Unreachable,
                format!("what is at {shown} does not answer as an HTTP proxy does"),
                "check the address and kind of the proxy: socks5h:// is another kind than http://",
            )
            .fault("no-proxy"));
        }
        Err(_) => {
            return Err(Finding::fail(
                Exit::Unreachable,
                format!("the proxy {shown} said nothing for {} s", LIMIT.as_secs()),
                "check that the proxy can reach the server, or go without it with --no-proxy",
            )
            .fault("proxy-silent"));
        }
    };
    match status {
        407 => Err(refused(&shown, &headers, auth.is_some())),
        200..=299 if tunnel => {
            patient.stream = Some(stream);
            Ok(Finding::ok(format!("{shown} lets us through to {target}")))
        }
        _ if !tunnel => Ok(Finding::ok(format!("{shown} passes requests on"))),
        502..=504 => Err(Finding::fail(
            Exit::Unreachable,
            format!("the proxy {shown} cannot reach {target} (HTTP {status})"),
            "check the host in the URL; if only this machine knows it, go without the proxy with --no-proxy",
        )
        .fault("proxy-cannot-reach")
        .with("httpStatus", status)),
        _ => Err(Finding::fail(
            Exit::Unreachable,
            format!("the proxy {shown} refuses a connection to {target} (HTTP {status})"),
            "ask the proxy's owner to allow the server, or go without the proxy with --no-proxy",
        )
        .fault("proxy-refuses")
        .with("httpStatus", status)),
    }
}

/// What a 407 wants (RFC 9110 §11.7.1).
fn refused(shown: &str, headers: &HeaderMap, given: bool) -> Finding {
    let schemes: Vec<String> = challenge::challenges(headers)
        .into_iter()
        .map(|challenge| challenge.scheme)
        .collect();
    let wants = |scheme: &str| schemes.iter().any(|wanted| wanted == scheme);
    let companies = [
        ("negotiate", "Kerberos (Negotiate)"),
        ("kerberos", "Kerberos"),
        ("ntlm", "NTLM"),
    ];
    let named: Vec<&str> = companies
        .iter()
        .filter(|(scheme, _)| wants(scheme))
        .map(|(_, name)| *name)
        .collect();
    let finding = if !named.is_empty() && !wants("basic") {
        Finding::fail(
            Exit::Unreachable,
            format!(
                "the proxy {shown} wants {} (HTTP 407), which mcp-tether does not speak",
                named.join(" or ")
            ),
            "run a local proxy that signs in for you, such as px or cntlm, and give it with --proxy http://127.0.0.1:3128",
        )
        .fault("proxy-kerberos")
    } else if given {
        Finding::fail(
            Exit::Unreachable,
            format!("the proxy {shown} refuses the given user and password (HTTP 407)"),
            "correct them in the proxy's URL; characters like @ and : in them are written as %40 and %3A",
        )
        .fault("proxy-407")
    } else {
        Finding::fail(
            Exit::Unreachable,
            format!("the proxy {shown} wants a user and password (HTTP 407)"),
            "set them in the environment: MCP_TETHER_PROXY=http://USER:PASSWORD@HOST:PORT",
        )
        .fault("proxy-407")
    };
    finding.with("schemes", schemes).with("httpStatus", 407)
}

/// Sends a request and reads the head of the answer. The challenges of a proxy are put where those of a server would be.
async fn ask(stream: &mut TcpStream, request: &str) -> Option<(u16, HeaderMap)> {
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD {
        // One at a time: what follows belongs to TLS.
        let byte = stream.read_u8().await.ok()?;
        head.push(byte);
    }
    let mut parsed = [httparse::EMPTY_HEADER; HEADERS];
    let mut response = httparse::Response::new(&mut parsed);
    response.parse(&head).ok()?;
    let mut headers = HeaderMap::new();
    for header in response.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        let name = if name == PROXY_AUTHENTICATE {
            WWW_AUTHENTICATE
        } else {
            name
        };
        headers.append(name, HeaderValue::from_bytes(header.value).ok()?);
    }
    Some((response.code?, headers))
}
