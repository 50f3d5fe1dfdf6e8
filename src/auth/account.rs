//! Sign-ins as their owner sees them: who is signed in where, and how one is ended. Nothing secret leaves this file.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use url::Url;

use super::flow;
use super::grant::{self, assertion::SigningKey};
use super::http::OauthHttp;
use super::refresh::metadata;
use crate::error::Failure;
use crate::net::addresses::Reach;
use crate::net::client;
use crate::secret::Secret;
use crate::store::{Folders, Lock, Login, Outcome, Record, Store, StoreError, Tokens};

/// The record of a listed sign-in; `None` when there is none any more.
///
/// # Errors
/// Its store cannot be read.
pub async fn record(login: &Login, folders: &Folders) -> Result<Option<Record>, StoreError> {
    Store::at(login.place, folders).load(&login.key).await
}

/// Who signed in, as the id token names them: for people, never to decide anything by.
pub fn name(tokens: &Tokens) -> Option<String> {
    named(tokens.id_token.as_ref()?)
}

/// The same of an id token.
pub fn named(id_token: &Secret) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        email: Option<String>,
        preferred_username: Option<String>,
        name: Option<String>,
        sub: Option<String>,
    }
    let token = id_token.expose();
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Claims = serde_json::from_slice(&payload).ok()?;
    let named = claims
        .email
        .or(claims.preferred_username)
        .or(claims.name)
        .or(claims.sub)?;
    // A terminal must not obey it.
    Some(
        named
            .chars()
            .filter(|c| !c.is_control())
            .take(100)
            .collect(),
    )
}

/// Whether the authorization server knows that a sign-in has ended.
#[derive(Debug)]
pub enum Revoked {
    /// It does.
    Yes,
    /// There was no token to revoke.
    Nothing,
    /// It names no endpoint for that.
    NotOffered,
    /// Only the client's key says who asks, and it was not given.
    NoKey,
    /// Only the platform's tokens say who asks, and they are no proof at such an endpoint.
    NoClient,
    /// It could not be told; why.
    Failed(Failure),
}

/// Ends a sign-in: its tokens are revoked where the server offers that (RFC 7009), and the user's sign-in at an identity provider
/// as well, then the record is deleted, in any case. A client with a key proves itself with `key`, which is not kept.
///
/// # Errors
/// The record cannot be deleted.
pub async fn end(
    login: &Login,
    folders: &Folders,
    network: &client::Options,
    key: Option<&SigningKey>,
) -> Result<Revoked, StoreError> {
    // A refresh in progress would bring it back.
    let lock = Lock::of_key(&folders.state, &login.key);
    let guard = lock.wait(super::vault::LOCK_WAIT).await;
    if !matches!(guard, Outcome::Held(_)) {
        tracing::debug!("signing out without the lock: {guard:?}");
    }
    let store = Store::at(login.place, folders);
    let revoked = match store.load(&login.key).await {
        Ok(Some(record)) => {
            let at_provider = revoke_identity(&record, network);
            match tokio::join!(at_provider, revoke(&record, network, key)) {
                (_, revoked @ Revoked::Failed(_)) => revoked,
                (Some(Err(failure)), _) => Revoked::Failed(failure),
                (Some(Ok(())), Revoked::Nothing) => Revoked::Yes,
                (_, revoked) => revoked,
            }
        }
        Ok(None) => Revoked::Nothing,
        Err(wrong @ StoreError::Corrupt(..)) => {
            tracing::warn!("{wrong}");
            Revoked::Nothing
        }
        Err(wrong) => return Err(wrong),
    };
    store.delete(&login.key).await?;
    Ok(revoked)
}

/// Ends the user's sign-in at the identity provider of a company; `None` where there is none, or no way to end it.
async fn revoke_identity(
    record: &Record,
    network: &client::Options,
) -> Option<Result<(), Failure>> {
    let identity = record.identity.as_ref()?;
    let (token, by) = (identity.refresh.as_ref()?, identity.revocation.as_ref()?);
    // The user named it: it may be on a private network.
    let issuer = Url::parse(&by.client.issuer).ok()?;
    let http = OauthHttp::new(network.clone(), Reach::of_url(&issuer).await);
    Some(flow::revoke(&http, &by.endpoint, &by.client, token).await)
}

async fn revoke(record: &Record, network: &client::Options, key: Option<&SigningKey>) -> Revoked {
    let (Some(tokens), Some(client)) = (&record.tokens, &record.client) else {
        return Revoked::Nothing;
    };
    let Some((server, endpoint)) = metadata(record).and_then(|server| {
        let endpoint = server.revocation_endpoint.clone()?;
        Some((server, endpoint))
    }) else {
        return Revoked::NotOffered;
    };
    let signs = client.auth_method == grant::PRIVATE_KEY_JWT;
    let key = match (signs, key) {
        (true, None) => return Revoked::NoKey,
        (true, key) => key,
        (false, _) if grant::is_nobody(record) => return Revoked::NoClient,
        (false, _) => None,
    };
    let named = record.servers.first().and_then(|url| Url::parse(url).ok());
    let reach = match named {
        Some(url) => Reach::of_url(&url).await,
        None => Reach::Public,
    };
    let http = OauthHttp::new(network.clone(), reach);
    // With the refresh token a server revokes all that was granted; not all do.
    for token in tokens.refresh.iter().chain([&tokens.access]) {
        let revoked = match key {
            Some(key) => {
                let client = (client.client_id.as_str(), key);
                grant::revoke(&http, &server, &endpoint, client, token).await
            }
            None => flow::revoke(&http, &endpoint, client, token).await,
        };
        if let Err(failure) = revoked {
            return Revoked::Failed(failure);
        }
    }
    Revoked::Yes
}

#[cfg(test)]
mod tests {
    use super::name;
    use crate::secret::Secret;
    use crate::store::Tokens;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    #[test]
    fn the_id_token_says_who_it_is() {
        let named = |claims: &str| {
            let mut tokens = Tokens::new(Secret::new(String::new()), "Bearer".to_owned(), 0);
            let token = format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims));
            tokens.id_token = Some(Secret::new(token));
            name(&tokens)
        };
        let all = r#"{"sub":"1","name":"A","email":"a@b"}"#;
        assert_eq!(named(all).as_deref(), Some("a@b"));
        assert_eq!(
            named("{\"sub\":\"1\\u001b[31m\"}").as_deref(),
            Some("1[31m")
        );
        assert_eq!(named("{}"), None);
        assert_eq!(named("no"), None);
    }
}
