//! What the outcome of an attempt says of the server's dialect, until that is known. A refusal in the client's own leads to the
//! other one; if that is refused as well, the first refusal is the answer.

use super::{Course, Pairing, Request, Step};
use crate::bridge::link::{Known, verdict};
use crate::era::detect::{Asked, Era, Verdict};
use crate::era::envelope::Envelope;
use crate::error::Failure;
use crate::jsonrpc::Kind;

impl Request {
    /// The outcome that counts; `None` when the request is to be sent once more in the other dialect.
    pub(super) async fn weigh(
        &self,
        pairing: Pairing,
        outcome: Result<Step, Failure>,
        course: &mut Course,
    ) -> Option<Result<Step, Failure>> {
        // Others may have found out meanwhile, and the server has done nothing.
        if pairing != self.pairing() && refuses(&outcome) {
            return None;
        }
        if matches!(self.core.link.dialect(), Known::Settled(_)) {
            return Some(outcome);
        }
        let asked = match pairing {
            Pairing::Direct => Asked::of(&self.message),
            // As long as nothing is settled the server was asked for nothing but the handshake.
            Pairing::Up => Asked::Discover,
            Pairing::Down => Asked::OwnInitialize,
        };
        match judge(pairing, asked, &outcome) {
            Verdict::Is(era) => {
                self.core.link.settle(era, pairing != Pairing::Direct);
                Some(outcome)
            }
            Verdict::Try(era) => {
                if pairing == Pairing::Down {
                    self.core.link.take_back();
                }
                self.other(era, outcome, course)
            }
            Verdict::Probe => self.probe(outcome, course).await,
            Verdict::Unclear => Some(outcome),
        }
    }

    /// Tries the other dialect, unless this was the other one.
    fn other(
        &self,
        era: Era,
        outcome: Result<Step, Failure>,
        course: &mut Course,
    ) -> Option<Result<Step, Failure>> {
        if let Some(first) = course.first.take() {
            self.core.link.suppose(None);
            return Some(first);
        }
        tracing::debug!(
            method = self.message.method(),
            "the server does not speak this dialect: trying the other one"
        );
        self.core.link.suppose(Some(era));
        course.first = Some(outcome);
        None
    }

    /// Asks the server what it speaks: the refusal of another request of 2026-07-28 may have any reason.
    async fn probe(
        &self,
        outcome: Result<Step, Failure>,
        course: &mut Course,
    ) -> Option<Result<Step, Failure>> {
        let Ok(envelope) = Envelope::of(&self.message) else {
            return Some(outcome);
        };
        let discovered = self.core.link.discover(&envelope).await;
        if self.pairing() != Pairing::Direct {
            // Another request has found out meanwhile.
            return None;
        }
        match verdict(Asked::Discover, discovered.as_ref()) {
            Verdict::Is(era) => {
                self.core.link.settle(era, false);
                Some(outcome)
            }
            Verdict::Try(era) => self.other(era, outcome, course),
            Verdict::Probe | Verdict::Unclear => Some(outcome),
        }
    }
}

fn judge(pairing: Pairing, asked: Asked, outcome: &Result<Step, Failure>) -> Verdict {
    match outcome {
        // A handshake that succeeds has settled it, and one that is refused is a failure: this answer was given here.
        Ok(_) if pairing != Pairing::Direct => Verdict::Unclear,
        Ok(Step::Answered(answer, _)) => verdict(asked, Ok(answer)),
        Ok(Step::Here(_) | Step::Again | Step::Gone) => Verdict::Unclear,
        Err(failure) => verdict(asked, Err(failure)),
    }
}

/// Whether the server has refused the request.
fn refuses(outcome: &Result<Step, Failure>) -> bool {
    match outcome {
        Ok(Step::Answered(answer, _)) => answer.kind() == Kind::Error,
        Ok(_) => false,
        Err(failure) => matches!(failure, Failure::Status(_)),
    }
}
