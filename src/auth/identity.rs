//! Who we are to the authorization server of a sign-in: a client that the user brought, a metadata document, or a client that
//! is registered on the way (2025-11-25 authorization §Client Registration Approaches); and the port that goes with it.

use std::sync::PoisonError;

use url::Url;

use super::device::Way;
use super::discovery::{Discovered, Source};
use super::flow;
use super::http::OauthHttp;
use super::loopback::Port;
use super::oauth::now;
use super::provider::Preset;
use super::registration::{self, AuthMethod, is_expired};
use super::sign_in::{Asked, Procedure};
use crate::error::Failure;
use crate::secret::Secret;
use crate::store::{Client, Record};

/// The port of redirect addresses that are registered once and for all: in a client metadata document, or by hand.
pub(super) const FIXED_PORT: u16 = 28741;

impl Procedure<'_> {
    /// The port to listen on: the one that the user gave or that is registered already, else any.
    pub fn port(&self, discovered: &Discovered, kept: Option<&Client>) -> Port {
        let options = &self.oauth.options;
        if let Some(port) = options.callback.port {
            return Port::Exactly(port);
        }
        if self.uses_document(discovered).is_some() || self.fixed(discovered).is_some() {
            return Port::Exactly(FIXED_PORT);
        }
        let registered = kept.and_then(|client| client.redirect_uri.as_deref());
        let registered = registered.and_then(|uri| Url::parse(uri).ok()?.port());
        registered.map_or(Port::Any, Port::Preferred)
    }

    /// The metadata document that is our id, where it is.
    fn uses_document(&self, discovered: &Discovered) -> Option<&str> {
        let identity = &self.oauth.options.client;
        let document = identity.document.as_deref()?;
        let supported = discovered.metadata.client_id_metadata_document_supported;
        (supported && identity.registered.is_none()).then_some(document)
    }

    /// Who we are: a client that the user brought, a document, a former registration, or a new one.
    pub async fn client(
        &self,
        http: &OauthHttp,
        asked: &Asked<'_>,
        kept: Option<Client>,
        redirect_uri: &str,
    ) -> Result<Client, Failure> {
        let discovered = asked.discovered;
        let identity = &self.oauth.options.client;
        let preset = self.preset(discovered);
        let own = |id: &str| {
            let mut client = Client::public(id.to_owned(), discovered.issuer.clone());
            client.redirect_uri = Some(redirect_uri.to_owned());
            client
        };
        if let Some((id, secret)) = &identity.registered {
            return self.brought(asked, own(id), secret.as_ref()).await;
        }
        if let Some(document) = self.uses_document(discovered) {
            return Ok(own(document));
        }
        let usable = |client: &Client| {
            client.redirect_uri.as_deref() == Some(redirect_uri) && !is_expired(client, now())
        };
        if let Some(client) = kept.filter(usable) {
            let key = self.key(asked, &client);
            *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
            return Ok(client);
        }
        if !preset.name.is_empty() && discovered.metadata.registration_endpoint.is_none() {
            return Err(by_hand(discovered, preset, redirect_uri));
        }
        let grants: &[&str] = match asked.way {
            Way::Device => &[flow::device::GRANT],
            Way::Browser => &[],
        };
        let metadata = self.registered_metadata(http);
        let document =
            registration::request(redirect_uri, asked.scope.as_deref(), grants, &metadata);
        let registered = registration::register(
            http,
            &discovered.issuer,
            &discovered.metadata,
            &document,
            redirect_uri,
        )
        .await;
        match (registered, discovered.source) {
            // Nothing of what a server without metadata may have is there.
            (Err(Failure::Credentials { .. }), Source::Assumed) => Err(Failure::NoSignIn),
            (Err(failure), _) => Err(failure),
            (Ok(mut client), _) => {
                prove(&mut client, preset);
                self.keep_client(asked, &client).await?;
                Ok(client)
            }
        }
    }

    /// The client that the user brought, as it proves itself.
    async fn brought(
        &self,
        asked: &Asked<'_>,
        mut client: Client,
        secret: Option<&Secret>,
    ) -> Result<Client, Failure> {
        let discovered = asked.discovered;
        let preset = self.preset(discovered);
        self.bound(&client.client_id, &discovered.issuer).await?;
        if preset.secret && secret.is_none() && asked.way == Way::Browser {
            return Err(Failure::Credentials {
                what: format!(
                    "{} gives no tokens to a client without a secret",
                    discovered.issuer
                ),
                hint: "add --client-secret-file with the file that holds it; or, if yours has none, --provider none",
            });
        }
        let method = AuthMethod::choose(None, secret, &discovered.metadata);
        client.auth_method = method.name().to_owned();
        client.client_secret = secret.cloned();
        prove(&mut client, preset);
        Ok(client)
    }

    /// Whatever the user decides, the next sign-in need not register again. Some servers give the same id each time: what is
    /// kept under it stays. Of registrations alone there is one.
    async fn keep_client(&self, asked: &Asked<'_>, client: &Client) -> Result<(), Failure> {
        let vault = &self.oauth.vault;
        let key = self.key(asked, client);
        let guard = vault.locked(&key).await?;
        let kept = vault.load(&key).await.ok().flatten();
        let mut record = kept.unwrap_or_else(|| Record::new(key));
        record.client = Some(client.clone());
        record.servers.insert(vault.server().to_owned());
        record.changed(now());
        vault.save(&record).await;
        drop(guard);
        vault.forget_unfinished(&record.key).await;
        Ok(())
    }

    /// A client that was registered by hand belongs to the issuer that it was first used with.
    pub async fn bound(&self, client_id: &str, issuer: &str) -> Result<(), Failure> {
        let record = self.oauth.vault.find().await.ok().flatten();
        match record.filter(|record| record.key.client_id == client_id) {
            Some(record) if record.key.issuer != issuer => Err(Failure::SignIn {
                what: format!(
                    "the server now names {issuer} for the sign-in, and the client {client_id} belongs to {}",
                    record.key.issuer
                ),
                hint: "register a client there and give it with --client-id; or, if the client is known there too, type mcp-tether logout and the server's URL first"
                    .to_owned(),
            }),
            _ => Ok(()),
        }
    }
}

/// A client proves itself as the server is known to want it.
pub(super) fn prove(client: &mut Client, preset: &Preset) {
    if let (Some(method), Some(_)) = (preset.method, &client.client_secret) {
        method.name().clone_into(&mut client.auth_method);
    }
}

/// What the user has to do where clients are registered by hand.
fn by_hand(discovered: &Discovered, preset: &Preset, redirect_uri: &str) -> Failure {
    let secret = if preset.secret {
        " and its secret with --client-secret-file"
    } else {
        ""
    };
    Failure::SignIn {
        what: format!("{} does not register clients by itself", discovered.issuer),
        hint: format!(
            "register a client there by hand, with the redirect address {redirect_uri}, and give its id with --client-id{secret}"
        ),
    }
}
