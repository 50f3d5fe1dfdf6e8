//! What the user wants of sign-ins to one server.

use std::time::Duration;

use serde_json::{Map, Value};
use url::Url;

use super::discovery::Checks;
use super::dpop;
use super::flow::PkceCheck;
pub use super::grant::Grant;
use super::loopback::Host;
use crate::net::{client, guard};
use crate::secret::Secret;
use crate::store::{Folders, Kind, hex};

/// All of it.
#[derive(Debug, Clone)]
pub struct Options {
    /// The MCP server.
    pub server: Url,
    /// The network options of the MCP server; what is a secret for it alone is left out of other requests.
    pub network: client::Options,
    /// Which of several accounts (`--profile`).
    pub profile: String,
    /// Which store keeps the sign-in.
    pub store: Kind,
    /// The folders of the store; without them nothing outlives the process.
    pub folders: Option<Folders>,
    /// How tokens are had.
    pub grant: Grant,
    /// Where tokens are had, in place of what metadata says (`--token-endpoint`).
    pub token_endpoint: Option<Url>,
    /// The client to be, if the user has one.
    pub client: Identity,
    /// What the authorization request asks for.
    pub request: Request,
    /// What to believe of metadata documents.
    pub checks: Checks,
    /// Whether servers must say that they know PKCE.
    pub pkce: PkceCheck,
    /// Where the browser comes back to.
    pub callback: Callback,
    /// How the sign-in page is shown.
    pub browser: Browser,
    /// Whether tokens are bound to a key (`--dpop`).
    pub dpop: dpop::Use,
    /// Which token is sent.
    pub sends: Sends,
    /// Whether the user signs in with a code on another device.
    pub device: Device,
    /// The longest that one sign-in may take (`--auth-timeout`).
    pub timeout: Duration,
}

impl Options {
    /// The id of the client that the user brought, and its secret; an empty id stands for none.
    pub fn client_id(&self) -> (&str, Option<&Secret>) {
        match (&self.client.registered, &self.client.document) {
            (Some((id, secret)), _) => (id, secret.as_ref()),
            (None, Some(document)) => (document, None),
            (None, None) => ("", None),
        }
    }
}

/// Who we are to the authorization server.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// The id of a client registered by hand, and its secret if it has one.
    pub registered: Option<(String, Option<Secret>)>,
    /// The URL of a metadata document that is our id (`--client-metadata-url`).
    pub document: Option<String>,
    /// More metadata for registrations (`--static-oauth-client-metadata`).
    pub metadata: Map<String, Value>,
}

/// What the authorization request asks for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// What it says of the resource (RFC 8707).
    pub resource: Resource,
    /// The scope, in place of what the server asks for.
    pub scope: Option<String>,
    /// More parameters (`--authorize-param`).
    pub parameters: Vec<(String, String)>,
}

/// The `resource` parameter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Resource {
    /// As the server names itself.
    #[default]
    Named,
    /// This one (`--resource`).
    Given(String),
    /// Left out (`--disable-resource-parameter`).
    Omitted,
}

/// Which token is sent to the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sends {
    /// The access token.
    #[default]
    AccessToken,
    /// The id token, which gateways want that know people only (`--use-id-token`).
    IdToken,
}

/// Where the browser comes back to.
#[derive(Debug, Clone)]
pub struct Callback {
    /// The name of this machine, where the user chose one.
    pub host: Option<Host>,
    /// The port; `None` for any.
    pub port: Option<u16>,
    /// The path.
    pub path: String,
    /// The page that follows a success, in place of ours.
    pub success: Option<Url>,
}

/// How the sign-in page is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Browser {
    /// Not at all: the address is told, and that is all (`--no-browser`).
    None,
    /// By the commands of `$BROWSER`, or as the desktop does it.
    Open(Option<String>),
}

/// Whether the user signs in with a code on another device (RFC 8628).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Device {
    /// With a browser on this machine.
    #[default]
    Never,
    /// Where the authorization server offers it: there is no browser here.
    WhereOffered,
    /// In any case (`--device-code`).
    Always,
}

/// A server's name in lists of sign-ins: its URL without the values of its query, which may be secrets. Two servers that
/// differ in such a value have two names.
pub fn server_name(server: &Url) -> String {
    let shown = guard::shown(server);
    if server.query().is_none() {
        return shown;
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, server.as_str().as_bytes());
    let short: String = hex(digest.as_ref()).chars().take(16).collect();
    format!("{shown}#{short}")
}
