//! The client credentials grant (RFC 6749 §4.4; MCP extension `oauth-client-credentials`): a client that is registered by hand
//! asks for itself.

use super::assertion::SigningKey;
use super::request::{Proof, send};
use super::run::{Ask, Got};
use crate::auth::flow::{NoToken, read_tokens};
use crate::auth::http::OauthHttp;
use crate::auth::options::Options;
use crate::auth::provider;

/// Asks for a token.
pub(super) async fn ask(
    http: &OauthHttp,
    options: &Options,
    key: Option<&SigningKey>,
    ask: &Ask<'_>,
) -> Result<Got, NoToken> {
    let (id, proof) = proof(options, key, ask)?;
    let mut form = vec![("grant_type", "client_credentials")];
    form.extend(ask.parameters());
    let answer = send(http, &ask.server.token_endpoint, &form, Some(&proof)).await?;
    let tokens = read_tokens(http, &answer, ask.scope)?;
    Ok(Got::new(tokens, (id, &proof), options, ask))
}

/// Who the client is at the MCP server's authorization server, and the proof.
pub(super) fn proof<'a>(
    options: &'a Options,
    key: Option<&'a SigningKey>,
    ask: &Ask<'a>,
) -> Result<(&'a str, Proof<'a>), NoToken> {
    let (id, secret) = options.client_id();
    let proof = match key {
        Some(key) => Proof::of_key(id, key, ask.server, ask.audience)?,
        None => {
            let known = provider::preset(options.checks.provider, &ask.server.issuer).method;
            Proof::of_secret(id, secret, ask.server, known)
        }
    };
    Ok((id, proof))
}
