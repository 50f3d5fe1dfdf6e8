//! Workload identity federation (MCP extension `auth/wif`; RFC 7523 §2.1): the platform vouches for this program with a token
//! of its own, which is passed on untouched. One that was refused is never shown again.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::request::{Proof, send};
use super::run::{Ask, Got};
use super::source;
use crate::auth::dpop;
use crate::auth::flow::{NoToken, read_tokens};
use crate::auth::http::OauthHttp;
use crate::auth::options::Options;
use crate::error::Failure;
use crate::secret::Secret;
use crate::store::Record;

/// The grant (RFC 7523 §8.1).
pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// What records are kept under where the platform's token alone says who asks.
const NOBODY: &str = "workload";

/// Whether a record is of a platform's token alone, without a client.
pub(in crate::auth) fn is_nobody(record: &Record) -> bool {
    record.grant.as_deref() == Some("workload_identity") && record.key.client_id == NOBODY
}

/// Where the platform's token is.
#[derive(Debug, Clone)]
pub enum From {
    /// In a file, which the platform replaces before it ends.
    File(PathBuf),
    /// A command prints it.
    Command(String),
}

/// The identity that the platform gives.
#[derive(Debug, Clone)]
pub struct Workload {
    from: From,
    /// The token that was refused last, and how.
    refused: Arc<Mutex<Option<(Secret, NoToken)>>>,
}

impl Workload {
    /// The identity in tokens from there.
    pub fn new(from: From) -> Self {
        Self {
            from,
            refused: Arc::default(),
        }
    }

    async fn token(&self) -> Result<Secret, Failure> {
        match &self.from {
            From::File(path) => source::file(path, "--workload-token-file").await,
            From::Command(line) => source::printed(line, "--workload-token-command").await,
        }
    }

    fn refused(&self, token: &Secret) -> Option<NoToken> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, why) = refused.as_ref()?;
        (known == token).then(|| why.clone())
    }

    fn note_refused(&self, token: Secret, why: &NoToken) {
        // What is wrong with a proof says nothing of the token.
        if let NoToken::Refused(code, _) = why
            && !dpop::is_about_proofs(code)
        {
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            *refused = Some((token, why.clone()));
        }
    }
}

/// Asks for a token.
pub(super) async fn ask(
    http: &OauthHttp,
    options: &Options,
    workload: &Workload,
    ask: &Ask<'_>,
) -> Result<Got, NoToken> {
    let token = workload.token().await?;
    if let Some(refused) = workload.refused(&token) {
        return Err(refused);
    }
    let mut form = vec![("grant_type", JWT_BEARER), ("assertion", token.expose())];
    form.extend(ask.parameters());
    let (id, _) = options.client_id();
    let proof = Some(Proof::Public(id)).filter(|_| !id.is_empty());
    let answer = send(http, &ask.server.token_endpoint, &form, proof.as_ref()).await?;
    match read_tokens(http, &answer, ask.scope) {
        Ok(tokens) => {
            let id = if id.is_empty() { NOBODY } else { id };
            let proof = Proof::Public(id);
            Ok(Got::new(tokens, (id, &proof), options, ask))
        }
        Err(why) => {
            workload.note_refused(token, &why);
            Err(why)
        }
    }
}
