//! What a server holds against the proofs of its client (RFC 9449 §4.3), and the nonces that it wants in them. Reads them by
//! itself: nothing of the program under test is used. Also the ID tokens of the fake servers.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};

use super::authserver::s256;
use super::gate::lock;
use super::http::Request;

/// The header of nonces.
pub const NONCE: &str = "dpop-nonce";

/// Seconds that the clocks may differ.
const SKEW: u64 = 60;

/// What is wanted in proofs beyond the rules.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Wants {
    /// No nonce.
    #[default]
    NoNonce,
    /// The current nonce.
    Nonce,
    /// Another nonce each time; none is ever good.
    Storm,
    /// A nonce, which it never gives.
    Silence,
    /// Something that no proof has.
    Perfection,
}

/// The books of one server.
#[derive(Default)]
pub struct Proofs {
    seen: Mutex<BTreeSet<String>>,
    nonces: Mutex<usize>,
}

/// A proof that is right.
pub struct Proof {
    /// The thumbprint of its key.
    pub key: String,
    nonce: Option<String>,
}

impl Proofs {
    /// The proof of a request, which goes with that token, or what is wrong with it.
    pub fn check(&self, request: &Request, token: Option<&str>) -> Result<Proof, String> {
        let mut proofs = request.headers.get_all("dpop").iter();
        let (Some(proof), None) = (proofs.next(), proofs.next()) else {
            return Err("not one proof".to_owned());
        };
        let (head, claims) = signed(proof.to_str().unwrap_or_default())?;
        let jwk = &head["jwk"];
        let members = jwk.as_object().map_or(0, serde_json::Map::len);
        let host = request.header("host").unwrap_or_default();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let made = claims["iat"].as_u64().unwrap_or_default();
        let id = claims["jti"].as_str().unwrap_or_default();
        let wrong = if head["typ"] != "dpop+jwt" || head["alg"] != "ES256" {
            "a proof of another type"
        } else if members != 4 || jwk["kty"] != "EC" || jwk["crv"] != "P-256" {
            "a proof with another key"
        } else if claims["htm"] != request.method.as_str() {
            "a proof for another method"
        } else if claims["htu"] != format!("http://{host}{}", request.path) {
            "a proof for another URL"
        } else if now.as_secs().abs_diff(made) > SKEW {
            "a proof of another time"
        } else if claims["ath"].as_str().map(str::to_owned) != token.map(s256) {
            "a proof for another token"
        } else if id.len() < 22 || !lock(&self.seen).insert(id.to_owned()) {
            "a proof that was used before"
        } else {
            let part = |name: &str| jwk[name].as_str().unwrap_or_default().to_owned();
            let (x, y) = (part("x"), part("y"));
            let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
            return Ok(Proof {
                key: s256(&canonical),
                nonce: claims["nonce"].as_str().map(str::to_owned),
            });
        };
        Err(wrong.to_owned())
    }

    /// The nonce that the client is to use instead; empty for one that it is not told.
    pub fn nonce_for(&self, proof: &Proof, wants: Wants) -> Option<String> {
        let mut nonces = lock(&self.nonces);
        let current = format!("nonce-{nonces}");
        match wants {
            Wants::NoNonce | Wants::Perfection => None,
            Wants::Nonce if proof.nonce.as_ref() == Some(&current) => None,
            Wants::Nonce => Some(current),
            Wants::Storm => {
                *nonces += 1;
                Some(format!("nonce-{nonces}"))
            }
            Wants::Silence => Some(String::new()),
        }
    }

    /// Makes the nonce so far worth nothing.
    pub fn end_nonce(&self) {
        *lock(&self.nonces) += 1;
    }
}

/// The header and the claims of a JWT that the key in its header signed.
fn signed(proof: &str) -> Result<(Value, Value), String> {
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|e| e.to_string());
    let json = |text: &str| -> Result<Value, String> {
        serde_json::from_slice(&bytes(text)?).map_err(|e| e.to_string())
    };
    let (text, signature) = proof.rsplit_once('.').ok_or("a proof that is no JWT")?;
    let (head, claims) = text.split_once('.').ok_or("a proof that is no JWT")?;
    let (head, claims) = (json(head)?, json(claims)?);
    let part = |name: &str| bytes(head["jwk"][name].as_str().unwrap_or_default());
    let point = [vec![4], part("x")?, part("y")?].concat();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
        .verify(text.as_bytes(), &bytes(signature)?)
        .map_err(|_| "a proof that its key did not sign".to_owned())?;
    Ok((head, claims))
}

/// An ID token that comes with an access token. Nobody signed it.
pub fn id_token(access: &str, seconds: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let claims = json!({ "sub": "user", "jti": access, "exp": now.as_secs() + seconds });
    format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// The access token that an ID token came with.
pub fn access_of(id_token: &str) -> Option<String> {
    let claims = URL_SAFE_NO_PAD.decode(id_token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    claims["jti"].as_str().map(str::to_owned)
}
