//! The ID token of a user at an identity provider (OpenID Connect Core §2): whose it is, for whom, and till when. It came from
//! the provider itself, so that its signature is not looked at.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::enterprise::Idp;
use crate::auth::oauth::now;
use crate::error::Failure;
use crate::secret::Secret;

/// Seconds that an identity must last for it to be used.
const MARGIN: u64 = 10;

/// What an ID token says (OpenID Connect Core §2).
#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    exp: u64,
    #[serde(default)]
    nonce: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Claims {
    /// Whether the provider said it, to our client there.
    fn are_of(&self, idp: &Idp) -> bool {
        let ours = match &self.aud {
            Audience::One(one) => *one == idp.client_id,
            Audience::Many(many) => many.contains(&idp.client_id),
        };
        ours && self.iss == idp.issuer
    }
}

/// Whether an ID token is of that provider, for our client there. One that cannot be read passes: it is used for nothing.
pub(super) fn is_of(id_token: &Secret, idp: &Idp) -> bool {
    part(id_token.expose(), 1).is_none_or(|claims: Claims| claims.are_of(idp))
}

/// Whether an ID token is good for another request.
pub(super) fn lasts(id_token: &Secret) -> bool {
    part(id_token.expose(), 1).is_some_and(|claims: Claims| claims.exp > now() + MARGIN)
}

/// Checks the ID token of a sign-in that has just ended. It came from the provider itself: its signature says nothing more
/// (OpenID Connect Core §3.1.3.7).
///
/// # Errors
/// It is for somebody else, or of another sign-in, or has ended.
pub(super) fn check(id_token: &Secret, idp: &Idp, nonce: &str) -> Result<(), Failure> {
    let claims: Option<Claims> = part(id_token.expose(), 1);
    let right =
        claims.filter(|claims| claims.are_of(idp) && claims.nonce.as_deref() == Some(nonce));
    let (what, hint) = match right {
        Some(claims) if claims.exp > now() => return Ok(()),
        Some(_) => (
            "an ID token that has ended already",
            "check the clock of this machine; if it is right, tell whoever runs the identity provider",
        ),
        None => (
            "no ID token for this sign-in",
            "sign in again; if it keeps failing, tell whoever runs the identity provider",
        ),
    };
    Err(Failure::Credentials {
        what: format!("the identity provider {} sent {what}", idp.issuer),
        hint,
    })
}

/// A part of a JSON Web Token, by its place.
pub(super) fn part<T: DeserializeOwned>(token: &str, place: usize) -> Option<T> {
    let part = URL_SAFE_NO_PAD.decode(token.split('.').nth(place)?).ok()?;
    serde_json::from_slice(&part).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::{Idp, check, lasts};
    use crate::auth::oauth::now;
    use crate::secret::Secret;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    /// A token without a signature.
    pub fn token(header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.c2ln", part(header), part(claims))
    }

    #[test]
    fn an_id_token_must_be_for_us_and_for_this_sign_in() {
        let idp = Idp {
            issuer: "https://idp".to_owned(),
            client_id: "us".to_owned(),
            secret: None,
            id_token_file: None,
            key: None,
        };
        let of = |iss: &str, aud: Value, nonce: &str, exp: u64| {
            let claims = json!({ "iss": iss, "aud": aud, "nonce": nonce, "exp": exp, "sub": "u" });
            Secret::new(token(&json!({}), &claims))
        };
        let later = now() + 600;
        let table = [
            (of("https://idp", "us".into(), "n", later), true),
            (of("https://idp", json!(["x", "us"]), "n", later), true),
            (of("https://idp/", "us".into(), "n", later), false),
            (of("https://idp", "x".into(), "n", later), false),
            (of("https://idp", "us".into(), "m", later), false),
            (of("https://idp", "us".into(), "n", 1000), false),
            (Secret::new("no".to_owned()), false),
        ];
        for (id_token, right) in &table {
            assert_eq!(check(id_token, &idp, "n").is_ok(), *right);
        }
        let ended = check(&table[5].0, &idp, "n").unwrap_err();
        assert!(ended.to_string().contains("has ended"), "{ended}");
        // It is good for the sign-in that it is of, and not for a later one.
        let soon = of("https://idp", "us".into(), "n", now() + 5);
        assert!(check(&soon, &idp, "n").is_ok() && !lasts(&soon));
        assert!(lasts(&table[0].0) && !lasts(&table[5].0) && !lasts(&table[6].0));
    }
}
