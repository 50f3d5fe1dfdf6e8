//! A sign-in on any other device (RFC 8628): the code that the user enters there, and the wait for what comes of it.

use std::time::Duration;

use oauth2::{
    DeviceAuthorizationUrl, DeviceCodeErrorResponse, RequestTokenError,
    StandardDeviceAuthorizationResponse,
};

use super::tokens::{self, NoToken, Tokens, taken, told};
use super::{Extras, asker, refusal};
use crate::auth::http::OauthHttp;
use crate::auth::metadata::ServerMetadata;
use crate::auth::prompt::Prompt;
use crate::error::Failure;
use crate::store::Client;
use url::Url;

/// The grant (RFC 8628 §3.4).
pub const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The shortest between two questions, whatever the server says.
const FASTEST: Duration = Duration::from_secs(1);

/// The longest between two questions to a server that does not answer: each waits twice as long as the one before.
const SLOWEST: Duration = Duration::from_secs(30);

/// A sign-in in progress.
#[derive(Debug)]
pub struct Attempt {
    server: ServerMetadata,
    client: Client,
    extras: Extras,
    given: StandardDeviceAuthorizationResponse,
    prompt: Prompt,
}

impl Attempt {
    /// Asks for a code.
    ///
    /// # Errors
    /// What the server said against it, or why what it gave is of no use.
    pub async fn begin(
        http: &OauthHttp,
        server: &ServerMetadata,
        client: Client,
        extras: Extras,
    ) -> Result<Self, NoToken> {
        let endpoint = server.device_authorization_endpoint.clone();
        let endpoint = endpoint.ok_or_else(|| not_offered(&server.issuer))?;
        let asker = asker(server, &client)?
            .set_device_authorization_url(DeviceAuthorizationUrl::from_url(endpoint));
        let mut request = asker.exchange_device_code();
        for (name, value) in &extras.parameters {
            request = request.add_extra_param(name, value);
        }
        if let Some(resource) = &extras.resource {
            request = request.add_extra_param("resource", resource);
        }
        if let Some(scope) = &extras.scope {
            request = request.add_extra_param("scope", scope);
        }
        let given: StandardDeviceAuthorizationResponse =
            request.request_async(http).await.map_err(no_code)?;
        let page = given.verification_uri();
        let filled_in = given.verification_uri_complete();
        let filled_in = filled_in.map(|url| url.secret().as_str());
        let parsed = filled_in.and_then(|url| Url::parse(url).ok());
        http.may_show(Some(page.url())).await?;
        http.may_show(parsed.as_ref()).await?;
        let code = given.user_code().secret();
        let prompt = Prompt::with_code(page.as_str(), code, filled_in).map_err(|wrong| {
            Failure::Credentials {
                what: wrong.to_string(),
                hint: "tell the server's owner; it is not shown",
            }
        })?;
        Ok(Self {
            server: server.clone(),
            client,
            extras,
            given,
            prompt,
        })
    }

    /// Where the user enters which code.
    pub const fn prompt(&self) -> &Prompt {
        &self.prompt
    }

    /// Who signs in.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Asks again and again, as often as the server allows, until the user has decided or the code has ended.
    ///
    /// # Errors
    /// The user's no, the end of the code, or another refusal.
    pub async fn tokens(&self, http: &OauthHttp) -> Result<Tokens, NoToken> {
        let asker = asker(&self.server, &self.client)?;
        let mut request = asker
            .exchange_device_access_token(&self.given)
            .set_max_backoff_interval(self.given.interval().max(SLOWEST));
        if let Some(resource) = &self.extras.resource {
            request = request.add_extra_param("resource", resource);
        }
        // Nobody is as quick as that.
        let interval = self.given.interval().max(FASTEST);
        tokio::time::sleep(interval).await;
        let rest = Some(self.given.expires_in().saturating_sub(interval));
        let pause = |pause: Duration| {
            tracing::debug!("no sign-in yet: asking again in {} s", pause.as_secs());
            tokio::time::sleep(pause.max(FASTEST))
        };
        let answer: Result<tokens::Answer, _> = request.request_async(http, pause, rest).await;
        let answer = answer.map_err(no_token)?;
        taken(http, &answer, self.extras.scope.as_deref())
    }
}

fn not_offered(issuer: &str) -> Failure {
    Failure::Credentials {
        what: format!("{issuer} offers no sign-in by device code"),
        hint: "leave out --device-code to sign in with a browser",
    }
}

/// Why there is no code.
fn no_code(error: RequestTokenError<Failure, oauth2::basic::BasicErrorResponse>) -> NoToken {
    match error {
        RequestTokenError::Request(failure) => failure.into(),
        RequestTokenError::ServerResponse(said) => {
            let code = said.error().as_ref().to_owned();
            let words = told(&code, said.error_description());
            let what = format!("the authorization server gave no code to sign in with: {words}");
            NoToken::Refused(code, refusal(what))
        }
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            let what = "the authorization server's answer is no code to sign in with";
            refusal(what.to_owned()).into()
        }
    }
}

/// Why the wait ended without a token.
fn no_token(error: RequestTokenError<Failure, DeviceCodeErrorResponse>) -> NoToken {
    match error {
        RequestTokenError::Request(failure) => failure.into(),
        RequestTokenError::ServerResponse(said) => {
            let code = said.error().as_ref().to_owned();
            let failure = match code.as_str() {
                "access_denied" => super::denied(),
                "expired_token" => Failure::SignIn {
                    what: "the code to sign in with has ended before anybody used it".to_owned(),
                    hint: "call a tool of this server to get another one, or type mcp-tether login and its URL"
                        .to_owned(),
                },
                _ => {
                    let words = told(&code, said.error_description());
                    refusal(format!("the authorization server gave no token: {words}"))
                }
            };
            NoToken::Refused(code, failure)
        }
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            refusal("the authorization server's answer is no token".to_owned()).into()
        }
    }
}
