//! From the options to what the user wants of sign-ins.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use url::Url;

use super::args::{self, Bridge as Args};
use super::connection::Env;
use super::grant;
use crate::auth::discovery::{Checks, IssuerCheck, ResourceCheck};
use crate::auth::dpop;
use crate::auth::flow::PkceCheck;
use crate::auth::options::{
    Browser, Callback, Device, Identity, Options, Request, Resource, Sends,
};
use crate::auth::provider::{Choice, Provider};
use crate::config::Paths;
use crate::error::{Exit, Fatal};
use crate::net::client;
use crate::net::headers::expand;
use crate::secret::Secret;
use crate::store::{Folders, Kind};

/// What the user wants of sign-ins.
///
/// # Errors
/// A mistake in the options.
pub fn options(
    args: &Args,
    network: client::Options,
    paths: Option<&Paths>,
    env: &Env<'_>,
) -> Result<Options, Fatal> {
    let given = &args.authorization;
    let client = identity(given, env)?;
    Ok(Options {
        grant: grant::grant(given, &client)?,
        token_endpoint: grant::token_endpoint(given)?,
        server: network.url.clone(),
        network,
        profile: given.profile.clone(),
        store: store(given.store, paths)?,
        folders: paths.map(folders),
        client,
        request: Request {
            resource: match (&given.resource, given.disable_resource_parameter) {
                (Some(resource), _) => Resource::Given(resource.clone()),
                (None, true) => Resource::Omitted,
                (None, false) => Resource::Named,
            },
            scope: given.scope.clone(),
            parameters: given.authorize_param.clone(),
        },
        checks: checks(given),
        pkce: if given.allow_missing_pkce_metadata {
            PkceCheck::Ignored
        } else {
            PkceCheck::Required
        },
        callback: Callback {
            host: given.host,
            port: args.callback_port,
            path: given.callback_path.clone(),
            success: given.auth_success_url.clone(),
        },
        browser: if given.no_browser {
            Browser::None
        } else {
            Browser::Open(env("BROWSER").filter(|command| !command.trim().is_empty()))
        },
        dpop: if given.dpop {
            dpop::Use::Always
        } else {
            dpop::Use::WhenAsked
        },
        sends: if given.use_id_token {
            Sends::IdToken
        } else {
            Sends::AccessToken
        },
        device: match (given.device_code, given.no_browser || !has_browser(env)) {
            (true, _) => Device::Always,
            (false, true) => Device::WhereOffered,
            (false, false) => Device::Never,
        },
        timeout: given.auth_timeout.0,
    })
}

/// What to believe of metadata documents.
fn checks(given: &args::Authorization) -> Checks {
    Checks {
        resource: if given.strict_resource {
            ResourceCheck::Identical
        } else {
            ResourceCheck::Covers
        },
        issuer: if given.allow_issuer_mismatch {
            IssuerCheck::Ignored
        } else {
            IssuerCheck::Identical
        },
        provider: given.provider.map_or(Choice::Guessed, provider),
    }
}

const fn provider(named: args::Provider) -> Choice {
    Choice::Given(match named {
        args::Provider::Entra => Provider::Entra,
        args::Provider::Google => Provider::Google,
        args::Provider::Cognito => Provider::Cognito,
        args::Provider::Github => Provider::Github,
        args::Provider::Slack => Provider::Slack,
        args::Provider::Figma => Provider::Figma,
        args::Provider::Atlassian => Provider::Atlassian,
        args::Provider::Snowflake => Provider::Snowflake,
        args::Provider::None => return Choice::None,
    })
}

/// Whether there is a browser that could be opened: `$BROWSER`, or a desktop. Only where desktops are told by a variable can
/// one be missing.
fn has_browser(env: &Env<'_>) -> bool {
    let names = [
        "BROWSER",
        "DISPLAY",
        "WAYLAND_DISPLAY",
        // Windows opens it.
        "WSL_DISTRO_NAME",
    ];
    let set = |name: &&str| env(name).is_some_and(|value| !value.trim().is_empty());
    cfg!(any(windows, target_os = "macos")) || names.iter().any(set)
}

/// The folders of sign-ins.
pub fn folders(paths: &Paths) -> Folders {
    Folders {
        credentials: paths.credentials.clone(),
        state: paths.state.clone(),
    }
}

/// The store. Without a home there is only this process.
pub fn store(wanted: args::Store, paths: Option<&Paths>) -> Result<Kind, Fatal> {
    Ok(match (wanted, paths) {
        (args::Store::Memory, _) | (args::Store::Auto, None) => Kind::Memory,
        (args::Store::Auto, Some(_)) => Kind::Auto,
        (args::Store::Keyring, Some(_)) => Kind::Keyring,
        (args::Store::File, Some(_)) => Kind::File,
        (args::Store::Keyring | args::Store::File, None) => {
            return Err(Fatal {
                exit: Exit::Store,
                message: "sign-ins cannot be kept: this user has no home folder".to_owned(),
                hint: Some("set MCP_TETHER_HOME to a folder, or add --store memory".to_owned()),
            });
        }
    })
}

fn identity(given: &args::Authorization, env: &Env<'_>) -> Result<Identity, Fatal> {
    if let Some(url) = &given.client_metadata_url {
        let usable = Url::parse(url)
            .is_ok_and(|url| url.scheme() == "https" && !matches!(url.path(), "" | "/"));
        if !usable {
            return Err(Fatal::usage(
                "--client-metadata-url is no https URL with a path",
                "give the address at which the client metadata document can be fetched",
            ));
        }
    }
    let metadata = given.static_oauth_client_metadata.as_deref();
    let metadata: Option<Map<String, Value>> = metadata
        .map(|text| json(text, "--static-oauth-client-metadata"))
        .transpose()?;
    Ok(Identity {
        registered: registered(given, env)?,
        document: given.client_metadata_url.clone(),
        metadata: metadata.unwrap_or_default(),
    })
}

fn registered(
    given: &args::Authorization,
    env: &Env<'_>,
) -> Result<Option<(String, Option<Secret>)>, Fatal> {
    #[derive(serde::Deserialize)]
    struct Client {
        client_id: String,
        #[serde(default)]
        client_secret: Option<String>,
    }
    if let Some(text) = &given.static_oauth_client_info {
        let client: Client = json(text, "--static-oauth-client-info")?;
        let expand = |text: &str| expand("--static-oauth-client-info", text, env);
        let secret = client.client_secret.as_deref().map(expand).transpose()?;
        return Ok(Some((expand(&client.client_id)?, secret.map(Secret::new))));
    }
    match (&given.client_id, &given.client_secret_file) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(Fatal::usage(
            "--client-secret-file was given without --client-id",
            "add the id of the client that the secret belongs to",
        )),
        (Some(id), None) => Ok(Some((id.clone(), None))),
        (Some(id), Some(path)) => {
            let secret = read(path, "--client-secret-file")?;
            Ok(Some((
                id.clone(),
                Some(Secret::new(secret.trim().to_owned())),
            )))
        }
    }
}

/// JSON that was given as it stands, or as `@` and a file. Errors repeat nothing of it: it may hold a secret.
fn json<T: DeserializeOwned>(given: &str, option: &str) -> Result<T, Fatal> {
    let text = match given.strip_prefix('@') {
        Some(path) => read(Path::new(path), option)?,
        None => given.to_owned(),
    };
    serde_json::from_str(&text).map_err(|wrong| {
        Fatal::usage(
            format!(
                "{option} is not the JSON that it takes, see line {} column {}",
                wrong.line(),
                wrong.column()
            ),
            "give a JSON object, or @ and the path of a file that holds one",
        )
    })
}

pub(super) fn read(path: &Path, option: &str) -> Result<String, Fatal> {
    std::fs::read_to_string(path).map_err(|wrong| {
        Fatal::usage(
            format!("cannot read {option} {}: {wrong}", path.display()),
            "check the path and who may read it",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::has_browser;

    #[test]
    #[cfg(not(any(windows, target_os = "macos")))]
    fn a_display_or_a_command_makes_a_browser() {
        let with = |name: &'static str, value: &'static str| {
            has_browser(&move |asked: &str| (asked == name).then(|| value.to_owned()))
        };
        for name in ["BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"] {
            assert!(with(name, "x"), "{name}");
            assert!(!with(name, " "), "{name}");
        }
        assert!(!with("TERM", "x"));
    }
}
