//! What a sign-in would find, without signing in: whom it would ask, as which client, and where the browser would come back to.
//! Nothing is registered, opened or kept.

use std::net::IpAddr;
use std::sync::Arc;

use ::http::StatusCode;
use url::Url;

use super::discovery::{Discovered, Source, discover};
use super::flow::PkceCheck;
use super::loopback::{Host, Port};
use super::metadata::ServerMetadata;
use super::oauth::Oauth;
use super::options::{Device, Options};
use super::provider;
use crate::error::Failure;
use crate::store::Record;

/// The port of redirect addresses that are registered once and for all.
const FIXED_PORT: u16 = super::identity::FIXED_PORT;

/// Who a sign-in would be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identified {
    /// The client that the user brought.
    Given(String),
    /// The client metadata document that the user named.
    Document(String),
    /// A client that was registered before.
    Kept(String),
    /// A client that registers by itself, there.
    Registers(Url),
    /// There is no way to become a client but by hand.
    ByHand,
}

/// What a sign-in would find.
#[derive(Debug, Clone)]
pub struct Examined {
    /// Whom it would ask, and for what.
    pub discovered: Discovered,
    /// Whether the authorization server says that it knows PKCE with S256, or need not say so.
    pub pkce: bool,
    /// Who it would be.
    pub client: Identified,
    /// Where the browser would come back to; nowhere where a code is typed on another device.
    pub callback: Option<(Host, Port)>,
}

impl Oauth {
    /// What the user wants of sign-ins.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Finds what a sign-in would find. `named` is the `resource_metadata` of the challenge, `peer` where that came from.
    ///
    /// # Errors
    /// Why the sign-in would fail at once.
    pub async fn examine(
        &self,
        named: Option<&str>,
        peer: Option<IpAddr>,
    ) -> Result<Examined, Failure> {
        if peer.is_some() {
            self.state().peer = peer;
        }
        let http = self.http().await;
        let known = self.vault.issuers().await;
        let options = &self.options;
        let discovered = discover(&http, &options.server, named, &known, options.checks).await?;
        if discovered.source == Source::Assumed {
            // Its addresses are only guessed: what is not there answers so.
            let page = discovered.metadata.authorization_endpoint.as_ref();
            let answer = match page {
                Some(page) => http.get(page).await?.status,
                None => StatusCode::NOT_FOUND,
            };
            if matches!(
                answer,
                StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED | StatusCode::NOT_IMPLEMENTED
            ) {
                return Err(Failure::NoSignIn);
            }
        }
        let record = self.record();
        let examined = self.found(discovered, record.as_ref());
        if examined.callback.is_some() && !options.grant.asks_again() {
            let page = &examined.discovered.metadata.authorization_endpoint;
            http.may_show(page.as_ref()).await?;
        }
        Ok(examined)
    }

    fn found(&self, discovered: Discovered, record: Option<&Arc<Record>>) -> Examined {
        let options = &self.options;
        let preset = provider::preset(options.checks.provider, &discovered.issuer);
        let kept = record.and_then(|record| record.client.as_ref());
        let kept = kept.filter(|client| client.issuer == discovered.issuer);
        let identity = &options.client;
        let documents = discovered.metadata.client_id_metadata_document_supported;
        let client = match (&identity.registered, &identity.document, kept) {
            (Some((id, _)), _, _) => Identified::Given(id.clone()),
            (None, Some(document), _) if documents => Identified::Document(document.clone()),
            (None, _, Some(client)) => Identified::Kept(client.client_id.clone()),
            (None, _, None) => match &discovered.metadata.registration_endpoint {
                Some(endpoint) => Identified::Registers(endpoint.clone()),
                None => Identified::ByHand,
            },
        };
        let by_hand =
            identity.registered.is_some() || discovered.metadata.registration_endpoint.is_none();
        let fixed = preset.redirect.filter(|_| by_hand);
        let host = options.callback.host.or(fixed).unwrap_or(Host::Ipv4);
        let registered = kept.and_then(|client| client.redirect_uri.as_deref());
        let registered = registered.and_then(|uri| Url::parse(uri).ok()?.port());
        let port = match (options.callback.port, registered) {
            (Some(port), _) => Port::Exactly(port),
            (None, _) if fixed.is_some() || matches!(client, Identified::Document(_)) => {
                Port::Exactly(FIXED_PORT)
            }
            (None, registered) => registered.map_or(Port::Any, Port::Preferred),
        };
        let offered = discovered.metadata.device_authorization_endpoint.is_some();
        let by_code = match options.device {
            Device::Always => true,
            Device::WhereOffered => offered,
            Device::Never => false,
        };
        Examined {
            pkce: preset.pkce_unsaid
                || options.pkce == PkceCheck::Ignored
                || says_s256(&discovered.metadata),
            client,
            callback: (!by_code).then_some((host, port)),
            discovered,
        }
    }
}

fn says_s256(metadata: &ServerMetadata) -> bool {
    let methods = metadata.code_challenge_methods_supported.as_deref();
    methods.is_some_and(|methods| methods.iter().any(|method| method == "S256"))
}
