//! The options of signing in.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use url::Url;

use crate::auth::grant::assertion::Algorithm;
use crate::auth::loopback::Host;
use crate::cli::values::{Seconds, pair, path, positive_seconds};

/// Where credentials come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Auth {
    /// The given Authorization header, else a sign-in when the server asks for one
    Auto,
    /// A sign-in when the server asks for one
    Oauth,
    /// The given headers only
    None,
}

/// What begins a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SignIn {
    /// Any request that needs one
    Eager,
    /// Tool calls only
    OnDemand,
}

/// Where sign-ins are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Store {
    /// The keyring, or files where there is none
    Auto,
    /// The system's keyring
    Keyring,
    /// Files that only this user can read
    File,
    /// This process alone
    Memory,
}

/// Authorization servers that do some things in their own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Provider {
    /// Microsoft Entra ID
    Entra,
    /// Google
    Google,
    /// Amazon Cognito
    Cognito,
    /// GitHub
    Github,
    /// Slack
    Slack,
    /// Figma
    Figma,
    /// Atlassian
    Atlassian,
    /// Snowflake
    Snowflake,
    /// None of them, whatever the address says
    None,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Authorization")]
pub struct Authorization {
    /// Where credentials come from
    #[arg(long, value_enum, value_name = "HOW", default_value = "auto")]
    pub auth: Auth,
    /// What begins a sign-in
    #[arg(long, value_enum, value_name = "WHEN", default_value = "eager")]
    pub sign_in: SignIn,
    /// Another account on the same server
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub profile: String,
    /// Where sign-ins are kept
    #[arg(long, value_enum, value_name = "WHERE", default_value = "auto")]
    pub store: Store,
    /// Scope to ask for, in place of what the server names
    #[arg(long, value_name = "SCOPE")]
    pub scope: Option<String>,
    /// Resource to ask tokens for, in place of what the server names
    #[arg(
        long,
        value_name = "URL",
        conflicts_with = "disable_resource_parameter"
    )]
    pub resource: Option<String>,
    /// Do not send the resource parameter, for servers that refuse it
    #[arg(long)]
    pub disable_resource_parameter: bool,
    /// Take the server's metadata only if it names this very URL
    #[arg(long)]
    pub strict_resource: bool,
    /// Parameter to add to the authorization request, as name=value [repeatable]
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub authorize_param: Vec<(String, String)>,
    /// Id of a client that is registered with the authorization server
    #[arg(long, value_name = "ID", conflicts_with = "static_oauth_client_info")]
    pub client_id: Option<String>,
    /// File with that client's secret
    #[arg(long, value_name = "FILE", conflicts_with = "static_oauth_client_info")]
    pub client_secret_file: Option<PathBuf>,
    /// Sign in as the client itself, with its secret or key: for machines
    #[arg(
        long,
        conflicts_with_all = ["client_metadata_url", "workload_token_file", "workload_token_command", "idp_issuer"]
    )]
    pub client_credentials: bool,
    /// PEM file with the private key that proves who the client is, in place of a secret
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["client_secret_file", "static_oauth_client_info"]
    )]
    pub private_key_file: Option<PathBuf>,
    /// How the key signs: RS256, PS256, ES256 or EdDSA
    #[arg(long, value_name = "NAME")]
    pub signing_algorithm: Option<Algorithm>,
    /// File with a token by which the platform vouches for this program; read again for each request
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["workload_token_command", "client_secret_file", "private_key_file", "idp_issuer"]
    )]
    pub workload_token_file: Option<PathBuf>,
    /// Command that prints such a token
    #[arg(
        long,
        value_name = "COMMAND",
        conflicts_with_all = ["client_secret_file", "private_key_file", "idp_issuer"]
    )]
    pub workload_token_command: Option<String>,
    /// Where tokens are had, in place of what the server's metadata says
    #[arg(long, value_name = "URL", conflicts_with = "idp_issuer")]
    pub token_endpoint: Option<Url>,
    /// Issuer of the company's identity provider, which decides who may use the server
    #[arg(long, value_name = "URL")]
    pub idp_issuer: Option<String>,
    /// Id of a client that is registered with the identity provider
    #[arg(long, value_name = "ID")]
    pub idp_client_id: Option<String>,
    /// File with that client's secret
    #[arg(long, value_name = "FILE")]
    pub idp_client_secret_file: Option<PathBuf>,
    /// File with the user's ID token, in place of a sign-in in the browser; read again for each request
    #[arg(long, value_name = "FILE")]
    pub idp_id_token_file: Option<PathBuf>,
    /// Client as JSON with client_id and client_secret; @FILE reads it from a file, which keeps the secret out of sight
    #[arg(long, value_name = "JSON|@FILE")]
    pub static_oauth_client_info: Option<String>,
    /// Metadata to register with, as JSON or @FILE
    #[arg(long, value_name = "JSON|@FILE")]
    pub static_oauth_client_metadata: Option<String>,
    /// What to sign in to as; told by the address of the authorization server where it is not given
    #[arg(long, value_enum, value_name = "NAME")]
    pub provider: Option<Provider>,
    /// URL of a client metadata document, to be used as the client's id
    #[arg(long, value_name = "URL")]
    pub client_metadata_url: Option<String>,
    /// Name of this machine that the browser comes back to: 127.0.0.1 (the default), localhost or ::1
    #[arg(long, value_name = "HOST")]
    pub host: Option<Host>,
    /// Path that the browser comes back to
    #[arg(long, value_name = "PATH", default_value = "/oauth/callback", value_parser = path)]
    pub callback_path: String,
    /// Page to show after a sign-in, in place of the built-in one
    #[arg(long, value_name = "URL")]
    pub auth_success_url: Option<Url>,
    /// Longest that a sign-in may take, in seconds
    #[arg(long, value_name = "SECS", value_parser = positive_seconds, default_value = "300")]
    pub auth_timeout: Seconds,
    /// Open no browser: the address is printed
    #[arg(long)]
    pub no_browser: bool,
    /// Use only tokens that are bound to a key, which is kept with them (DPoP); a server that asks for such gets them anyway
    #[arg(long, conflicts_with = "use_id_token")]
    pub dpop: bool,
    /// Send the ID token in place of the access token
    #[arg(long)]
    pub use_id_token: bool,
    /// Sign in with a code on any device, where the server offers it; the default where there is no browser to open
    #[arg(long)]
    pub device_code: bool,
    /// Trust an authorization server whose metadata names another issuer
    #[arg(long)]
    pub allow_issuer_mismatch: bool,
    /// Trust an authorization server that does not say it knows PKCE
    #[arg(long)]
    pub allow_missing_pkce_metadata: bool,
}
