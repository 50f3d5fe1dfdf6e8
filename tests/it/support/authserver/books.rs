//! What a fake authorization server knows and remembers: clients, codes, tokens, and all that was asked. Pure: no HTTP.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The parameters of a request, each given once.
pub type Params = BTreeMap<String, String>;

/// A client that registered.
#[derive(Clone, Debug)]
pub struct Registered {
    /// Its id.
    pub id: String,
    /// Its secret, if it was given one.
    pub secret: Option<String>,
    /// How it proves itself at the token endpoint.
    pub method: String,
    /// Where the browser may be sent back to.
    pub redirect_uris: Vec<String>,
    /// What it registered with.
    pub document: Value,
}

/// What an authorization request asked for and a code stands for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub client: String,
    pub redirect_uri: String,
    pub challenge: String,
    pub resource: Option<String>,
    pub scope: String,
    /// The thumbprint of the key that the code is bound to (RFC 9449 §10).
    pub key: Option<String>,
}

/// What a token stands for.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub grant: usize,
    pub client: String,
    pub resource: Option<String>,
    pub scope: String,
    /// The thumbprint of the key that it is bound to.
    pub key: Option<String>,
    /// Who signed in, where `openid` was asked for.
    pub id_token: Option<String>,
    /// Revoked, or a refresh token that was used.
    pub dead: bool,
}

/// A token or code that was refused, and the OAuth error for it.
pub(super) type Refused = &'static str;

/// All of it.
#[derive(Default)]
pub struct Books {
    /// In the names of tokens, so that no two servers give the same.
    pub(super) port: u16,
    minted: usize,
    pub(super) clients: Vec<Registered>,
    codes: BTreeMap<String, (Asked, bool)>,
    access: BTreeMap<String, Given>,
    refresh: BTreeMap<String, Given>,
    dead_grants: BTreeSet<usize>,
    pub(super) devices: BTreeMap<String, super::device::Given>,
    pub(super) device_requests: Vec<Params>,
    pub(super) authorizations: Vec<Params>,
    pub(super) exchanges: Vec<Params>,
    pub(super) revocations: Vec<Params>,
    pub(super) verifiers: Vec<String>,
    pub(super) reuses: usize,
    pub(super) id_tokens: BTreeSet<String>,
}

impl Books {
    /// Something new to hand out. None is part of another one.
    pub(super) fn mint(&mut self, kind: &str) -> String {
        self.minted += 1;
        format!("{kind}-{}-{}-end", self.port, self.minted)
    }

    /// The client of that id.
    pub fn client(&self, id: &str) -> Option<&Registered> {
        self.clients.iter().find(|client| client.id == id)
    }

    /// Keeps what a code stands for.
    pub(super) fn add_code(&mut self, asked: Asked) -> String {
        let code = self.mint("code");
        self.codes.insert(code.clone(), (asked, false));
        code
    }

    /// Takes a code, which is good once.
    pub(super) fn take_code(&mut self, code: &str) -> Result<Asked, Refused> {
        match self.codes.get_mut(code) {
            Some((asked, used @ false)) => {
                *used = true;
                Ok(asked.clone())
            }
            _ => Err("invalid_grant"),
        }
    }

    /// The tokens of a new grant.
    pub(super) fn grant(&mut self, asked: Asked) -> Given {
        self.minted += 1;
        Given {
            grant: self.minted,
            client: asked.client,
            resource: asked.resource,
            scope: asked.scope,
            key: None,
            id_token: None,
            dead: false,
        }
    }

    /// A new access token.
    pub(super) fn add_access(&mut self, given: Given) -> String {
        let token = self.mint("access");
        self.access.insert(token.clone(), given);
        token
    }

    /// A new refresh token.
    pub(super) fn add_refresh(&mut self, given: Given) -> String {
        let token = self.mint("refresh");
        self.refresh.insert(token.clone(), given);
        token
    }

    /// What a refresh token stands for. One that was spent ends its grant (OAuth 2.1 §4.3.1).
    pub(super) fn refreshed(&mut self, token: &str) -> Result<Given, Refused> {
        let given = self.refresh.get(token).ok_or("invalid_grant")?.clone();
        if given.dead && !self.dead_grants.contains(&given.grant) {
            self.reuses += 1;
            self.dead_grants.insert(given.grant);
        }
        if self.dead_grants.contains(&given.grant) {
            return Err("invalid_grant");
        }
        Ok(given)
    }

    /// Spends a refresh token.
    pub(super) fn spend(&mut self, token: &str) {
        if let Some(given) = self.refresh.get_mut(token) {
            given.dead = true;
        }
    }

    /// Ends the grant of a token of either kind, as RFC 7009 has it.
    pub(super) fn revoke(&mut self, token: &str) {
        let given = self.refresh.get(token).or_else(|| self.access.get(token));
        if let Some(given) = given {
            self.dead_grants.insert(given.grant);
        }
    }

    /// Makes all access tokens so far worth nothing; refresh tokens stay good.
    pub(super) fn end_access(&mut self) {
        self.access.values_mut().for_each(|given| given.dead = true);
    }

    /// Makes all tokens so far worth nothing.
    pub(super) fn end_grants(&mut self) {
        let all = self.access.values().chain(self.refresh.values());
        self.dead_grants.extend(all.map(|given| given.grant));
    }

    /// The scope of an access token that is good for that resource.
    pub fn admits(&self, token: &str, resource: &str) -> Option<String> {
        let given = self.access.get(token)?;
        let good = !given.dead && !self.dead_grants.contains(&given.grant);
        // A token without a resource is good everywhere, as it is with servers that know no RFC 8707.
        let ours = given.resource.as_deref().is_none_or(|own| own == resource);
        (good && ours).then(|| given.scope.clone())
    }

    /// The thumbprint of the key that an access token is bound to.
    pub fn bound_to(&self, token: &str) -> Option<String> {
        self.access.get(token)?.key.clone()
    }

    /// All that must never be seen in a log: codes, tokens, client secrets, verifiers.
    pub fn secrets(&self) -> Vec<String> {
        let tokens = self.access.keys().chain(self.refresh.keys());
        let secrets = self
            .clients
            .iter()
            .filter_map(|client| client.secret.as_ref());
        let codes = self.codes.keys().chain(self.devices.keys());
        let all = tokens.chain(codes).chain(secrets);
        let all = all.chain(&self.verifiers).chain(&self.id_tokens);
        all.cloned().collect()
    }
}
