//! A grant from the challenge to the kept record, and again before the token ends. Nobody is waited for.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use super::enterprise::User;
use super::request::Proof;
use super::{Grant, client_credentials, enterprise, workload};
use crate::auth::Recovery;
use crate::auth::discovery::{Discovered, Source};
use crate::auth::dpop::{self, Demand};
use crate::auth::flow::{self, NoToken};
use crate::auth::http::OauthHttp;
use crate::auth::loopback::End;
use crate::auth::metadata::{ServerMetadata, canonical_resource};
use crate::auth::oauth::{Oauth, now};
use crate::auth::options::{Options, Resource};
use crate::auth::provider;
use crate::auth::refresh::{self, Outcome};
use crate::auth::sign_in::{Asked, Procedure};
use crate::auth::user::SignIn;
use crate::error::Failure;
use crate::store::{Client, Record};

/// How long an authorization server that said no is not asked again.
const REFUSED_REST: Duration = Duration::from_secs(60);

/// How long one that could not be asked is left alone.
const REST: Duration = Duration::from_secs(5);

/// Whom to ask, for what.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    pub server: &'a ServerMetadata,
    /// Whom assertions of the client are for.
    pub audience: &'a str,
    pub resource: Option<&'a str>,
    pub scope: Option<&'a str>,
}

impl<'a> Ask<'a> {
    fn new(
        options: &Options,
        server: &'a ServerMetadata,
        resource: &'a str,
        scope: Option<&'a str>,
    ) -> Self {
        // An endpoint that the user named has no issuer that anybody checked (RFC 7523 §3 allows either).
        let audience = match &options.token_endpoint {
            Some(_) => server.token_endpoint.as_str(),
            None => &server.issuer,
        };
        let sends = match options.grant {
            // The identity provider's own grant is for it.
            Grant::Enterprise(_) => options.request.resource != Resource::Omitted,
            _ => provider::sends_resource(options, &server.issuer),
        };
        Self {
            server,
            audience,
            resource: sends.then_some(resource),
            scope,
        }
    }

    /// `resource` and `scope`, where they are sent.
    pub fn parameters(&self) -> impl Iterator<Item = (&'static str, &'a str)> + use<'a> {
        let resource = self.resource.map(|resource| ("resource", resource));
        let scope = self.scope.map(|scope| ("scope", scope));
        resource.into_iter().chain(scope)
    }
}

/// What a grant gave.
#[derive(Debug)]
pub(super) struct Got {
    pub tokens: flow::Tokens,
    pub client: Client,
}

/// Why there is no token.
#[derive(Debug)]
pub(super) enum Denied {
    /// The identity provider wants to see the user.
    Identity(Failure),
    /// Something that no user can help.
    Token(NoToken),
}

impl<T: Into<NoToken>> From<T> for Denied {
    fn from(none: T) -> Self {
        Self::Token(none.into())
    }
}

impl Got {
    /// Tokens of the client with that proof.
    pub fn new(
        tokens: flow::Tokens,
        (id, proof): (&str, &Proof<'_>),
        options: &Options,
        ask: &Ask<'_>,
    ) -> Self {
        let mut client = Client::public(id.to_owned(), ask.server.issuer.clone());
        client.auth_method = proof.method().to_owned();
        client.client_secret = options.client_id().1.cloned();
        // The next token is had in the same way as this one.
        let tokens = flow::Tokens {
            refresh: None,
            ..tokens
        };
        Self { tokens, client }
    }
}

/// Asks for a token, for whom `record` says where that is kept. The caller holds the lock of its key.
pub(super) async fn ask(
    http: &OauthHttp,
    oauth: &Oauth,
    ask: &Ask<'_>,
    record: Option<&mut Record>,
) -> Result<Got, Denied> {
    let options = &oauth.options;
    match &options.grant {
        Grant::Person => Err(Failure::Closed.into()),
        Grant::ClientCredentials { key } => {
            Ok(client_credentials::ask(http, options, key.as_ref(), ask).await?)
        }
        Grant::Workload(identity) => Ok(workload::ask(http, options, identity, ask).await?),
        Grant::Enterprise(idp) => {
            enterprise::supported(ask.server)?;
            let found = &idp.find(options).await?;
            let id_token = &oauth.id_token(idp, found, record).await?;
            let user = User {
                idp,
                found,
                id_token,
            };
            enterprise::ask(http, options, user, ask).await
        }
    }
}

/// Why there is no token, and what to do about it. A refusal is final for a while.
fn told(options: &Options, denied: Denied) -> Failure {
    match denied {
        Denied::Identity(failure)
        | Denied::Token(NoToken::Failed(failure) | NoToken::Unbound(failure)) => failure,
        // It says nothing of the client.
        Denied::Token(NoToken::Refused(code, failure)) if dpop::is_about_proofs(&code) => failure,
        Denied::Token(NoToken::Refused(_, failure)) => Failure::SignIn {
            what: failure.to_string(),
            hint: options.grant.remedy().to_owned(),
        },
    }
}

/// A new token in place of the one in `record`. The caller holds the lock of its key.
///
/// # Errors
/// Why there is none; nothing is lost.
pub(in crate::auth) async fn renew(
    http: &OauthHttp,
    oauth: &Oauth,
    record: &Record,
) -> Result<Outcome, Failure> {
    let options = &oauth.options;
    let Some(mut server) = refresh::metadata(record) else {
        return Ok(Outcome::Impossible);
    };
    if let Some(endpoint) = &options.token_endpoint {
        server.token_endpoint.clone_from(endpoint);
    }
    let own = options.request.scope.as_deref();
    let scope = own.or(record.asked_scope.as_deref());
    let wanted = Ask::new(options, &server, &record.key.resource, scope);
    let mut record = record.clone();
    let got = match ask(http, oauth, &wanted, Some(&mut record)).await {
        Err(Denied::Identity(failure)) if options.grant.needs_person() => {
            tracing::debug!("no other token without the user: {failure}");
            // What was refused is not shown again.
            record.changed(now());
            record.tokens = None;
            record.identity = None;
            return Ok(Outcome::Lost(Box::new(record)));
        }
        Err(Denied::Token(NoToken::Unbound(failure))) => {
            tracing::debug!("no other token: {failure}");
            return Ok(Outcome::Impossible);
        }
        other => other.map_err(|denied| told(options, denied))?,
    };
    record.changed(now());
    record.tokens = Some(refresh::stored(got.tokens, None));
    record.client = Some(got.client);
    tracing::debug!("got another token");
    Ok(Outcome::Refreshed(Box::new(record)))
}

/// The server at an endpoint that the user named; nothing is discovered.
pub(in crate::auth) fn named(endpoint: &Url, server: &Url) -> Discovered {
    let issuer = endpoint.origin().ascii_serialization();
    Discovered {
        resource: canonical_resource(server),
        scopes: None,
        demand: Demand::default(),
        metadata: ServerMetadata::of_token_endpoint(issuer.clone(), endpoint.clone()),
        issuer,
        source: Source::Assumed,
    }
}

impl Procedure<'_> {
    /// The record of a token that no person is asked for.
    pub async fn granted(&self, http: &OauthHttp, mut asked: Asked<'_>) -> Result<Record, Failure> {
        let options = &self.oauth.options;
        let discovered = asked.discovered;
        if discovered.source == Source::Assumed && options.token_endpoint.is_none() {
            return Err(Failure::Credentials {
                what: "the server does not say who gives tokens for it".to_owned(),
                hint: match options.grant {
                    Grant::Enterprise(_) => {
                        "tell the server's owner; its metadata has to name its authorization server"
                    }
                    _ => "give the address that does with --token-endpoint",
                },
            });
        }
        if options.request.scope.is_none() {
            asked.scope = asked.scope.and_then(|scope| without_offline(&scope));
        }
        let (id, _) = options.client_id();
        if !id.is_empty() {
            self.bound(id, &discovered.issuer).await?;
        }
        let wanted = Ask::new(
            options,
            &discovered.metadata,
            asked.resource,
            asked.scope.as_deref(),
        );
        let (got, identity, tab) = match &options.grant {
            Grant::Enterprise(idp) => self.for_user(http, idp, (&wanted, &asked)).await,
            _ => (ask(http, self.oauth, &wanted, None).await, None, None),
        };
        let kept = match got {
            Ok(got) => self.keep(&asked, got.client, got.tokens, identity).await,
            Err(denied) => Err(told(options, denied)),
        };
        match (tab, &kept) {
            (Some(tab), Ok(_)) => tab.succeed(options.callback.success.as_ref()).await,
            (Some(tab), Err(_)) => tab.fail(End::Failed).await,
            (None, _) => {}
        }
        kept
    }
}

/// Nobody is offline who was never there: no refresh token is asked for.
fn without_offline(scope: &str) -> Option<String> {
    let offline = ["offline_access", "refresh_token"];
    let scopes = scope.split(' ').filter(|scope| !offline.contains(scope));
    Some(scopes.collect::<Vec<_>>().join(" ")).filter(|scope| !scope.is_empty())
}

impl Oauth {
    /// Signs in now where that needs no person, and waits for it.
    ///
    /// # Errors
    /// Why there is no token. Whoever refused is not asked again for a while.
    pub async fn sign_in_alone(self: &Arc<Self>) -> Result<Recovery, Failure> {
        if self.options.grant.needs_person() {
            return Ok(Recovery::SignIn);
        }
        if let Some((until, failure)) = &self.state().rest
            && Instant::now() < *until
        {
            return Err(failure.clone());
        }
        let mut status = self.sign_in();
        let ended = status.wait_for(|status| !status.is_running()).await;
        let failure = match ended.as_deref() {
            Ok(SignIn::Done) => return Ok(Recovery::Renewed),
            Ok(SignIn::Failed(failure)) => failure.clone(),
            _ => Failure::Closed,
        };
        self.state().rest = Some((Instant::now() + rest(&failure), failure.clone()));
        Err(failure)
    }

    /// Asks for another token now, whatever the age of the one at hand.
    ///
    /// # Errors
    /// As for [`Self::sign_in_alone`].
    pub async fn ask_again(self: &Arc<Self>) -> Result<(), Failure> {
        let epoch = self.state().epoch;
        match self.renew(epoch).await? {
            Recovery::SignIn => self.sign_in_alone().await.map(|_| ()),
            Recovery::Renewed | Recovery::Exhausted => Ok(()),
        }
    }

    /// Whether somebody is being asked for a token.
    pub fn is_asking(&self) -> bool {
        self.status.borrow().is_running() || self.state().renewal.is_some()
    }

    /// How tokens are had.
    pub fn grant(&self) -> &Grant {
        &self.options.grant
    }
}

/// How long nothing is tried after a failure.
pub(in crate::auth) const fn rest(failure: &Failure) -> Duration {
    match failure {
        Failure::SignIn { .. } => REFUSED_REST,
        _ => REST,
    }
}

#[cfg(test)]
mod tests {
    use super::without_offline;

    #[test]
    fn no_refresh_token_is_asked_for() {
        assert_eq!(
            without_offline("a offline_access b").as_deref(),
            Some("a b")
        );
        assert_eq!(without_offline("offline_access"), None);
    }
}
