//! A fake authorization server (RFC 6749, 7009, 7591, 7636, 8414, 8707, 9207) that is strict: what the rules forbid a client
//! is refused and fails the test. A `Conduct` says how it misbehaves itself. It must not know MCP.

mod books;
mod conduct;
mod device;
mod endpoints;
mod machine;
mod metadata;
mod token;

use std::sync::{Arc, Mutex};

use crate::support::gate::{Shelf, lock};
use crate::support::http::{Request, Response};
use crate::support::proofs::Proofs;
use crate::support::server::{Faults, Peer, Plan, Server};

pub use self::books::{Books, Params, Registered};
pub use self::conduct::{Conduct, Consent, Dpop, Exchange, Iss, Metadata, Refresh};
pub use self::device::{Device, GRANT as DEVICE_GRANT};
pub use self::endpoints::DENY;
pub use self::machine::{CLIENT, JWT_BEARER, TOKEN_EXCHANGE, unsigned};
pub(crate) use self::token::s256;

/// The paths of its endpoints.
pub const AUTHORIZE: &str = "/authorize";
/// The token endpoint.
pub const TOKEN: &str = "/token";
/// Where some servers have their authorization endpoint, and no metadata.
pub const OTHER_AUTHORIZE: &str = "/oauth/authorize";
/// Where they have their token endpoint.
pub const OTHER_TOKEN: &str = "/oauth/token-request";
/// The registration endpoint.
pub const REGISTER: &str = "/register";
/// The revocation endpoint.
pub const REVOKE: &str = "/revoke";
/// The device authorization endpoint.
pub const DEVICE: &str = "/device_authorization";
/// The page where device codes are entered.
pub const PAGE: &str = "/device";
/// The metadata of RFC 8414.
pub const METADATA: &str = "/.well-known/oauth-authorization-server";
/// The metadata of OpenID Connect Discovery.
pub const OPENID: &str = "/.well-known/openid-configuration";

/// A running authorization server.
pub struct AuthServer {
    /// The HTTP server under it: its log, `start`, `stop`, `allow_idle`, `faults`.
    pub server: Server,
    state: Arc<State>,
}

/// What its endpoints share.
pub(crate) struct State {
    conduct: Mutex<Conduct>,
    books: Mutex<Books>,
    issuer: Mutex<String>,
    proofs: Proofs,
    /// Offences of the client; joined to the server's when this is dropped.
    faults: Faults,
}

impl Default for AuthServer {
    fn default() -> Self {
        Self::new()
    }
}

impl AuthServer {
    /// One that does all as it should.
    pub fn new() -> Self {
        Self::on(Plan::default())
    }

    /// One on a server of that plan (TLS, down).
    pub fn on(plan: Plan) -> Self {
        let state = Arc::new(State {
            conduct: Mutex::default(),
            books: Mutex::default(),
            issuer: Mutex::default(),
            proofs: Proofs::default(),
            faults: Faults::default(),
        });
        let shared = Arc::clone(&state);
        let server = plan.serve(move |request| {
            let state = Arc::clone(&shared);
            async move { state.answer(&request).await }
        });
        lock(&state.books).port = server.address().port();
        *lock(&state.issuer) = server.at("");
        Self { server, state }
    }

    /// Changes how it behaves.
    pub fn set(&self, change: impl FnOnce(&mut Conduct)) {
        change(&mut lock(&self.state.conduct));
    }

    /// Its issuer.
    pub fn issuer(&self) -> String {
        self.server.at("")
    }

    /// How many clients have registered.
    pub fn registrations(&self) -> usize {
        self.asked(REGISTER)
    }

    /// How many requests came to that path.
    pub fn asked(&self, path: &str) -> usize {
        let of_path = |log: &[Request]| log.iter().filter(|request| request.path == path).count();
        self.server.log().with(of_path)
    }

    /// Waits until that path was asked at least `count` times.
    pub fn wait_asked(&self, path: &str, count: usize) {
        let what = format!("{count} of {path}");
        self.server.log().wait(&what, |log| {
            let found = log.iter().filter(|request| request.path == path).count();
            (found >= count).then_some(())
        });
    }

    /// The authorization requests so far.
    pub fn authorizations(&self) -> Vec<Params> {
        lock(&self.state.books).authorizations.clone()
    }

    /// The token requests so far with that grant: `authorization_code` or `refresh_token`.
    pub fn exchanges(&self, grant: &str) -> Vec<Params> {
        let books = lock(&self.state.books);
        let of_grant = |params: &&Params| params.get("grant_type").is_some_and(|own| own == grant);
        books.exchanges.iter().filter(of_grant).cloned().collect()
    }

    /// How many refreshes were asked for.
    pub fn refreshes(&self) -> usize {
        self.exchanges("refresh_token").len()
    }

    /// The requests for device codes so far.
    pub fn device_requests(&self) -> Vec<Params> {
        lock(&self.state.books).device_requests.clone()
    }

    /// When was asked what came of the latest device code.
    pub fn polls(&self) -> Vec<std::time::Instant> {
        let books = lock(&self.state.books);
        let mut polls = books.devices.values().map(|given| given.polls.clone());
        polls.next_back().unwrap_or_default()
    }

    /// The revocations so far.
    pub fn revocations(&self) -> Vec<Params> {
        lock(&self.state.books).revocations.clone()
    }

    /// The clients that are registered.
    pub fn clients(&self) -> Vec<Registered> {
        lock(&self.state.books).clients.clone()
    }

    /// Makes a client known without registration, as its owner does by hand: public, or with a secret for the body.
    pub fn admit_client(&self, id: &str, secret: Option<&str>, redirect_uri: &str) {
        lock(&self.state.books).clients.push(Registered {
            id: id.to_owned(),
            secret: secret.map(str::to_owned),
            method: secret.map_or("none", |_| "client_secret_post").to_owned(),
            redirect_uris: vec![redirect_uri.to_owned()],
            document: serde_json::Value::Null,
        });
    }

    /// Lets all clients so far prove themselves by that method.
    pub fn prove_by(&self, method: &str) {
        for client in &mut lock(&self.state.books).clients {
            method.clone_into(&mut client.method);
        }
    }

    /// Makes a client known that no person stands behind, with a secret for this method.
    pub fn admit_machine(&self, method: &'static str, secret: &str) {
        self.set(|conduct| conduct.secret = Some(method));
        lock(&self.state.books).clients.push(Registered {
            id: CLIENT.to_owned(),
            secret: Some(secret.to_owned()),
            method: method.to_owned(),
            redirect_uris: Vec::new(),
            document: serde_json::Value::Null,
        });
    }

    /// How often a refresh token was used twice.
    pub fn reuses(&self) -> usize {
        lock(&self.state.books).reuses
    }

    /// All that must never be seen in a log.
    pub fn secrets(&self) -> Vec<String> {
        lock(&self.state.books).secrets()
    }

    /// Makes all access tokens so far worth nothing; refresh tokens stay good.
    pub fn end_access(&self) {
        lock(&self.state.books).end_access();
    }

    /// Makes all tokens so far worth nothing.
    pub fn end_grants(&self) {
        lock(&self.state.books).end_grants();
    }

    /// Forgets all clients: each gets `invalid_client` from now on.
    pub fn forget_clients(&self) {
        lock(&self.state.books).clients.clear();
    }

    /// The client's offences, which fail the test; `take` what a test provokes.
    pub fn faults(&self) -> &Faults {
        &self.state.faults
    }

    /// What a resource server asks about tokens.
    pub(crate) fn state(&self) -> Arc<State> {
        Arc::clone(&self.state)
    }
}

impl Peer for AuthServer {
    fn url(&self) -> String {
        self.issuer()
    }

    fn log(&self) -> Arc<Shelf<Request>> {
        self.server.log()
    }
}

impl Drop for AuthServer {
    fn drop(&mut self) {
        for fault in self.state.faults.take() {
            self.server.faults().add(fault);
        }
    }
}

impl State {
    async fn answer(&self, request: &Request) -> Response {
        let conduct = lock(&self.conduct).clone();
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", METADATA) if !conduct.openid => self.metadata(&conduct),
            ("GET", OPENID) if conduct.openid => self.metadata(&conduct),
            ("POST", REGISTER) if conduct.registration => self.register(request, &conduct),
            ("GET", AUTHORIZE | OTHER_AUTHORIZE) => self.authorize(request, &conduct),
            ("POST", TOKEN | OTHER_TOKEN) => self.token(request, &conduct).await,
            ("POST", DEVICE) => self.device(request, &conduct),
            ("GET", PAGE) => self.page_of_device(request, &conduct),
            ("POST", REVOKE) if conduct.revocation => self.revoke(request),
            _ => Response::status(404),
        }
    }

    /// The scope of a token that is good for that resource.
    pub(crate) fn admits(&self, token: &str, resource: &str) -> Option<String> {
        lock(&self.books).admits(token, resource)
    }

    /// The thumbprint of the key that a token is bound to.
    pub(crate) fn bound_to(&self, token: &str) -> Option<String> {
        lock(&self.books).bound_to(token)
    }

    pub(super) fn issuer(&self) -> String {
        lock(&self.issuer).clone()
    }

    /// Books an offence of the client.
    fn offend(&self, request: &Request, offence: &str) {
        self.faults.add(format!("{offence}: {request}"));
    }
}

/// The parameters of a query or form; one that is given twice is an offence, and gives its name.
fn params(text: &str) -> Result<Params, String> {
    let mut params = Params::new();
    for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
        if params
            .insert(name.to_string(), value.into_owned())
            .is_some()
        {
            return Err(format!("{name} is given twice"));
        }
    }
    Ok(params)
}
