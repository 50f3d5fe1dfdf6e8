//! One whole sign-in: whose turn it is, whom to sign in with, who we are there, the browser, the code, the tokens. Each step
//! is a module of its own; this is their order.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::device::Way;
use super::discovery::{Discovered, discover};
use super::flow::{self, Attempt};
use super::follow::{Next, take_turn};
use super::loopback::{End, Listener, Response};
use super::oauth::{Need, Oauth, now};
use super::turn::Turn;
use super::user::{SignIn, Waiting};
use super::{grant, http::OauthHttp, refresh};
use crate::error::Failure;
use crate::net::retry::Backoff;
use crate::store::{Client, Identity, Key, Kind, Record, Tokens};

/// Tries to reach an authorization server that does not answer.
const TRIES: u32 = 5;

/// Rounds of one sign-in: a client that the server forgot, a code that came too late and a scope that it refuses cost one each.
const ROUNDS: u32 = 3;

/// Signs in, or waits for whoever does, and gives the record that is kept.
pub(super) async fn run(oauth: &Oauth, need: Need) -> Result<Record, Failure> {
    let begun = Instant::now();
    let limit = oauth.options.timeout;
    let late = || Failure::SignIn {
        what: if oauth.options.grant.needs_person() {
            format!("nobody signed in within {} s", limit.as_secs_f64())
        } else {
            format!("nobody gave a token within {} s", limit.as_secs_f64())
        },
        hint: "try again, or raise --auth-timeout".to_owned(),
    };
    let turn = tokio::time::timeout(limit, take_turn(oauth))
        .await
        .unwrap_or_else(|_| Err(late()))?;
    let turn = match turn {
        Next::Ours(turn) => turn,
        Next::Done(record) => return Ok(*record),
    };
    let procedure = Procedure {
        oauth,
        need,
        turn,
        opens: begun + oauth.browser_delay(),
        kept: Mutex::default(),
    };
    let outcome = match tokio::time::timeout_at(begun + limit, procedure.sign_in()).await {
        Ok(outcome) => outcome,
        Err(_) => {
            procedure.forget_client().await;
            Err(late())
        }
    };
    procedure.turn.ended(outcome.as_ref().err());
    outcome
}

/// Why a round ended without tokens.
pub(super) enum Ended {
    /// For good.
    Stop(Failure),
    /// The server does not know the client any more: another one must register.
    Client(Failure),
    /// The code was not taken.
    Code(Failure),
    /// The scope was refused.
    Scope(Failure),
    /// The user said no.
    Denied(Failure),
    /// This way of signing in was refused: there is another one.
    Way(Failure),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Stop(failure)
    }
}

/// A sign-in whose turn it is.
pub(super) struct Procedure<'a> {
    pub oauth: &'a Oauth,
    pub need: Need,
    pub turn: Turn,
    /// When a browser may be opened.
    pub opens: Instant,
    /// The key of a client that was registered for an earlier sign-in, while it is used.
    pub kept: Mutex<Option<Key>>,
}

impl Procedure<'_> {
    async fn sign_in(&self) -> Result<Record, Failure> {
        let options = &self.oauth.options;
        if options.store == Kind::Keyring {
            // The user wants it there and nowhere else.
            self.oauth.vault.check().await?;
        }
        let http = &self.oauth.http().await;
        let discovered = self.discover(http).await?;
        self.bind(http, &discovered)?;
        let resource = self.resource(&discovered);
        let kept = self
            .oauth
            .vault
            .find_for(&discovered.issuer, &resource)
            .await;
        if let Some(kept) = &kept
            && let Some(record) = self.shared(&kept.key).await
        {
            return Ok(record);
        }
        let client = kept.and_then(|record| record.client);
        self.rounds(http, &discovered, &resource, client).await
    }

    /// Asks until there are tokens; what can be mended is mended once.
    async fn rounds(
        &self,
        http: &OauthHttp,
        discovered: &Discovered,
        resource: &str,
        mut client: Option<Client>,
    ) -> Result<Record, Failure> {
        let mut scope = self.scope(discovered, resource);
        let mut last = Failure::Closed;
        let mut late = false;
        let mut way = self.way(discovered);
        self.note_asked(scope.as_deref());
        if self.oauth.options.grant.asks_again() {
            let asked = Asked {
                discovered,
                resource,
                scope,
                way,
            };
            return self.granted(http, asked).await;
        }
        for _ in 0..ROUNDS {
            let asked = Asked {
                discovered,
                resource,
                scope: scope.clone(),
                way,
            };
            let round = match way {
                Way::Device => self.device_round(http, &asked, client.clone()).await,
                Way::Browser => self.round(http, &asked, client.clone()).await,
            };
            last = match round {
                Ok(record) => return Ok(record),
                Err(Ended::Stop(failure) | Ended::Denied(failure)) => return Err(failure),
                Err(Ended::Client(failure)) => {
                    if let Some(unknown) = client.take() {
                        let key = self.key(&asked, &unknown);
                        self.oauth.vault.forget(&key).await;
                    }
                    failure
                }
                Err(Ended::Code(failure)) if late => return Err(failure),
                Err(Ended::Code(failure)) => {
                    late = true;
                    failure
                }
                // The server's own choice of scope is better than none at all.
                Err(Ended::Scope(failure)) if scope.is_none() => return Err(failure),
                Err(Ended::Scope(failure)) => {
                    scope = None;
                    failure
                }
                Err(Ended::Way(failure)) => {
                    way = Way::Browser;
                    // It may have registered just now.
                    let vault = &self.oauth.vault;
                    let kept = vault.find_for(&discovered.issuer, resource).await;
                    client = kept.and_then(|record| record.client);
                    failure
                }
            };
            tracing::debug!("signing in once more: {last}");
        }
        Err(last)
    }

    /// A sign-in for the same resource that was made for another URL of the server, or that another process has just made.
    async fn shared(&self, key: &Key) -> Option<Record> {
        let vault = &self.oauth.vault;
        if self.need.before.is_some() {
            return None;
        }
        let guard = vault.locked(key).await.ok()?;
        let mut record = vault.load(key).await.ok()??;
        let tokens = self.oauth.usable(Some(&record))?;
        if refresh::is_expired(tokens, now()) || self.is_refused(tokens) {
            return None;
        }
        if record.servers.insert(vault.server().to_owned()) {
            record.changed(now());
            vault.save(&record).await;
        }
        drop(guard);
        vault.retire_others(key).await;
        Some(record)
    }

    /// Nobody came back: an authorization server that has forgotten the client shows its own error page and does not say so. The
    /// next sign-in registers anew.
    async fn forget_client(&self) {
        let key = self
            .kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(key) = key else { return };
        let vault = &self.oauth.vault;
        let Ok(_guard) = vault.locked(&key).await else {
            return;
        };
        if let Ok(Some(mut record)) = vault.load(&key).await {
            record.client = None;
            record.changed(now());
            if record.is_unfinished() {
                vault.forget(&key).await;
            } else {
                vault.save(&record).await;
            }
        }
    }

    /// No step-up asks for the same again.
    fn note_asked(&self, scope: Option<&str>) {
        let scope = scope.unwrap_or_default().to_owned();
        self.oauth.state().asked.insert(scope);
    }

    /// Whether the server has refused these very tokens.
    fn is_refused(&self, tokens: &Tokens) -> bool {
        let refused = self.oauth.record();
        let refused = refused.as_ref().and_then(|record| record.tokens.as_ref());
        refused.is_some_and(|refused| refused.access == tokens.access)
    }

    /// Finds the authorization server; one that is not up gets a few seconds.
    async fn discover(&self, http: &OauthHttp) -> Result<Discovered, Failure> {
        let options = &self.oauth.options;
        if let Some(endpoint) = &options.token_endpoint {
            return Ok(grant::named(endpoint, &options.server));
        }
        let issuers = self.oauth.vault.issuers().await;
        let named = self.need.resource_metadata.as_deref();
        let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(2));
        let mut tries = 0;
        loop {
            tries += 1;
            match discover(http, &options.server, named, &issuers, options.checks).await {
                Err(failure @ Failure::Unreachable { .. }) if tries < TRIES => {
                    tracing::debug!("no metadata yet: {failure}");
                    tokio::time::sleep(backoff.wait(fastrand::f64())).await;
                }
                other => return other,
            }
        }
    }

    /// One authorization request and what follows from it.
    async fn round(
        &self,
        http: &OauthHttp,
        asked: &Asked<'_>,
        kept: Option<Client>,
    ) -> Result<Record, Ended> {
        let options = &self.oauth.options;
        let callback = &options.callback;
        let page = &asked.discovered.metadata.authorization_endpoint;
        http.may_show(page.as_ref()).await?;
        let port = self.port(asked.discovered, kept.as_ref());
        let host = self.host(asked.discovered, kept.as_ref());
        let bound = Listener::bind(host, port, &callback.path).await;
        let mut listener = bound.map_err(Failure::from)?;
        let redirect_uri = listener.redirect_uri().to_owned();
        let client = self.client(http, asked, kept, &redirect_uri).await?;
        let (attempt, url) = Attempt::begin(
            asked.discovered.clone(),
            client,
            self.extras(http, asked),
            self.pkce(asked.discovered),
        )?;
        let (response, tab) = self.visit(&mut listener, attempt.state(), &url).await?;
        // From here on the user has done their part: it is carried to its end.
        let _finishing = Waiting::start(&self.oauth.finishing);
        self.oauth.status.send_replace(SignIn::Begun);
        match self.finish(http, asked, &attempt, &response).await {
            Ok(record) => {
                if let Some(tab) = tab {
                    tab.succeed(callback.success.as_ref()).await;
                }
                Ok(record)
            }
            Err(ended) => {
                if let Some(tab) = tab {
                    let denied = matches!(ended, Ended::Denied(_));
                    tab.fail(if denied { End::Refused } else { End::Failed })
                        .await;
                }
                Err(ended)
            }
        }
    }

    /// From the answer of the authorization server to the kept record.
    async fn finish(
        &self,
        http: &OauthHttp,
        asked: &Asked<'_>,
        attempt: &Attempt,
        response: &Response,
    ) -> Result<Record, Ended> {
        let code = attempt.code(response).map_err(|none| match none.code() {
            Some("invalid_scope") => Ended::Scope(none.into()),
            Some("access_denied") => Ended::Denied(none.into()),
            _ => Ended::Stop(none.into()),
        })?;
        let registers = self.oauth.options.client.registered.is_none();
        let fresh = attempt
            .exchange(http, &code)
            .await
            .map_err(|none| match none.code() {
                Some("invalid_grant") => Ended::Code(none.into()),
                Some("invalid_client" | "unauthorized_client") if registers => {
                    Ended::Client(none.into())
                }
                _ => Ended::Stop(none.into()),
            })?;
        let client = attempt.client().clone();
        Ok(self.keep(asked, client, fresh, None).await?)
    }

    /// What the sign-in of a client is kept under.
    pub fn key(&self, asked: &Asked<'_>, client: &Client) -> Key {
        Key {
            issuer: asked.discovered.issuer.clone(),
            client_id: client.client_id.clone(),
            resource: asked.resource.to_owned(),
            profile: self.oauth.options.profile.clone(),
            grant: self.oauth.options.grant.name().map(str::to_owned),
        }
    }

    /// Keeps what the sign-in gave, before anything uses it.
    pub async fn keep(
        &self,
        asked: &Asked<'_>,
        client: Client,
        fresh: flow::Tokens,
        identity: Option<Identity>,
    ) -> Result<Record, Failure> {
        let vault = &self.oauth.vault;
        let key = self.key(asked, &client);
        let _guard = vault.locked(&key).await?;
        let kept = vault.load(&key).await.ok().flatten();
        let mut record = kept.unwrap_or_else(|| Record::new(key.clone()));
        record.changed(now());
        let mut tokens = refresh::stored(fresh, None);
        self.oauth.presenter.fit(&mut tokens)?;
        record.tokens = Some(tokens);
        record.client = Some(client);
        // One that is kept is no older than the one that was used.
        record.identity = record.identity.filter(|_| identity.is_some()).or(identity);
        record.server_metadata = serde_json::to_value(&asked.discovered.metadata).ok();
        record.asked_scope.clone_from(&asked.scope);
        record.grant = self.oauth.options.grant.name().map(str::to_owned);
        record.servers.insert(vault.server().to_owned());
        vault.save(&record).await;
        vault.retire_others(&key).await;
        Ok(record)
    }
}

/// What is asked of the authorization server.
pub(super) struct Asked<'a> {
    pub discovered: &'a Discovered,
    pub resource: &'a str,
    pub scope: Option<String>,
    /// How the user signs in.
    pub way: Way,
}
