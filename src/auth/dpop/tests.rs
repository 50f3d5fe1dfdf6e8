use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, Method};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};
use url::Url;

use super::{Claims, Key, NONCE, Nonces, payload, thumbprint, wants_nonce};
use crate::secret::Secret;

/// The key of the examples in RFC 9449.
const X: &str = "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs";
const Y: &str = "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA";

/// The proof of RFC 9449 §5, figure 2.
const TOKEN_REQUEST: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// The header and the claims of a proof whose signature its own key made.
fn verified(proof: &str) -> (Value, Value) {
    let (signed, signature) = proof.rsplit_once('.').unwrap();
    let (head, claims) = signed.split_once('.').unwrap();
    let (head, claims) = (decoded(head), decoded(claims));
    let part = |name: &str| URL_SAFE_NO_PAD.decode(head["jwk"][name].as_str().unwrap());
    let point = [vec![4], part("x").unwrap(), part("y").unwrap()].concat();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
        .verify(
            signed.as_bytes(),
            &URL_SAFE_NO_PAD.decode(signature).unwrap(),
        )
        .unwrap();
    (head, claims)
}

#[test]
fn the_thumbprint_is_that_of_rfc_9449_figure_9() {
    let expected = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    assert_eq!(thumbprint(X, Y), expected);
}

#[test]
fn the_claims_are_those_of_rfc_9449_figures_3_and_13() {
    let token_request = Claims {
        method: &Method::POST,
        url: &url("https://server.example.com/token"),
        token: None,
        nonce: None,
        at: 1_562_262_616,
    };
    let claims: Value = serde_json::from_str(&payload(&token_request, "-BwC3ESc6acc2lTc")).unwrap();
    assert_eq!(claims, verified(TOKEN_REQUEST).1);
    let token = Secret::new("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU".to_owned());
    let request = Claims {
        method: &Method::GET,
        url: &url("https://resource.example.org/protectedresource?a=b#c"),
        token: Some(&token),
        nonce: Some("n~1"),
        at: 1_562_262_618,
    };
    let claims: Value = serde_json::from_str(&payload(&request, "e1j3V_bKic8-LAEB")).unwrap();
    let expected = json!({
        "jti": "e1j3V_bKic8-LAEB",
        "htm": "GET",
        "htu": "https://resource.example.org/protectedresource",
        "iat": 1_562_262_618,
        "ath": "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo",
        "nonce": "n~1",
    });
    assert_eq!(claims, expected);
}

#[test]
fn a_proof_is_signed_by_the_key_in_its_header_and_no_two_are_alike() {
    let key = Key::generate().unwrap();
    let again = Key::from_kept(key.kept()).unwrap();
    assert_eq!(again.thumbprint(), key.thumbprint());
    assert_eq!(again.kept(), key.kept());
    let url = url("https://as/token");
    let claims = Claims {
        method: &Method::POST,
        url: &url,
        token: None,
        nonce: None,
        at: 1000,
    };
    let [first, second] = [&key, &again].map(|key| {
        let proof = key.proof(&claims).unwrap();
        assert!(proof.is_sensitive());
        verified(proof.to_str().unwrap())
    });
    // The same members as those of the RFC's proof, none of them private.
    let shape = |head: &Value| {
        let members = |value: &Value| -> Vec<String> {
            let mut names: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
            names.sort();
            names
        };
        let (typ, alg) = (head["typ"].clone(), head["alg"].clone());
        (typ, alg, members(head), members(&head["jwk"]))
    };
    assert_eq!(shape(&first.0), shape(&verified(TOKEN_REQUEST).0));
    let jwk = &first.0["jwk"];
    let coordinate = |name: &str| jwk[name].as_str().unwrap();
    assert_eq!(
        thumbprint(coordinate("x"), coordinate("y")),
        key.thumbprint()
    );
    assert_eq!(first.0, second.0);
    assert_ne!(first.1["jti"], second.1["jti"]);
    assert!(first.1["jti"].as_str().unwrap().len() >= 22, "128 bits");
}

#[test]
fn what_is_no_key_is_refused_and_a_key_is_not_shown() {
    for text in ["", "!", "AAAA", X] {
        assert!(Key::from_kept(&Secret::new(text.to_owned())).is_none());
    }
    let key = Key::generate().unwrap();
    assert!(!format!("{key:?}").contains(key.kept().expose().as_str()));
}

#[test]
fn the_newest_nonce_of_each_origin_counts() {
    let nonces = Nonces::default();
    let told = |at: &str, nonce: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(NONCE, HeaderValue::from_str(nonce).unwrap());
        nonces.observe(&url(at), &headers);
    };
    told("https://a/x", "one");
    told("https://a:8443/x", "other");
    told("https://a/y?z", "two");
    nonces.observe(&url("https://a/"), &HeaderMap::new());
    for bad in ["", "a b", "a\"b", "a\\b", &"x".repeat(1025)] {
        told("https://a/", bad);
    }
    let known = |at: &str| nonces.get(&url(at));
    assert_eq!(known("https://a/").as_deref(), Some("two"));
    assert_eq!(known("https://a:8443/q").as_deref(), Some("other"));
    assert_eq!(known("http://a/"), None);
    for port in 1..1000 {
        told(&format!("https://h:{port}/"), "x");
    }
    assert!(nonces.lock().len() <= super::MAX_SERVERS);
}

#[test]
fn only_the_error_of_rfc_9449_section_9_asks_for_a_nonce() {
    for (text, expected) in [
        (
            r#"DPoP error="use_dpop_nonce", error_description="x""#,
            true,
        ),
        (r#"Bearer, DPoP error="use_dpop_nonce""#, true),
        (r#"DPoP error="invalid_token""#, false),
        ("DPoP", false),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert("www-authenticate", HeaderValue::from_str(text).unwrap());
        assert_eq!(wants_nonce(&headers), expected, "{text}");
    }
}
