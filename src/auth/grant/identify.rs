//! A person signs in at the identity provider of the company: the code flow of OpenID Connect, with PKCE and a nonce, through
//! the listener of any other sign-in. The MCP server's own authorization server is not shown.

use ring::rand::{SecureRandom, SystemRandom};

use super::enterprise::{Found, Idp};
use super::id_token::check;
use crate::auth::discovery::{Discovered, Source};
use crate::auth::dpop::Demand;
use crate::auth::flow::{self, Attempt, Extras, PkceCheck, Wishes};
use crate::auth::loopback::{Callback, End, Host, Listener, Port};
use crate::auth::sign_in::Procedure;
use crate::auth::user::{SignIn, Waiting};
use crate::error::Failure;
use crate::store::{Identity, hex};

/// Who signed in where, and the browser's request that waits for the end.
pub(super) type Identified = (Found, Identity, Option<Callback>);

impl Procedure<'_> {
    /// Sends the user to the identity provider and waits for them.
    pub(super) async fn identify(&self, idp: &Idp) -> Result<Identified, Failure> {
        let options = &self.oauth.options;
        let found = idp.find(options).await?;
        let page = &found.server.authorization_endpoint;
        found.http.may_show(page.as_ref()).await?;
        let callback = &options.callback;
        let port = callback.port.map_or(Port::Any, Port::Exactly);
        let mut listener =
            Listener::bind(callback.host.unwrap_or(Host::Ipv4), port, &callback.path).await?;
        let mut client = idp.client(&found);
        client.redirect_uri = Some(listener.redirect_uri().to_owned());
        let mut random = [0; 16];
        let filled = SystemRandom::new().fill(&mut random);
        filled.map_err(|_| Failure::Closed)?;
        let nonce = hex(&random);
        let wishes = Wishes {
            challenge: Some("openid"),
            ..Wishes::default()
        };
        let extras = Extras {
            resource: None,
            scope: flow::scope(&wishes, &found.server),
            parameters: vec![("nonce".to_owned(), nonce.clone())],
        };
        let discovered = Discovered {
            resource: String::new(),
            scopes: None,
            demand: Demand::default(),
            issuer: idp.issuer.clone(),
            metadata: found.server.clone(),
            source: Source::Document,
        };
        // S256 is sent; the nonce protects where the provider does not say that it knows it.
        let (attempt, url) = Attempt::begin(discovered, client, extras, PkceCheck::Ignored)?;
        let (response, tab) = self.visit(&mut listener, attempt.state(), &url).await?;
        // From here on the user has done their part: it is carried to its end.
        let _finishing = Waiting::start(&self.oauth.finishing);
        self.oauth.status.send_replace(SignIn::Begun);
        let signed_in = async {
            let code = attempt.code(&response)?;
            let tokens = attempt.exchange(&found.http, &code).await?;
            let id_token = tokens.id.ok_or_else(|| Failure::Credentials {
                what: format!("the identity provider {} sent no ID token", idp.issuer),
                hint: "ask whoever runs it to allow this client the scope openid",
            })?;
            check(&id_token, idp, &nonce)?;
            Ok::<_, Failure>(Identity {
                id_token,
                refresh: tokens.refresh,
                revocation: idp.revocation(&found),
            })
        };
        match signed_in.await {
            Ok(identity) => Ok((found, identity, tab)),
            Err(failure) => {
                if let Some(tab) = tab {
                    tab.fail(End::Failed).await;
                }
                Err(failure)
            }
        }
    }
}
