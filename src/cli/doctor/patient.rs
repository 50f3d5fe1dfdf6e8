//! What the checks work on, and what each leaves for the next.

use std::sync::Arc;

use tokio::net::TcpStream;
use url::Url;

use super::contact::{Contact, NoContact};
use super::proxy::Hop;
use super::tls::Seen;
use crate::auth::Oauth;
use crate::auth::examine::Examined;
use crate::bridge::Remote;
use crate::cli::args::Bridge as Args;
use crate::cli::connection::Env;
use crate::config::Paths;
use crate::net::client;
use crate::net::guard;

/// What is known so far.
pub struct Patient<'a> {
    /// The options.
    pub args: &'a Args,
    /// The environment.
    pub env: &'a Env<'a>,
    /// The folders of this user.
    pub paths: Option<&'a Paths>,
    /// The server.
    pub url: Option<Url>,
    /// The bridge's own way to it, made of the options.
    pub remote: Option<Remote>,
    /// The sign-in of the server, where there is one.
    pub oauth: Option<Arc<Oauth>>,
    /// The first hop on the way.
    pub hop: Hop,
    /// A connection to the server, through the proxy where there is one.
    pub stream: Option<TcpStream>,
    /// The server's side of the TLS handshake.
    pub seen: Option<Seen>,
    /// What the server said to the first request.
    pub contact: Option<Result<Contact, NoContact>>,
    /// What a sign-in would find.
    pub examined: Option<Examined>,
    /// Whether a sign-in is needed that nobody has done.
    pub signed_out: bool,
    /// The store was found not to work.
    pub store_broken: bool,
    /// The first check that failed so that what follows it has no ground.
    pub stopped: Option<&'static str>,
}

impl<'a> Patient<'a> {
    /// Nothing is known yet.
    pub fn new(args: &'a Args, env: &'a Env<'a>, paths: Option<&'a Paths>) -> Self {
        Self {
            args,
            env,
            paths,
            url: None,
            remote: None,
            oauth: None,
            hop: Hop::Direct,
            stream: None,
            seen: None,
            contact: None,
            examined: None,
            signed_out: false,
            store_broken: false,
            stopped: None,
        }
    }

    /// The server for people; what was typed where that is no URL.
    pub fn shown(&self) -> String {
        match &self.url {
            Some(url) => guard::shown(url),
            None => match self.args.server.as_deref().map(Url::parse) {
                Some(Ok(url)) => guard::shown(&url),
                _ => {
                    let typed = self.args.server.as_deref().unwrap_or_default();
                    guard::without_query(typed).to_owned()
                }
            },
        }
    }

    /// How the network is reached.
    pub fn network(&self, url: &Url) -> client::Options {
        crate::cli::connection::network(self.args, url.clone())
    }

    /// The sign-in of the server, where there is one.
    pub fn oauth(&self) -> Option<&Arc<Oauth>> {
        self.oauth.as_ref()
    }

    /// The answer to the first request.
    pub fn answer(&self) -> Option<&Contact> {
        self.contact.as_ref()?.as_ref().ok()
    }

    /// Why a check has no ground.
    pub fn no_ground(&self) -> Option<String> {
        self.stopped.map(|name| format!("not tried: {name} failed"))
    }
}
