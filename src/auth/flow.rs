//! One sign-in: the authorization request, the check of what comes back, the exchange of the code (RFC 6749 §4.1, RFC 7636,
//! RFC 8707, RFC 9207). All that it needs is fixed when it begins; nothing is discovered again in between.

pub mod device;
mod scope;
mod tokens;

use ::http::StatusCode;
use oauth2::{
    AuthUrl, AuthorizationCode, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    TokenUrl,
};
use url::Url;

pub use scope::{Wishes, scope};
pub(super) use tokens::read_refusal;
#[doc(hidden)]
pub use tokens::read_tokens;
pub use tokens::{NoToken, Tokens};

use super::discovery::{Discovered, Source};
use super::http::OauthHttp;
use super::loopback::{Announced, Outcome, Response};
use super::metadata::ServerMetadata;
use super::registration::AuthMethod;
use crate::error::Failure;
use crate::secret::Secret;
use crate::store::Client;

/// Whether a server that does not say it knows PKCE is used (`--allow-missing-pkce-metadata`). S256 is sent all the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PkceCheck {
    /// It must say so (2025-11-25 authorization §Authorization Code Protection).
    #[default]
    Required,
    /// The user vouches for it.
    Ignored,
}

/// What the user adds to the request.
#[derive(Debug, Clone, Default)]
pub struct Extras {
    /// `resource`, unless it is left out.
    pub resource: Option<String>,
    /// The scope, if one is asked for.
    pub scope: Option<String>,
    /// More parameters (`--authorize-param`).
    pub parameters: Vec<(String, String)>,
}

/// A sign-in in progress.
#[derive(Debug)]
pub struct Attempt {
    discovered: Discovered,
    client: Client,
    extras: Extras,
    state: Secret,
    verifier: Secret,
}

impl Attempt {
    /// Begins a sign-in and gives the address to open in a browser.
    ///
    /// # Errors
    /// [`Failure::Credentials`] when the server's metadata says nothing of PKCE, or names no usable address.
    pub fn begin(
        discovered: Discovered,
        client: Client,
        extras: Extras,
        check: PkceCheck,
    ) -> Result<(Self, Url), Failure> {
        if discovered.metadata.authorization_endpoint.is_none() {
            return Err(Failure::Credentials {
                what: format!(
                    "{} has no page at which a person signs in",
                    discovered.issuer
                ),
                hint: "if it gives tokens to machines, see --client-credentials",
            });
        }
        let methods = discovered
            .metadata
            .code_challenge_methods_supported
            .as_deref();
        let protected =
            methods.is_some_and(|methods| methods.iter().any(|method| method == "S256"));
        if !protected && check == PkceCheck::Required {
            return Err(Failure::Credentials {
                what: format!(
                    "{} does not say that it protects sign-ins with PKCE (S256)",
                    discovered.issuer
                ),
                hint: "if you trust it, add --allow-missing-pkce-metadata",
            });
        }
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (mut url, state) = {
            let asker = asker(&discovered.metadata, &client)?;
            let mut request = asker
                .authorize_url(|| CsrfToken::new_random_len(32))
                .set_pkce_challenge(challenge);
            for (name, value) in &extras.parameters {
                request = request.add_extra_param(name, value);
            }
            if let Some(resource) = &extras.resource {
                request = request.add_extra_param("resource", resource);
            }
            if let Some(scope) = &extras.scope {
                request = request.add_extra_param("scope", scope);
                if scope.split(' ').any(|scope| scope == "offline_access") {
                    // OpenID Connect Core §11 gives no refresh token without it.
                    request = request.add_extra_param("prompt", "consent");
                }
            }
            request.url()
        };
        url.set_fragment(None);
        let attempt = Self {
            discovered,
            client,
            extras,
            state: Secret::new(state.into_secret()),
            verifier: Secret::new(verifier.into_secret()),
        };
        Ok((attempt, url))
    }

    /// Who signs in.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// The `state` that the answer must carry.
    pub const fn state(&self) -> &Secret {
        &self.state
    }

    /// The code of an answer that carried the right `state`. Its issuer is compared first.
    ///
    /// # Errors
    /// The refusal of the server, or why its answer is of no use: another issuer, say.
    pub fn code(&self, answer: &Response) -> Result<Secret, NoToken> {
        let metadata = &self.discovered.metadata;
        let (issuer, announced) = match self.discovered.source {
            Source::Document if metadata.authorization_response_iss_parameter_supported => {
                (metadata.issuer.as_str(), Announced::Yes)
            }
            Source::Document => (metadata.issuer.as_str(), Announced::No),
            // There is no issuer that was ever checked: any will do.
            Source::Assumed => (answer.iss().unwrap_or_default(), Announced::No),
        };
        match answer.outcome(issuer, announced) {
            Ok(Outcome::Code(code)) => Ok(code.clone()),
            Ok(Outcome::Error { error, description }) => {
                let more = description
                    .as_ref()
                    .map(|words| format!(": {words}"))
                    .unwrap_or_default();
                let failure = if error == "access_denied" {
                    denied()
                } else {
                    refusal(format!("the sign-in failed, {error}{more}"))
                };
                Err(NoToken::Refused(error.clone(), failure))
            }
            Err(rejected) => Err(refusal(rejected.to_string()).into()),
        }
    }

    /// Exchanges the code for tokens.
    ///
    /// # Errors
    /// What the server said against it, or why it said nothing usable.
    pub async fn exchange(&self, http: &OauthHttp, code: &Secret) -> Result<Tokens, NoToken> {
        let asker = asker(&self.discovered.metadata, &self.client)?;
        let mut request = asker
            .exchange_code(AuthorizationCode::new(code.expose().clone()))
            .set_pkce_verifier(PkceCodeVerifier::new(self.verifier.expose().clone()));
        if let Some(resource) = &self.extras.resource {
            request = request.add_extra_param("resource", resource);
        }
        tokens::read(
            http,
            request.request_async(http).await,
            self.extras.scope.as_deref(),
        )
    }
}

/// Asks for a new access token (RFC 6749 §6), for the same `resource` and scope as before.
///
/// # Errors
/// As for [`Attempt::exchange`].
pub async fn refresh(
    http: &OauthHttp,
    server: &ServerMetadata,
    client: &Client,
    refresh_token: &Secret,
    resource: Option<&str>,
) -> Result<Tokens, NoToken> {
    let asker = asker(server, client)?;
    let token = oauth2::RefreshToken::new(refresh_token.expose().clone());
    let mut request = asker.exchange_refresh_token(&token);
    if let Some(resource) = resource {
        request = request.add_extra_param("resource", resource);
    }
    tokens::read(http, request.request_async(http).await, None)
}

/// Revokes a token (RFC 7009), with all that was granted along with it where the server does that. `oauth2` would refuse an
/// endpoint on loopback.
///
/// # Errors
/// Network failures, and a refusal.
pub async fn revoke(
    http: &OauthHttp,
    endpoint: &Url,
    client: &Client,
    token: &Secret,
) -> Result<(), Failure> {
    let mut form = vec![("token", token.expose().as_str())];
    let secret = client.client_secret.as_ref();
    let basic = match (AuthMethod::from_name(&client.auth_method), secret) {
        (Some(AuthMethod::Basic), Some(secret)) => Some((client.client_id.as_str(), secret)),
        (method, secret) => {
            form.push(("client_id", &client.client_id));
            if let (Some(AuthMethod::Post), Some(secret)) = (method, secret) {
                form.push(("client_secret", secret.expose()));
            }
            None
        }
    };
    let answer = http.post_form(endpoint, &form, basic).await?;
    if answer.status.is_success() {
        return Ok(());
    }
    Err(not_revoked(answer.status))
}

/// The server refused to revoke a token.
pub(super) fn not_revoked(status: StatusCode) -> Failure {
    refusal(format!(
        "the authorization server did not revoke the sign-in (HTTP {})",
        status.as_u16()
    ))
}

type Asker = tokens::Client<
    oauth2::EndpointSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointSet,
>;

fn asker(server: &ServerMetadata, client: &Client) -> Result<Asker, Failure> {
    let method = AuthMethod::from_name(&client.auth_method).unwrap_or(AuthMethod::None);
    let page = server.authorization_endpoint.as_ref();
    // Token requests go on without it.
    let page = page.unwrap_or(&server.token_endpoint);
    let mut asker = tokens::Client::new(oauth2::ClientId::new(client.client_id.clone()))
        .set_auth_uri(AuthUrl::from_url(page.clone()))
        .set_token_uri(TokenUrl::from_url(server.token_endpoint.clone()))
        .set_auth_type(match method {
            AuthMethod::Basic => oauth2::AuthType::BasicAuth,
            AuthMethod::Post | AuthMethod::None => oauth2::AuthType::RequestBody,
        });
    if let Some(redirect) = &client.redirect_uri {
        let url = RedirectUrl::new(redirect.clone())
            .map_err(|_| refusal(format!("{redirect} is no redirect address")))?;
        asker = asker.set_redirect_uri(url);
    }
    Ok(match (&client.client_secret, method) {
        (Some(secret), AuthMethod::Basic | AuthMethod::Post) => {
            asker.set_client_secret(oauth2::ClientSecret::new(secret.expose().clone()))
        }
        _ => asker,
    })
}

/// The user said no.
fn denied() -> Failure {
    Failure::Credentials {
        what: "the sign-in was refused".to_owned(),
        hint: "if that was not meant, sign in again and allow it",
    }
}

fn refusal(what: String) -> Failure {
    Failure::Credentials {
        what,
        hint: "try again; if it keeps failing, tell the server's owner",
    }
}

#[cfg(test)]
mod tests;
