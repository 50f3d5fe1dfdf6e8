use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, KeyPair, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use serde_json::Value;

use super::{Algorithm, Pair, SigningKey};
use crate::error::Failure;

macro_rules! pem {
    ($name:literal) => {
        include_bytes!(concat!("../../../../tests/keys/", $name, ".pem")).as_slice()
    };
}

fn public(key: &SigningKey) -> Vec<u8> {
    match &**key.pair.expose() {
        Pair::Rsa(pair) => pair.public_key().as_ref().to_vec(),
        Pair::P256(pair) => pair.public_key().as_ref().to_vec(),
        Pair::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
    }
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn check(key: &SigningKey, algorithm: &'static dyn VerificationAlgorithm, named: &str) {
    let token = key
        .assertion("client", "https://as.example", None, 1000)
        .unwrap();
    let parts: Vec<&str> = token.expose().split('.').collect();
    let [header, claims, signature] = parts[..] else {
        panic!("not three parts")
    };
    assert_eq!(
        decoded(header),
        serde_json::json!({ "alg": named, "typ": "JWT" })
    );
    let claims_read = decoded(claims);
    for (name, value) in [
        ("iss", "client"),
        ("sub", "client"),
        ("aud", "https://as.example"),
    ] {
        assert_eq!(claims_read[name], value);
    }
    assert_eq!(
        (&claims_read["iat"], &claims_read["exp"]),
        (&1000.into(), &1120.into())
    );
    assert!(claims_read["jti"].as_str().unwrap().len() >= 32);
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let input = format!("{header}.{claims}");
    UnparsedPublicKey::new(algorithm, public(key))
        .verify(input.as_bytes(), &signature)
        .unwrap();
}

#[test]
fn each_form_of_each_kind_of_key_signs() {
    let read = |pem, wanted| SigningKey::read(pem, wanted).unwrap();
    for pem in [pem!("rsa-pkcs1"), pem!("rsa-pkcs8")] {
        check(&read(pem, None), &RSA_PKCS1_2048_8192_SHA256, "RS256");
        let pss = Some(Algorithm::Ps256);
        check(&read(pem, pss), &RSA_PSS_2048_8192_SHA256, "PS256");
    }
    for pem in [pem!("p256-sec1"), pem!("p256-pkcs8"), pem!("p256-params")] {
        check(&read(pem, None), &ECDSA_P256_SHA256_FIXED, "ES256");
    }
    check(&read(pem!("ed25519"), None), &ED25519, "EdDSA");
}

#[test]
fn a_signature_is_the_one_that_openssl_makes() {
    // printf a.b | openssl dgst -sha256 -sign tests/keys/rsa-pkcs1.pem
    let expected = "oTx5ePYs7lgsCXAKoOVPQBhgy7IjDGRHORkPhy8f_MtRCxvJoPB_Qi6kmiaEbD6e5GFhYEE_xD3vpWzHoagnh7qy-tuFx5PL42kpHKt-bpUvJT3YjVdqQRAHt3L85k57GOd0QNWTns-ujkhJH6XTMr3t-_TC5uuuyxbNu2nOBHERpFe0MWfyUHNxMizW7nonHu6gpU4cCpkDf6XwuKQBZBd3Ns2U2hhbh2dI0LdtAYK0BPvHSW0I5ZRuXuo8Ym1MrI9ulhhxDGsUz2cJMc6Jvs3wmm4UYNvv_bJ8dD6DHiSHWowZTqWn21s1BZM4yXhVvXspUalvCrMEdp1WYhmaRg";
    let key = SigningKey::read(pem!("rsa-pkcs1"), None).unwrap();
    let signature = key.signature(Algorithm::Rs256, b"a.b").unwrap();
    assert_eq!(URL_SAFE_NO_PAD.encode(signature), expected);
}

#[test]
fn eddsa_is_that_of_rfc_8037_appendix_a_4() {
    let mut der = vec![
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70,
    ];
    der.extend([0x04, 0x22, 0x04, 0x20]);
    let secret = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
    der.extend(URL_SAFE_NO_PAD.decode(secret).unwrap());
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    let key = SigningKey::read(pem.as_bytes(), None).unwrap();
    let input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = key.signature(Algorithm::EdDsa, input.as_bytes()).unwrap();
    assert_eq!(
        URL_SAFE_NO_PAD.encode(signature),
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
}

#[test]
fn what_is_no_usable_key_is_named() {
    let table = [
        (pem!("public"), None, "public key"),
        (pem!("encrypted"), None, "passphrase"),
        (pem!("p384-sec1"), None, "another curve"),
        (pem!("p384-pkcs8"), None, "another curve"),
        (pem!("p256-bare"), None, "public half"),
        (pem!("rsa-1024"), None, "less than 2048"),
        (pem!("x25519"), None, "another kind"),
        (b"hello".as_slice(), None, "no private key"),
        (b"".as_slice(), None, "no private key"),
        (
            pem!("p256-sec1"),
            Some(Algorithm::Rs256),
            "for ES256, not for RS256",
        ),
        (
            pem!("rsa-pkcs1"),
            Some(Algorithm::EdDsa),
            "for RS256 and PS256, not",
        ),
    ];
    for (pem, wanted, expected) in table {
        let wrong = SigningKey::read(pem, wanted).unwrap_err();
        assert!(wrong.0.contains(expected), "{expected}: {wrong:?}");
    }
}

#[test]
fn the_server_chooses_among_what_the_key_can_do() {
    let key = SigningKey::read(pem!("rsa-pkcs1"), None).unwrap();
    let listed = |names: &[&str]| -> Vec<String> { names.iter().map(|&n| n.to_owned()).collect() };
    let signed = |listed: &[String]| key.assertion("c", "a", Some(listed), 0);
    let token = signed(&listed(&["ES256", "PS256"])).unwrap();
    let header = token.expose().split('.').next().unwrap();
    assert_eq!(decoded(header)["alg"], "PS256");
    let Err(Failure::Credentials { what, .. }) = signed(&listed(&["ES256"])) else {
        panic!("signed with what the server does not take");
    };
    assert!(
        what.contains("RS256 or PS256") && what.contains("only with ES256"),
        "{what}"
    );
}

#[test]
fn a_key_is_not_shown() {
    let key = SigningKey::read(pem!("ed25519"), None).unwrap();
    assert_eq!(format!("{key:?}"), "SigningKey([EdDsa])");
}

#[test]
fn no_two_assertions_are_the_same() {
    let key = SigningKey::read(pem!("ed25519"), None).unwrap();
    let one = || key.assertion("c", "a", None, 0).unwrap();
    assert!(one() != one());
}
