//! Nonces for proofs: the newest of each origin that RFC 9449 allows, and it stands in the proof as it came.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;
use mcp_tether::auth::dpop::{Claims, Key, NONCE, Nonces};
use mcp_tether_fuzz::Pick;
use serde_json::Value;
use url::Url;

static KEY: LazyLock<Key> = LazyLock::new(|| Key::generate().expect("a key"));

fuzz_target!(|data: &[u8]| {
    let mut pick = Pick(data);
    let nonces = Nonces::default();
    let mut known: BTreeMap<u8, String> = BTreeMap::new();
    while !pick.0.is_empty() {
        let (server, line) = (pick.byte(), pick.line());
        let Ok(value) = HeaderValue::from_bytes(line) else {
            continue;
        };
        let headers = HeaderMap::from_iter([(NONCE, value)]);
        let url = url(server);
        nonces.observe(&url, &headers);
        let allowed = |byte: &u8| (0x21..=0x7e).contains(byte) && !b"\"\\".contains(byte);
        if !line.is_empty() && line.len() <= 1024 && line.iter().all(allowed) {
            if known.len() >= 16 && !known.contains_key(&server) {
                known.clear();
            }
            let text = std::str::from_utf8(line).expect("ASCII");
            known.insert(server, text.to_owned());
        }
        assert_eq!(nonces.get(&url).as_ref(), known.get(&server));
    }
    for (server, nonce) in known.iter().take(2) {
        let url = url(*server);
        assert_eq!(nonces.get(&url).as_ref(), Some(nonce));
        proof(&url, nonce);
    }
});

fn url(server: u8) -> Url {
    // The same origin whatever the path says.
    let text = format!("https://h{server}.example:8443/{}?q=1#f", server % 3);
    Url::parse(&text).expect("a URL")
}

fn proof(url: &Url, nonce: &str) {
    let claims = Claims {
        method: &Method::POST,
        url,
        token: None,
        nonce: Some(nonce),
        at: 7,
    };
    let proof = KEY.proof(&claims).expect("a proof");
    assert!(proof.is_sensitive());
    let parts: Vec<&str> = proof.to_str().expect("ASCII").split('.').collect();
    assert_eq!(parts.len(), 3);
    let payload = URL_SAFE_NO_PAD.decode(parts[1]).expect("base64url");
    let payload: Value = serde_json::from_slice(&payload).expect("JSON");
    assert_eq!(payload["nonce"], nonce);
    assert_eq!(payload["htm"], "POST");
    let htu = payload["htu"].as_str().expect("a URL");
    assert!(!htu.contains(['?', '#']) && url.as_str().starts_with(htu));
}
