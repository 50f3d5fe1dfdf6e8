//! Where the end of a sign-in is listened for: the address and the port, and why they may not be had.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use tokio::net::TcpListener;

use crate::error::Failure;

/// Free ports that are tried until one is free in both address families.
const PORT_ATTEMPTS: usize = 16;

/// The name of this machine in the redirect URI (`--host`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// `127.0.0.1`, as RFC 8252 §8.3 recommends.
    Ipv4,
    /// `[::1]`.
    Ipv6,
    /// `localhost`, for servers that accept nothing else; both families are listened on.
    Localhost,
}

impl FromStr for Host {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "127.0.0.1" => Ok(Self::Ipv4),
            "::1" | "[::1]" => Ok(Self::Ipv6),
            _ if text.eq_ignore_ascii_case("localhost") => Ok(Self::Localhost),
            _ => Err("must be 127.0.0.1, localhost or ::1"),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "127.0.0.1",
            Self::Ipv6 => "[::1]",
            Self::Localhost => "localhost",
        })
    }
}

/// Which port to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// Any free one.
    Any,
    /// This one, as it is registered, or another one when it is taken.
    Preferred(u16),
    /// This one only.
    Exactly(u16),
}

/// Why nobody listens.
#[derive(Debug)]
pub enum NotBound {
    /// The callback path is none.
    Path,
    /// The port cannot be had.
    Port {
        /// Where.
        at: String,
        /// Why not.
        why: io::Error,
    },
}

impl NotBound {
    /// What is wrong with a port, and what to do about it.
    pub fn told(why: &io::Error) -> (Cow<'static, str>, &'static str) {
        match why.kind() {
            ErrorKind::AddrInUse => (
                "another program uses the port".into(),
                "close the program that uses the port, or choose another callback port",
            ),
            ErrorKind::PermissionDenied => (
                "this user may not use the port".into(),
                "choose a callback port above 1023; the system keeps others for itself",
            ),
            ErrorKind::AddrNotAvailable => (
                "this machine does not have that address".into(),
                "choose another address with --host, such as 127.0.0.1",
            ),
            _ => (
                why.to_string().into(),
                "choose another callback port, or another address with --host",
            ),
        }
    }
}

impl From<NotBound> for Failure {
    fn from(wrong: NotBound) -> Self {
        match wrong {
            NotBound::Path => Self::Credentials {
                what: "the callback path is not a path".to_owned(),
                hint: "give --callback-path a path like /oauth/callback",
            },
            NotBound::Port { at, why } => {
                let (why, hint) = NotBound::told(&why);
                Self::Credentials {
                    what: format!("cannot listen on {at} for the end of the sign-in: {why}"),
                    hint,
                }
            }
        }
    }
}

/// Sockets that listen.
///
/// # Errors
/// The port cannot be had.
pub(super) async fn sockets(host: Host, port: Port) -> Result<Vec<TcpListener>, NotBound> {
    let not = |at: String| move |why| NotBound::Port { at, why };
    match port {
        Port::Exactly(port) => {
            let at = format!("{host}:{port}");
            return listen(host, port).await.map_err(not(at));
        }
        Port::Preferred(port) => {
            if let Ok(sockets) = listen(host, port).await {
                return Ok(sockets);
            }
        }
        Port::Any => {}
    }
    let mut last = ErrorKind::AddrInUse.into();
    for _ in 0..PORT_ATTEMPTS {
        match listen(host, 0).await {
            Err(wrong) if wrong.kind() == ErrorKind::AddrInUse => last = wrong,
            done => return done.map_err(not(host.to_string())),
        }
    }
    Err(not(host.to_string())(last))
}

/// Listens on a port of loopback, 0 for any. For `localhost` it must be free in both families: browsers may try either
/// first, and another program must not be the one that answers.
async fn listen(host: Host, port: u16) -> io::Result<Vec<TcpListener>> {
    let (v4, v6) = (
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    );
    let first = TcpListener::bind((if host == Host::Ipv6 { v6 } else { v4 }, port)).await?;
    if host != Host::Localhost {
        return Ok(vec![first]);
    }
    let port = first.local_addr()?.port();
    match TcpListener::bind((v6, port)).await {
        Ok(second) => Ok(vec![first, second]),
        Err(wrong) if wrong.kind() == ErrorKind::AddrInUse => Err(wrong),
        // There is no IPv6 here.
        Err(_) => Ok(vec![first]),
    }
}
