//! `WWW-Authenticate`: what is read of any headers can be written and read again, and is bounded by what came.
#![no_main]

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use mcp_tether::auth::challenge::{Challenge, challenges, error, oauth};
use mcp_tether::auth::dpop::{Challenged, wants_nonce};

fuzz_target!(|data: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(WWW_AUTHENTICATE, value);
        }
    }
    let found = challenges(&headers);
    let mut size = 0;
    for challenge in &found {
        assert!(is_name(&challenge.scheme), "{challenge:?}");
        size += challenge.scheme.len();
        for (name, value) in &challenge.parameters {
            assert!(is_name(name), "{challenge:?}");
            assert!(challenge.parameter(name).is_some());
            size += name.len() + value.len();
        }
    }
    // What is no UTF-8 grows to three bytes.
    assert!(size <= data.len() * 3);

    let first = |scheme: &str| found.iter().find(|one| one.scheme == scheme);
    assert_eq!(oauth(&found), first("bearer").or_else(|| first("dpop")));
    assert_eq!(wants_nonce(&headers), error(&found, "use_dpop_nonce"));
    if Challenged::of(&found) != Challenged::No {
        assert!(first("dpop").is_some());
    }

    let mut written = HeaderMap::new();
    for challenge in &found {
        let value = HeaderValue::from_str(&write(challenge));
        let value = value.or_else(|_| HeaderValue::from_bytes(write(challenge).as_bytes()));
        written.append(WWW_AUTHENTICATE, value.expect("it came in a header"));
    }
    assert_eq!(challenges(&written), found);
});

fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?={}".contains(c);
    !text.is_empty() && text.chars().all(allowed) && text == text.to_ascii_lowercase()
}

fn write(challenge: &Challenge) -> String {
    let parameters = challenge.parameters.iter().map(|(name, value)| {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        format!("{name}=\"{value}\"")
    });
    let parameters: Vec<String> = parameters.collect();
    format!("{} {}", challenge.scheme, parameters.join(", "))
}
