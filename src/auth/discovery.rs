//! From a challenge to the authorization server: which documents are fetched, in which order, and which are believed
//! (2025-11-25 and 2026-07-28 authorization, §Authorization Server Location to §Authorization Server Metadata Discovery).

use ::http::StatusCode;
use serde::de::DeserializeOwned;
use url::Url;

use super::dpop::Demand;
use super::http::{self, Answer, OauthHttp, unusable};
use super::metadata::{
    ResourceMetadata, ServerMetadata, canonical_resource, covers, issuer_locations,
    resource_locations,
};
use super::provider::{self, Choice};
use crate::error::{Claim, Failure};
use crate::net::guard;

/// What to do about a server that cannot be signed in to.
const TELL: &str = "tell the server's owner, or give a token with --header-file";

/// How much a document must agree with where it was found (`--strict-resource`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ResourceCheck {
    /// The server's origin, and its path or a parent of it.
    #[default]
    Covers,
    /// The very URL of the server (RFC 9728 §3.3 to the letter).
    Identical,
}

/// Whether an issuer must be written as it was asked for (`--allow-issuer-mismatch`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IssuerCheck {
    /// It must, to the byte (RFC 8414 §3.3).
    #[default]
    Identical,
    /// The user vouches for it.
    Ignored,
}

/// What to believe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checks {
    /// For the resource.
    pub resource: ResourceCheck,
    /// For the issuer.
    pub issuer: IssuerCheck,
    /// What is known of it.
    pub provider: Choice,
}

impl Checks {
    /// The same, with no other issuer than the one that was asked for.
    pub const fn exact(self) -> Self {
        Self {
            issuer: IssuerCheck::Identical,
            ..self
        }
    }
}

/// Whom to sign in with, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    /// The identifier of the resource, as its metadata writes it, for the `resource` parameter (RFC 8707).
    pub resource: String,
    /// Scopes that the resource names; the challenge's count more.
    pub scopes: Option<Vec<String>>,
    /// What the resource says of proofs.
    pub demand: Demand,
    /// The issuer, as the resource writes it: logins are kept under it.
    pub issuer: String,
    /// Its metadata.
    pub metadata: ServerMetadata,
    /// Whether `metadata` was found, or is what 2025-03-26 lets a client assume.
    pub source: Source,
}

/// Where metadata comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A document whose issuer was checked: `iss` can be compared with it.
    Document,
    /// The default endpoints of revision 2025-03-26.
    Assumed,
}

/// Finds the authorization server of `server`. `named` is the `resource_metadata` of the challenge; where there is one,
/// nothing else is asked. Of several authorization servers one of `known`, with whom there is a login, comes first.
///
/// # Errors
/// [`Failure::Mismatch`] or [`Failure::Credentials`] when a document cannot be believed or there is none; network failures as
/// they are.
pub async fn discover(
    http: &OauthHttp,
    server: &Url,
    named: Option<&str>,
    known: &[String],
    checks: Checks,
) -> Result<Discovered, Failure> {
    let Some(resource) = resource_metadata(http, server, named, checks.resource).await? else {
        return of_base_url(http, server, checks.issuer).await;
    };
    let mut issuers = resource.authorization_servers.clone();
    // Stable: the server's order decides among equals.
    issuers.sort_by_key(|issuer| !known.contains(issuer));
    let demand = Demand {
        required: resource.dpop_bound_access_tokens_required,
        algorithms: resource.dpop_signing_alg_values_supported,
    };
    let mut last = wrong("the server's metadata names no authorization server".to_owned());
    for issuer in issuers {
        let found = match server_metadata(http, &issuer, checks).await {
            Ok(Some(metadata)) => Some((metadata, Source::Document)),
            Ok(None) => {
                let assumed = provider::assumed(checks.provider, &issuer);
                assumed.map(|metadata| (metadata, Source::Assumed))
            }
            Err(failure) => {
                last = failure;
                continue;
            }
        };
        if let Some((metadata, source)) = found {
            return Ok(Discovered {
                resource: resource.resource,
                scopes: resource.scopes_supported,
                demand,
                issuer,
                metadata,
                source,
            });
        }
        last = wrong(format!("the authorization server {issuer} has no metadata"));
    }
    Err(last)
}

/// The metadata of the MCP server; `None` when it has none.
async fn resource_metadata(
    http: &OauthHttp,
    server: &Url,
    named: Option<&str>,
    check: ResourceCheck,
) -> Result<Option<ResourceMetadata>, Failure> {
    let (locations, named) = match named {
        None => (resource_locations(server), false),
        Some(text) => {
            let url = Url::parse(text)
                .map_err(|_| wrong("the challenge names no usable metadata URL".to_owned()))?;
            (vec![url], true)
        }
    };
    for location in locations {
        let answer = http.get(&location).await?;
        if is_passing(answer.status) {
            return Err(unanswered(&location, &answer));
        }
        let Some(found) = document::<ResourceMetadata>(&answer) else {
            if named {
                return Err(unanswered(&location, &answer));
            }
            continue;
        };
        let believed = match check {
            ResourceCheck::Covers => covers(&found.resource, server),
            ResourceCheck::Identical => {
                found.resource == canonical_resource(server) || found.resource == server.as_str()
            }
        };
        if !believed {
            return Err(Failure::Mismatch {
                of: Claim::Resource,
                what: format!(
                    "the metadata at {} is for another resource, {:?}",
                    guard::shown(&location),
                    found.resource
                ),
                hint: TELL,
            });
        }
        return Ok(Some(found));
    }
    Ok(None)
}

/// The metadata of an authorization server; `None` when it has none.
pub(super) async fn server_metadata(
    http: &OauthHttp,
    issuer: &str,
    checks: Checks,
) -> Result<Option<ServerMetadata>, Failure> {
    let url = Url::parse(issuer)
        .map_err(|_| wrong(format!("{issuer:?} is no URL of an authorization server")))?;
    for location in issuer_locations(&url) {
        let answer = http.get(&location).await?;
        if is_passing(answer.status) {
            return Err(unanswered(&location, &answer));
        }
        let Some(found) = document::<ServerMetadata>(&answer) else {
            continue;
        };
        if found.issuer != issuer
            && checks.issuer == IssuerCheck::Identical
            && !provider::same_house(checks.provider, issuer, &found.issuer)
        {
            return Err(Failure::Mismatch {
                of: Claim::Issuer,
                what: format!(
                    "the authorization server {issuer} calls itself {:?}",
                    found.issuer
                ),
                hint: "if you trust both, add --allow-issuer-mismatch",
            });
        }
        return checked(found).map(Some);
    }
    Ok(None)
}

/// A server of revision 2025-03-26, which is its own authorization server.
async fn of_base_url(
    http: &OauthHttp,
    server: &Url,
    check: IssuerCheck,
) -> Result<Discovered, Failure> {
    let mut base = server.clone();
    base.set_query(None);
    base.set_fragment(None);
    base.set_path("/");
    let issuer = base.as_str().trim_end_matches('/').to_owned();
    tracing::debug!("no resource metadata: {issuer} is taken for its own authorization server");
    let location = issuer_locations(&base).into_iter().next();
    let found = match &location {
        Some(location) => {
            let answer = http.get(location).await?;
            if is_passing(answer.status) {
                return Err(unanswered(location, &answer));
            }
            document::<ServerMetadata>(&answer)
        }
        None => None,
    };
    let (metadata, source) = match found {
        // The base URL is ours, not the server's: a slash more or less is no lie.
        Some(found)
            if found.issuer.trim_end_matches('/') != issuer && check == IssuerCheck::Identical =>
        {
            return Err(Failure::Mismatch {
                of: Claim::Issuer,
                what: format!("the server at {issuer} calls itself {:?}", found.issuer),
                hint: "if you trust both, add --allow-issuer-mismatch",
            });
        }
        Some(found) => (checked(found)?, Source::Document),
        None => {
            let assumed = ServerMetadata::defaults(&base)
                .ok_or_else(|| wrong(format!("{issuer} has no sign-in")))?;
            (assumed, Source::Assumed)
        }
    };
    Ok(Discovered {
        resource: canonical_resource(server),
        scopes: None,
        demand: Demand::default(),
        issuer: metadata.issuer.clone(),
        metadata,
        source,
    })
}

fn checked(metadata: ServerMetadata) -> Result<ServerMetadata, Failure> {
    match metadata.unsafe_endpoints().first() {
        Some(url) => Err(unusable(url, "it is neither https nor on this machine")),
        None => Ok(metadata),
    }
}

/// The document of a successful answer.
fn document<T: DeserializeOwned>(answer: &Answer) -> Option<T> {
    if !answer.status.is_success() {
        return None;
    }
    http::document(&answer.body)
}

fn wrong(what: String) -> Failure {
    Failure::Credentials { what, hint: TELL }
}

/// Whether a status says something of the moment, and nothing of what is there.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status.as_u16(), 408 | 429)
}

fn unanswered(location: &Url, answer: &Answer) -> Failure {
    if is_passing(answer.status) {
        return Failure::Unreachable {
            what: format!(
                "{} answered HTTP {}",
                guard::shown(location),
                answer.status.as_u16()
            ),
            hint: "try again later",
        };
    }
    wrong(format!(
        "there is no usable metadata at {} (HTTP {})",
        guard::shown(location),
        answer.status.as_u16()
    ))
}

#[cfg(test)]
mod tests;
