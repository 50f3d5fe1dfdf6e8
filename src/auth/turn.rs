//! One sign-in at a time, however many copies run: whoever holds the lock signs in, the others show its address and take
//! what comes of it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::prompt::Prompt;
use crate::error::Failure;
use crate::store::{Board, Guard, Lock, Notice, Outcome};

/// How often a waiting process looks whether it is its turn, and at the other's address.
const LOOK: Duration = Duration::from_millis(100);

/// The right to sign in. The lock goes with it, also when the process is killed.
#[derive(Debug)]
pub(super) struct Turn {
    board: Option<Board>,
    _guard: Option<Guard>,
}

/// How the turn was had.
#[derive(Debug)]
pub(super) enum Taken {
    /// It is ours.
    Had(Turn),
    /// Somebody else had it, and failed.
    Failed(Failure),
}

impl Turn {
    /// A turn where there are no locks.
    pub const fn without_lock() -> Self {
        Self {
            board: None,
            _guard: None,
        }
    }

    /// Waits for the turn. `seen` is told the address at which another process signs in.
    pub async fn take(lock: &Lock, board: Board, mut seen: impl FnMut(Prompt)) -> Taken {
        let begun = now();
        let mut waited = false;
        loop {
            let guard = match lock.try_once() {
                Outcome::TimedOut => {
                    waited = true;
                    let notice = board.read();
                    if let Some(prompt) = notice.as_ref().and_then(Prompt::of_notice) {
                        seen(prompt);
                    }
                    tokio::time::sleep(LOOK).await;
                    continue;
                }
                Outcome::Held(guard) => Some(guard),
                Outcome::Unsupported(wrong) => {
                    tracing::debug!("signing in without a lock: {wrong}");
                    None
                }
            };
            if waited
                && let Some(Notice::Failed { what, at }) = board.read()
                && at >= begun
            {
                return Taken::Failed(Failure::SignIn {
                    what,
                    hint: "call a tool of this server to try again, or type mcp-tether login and its URL"
                        .to_owned(),
                });
            }
            board.clear();
            return Taken::Had(Self {
                board: Some(board),
                _guard: guard,
            });
        }
    }

    /// Lets the others know the address.
    pub fn open(&self, prompt: &Prompt) {
        self.post(&prompt.notice());
    }

    /// Lets the others know how it ended.
    pub fn ended(&self, failure: Option<&Failure>) {
        match (failure, &self.board) {
            // What may pass with time is for each to find out.
            (
                Some(
                    failure @ (Failure::SignIn { .. }
                    | Failure::Credentials { .. }
                    | Failure::Mismatch { .. }),
                ),
                _,
            ) => {
                self.post(&Notice::Failed {
                    what: failure.to_string(),
                    at: now(),
                });
            }
            (_, Some(board)) => board.clear(),
            (_, None) => {}
        }
    }

    fn post(&self, notice: &Notice) {
        if let Some(board) = &self.board {
            board.post(notice);
        }
    }
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}
