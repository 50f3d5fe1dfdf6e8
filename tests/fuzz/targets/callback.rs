//! The end of a sign-in: the request on loopback and its query, against a decoder of its own.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mcp_tether::auth::loopback::{
    Announced, Malformed, Outcome, Rejected, callback_query, parse_callback,
};
use mcp_tether::secret::Secret;
use mcp_tether_fuzz::is_plain;

const ISSUER: &str = "https://as.example";
const NAMES: [&str; 5] = ["state", "iss", "code", "error", "error_description"];

fuzz_target!(|data: &[u8]| {
    if let Some(query) = callback_query(data.to_vec(), 81, "/cb") {
        let head = std::str::from_utf8(data).expect("it was read");
        let line = head.split("\r\n").next().unwrap_or_default();
        let target = format!("/cb?{query}");
        let ours = line.starts_with(&format!("GET {target} HTTP/1."))
            || (query.is_empty() && line.starts_with("GET /cb HTTP/1."));
        assert!(ours, "{line}");
        let hosts = head.split("\r\n").skip(1);
        let hosts = hosts.filter(|line| line.to_ascii_lowercase().starts_with("host:"));
        assert_eq!(hosts.count(), 1);
        callback(&query);
    }
    if let Ok(query) = std::str::from_utf8(data) {
        callback(query);
    }
});

fn callback(query: &str) {
    let pairs = decoded(query);
    let all = |name: &str| -> Vec<&str> {
        let found = pairs.iter().filter(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).collect()
    };
    let response = parse_callback(query);
    assert_eq!(response.iss(), all("iss").last().copied());

    let given = all("state");
    let state = |text: &str| response.has_state(&Secret::new(text.to_owned()));
    match given[..] {
        [one] => {
            assert_eq!(state(one), !one.is_empty());
            assert!(!state(&format!("{one}x")));
        }
        _ => assert!(given.iter().all(|one| !state(one))),
    }
    assert!(!state(""));

    let strict = response.outcome(ISSUER, Announced::Yes);
    let outcome = response.outcome(ISSUER, Announced::No);
    match all("iss").last() {
        None => assert_eq!(strict, Err(Rejected::IssuerMissing)),
        Some(iss) if *iss != ISSUER => {
            assert_eq!(outcome, Err(Rejected::IssuerMismatch));
            assert_eq!(strict, outcome);
            return;
        }
        Some(_) => assert_eq!(strict, outcome),
    }
    let has = |name| all(name).iter().any(|value| !value.is_empty());
    let twice = NAMES.iter().find(|name| all(name).len() > 1);
    match outcome {
        Err(Rejected::Malformed(Malformed::Duplicate(name))) => assert_eq!(twice, Some(&name)),
        Err(Rejected::Malformed(Malformed::Both)) => assert!(has("code") && has("error")),
        Err(Rejected::Malformed(Malformed::Neither)) => assert!(!has("code") && !has("error")),
        Err(other) => panic!("{other}"),
        Ok(Outcome::Code(code)) => {
            assert_eq!(all("code"), [code.expose()]);
            assert!(!has("error") && twice.is_none());
        }
        Ok(Outcome::Error { error, description }) => {
            assert!(has("error") && !has("code") && twice.is_none());
            for text in std::iter::once(error).chain(description) {
                assert!(is_plain(text) && text.chars().count() <= 300);
            }
        }
    }
}

/// `application/x-www-form-urlencoded` (WHATWG URL §5.1).
fn decoded(query: &str) -> Vec<(String, String)> {
    let text = |part: &str| {
        let part = part.as_bytes();
        let (mut out, mut at) = (Vec::new(), 0);
        while at < part.len() {
            let hex = part.get(at + 1..at + 3).filter(|_| part[at] == b'%');
            let hex = hex.filter(|hex| hex.iter().all(u8::is_ascii_hexdigit));
            let hex = hex.and_then(|hex| std::str::from_utf8(hex).ok());
            match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
                Some(byte) => {
                    out.push(byte);
                    at += 3;
                }
                None => {
                    out.push(if part[at] == b'+' { b' ' } else { part[at] });
                    at += 1;
                }
            }
        }
        String::from_utf8_lossy(&out).into_owned()
    };
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}
