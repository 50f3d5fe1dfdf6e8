//! Proof of possession (RFC 9449): tokens that are worth something only together with a key. Here are the key, the proofs that it
//! signs and the nonces that servers want in them. When proofs are wanted is decided in `demand`; nothing is sent from here.

mod demand;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::http::{HeaderMap, HeaderName, HeaderValue, Method};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::json;
use url::Url;

pub use demand::{Challenged, Demand, Must, Use, decide};

use super::challenge;
use crate::error::Failure;
use crate::secret::Secret;

/// The header that carries a proof (RFC 9449 §4.1).
pub const PROOF: HeaderName = HeaderName::from_static("dpop");

/// The header that brings a nonce (RFC 9449 §8).
pub const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// The error of a server that wants a nonce, or another one (RFC 9449 §8, §9).
pub const USE_NONCE: &str = "use_dpop_nonce";

/// The error of a server that finds a proof wrong (RFC 9449 §5, §7.1). It says nothing of the token.
pub const INVALID_PROOF: &str = "invalid_dpop_proof";

/// Whether a refusal is about the proof, not about what it comes with.
pub fn is_about_proofs(code: &str) -> bool {
    matches!(code, USE_NONCE | INVALID_PROOF)
}

/// How often one request is sent again with another nonce.
pub const MAX_NONCES: u32 = 2;

/// The one algorithm of our keys (RFC 7518 §3.4).
pub const ALGORITHM: &str = "ES256";

/// Servers whose nonces are remembered; there are two as a rule.
const MAX_SERVERS: usize = 16;

/// Characters of a nonce. What is longer is none.
const MAX_NONCE: usize = 1024;

/// The key that tokens are bound to.
#[derive(Debug)]
pub struct Key {
    pair: EcdsaKeyPair,
    kept: Secret,
    /// The encoded JOSE header of each proof.
    head: String,
    thumbprint: String,
}

/// What a proof is about (RFC 9449 §4.2).
#[derive(Debug, Clone, Copy)]
pub struct Claims<'a> {
    /// The method of the request.
    pub method: &'a Method,
    /// Its URL.
    pub url: &'a Url,
    /// The access token that goes with it; none in a token request.
    pub token: Option<&'a Secret>,
    /// The nonce that the server gave, if it gave one.
    pub nonce: Option<&'a str>,
    /// Now, in seconds since 1970.
    pub at: u64,
}

impl Key {
    /// A new key; `None` where there is no randomness to be had.
    pub fn generate() -> Option<Self> {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).ok()?;
        Self::of_pkcs8(made.as_ref())
    }

    /// The key that was kept as [`Self::kept`]; `None` when that is no key.
    pub fn from_kept(kept: &Secret) -> Option<Self> {
        Self::of_pkcs8(&URL_SAFE_NO_PAD.decode(kept.expose()).ok()?)
    }

    fn of_pkcs8(document: &[u8]) -> Option<Self> {
        let random = SystemRandom::new();
        let signing = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = EcdsaKeyPair::from_pkcs8(signing, document, &random).ok()?;
        let (x, y) = coordinates(pair.public_key().as_ref())?;
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y });
        let head = json!({ "typ": "dpop+jwt", "alg": ALGORITHM, "jwk": jwk });
        Some(Self {
            kept: Secret::new(URL_SAFE_NO_PAD.encode(document)),
            head: URL_SAFE_NO_PAD.encode(head.to_string()),
            thumbprint: thumbprint(&x, &y),
            pair,
        })
    }

    /// The key as it is kept: PKCS#8, encoded as base64url.
    pub const fn kept(&self) -> &Secret {
        &self.kept
    }

    /// What names the key without giving it away (RFC 7638).
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// A proof that is good for one request; `None` where there is no randomness to be had.
    pub fn proof(&self, claims: &Claims<'_>) -> Option<HeaderValue> {
        let random = SystemRandom::new();
        let mut id = [0; 16];
        random.fill(&mut id).ok()?;
        let payload = payload(claims, &URL_SAFE_NO_PAD.encode(id));
        let mut proof = format!("{}.{}", self.head, URL_SAFE_NO_PAD.encode(payload));
        let signature = self.pair.sign(&random, proof.as_bytes()).ok()?;
        proof.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut proof);
        let mut value = HeaderValue::try_from(proof).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// The claims of the proof named `id`.
fn payload(claims: &Claims<'_>, id: &str) -> String {
    let mut url = claims.url.clone();
    url.set_query(None);
    url.set_fragment(None);
    let mut payload = json!({
        "jti": id,
        "htm": claims.method.as_str(),
        "htu": url.as_str(),
        "iat": claims.at,
    });
    if let Some(members) = payload.as_object_mut() {
        if let Some(token) = claims.token {
            members.insert("ath".to_owned(), hash(token.expose()).into());
        }
        if let Some(nonce) = claims.nonce {
            members.insert("nonce".to_owned(), nonce.into());
        }
    }
    payload.to_string()
}

/// The two coordinates of an uncompressed point (SEC 1 §2.3.3), encoded.
fn coordinates(point: &[u8]) -> Option<(String, String)> {
    let (4, rest) = point.split_first()? else {
        return None;
    };
    let (x, y) = rest.split_at_checked(32)?;
    Some((URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y)))
}

/// The thumbprint of a key (RFC 7638 §3): its required members in the order of their names.
fn thumbprint(x: &str, y: &str) -> String {
    hash(&format!(
        r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#
    ))
}

fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

/// The newest nonce of each server, by origin.
#[derive(Debug, Default)]
pub struct Nonces(Mutex<HashMap<String, String>>);

impl Nonces {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The nonce for requests to `url`.
    pub fn get(&self, url: &Url) -> Option<String> {
        self.lock().get(&origin(url)).cloned()
    }

    /// Notes the nonce of a response from `url`, where it brings one.
    pub fn observe(&self, url: &Url, headers: &HeaderMap) {
        let Some(nonce) = headers.get(NONCE) else {
            return;
        };
        let nonce = nonce.to_str().ok().filter(|nonce| is_nonce(nonce));
        let Some(nonce) = nonce else {
            return;
        };
        let mut nonces = self.lock();
        let origin = origin(url);
        if nonces.len() >= MAX_SERVERS && !nonces.contains_key(&origin) {
            nonces.clear();
        }
        nonces.insert(origin, nonce.to_owned());
    }
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// RFC 9449 §8.1.
fn is_nonce(text: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    (1..=MAX_NONCE).contains(&text.len()) && text.bytes().all(allowed)
}

/// Whether a 401 says only that the proof wants another nonce (RFC 9449 §9).
pub fn wants_nonce(headers: &HeaderMap) -> bool {
    challenge::error(&challenge::challenges(headers), USE_NONCE)
}

/// The key of a sign-in, and whether its tokens have to be bound to it.
#[derive(Debug, Clone)]
pub struct Binding {
    /// The key.
    pub key: Arc<Key>,
    /// Whether a token that is not bound to it is of no use.
    pub must: Must,
}

/// The server finds our proofs wrong: neither another token nor a sign-in helps.
pub fn refused_proof() -> Failure {
    Failure::Credentials {
        what: format!("the server refuses the proof that goes with the token ({INVALID_PROOF})"),
        hint: "check the clock of this machine; if it is right, tell the server's owner",
    }
}

/// The system gives no random bytes.
pub fn no_randomness() -> Failure {
    Failure::Credentials {
        what: "cannot make a key: the system gives no random numbers".to_owned(),
        hint: "try again; if it keeps failing, look at the system's random source",
    }
}

#[cfg(test)]
mod tests;
