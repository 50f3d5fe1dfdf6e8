//! What is kept for one sign-in: its key and its record, as JSON text. Nothing here prints a secret, not even the texts of
//! errors about a record that cannot be read.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use crate::secret::Secret;

/// The version of the format that this program writes; an older program refuses a newer one.
const VERSION: u32 = 1;

/// Which sign-in a record belongs to. Tokens of one authorization server, client, resource or profile are never offered
/// to another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// The issuer of the authorization server, as it writes itself.
    pub issuer: String,
    /// The client that asked for the tokens.
    pub client_id: String,
    /// The resource that the tokens are for (RFC 8707).
    pub resource: String,
    /// The name of the account's profile; `default` when the user gave none.
    pub profile: String,
    /// How the tokens are had, if not by a person who signs in: a machine with the same client is another account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
}

impl Key {
    /// The name of this key in keyrings and of its files: 64 hexadecimal digits, the same in each version and on each system.
    pub fn account(&self) -> String {
        let person = [&self.issuer, &self.client_id, &self.resource, &self.profile];
        let parts = person.into_iter().chain(&self.grant);
        digest(&parts.map(String::as_str).collect::<Vec<_>>())
    }
}

/// 64 hexadecimal digits that stand for `parts`, the same in each version and on each system.
pub(super) fn digest(parts: &[&str]) -> String {
    let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
    for part in parts {
        // With its length in front, no part can pass for the end of the one before it.
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex(hash.finish().as_ref())
}

/// `bytes` in lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One sign-in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    version: u32,
    /// Which sign-in this is.
    pub key: Key,
    /// Raised, under the lock of the key, by whoever changes the record ([`Record::changed`]): tells a newer one from an older
    /// one, also where their keys differ.
    #[serde(default)]
    pub generation: u64,
    /// `None` after a sign-in was lost while the client is still registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Tokens>,
    /// How the client identifies itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Client>,
    /// The metadata of the authorization server (RFC 8414), whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_metadata: Option<Value>,
    /// The last result of `initialize`, as the text that came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initialize_result: Option<String>,
    /// The MCP servers that this sign-in was made for, by name without secrets.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub servers: BTreeSet<String>,
    /// Who the user is at the identity provider of a company, where that stands behind the tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// How the tokens were had, if not by a person who signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    /// The scope that was last asked for, which a step-up adds to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_scope: Option<String>,
    #[serde(flatten)]
    unknown: Unknown,
}

/// The tokens of a sign-in (RFC 6749 §5.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tokens {
    /// The access token.
    #[serde(with = "exposed")]
    pub access: Secret,
    /// The refresh token, if there is one.
    #[serde(
        default,
        with = "exposed_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub refresh: Option<Secret>,
    /// The id token of OpenID Connect, if there is one.
    #[serde(
        default,
        with = "exposed_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub id_token: Option<Secret>,
    /// How the access token is presented, such as `Bearer`.
    pub token_type: String,
    /// The private key that the tokens are bound to (RFC 9449), as base64url of PKCS#8, if they are bound to one.
    #[serde(
        default,
        with = "exposed_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub dpop_key: Option<Secret>,
    /// The scope that was granted, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// When the access token expires, in seconds since 1970, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// When the tokens came, in seconds since 1970.
    pub obtained_at: u64,
    #[serde(flatten)]
    unknown: Unknown,
}

impl Tokens {
    /// Tokens with what each answer of a token endpoint has; the rest is to be filled in.
    pub fn new(access: Secret, token_type: String, obtained_at: u64) -> Self {
        Self {
            access,
            refresh: None,
            id_token: None,
            token_type,
            dpop_key: None,
            scope: None,
            expires_at: None,
            obtained_at,
            unknown: Unknown::default(),
        }
    }
}

/// What a sign-in at an identity provider gave. None of it is for the MCP server or its authorization server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// The ID token of OpenID Connect.
    #[serde(with = "exposed")]
    pub id_token: Secret,
    /// For the next ID token, if there is one.
    #[serde(
        default,
        with = "exposed_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub refresh: Option<Secret>,
    /// How `refresh` is revoked, where the provider offers that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<Revocation>,
}

/// Where the tokens of an identity provider are revoked (RFC 7009).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Revocation {
    /// The endpoint.
    pub endpoint: Url,
    /// The client that they were given to.
    pub client: Client,
}

/// The client at the authorization server: registered by hand or on the fly (RFC 7591).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Client {
    /// The client's id.
    pub client_id: String,
    /// Its secret, if it is no public client.
    #[serde(
        default,
        with = "exposed_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub client_secret: Option<Secret>,
    /// When the secret expires, in seconds since 1970; `None` for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_expires_at: Option<u64>,
    /// The registered redirect URI, if the client has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_uri: Option<String>,
    /// `token_endpoint_auth_method`, such as `none` or `client_secret_basic`.
    pub auth_method: String,
    /// The issuer that the client is registered with; it is of no use at another.
    pub issuer: String,
    #[serde(flatten)]
    unknown: Unknown,
}

impl Client {
    /// A public client without a redirect URI; the rest is to be filled in.
    pub fn public(client_id: String, issuer: String) -> Self {
        Self {
            client_id,
            client_secret: None,
            secret_expires_at: None,
            redirect_uri: None,
            auth_method: "none".to_owned(),
            issuer,
            unknown: Unknown::default(),
        }
    }
}

/// Why a text is no record. It never repeats a part of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// No JSON, or not the fields of a record; the line and the column where that showed.
    Malformed(usize, usize),
    /// Written by a newer version of this program.
    Newer(u32),
    /// The record of another key.
    OtherKey,
    /// Parts of it are missing, or do not belong together.
    Incomplete,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(line, column) => {
                write!(f, "is damaged at line {line}, column {column}")
            }
            Self::Newer(version) => write!(
                f,
                "has version {version} of the format, this program knows {VERSION}"
            ),
            Self::OtherKey => f.write_str("belongs to another sign-in"),
            Self::Incomplete => f.write_str("is incomplete"),
        }
    }
}

impl Record {
    /// An empty record for `key`.
    pub fn new(key: Key) -> Self {
        Self {
            version: VERSION,
            key,
            generation: 0,
            tokens: None,
            client: None,
            server_metadata: None,
            initialize_result: None,
            servers: BTreeSet::new(),
            identity: None,
            grant: None,
            asked_scope: None,
            unknown: Unknown::default(),
        }
    }

    /// Whether no sign-in was ever finished: there is a client at most.
    pub const fn is_unfinished(&self) -> bool {
        self.tokens.is_none() && self.initialize_result.is_none()
    }

    /// Marks a change at `now`, in seconds since 1970. A record that is made anew after it was deleted counts as newer, too.
    pub fn changed(&mut self, now: u64) {
        self.generation = self.generation.saturating_add(1).max(now);
    }

    /// The record as JSON text.
    pub(super) fn to_text(&self) -> Secret {
        // A record has string keys only and no number that JSON lacks, so that writing it cannot fail.
        Secret::new(serde_json::to_string(self).unwrap_or_default())
    }

    /// Reads the record of `key` back.
    pub(super) fn from_text(key: &Key, text: &[u8]) -> Result<Self, Unreadable> {
        #[derive(Deserialize)]
        struct Head {
            version: u32,
        }
        // The text of a serde error may quote a token, so that only the place is kept.
        let malformed =
            |wrong: serde_json::Error| Unreadable::Malformed(wrong.line(), wrong.column());
        let head: Head = serde_json::from_slice(text).map_err(malformed)?;
        if head.version > VERSION {
            return Err(Unreadable::Newer(head.version));
        }
        let record: Self = serde_json::from_slice(text).map_err(malformed)?;
        if record.key == *key {
            Ok(record)
        } else {
            Err(Unreadable::OtherKey)
        }
    }
}

/// Fields that a later version may have added. They are written back as they came, and not shown: one may be a secret.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Unknown(Map<String, Value>);

impl fmt::Debug for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} fields)", self.0.len())
    }
}

/// A secret as its plain text: only for what goes into a store.
mod exposed {
    use super::Secret;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(secret: &Secret, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(secret.expose())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
        String::deserialize(from).map(Secret::new)
    }
}

/// A secret that may be missing, as its plain text.
mod exposed_option {
    use super::Secret;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        secret: &Option<Secret>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        secret.as_ref().map(Secret::expose).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Secret>, D::Error> {
        Ok(Option::<String>::deserialize(from)?.map(Secret::new))
    }
}

#[cfg(test)]
mod tests;
