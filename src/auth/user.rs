//! A sign-in as the user meets it: how it begins, how it stands, how it is given up.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;

use super::oauth::{Oauth, Origin, now};
use super::prompt::Prompt;
use super::recovery::JUST;
use super::sign_in;
use crate::error::Failure;
use crate::secret::Secret;
use crate::store::Record;

/// Hosts start several servers and leave most of them within this time: none of those is to open a browser.
const BROWSER_DELAY: Duration = Duration::from_secs(1);

/// How a sign-in stands.
#[derive(Debug, Clone)]
pub enum SignIn {
    /// Nobody has begun one.
    Idle,
    /// It has begun; its address is not known yet.
    Begun,
    /// It waits for the user, at this address.
    Started(Prompt),
    /// The user is signed in.
    Done,
    /// It failed.
    Failed(Failure),
}

impl SignIn {
    /// Whether it goes on.
    pub const fn is_running(&self) -> bool {
        matches!(self, Self::Begun | Self::Started(_))
    }
}

/// Counts for one, until it is dropped: somebody who waits for the sign-in, say.
#[derive(Debug)]
pub struct Waiting(watch::Sender<usize>);

impl Waiting {
    pub(super) fn start(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

impl Oauth {
    /// Begins the sign-in that the last refusal asks for, unless it goes on or is done.
    pub fn sign_in(self: &Arc<Self>) -> watch::Receiver<SignIn> {
        let mut state = self.state();
        let satisfied = self.has_token(&state) && state.need.refused != state.epoch;
        let running = self.status.borrow().is_running();
        if !running && satisfied {
            self.status.send_replace(SignIn::Done);
        } else if !running {
            self.status.send_replace(SignIn::Begun);
            let (oauth, need) = (Arc::clone(self), state.need.clone());
            let task = tokio::spawn(async move {
                let status = match sign_in::run(&oauth, need).await {
                    Ok(record) => {
                        let origin = origin(&record);
                        oauth.adopt(record, origin);
                        SignIn::Done
                    }
                    Err(failure) => {
                        tracing::debug!("the sign-in failed: {failure}");
                        SignIn::Failed(failure)
                    }
                };
                oauth.status.send_replace(status);
            });
            state.task = Some(task.abort_handle());
        }
        self.status.subscribe()
    }

    /// Makes it stand so.
    #[cfg(test)]
    pub fn set_status(&self, status: SignIn) {
        self.status.send_replace(status);
    }

    /// The user asks for the next sign-in: its browser opens at once.
    pub fn ask(&self) {
        self.asked_for.store(true, Ordering::Relaxed);
    }

    /// How long after the challenge a browser is opened at the earliest.
    pub(super) fn browser_delay(&self) -> Duration {
        if self.asked_for.load(Ordering::Relaxed) {
            Duration::ZERO
        } else {
            BROWSER_DELAY
        }
    }

    /// How the sign-in stands.
    pub fn status(&self) -> watch::Receiver<SignIn> {
        self.status.subscribe()
    }

    /// For as long as the guard lives, a browser may be opened.
    pub fn wait(&self) -> Waiting {
        Waiting::start(&self.waiting)
    }

    /// Gives the sign-in up, if one goes on for which the user has yet to do something.
    pub fn abandon(&self, why: Failure) {
        let alone = !self.options.grant.needs_person();
        if alone || !self.status.borrow().is_running() || *self.finishing.borrow() > 0 {
            return;
        }
        if let Some(task) = self.state().task.take() {
            task.abort();
        }
        self.status.send_replace(SignIn::Failed(why));
    }

    /// The address that the browser was sent back to, typed in by the user.
    pub fn paste(&self, text: String) {
        self.pasted.send_replace(Some(Secret::new(text)));
    }
}

/// What a sign-in gives may be an older one, of another URL of the server: then nobody was asked.
fn origin(record: &Record) -> Origin {
    let obtained = record.tokens.as_ref().map(|tokens| tokens.obtained_at);
    match obtained {
        Some(at) if at.saturating_add(JUST.as_secs()) <= now() => Origin::Kept,
        _ => Origin::SignedIn,
    }
}
