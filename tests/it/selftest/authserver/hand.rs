//! A client of the fake authorization server that does each step by hand.

use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use crate::selftest::block_on;
use crate::support::authserver::{AuthServer, Params, REGISTER, TOKEN, s256};
use crate::support::visit::{location, parameter};

/// A redirect address that nobody listens at.
pub(super) const BACK: &str = "http://127.0.0.1:9/oauth/callback";
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(super) const STATE: &str = "0123456789abcdef0123456789";

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) challenge: String,
    pub(super) body: Value,
}

pub(super) fn post(url: &str, headers: &[(&str, &str)], body: String) -> Answer {
    let _ = rustls::crypto::ring::default_provider().install_default();
    block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut request = client.post(url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        let challenge = answer.headers().get("www-authenticate");
        Answer {
            status: answer.status().as_u16(),
            challenge: challenge.map_or_else(String::new, |c| c.to_str().unwrap().to_owned()),
            body: serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default(),
        }
    })
}

pub(super) fn form(pairs: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// A client of that server, registered at once.
pub(super) struct Client<'a> {
    pub(super) auth: &'a AuthServer,
    pub(super) id: String,
    pub(super) secret: Option<String>,
    pub(super) resource: String,
}

impl<'a> Client<'a> {
    pub(super) fn new(auth: &'a AuthServer, resource: &str) -> Self {
        let document = json!({
            "redirect_uris": [BACK],
            "application_type": "native",
            "grant_types": ["authorization_code", "refresh_token"],
        });
        let answer = post(&auth.server.at(REGISTER), &[], document.to_string());
        assert_eq!(answer.status, 201, "{}", answer.body);
        let text = |name: &str| answer.body[name].as_str().map(str::to_owned);
        Self {
            auth,
            id: text("client_id").unwrap(),
            secret: text("client_secret"),
            resource: resource.to_owned(),
        }
    }

    /// The address to open, with those parameters in place of the right ones.
    pub(super) fn address(&self, changes: &[(&str, &str)]) -> String {
        let challenge = s256(VERIFIER);
        let mut params: Params = [
            ("response_type", "code"),
            ("client_id", &self.id),
            ("redirect_uri", BACK),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("state", STATE),
            ("resource", &self.resource),
            ("scope", "a b"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        for (name, value) in changes {
            params.insert((*name).to_owned(), (*value).to_owned());
        }
        let query = Serializer::new(String::new()).extend_pairs(params).finish();
        format!("{}?{query}", self.auth.server.at("/authorize"))
    }

    pub(super) fn token(&self, pairs: &[(&str, &str)]) -> Answer {
        let resource = ("resource", self.resource.as_str());
        let mut all = vec![resource];
        if self.secret.is_none() {
            all.push(("client_id", &self.id));
        }
        all.extend_from_slice(pairs);
        let secret = self.secret.as_ref().map(|secret| {
            // What the ids and secrets here are made of needs no form encoding.
            let text = format!("{}:{secret}", self.id);
            format!("Basic {}", base64(text.as_bytes()))
        });
        let headers: Vec<(&str, &str)> = secret.iter().map(|s| ("authorization", &**s)).collect();
        post(&self.auth.server.at(TOKEN), &headers, form(&all))
    }

    pub(super) fn exchange(&self, changes: &[(&str, &str)]) -> Answer {
        let code = parameter(&location(&self.address(&[])), "code").unwrap();
        let mut pairs = vec![
            ("grant_type", "authorization_code"),
            ("code", &*code),
            ("redirect_uri", BACK),
            ("code_verifier", VERIFIER),
        ];
        for change in changes {
            pairs.retain(|pair| pair.0 != change.0);
            pairs.push(*change);
        }
        self.token(&pairs)
    }

    pub(super) fn refresh(&self, token: &str) -> Answer {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token)])
    }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let mut bits = 0u32;
        for place in 0..3 {
            bits = bits << 8 | u32::from(*three.get(place).unwrap_or(&0));
        }
        for place in 0..4 {
            let six = (bits >> (18 - 6 * place)) & 63;
            let pad = place > three.len();
            text.push(if pad {
                '='
            } else {
                char::from(ALPHABET[six as usize])
            });
        }
    }
    text
}
