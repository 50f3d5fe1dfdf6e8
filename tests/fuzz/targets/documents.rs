//! Documents of servers that sign people in: what is read of them is safe to use, whatever they say.
#![no_main]

use bytes::Bytes;
use http::StatusCode;
use libfuzzer_sys::fuzz_target;
use mcp_tether::auth::http::Answer;
use mcp_tether::auth::metadata::{
    ResourceMetadata, ServerMetadata, canonical_resource, covers, issuer_locations,
    resource_locations,
};
use mcp_tether::auth::provider::{Choice, assumed, preset, same_house};
use mcp_tether::auth::registration::accepted;
use mcp_tether::net::guard;
use mcp_tether_fuzz::{Pick, is_plain, json};
use url::Url;

const ISSUER: &str = "https://as.example";
const REDIRECT: &str = "http://127.0.0.1:81/cb";

fuzz_target!(|data: &[u8]| {
    let mut pick = Pick(data);
    let status = *pick.of(&[200, 201, 400, 403, 500]);
    let Some(address) = pick.text() else { return };
    let document = pick.0;

    if let Ok(url) = Url::parse(address) {
        addresses(&url);
    }
    if let Ok(found) = serde_json::from_slice::<ResourceMetadata>(document) {
        resource(&found);
    }
    if let Ok(found) = serde_json::from_slice::<ServerMetadata>(document) {
        server(&found);
    }
    registration(status, document);
});

/// Well-known addresses are at the same origin, and say nothing that the address kept for itself.
fn addresses(url: &Url) {
    if url.cannot_be_a_base() {
        return;
    }
    for (found, well_known) in resource_locations(url)
        .iter()
        .map(|found| (found, "/.well-known/oauth-protected-resource"))
        .chain(
            issuer_locations(url)
                .iter()
                .map(|found| (found, "/.well-known/o")),
        )
    {
        assert_eq!(
            (found.scheme(), found.host_str()),
            (url.scheme(), url.host_str())
        );
        assert_eq!(found.port(), url.port());
        assert!(found.path().contains(well_known) && found.fragment().is_none());
    }
    let named = canonical_resource(url);
    assert!(!named.contains('#'));
    if matches!(url.scheme(), "http" | "https") {
        assert!(covers(&named, url), "{named} {url}");
        let shown = guard::shown(url);
        assert!(is_plain(&shown));
        let mut bare = url.clone();
        let _ = bare.set_password(None);
        let _ = bare.set_username("");
        // In the query dots stand for each value.
        let place = shown.split('?').next().unwrap_or_default();
        if let Some(password) = url.password().filter(|text| !bare.as_str().contains(text)) {
            assert!(!place.contains(password), "{shown}");
        }
    }
    if let Some(found) = assumed(Choice::Guessed, url.as_str()) {
        assert!(found.unsafe_endpoints().is_empty());
        assert_eq!(found.token_endpoint.host_str(), url.host_str());
    }
}

fn resource(found: &ResourceMetadata) {
    let server = Url::parse("https://mcp.example/a/b").expect("a URL");
    if covers(&found.resource, &server) {
        let url = Url::parse(&found.resource).expect("it covers a URL");
        assert_eq!(url.scheme(), "https");
        assert_eq!(url.host_str(), Some("mcp.example"));
        assert_eq!(url.port_or_known_default(), Some(443));
        let path = url.path().trim_end_matches('/');
        assert!(["", "/a", "/a/b"].contains(&path), "{path}");
    }
    for issuer in &found.authorization_servers {
        let known = preset(Choice::Guessed, issuer);
        if !known.name.is_empty() {
            assert!(
                issuer
                    .trim_start_matches(|c: char| c <= ' ')
                    .to_ascii_lowercase()
                    .starts_with("https:")
            );
        }
        if same_house(Choice::Guessed, ISSUER, issuer) {
            panic!("{ISSUER} is of nobody's house");
        }
    }
}

fn server(found: &ServerMetadata) {
    let written = serde_json::to_string(found).expect("it can be kept");
    let read: ServerMetadata = serde_json::from_str(&written).expect("it can be read");
    assert_eq!(&read, found);
    if !found.unsafe_endpoints().is_empty() {
        return;
    }
    let all = [
        Some(&found.token_endpoint),
        found.authorization_endpoint.as_ref(),
        found.registration_endpoint.as_ref(),
        found.revocation_endpoint.as_ref(),
        found.device_authorization_endpoint.as_ref(),
    ];
    for url in all.into_iter().flatten() {
        let host = url.host_str().unwrap_or_default().trim_end_matches('.');
        let here = host == "localhost"
            || host.ends_with(".localhost")
            || host.starts_with("127.")
            || host == "[::1]";
        assert!(
            url.scheme() == "https" || (url.scheme() == "http" && here),
            "{url}"
        );
    }
}

fn registration(status: u16, document: &[u8]) {
    // In what is passed over, bytes that are no text do no harm.
    let Ok(text) = std::str::from_utf8(document) else {
        return;
    };
    let answer = Answer {
        status: StatusCode::from_u16(status).expect("a status"),
        media_type: "application/json".to_owned(),
        body: Bytes::copy_from_slice(document),
    };
    let endpoint = Url::parse("https://as.example/token").expect("a URL");
    let mut server = ServerMetadata::of_token_endpoint(ISSUER.to_owned(), endpoint);
    server.token_endpoint_auth_methods_supported = Some(vec!["client_secret_post".to_owned()]);
    match accepted(&answer, ISSUER, &server, REDIRECT) {
        Ok(client) => {
            let named = json::text_member(text, "client_id");
            assert_eq!(named.as_deref(), Some(&client.client_id[..]));
            assert_eq!(client.redirect_uri.as_deref(), Some(REDIRECT));
            let secret = client.client_secret.as_ref();
            assert!(secret.is_none_or(|secret| !secret.expose().is_empty()));
            assert_eq!(secret.is_none(), client.auth_method == "none");
            assert_ne!(client.secret_expires_at, Some(0));
            let kept = serde_json::to_string(&client).expect("it can be kept");
            assert_eq!(
                serde_json::from_str::<mcp_tether::store::Client>(&kept).ok(),
                Some(client)
            );
        }
        Err(failure) => {
            let text = failure.to_string();
            assert!(is_plain(&text) && text.chars().count() < 400, "{text:?}");
        }
    }
}
