//! The sign-in of one server as its requests see it: which token to send, what to do when it is refused, and the one sign-in
//! that all of them wait for. Reading, refreshing and signing in happen once for all who need them, in tasks that no caller
//! can take along.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use ::http::{HeaderMap, Method};
use tokio::sync::{OnceCell, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use url::Url;

use super::dpop::Challenged;
use super::http::OauthHttp;
use super::options::Options;
use super::present::Presenter;
use super::recovery::Renewal;
use super::user::{SignIn, Waiting};
use super::vault::Vault;
use super::{Credentials, refresh};
use crate::error::Failure;
use crate::net::addresses::Reach;
use crate::secret::Secret;
use crate::store::{Kind, Place, Record, StoreError, Tokens};

/// What a sign-in has to give.
#[derive(Debug, Clone, Default)]
pub(super) struct Need {
    /// Where the challenge says that the metadata is.
    pub resource_metadata: Option<String>,
    /// The scope that the challenge wants.
    pub scope: Option<String>,
    /// The scope of before, when the challenge wants more than that.
    pub before: Option<String>,
    /// What the challenge says of proofs.
    pub challenged: Challenged,
    /// The credentials that were refused; 0 stands for none.
    pub refused: u64,
}

/// How credentials came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// They were in the store.
    Kept,
    /// This process has refreshed them.
    Refreshed,
    /// The user has just signed in, here or in another process.
    SignedIn,
}

/// What there is to send, and what is done about it.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Counts the credentials of this process; 0 is none yet.
    pub epoch: u64,
    pub record: Option<Arc<Record>>,
    /// The credentials are refreshed ones that the server has not accepted yet: another refresh would give no better ones.
    pub refreshed: bool,
    /// When the user signed in, until the server has accepted credentials: asking again at once would give no better ones.
    pub signed_in: Option<Instant>,
    pub renewal: Option<Renewal>,
    /// Scopes that were asked for already, each a whole step-up.
    pub asked: BTreeSet<String>,
    /// The address from which the last refusal came.
    pub peer: Option<IpAddr>,
    /// What the last refusal said of proofs.
    pub challenged: Challenged,
    /// A refresh failed for a passing reason: why, and until when none is tried.
    pub rest: Option<(Instant, Failure)>,
    pub need: Need,
    pub task: Option<AbortHandle>,
}

/// The sign-in of one server.
#[derive(Debug)]
pub struct Oauth {
    pub(super) options: Arc<Options>,
    pub(super) vault: Vault,
    pub(super) presenter: Presenter,
    loaded: OnceCell<()>,
    state: Mutex<State>,
    pub(super) status: watch::Sender<SignIn>,
    /// Requests for whose sake a browser may be opened.
    pub(super) waiting: watch::Sender<usize>,
    pub(super) pasted: watch::Sender<Option<Secret>>,
    /// What must not be left half done: a code that is exchanged, a write to the store.
    pub(super) finishing: watch::Sender<usize>,
    /// The user asked for the sign-in.
    pub(super) asked_for: AtomicBool,
}

/// Whether the lock of the record is held while the store is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Locked,
    Unlocked,
}

impl Oauth {
    /// Nothing is read or opened before the first request.
    pub fn new(options: Options) -> Self {
        let options = Arc::new(options);
        Self {
            vault: Vault::new(Arc::clone(&options)),
            presenter: Presenter::new(options.sends, options.dpop),
            options,
            loaded: OnceCell::new(),
            state: Mutex::default(),
            status: watch::Sender::new(SignIn::Idle),
            waiting: watch::Sender::new(0),
            pasted: watch::Sender::new(None),
            finishing: watch::Sender::new(0),
            asked_for: AtomicBool::new(false),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests to authorization servers. How far they may reach depends on where the MCP server is: not on what its name
    /// resolves to alone, which it may change at any time.
    pub(super) async fn http(&self) -> OauthHttp {
        let peer = self.state().peer;
        let reach = match (&self.options.token_endpoint, peer) {
            // The user named it, not the server.
            (Some(endpoint), _) => Reach::of_url(endpoint).await,
            (None, peer) => match (Reach::of_url(&self.options.server).await, peer) {
                (Reach::Anywhere, Some(peer)) => Reach::of(peer),
                (reach, _) => reach,
            },
        };
        let nonces = Arc::clone(self.presenter.nonces());
        OauthHttp::new(self.options.network.clone(), reach).with_nonces(nonces)
    }

    /// The tokens of a record, where they can be sent as the user wants it.
    pub(super) fn usable<'a>(&self, record: Option<&'a Record>) -> Option<&'a Tokens> {
        let tokens = record?.tokens.as_ref();
        tokens.filter(|tokens| self.presenter.usable(tokens))
    }

    /// Whether there is a token to send.
    pub(super) fn has_token(&self, state: &State) -> bool {
        self.usable(state.record.as_deref()).is_some()
    }

    /// Reads what is kept, unless that is done already.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn load(self: &Arc<Self>) -> Result<(), Failure> {
        let read = || async { self.reload(View::Unlocked).await.map(|_| ()) };
        self.loaded.get_or_try_init(read).await.map(|_| ())
    }

    /// The credentials to send now, refreshed where they are about to expire.
    pub(super) async fn credentials(
        self: &Arc<Self>,
        method: &Method,
        url: &Url,
    ) -> Result<Credentials, Failure> {
        self.load().await?;
        let due = {
            let state = self.state();
            let resting = state
                .rest
                .as_ref()
                .is_some_and(|(until, _)| Instant::now() < *until);
            let tokens = self.usable(state.record.as_deref());
            let is_due = if self.options.grant.asks_again() {
                refresh::ends_soon
            } else {
                refresh::is_due
            };
            let due = tokens.is_some_and(|tokens| is_due(tokens, now())) && !resting;
            due.then_some(state.epoch)
        };
        if let Some(epoch) = due {
            // The server itself says best what is to be done about a token that has ended.
            if let Err(failure) = self.renew(epoch).await {
                tracing::debug!("no refresh: {failure}");
            }
        }
        Ok(self.current(method, url))
    }

    /// The credentials at hand, whatever their age.
    pub(super) fn current(&self, method: &Method, url: &Url) -> Credentials {
        let (record, generation) = {
            let state = self.state();
            (state.record.clone(), state.epoch)
        };
        let mut headers = HeaderMap::new();
        if let Some(tokens) = self.usable(record.as_deref()) {
            self.presenter.put_in(&mut headers, tokens, method, url);
        }
        Credentials {
            headers,
            generation,
        }
    }

    /// Whether the store that the user insists on exists. Only a keyring may not; nothing is written to it.
    ///
    /// # Errors
    /// [`Failure::Store`] with what is wrong.
    pub async fn check_store(&self) -> Result<(), Failure> {
        match self.options.store {
            Kind::Keyring => self.vault.reach().await,
            Kind::Auto | Kind::File | Kind::Memory => Ok(()),
        }
    }

    /// The record in use.
    pub fn record(&self) -> Option<Arc<Record>> {
        self.state().record.clone()
    }

    /// Where the record is kept.
    pub fn place(&self) -> Place {
        self.vault.place()
    }

    /// The server took these credentials.
    pub(super) fn accepted(&self, generation: u64) {
        let mut state = self.state();
        if state.epoch == generation {
            state.refreshed = false;
            state.signed_in = None;
        }
    }

    /// Takes `record` into use.
    pub(super) fn adopt(&self, record: Record, origin: Origin) {
        let mut state = self.state();
        state.epoch += 1;
        state.record = Some(Arc::new(record));
        state.refreshed = origin == Origin::Refreshed;
        if origin == Origin::SignedIn {
            state.signed_in = Some(Instant::now());
        }
        state.rest = None;
    }

    /// Reads the store again; whether there is a token that was not in use before. Under the lock of the record what is stored
    /// counts, whatever the clocks of its writers said; without it something newer may be on its way there.
    pub(super) async fn reload(&self, view: View) -> Result<bool, Failure> {
        let found = self.vault.find().await.map_err(|wrong| told(&wrong))?;
        let Some(found) = found else {
            if let Some(record) = self.record()
                && self.vault.is_gone(&record.key).await
            {
                // Somebody has logged out.
                let mut state = self.state();
                state.record = None;
                state.signed_in = None;
                state.epoch += 1;
            }
            return Ok(false);
        };
        let current = self.record();
        let newer = current.as_ref().is_none_or(|record| match view {
            View::Locked => **record != found,
            View::Unlocked => record.generation < found.generation,
        });
        let access = |record: &Record| Some(self.usable(Some(record))?.access.clone());
        let token = access(&found);
        let other = token.is_some() && token != current.and_then(|record| access(&record));
        match (newer, other) {
            (false, _) => {}
            (true, true) => self.adopt(found, Origin::Kept),
            // Something else about it changed.
            (true, false) => self.state().record = Some(Arc::new(found)),
        }
        Ok(newer && other)
    }

    /// Keeps the server's answer to `initialize` with the sign-in, as the text of its result, beside other work.
    pub fn remember(self: &Arc<Self>, initialize_result: String) {
        let (oauth, writing) = (Arc::clone(self), Waiting::start(&self.finishing));
        tokio::spawn(async move {
            oauth.keep_handshake(&initialize_result).await;
            drop(writing);
        });
    }

    /// Waits for what must not be left half done: a refresh, whose old tokens may be void already, and the like.
    pub async fn settle(&self) {
        self.settle_renewal().await;
        let mut finishing = self.finishing.subscribe();
        let _ = finishing.wait_for(|count| *count == 0).await;
    }

    async fn keep_handshake(&self, initialize_result: &str) {
        let Some(record) = self.record() else { return };
        if record.initialize_result.as_deref() == Some(initialize_result) {
            return;
        }
        let Ok(_guard) = self.vault.locked(&record.key).await else {
            return;
        };
        if self.reload(View::Locked).await.is_err() {
            return;
        }
        let Some(record) = self.record() else { return };
        let mut record = Record::clone(&record);
        record.initialize_result = Some(initialize_result.to_owned());
        record.changed(now());
        self.vault.save(&record).await;
        // The same tokens: nobody has to learn of it.
        self.state().record = Some(Arc::new(record));
    }
}

/// A store that cannot be read, as the client sees it.
fn told(wrong: &StoreError) -> Failure {
    Failure::Store {
        what: format!("the stored sign-in cannot be read: {wrong}"),
        hint: wrong.hint(),
    }
}

/// Seconds since 1970. Expiry goes by the wall clock: the machine may sleep.
pub(super) fn now() -> u64 {
    #[cfg(test)]
    if let Some(now) = super::stage::now() {
        return now;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}
