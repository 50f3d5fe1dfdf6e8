//! What the call after a fault is forgiven, and why. All else has to work at once.

use std::time::{Duration, Instant};

use crate::case::{Access, Case, Fault, Leg, Side, Transport};
use crate::lane::{By, Outcome};
use crate::support::rpc::Rpc;

/// How long a request to the authorization server may be waited for (20 s), and that server be left alone after it (5 s): only then
/// the next call has to work.
const REST: Duration = Duration::from_secs(40);

/// How long an event stream may take to name its endpoint (10 s), whatever the limit of the request that opened it.
const ENDPOINT: Duration = Duration::from_secs(15);

/// How long it may take until two pings without an answer tell that the one stream is dead (each is waited for 60 s; those of
/// WebSocket are 30 s apart).
const UNHEARD: Duration = Duration::from_secs(180);

/// Between two tries.
const AGAIN: Duration = Duration::from_millis(500);

/// What the next call is forgiven.
#[derive(Clone, Copy)]
pub enum Mercy {
    /// Nothing.
    None,
    /// The same fault meets it too: the end of a connection that it was written to.
    Once,
    /// What it was told in the handshake is wrong, and it cannot know: one that starts anew in the same home has to work.
    Anew,
    /// The bridge may wait so long before it tries again.
    Until(Instant),
}

/// Whether the bytes go over the one stream that has all answers.
fn is_the_stream(case: &Case) -> bool {
    match case.setting.transport {
        Transport::WebSocket => true,
        Transport::Sse => case.leg == Leg::Open || case.side == Side::Events,
        _ => false,
    }
}

impl Mercy {
    /// What is forgiven after that.
    pub fn of(outcome: &Outcome) -> Self {
        let (case, fault) = (&outcome.case, outcome.case.fault);
        let setting = case.setting;
        let told = case.side != Side::Request && !fault.is_honest();
        // A wrong length makes a frame of all that follows, and a wrong id is waited for.
        let mute = !fault.is_honest() && setting.transport.shares()
            || fault == Fault::Dead && is_the_stream(case);
        // Who says hello again at once may meet the renewal of the stream that was lost.
        let twice = case.leg.is_fresh() && setting.transport.shares();
        // All connections are met, those of a sign-in too.
        let met = fault == Fault::Limit && case.leg.is_fresh() && setting.access == Access::Token;
        // A head that names no length any more makes a request of its body: the server refuses that too, and hangs up.
        let refused = case.side == Side::Request && !fault.is_honest();
        if case.leg.is_fresh() && told {
            Self::Anew
        } else if mute {
            Self::Until(Instant::now() + UNHEARD)
        } else if case.leg.is_sign_in() || met {
            Self::Until(Instant::now() + REST)
        } else if case.leg == Leg::Open && setting.transport == Transport::Sse {
            Self::Until(Instant::now() + ENDPOINT)
        } else if twice
            || refused
            || fault.ends() && (outcome.by == By::Server || fault == Fault::Limit)
        {
            Self::Once
        } else {
            Self::None
        }
    }

    /// Whether another bridge is allowed now, and takes it.
    pub fn begins_anew(&mut self, answer: &Rpc) -> bool {
        let anew = matches!(self, Self::Anew);
        if anew {
            *self = Self::None;
        }
        // Whoever said no is not asked again for a minute; a bridge that starts now knows nothing of it.
        anew || answer
            .text
            .contains("the authorization server gave no token")
    }

    /// Whether another try is allowed, and takes it.
    pub async fn spend(&mut self) -> bool {
        match *self {
            Self::None => false,
            Self::Once => {
                *self = Self::None;
                true
            }
            Self::Anew => false,
            Self::Until(end) => {
                tokio::time::sleep(AGAIN).await;
                Instant::now() < end
            }
        }
    }
}
