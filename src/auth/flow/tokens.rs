//! The token endpoint's answers as tokens.

use std::time::Duration;

use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
    BasicTokenType,
};
use oauth2::{
    ExtraTokenFields, HttpResponse, RequestTokenError, StandardRevocableToken,
    StandardTokenResponse, TokenResponse,
};
use serde::{Deserialize, Serialize};

use crate::auth::dpop::Must;
use crate::auth::http::{OauthHttp, document};
use crate::error::Failure;
use crate::secret::Secret;

/// What is said of an answer that cannot be read; nothing of it is shown.
const NOT_A_TOKEN: &str = "the authorization server's answer is no token";

/// What OpenID servers add.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct OpenId {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
}

impl ExtraTokenFields for OpenId {}

/// The answer of a token endpoint.
pub(super) type Answer = StandardTokenResponse<OpenId, BasicTokenType>;

/// The `oauth2` client with our extra field; its parameters say which endpoints are set.
pub(super) type Client<Auth, Device, Introspection, Revocation, Token> = oauth2::Client<
    BasicErrorResponse,
    Answer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    Auth,
    Device,
    Introspection,
    Revocation,
    Token,
>;

/// What a sign-in or refresh gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// For the MCP server.
    pub access: Secret,
    /// For the next access token.
    pub refresh: Option<Secret>,
    /// The key that they are bound to, as it is kept.
    pub key: Option<Secret>,
    /// Who signed in, for servers that want it (`--use-id-token`).
    pub id: Option<Secret>,
    /// What was granted; what was asked for where the server does not say (RFC 6749 §5.1).
    pub scope: Option<String>,
    /// How long the access token lasts; `None` where the server does not say.
    pub lifetime: Option<Duration>,
}

/// Why there is no token.
#[derive(Debug, Clone)]
pub enum NoToken {
    /// The server refused: its error code (RFC 6749 §5.2), and all of it for people.
    Refused(String, Failure),
    /// It gave one that is not bound to our key, and it has to be (RFC 9449 §5).
    Unbound(Failure),
    /// It could not be asked, or its answer is of no use.
    Failed(Failure),
}

impl NoToken {
    /// The error code of a refusal.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(code, _) => Some(code),
            Self::Unbound(_) | Self::Failed(_) => None,
        }
    }
}

impl From<Failure> for NoToken {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<NoToken> for Failure {
    fn from(none: NoToken) -> Self {
        match none {
            NoToken::Refused(_, failure) | NoToken::Unbound(failure) | NoToken::Failed(failure) => {
                failure
            }
        }
    }
}

/// Reads an answer of a token endpoint. `asked` is the scope that was asked for.
///
/// # Errors
/// [`NoToken`] says why there is none.
#[doc(hidden)]
pub fn read_tokens(
    http: &OauthHttp,
    answer: &HttpResponse,
    asked: Option<&str>,
) -> Result<Tokens, NoToken> {
    if !answer.status().is_success() {
        return Err(read_refusal(answer));
    }
    read(http, document(answer.body()).ok_or_else(unread), asked)
}

/// Reads an answer of a token endpoint that is no success.
pub(in crate::auth) fn read_refusal(answer: &HttpResponse) -> NoToken {
    match document(answer.body()) {
        Some(said) => failure(RequestTokenError::ServerResponse(said)),
        // That is about the moment, not about who asked.
        None if matches!(answer.status().as_u16(), 408 | 429) => {
            let status = answer.status().as_u16();
            NoToken::Failed(Failure::Unreachable {
                what: format!("the authorization server gives no token now (HTTP {status})"),
                hint: "try again later",
            })
        }
        // In words of its own, but a no.
        None if answer.status().is_client_error() => {
            let status = answer.status().as_u16();
            let what = format!("the authorization server gave no token (HTTP {status})");
            NoToken::Refused(String::new(), wrong(what))
        }
        None => failure(unread()),
    }
}

/// What was in an answer may be a token: nothing of it is repeated.
const fn unread() -> RequestTokenError<Failure, BasicErrorResponse> {
    RequestTokenError::Other(String::new())
}

/// Reads what `oauth2` made of an answer to a request that `http` sent. `asked` is the scope that was asked for.
pub(super) fn read(
    http: &OauthHttp,
    answer: Result<Answer, RequestTokenError<Failure, BasicErrorResponse>>,
    asked: Option<&str>,
) -> Result<Tokens, NoToken> {
    taken(http, &answer.map_err(failure)?, asked)
}

/// The tokens of an answer. `asked` is the scope that was asked for.
pub(super) fn taken(
    http: &OauthHttp,
    answer: &Answer,
    asked: Option<&str>,
) -> Result<Tokens, NoToken> {
    let key = match (answer.token_type(), http.binding()) {
        (BasicTokenType::Bearer, Some(binding)) if binding.must == Must::BeBound => {
            return Err(NoToken::Unbound(Failure::Credentials {
                what: "the authorization server gave a token that is not bound to the key (DPoP), as it has to be".to_owned(),
                hint: "tell the server's owner; if you gave --dpop, leave it out",
            }));
        }
        (BasicTokenType::Bearer, _) => None,
        // `oauth2` has it in lower case.
        (BasicTokenType::Extension(kind), Some(binding)) if kind == "dpop" => {
            Some(binding.key.kept().clone())
        }
        _ => return Err(wrong("the token is of a kind that is not known here".to_owned()).into()),
    };
    // Any other could not be sent (RFC 6749 §A.12).
    let sendable = |byte: u8| (0x20..=0x7e).contains(&byte);
    if !answer.access_token().secret().bytes().all(sendable) {
        return Err(wrong(NOT_A_TOKEN.to_owned()).into());
    }
    let granted = answer.scopes().map(|scopes| {
        let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
        scopes.join(" ")
    });
    Ok(Tokens {
        access: Secret::new(answer.access_token().secret().clone()),
        refresh: answer
            .refresh_token()
            .map(|token| Secret::new(token.secret().clone())),
        key,
        id: answer.extra_fields().id_token.clone().map(Secret::new),
        scope: granted.or_else(|| asked.map(str::to_owned)),
        lifetime: answer.expires_in(),
    })
}

fn failure(error: RequestTokenError<Failure, BasicErrorResponse>) -> NoToken {
    match error {
        RequestTokenError::Request(failure) => failure.into(),
        RequestTokenError::ServerResponse(said) => {
            let code = said.error().as_ref().to_owned();
            let words = told(&code, said.error_description());
            let what = format!("the authorization server gave no token: {words}");
            if matches!(code.as_str(), "temporarily_unavailable" | "server_error") {
                return NoToken::Failed(Failure::Unreachable {
                    what,
                    hint: "try again later",
                });
            }
            NoToken::Refused(code, wrong(what))
        }
        // What was in the answer may be a token: it is not shown.
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            wrong(NOT_A_TOKEN.to_owned()).into()
        }
    }
}

/// A refusal in the server's words: bounded, and nothing that a terminal would obey.
pub(super) fn told(code: &str, words: Option<&String>) -> String {
    let words = words.map(String::as_str).unwrap_or_default();
    let words: String = format!("{code} {words}")
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect();
    words.trim().to_owned()
}

fn wrong(what: String) -> Failure {
    Failure::Credentials {
        what,
        hint: "sign in again; if it keeps failing, tell the server's owner",
    }
}
