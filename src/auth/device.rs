//! The sign-in by device code (RFC 8628) as a part of the whole: when it is the way to go, and its round. There is no listener
//! and no browser here: the user goes to the page on any device.

use std::sync::PoisonError;

use super::discovery::Discovered;
use super::flow::NoToken;
use super::flow::device::Attempt;
use super::http::OauthHttp;
use super::loopback::{Listener, Port};
use super::options::Device;
use super::sign_in::{Asked, Ended, Procedure};
use super::user::{SignIn, Waiting};
use crate::error::Failure;
use crate::store::{Client, Record};

/// How the user signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// In a browser on this machine, or one that is tunnelled to it.
    Browser,
    /// With a code, on any device.
    Device,
}

impl Procedure<'_> {
    /// How the user is to sign in with that server.
    pub fn way(&self, discovered: &Discovered) -> Way {
        let offered = discovered.metadata.device_authorization_endpoint.is_some();
        match self.oauth.options.device {
            Device::Always => Way::Device,
            Device::WhereOffered if offered => Way::Device,
            Device::WhereOffered | Device::Never => Way::Browser,
        }
    }

    /// One code and what follows from it.
    pub async fn device_round(
        &self,
        http: &OauthHttp,
        asked: &Asked<'_>,
        kept: Option<Client>,
    ) -> Result<Record, Ended> {
        let redirect_uri = self.redirect_uri(asked.discovered, kept.as_ref()).await?;
        let reused = kept.is_some();
        let client = self.client(http, asked, kept, &redirect_uri).await?;
        let metadata = &asked.discovered.metadata;
        let attempt = Attempt::begin(http, metadata, client, self.extras(http, asked))
            .await
            .map_err(|none| self.not_begun(none, reused))?;
        // The server has just shown that it knows the client: whoever signs in late says nothing against it.
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let prompt = attempt.prompt();
        self.turn.open(prompt);
        self.oauth
            .status
            .send_replace(SignIn::Started(prompt.clone()));
        let tokens = attempt.tokens(http).await.map_err(ended)?;
        let _finishing = Waiting::start(&self.oauth.finishing);
        self.oauth.status.send_replace(SignIn::Begun);
        Ok(self
            .keep(asked, attempt.client().clone(), tokens, None)
            .await?)
    }

    /// What to register as the address to come back to. Nobody comes back now, but the next sign-in may be another one.
    async fn redirect_uri(
        &self,
        discovered: &Discovered,
        kept: Option<&Client>,
    ) -> Result<String, Failure> {
        if let Some(registered) = kept.and_then(|client| client.redirect_uri.clone()) {
            return Ok(registered);
        }
        let path = &self.oauth.options.callback.path;
        let host = self.host(discovered, kept);
        match self.port(discovered, None) {
            Port::Exactly(port) | Port::Preferred(port) => {
                Ok(format!("http://{host}:{port}{path}"))
            }
            Port::Any => {
                let listener = Listener::bind(host, Port::Any, path).await?;
                Ok(listener.redirect_uri().to_owned())
            }
        }
    }

    /// What follows when the server gives no code. `reused`: to a client of an earlier sign-in, which may have registered for
    /// browsers only.
    fn not_begun(&self, none: NoToken, reused: bool) -> Ended {
        let insists = self.oauth.options.device == Device::Always;
        let registers = self.oauth.options.client.registered.is_none();
        match none.code() {
            Some("invalid_scope") => Ended::Scope(none.into()),
            Some("invalid_client" | "unauthorized_client") if registers && reused => {
                Ended::Client(none.into())
            }
            Some(_) if !insists => Ended::Way(none.into()),
            _ => Ended::Stop(none.into()),
        }
    }
}

/// What follows when the wait ends without tokens.
fn ended(none: NoToken) -> Ended {
    match none.code() {
        Some("access_denied") => Ended::Denied(none.into()),
        _ => Ended::Stop(none.into()),
    }
}
