//! From the options to how tokens are had where no person signs in.

use url::Url;

use super::args::Authorization;
use super::oauth::read;
use crate::auth::grant::assertion::SigningKey;
use crate::auth::grant::enterprise::Idp;
use crate::auth::grant::workload::{From, Workload};
use crate::auth::metadata::is_safe;
use crate::auth::options::{Grant, Identity};
use crate::error::Fatal;
use crate::secret::Secret;

/// Whether any option asks for tokens without a person.
pub fn is_wanted(given: &Authorization) -> bool {
    given.client_credentials || given.idp_issuer.is_some() || workload(given).is_some()
}

/// The platform's token, where there is to be one.
fn workload(given: &Authorization) -> Option<From> {
    let file = given.workload_token_file.clone().map(From::File);
    file.or_else(|| given.workload_token_command.clone().map(From::Command))
}

/// How tokens are had.
///
/// # Errors
/// Options that lack one or are for something else, and a key that cannot be used.
pub fn grant(given: &Authorization, client: &Identity) -> Result<Grant, Fatal> {
    alone(given)?;
    if let Some(from) = workload(given) {
        return Ok(Grant::Workload(Workload::new(from)));
    }
    if let Some(issuer) = &given.idp_issuer {
        return enterprise(given, client, issuer);
    }
    if !given.client_credentials {
        return Ok(Grant::Person);
    }
    let Some((_, secret)) = &client.registered else {
        return Err(Fatal::usage(
            "--client-credentials was given without a client",
            "add --client-id with --client-secret-file or --private-key-file",
        ));
    };
    let key = key(given)?;
    if key.is_none() && secret.is_none() {
        return Err(Fatal::usage(
            "--client-credentials was given without anything that proves who the client is",
            "add --client-secret-file or --private-key-file",
        ));
    }
    Ok(Grant::ClientCredentials { key })
}

/// The identity provider of a company.
fn enterprise(given: &Authorization, client: &Identity, issuer: &str) -> Result<Grant, Fatal> {
    if !Url::parse(issuer).is_ok_and(|url| is_safe(&url)) {
        return Err(Fatal::usage(
            "--idp-issuer is neither an https address nor on this machine",
            "give the address before /.well-known/openid-configuration",
        ));
    }
    let Some(client_id) = given.idp_client_id.clone() else {
        return Err(Fatal::usage(
            "--idp-issuer was given without --idp-client-id",
            "add the id of a client that is registered with the identity provider",
        ));
    };
    if client.registered.is_none() && client.document.is_none() {
        return Err(Fatal::usage(
            "--idp-issuer was given without --client-id",
            "add the id of the client at the MCP server's authorization server, and its secret or key if it has one",
        ));
    }
    let secret = given.idp_client_secret_file.as_deref();
    let secret = secret.map(|path| read(path, "--idp-client-secret-file"));
    Ok(Grant::Enterprise(Box::new(Idp {
        issuer: issuer.to_owned(),
        client_id,
        secret: secret
            .transpose()?
            .map(|text| Secret::new(text.trim().to_owned())),
        id_token_file: given.idp_id_token_file.clone(),
        key: key(given)?,
    })))
}

/// Options that mean nothing without another one.
fn alone(given: &Authorization) -> Result<(), Fatal> {
    let keyed = given.client_credentials || given.idp_issuer.is_some();
    let alone = is_wanted(given);
    let lacks = |option: &str, other: &str| {
        Err(Fatal::usage(
            format!("{option} was given without {other}"),
            format!("add {other}, or leave out {option}"),
        ))
    };
    if given.private_key_file.is_some() && !keyed {
        return lacks("--private-key-file", "--client-credentials");
    }
    if given.signing_algorithm.is_some() && given.private_key_file.is_none() {
        return lacks("--signing-algorithm", "--private-key-file");
    }
    let idp = [
        ("--idp-client-id", given.idp_client_id.is_some()),
        (
            "--idp-client-secret-file",
            given.idp_client_secret_file.is_some(),
        ),
        ("--idp-id-token-file", given.idp_id_token_file.is_some()),
    ];
    if let Some((option, _)) = idp
        .iter()
        .find(|(_, set)| *set && given.idp_issuer.is_none())
    {
        return lacks(option, "--idp-issuer");
    }
    if given.token_endpoint.is_some() && !alone {
        return lacks("--token-endpoint", "--client-credentials");
    }
    Ok(())
}

/// Where tokens are had.
///
/// # Errors
/// The address must not be used.
pub fn token_endpoint(given: &Authorization) -> Result<Option<Url>, Fatal> {
    match &given.token_endpoint {
        Some(url) if !is_safe(url) => Err(Fatal::usage(
            "--token-endpoint is neither https nor on this machine",
            "give an address that begins with https://",
        )),
        other => Ok(other.clone()),
    }
}

/// The key that proves who the client is, where one is given.
///
/// # Errors
/// The file holds none that can be used.
pub fn key(given: &Authorization) -> Result<Option<SigningKey>, Fatal> {
    let Some(path) = &given.private_key_file else {
        return Ok(None);
    };
    let text = read(path, "--private-key-file")?;
    let key = SigningKey::read(text.as_bytes(), given.signing_algorithm);
    key.map(Some).map_err(|wrong| {
        Fatal::usage(
            format!("--private-key-file {} {}", path.display(), wrong.0),
            "give a private key in PEM form: RSA, P-256 or Ed25519",
        )
    })
}
