//! How a fake authorization server behaves: right by default, with a switch for each way to misbehave. It holds wishes only;
//! the answers are made elsewhere.

use crate::support::gate::Gate;
use crate::support::proofs::Wants;

use super::device::Device;

/// What the switches of a server say. A test changes them while the server runs.
#[derive(Clone)]
pub struct Conduct {
    /// What the user is shown at the authorization endpoint.
    pub consent: Consent,
    /// How the metadata is answered.
    pub metadata: Metadata,
    /// The metadata stands at the path of OpenID Connect only.
    pub openid: bool,
    /// `code_challenge_methods_supported` is in the metadata.
    pub pkce: bool,
    /// There is a registration endpoint.
    pub registration: bool,
    /// Each registration gives this id, as servers do that know programs by their names.
    pub one_id: Option<&'static str>,
    /// Registered clients get a secret, for this method.
    pub secret: Option<&'static str>,
    /// Client ID Metadata Documents are clients too.
    pub documents: bool,
    /// There is a revocation endpoint.
    pub revocation: bool,
    /// The `iss` of the authorization response.
    pub iss: Iss,
    /// In place of the real authorization endpoint, as hostile servers have it.
    pub authorization_endpoint: Option<String>,
    /// In place of the real token endpoint.
    pub token_endpoint: Option<String>,
    /// `scopes_supported`.
    pub scopes: Vec<&'static str>,
    /// Grants this scope, whatever is asked for.
    pub narrows: Option<&'static str>,
    /// `expires_in` of the tokens, in seconds. They end by revocation only.
    pub lifetime: Option<u64>,
    /// What it knows of proofs (RFC 9449).
    pub dpop: Dpop,
    /// What it wants in them.
    pub proofs: Wants,
    /// Gives id tokens that last so long, in seconds.
    pub id_tokens: Option<u64>,
    /// How a code is exchanged.
    pub exchange: Exchange,
    /// How a refresh is answered.
    pub refresh: Refresh,
    /// Answers to token requests wait until it is open.
    pub hold: Option<Gate>,
    /// Wants the `resource` parameter in each request.
    pub wants_resource: bool,
    /// Refuses requests whose `resource` ends like that.
    pub refuses_resource: Option<&'static str>,
    /// Parameters that an authorization request must have, and some text in each.
    pub wants: Vec<(&'static str, &'static str)>,
    /// Scopes that it does not know.
    pub refuses_scopes: Vec<&'static str>,
    /// Token answers are forms.
    pub forms: bool,
    /// Registrations that give a secret say that the client has none.
    pub hides_method: bool,
    /// There are codes for other devices.
    pub device: Option<Device>,
    /// The public half of the key (P-256) that clients without a person prove themselves with.
    pub public_key: Option<Vec<u8>>,
    /// Assertions of a platform that are good, as they are written.
    pub assertions: Vec<String>,
    /// Gives ID tokens that last so many seconds to whoever asks for `openid`.
    pub id_lifetime: u64,
    /// The identity provider whose grants (ID-JAG) are good.
    pub idp: Option<String>,
    /// Refuses grants without a person with this error.
    pub refuses_machines: Option<&'static str>,
}

impl Default for Conduct {
    fn default() -> Self {
        Self {
            consent: Consent::Given,
            metadata: Metadata::Right,
            openid: false,
            pkce: true,
            registration: true,
            one_id: None,
            secret: None,
            documents: false,
            revocation: true,
            iss: Iss::Right,
            authorization_endpoint: None,
            token_endpoint: None,
            scopes: Vec::new(),
            narrows: None,
            lifetime: Some(3600),
            dpop: Dpop::Unknown,
            proofs: Wants::NoNonce,
            id_tokens: None,
            exchange: Exchange::Tokens,
            refresh: Refresh::Rotates,
            hold: None,
            wants_resource: true,
            refuses_resource: None,
            wants: Vec::new(),
            refuses_scopes: Vec::new(),
            forms: false,
            hides_method: false,
            device: None,
            public_key: None,
            assertions: Vec::new(),
            id_lifetime: 3600,
            idp: None,
            refuses_machines: None,
        }
    }
}

/// What the user does at the authorization endpoint.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Consents at once: a 302 with a code.
    Given,
    /// Declines at once: a 302 with `access_denied`.
    Denied,
    /// Stays on the page for ever.
    Never,
}

/// How the metadata is answered.
#[derive(Clone, PartialEq, Eq)]
pub enum Metadata {
    /// As it should be.
    Right,
    /// It names another issuer.
    OtherIssuer(String),
    /// It is elsewhere.
    Redirect(String),
    /// It is larger than any document.
    Huge,
    /// Its bytes never end.
    Endless,
    /// These bytes, in that coding.
    Coded(Vec<u8>, &'static str),
    /// 404.
    Absent,
    /// This status and no sense.
    Fails(u16),
}

/// The `iss` of the authorization response (RFC 9207).
#[derive(Clone, PartialEq, Eq)]
pub enum Iss {
    /// The issuer, as the metadata announces.
    Right,
    /// None, and none is announced.
    Absent,
    /// None, although one is announced.
    Missing,
    /// This one.
    Wrong(String),
}

/// What is known of proofs of possession (RFC 9449).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Dpop {
    /// Nothing.
    Unknown,
    /// Tokens are bound to the key of the proof, as the metadata announces.
    Binds,
    /// The same, and the metadata is silent about it.
    BindsSilently,
    /// Proofs of another algorithm are taken.
    OtherAlgorithm,
    /// Tokens are not bound, although the metadata announces it.
    Breaks,
}

/// How a code is exchanged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Exchange {
    /// For tokens.
    Tokens,
    /// For tokens without a refresh token.
    AccessOnly,
    /// For this error, with 400.
    Refused(&'static str),
}

/// How a refresh is answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// With a new refresh token; the old one is spent, and its reuse ends the grant.
    Rotates,
    /// With a new refresh token; the old one stays good for a while, as some servers have it.
    Forgives,
    /// With no new refresh token; the old one stays good.
    Keeps,
    /// With this status and no sense.
    Fails(u16),
    /// With this error: 401 for `invalid_client`, else 400.
    Refused(&'static str),
}
