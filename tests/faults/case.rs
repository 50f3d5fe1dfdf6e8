//! What is tried: a setting, a leg of the talk, a side of it, a fault, and the byte where it happens. Each case has a name by
//! which it can be run alone. It must not know how any of it is done.

use std::collections::BTreeSet;
use std::fmt;

/// How the server talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// Streamable HTTP, answers as JSON.
    Json,
    /// Streamable HTTP, answers as event streams.
    Stream,
    /// The same with ids of events, so that a stream can be resumed.
    Ids,
    /// HTTP+SSE.
    Sse,
    /// WebSocket.
    WebSocket,
}

/// Which revision somebody speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Era {
    /// 2025-11-25.
    Legacy,
    /// 2026-07-28.
    Modern,
}

/// Whether the server wants a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Anybody may come in.
    Open,
    /// Only who has signed in, here by client credentials: nobody is waited for.
    Token,
}

/// Who talks to whom, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Setting {
    /// How the server talks.
    pub transport: Transport,
    /// What the client speaks.
    pub client: Era,
    /// What the server speaks.
    pub server: Era,
    /// Whether there is a sign-in.
    pub access: Access,
}

/// Which exchange is disturbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leg {
    /// A `tools/call` in a session that stands.
    Call,
    /// The token request in a session that stands, whose token has just become worth nothing.
    Renew,
    /// The first request of a bridge that has just started.
    Hello,
    /// The one that the server understands, where that is another.
    Second,
    /// The GET that opens an event stream or a WebSocket.
    Open,
    /// The metadata of the resource.
    Resource,
    /// The metadata of the authorization server.
    Issuer,
    /// The first token request.
    Token,
}

/// Which way the disturbed bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// From the bridge.
    Request,
    /// To the bridge, on the connection that brought the request.
    Answer,
    /// To the bridge, on the event stream of HTTP+SSE.
    Events,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Both ends see the connection closed (FIN).
    Cut,
    /// Both ends see it reset (RST).
    Reset,
    /// This direction alone is closed; the other goes on.
    Close,
    /// Each connection is closed after so many bytes, repeats too, until the call is answered.
    Limit,
    /// The rest waits until the call is answered, then comes after all.
    Stall,
    /// The rest never comes, and nothing says so.
    Dead,
    /// The rest comes at 25 bytes a second.
    Slow,
    /// The lowest bit of the byte is another.
    Flip,
    /// Its highest bit is another: no ASCII any more.
    Garble,
    /// It comes in two pieces.
    Split,
    /// It comes byte by byte.
    Drip,
    /// The rest waits until another call has come and gone on other connections.
    Hold,
}

/// One case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Who talks to whom.
    pub setting: Setting,
    /// Which exchange.
    pub leg: Leg,
    /// Which way.
    pub side: Side,
    /// What happens.
    pub fault: Fault,
    /// After how many bytes of it.
    pub at: usize,
}

/// All faults.
pub const FAULTS: [Fault; 12] = [
    Fault::Cut,
    Fault::Reset,
    Fault::Close,
    Fault::Limit,
    Fault::Stall,
    Fault::Dead,
    Fault::Slow,
    Fault::Flip,
    Fault::Garble,
    Fault::Split,
    Fault::Drip,
    Fault::Hold,
];

/// All settings that there are: HTTP+SSE and WebSocket have legacy servers only, and so has resumption.
pub fn settings() -> Vec<Setting> {
    use Transport::{Ids, Json, Sse, Stream, WebSocket};
    let mut all = Vec::new();
    for transport in [Json, Stream, Ids, Sse, WebSocket] {
        for client in [Era::Legacy, Era::Modern] {
            for server in [Era::Legacy, Era::Modern] {
                if server == Era::Modern && !matches!(transport, Json | Stream) {
                    continue;
                }
                all.extend([Access::Open, Access::Token].map(|access| Setting {
                    transport,
                    client,
                    server,
                    access,
                }));
            }
        }
    }
    all
}

impl Setting {
    /// The exchanges that there are.
    pub fn legs(self) -> Vec<Leg> {
        let mut legs = vec![Leg::Call, Leg::Hello];
        if self.transport == Transport::Sse || self.client != self.server {
            legs.push(Leg::Second);
        }
        if matches!(self.transport, Transport::Sse | Transport::WebSocket) {
            legs.push(Leg::Open);
        }
        // How a token is had does not depend on who talks about what afterwards.
        let alike = self.client == Era::Legacy && self.server == Era::Legacy;
        let plain = matches!(
            self.transport,
            Transport::Json | Transport::Sse | Transport::WebSocket
        );
        if self.access == Access::Token && alike && plain {
            legs.extend([Leg::Resource, Leg::Issuer, Leg::Token]);
            if self.transport != Transport::WebSocket {
                legs.push(Leg::Renew);
            }
        }
        legs
    }

    /// The directions of a leg.
    pub fn sides(self, leg: Leg) -> Vec<Side> {
        let mut sides = vec![Side::Request, Side::Answer];
        if self.transport == Transport::Sse && matches!(leg, Leg::Call | Leg::Second) {
            sides.push(Side::Events);
        }
        sides
    }
}

impl Transport {
    /// Whether all answers come on one stream.
    pub const fn shares(self) -> bool {
        matches!(self, Self::Sse | Self::WebSocket)
    }
}

impl Leg {
    /// Whether each case needs a bridge that has just started.
    pub const fn is_fresh(self) -> bool {
        !matches!(self, Self::Call | Self::Renew)
    }

    /// Whether it goes to the authorization server, or is about it.
    pub const fn is_sign_in(self) -> bool {
        matches!(
            self,
            Self::Renew | Self::Resource | Self::Issuer | Self::Token
        )
    }
}

impl Fault {
    /// Whether what arrives is what was sent, if it arrives at all.
    pub const fn is_honest(self) -> bool {
        !matches!(self, Self::Flip | Self::Garble)
    }

    /// Whether everything arrives in the end, so that only the server's answer will do.
    pub const fn is_harmless(self) -> bool {
        matches!(self, Self::Split | Self::Drip | Self::Hold)
    }

    /// Whether bytes may stay away for ever, so that only a limit of the bridge's ends the wait.
    pub const fn waits(self) -> bool {
        matches!(
            self,
            Self::Stall | Self::Dead | Self::Slow | Self::Flip | Self::Garble
        )
    }

    /// Whether it ends a connection, maybe after the answer has come.
    pub const fn ends(self) -> bool {
        matches!(self, Self::Cut | Self::Reset | Self::Close | Self::Limit)
    }

    /// Whether it is tried on a leg.
    pub fn fits(self, setting: Setting, leg: Leg) -> bool {
        // One connection has no other to be overtaken by, and a handshake no other call.
        self != Self::Hold || leg == Leg::Call && setting.transport != Transport::WebSocket
    }

    /// The places of this fault in so many bytes with these frames. Every so manieth byte is one of what is tried at every byte.
    pub fn places(self, len: usize, frames: &BTreeSet<usize>, step: usize) -> BTreeSet<usize> {
        let ends = frames
            .iter()
            .copied()
            .chain([0, 1, len.saturating_sub(1), len]);
        let step = match self {
            Self::Drip => return BTreeSet::from([0]),
            Self::Cut | Self::Reset | Self::Close => step,
            _ => 64,
        };
        let mut places: BTreeSet<usize> = ends.chain((0..=len).step_by(step)).collect();
        if !self.is_honest() {
            // There has to be a byte to be changed.
            places.remove(&len);
        }
        if matches!(self, Self::Hold | Self::Dead) {
            // What has come in full holds nobody up, and its connection is free for the next.
            places.remove(&len);
        }
        places.retain(|at| *at <= len);
        places
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [client, server] = [self.client, self.server].map(Era::name);
        write!(
            f,
            "{}/{client}-{server}/{}",
            self.transport.name(),
            self.access.name()
        )
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (leg, side) = (format!("{:?}", self.leg), format!("{:?}", self.side));
        let (leg, side) = (leg.to_lowercase(), side.to_lowercase());
        write!(
            f,
            "{}/{leg}/{side}/{}/{}",
            self.setting,
            self.fault.name(),
            self.at
        )
    }
}

impl Transport {
    /// Its name in tables and cases.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Stream => "stream",
            Self::Ids => "ids",
            Self::Sse => "sse",
            Self::WebSocket => "websocket",
        }
    }
}

impl Era {
    /// Its name in tables and cases.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Modern => "modern",
        }
    }
}

impl Access {
    /// Its name in tables and cases.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Token => "token",
        }
    }
}

impl Fault {
    /// Its name in tables and cases.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::Reset => "reset",
            Self::Close => "close",
            Self::Limit => "limit",
            Self::Stall => "stall",
            Self::Dead => "dead",
            Self::Slow => "slow",
            Self::Flip => "flip",
            Self::Garble => "garble",
            Self::Split => "split",
            Self::Drip => "drip",
            Self::Hold => "hold",
        }
    }
}
