//! What the authorization server remembers, and for how long. It knows nothing of HTTP.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use oauth2::{CsrfToken, PkceCodeChallenge, PkceCodeVerifier};

/// How long a code may be redeemed. It travels for a moment only.
const CODE: Duration = Duration::from_secs(60);

/// How long an access token lasts. An hour is usual; here you can watch it being refreshed.
pub const ACCESS: Duration = Duration::from_secs(60);

/// A program that registered.
pub struct Client {
    /// What it calls itself. Anybody may claim any name.
    pub name: String,
    /// Where codes may be sent: exactly these. (RFC 8252 §7.3 lets the port of a loopback address differ; many servers do not.)
    pub redirect_uris: Vec<String>,
}

/// An authorization request that passed all checks.
#[derive(Clone)]
pub struct Wish {
    /// Who asks.
    pub client_id: String,
    /// Where the answer goes.
    pub redirect_uri: String,
    /// Comes back with the answer, as it is.
    pub state: Option<String>,
    /// The hash of a secret that only the one who asks knows (PKCE).
    pub challenge: String,
}

/// What a client gets in the end.
pub struct Tokens {
    /// For the MCP server.
    pub access: String,
    /// For the next pair of tokens.
    pub refresh: String,
}

/// One sign-in, with the tokens that came of it.
struct Grant {
    client_id: String,
    code: String,
    access: String,
    expires: Instant,
    refresh: String,
    /// Refresh tokens that were used already.
    spent: Vec<String>,
}

/// All of it. The values that are drawn here cannot be guessed: whoever holds one is who they say.
#[derive(Default)]
pub struct Memory {
    clients: HashMap<String, Client>,
    wishes: HashMap<String, Wish>,
    codes: HashMap<String, (Wish, Instant)>,
    grants: Vec<Grant>,
    sign_ins: usize,
}

impl Memory {
    /// Adds a client and gives its id.
    pub fn register(&mut self, client: Client) -> String {
        let id = random();
        self.clients.insert(id.clone(), client);
        id
    }

    /// The client with this id.
    pub fn client(&self, id: &str) -> Option<&Client> {
        self.clients.get(id)
    }

    /// How many codes were redeemed.
    pub fn sign_ins(&self) -> usize {
        self.sign_ins
    }

    /// Keeps a request while the user thinks. The id stands in the page and nowhere else, so that no other site can click
    /// for the user (CSRF).
    pub fn ask(&mut self, wish: Wish) -> String {
        let id = random();
        self.wishes.insert(id.clone(), wish);
        id
    }

    /// The request that a user answered. It can be answered once.
    pub fn answered(&mut self, id: &str) -> Option<Wish> {
        self.wishes.remove(id)
    }

    /// A code for a request that was granted.
    pub fn code(&mut self, wish: Wish, now: Instant) -> String {
        let code = random();
        self.codes.insert(code.clone(), (wish, now + CODE));
        code
    }

    /// Tokens for a code. It works once, for the client that asked, with the secret behind its challenge.
    pub fn redeem(
        &mut self,
        code: &str,
        (client_id, redirect_uri): (&str, &str),
        verifier: &str,
        now: Instant,
    ) -> Result<Tokens, &'static str> {
        let Some((wish, expires)) = self.codes.remove(code) else {
            // A second use: one of the two was a thief. What the first got is taken away (RFC 6749 §4.1.2).
            self.grants.retain(|grant| grant.code != code);
            return Err("the code is unknown or was used");
        };
        if now > expires {
            return Err("the code is too old");
        }
        if wish.client_id != client_id || wish.redirect_uri != redirect_uri {
            return Err("the code is another client's");
        }
        if !fits(verifier, &wish.challenge) {
            return Err("the verifier does not fit the challenge");
        }
        self.sign_ins += 1;
        let tokens = Tokens::draw();
        self.grants.push(Grant {
            client_id: wish.client_id,
            code: code.to_owned(),
            access: tokens.access.clone(),
            expires: now + ACCESS,
            refresh: tokens.refresh.clone(),
            spent: Vec::new(),
        });
        Ok(tokens)
    }

    /// New tokens for a refresh token, in place of the old ones (OAuth 2.1 §4.3.1).
    pub fn refresh(&mut self, token: &str, client_id: &str, now: Instant) -> Option<Tokens> {
        // A second use: one of the two was a thief. Both lose.
        self.grants
            .retain(|grant| !grant.spent.iter().any(|spent| spent == token));
        let grant = self
            .grants
            .iter_mut()
            .find(|grant| grant.refresh == token && grant.client_id == client_id)?;
        let tokens = Tokens::draw();
        let spent = std::mem::replace(&mut grant.refresh, tokens.refresh.clone());
        grant.spent.push(spent);
        grant.access = tokens.access.clone();
        grant.expires = now + ACCESS;
        Some(tokens)
    }

    /// Ends the sign-in that this access or refresh token belongs to. Says whether there was one.
    pub fn revoke(&mut self, token: &str, client_id: &str) -> bool {
        let before = self.grants.len();
        self.grants.retain(|grant| {
            grant.client_id != client_id || (grant.access != token && grant.refresh != token)
        });
        self.grants.len() < before
    }

    /// Whether an access token is good.
    pub fn knows(&self, access: &str, now: Instant) -> bool {
        let good = |grant: &Grant| grant.access == access && now < grant.expires;
        self.grants.iter().any(good)
    }
}

impl Tokens {
    fn draw() -> Self {
        Self {
            access: random(),
            refresh: random(),
        }
    }
}

/// PKCE with S256 (RFC 7636 §4.6).
fn fits(verifier: &str, challenge: &str) -> bool {
    let verifier = PkceCodeVerifier::new(verifier.to_owned());
    // The limits of §4.1; beyond them the next line would panic.
    (43..=128).contains(&verifier.secret().len())
        && PkceCodeChallenge::from_code_verifier_sha256(&verifier).as_str() == challenge
}

/// 256 random bits as text.
fn random() -> String {
    CsrfToken::new_random_len(32).into_secret()
}
