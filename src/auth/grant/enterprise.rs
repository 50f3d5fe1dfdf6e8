//! Enterprise-managed authorization (MCP extension `enterprise-managed-authorization`): the identity provider of a company
//! turns the identity of its user into a grant for the MCP server (RFC 8693), which is redeemed at that server's authorization
//! server (RFC 7523).

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::assertion::SigningKey;
use super::request::{Proof, send};
use super::run::{Ask, Denied, Got};
use super::workload::JWT_BEARER;
use super::{client_credentials, source};
use crate::auth::discovery::server_metadata;
use crate::auth::flow::{self, NoToken, read_refusal, read_tokens};
use crate::auth::http::OauthHttp;
use crate::auth::metadata::ServerMetadata;
use crate::auth::oauth::now;
use crate::auth::options::Options;
use crate::error::Failure;
use crate::net::addresses::Reach;
use crate::secret::Secret;
use crate::store::{Client, Identity};
use url::Url;

/// The profile that a server for such grants lists.
const PROFILE: &str = "urn:ietf:params:oauth:grant-profile:id-jag";

/// The kind of token that such a grant is.
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";

/// Seconds that an identity must last for it to be used.
const MARGIN: u64 = 10;

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
        Ok(Found { http, server })
    }

    /// The client that the user signs in with there.
    pub fn client(&self, server: &ServerMetadata) -> Client {
        let mut client = Client::public(self.client_id.clone(), self.issuer.clone());
        let proof = Proof::of_secret(&self.client_id, self.secret.as_ref(), server);
        client.auth_method = proof.method().to_owned();
        client.client_secret.clone_from(&self.secret);
        client
    }

    /// The user's identity without the user: from the file, as it was kept, or renewed. The second is what is to be kept.
    async fn identity(
        &self,
        idp: &Found,
        kept: Option<&Identity>,
    ) -> Result<(Secret, Option<Identity>), Denied> {
        if let Some(path) = &self.id_token_file {
            return Ok((source::file(path, "--idp-id-token-file").await?, None));
        }
        let needed = || Denied::Identity(signed_out("nobody has signed in there"));
        let kept = kept.ok_or_else(needed)?;
        if lasts(&kept.id_token) {
            return Ok((kept.id_token.clone(), Some(kept.clone())));
        }
        let refresh = kept.refresh.as_ref();
        let refresh =
            refresh.ok_or_else(|| Denied::Identity(signed_out("the sign-in there has ended")))?;
        let client = self.client(&idp.server);
        let fresh = match flow::refresh(&idp.http, &idp.server, &client, refresh, None).await {
            Ok(fresh) => fresh,
            Err(NoToken::Failed(failure)) => return Err(failure.into()),
            Err(NoToken::Refused(_, failure) | NoToken::Unbound(failure)) => {
                return Err(Denied::Identity(failure));
            }
        };
        let id_token = fresh.id.filter(lasts).ok_or_else(needed)?;
        let identity = Identity {
            id_token: id_token.clone(),
            refresh: fresh.refresh.or_else(|| Some(refresh.clone())),
        };
        Ok((id_token, Some(identity)))
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

/// Asks for a token.
pub(super) async fn ask(
    http: &OauthHttp,
    options: &Options,
    idp: &Idp,
    (ask, kept): (&Ask<'_>, Option<&Identity>),
) -> Result<Got, Denied> {
    supported(ask.server)?;
    let found = idp.find(options).await?;
    let (id_token, identity) = idp.identity(&found, kept).await?;
    let grant = match exchange(idp, &found, ask, &id_token).await {
        // Whoever is signed in at the provider may ask again once they are so anew.
        Err(NoToken::Refused(code, failure))
            if idp.id_token_file.is_none() && code == "invalid_grant" =>
        {
            return Err(Denied::Identity(failure));
        }
        other => other?,
    };
    let (id, proof) = client_credentials::proof(options, idp.key.as_ref(), ask)?;
    let mut form = vec![("grant_type", JWT_BEARER), ("assertion", grant.expose())];
    form.extend(ask.parameters());
    let answer = send(http, &ask.server.token_endpoint, &form, Some(&proof)).await?;
    let tokens = read_tokens(http, &answer, ask.scope)?;
    let mut got = Got::new(tokens, (id, &proof), options, ask);
    got.identity = identity;
    Ok(got)
}

/// Whether the server takes such grants, as far as it says.
fn supported(server: &ServerMetadata) -> Result<(), Failure> {
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
async fn exchange(
    idp: &Idp,
    found: &Found,
    ask: &Ask<'_>,
    id_token: &Secret,
) -> Result<Secret, NoToken> {
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
    let proof = Proof::of_secret(&idp.client_id, idp.secret.as_ref(), &found.server);
    let endpoint = &found.server.token_endpoint;
    let answer = send(&found.http, endpoint, &form, Some(&proof)).await?;
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

/// What an ID token says (OpenID Connect Core §2).
#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    exp: u64,
    #[serde(default)]
    nonce: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

fn lasts(id_token: &Secret) -> bool {
    part(id_token.expose(), 1).is_some_and(|claims: Claims| claims.exp > now() + MARGIN)
}

/// Checks the ID token of a sign-in that has just ended. It came from the provider itself: its signature says nothing more
/// (OpenID Connect Core §3.1.3.7).
///
/// # Errors
/// It is for somebody else, or of another sign-in.
pub(super) fn check(id_token: &Secret, idp: &Idp, nonce: &str) -> Result<(), Failure> {
    let claims: Option<Claims> = part(id_token.expose(), 1);
    let right = claims.is_some_and(|claims| {
        let ours = match &claims.aud {
            Audience::One(one) => *one == idp.client_id,
            Audience::Many(many) => many.contains(&idp.client_id),
        };
        ours && claims.iss == idp.issuer
            && claims.nonce.as_deref() == Some(nonce)
            && claims.exp > now()
    });
    if right {
        return Ok(());
    }
    Err(Failure::Credentials {
        what: format!(
            "the identity provider {} sent no ID token for this sign-in",
            idp.issuer
        ),
        hint: "sign in again; if it keeps failing, tell whoever runs the identity provider",
    })
}

/// A part of a JSON Web Token, by its place.
fn part<T: DeserializeOwned>(token: &str, place: usize) -> Option<T> {
    let part = URL_SAFE_NO_PAD.decode(token.split('.').nth(place)?).ok()?;
    serde_json::from_slice(&part).ok()
}

#[cfg(test)]
mod tests {
    use super::{ID_JAG, Idp, check, grant, lasts};
    use crate::auth::oauth::now;
    use crate::secret::Secret;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    fn token(header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.c2ln", part(header), part(claims))
    }

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

    #[test]
    fn an_id_token_must_be_for_us_and_for_this_sign_in() {
        let idp = Idp {
            issuer: "https://idp".to_owned(),
            client_id: "us".to_owned(),
            secret: None,
            id_token_file: None,
            key: None,
        };
        let of = |iss: &str, aud: Value, nonce: &str, exp: u64| {
            let claims = json!({ "iss": iss, "aud": aud, "nonce": nonce, "exp": exp, "sub": "u" });
            Secret::new(token(&json!({}), &claims))
        };
        let later = now() + 600;
        let table = [
            (of("https://idp", "us".into(), "n", later), true),
            (of("https://idp", json!(["x", "us"]), "n", later), true),
            (of("https://idp/", "us".into(), "n", later), false),
            (of("https://idp", "x".into(), "n", later), false),
            (of("https://idp", "us".into(), "m", later), false),
            (of("https://idp", "us".into(), "n", 1000), false),
            (Secret::new("no".to_owned()), false),
        ];
        for (id_token, right) in &table {
            assert_eq!(check(id_token, &idp, "n").is_ok(), *right);
        }
        assert!(lasts(&table[0].0) && !lasts(&table[5].0) && !lasts(&table[6].0));
    }
}
