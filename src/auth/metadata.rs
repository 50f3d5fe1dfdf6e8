//! Metadata documents and where they are: the protected resource (RFC 9728) and its authorization server (RFC 8414, OpenID
//! Connect Discovery 1.0). Pure: what is fetched, and in which order, is decided in `discovery`.

use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

use crate::net::guard;

/// What the MCP server says about itself (RFC 9728 §2).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ResourceMetadata {
    /// Its identifier, kept as it was written.
    pub resource: String,
    /// The issuers that it accepts, in its order.
    #[serde(default)]
    pub authorization_servers: Vec<String>,
    /// Scopes to ask for where the challenge names none.
    #[serde(default)]
    pub scopes_supported: Option<Vec<String>>,
    /// Whether it takes tokens only that are bound to a key (RFC 9449). Only a literal `true` counts.
    #[serde(default, deserialize_with = "literally_true")]
    pub dpop_bound_access_tokens_required: bool,
    /// The algorithms of proofs that it takes, where it says so.
    #[serde(default)]
    pub dpop_signing_alg_values_supported: Option<Vec<String>>,
}

/// What an authorization server says about itself (RFC 8414 §2). Members that MCP has no use for are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerMetadata {
    /// Its identifier, kept as it was written.
    pub issuer: String,
    /// Where the user signs in; a server for machines has none.
    #[serde(default)]
    pub authorization_endpoint: Option<Url>,
    /// Where codes become tokens.
    pub token_endpoint: Url,
    /// Where clients register (RFC 7591).
    #[serde(default)]
    pub registration_endpoint: Option<Url>,
    /// Where tokens are revoked (RFC 7009).
    #[serde(default)]
    pub revocation_endpoint: Option<Url>,
    /// Where codes for other devices are had (RFC 8628 §4).
    #[serde(default)]
    pub device_authorization_endpoint: Option<Url>,
    /// Scopes that it knows; the only use is to see whether `offline_access` is among them.
    #[serde(default)]
    pub scopes_supported: Vec<String>,
    /// How clients prove who they are at the token endpoint; absent means `client_secret_basic`.
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// Algorithms of assertions that prove who the client is.
    #[serde(default)]
    pub token_endpoint_auth_signing_alg_values_supported: Option<Vec<String>>,
    /// Profiles of grants; absent where the server does not say.
    #[serde(default)]
    pub authorization_grant_profiles_supported: Option<Vec<String>>,
    /// PKCE methods; absent means that PKCE is not known to work.
    #[serde(default)]
    pub code_challenge_methods_supported: Option<Vec<String>>,
    /// The algorithms of proofs that it takes (RFC 9449 §5.1), where it says so.
    #[serde(default)]
    pub dpop_signing_alg_values_supported: Option<Vec<String>>,
    /// Whether a client id may be the URL of a document. Only a literal `true` counts.
    #[serde(default, deserialize_with = "literally_true")]
    pub client_id_metadata_document_supported: bool,
    /// Whether answers to authorization requests carry `iss` (RFC 9207). Only a literal `true` counts.
    #[serde(default, deserialize_with = "literally_true")]
    pub authorization_response_iss_parameter_supported: bool,
}

/// A flag that somebody wrote as a string or number is off, and no reason to refuse the document.
fn literally_true<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    serde_json::Value::deserialize(from).map(|value| value == serde_json::Value::Bool(true))
}

impl ServerMetadata {
    /// The endpoints that are neither https nor on this machine, which must not be used.
    pub fn unsafe_endpoints(&self) -> Vec<&Url> {
        let optional = [
            &self.authorization_endpoint,
            &self.registration_endpoint,
            &self.revocation_endpoint,
            &self.device_authorization_endpoint,
        ];
        let optional = optional.into_iter().flatten();
        std::iter::once(&self.token_endpoint)
            .chain(optional)
            .filter(|url| !is_safe(url))
            .collect()
    }

    /// What a server without metadata has (2025-03-26 authorization §Fallbacks for Servers without Metadata Discovery).
    pub fn defaults(base: &Url) -> Option<Self> {
        let issuer = guard::shown(base).trim_end_matches('/').to_owned();
        Some(Self {
            authorization_endpoint: Some(base.join("/authorize").ok()?),
            registration_endpoint: base.join("/register").ok(),
            token_endpoint_auth_methods_supported: Some(vec!["none".to_owned()]),
            // It cannot say so, and the revision requires it.
            code_challenge_methods_supported: Some(vec!["S256".to_owned()]),
            ..Self::of_token_endpoint(issuer, base.join("/token").ok()?)
        })
    }

    /// A server of which nothing is known but where tokens are had.
    pub const fn of_token_endpoint(issuer: String, token_endpoint: Url) -> Self {
        Self {
            issuer,
            authorization_endpoint: None,
            token_endpoint,
            registration_endpoint: None,
            revocation_endpoint: None,
            device_authorization_endpoint: None,
            scopes_supported: Vec::new(),
            token_endpoint_auth_methods_supported: None,
            token_endpoint_auth_signing_alg_values_supported: None,
            authorization_grant_profiles_supported: None,
            code_challenge_methods_supported: None,
            dpop_signing_alg_values_supported: None,
            client_id_metadata_document_supported: false,
            authorization_response_iss_parameter_supported: false,
        }
    }
}

/// Whether an OAuth URL may be used: https, or this machine.
pub fn is_safe(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.host_str().is_some_and(|host| !host.is_empty()),
        "http" => guard::is_loopback(url),
        _ => false,
    }
}

/// Where the metadata of an MCP server may be, in order: below the well-known path, then at the root (RFC 9728 §3.1).
pub fn resource_locations(server: &Url) -> Vec<Url> {
    const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
    let path = server.path().trim_end_matches('/');
    let mut root = server.clone();
    root.set_fragment(None);
    let mut below = root.clone();
    below.set_path(&format!("{WELL_KNOWN}{path}"));
    root.set_query(None);
    root.set_path(WELL_KNOWN);
    if path.is_empty() && server.query().is_none() {
        return vec![root];
    }
    vec![below, root]
}

/// Where the metadata of an issuer may be, in order (RFC 8414 §3.1, OpenID Connect Discovery §4.1). Below an issuer with a
/// path the root is never asked: it may be somebody else's.
pub fn issuer_locations(issuer: &Url) -> Vec<Url> {
    const OAUTH: &str = "/.well-known/oauth-authorization-server";
    const OPENID: &str = "/.well-known/openid-configuration";
    let path = issuer.path().trim_end_matches('/');
    let at = |path: String| {
        let mut url = issuer.clone();
        url.set_query(None);
        url.set_fragment(None);
        url.set_path(&path);
        url
    };
    let mut locations = vec![at(format!("{OAUTH}{path}")), at(format!("{OPENID}{path}"))];
    if !path.is_empty() {
        locations.push(at(format!("{path}{OPENID}")));
    }
    locations
}

/// Whether metadata that names `resource` speaks for `server`: the same origin, and the server's path or a parent of it by
/// whole segments. RFC 9728 §3.3 asks for identity, which root documents of real servers do not have.
pub fn covers(resource: &str, server: &Url) -> bool {
    let Ok(resource) = Url::parse(resource) else {
        return false;
    };
    let parent = resource.path().trim_end_matches('/');
    let rest = server.path().strip_prefix(parent);
    guard::same_origin(&resource, server)
        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The identifier of a server whose metadata names none (2025-11-25 authorization §Canonical Server URI).
pub fn canonical_resource(server: &Url) -> String {
    let mut canonical = server.clone();
    canonical.set_fragment(None);
    let text = canonical.to_string();
    // The parser gives every bare host a slash, which nobody wrote.
    if canonical.path() == "/" && canonical.query().is_none() {
        return text.trim_end_matches('/').to_owned();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{
        ServerMetadata, canonical_resource, covers, is_safe, issuer_locations, resource_locations,
    };
    use url::Url;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn texts(urls: &[Url]) -> Vec<&str> {
        urls.iter().map(Url::as_str).collect()
    }

    #[test]
    fn resource_metadata_is_below_the_path_then_at_the_root() {
        let below = "https://h/.well-known/oauth-protected-resource/a/mcp";
        let root = "https://h/.well-known/oauth-protected-resource";
        assert_eq!(
            texts(&resource_locations(&url("https://h/a/mcp"))),
            [below, root]
        );
        assert_eq!(
            texts(&resource_locations(&url("https://h/a/mcp/"))),
            [below, root]
        );
        assert_eq!(texts(&resource_locations(&url("https://h/"))), [root]);
        let query = resource_locations(&url("https://h/mcp?k=v#f"));
        assert_eq!(
            texts(&query),
            [
                "https://h/.well-known/oauth-protected-resource/mcp?k=v",
                root
            ]
        );
    }

    #[test]
    fn issuer_metadata_is_looked_for_in_order_and_never_at_a_foreign_root() {
        assert_eq!(
            texts(&issuer_locations(&url("https://as/tenant/"))),
            [
                "https://as/.well-known/oauth-authorization-server/tenant",
                "https://as/.well-known/openid-configuration/tenant",
                "https://as/tenant/.well-known/openid-configuration",
            ]
        );
        assert_eq!(
            texts(&issuer_locations(&url("https://as"))),
            [
                "https://as/.well-known/oauth-authorization-server",
                "https://as/.well-known/openid-configuration",
            ]
        );
    }

    #[test]
    fn metadata_speaks_for_its_own_path_and_below() {
        let server = url("https://h/a/mcp");
        for resource in [
            "https://h/a/mcp",
            "https://h/a/mcp/",
            "https://h/a",
            "https://h",
            "https://H/a/",
        ] {
            assert!(covers(resource, &server), "{resource}");
        }
        for resource in [
            "https://h/a/m",
            "https://h/b",
            "https://h:1/a/mcp",
            "http://h/a/mcp",
            "https://x/a/mcp",
            "h",
            "",
        ] {
            assert!(!covers(resource, &server), "{resource}");
        }
    }

    #[test]
    fn the_canonical_resource_has_no_fragment_and_no_slash_of_the_parsers_own() {
        let table = [
            ("https://h", "https://h"),
            ("https://h/", "https://h"),
            ("https://H/mcp/?a=b#c", "https://h/mcp/?a=b"),
            ("https://h/mcp/", "https://h/mcp/"),
        ];
        for (server, resource) in table {
            assert_eq!(canonical_resource(&url(server)), resource);
        }
    }

    #[test]
    fn only_https_and_this_machine_are_safe() {
        for text in [
            "https://as/token",
            "http://127.0.0.1:9/token",
            "http://localhost/token",
        ] {
            assert!(is_safe(&url(text)), "{text}");
        }
        for text in [
            "http://as/token",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "data:text/html,x",
            "ftp://as/",
        ] {
            assert!(!is_safe(&url(text)), "{text}");
        }
        let document = r#"{"issuer":"https://as","authorization_endpoint":"javascript:alert(1)","token_endpoint":"https://as/t","registration_endpoint":"http://as/r"}"#;
        let metadata: ServerMetadata = serde_json::from_str(document).unwrap();
        let wrong: Vec<&str> = metadata
            .unsafe_endpoints()
            .into_iter()
            .map(Url::as_str)
            .collect();
        assert_eq!(wrong, ["javascript:alert(1)", "http://as/r"]);
    }

    #[test]
    fn only_a_literal_true_counts() {
        let document = |value: &str| {
            format!(
                r#"{{"issuer":"i","authorization_endpoint":"https://as/a","token_endpoint":"https://as/t","authorization_response_iss_parameter_supported":{value}}}"#
            )
        };
        for (value, expected) in [
            ("true", true),
            ("false", false),
            ("\"true\"", false),
            ("1", false),
        ] {
            let metadata: ServerMetadata = serde_json::from_str(&document(value)).unwrap();
            let read = metadata.authorization_response_iss_parameter_supported;
            assert_eq!(read, expected, "{value}");
        }
    }
}
