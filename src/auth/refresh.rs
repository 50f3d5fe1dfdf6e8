//! The refresh of tokens: when it is due, and what becomes of the record (RFC 6749 §6; 2025-11-25 authorization §Refresh).

use std::sync::Arc;

use super::dpop::{self, Binding, Key as ProofKey, Must};
use super::flow::{self, NoToken};
use super::grant;
use super::http::OauthHttp;
use super::metadata::ServerMetadata;
use super::oauth::{Oauth, now};
use super::options::Options;
use super::provider;
use crate::error::Failure;
use crate::store::{Key, Record, Tokens};

/// The longest time before its expiry at which a token is refreshed, in seconds.
const LEEWAY: u64 = 60;

/// What came of a refresh.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The record with new tokens.
    Refreshed(Box<Record>),
    /// The record without its tokens, which are worth nothing any more.
    Lost(Box<Record>),
    /// There is nothing to refresh with.
    Impossible,
}

/// Whether a token is to be refreshed now.
pub(super) fn is_due(tokens: &Tokens, now: u64) -> bool {
    tokens.refresh.is_some() && ends_soon(tokens, now)
}

/// Whether it is time for another one: a fifth of its lifetime before its end, at most a minute.
pub(super) fn ends_soon(tokens: &Tokens, now: u64) -> bool {
    let Some(end) = tokens.expires_at else {
        return false;
    };
    let lifetime = end.saturating_sub(tokens.obtained_at);
    now >= end.saturating_sub(LEEWAY.min(lifetime / 5))
}

/// Whether a token has ended.
pub(super) fn is_expired(tokens: &Tokens, now: u64) -> bool {
    tokens.expires_at.is_some_and(|end| now >= end)
}

/// Refreshes the tokens of `record`. The caller holds the lock of its key.
///
/// # Errors
/// Reasons that may pass; then nothing is lost.
pub(super) async fn refresh(
    http: &OauthHttp,
    oauth: &Oauth,
    record: &Record,
) -> Result<Outcome, Failure> {
    let options = &oauth.options;
    bind(http, record.tokens.as_ref());
    if options.grant.asks_again() {
        return grant::renew(http, oauth, record).await;
    }
    let refresh = record
        .tokens
        .as_ref()
        .and_then(|tokens| tokens.refresh.as_ref());
    let (Some(token), Some(client), Some(server)) = (refresh, &record.client, metadata(record))
    else {
        return Ok(Outcome::Impossible);
    };
    let resource = resource(options, &record.key);
    let mut record = record.clone();
    record.changed(now());
    match flow::refresh(http, &server, client, token, resource).await {
        Ok(fresh) => {
            let before = record.tokens.take();
            record.tokens = Some(stored(fresh, before.as_ref()));
            tracing::debug!("refreshed the token");
            Ok(Outcome::Refreshed(Box::new(record)))
        }
        Err(NoToken::Failed(failure)) => Err(failure),
        Err(NoToken::Unbound(failure)) => {
            tracing::debug!("no refresh: {failure}");
            Ok(Outcome::Impossible)
        }
        Err(NoToken::Refused(code, failure)) => match code.as_str() {
            "invalid_grant" => {
                tracing::debug!("the sign-in has ended: {failure}");
                record.tokens = None;
                Ok(Outcome::Lost(Box::new(record)))
            }
            "invalid_client" | "unauthorized_client" if is_own(options, &record.key) => {
                Err(failure)
            }
            // It says nothing of the token.
            dpop::USE_NONCE | dpop::INVALID_PROOF => Err(failure),
            "invalid_client" | "unauthorized_client" => {
                tracing::debug!("the server no longer knows this client: {failure}");
                record.tokens = None;
                record.client = None;
                Ok(Outcome::Lost(Box::new(record)))
            }
            _ => {
                tracing::debug!("no refresh: {failure}");
                Ok(Outcome::Impossible)
            }
        },
    }
}

/// Tokens that are bound to a key are renewed with it (RFC 9449 §5), and stay bound to it.
fn bind(http: &OauthHttp, tokens: Option<&Tokens>) {
    let kept = tokens.and_then(|tokens| tokens.dpop_key.as_ref());
    if let Some(key) = kept.and_then(ProofKey::from_kept) {
        http.bind(Binding {
            key: Arc::new(key),
            must: Must::BeBound,
        });
    }
}

/// The `resource` parameter for the sign-in of a key.
pub(super) fn resource<'a>(options: &Options, key: &'a Key) -> Option<&'a str> {
    provider::sends_resource(options, &key.issuer).then_some(key.resource.as_str())
}

/// The metadata that the record keeps of its authorization server.
pub(super) fn metadata(record: &Record) -> Option<ServerMetadata> {
    serde_json::from_value(record.server_metadata.clone()?).ok()
}

/// Whether the client is one that the user brought: registering anew does not help there.
fn is_own(options: &Options, key: &Key) -> bool {
    let registered = options.client.registered.as_ref();
    registered.is_some_and(|(id, _)| *id == key.client_id)
        || options.client.document.as_ref() == Some(&key.client_id)
}

/// Tokens as they are kept. What the answer leaves out stays as it was.
pub(super) fn stored(fresh: flow::Tokens, before: Option<&Tokens>) -> Tokens {
    let obtained_at = now();
    let kind = fresh.key.as_ref().map_or("Bearer", |_| "DPoP");
    let mut tokens = Tokens::new(fresh.access, kind.to_owned(), obtained_at);
    tokens.dpop_key = fresh.key;
    tokens.refresh = fresh
        .refresh
        .or_else(|| before.and_then(|before| before.refresh.clone()));
    tokens.id_token = fresh
        .id
        .or_else(|| before.and_then(|before| before.id_token.clone()));
    tokens.scope = fresh
        .scope
        .or_else(|| before.and_then(|before| before.scope.clone()));
    tokens.expires_at = fresh
        .lifetime
        .map(|lifetime| obtained_at.saturating_add(lifetime.as_secs()));
    tokens
}

#[cfg(test)]
mod tests {
    use super::{is_due, is_expired};
    use crate::secret::Secret;
    use crate::store::Tokens;

    fn tokens(lifetime: u64) -> Tokens {
        let mut tokens = Tokens::new(Secret::new("a".to_owned()), "Bearer".to_owned(), 1000);
        tokens.refresh = Some(Secret::new("r".to_owned()));
        tokens.expires_at = Some(1000 + lifetime);
        tokens
    }

    #[test]
    fn a_token_is_refreshed_a_fifth_of_its_life_or_a_minute_before_its_end() {
        for (lifetime, due) in [(30, 1024), (3600, 4540), (300, 1240), (0, 1000), (4, 1004)] {
            assert!(
                !is_due(&tokens(lifetime), due - 1) || lifetime == 0,
                "{lifetime}"
            );
            assert!(is_due(&tokens(lifetime), due), "{lifetime}");
        }
        assert!(is_expired(&tokens(30), 1030) && !is_expired(&tokens(30), 1029));
    }

    #[test]
    fn nothing_is_due_without_an_expiry_or_a_refresh_token() {
        let mut endless = tokens(30);
        endless.expires_at = None;
        assert!(!is_due(&endless, u64::MAX) && !is_expired(&endless, u64::MAX));
        let mut once = tokens(30);
        once.refresh = None;
        assert!(!is_due(&once, u64::MAX) && is_expired(&once, u64::MAX));
    }
}
