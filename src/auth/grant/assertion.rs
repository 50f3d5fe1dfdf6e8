//! Signed assertions: a JSON Web Token that proves who the client is (RFC 7523 §2.2, RFC 7515), and the key that signs it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaKeyPair,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use crate::error::Failure;
use crate::secret::Secret;
use crate::store::hex;

/// How long an assertion is good, in seconds: it is used at once.
const LIFETIME: u64 = 120;

/// A signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA with PKCS #1 v1.5.
    Rs256,
    /// RSA with PSS.
    Ps256,
    /// ECDSA on P-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    const ALL: [Self; 4] = [Self::Rs256, Self::Ps256, Self::Es256, Self::EdDsa];

    /// The name that headers and metadata use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl FromStr for Algorithm {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = |one: &Self| one.name().eq_ignore_ascii_case(text);
        let found = Self::ALL.into_iter().find(named);
        found.ok_or("must be RS256, PS256, ES256 or EdDSA")
    }
}

/// A private key, and the algorithm that the user wants, if any.
#[derive(Clone)]
pub struct SigningKey {
    pair: Secret<Arc<Pair>>,
    wanted: Option<Algorithm>,
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey")
            .field(&self.algorithms())
            .finish()
    }
}

/// Why a file holds no usable key: the end of a sentence about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable(pub String);

impl Unusable {
    fn because(why: &str) -> Self {
        Self(why.to_owned())
    }
}

impl SigningKey {
    /// Reads a PEM file: PKCS #8, PKCS #1 or SEC 1.
    ///
    /// # Errors
    /// What the file holds instead. Nothing of the key is in it.
    pub fn read(pem: &[u8], wanted: Option<Algorithm>) -> Result<Self, Unusable> {
        let der = PrivateKeyDer::from_pem_slice(pem).map_err(|_| no_key(pem))?;
        let pair = match &der {
            PrivateKeyDer::Pkcs1(der) => rsa(RsaKeyPair::from_der(der.secret_pkcs1_der()))?,
            PrivateKeyDer::Sec1(der) => p256(&in_pkcs8(der.secret_sec1_der()))?,
            PrivateKeyDer::Pkcs8(der) => pkcs8(der.secret_pkcs8_der())?,
            _ => return Err(no_key(pem)),
        };
        let key = Self {
            pair: Secret::new(Arc::new(pair)),
            wanted,
        };
        match wanted {
            Some(wanted) if !key.fits().contains(&wanted) => Err(Unusable(format!(
                "is a key for {}, not for {}",
                key.able().join(" and "),
                wanted.name()
            ))),
            _ => Ok(key),
        }
    }

    /// What a key of this kind can sign with, the usual one first.
    fn fits(&self) -> [Algorithm; 2] {
        match &**self.pair.expose() {
            Pair::Rsa(_) => [Algorithm::Rs256, Algorithm::Ps256],
            Pair::P256(_) => [Algorithm::Es256; 2],
            Pair::Ed25519(_) => [Algorithm::EdDsa; 2],
        }
    }

    /// The names of what a key of this kind can sign with.
    fn able(&self) -> Vec<&'static str> {
        let mut names = self.fits().map(Algorithm::name).to_vec();
        names.dedup();
        names
    }

    /// What it may sign with, the best first.
    fn algorithms(&self) -> Vec<Algorithm> {
        let mut all = self
            .wanted
            .map_or_else(|| self.fits().to_vec(), |wanted| vec![wanted]);
        all.dedup();
        all
    }

    /// An assertion of `client_id` for `audience`, at `now` in seconds since 1970. `listed` is what the authorization server
    /// says it takes (`token_endpoint_auth_signing_alg_values_supported`).
    ///
    /// # Errors
    /// [`Failure::Credentials`] when the key cannot sign what the server takes.
    pub fn assertion(
        &self,
        client_id: &str,
        audience: &str,
        listed: Option<&[String]>,
        now: u64,
    ) -> Result<Secret, Failure> {
        let takes = |algorithm: &&Algorithm| {
            listed.is_none_or(|names| names.iter().any(|name| name == algorithm.name()))
        };
        let able = self.algorithms();
        let Some(algorithm) = able.iter().find(takes) else {
            let able: Vec<&str> = able.iter().map(|algorithm| algorithm.name()).collect();
            return Err(Failure::Credentials {
                what: format!(
                    "the authorization server takes no assertions signed with {}, only with {}",
                    able.join(" or "),
                    printable(&listed.unwrap_or_default().join(", "))
                ),
                hint: "register a key of a kind that it takes and give it with --private-key-file",
            });
        };
        let mut id = [0; 16];
        SystemRandom::new()
            .fill(&mut id)
            .map_err(|_| cannot_sign())?;
        let claims = json!({
            "iss": client_id,
            "sub": client_id,
            "aud": audience,
            "iat": now,
            "exp": now.saturating_add(LIFETIME),
            "jti": hex(&id),
        });
        self.sign(*algorithm, &claims)
    }

    fn sign(&self, algorithm: Algorithm, claims: &Value) -> Result<Secret, Failure> {
        let header = json!({ "alg": algorithm.name(), "typ": "JWT" });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let input = format!("{}.{}", part(&header), part(claims));
        let signature = self
            .signature(algorithm, input.as_bytes())
            .ok_or_else(cannot_sign)?;
        Ok(Secret::new(format!(
            "{input}.{}",
            URL_SAFE_NO_PAD.encode(signature)
        )))
    }

    fn signature(&self, algorithm: Algorithm, input: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match &**self.pair.expose() {
            Pair::Rsa(pair) => {
                let padding: &dyn ring::signature::RsaEncoding = match algorithm {
                    Algorithm::Ps256 => &RSA_PSS_SHA256,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &random, input, &mut signature).ok()?;
                Some(signature)
            }
            Pair::P256(pair) => Some(pair.sign(&random, input).ok()?.as_ref().to_vec()),
            Pair::Ed25519(pair) => Some(pair.sign(input).as_ref().to_vec()),
        }
    }
}

/// What the server wrote, for people.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

fn cannot_sign() -> Failure {
    Failure::Credentials {
        what: "the key cannot sign".to_owned(),
        hint: "check the file given with --private-key-file",
    }
}

fn rsa(pair: Result<RsaKeyPair, ring::error::KeyRejected>) -> Result<Pair, Unusable> {
    pair.map(Pair::Rsa).map_err(|wrong| {
        Unusable(match wrong.to_string().as_str() {
            "TooSmall" => "is an RSA key of less than 2048 bits".to_owned(),
            "TooLarge" => "is an RSA key of more than 4096 bits".to_owned(),
            other => format!("is an RSA key that cannot be used ({other})"),
        })
    })
}

fn p256(pkcs8: &[u8]) -> Result<Pair, Unusable> {
    let random = SystemRandom::new();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &random);
    pair.map(Pair::P256).map_err(|_| {
        if holds(pkcs8, &OTHER_CURVES) {
            Unusable::because("is an elliptic-curve key of another curve than P-256")
        } else {
            Unusable::because(
                "is an elliptic-curve key without its public half; openssl pkey -in OLD -out NEW adds it",
            )
        }
    })
}

fn pkcs8(der: &[u8]) -> Result<Pair, Unusable> {
    // The algorithm is named at the beginning.
    let head = der.get(..der.len().min(40)).unwrap_or_default();
    if holds(head, &[RSA]) {
        rsa(RsaKeyPair::from_pkcs8(der))
    } else if holds(head, &[EC]) {
        p256(der)
    } else if holds(head, &[ED25519]) {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der);
        pair.map(Pair::Ed25519)
            .map_err(|_| Unusable::because("is a damaged Ed25519 key"))
    } else {
        Err(Unusable::because(
            "is a key of another kind than RSA, P-256 or Ed25519",
        ))
    }
}

/// Object identifiers as DER has them: rsaEncryption, ecPublicKey, Ed25519, P-256.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// P-384, P-521, secp256k1.
const OTHER_CURVES: [&[u8]; 3] = [
    &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22],
    &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23],
    &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a],
];

fn holds(der: &[u8], any: &[&[u8]]) -> bool {
    any.iter()
        .any(|one| der.windows(one.len()).any(|window| window == *one))
}

/// A SEC 1 key in the wrapping that `ring` reads (RFC 5958 §2).
fn in_pkcs8(sec1: &[u8]) -> Vec<u8> {
    let algorithm = der(0x30, &[der(0x06, &[EC]), der(0x06, &[P256])]);
    let version: &[u8] = &[0x02, 0x01, 0x00];
    der(0x30, &[version, &algorithm, &der(0x04, &[sec1])])
}

/// One value in DER.
fn der(tag: u8, parts: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.as_ref().len()).sum();
    let mut value = vec![tag];
    let bytes = length.to_be_bytes();
    let first = bytes.iter().position(|byte| *byte != 0);
    let significant = first.map_or(&[0][..], |first| bytes.get(first..).unwrap_or_default());
    match significant {
        [short @ ..=0x7f] => value.push(*short),
        long => {
            value.push(0x80 | u8::try_from(long.len()).unwrap_or_default());
            value.extend(long);
        }
    }
    for part in parts {
        value.extend(part.as_ref());
    }
    value
}

/// What a text holds that is no private key.
fn no_key(pem: &[u8]) -> Unusable {
    let text = String::from_utf8_lossy(pem);
    let has = |what: &str| text.contains(what);
    Unusable::because(if has("ENCRYPTED") {
        "is protected by a passphrase; openssl pkey -in OLD -out NEW takes it off"
    } else if has("BEGIN OPENSSH PRIVATE KEY") {
        "is a key in the form of OpenSSH; ssh-keygen -p -m PKCS8 -f FILE changes that"
    } else if has("BEGIN PUBLIC KEY") || has("BEGIN RSA PUBLIC KEY") {
        "holds a public key, not the private one"
    } else if has("BEGIN CERTIFICATE") {
        "holds a certificate, not its private key"
    } else {
        "holds no private key in PEM form"
    })
}

#[cfg(test)]
mod tests;
