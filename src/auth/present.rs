//! How a sign-in is presented: which of its tokens is sent, with a proof or without, and whether what was kept can be sent at
//! all.

use std::sync::{Arc, Mutex, PoisonError};

use ::http::header::AUTHORIZATION;
use ::http::{HeaderMap, HeaderValue, Method};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use url::Url;

use super::dpop::{self, Claims, Key, Nonces, PROOF, Use};
use super::oauth::now;
use super::options::Sends;
use crate::error::Failure;
use crate::secret::Secret;
use crate::store::Tokens;

/// How the tokens of one server are sent.
#[derive(Debug)]
pub(super) struct Presenter {
    sends: Sends,
    binds: Use,
    nonces: Arc<Nonces>,
    /// The key in use.
    key: Mutex<Option<Arc<Key>>>,
}

impl Presenter {
    pub fn new(sends: Sends, binds: Use) -> Self {
        Self {
            sends,
            binds,
            nonces: Arc::default(),
            key: Mutex::default(),
        }
    }

    /// The nonces of all servers that belong to the sign-in.
    pub const fn nonces(&self) -> &Arc<Nonces> {
        &self.nonces
    }

    /// Whether these tokens can be sent as the user wants it.
    pub fn usable(&self, tokens: &Tokens) -> bool {
        match (self.sends, &tokens.dpop_key) {
            (Sends::IdToken, _) => tokens.id_token.is_some(),
            (Sends::AccessToken, Some(kept)) => self.key(kept).is_some(),
            // Without its key, a token that is bound to one is worth nothing.
            (Sends::AccessToken, None) => {
                self.binds == Use::WhenAsked && !tokens.token_type.eq_ignore_ascii_case("dpop")
            }
        }
    }

    /// Puts the token in, with a fresh proof for this one request where it is bound to a key.
    pub fn put_in(&self, headers: &mut HeaderMap, tokens: &Tokens, method: &Method, url: &Url) {
        let (scheme, token) = match (self.sends, &tokens.id_token, &tokens.dpop_key) {
            (Sends::IdToken, Some(token), _) => ("Bearer", token),
            (Sends::IdToken, None, _) => return,
            (Sends::AccessToken, _, None) => ("Bearer", &tokens.access),
            (Sends::AccessToken, _, Some(kept)) => {
                let nonce = self.nonces.get(url);
                let claims = Claims {
                    method,
                    url,
                    token: Some(&tokens.access),
                    nonce: nonce.as_deref(),
                    at: now(),
                };
                let Some(proof) = self.key(kept).and_then(|key| key.proof(&claims)) else {
                    return;
                };
                headers.insert(PROOF, proof);
                ("DPoP", &tokens.access)
            }
        };
        let authorization = format!("{scheme} {}", token.expose());
        if let Ok(mut value) = HeaderValue::from_str(&authorization) {
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
    }

    /// The key that is kept so, read once.
    pub fn key(&self, kept: &Secret) -> Option<Arc<Key>> {
        let mut known = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = known.as_ref().filter(|key| key.kept() == kept) {
            return Some(Arc::clone(key));
        }
        let key = Arc::new(Key::from_kept(kept)?);
        *known = Some(Arc::clone(&key));
        Some(key)
    }

    /// Makes tokens that are to be kept fit for what is sent of them: where that is the id token, they end when it does.
    ///
    /// # Errors
    /// [`Failure::Credentials`] when there is no id token and that is what is sent.
    pub fn fit(&self, tokens: &mut Tokens) -> Result<(), Failure> {
        if self.sends == Sends::AccessToken {
            return Ok(());
        }
        let Some(token) = &tokens.id_token else {
            return Err(Failure::Credentials {
                what: "the authorization server gave no ID token, and --use-id-token wants to send one".to_owned(),
                hint: "ask for one with the scope openid (--scope), or leave out --use-id-token",
            });
        };
        let end = end_of(token).filter(|end| *end > tokens.obtained_at);
        tokens.expires_at = end.or(tokens.expires_at);
        Ok(())
    }
}

/// Whether the server refused a request for want of a nonce, or of another one, and nothing else.
pub(super) fn wants_nonce(sent: &HeaderMap, answer: &HeaderMap) -> bool {
    sent.contains_key(PROOF) && dpop::wants_nonce(answer)
}

/// When an id token ends, in seconds since 1970. It is the server's own business whether it is genuine.
fn end_of(token: &Secret) -> Option<u64> {
    #[derive(Deserialize)]
    struct Payload {
        exp: u64,
    }
    let payload = token.expose().split('.').nth(1)?;
    let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
    let payload: Payload = serde_json::from_slice(&payload).ok()?;
    Some(payload.exp)
}

#[cfg(test)]
mod tests {
    use super::Presenter;
    use crate::auth::dpop::{Key, PROOF, Use};
    use crate::auth::options::Sends;
    use crate::secret::Secret;
    use crate::store::Tokens;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use http::header::AUTHORIZATION;
    use http::{HeaderMap, Method};
    use url::Url;

    fn tokens(kind: &str) -> Tokens {
        Tokens::new(Secret::new("at".to_owned()), kind.to_owned(), 1000)
    }

    fn bound() -> Tokens {
        let mut tokens = tokens("DPoP");
        tokens.dpop_key = Some(Key::generate().unwrap().kept().clone());
        tokens
    }

    fn sent(presenter: &Presenter, tokens: &Tokens) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let url = Url::parse("https://h/mcp").unwrap();
        presenter.put_in(&mut headers, tokens, &Method::POST, &url);
        headers
    }

    #[test]
    fn a_bound_token_goes_with_a_proof_and_never_as_bearer() {
        let presenter = Presenter::new(Sends::AccessToken, Use::WhenAsked);
        let headers = sent(&presenter, &bound());
        assert_eq!(headers[AUTHORIZATION], "DPoP at");
        assert!(headers.contains_key(PROOF));
        let headers = sent(&presenter, &tokens("Bearer"));
        assert_eq!(headers[AUTHORIZATION], "Bearer at");
        assert!(!headers.contains_key(PROOF));
    }

    #[test]
    fn tokens_that_cannot_be_sent_as_wanted_are_of_no_use() {
        let asked = Presenter::new(Sends::AccessToken, Use::WhenAsked);
        let always = Presenter::new(Sends::AccessToken, Use::Always);
        assert!(asked.usable(&tokens("Bearer")) && !always.usable(&tokens("Bearer")));
        assert!(asked.usable(&bound()) && always.usable(&bound()));
        let mut damaged = bound();
        damaged.dpop_key = Some(Secret::new("AAAA".to_owned()));
        for lost in [tokens("DPoP"), damaged] {
            assert!(!asked.usable(&lost));
        }
    }

    #[test]
    fn the_id_token_is_sent_in_place_of_the_access_token_and_its_end_counts() {
        let presenter = Presenter::new(Sends::IdToken, Use::WhenAsked);
        let mut tokens = tokens("Bearer");
        tokens.expires_at = Some(9000);
        assert!(!presenter.usable(&tokens));
        assert!(sent(&presenter, &tokens).is_empty());
        let wrong = presenter.fit(&mut tokens).unwrap_err();
        assert!(wrong.to_string().contains("--use-id-token"), "{wrong}");
        for (claims, end) in [
            (r#"{"exp":2000}"#, 2000),
            (r#"{"exp":1000}"#, 9000),
            (r#"{"exp":"soon"}"#, 9000),
            ("{}", 9000),
        ] {
            let id = format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims));
            let mut tokens = tokens.clone();
            tokens.id_token = Some(Secret::new(id.clone()));
            presenter.fit(&mut tokens).unwrap();
            assert_eq!(tokens.expires_at, Some(end), "{claims}");
            let headers = sent(&presenter, &tokens);
            assert_eq!(headers[AUTHORIZATION], format!("Bearer {id}"));
        }
    }
}
