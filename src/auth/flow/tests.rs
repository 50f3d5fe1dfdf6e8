use std::collections::HashMap;

use serde_json::{Value, json};
use url::Url;

use super::{Attempt, Extras, PkceCheck};
use crate::auth::discovery::{Discovered, Source};
use crate::auth::loopback::{Response, parse_callback};
use crate::auth::registration::{AuthMethod, Client};
use crate::error::Failure;

fn discovered(more: &Value) -> Discovered {
    let mut document = json!({
        "issuer": "https://as",
        "authorization_endpoint": "https://as/authorize?tenant=1",
        "token_endpoint": "https://as/token",
        "code_challenge_methods_supported": ["S256"],
    });
    document
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    Discovered {
        resource: "https://h/mcp".to_owned(),
        scopes: None,
        issuer: "https://as".to_owned(),
        metadata: serde_json::from_value(document).unwrap(),
        source: Source::Document,
    }
}

fn client() -> Client {
    Client {
        issuer: "https://as".to_owned(),
        client_id: "c".to_owned(),
        secret: None,
        secret_expires_at: None,
        redirect_uri: "http://127.0.0.1:5000/oauth/callback".to_owned(),
        method: AuthMethod::None,
    }
}

fn extras() -> Extras {
    Extras {
        resource: Some("https://h/mcp".to_owned()),
        scope: Some("a b".to_owned()),
        parameters: vec![("audience".to_owned(), "x&y".to_owned())],
    }
}

fn begin(more: &Value) -> Result<(Attempt, Url), Failure> {
    Attempt::begin(discovered(more), client(), extras(), PkceCheck::Required)
}

fn from(iss: Option<&str>) -> Response {
    let iss = iss.map(|iss| format!("&iss={iss}")).unwrap_or_default();
    parse_callback(&format!("code=code{iss}"))
}

#[test]
fn the_request_has_all_that_the_rules_ask_for_once() {
    let (attempt, url) = begin(&json!({})).unwrap();
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let by_name: HashMap<_, _> = pairs.iter().cloned().collect();
    assert_eq!(pairs.len(), by_name.len(), "{pairs:?}");
    let expected = [
        ("tenant", "1"),
        ("response_type", "code"),
        ("client_id", "c"),
        ("redirect_uri", "http://127.0.0.1:5000/oauth/callback"),
        ("code_challenge_method", "S256"),
        ("resource", "https://h/mcp"),
        ("scope", "a b"),
        ("audience", "x&y"),
    ];
    for (name, value) in expected {
        assert_eq!(by_name.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert_eq!(&by_name["state"], attempt.state().expose());
    assert!(by_name["state"].len() >= 40, "256 random bits");
    assert_eq!(by_name["code_challenge"].len(), 43);
    assert!(!url.as_str().contains(attempt.verifier.expose()));
}

#[test]
fn two_sign_ins_have_nothing_secret_in_common() {
    let (one, _) = begin(&json!({})).unwrap();
    let (other, _) = begin(&json!({})).unwrap();
    assert_ne!(one.state(), other.state());
    assert_ne!(one.verifier, other.verifier);
}

#[test]
fn a_server_that_says_nothing_of_pkce_is_refused_unless_the_user_vouches_for_it() {
    for methods in [json!(null), json!([]), json!(["plain"])] {
        let more = json!({ "code_challenge_methods_supported": methods });
        assert!(
            begin(&more)
                .unwrap_err()
                .hint()
                .unwrap()
                .contains("--allow-missing-pkce-metadata")
        );
        assert!(Attempt::begin(discovered(&more), client(), extras(), PkceCheck::Ignored).is_ok());
    }
}

#[test]
fn the_issuer_of_the_answer_is_compared_letter_by_letter() {
    let (silent, _) = begin(&json!({})).unwrap();
    let (named, _) =
        begin(&json!({ "authorization_response_iss_parameter_supported": true })).unwrap();
    assert!(silent.code(&from(None)).is_ok());
    assert!(silent.code(&from(Some("https://as"))).is_ok());
    assert!(named.code(&from(Some("https://as"))).is_ok());
    assert!(named.code(&from(None)).is_err());
    for other in [
        "https://as/",
        "HTTPS://as",
        "https://as:443",
        "https://evil",
        "",
    ] {
        assert!(silent.code(&from(Some(other))).is_err(), "{other}");
        assert!(named.code(&from(Some(other))).is_err(), "{other}");
    }
}

#[test]
fn the_words_of_a_stranger_are_not_shown() {
    let (attempt, _) = begin(&json!({})).unwrap();
    let refused = |iss: &str| {
        parse_callback(&format!(
            "error=access_denied&error_description=EVIL&iss={iss}"
        ))
    };
    let stranger = attempt
        .code(&refused("https://evil"))
        .unwrap_err()
        .to_string();
    assert!(
        !stranger.contains("EVIL") && !stranger.contains("refused"),
        "{stranger}"
    );
    assert!(
        attempt
            .code(&refused("https://as"))
            .unwrap_err()
            .to_string()
            .contains("refused")
    );
    assert!(
        attempt
            .code(&parse_callback("code=x&error=y&iss=https://as"))
            .is_err()
    );
    assert!(attempt.code(&parse_callback("")).is_err());
}

#[test]
fn a_server_without_metadata_has_no_issuer_to_compare() {
    let assumed = Discovered {
        source: Source::Assumed,
        ..discovered(&json!({}))
    };
    let (attempt, _) = Attempt::begin(assumed, client(), extras(), PkceCheck::Required).unwrap();
    assert!(attempt.code(&from(Some("https://any"))).is_ok() && attempt.code(&from(None)).is_ok());
}

#[test]
fn offline_access_asks_for_consent() {
    let extras = Extras {
        scope: Some("a offline_access".to_owned()),
        ..extras()
    };
    let (_, url) = Attempt::begin(
        discovered(&json!({})),
        client(),
        extras,
        PkceCheck::Required,
    )
    .unwrap();
    assert!(
        url.query_pairs()
            .any(|(name, value)| name == "prompt" && value == "consent")
    );
}
