//! What is asked of an authorization server: the user's wishes, the MCP server's, and what is known of the authorization server
//! itself.

use url::Url;

use super::device::Way;
use super::discovery::Discovered;
use super::flow::{self, Extras, PkceCheck, Wishes};
use super::http::OauthHttp;
use super::loopback::Host;
use super::options::Resource;
use super::provider::{self, Preset};
use super::sign_in::{Asked, Procedure};
use crate::store::Client;

impl Procedure<'_> {
    /// What is known of the authorization server.
    pub fn preset(&self, discovered: &Discovered) -> &'static Preset {
        provider::preset(self.oauth.options.checks.provider, &discovered.issuer)
    }

    /// The resource that tokens are asked for.
    pub fn resource(&self, discovered: &Discovered) -> String {
        let preset = self.preset(discovered);
        if !preset.name.is_empty() {
            let issuer = &discovered.issuer;
            tracing::debug!(
                "{issuer} is signed in to as --provider {} has it",
                preset.name
            );
        }
        match &self.oauth.options.request.resource {
            Resource::Given(resource) => resource.clone(),
            Resource::Named | Resource::Omitted => preset.resource(&discovered.resource),
        }
    }

    /// The scope that is asked for.
    pub fn scope(&self, discovered: &Discovered, resource: &str) -> Option<String> {
        let user = self.oauth.options.request.scope.as_deref();
        let wishes = Wishes {
            user,
            challenge: self.need.scope.as_deref(),
            resource: discovered.scopes.as_deref(),
            before: self.need.before.as_deref(),
        };
        let scope = flow::scope(&wishes, &discovered.metadata);
        match user {
            Some(_) => scope,
            None => self.preset(discovered).scope(scope.as_deref(), resource),
        }
    }

    /// What the request says beside who asks.
    pub fn extras(&self, http: &OauthHttp, asked: &Asked<'_>) -> Extras {
        let options = &self.oauth.options;
        let sends = provider::sends_resource(options, &asked.discovered.issuer);
        let scope = asked.scope.clone();
        let preset = self.preset(asked.discovered);
        Extras {
            resource: sends.then(|| asked.resource.to_owned()),
            parameters: match asked.way {
                Way::Browser => preset.parameters(&self.parameters(http), scope.as_deref()),
                Way::Device => options.request.parameters.clone(),
            },
            scope,
        }
    }

    /// Whether the server must say that it knows PKCE.
    pub fn pkce(&self, discovered: &Discovered) -> PkceCheck {
        if self.preset(discovered).pkce_unsaid {
            PkceCheck::Ignored
        } else {
            self.oauth.options.pkce
        }
    }

    /// Whether the address to come back to is one that somebody registers by hand, to the letter: the name of this machine in it.
    pub fn fixed(&self, discovered: &Discovered) -> Option<Host> {
        let brought = self.oauth.options.client.registered.is_some();
        let by_hand = brought || discovered.metadata.registration_endpoint.is_none();
        self.preset(discovered).redirect.filter(|_| by_hand)
    }

    /// The name of this machine in the address that the browser comes back to: the one that the user gave or that is registered
    /// already.
    pub fn host(&self, discovered: &Discovered, kept: Option<&Client>) -> Host {
        let given = self.oauth.options.callback.host;
        let registered = kept.and_then(|client| client.redirect_uri.as_deref());
        let registered = registered.and_then(|uri| Url::parse(uri).ok()?.host_str()?.parse().ok());
        given
            .or(self.fixed(discovered))
            .or(registered)
            .unwrap_or(Host::Ipv4)
    }
}
