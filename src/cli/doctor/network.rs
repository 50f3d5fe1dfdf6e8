//! The name of the server and its addresses: each is tried and told.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::net::TcpStream;
use url::{Host, Url};

use super::check::Finding;
use super::patient::Patient;
use super::proxy::Hop;
use crate::error::Exit;
use crate::net::client::Family;
use crate::net::guard;

/// Addresses that are tried.
const MOST: usize = 8;

/// Looks the host up. Gives its addresses of the families that may be used.
pub async fn dns(patient: &mut Patient<'_>, addresses: &mut Vec<SocketAddr>) -> Finding {
    if let Some(why) = patient.no_ground() {
        return Finding::skip(why);
    }
    let Some(url) = patient.url.clone() else {
        return Finding::skip("not tried: there is no URL");
    };
    if matches!(patient.hop, Hop::Proxy) {
        return Finding::skip("the proxy looks the host up");
    }
    let network = patient.network(&url);
    let port = url.port_or_known_default().unwrap_or(443);
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let looked_up = tokio::net::lookup_host((bare, port));
    let found = match tokio::time::timeout(network.connect_timeout, looked_up).await {
        Ok(Ok(found)) => found.collect::<Vec<_>>(),
        Ok(Err(wrong)) => {
            patient.stopped = Some("dns");
            return unknown(bare, &plain(&wrong));
        }
        Err(_) => {
            patient.stopped = Some("dns");
            let limit = network.connect_timeout.as_secs_f64();
            return unknown(bare, &format!("no answer came for {limit} s"));
        }
    };
    *addresses = unique(&found, network.family);
    if addresses.is_empty() {
        patient.stopped = Some("dns");
        let (wanted, option) = match network.family {
            Family::V6 => ("IPv6", "--ipv6"),
            Family::V4 | Family::Any => ("IPv4", "--ipv4"),
        };
        return Finding::fail(
            Exit::Unreachable,
            format!("{bare} has no {wanted} address"),
            format!("leave {option} out"),
        )
        .fault("no-address");
    }
    let shown: Vec<String> = addresses
        .iter()
        .map(|address| address.ip().to_string())
        .collect();
    let told = match url.host() {
        Some(Host::Domain(_)) => format!("{bare} is {}", shown.join(", ")),
        _ => "the URL has an address: nothing to look up".to_owned(),
    };
    Finding::ok(told).with("addresses", shown)
}

fn unknown(host: &str, why: &str) -> Finding {
    Finding::fail(
        Exit::Unreachable,
        format!("{host} is not known: {why}"),
        "check how the host is written, and the network: a company's names need its VPN or its proxy (--proxy URL)",
    )
    .fault("unknown-host")
}

fn unique(found: &[SocketAddr], family: Family) -> Vec<SocketAddr> {
    let mut kept: Vec<SocketAddr> = Vec::new();
    for address in found {
        let wanted = match family {
            Family::Any => true,
            Family::V4 => address.is_ipv4(),
            Family::V6 => address.is_ipv6(),
        };
        if wanted && !kept.contains(address) && kept.len() < MOST {
            kept.push(*address);
        }
    }
    kept
}

/// What came of one address.
struct Tried {
    address: SocketAddr,
    took: Duration,
    result: Result<TcpStream, io::Error>,
}

/// Connects to each address.
pub async fn tcp(patient: &mut Patient<'_>, addresses: &[SocketAddr]) -> Finding {
    if let Some(why) = patient.no_ground() {
        return Finding::skip(why);
    }
    let Some(url) = patient.url.clone() else {
        return Finding::skip("not tried: there is no URL");
    };
    if matches!(patient.hop, Hop::Proxy) {
        return Finding::skip("the proxy connects");
    }
    let limit = patient.network(&url).connect_timeout;
    let tries = addresses.iter().map(|address| attempt(*address, limit));
    let all = join_all(tries).await;
    let told: Vec<String> = all.iter().map(Tried::text).collect();
    let details: Vec<serde_json::Value> = all.iter().map(Tried::json).collect();
    let finding = judged(&url, &all, &told.join(", "));
    if matches!(finding.outcome, super::check::Outcome::Fail(_)) {
        patient.stopped = Some("tcp");
    }
    patient.stream = all.into_iter().find_map(|tried| tried.result.ok());
    finding.with("addresses", details)
}

async fn attempt(address: SocketAddr, limit: Duration) -> Tried {
    let begun = Instant::now();
    let result = tokio::time::timeout(limit, TcpStream::connect(address)).await;
    Tried {
        address,
        result: result.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
        took: begun.elapsed(),
    }
}

impl Tried {
    fn text(&self) -> String {
        match &self.result {
            Ok(_) => format!("{} in {} ms", self.address, self.took.as_millis()),
            Err(wrong) => format!("{} {}", self.address, told(wrong)),
        }
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "address": self.address.to_string(),
            "ms": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            "error": self.result.as_ref().err().map(told),
        })
    }
}

fn judged(url: &Url, all: &[Tried], told: &str) -> Finding {
    let works = |v4: bool| {
        let mut family = all
            .iter()
            .filter(|tried| tried.address.is_ipv4() == v4)
            .peekable();
        family.peek()?;
        Some(family.any(|tried| tried.result.is_ok()))
    };
    let port = url.port_or_known_default().unwrap_or(443);
    let refused = |tried: &Tried| {
        let wrong = tried.result.as_ref().err();
        wrong.is_some_and(|wrong| wrong.kind() == io::ErrorKind::ConnectionRefused)
    };
    match (works(true), works(false)) {
        (Some(true), Some(false)) if !guard::is_loopback(url) => Finding::warn(
            format!("IPv6 does not work on the way there: {told}"),
            "each new connection may wait for it: add --ipv4",
        )
        .fault("no-ipv6"),
        (Some(false), Some(true)) if !guard::is_loopback(url) => Finding::warn(
            format!("IPv4 does not work on the way there: {told}"),
            "each new connection may wait for it: add --ipv6",
        )
        .fault("no-ipv4"),
        (Some(true), _) | (_, Some(true)) => Finding::ok(told),
        _ if all.iter().all(refused) => Finding::fail(
            Exit::Unreachable,
            format!("nothing listens there: {told}"),
            format!("start the server, or correct the port in the URL (it is {port})"),
        )
        .fault("refused"),
        _ => Finding::fail(
            Exit::Unreachable,
            format!("no connection: {told}"),
            "check the network, VPN and firewall; where only a proxy leads out, give it with --proxy URL",
        )
        .fault("no-connection"),
    }
}

/// What a connection failed with, in few words.
pub fn told(wrong: &io::Error) -> String {
    match wrong.kind() {
        io::ErrorKind::ConnectionRefused => "refused".to_owned(),
        io::ErrorKind::TimedOut => "timed out".to_owned(),
        io::ErrorKind::NetworkUnreachable => "network unreachable".to_owned(),
        io::ErrorKind::HostUnreachable => "host unreachable".to_owned(),
        _ => plain(wrong),
    }
}

/// The words of the system without its number.
fn plain(wrong: &io::Error) -> String {
    let text = wrong.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let text = text
        .strip_prefix("failed to lookup address information: ")
        .unwrap_or(text);
    text.to_lowercase()
}
