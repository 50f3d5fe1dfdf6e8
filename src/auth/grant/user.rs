//! Who the user is at the identity provider of a company, as it is kept: changed under the lock of its record, and saved before
//! anything is asked with it. What the provider gave in its place is worth nothing from then on.

use super::enterprise::{self, Found, Held, Idp, User};
use super::run::{Ask, Denied, Got, ask};
use crate::auth::http::OauthHttp;
use crate::auth::loopback::Callback;
use crate::auth::oauth::{Oauth, now};
use crate::auth::sign_in::{Asked, Procedure};
use crate::auth::user::Waiting;
use crate::error::Failure;
use crate::secret::Secret;
use crate::store::{Client, Identity, Record};

/// What came of asking for a user: the token, who they are, and the browser's request that waits for the end.
type ForUser = (Result<Got, Denied>, Option<Identity>, Option<Callback>);

impl Oauth {
    /// The user's ID token, without the user. One that was renewed is kept in `record`, whose lock the caller holds.
    pub(super) async fn id_token(
        &self,
        idp: &Idp,
        found: &Found,
        record: Option<&mut Record>,
    ) -> Result<Secret, Denied> {
        // What is renewed is carried to the store, whoever leaves meanwhile.
        let _finishing = Waiting::start(&self.finishing);
        let kept = record.as_deref();
        let kept = kept.and_then(|record| record.identity.as_ref());
        let identity = match idp.identity(found, kept).await? {
            Held::AtHand(token) => return Ok(token),
            Held::Renewed(identity) => identity,
        };
        let token = identity.id_token.clone();
        if let Some(record) = record {
            record.identity = Some(*identity);
            self.keep_identity(record).await;
        }
        Ok(token)
    }

    /// Keeps a record whose identity is new; its tokens are as they were.
    async fn keep_identity(&self, record: &mut Record) {
        record.changed(now());
        self.vault.save(record).await;
        let mut state = self.state();
        let known = state.record.as_mut();
        if let Some(known) = known.filter(|known| known.key == record.key) {
            *known = record.clone().into();
        }
    }
}

impl Procedure<'_> {
    /// Asks with what is known of the user, and sends them to the identity provider where that does not do.
    pub(super) async fn for_user(
        &self,
        http: &OauthHttp,
        idp: &Idp,
        (wanted, asked): (&Ask<'_>, &Asked<'_>),
    ) -> ForUser {
        let why = match self.with_kept(http, (wanted, asked)).await {
            (Err(Denied::Identity(why)), _) if idp.id_token_file.is_none() => why,
            (outcome, identity) => {
                let identity = identity.filter(|_| idp.id_token_file.is_none());
                return (outcome, identity, None);
            }
        };
        tracing::debug!("the user has to sign in at the identity provider: {why}");
        let (found, identity, tab) = match self.identify(idp).await {
            Ok(identified) => identified,
            Err(failure) => return (Err(failure.into()), None, None),
        };
        // From here on the user has done their part: it counts, whatever the servers say next.
        let _finishing = Waiting::start(&self.oauth.finishing);
        if let Err(failure) = self.keep_user(asked, &identity).await {
            return (Err(failure.into()), None, tab);
        }
        let user = User {
            idp,
            found: &found,
            id_token: &identity.id_token,
        };
        let outcome = match enterprise::supported(wanted.server) {
            Ok(()) => enterprise::ask(http, &self.oauth.options, user, wanted).await,
            Err(failure) => Err(failure.into()),
        };
        (outcome, Some(identity), tab)
    }

    /// Asks with the identity that is kept, under the lock of its record: others may renew it.
    async fn with_kept(
        &self,
        http: &OauthHttp,
        (wanted, asked): (&Ask<'_>, &Asked<'_>),
    ) -> (Result<Got, Denied>, Option<Identity>) {
        let vault = &self.oauth.vault;
        let issuer = &asked.discovered.issuer;
        let Some(known) = vault.find_for(issuer, asked.resource).await else {
            return (ask(http, self.oauth, wanted, None).await, None);
        };
        let _guard = match vault.locked(&known.key).await {
            Ok(guard) => guard,
            Err(failure) => return (Err(failure.into()), None),
        };
        let mut record = vault.load(&known.key).await.ok().flatten();
        let outcome = ask(http, self.oauth, wanted, record.as_mut()).await;
        (outcome, record.and_then(|record| record.identity))
    }

    /// Keeps who has just signed in. There need not be a token yet, nor ever one.
    async fn keep_user(&self, asked: &Asked<'_>, identity: &Identity) -> Result<(), Failure> {
        let vault = &self.oauth.vault;
        let (id, _) = self.oauth.options.client_id();
        let issuer = asked.discovered.issuer.clone();
        let key = self.key(asked, &Client::public(id.to_owned(), issuer));
        let _guard = vault.locked(&key).await?;
        let kept = vault.load(&key).await.ok().flatten();
        let mut record = kept.unwrap_or_else(|| Record::new(key));
        record.identity = Some(identity.clone());
        record.grant = self.oauth.options.grant.name().map(str::to_owned);
        record.servers.insert(vault.server().to_owned());
        self.oauth.keep_identity(&mut record).await;
        Ok(())
    }
}
