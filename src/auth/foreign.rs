//! A sign-in that another program made, taken over as if it were ours. What that program did not write down, the authorization
//! server and its metadata, is found as for a sign-in.

use std::sync::Arc;

use url::Url;

use super::discovery::{Discovered, discover};
use super::identity::prove;
use super::oauth::{Oauth, View, now};
use super::options::Resource;
use super::provider;
use super::registration::AuthMethod;
use crate::error::Failure;
use crate::store::{Client, Key, Record, Tokens};

/// What the other program kept.
#[derive(Debug, Clone)]
pub struct Foreign {
    /// The tokens; when they came is what counts against those that are kept already.
    pub tokens: Tokens,
    /// The client that it registered; `None` where the user brought one, with the options.
    pub client: Option<Client>,
    /// The issuer of the authorization server, as its own metadata writes it, where that is known.
    pub issuer: Option<String>,
    /// The scope that was asked for, where that is known.
    pub asked_scope: Option<String>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is kept now.
    Kept,
    /// The sign-in that was kept already is as new.
    Known,
}

impl Oauth {
    /// Whether a sign-in with tokens that came at `at` or later, in seconds since 1970, is kept for this server.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn has_since(self: &Arc<Self>, at: u64) -> Result<bool, Failure> {
        self.reload(View::Unlocked).await?;
        let record = self.record();
        let tokens = record.as_ref().and_then(|record| record.tokens.as_ref());
        Ok(tokens.is_some_and(|tokens| tokens.obtained_at >= at))
    }

    /// Keeps a foreign sign-in, unless the one that is kept already is as new. If the server has refused a request before,
    /// what it said counts.
    ///
    /// # Errors
    /// The authorization server cannot be found or is another one, and the store cannot be written.
    pub async fn take_over(self: &Arc<Self>, foreign: Foreign) -> Result<Taken, Failure> {
        if self.has_since(foreign.tokens.obtained_at).await? {
            return Ok(Taken::Known);
        }
        self.vault.check().await?;
        let discovered = self.whose(foreign.issuer.as_deref()).await?;
        let client = self.client_of(foreign.client, &discovered)?;
        let key = Key {
            issuer: discovered.issuer.clone(),
            client_id: client.client_id.clone(),
            resource: self.resource_of(&discovered),
            profile: self.options.profile.clone(),
            grant: self.options.grant.name().map(str::to_owned),
        };
        let guard = self.vault.locked(&key).await?;
        let kept = self.vault.load(&key).await.ok().flatten();
        let mut record = kept.unwrap_or_else(|| Record::new(key.clone()));
        let before = record.tokens.as_ref().map(|tokens| tokens.obtained_at);
        if before.is_some_and(|before| before >= foreign.tokens.obtained_at) {
            return Ok(Taken::Known);
        }
        record.tokens = Some(foreign.tokens);
        record.client = Some(client);
        record.server_metadata = serde_json::to_value(&discovered.metadata).ok();
        record.asked_scope = foreign.asked_scope;
        record.grant = self.options.grant.name().map(str::to_owned);
        record.servers.insert(self.vault.server().to_owned());
        record.changed(now());
        self.vault.keep(&record).await?;
        drop(guard);
        self.vault.retire_others(&key).await;
        Ok(Taken::Kept)
    }

    /// The authorization server that the tokens came from.
    async fn whose(&self, issuer: Option<&str>) -> Result<Discovered, Failure> {
        let named = self.state().need.resource_metadata.clone();
        let known: Vec<String> = issuer
            .iter()
            // The resource may write it with or without the slash.
            .flat_map(|issuer| {
                let bare = issuer.trim_end_matches('/');
                [bare.to_owned(), format!("{bare}/")]
            })
            .collect();
        let (server, checks) = (&self.options.server, self.options.checks);
        let http = self.http().await;
        let found = discover(&http, server, named.as_deref(), &known, checks).await?;
        let same = |own: &str| {
            issuer.is_none_or(|issuer| issuer.trim_end_matches('/') == own.trim_end_matches('/'))
        };
        if same(&found.issuer) || same(&found.metadata.issuer) {
            return Ok(found);
        }
        Err(Failure::Credentials {
            what: format!(
                "the sign-in is of {}, and the server now names {}",
                issuer.unwrap_or_default(),
                found.issuer
            ),
            hint: "sign in anew with mcp-tether login and the server's URL",
        })
    }

    /// The client as ours are kept.
    fn client_of(
        &self,
        registered: Option<Client>,
        discovered: &Discovered,
    ) -> Result<Client, Failure> {
        let issuer = &discovered.issuer;
        let brought = registered.is_none();
        let mut client = match (registered, self.options.client_id()) {
            (Some(client), _) => client,
            (None, ("", _)) => {
                return Err(Failure::Credentials {
                    what: "the registration that belongs to the tokens is missing".to_owned(),
                    hint: "sign in anew with mcp-tether login and the server's URL",
                });
            }
            (None, (id, secret)) => {
                let mut client = Client::public(id.to_owned(), issuer.clone());
                client.client_secret = secret.cloned();
                client
            }
        };
        let said = AuthMethod::from_name(&client.auth_method).filter(|_| !brought);
        let secret = client.client_secret.as_ref();
        let method = AuthMethod::choose(said, secret, &discovered.metadata);
        client.auth_method = method.name().to_owned();
        client.issuer.clone_from(issuer);
        if brought {
            prove(&mut client, self.preset_of(issuer));
        }
        Ok(client)
    }

    fn preset_of(&self, issuer: &str) -> &'static provider::Preset {
        provider::preset(self.options.checks.provider, issuer)
    }

    /// The resource that the tokens are for, as JavaScript writes URLs: a refresh must name it as the sign-in did.
    fn resource_of(&self, discovered: &Discovered) -> String {
        let written = |text: &str| Url::parse(text).map_or(text.to_owned(), String::from);
        match &self.options.request.resource {
            Resource::Given(resource) => written(resource),
            Resource::Named | Resource::Omitted => self
                .preset_of(&discovered.issuer)
                .resource(&written(&discovered.resource)),
        }
    }
}
