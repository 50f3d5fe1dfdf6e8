//! What well-known authorization servers do otherwise than the rules say, as data. The user names one of them with
//! `--provider`; without it the host of the issuer does. What the user says of scope, resource and so on counts more.
//!
//! Two quirks need no entry, since no server is refused for them: token answers as forms, and tokens without `expires_in`.

use url::Url;
use wildmatch::WildMatch;

use super::loopback::Host;
use super::metadata::ServerMetadata;
use super::options::{Options, Resource};
use super::registration::AuthMethod;

/// A well-known authorization server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// Microsoft Entra ID.
    Entra,
    /// Google.
    Google,
    /// Amazon Cognito.
    Cognito,
    /// GitHub.
    Github,
    /// Slack.
    Slack,
    /// Figma.
    Figma,
    /// Atlassian.
    Atlassian,
    /// Snowflake.
    Snowflake,
}

/// Which of them a server is taken for (`--provider`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Choice {
    /// The one whose host the issuer has.
    #[default]
    Guessed,
    /// None of them.
    None,
    /// This one.
    Given(Provider),
}

/// The `resource` parameter, where the user says nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// As the MCP server names itself.
    Verbatim,
    /// The same without a slash at its end.
    WithoutSlash,
    /// Not at all.
    Never,
}

/// What one of them does otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preset {
    /// Its name, empty for a server of which nothing is known.
    pub name: &'static str,
    /// The hosts of its issuers.
    hosts: &'static [&'static str],
    resource: Sent,
    /// The scope where nobody names one; `{resource}` stands for the resource.
    scope: &'static str,
    /// What else belongs to any scope.
    scope_more: &'static [&'static str],
    /// What the MCP server may name and this one refuses.
    scope_never: &'static [&'static str],
    /// A parameter that repeats the scope.
    scope_again: Option<&'static str>,
    /// Parameters of the authorization request.
    parameters: &'static [(&'static str, &'static str)],
    /// Clients are registered by hand, with one address to the letter: the name of this machine in it.
    pub redirect: Option<Host>,
    /// How clients with a secret prove themselves, whatever the server says.
    pub method: Option<AuthMethod>,
    /// There are no tokens without a secret.
    pub secret: bool,
    /// It knows PKCE and does not say so.
    pub pkce_unsaid: bool,
    /// Its metadata names another issuer of its own than the one it was found by.
    other_issuer: bool,
    /// The paths of its endpoints, where it has no metadata.
    endpoints: Option<(&'static str, &'static str)>,
}

static PLAIN: Preset = Preset {
    name: "",
    hosts: &[],
    resource: Sent::Verbatim,
    scope: "",
    scope_more: &[],
    scope_never: &[],
    scope_again: None,
    parameters: &[],
    redirect: None,
    method: None,
    secret: false,
    pkce_unsaid: false,
    other_issuer: false,
    endpoints: None,
};

/// `resource` is refused (AADSTS901002, AADSTS9010010: modelcontextprotocol/csharp-sdk#741), a scope is wanted (AADSTS900144),
/// PKCE is not in the metadata (modelcontextprotocol/typescript-sdk#832), and that of `common` names `{tenantid}` as its tenant.
static ENTRA: Preset = Preset {
    name: "entra",
    hosts: &[
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.partner.microsoftonline.cn",
        "*.ciamlogin.com",
    ],
    resource: Sent::Never,
    scope: "{resource}/.default",
    scope_more: &["offline_access"],
    redirect: Some(Host::Localhost),
    pkce_unsaid: true,
    other_issuer: true,
    ..PLAIN
};

/// A refresh token is given for `access_type=offline` and refused for `offline_access` (punkpeye/mcp-remote#258); desktop
/// clients have a secret and need it; a scope is wanted.
static GOOGLE: Preset = Preset {
    name: "google",
    hosts: &["accounts.google.com"],
    scope: "openid email",
    scope_never: &["offline_access"],
    parameters: &[("access_type", "offline"), ("prompt", "consent")],
    secret: true,
    ..PLAIN
};

/// PKCE is not in the metadata (anthropics/claude-code#13275); plain http is taken for `localhost` alone.
static COGNITO: Preset = Preset {
    name: "cognito",
    hosts: &["cognito-idp.*.amazonaws.com", "*.amazoncognito.com"],
    redirect: Some(Host::Localhost),
    pkce_unsaid: true,
    ..PLAIN
};

/// No registration, and no token without the secret of the app (github/github-mcp-server, host-integration.md).
static GITHUB: Preset = Preset {
    name: "github",
    hosts: &["github.com", "*.ghe.com"],
    redirect: Some(Host::Ipv4),
    secret: true,
    ..PLAIN
};

/// No registration, `localhost` to the letter (anthropics/claude-code#37714), and the scope of a user is `user_scope`.
static SLACK: Preset = Preset {
    name: "slack",
    hosts: &["slack.com", "*.slack.com"],
    scope_again: Some("user_scope"),
    redirect: Some(Host::Localhost),
    ..PLAIN
};

/// It gives a secret to clients that asked for none, and wants it in the body (github/copilot-cli#4906).
static FIGMA: Preset = Preset {
    name: "figma",
    hosts: &["figma.com", "*.figma.com"],
    scope: "mcp:connect",
    method: Some(AuthMethod::Post),
    ..PLAIN
};

/// A slash at the end of the resource is refused (modelcontextprotocol/typescript-sdk#1968), and the metadata is that of
/// another host of theirs (github/copilot-cli#4490).
static ATLASSIAN: Preset = Preset {
    name: "atlassian",
    hosts: &["atlassian.com", "*.atlassian.com"],
    resource: Sent::WithoutSlash,
    other_issuer: true,
    ..PLAIN
};

/// The MCP server names the scope `session:role:all`, which accounts refuse (anthropics/claude-code#42419); the endpoints are
/// below `/oauth` where there is no metadata (anthropics/claude-ai-mcp#15).
static SNOWFLAKE: Preset = Preset {
    name: "snowflake",
    hosts: &["*.snowflakecomputing.com"],
    scope: "refresh_token",
    scope_more: &["refresh_token"],
    scope_never: &["session:role:all"],
    redirect: Some(Host::Ipv4),
    secret: true,
    endpoints: Some(("/oauth/authorize", "/oauth/token-request")),
    ..PLAIN
};

static ALL: [&Preset; 8] = [
    &ENTRA, &GOOGLE, &COGNITO, &GITHUB, &SLACK, &FIGMA, &ATLASSIAN, &SNOWFLAKE,
];

impl Provider {
    const fn preset(self) -> &'static Preset {
        match self {
            Self::Entra => &ENTRA,
            Self::Google => &GOOGLE,
            Self::Cognito => &COGNITO,
            Self::Github => &GITHUB,
            Self::Slack => &SLACK,
            Self::Figma => &FIGMA,
            Self::Atlassian => &ATLASSIAN,
            Self::Snowflake => &SNOWFLAKE,
        }
    }
}

/// What is known of the server with that issuer.
pub fn preset(choice: Choice, issuer: &str) -> &'static Preset {
    match choice {
        Choice::Given(provider) => provider.preset(),
        Choice::None => &PLAIN,
        Choice::Guessed => {
            let mut all = ALL.into_iter();
            all.find(|preset| preset.is_at(issuer)).unwrap_or(&PLAIN)
        }
    }
}

/// Whether a server that was looked for as `issuer` may call itself `found`: both are of the same house.
pub fn same_house(choice: Choice, issuer: &str, found: &str) -> bool {
    let preset = preset(choice, issuer);
    let host = |text: &str| Some(Url::parse(text).ok()?.host_str()?.to_owned());
    let same_host = || host(issuer).is_some() && host(issuer) == host(found);
    preset.other_issuer && (preset.is_at(found) || same_host())
}

/// The metadata of a server that has none, where it is known.
pub fn assumed(choice: Choice, issuer: &str) -> Option<ServerMetadata> {
    let (authorize, token) = preset(choice, issuer).endpoints?;
    let base = Url::parse(issuer).ok()?;
    let mut metadata = ServerMetadata::defaults(&base)?;
    issuer.clone_into(&mut metadata.issuer);
    metadata.authorization_endpoint = Some(base.join(authorize).ok()?);
    metadata.token_endpoint = base.join(token).ok()?;
    metadata.registration_endpoint = None;
    metadata.token_endpoint_auth_methods_supported = None;
    Some(metadata)
}

/// Whether the `resource` parameter is sent to that issuer.
pub fn sends_resource(options: &Options, issuer: &str) -> bool {
    match options.request.resource {
        Resource::Given(_) => true,
        Resource::Omitted => false,
        Resource::Named => preset(options.checks.provider, issuer).resource != Sent::Never,
    }
}

impl Preset {
    fn is_at(&self, issuer: &str) -> bool {
        let Ok(url) = Url::parse(issuer) else {
            return false;
        };
        let host = url.host_str().unwrap_or_default();
        let at = |pattern: &&str| WildMatch::new(pattern).matches(host);
        url.scheme() == "https" && self.hosts.iter().any(at)
    }

    /// The resource as this server takes it.
    pub fn resource(&self, named: &str) -> String {
        match self.resource {
            Sent::WithoutSlash => named.trim_end_matches('/').to_owned(),
            Sent::Verbatim | Sent::Never => named.to_owned(),
        }
    }

    /// The scope as this server takes it.
    pub fn scope(&self, chosen: Option<&str>, resource: &str) -> Option<String> {
        let default = self.scope.replace("{resource}", resource);
        let mut scopes: Vec<&str> = chosen
            .into_iter()
            .flat_map(|scope| scope.split(' '))
            .collect();
        scopes.retain(|scope| !self.scope_never.contains(scope));
        if scopes.is_empty() {
            scopes.extend(default.split_whitespace());
        }
        if scopes.is_empty() {
            return None;
        }
        for more in self.scope_more {
            if !scopes.contains(more) {
                scopes.push(more);
            }
        }
        Some(scopes.join(" "))
    }

    /// The parameters of an authorization request for `scope`, beside those that the user gives.
    pub fn parameters(
        &self,
        given: &[(String, String)],
        scope: Option<&str>,
    ) -> Vec<(String, String)> {
        let again = self.scope_again.zip(scope);
        let own = self.parameters.iter().copied().chain(again);
        let missing = own.filter(|(name, _)| given.iter().all(|(known, _)| known != name));
        let missing = missing.map(|(name, value)| (name.to_owned(), value.to_owned()));
        given.iter().cloned().chain(missing).collect()
    }
}

#[cfg(test)]
mod tests;
