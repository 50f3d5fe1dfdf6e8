//! Who we are to an authorization server: dynamic registration (RFC 7591), and which way the client proves itself at the token
//! endpoint (RFC 8414 §2, RFC 6749 §2.3).

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::http::{Answer, OauthHttp, document};
use super::metadata::ServerMetadata;
use crate::error::Failure;
use crate::secret::Secret;
use crate::store::Client;

/// How the client proves itself at the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMethod {
    /// It has no secret: its id alone.
    None,
    /// Id and secret in an `Authorization` header.
    Basic,
    /// Id and secret in the body.
    Post,
}

impl AuthMethod {
    /// The name that metadata uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
        }
    }

    /// The method of that name, if it is one of these.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::None, Self::Basic, Self::Post]
            .into_iter()
            .find(|method| method.name() == name)
    }

    /// The method for a client with or without a secret: what registration said, where the server takes it; else Basic if
    /// listed or nothing is, else the body.
    pub fn choose(
        registered: Option<Self>,
        secret: Option<&Secret>,
        server: &ServerMetadata,
    ) -> Self {
        let listed = server.token_endpoint_auth_methods_supported.as_deref();
        let takes = |method: Self| {
            listed.is_none_or(|names| names.iter().any(|name| name == method.name()))
        };
        match (registered, secret) {
            (Some(method), _) if takes(method) && (method == Self::None || secret.is_some()) => {
                method
            }
            (_, None) => Self::None,
            (_, Some(_)) if takes(Self::Basic) => Self::Basic,
            (_, Some(_)) => Self::Post,
        }
    }
}

/// Whether the secret of `client` has ended at `now`, in seconds since 1970: it has to register anew.
pub fn is_expired(client: &Client, now: u64) -> bool {
    client.secret_expires_at.is_some_and(|at| at <= now)
}

/// The answer to a registration (RFC 7591 §3.2.1).
#[derive(Deserialize)]
struct Registered {
    client_id: String,
    #[serde(default)]
    client_secret: Option<String>,
    #[serde(default)]
    client_secret_expires_at: Option<u64>,
    #[serde(default)]
    token_endpoint_auth_method: Option<String>,
    #[serde(default)]
    redirect_uris: Vec<String>,
}

/// The document that registers a native app (RFC 7591 §2). Members of `extra`, which the user gave, count more than ours.
/// `grants` are for more than a browser and a refresh.
pub fn request(
    redirect_uri: &str,
    scope: Option<&str>,
    grants: &[&str],
    extra: &Map<String, Value>,
) -> Value {
    let grants = [&["authorization_code", "refresh_token"], grants].concat();
    let mut document = json!({
        "client_name": "mcp-tether",
        "redirect_uris": [redirect_uri],
        "grant_types": grants,
        "response_types": ["code"],
        "token_endpoint_auth_method": AuthMethod::None.name(),
        // Without it OpenID servers take us for a web site and refuse loopback.
        "application_type": "native",
    });
    if let Some(members) = document.as_object_mut() {
        if let Some(scope) = scope {
            members.insert("scope".to_owned(), scope.into());
        }
        members.extend(extra.clone());
    }
    document
}

/// Registers a client with `server`.
///
/// # Errors
/// [`Failure::Credentials`] with what the server said against it, or that it knows no registration.
pub async fn register(
    http: &OauthHttp,
    issuer: &str,
    server: &ServerMetadata,
    document: &Value,
    redirect_uri: &str,
) -> Result<Client, Failure> {
    let Some(endpoint) = &server.registration_endpoint else {
        return Err(no_registration(issuer));
    };
    let answer = http.post_json(endpoint, document.to_string()).await?;
    match answer.status.as_u16() {
        200..=299 => accepted(&answer, issuer, server, redirect_uri),
        404 | 405 => Err(no_registration(issuer)),
        500..=599 => Err(Failure::Unreachable {
            what: format!(
                "the registration at {issuer} failed (HTTP {})",
                answer.status.as_u16()
            ),
            hint: "try again later",
        }),
        _ => Err(refused(issuer, &answer)),
    }
}

/// Reads the answer. What was registered counts, not what was asked for.
///
/// # Errors
/// [`Failure::Credentials`] when it is no registration, or one for another address.
#[doc(hidden)]
pub fn accepted(
    answer: &Answer,
    issuer: &str,
    server: &ServerMetadata,
    redirect_uri: &str,
) -> Result<Client, Failure> {
    let registered: Registered = document(&answer.body).ok_or_else(|| refused(issuer, answer))?;
    let others = !registered.redirect_uris.is_empty();
    if others
        && !registered
            .redirect_uris
            .iter()
            .any(|uri| uri == redirect_uri)
    {
        return Err(Failure::Credentials {
            what: format!("{issuer} registered another redirect address than {redirect_uri}"),
            hint: "register a client by hand and give it with --client-id",
        });
    }
    let secret = registered
        .client_secret
        .filter(|secret| !secret.is_empty())
        .map(Secret::new);
    let method = registered
        .token_endpoint_auth_method
        .as_deref()
        .and_then(AuthMethod::from_name);
    let mut client = Client::public(registered.client_id, issuer.to_owned());
    client.auth_method = AuthMethod::choose(method, secret.as_ref(), server)
        .name()
        .to_owned();
    client.client_secret = secret;
    // 0 stands for never.
    client.secret_expires_at = registered.client_secret_expires_at.filter(|at| *at != 0);
    client.redirect_uri = Some(redirect_uri.to_owned());
    Ok(client)
}

fn no_registration(issuer: &str) -> Failure {
    Failure::Credentials {
        what: format!("{issuer} does not register clients by itself"),
        hint: "register a client there by hand and give it with --client-id",
    }
}

fn refused(issuer: &str, answer: &Answer) -> Failure {
    #[derive(Deserialize)]
    struct Error {
        error: String,
        #[serde(default)]
        error_description: Option<String>,
    }
    let said = document::<Error>(&answer.body);
    let said = said.map(|error| match error.error_description {
        Some(description) => format!("{}: {description}", error.error),
        None => error.error,
    });
    // The text is the server's: bounded, and nothing that a terminal would obey.
    let said: String = said
        .unwrap_or_default()
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect();
    Failure::Credentials {
        what: format!(
            "{issuer} refused to register us (HTTP {}) {said}",
            answer.status.as_u16()
        )
        .trim_end()
        .to_owned(),
        hint: "register a client there by hand and give it with --client-id",
    }
}

#[cfg(test)]
mod tests {
    use super::{AuthMethod, accepted, is_expired, refused, request};
    use crate::auth::http::Answer;
    use crate::auth::metadata::ServerMetadata;
    use crate::error::Failure;
    use crate::secret::Secret;
    use serde_json::{Map, Value, json};

    const REDIRECT: &str = "http://127.0.0.1:5000/oauth/callback";

    fn server(methods: Option<&[&str]>) -> ServerMetadata {
        let document = json!({
            "issuer": "https://as",
            "authorization_endpoint": "https://as/authorize",
            "token_endpoint": "https://as/token",
            "token_endpoint_auth_methods_supported": methods,
        });
        serde_json::from_value(document).unwrap()
    }

    fn answer(status: u16, body: &Value) -> Answer {
        Answer {
            status: ::http::StatusCode::from_u16(status).unwrap(),
            media_type: "application/json".to_owned(),
            body: body.to_string().into(),
        }
    }

    #[test]
    fn registers_as_a_native_app_that_refreshes() {
        let mut extra = Map::new();
        extra.insert("client_name".to_owned(), "Mine".into());
        let document = request(REDIRECT, Some("a b"), &[], &extra);
        assert_eq!(document["application_type"], "native");
        assert_eq!(
            document["grant_types"],
            json!(["authorization_code", "refresh_token"])
        );
        assert_eq!(document["redirect_uris"], json!([REDIRECT]));
        assert_eq!(document["scope"], "a b");
        assert_eq!(
            document["client_name"], "Mine",
            "the user's own metadata counts more"
        );
        assert!(
            request(REDIRECT, None, &[], &Map::new())
                .get("scope")
                .is_none()
        );
        let more = request(REDIRECT, None, &["x"], &Map::new());
        assert_eq!(
            more["grant_types"],
            json!(["authorization_code", "refresh_token", "x"])
        );
    }

    #[test]
    fn a_registration_is_an_object() {
        let array = answer(201, &json!(["c", null, null, null, [REDIRECT]]));
        assert!(accepted(&array, "https://as", &server(None), REDIRECT).is_err());
    }

    #[test]
    fn what_the_server_registered_counts() {
        let body = json!({
            "client_id": "c", "client_secret": "s", "client_secret_expires_at": 100,
            "token_endpoint_auth_method": "client_secret_post", "redirect_uris": [REDIRECT],
        });
        let client = accepted(&answer(201, &body), "https://as", &server(None), REDIRECT).unwrap();
        assert_eq!(client.auth_method, AuthMethod::Post.name());
        assert!(is_expired(&client, 100) && !is_expired(&client, 99));
        let body = json!({ "client_id": "c", "client_secret_expires_at": 0 });
        let client = accepted(&answer(201, &body), "https://as", &server(None), REDIRECT).unwrap();
        assert_eq!(
            (client.auth_method.as_str(), client.secret_expires_at),
            (AuthMethod::None.name(), None)
        );
        let body = json!({ "client_id": "c", "redirect_uris": ["http://127.0.0.1:1/x"] });
        assert!(accepted(&answer(201, &body), "https://as", &server(None), REDIRECT).is_err());
    }

    #[test]
    fn the_method_is_one_that_both_sides_take() {
        let secret = Secret::new("s".to_owned());
        let (basic, post, none) = (AuthMethod::Basic, AuthMethod::Post, AuthMethod::None);
        let table = [
            (None, true, None, basic),
            (None, true, Some(&["client_secret_post"][..]), post),
            (
                None,
                true,
                Some(&["client_secret_post", "client_secret_basic"]),
                basic,
            ),
            (Some(post), true, None, post),
            (Some(post), true, Some(&["client_secret_basic"]), basic),
            (Some(none), true, None, none),
            (Some(basic), false, None, none),
            (None, false, Some(&["client_secret_basic"]), none),
        ];
        for (registered, has_secret, listed, expected) in table {
            let chosen =
                AuthMethod::choose(registered, has_secret.then_some(&secret), &server(listed));
            assert_eq!(chosen, expected, "{registered:?} {has_secret} {listed:?}");
        }
    }

    #[test]
    fn a_refusal_is_told_in_the_servers_words_but_not_obeyed() {
        let body = json!({ "error": "invalid_redirect_uri", "error_description": "no\u{1b}[31m loopback" });
        let Failure::Credentials { what, .. } = refused("https://as", &answer(400, &body)) else {
            panic!("another failure");
        };
        assert_eq!(
            what,
            "https://as refused to register us (HTTP 400) invalid_redirect_uri: no[31m loopback"
        );
    }
}
