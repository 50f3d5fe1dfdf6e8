//! A home in which `mcp-remote` has signed in: its store, as each of its versions lays it out, and hosts' files.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::authserver::AuthServer;
use crate::support::visit;

/// The redirect address of its client.
pub const REDIRECT: &str = "http://localhost:17389/oauth/callback";

/// What `mcp-remote` has after a sign-in.
#[derive(Clone)]
pub struct Login {
    pub tokens: Value,
    pub client: Value,
}

/// Signs in as `mcp-remote` does, over HTTP, as a client that registers by itself.
pub fn sign_in(auth: &AuthServer, resource: &str) -> Login {
    let registered = post_json(
        &auth.server.at("/register"),
        &json!({
            "client_name": "MCP CLI Proxy",
            "redirect_uris": [REDIRECT],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "application_type": "native",
        }),
    );
    let id = registered["client_id"].as_str().unwrap();
    let tokens = exchange(auth, id, &[], resource);
    Login {
        tokens,
        client: registered,
    }
}

/// Signs in as a client that its owner made known, with its secret.
pub fn sign_in_as(auth: &AuthServer, id: &str, secret: &str, resource: &str) -> Value {
    exchange(auth, id, &[("client_secret", secret)], resource)
}

fn exchange(auth: &AuthServer, id: &str, more: &[(&str, &str)], resource: &str) -> Value {
    let verifier = "v".repeat(43);
    let challenge = crate::support::authserver::s256(&verifier);
    let mut page = url::Url::parse(&auth.server.at("/authorize")).unwrap();
    page.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", id),
        ("redirect_uri", REDIRECT),
        ("state", &"s".repeat(32)),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("resource", resource),
    ]);
    let back = visit::location(page.as_str());
    let code = visit::parameter(&back, "code").expect("a code");
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT),
        ("client_id", id),
        ("code_verifier", &verifier),
        ("resource", resource),
    ];
    form.extend(more);
    post_form(&auth.server.at("/token"), &form)
}

fn post_json(url: &str, body: &Value) -> Value {
    post(url, "application/json", body.to_string())
}

fn post_form(url: &str, form: &[(&str, &str)]) -> Value {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    post(url, "application/x-www-form-urlencoded", body)
}

fn post(url: &str, media_type: &str, body: String) -> Value {
    let page = visit::post(url, media_type, body);
    assert!(page.status / 100 == 2, "{page}");
    serde_json::from_str(&page.text).expect("JSON")
}

/// How a version lays out its store.
#[derive(Clone, Copy, Debug)]
pub enum Layout {
    /// 0.1.29 and before: raw tokens, as old as their file.
    Raw(&'static str),
    /// 0.15: with the issuer and the time of the end.
    Stamped,
}

/// The folder `.mcp-auth` of that home.
pub fn base(home: &Path) -> PathBuf {
    home.join(".mcp-auth")
}

/// Writes a sign-in as that version would, `ago` seconds ago.
pub fn write(home: &Path, layout: Layout, seed: &str, login: &Login, ago: u64) -> PathBuf {
    let at = SystemTime::now() - Duration::from_secs(ago);
    let mut login = login.clone();
    let folder = match layout {
        Layout::Raw(version) => format!("mcp-remote-{version}"),
        Layout::Stamped => {
            let ends = login.tokens["expires_in"].as_u64().map(|lifetime| {
                let at = at.duration_since(UNIX_EPOCH).unwrap().as_millis();
                u64::try_from(at).unwrap() + lifetime * 1000
            });
            login.tokens["expires_at"] = json!(ends);
            "mcp-remote-v1".to_owned()
        }
    };
    let folder = base(home).join(folder);
    fs::create_dir_all(&folder).unwrap();
    let prefix = md5(seed);
    for (name, value) in [("tokens", &login.tokens), ("client_info", &login.client)] {
        if value.is_null() {
            continue;
        }
        let path = folder.join(format!("{prefix}_{name}.json"));
        fs::write(&path, serde_json::to_vec_pretty(value).unwrap()).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(at).unwrap();
    }
    folder.join(format!("{prefix}_tokens.json"))
}

/// The MD5 of a text in hexadecimal digits.
fn md5(text: &str) -> String {
    use md5::{Digest, Md5};
    Md5::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
