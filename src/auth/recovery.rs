//! What is done about refused and ending tokens: a refresh, what another process has kept meanwhile, or a sign-in. A refresh
//! runs once for all who need it, in a task that no caller can take along.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ::http::StatusCode;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::time::Instant;

use super::challenge::{self, Challenge};
use super::discovery::discover;
use super::dpop::{self, Challenged};
use super::grant::rest;
use super::oauth::{Need, Oauth, Origin, View, now};
use super::{Credentials, Recovery, Refused, refresh};
use crate::error::Failure;
use crate::store::Record;

/// A sign-in no older than this is the one whose token is refused.
pub(super) const JUST: Duration = Duration::from_secs(60);

/// A refresh in progress.
pub(super) type Renewal = Shared<BoxFuture<'static, Result<Recovery, Failure>>>;

impl Oauth {
    /// What can be done about a refusal of `refused`.
    pub(super) async fn recover(
        self: &Arc<Self>,
        refused: &Credentials,
        refusal: &Refused<'_>,
    ) -> Result<Recovery, Failure> {
        let (status, headers) = (refusal.status, refusal.headers);
        let challenges = challenge::challenges(headers);
        self.note_refusal(refusal, &challenges);
        let proven = refused.headers.contains_key(dpop::PROOF);
        if proven && challenge::error(&challenges, dpop::INVALID_PROOF) {
            return Err(dpop::refused_proof());
        }
        let oauth = challenge::oauth(&challenges);
        if status == StatusCode::FORBIDDEN {
            return match oauth {
                // More scope is for its administrator to give.
                Some(_) if !self.options.grant.needs_person() => Ok(Recovery::Exhausted),
                Some(wanted) if wanted.parameter("error") == Some("insufficient_scope") => {
                    self.step_up(refused.generation, wanted).await
                }
                _ => Ok(Recovery::Exhausted),
            };
        }
        if oauth.is_none() && !challenges.is_empty() {
            // Something that no sign-in of ours gives, Basic for one.
            return Ok(Recovery::Exhausted);
        }
        let refreshed = {
            let state = self.state();
            if state.epoch != refused.generation && self.has_token(&state) {
                return Ok(Recovery::Renewed);
            }
            state.refreshed
        };
        // Even the token of a sign-in just now may have ended before its first use: one refresh tells.
        let outcome = if refreshed {
            // Not the token: the server may have another authorization server now.
            Recovery::SignIn
        } else {
            match self.renew(refused.generation).await {
                Ok(recovery) => recovery,
                Err(failure) => {
                    // Should the user want a sign-in all the same, it is for this refusal.
                    self.note_need(oauth, None);
                    self.moved(oauth, failure).await?
                }
            }
        };
        match outcome {
            Recovery::SignIn => self.sign_in_after(refused.generation, oauth).await,
            other => Ok(other),
        }
    }

    /// Nothing but a sign-in helps against a refusal of `refused`, unless somebody has signed in meanwhile.
    async fn sign_in_after(
        self: &Arc<Self>,
        refused: u64,
        challenge: Option<&Challenge>,
    ) -> Result<Recovery, Failure> {
        let (others, just) = {
            let state = self.state();
            let others = state.epoch != refused && self.has_token(&state);
            let just = state.signed_in.is_some_and(|at| at.elapsed() < JUST);
            (others, just)
        };
        if others || (just && self.reload(View::Unlocked).await?) {
            return Ok(Recovery::Renewed);
        }
        if just {
            return Err(Failure::SignIn {
                what: "the server refuses the token that the sign-in has just given".to_owned(),
                hint: "tell the server's owner; if it names several accounts, sign in with another one"
                    .to_owned(),
            });
        }
        self.note_need(challenge, None);
        self.sign_in_alone().await
    }

    /// The token does not reach far enough (2026-07-28 authorization §Step-Up Authorization Flow): more scope is asked for, unless
    /// it was already.
    async fn step_up(&self, refused: u64, wanted: &Challenge) -> Result<Recovery, Failure> {
        if self.state().epoch != refused || self.reload(View::Unlocked).await? {
            return Ok(Recovery::Renewed);
        }
        if self.options.request.scope.is_some() {
            // The user's own counts, and that is what was asked for.
            return Ok(Recovery::Exhausted);
        }
        let asked = self.record().and_then(|record| {
            let granted = record.tokens.as_ref()?.scope.clone();
            record.asked_scope.clone().or(granted)
        });
        let asked = asked.unwrap_or_default();
        let known: BTreeSet<&str> = asked.split_whitespace().collect();
        let scope = wanted.parameter("scope").unwrap_or_default();
        let more: Vec<&str> = scope
            .split_whitespace()
            .filter(|scope| !known.contains(scope))
            .collect();
        let union = format!("{asked} {}", more.join(" "));
        let again = self.state().asked.contains(union.trim());
        if more.is_empty() || again {
            return Ok(Recovery::Exhausted);
        }
        self.note_need(Some(wanted), Some(asked));
        Ok(Recovery::SignIn)
    }

    /// A refresh failed: the server may have another authorization server by now, or that another token endpoint.
    async fn moved(
        self: &Arc<Self>,
        challenge: Option<&Challenge>,
        failure: Failure,
    ) -> Result<Recovery, Failure> {
        let Some(record) = self
            .record()
            .filter(|_| self.options.token_endpoint.is_none())
        else {
            return Err(failure);
        };
        let named = challenge.and_then(|challenge| challenge.parameter("resource_metadata"));
        let known = [record.key.issuer.clone()];
        let (server, checks) = (&self.options.server, self.options.checks);
        let http = self.http().await;
        let Ok(found) = discover(&http, server, named, &known, checks).await else {
            return Err(failure);
        };
        let same = refresh::metadata(&record)
            .is_some_and(|before| before.token_endpoint == found.metadata.token_endpoint);
        match (found.issuer == record.key.issuer, same) {
            (true, true) => Err(failure),
            (true, false) => {
                let guard = self.vault.locked(&record.key).await?;
                if self.reload(View::Locked).await? {
                    return Ok(Recovery::Renewed);
                }
                let mut record = Record::clone(&self.record().unwrap_or(record));
                record.server_metadata = serde_json::to_value(&found.metadata).ok();
                record.changed(now());
                self.vault.save(&record).await;
                drop(guard);
                let epoch = {
                    let mut state = self.state();
                    state.record = Some(Arc::new(record));
                    state.rest = None;
                    state.epoch
                };
                self.renew(epoch).await
            }
            (false, _) => {
                // Another server has not been asked yet.
                self.state().rest = None;
                Ok(Recovery::SignIn)
            }
        }
    }

    /// What a sign-in needs to know of the last refusal, whichever request caused it.
    fn note_refusal(&self, refusal: &Refused<'_>, challenges: &[Challenge]) {
        let mut state = self.state();
        state.peer = refusal.peer;
        let tokens = state
            .record
            .as_ref()
            .and_then(|record| record.tokens.as_ref());
        let bound = tokens.is_some_and(|tokens| tokens.dpop_key.is_some());
        state.challenged = Challenged::of(challenges).at_least(bound);
    }

    fn note_need(&self, challenge: Option<&Challenge>, before: Option<String>) {
        let parameter = |name| {
            let value = challenge.and_then(|challenge| challenge.parameter(name));
            value.map(str::to_owned)
        };
        let mut state = self.state();
        state.need = Need {
            resource_metadata: parameter("resource_metadata"),
            scope: parameter("scope"),
            before,
            challenged: state.challenged,
            refused: state.epoch,
        };
    }

    /// Other credentials than those of `epoch`, once for all who ask.
    pub(super) async fn renew(self: &Arc<Self>, epoch: u64) -> Result<Recovery, Failure> {
        let renewal = {
            let mut state = self.state();
            if state.epoch != epoch && self.has_token(&state) {
                return Ok(Recovery::Renewed);
            }
            match (&state.renewal, &state.rest) {
                (Some(renewal), _) => renewal.clone(),
                (None, Some((until, failure))) if Instant::now() < *until => {
                    return Err(failure.clone());
                }
                (None, _) => {
                    let renewal = self.begin_renewal(epoch);
                    state.renewal = Some(renewal.clone());
                    renewal
                }
            }
        };
        renewal.await
    }

    fn begin_renewal(self: &Arc<Self>, epoch: u64) -> Renewal {
        let oauth = Arc::clone(self);
        let task = tokio::spawn(async move {
            let outcome = oauth.renewal(epoch).await;
            let mut state = oauth.state();
            state.renewal = None;
            if let Err(failure) = &outcome {
                state.rest = Some((Instant::now() + rest(failure), failure.clone()));
            }
            outcome
        });
        async move { task.await.unwrap_or(Err(Failure::Closed)) }
            .boxed()
            .shared()
    }

    async fn renewal(self: &Arc<Self>, epoch: u64) -> Result<Recovery, Failure> {
        let Some(record) = self.record() else {
            return Ok(if self.reload(View::Unlocked).await? {
                Recovery::Renewed
            } else {
                Recovery::SignIn
            });
        };
        let _guard = self.vault.locked(&record.key).await?;
        // Another process may have been faster, and another task here may have seen that already, with the lock before us.
        let is_other = self.reload(View::Locked).await? || {
            let state = self.state();
            state.epoch != epoch && self.has_token(&state)
        };
        if is_other {
            return Ok(Recovery::Renewed);
        }
        let Some(record) = self.record() else {
            return Ok(Recovery::SignIn);
        };
        if record.tokens.is_some() && self.usable(Some(&record)).is_none() {
            tracing::debug!(
                "the kept tokens are not of the kind that is wanted, or lack their key"
            );
            return Ok(Recovery::SignIn);
        }
        match refresh::refresh(&self.http().await, self, &record).await? {
            refresh::Outcome::Refreshed(mut record) => {
                if let Some(tokens) = &mut record.tokens {
                    // One that the server did not renew is refused soon, and that leads to a sign-in.
                    let _ = self.presenter.fit(tokens);
                }
                self.vault.save(&record).await;
                self.adopt(*record, Origin::Refreshed);
                Ok(Recovery::Renewed)
            }
            refresh::Outcome::Lost(record) => {
                self.vault.save(&record).await;
                self.adopt(*record, Origin::Kept);
                Ok(Recovery::SignIn)
            }
            refresh::Outcome::Impossible => Ok(Recovery::SignIn),
        }
    }

    pub(super) async fn settle_renewal(&self) {
        let renewal = self.state().renewal.clone();
        if let Some(renewal) = renewal {
            let _ = renewal.await;
        }
    }
}
