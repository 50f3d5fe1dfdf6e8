//! Enterprise-managed authorization (MCP extension `enterprise-managed-authorization`): the identity provider of a company
//! turns the identity of its user into a grant for the MCP server (RFC 8693), which is redeemed at that server's authorization
//! server (RFC 7523).

use std::path::PathBuf;

use serde::Deserialize;

use super::assertion::SigningKey;
use super::id_token::{is_of, lasts, part};
use super::request::{Proof, send, send_once};
use super::run::{Ask, Denied, Got};
use super::workload::JWT_BEARER;
use super::{client_credentials, source};
use crate::auth::discovery::server_metadata;
use crate::auth::dpop;
use crate::auth::flow::{self, NoToken, read_refusal, read_tokens};
use crate::auth::http::OauthHttp;
use crate::auth::metadata::ServerMetadata;
use crate::auth::options::Options;
use crate::auth::provider::{self, Choice};
use crate::auth::registration::AuthMethod;
use crate::error::Failure;
use crate::net::addresses::Reach;
use crate::secret::Secret;
use crate::store::{Client, Identity, Revocation};
use url::Url;

/// The profile that a server for such grants lists.
const PROFILE: &str = "urn:ietf:params:oauth:grant-profile:id-jag";

/// The kind of token that such a grant is.
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";

/// The identity provider of the company.
#[derive(Debug, Clone)]
pub struct Idp {
    /// Its issuer.
    pub issuer: String,
    /// Who we are there.
    pub client_id: String,
    /// The secret of that client, if it has one.
    pub secret: Option<Secret>,
    /// Where something else puts the user's ID token.
    pub id_token_file: Option<PathBuf>,
    /// The key that proves who we are at the MCP server's authorization server, in place of a secret.
    pub key: Option<SigningKey>,
}

/// An identity provider, found.
#[derive(Debug)]
pub(super) struct Found {
    pub http: OauthHttp,
    pub server: ServerMetadata,
    /// How clients with a secret are known to prove themselves there, whatever it says.
    method: Option<AuthMethod>,
}

/// Who the user is, and where that counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct User<'a> {
    pub idp: &'a Idp,
    pub found: &'a Found,
    pub id_token: &'a Secret,
}

/// An identity that was had without the user.
#[derive(Debug)]
pub(super) enum Held {
    /// As it was.
    AtHand(Secret),
    /// Renewed: the one of before may be worth nothing by now.
    Renewed(Box<Identity>),
}

impl Idp {
    /// Finds it. The user named it: it may be on a private network.
    pub(super) async fn find(&self, options: &Options) -> Result<Found, Failure> {
        let none = |why: &str| Failure::Credentials {
            what: format!("the identity provider {} {why}", self.issuer),
            hint: "check --idp-issuer: it is the address before /.well-known/openid-configuration",
        };
        let url = Url::parse(&self.issuer).map_err(|_| none("is no address"))?;
        let http = OauthHttp::new(options.network.clone(), Reach::of_url(&url).await);
        let server = server_metadata(&http, &self.issuer, options.checks.exact()).await?;
        let server = server.ok_or_else(|| none("has no metadata"))?;
        // What the user says of the provider is about the MCP server's.
        let choice = match options.checks.provider {
            Choice::None => Choice::None,
            Choice::Guessed | Choice::Given(_) => Choice::Guessed,
        };
        let method = provider::preset(choice, &self.issuer).method;
        Ok(Found {
            http,
            server,
            method,
        })
    }

    fn proof(&self, found: &Found) -> Proof<'_> {
        let secret = self.secret.as_ref();
        Proof::of_secret(&self.client_id, secret, &found.server, found.method)
    }

    /// The client that the user signs in with there.
    pub(super) fn client(&self, found: &Found) -> Client {
        let mut client = Client::public(self.client_id.clone(), self.issuer.clone());
        client.auth_method = self.proof(found).method().to_owned();
        client.client_secret.clone_from(&self.secret);
        client
    }

    /// Where a sign-in there is revoked.
    pub(super) fn revocation(&self, found: &Found) -> Option<Revocation> {
        let endpoint = found.server.revocation_endpoint.as_ref()?;
        Some(Revocation {
            endpoint: endpoint.clone(),
            client: self.client(found),
        })
    }

    /// The user's identity without the user: from the file, as it was kept, or renewed.
    pub(super) async fn identity(
        &self,
        found: &Found,
        kept: Option<&Identity>,
    ) -> Result<Held, Denied> {
        if let Some(path) = &self.id_token_file {
            let token = source::file(path, "--idp-id-token-file").await?;
            return Ok(Held::AtHand(token));
        }
        let needed = |why| Denied::Identity(signed_out(why));
        // What another provider gave is not shown to this one.
        let kept = kept.filter(|kept| is_of(&kept.id_token, self));
        let kept = kept.ok_or_else(|| needed("nobody has signed in there"))?;
        if lasts(&kept.id_token) {
            return Ok(Held::AtHand(kept.id_token.clone()));
        }
        let refresh = kept.refresh.as_ref();
        let refresh = refresh.ok_or_else(|| needed("the sign-in there has ended"))?;
        let client = self.client(found);
        let fresh = match flow::refresh(&found.http, &found.server, &client, refresh, None).await {
            Ok(fresh) => fresh,
            Err(NoToken::Failed(failure)) => return Err(failure.into()),
            Err(NoToken::Refused(_, failure) | NoToken::Unbound(failure)) => {
                return Err(Denied::Identity(failure));
            }
        };
        // What it has just given is used, however short it lasts.
        let id_token = fresh
            .id
            .ok_or_else(|| needed("it gave no other ID token"))?;
        Ok(Held::Renewed(Box::new(Identity {
            id_token,
            refresh: fresh.refresh.or_else(|| Some(refresh.clone())),
            revocation: self.revocation(found),
        })))
    }
}

/// The identity provider wants the user.
fn signed_out(why: &str) -> Failure {
    Failure::SignIn {
        what: format!("a sign-in at the identity provider is needed: {why}"),
        hint: "sign in with mcp-tether login and the server's URL, with the same options"
            .to_owned(),
    }
}

/// Asks for a token for the user.
pub(super) async fn ask(
    http: &OauthHttp,
    options: &Options,
    user: User<'_>,
    ask: &Ask<'_>,
) -> Result<Got, Denied> {
    let (id, proof) = client_credentials::proof(options, user.idp.key.as_ref(), ask)?;
    let mut nonces = 0;
    let answer = loop {
        // It is good for one request alone.
        let grant = match exchange(user, ask).await {
            // Whoever is signed in at the provider may ask again once they are so anew.
            Err(NoToken::Refused(code, failure))
                if user.idp.id_token_file.is_none() && code == "invalid_grant" =>
            {
                return Err(Denied::Identity(failure));
            }
            other => other?,
        };
        let mut form = vec![("grant_type", JWT_BEARER), ("assertion", grant.expose())];
        form.extend(ask.parameters());
        let (answer, again) = send_once(http, &ask.server.token_endpoint, &form, &proof).await?;
        if !again || nonces >= dpop::MAX_NONCES {
            break answer;
        }
        nonces += 1;
    };
    let tokens = read_tokens(http, &answer, ask.scope)?;
    Ok(Got::new(tokens, (id, &proof), options, ask))
}

/// Whether the server takes such grants, as far as it says.
pub(super) fn supported(server: &ServerMetadata) -> Result<(), Failure> {
    let profiles = server.authorization_grant_profiles_supported.as_deref();
    if profiles.is_none_or(|profiles| profiles.iter().any(|profile| profile == PROFILE)) {
        return Ok(());
    }
    Err(Failure::Credentials {
        what: format!(
            "the authorization server {} takes no sign-ins of an identity provider",
            server.issuer
        ),
        hint: "leave out --idp-issuer to sign in there with the browser",
    })
}

/// Has the identity provider turn an identity into a grant for the server (RFC 8693 §2).
async fn exchange(user: User<'_>, ask: &Ask<'_>) -> Result<Secret, NoToken> {
    let User {
        idp,
        found,
        id_token,
    } = user;
    let mut form = vec![
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ),
        ("requested_token_type", ID_JAG),
        ("audience", ask.audience),
        ("subject_token", id_token.expose()),
        (
            "subject_token_type",
            "urn:ietf:params:oauth:token-type:id_token",
        ),
    ];
    form.extend(ask.parameters());
    let endpoint = &found.server.token_endpoint;
    let answer = send(&found.http, endpoint, &form, Some(&idp.proof(found))).await?;
    if !answer.status().is_success() {
        return Err(read_refusal(&answer));
    }
    grant(answer.body()).ok_or_else(|| {
        NoToken::Failed(Failure::Credentials {
            what: format!(
                "the identity provider {} answered with something else than a grant for the server",
                idp.issuer
            ),
            hint: "ask whoever runs it whether it supports enterprise-managed authorization (ID-JAG)",
        })
    })
}

/// The grant in an answer; it is no access token, and must say so.
fn grant(body: &[u8]) -> Option<Secret> {
    #[derive(Deserialize)]
    struct Exchanged {
        access_token: String,
        issued_token_type: String,
        token_type: String,
    }
    #[derive(Deserialize)]
    struct Header {
        typ: String,
    }
    let answer: Exchanged = serde_json::from_slice(body).ok()?;
    let header: Header = part(&answer.access_token, 0)?;
    let right = answer.issued_token_type == ID_JAG
        && answer.token_type.eq_ignore_ascii_case("N_A")
        && header.typ.eq_ignore_ascii_case("oauth-id-jag+jwt");
    right.then(|| Secret::new(answer.access_token))
}

#[cfg(test)]
mod tests {
    use super::{ID_JAG, grant};
    use crate::auth::grant::id_token::tests::token;
    use serde_json::json;

    #[test]
    fn a_grant_is_one_in_all_it_says() {
        let jag = token(&json!({ "typ": "oauth-id-jag+jwt" }), &json!({}));
        let other = token(&json!({ "typ": "JWT" }), &json!({}));
        let answer = |token: &str, issued: &str, kind: &str| {
            let body =
                json!({ "access_token": token, "issued_token_type": issued, "token_type": kind });
            grant(body.to_string().as_bytes())
        };
        assert!(answer(&jag, ID_JAG, "N_A").is_some());
        assert!(answer(&jag, ID_JAG, "n_a").is_some());
        let access = "urn:ietf:params:oauth:token-type:access_token";
        assert!(answer(&jag, access, "N_A").is_none());
        assert!(answer(&jag, ID_JAG, "Bearer").is_none());
        assert!(answer(&other, ID_JAG, "N_A").is_none());
        assert!(answer("opaque", ID_JAG, "N_A").is_none());
    }
}
