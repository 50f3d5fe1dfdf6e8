//! A sign-in as `login` and `status` print it: for people, or as JSON with stable names. Never a secret.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::auth::account;
use crate::store::{Key, Login, Place, Record};
use crate::ui;

/// A sign-in without its secrets.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The MCP servers that it is used for.
    pub servers: Vec<String>,
    /// The authorization server.
    pub issuer: String,
    /// The client that signed in.
    pub client_id: String,
    /// What the tokens are for.
    pub resource: String,
    /// Which of several accounts.
    pub profile: String,
    /// Where it is kept.
    pub store: Place,
    /// Whether there is a token.
    pub signed_in: bool,
    /// Who signed in, where the server says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The scope that was granted, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// When the access token ends (RFC 3339), where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// How the tokens were had, if not by a person who signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    /// Whether it is renewed without the user.
    pub refreshable: bool,
    /// Why it cannot be read, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    #[serde(skip)]
    left: Option<Result<Duration, Duration>>,
}

impl Account {
    fn of_key(key: Key, servers: Vec<String>, store: Place) -> Self {
        // What follows `#` only tells servers apart.
        let named = |server: String| {
            let name = server.split('#').next().unwrap_or_default();
            name.to_owned()
        };
        Self {
            servers: servers.into_iter().map(named).collect(),
            issuer: key.issuer,
            client_id: key.client_id,
            resource: key.resource,
            profile: key.profile,
            store,
            signed_in: false,
            account: None,
            scope: None,
            expires_at: None,
            grant: None,
            refreshable: false,
            unreadable: None,
            left: None,
        }
    }

    /// What a record says, at `now`.
    pub fn of_record(record: &Record, store: Place, now: SystemTime) -> Self {
        let servers = record.servers.iter().cloned().collect();
        let mut shown = Self::of_key(record.key.clone(), servers, store);
        if let Some(tokens) = &record.tokens {
            shown.signed_in = true;
            let identity = record.identity.as_ref();
            let known = || account::named(&identity?.id_token);
            shown.account = account::name(tokens).or_else(known);
            shown.scope.clone_from(&tokens.scope);
            shown.grant.clone_from(&record.grant);
            shown.refreshable = tokens.refresh.is_some() || record.grant.is_some();
            let ends = tokens
                .expires_at
                .and_then(|at| UNIX_EPOCH.checked_add(Duration::from_secs(at)));
            shown.expires_at = ends.map(|ends| humantime::format_rfc3339_seconds(ends).to_string());
            shown.left = ends.map(|ends| match ends.duration_since(now) {
                Ok(left) => Ok(left),
                Err(past) => Err(past.duration()),
            });
        }
        shown
    }

    /// What the list says of a sign-in whose record cannot be read.
    pub fn unreadable(login: &Login, why: String) -> Self {
        let servers = login.servers.iter().cloned().collect();
        let mut shown = Self::of_key(login.key.clone(), servers, login.place);
        shown.unreadable = Some(why);
        shown
    }

    /// For people: the server, and a line for each fact.
    pub fn text(&self) -> String {
        let mut text = if self.servers.is_empty() {
            self.resource.clone()
        } else {
            self.servers.join(", ")
        };
        let mut fact = |name: &str, value: &str| {
            text.push_str(&format!("\n  {name:<9} {}", ui::line(value)));
        };
        if let Some(account) = &self.account {
            fact("account", account);
        }
        if self.profile != "default" {
            fact("profile", &self.profile);
        }
        fact("issuer", &self.issuer);
        if let Some(grant) = &self.grant {
            let how = grant.replace('_', " ");
            fact("had by", &format!("{how}, as {}", self.client_id));
        }
        if let Some(scope) = &self.scope {
            fact("scope", scope);
        }
        fact("token", &self.token());
        let kept = match self.store {
            Place::Keyring => "in the keyring",
            Place::File => "in a file",
            Place::Memory => "in this process only",
        };
        fact("kept", kept);
        text
    }

    /// How it stands with the token, for people.
    pub fn token(&self) -> String {
        if let Some(why) = &self.unreadable {
            return format!("cannot be read: {why}");
        }
        if !self.signed_in {
            return "none: not signed in".to_owned();
        }
        let span = |span: &Duration| {
            // Seconds matter only near the end.
            let whole = span.as_secs();
            let round = if whole > 600 {
                whole - whole % 60
            } else {
                whole
            };
            humantime::format_duration(Duration::from_secs(round)).to_string()
        };
        let ends = match &self.left {
            None => "valid".to_owned(),
            Some(Ok(left)) => format!("valid for {}", span(left)),
            Some(Err(past)) => format!("ended {} ago", span(past)),
        };
        if self.refreshable {
            format!("{ends}, renewed by itself")
        } else {
            format!("{ends}, not renewable")
        }
    }
}
