//! From the options to the remote server: its URL, the network, the headers, where credentials come from.

use std::path::Path;
use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use url::Url;

use super::args::{self, Bridge as Args};
use crate::auth::{Authorizer, HeaderCommand, Oauth};
use crate::bridge::{Order, Protocol, Remote};
use crate::config::Paths;
use crate::error::Fatal;
use crate::net::client::{self, Client, Cookies, Family, Proxy, Verify};
use crate::net::guard::{self, PlainHttp};
use crate::net::headers;
use crate::secret::Secret;
use crate::store::verdicts::Verdicts;
use crate::transport::{Exchange, Limits};

/// The environment of the process.
pub type Env<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// How the browser finds the way back to this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReturnTrip {
    /// It runs here.
    Here,
    /// The user came by SSH, to this machine: a browser on the other side needs a tunnel.
    Ssh(String),
}

/// How the browser finds the way back.
pub fn return_trip(env: &Env<'_>) -> ReturnTrip {
    // Client address and port, then ours.
    let connection = env("SSH_CONNECTION").unwrap_or_default();
    match connection.split_whitespace().nth(2) {
        Some(host) => ReturnTrip::Ssh(host.to_owned()),
        None => ReturnTrip::Here,
    }
}

impl ReturnTrip {
    /// What the user has to type first, for a sign-in at this address.
    pub fn hint(&self, address: &str) -> Option<String> {
        let Self::Ssh(host) = self else { return None };
        let address = Url::parse(address).ok()?;
        let (_, redirect) = address
            .query_pairs()
            .find(|(name, _)| name == "redirect_uri")?;
        let port = Url::parse(&redirect).ok()?.port()?;
        Some(format!(
            "if the browser is on another machine, type there first: ssh -L {port}:127.0.0.1:{port} {host}"
        ))
    }
}

/// The remote server of the bridge.
///
/// # Errors
/// A mistake in the options.
pub fn remote(args: &Args, paths: Option<&Paths>, env: &Env<'_>) -> Result<Remote, Fatal> {
    let url = server_url(args)?;
    if args.network.insecure {
        tracing::warn!(
            "--insecure: certificates are not checked, anybody on the way can read and change everything"
        );
    }
    let network = network(args, url.clone());
    let headers = user_headers(&args.remote, env)?;
    let given = headers.contains_key(AUTHORIZATION);
    let authorizer = authorizer(args, &network, given, (paths, env))?;
    let order = order(args)?;
    let client = match order {
        Order::WebSocket => Client::for_upgrades(network)?,
        _ => Client::new(network)?,
    };
    let limits = Limits {
        headers: args.network.headers_timeout.limit(),
        body: args.network.body_timeout.limit(),
        message: args.remote.max_message_size,
    };
    Ok(Remote {
        exchange: Arc::new(Exchange::new(client, url, headers, authorizer, limits)),
        order,
        protocol: match args.remote.protocol {
            args::Protocol::Auto => Protocol::Auto,
            args::Protocol::Legacy => Protocol::Legacy,
            args::Protocol::Modern => Protocol::Modern,
        },
        verdicts: paths.map(|paths| Verdicts::new(&paths.state)),
        #[cfg(test)]
        scripted: None,
    })
}

/// Which transports to try. The scheme of the URL may say it.
fn order(args: &Args) -> Result<Order, Fatal> {
    let websocket = guard::names_websocket(args.server.as_deref().unwrap_or_default());
    Ok(match args.remote.transport {
        args::Transport::HttpOnly | args::Transport::SseOnly if websocket => {
            return Err(Fatal::usage(
                "the URL asks for WebSocket, --transport for something else",
                "give the URL as https://, or --transport websocket",
            ));
        }
        _ if websocket => Order::WebSocket,
        args::Transport::HttpFirst => Order::HttpFirst,
        args::Transport::SseFirst => Order::SseFirst,
        args::Transport::HttpOnly => Order::HttpOnly,
        args::Transport::SseOnly => Order::SseOnly,
        args::Transport::WebSocket => Order::WebSocket,
    })
}

/// The server's URL, as HTTP has it.
///
/// # Errors
/// It is none that can be used.
pub fn server_url(args: &Args) -> Result<Url, Fatal> {
    let plain = if args.network.allow_http {
        PlainHttp::Anywhere
    } else {
        PlainHttp::Loopback
    };
    guard::server_url(args.server.as_deref().unwrap_or_default(), plain)
}

/// How to reach the server.
pub fn network(args: &Args, url: Url) -> client::Options {
    let network = &args.network;
    client::Options {
        url,
        proxy: match (&network.proxy, network.no_proxy) {
            (Some(proxy), _) => Proxy::Url(Secret::new(proxy.clone())),
            (None, true) => Proxy::Direct,
            (None, false) => Proxy::Environment,
        },
        ca_file: network.ca_file.clone(),
        client_cert: network.client_cert.clone(),
        client_key: network.client_key.clone(),
        verify: if network.insecure {
            Verify::Nothing
        } else {
            Verify::Certificates
        },
        family: match (network.ipv4, network.ipv6) {
            (true, _) => Family::V4,
            (_, true) => Family::V6,
            _ => Family::Any,
        },
        connect_timeout: network.connect_timeout.0,
        cookies: if args.remote.disable_cookies {
            Cookies::Off
        } else {
            Cookies::Memory
        },
        named_by: client::NamedBy::User,
    }
}

/// Where credentials come from. An `Authorization` header that the user gave is the only one.
fn authorizer(
    args: &Args,
    network: &client::Options,
    given: bool,
    (paths, env): (Option<&Paths>, &Env<'_>),
) -> Result<Authorizer, Fatal> {
    let command = args.remote.header_command.as_ref();
    let wanted = args.authorization.auth;
    if wanted == args::Auth::Oauth && (given || command.is_some()) {
        return Err(Fatal::usage(
            "--auth oauth was given together with an Authorization header or --header-command",
            "leave one of them out",
        ));
    }
    let none = given || command.is_some() || wanted == args::Auth::None;
    if none && super::grant::is_wanted(&args.authorization) {
        return Err(Fatal::usage(
            "tokens are asked for, and the credentials are given: --auth none, an Authorization header or --header-command",
            "leave one of them out",
        ));
    }
    Ok(match (command, wanted) {
        (Some(command), _) => Authorizer::Command(HeaderCommand::new(command.clone())),
        (None, args::Auth::None) => Authorizer::None,
        (None, _) if given => Authorizer::None,
        (None, _) => {
            let options = super::oauth::options(args, network.clone(), paths, env)?;
            Authorizer::Oauth(Arc::new(Oauth::new(options)))
        }
    })
}

/// The headers of files, then those of flags, which count more.
pub fn user_headers(remote: &args::Remote, env: &Env<'_>) -> Result<HeaderMap, Fatal> {
    let mut all = HeaderMap::new();
    for path in &remote.header_file {
        all.extend(header_file(path, env)?);
    }
    all.extend(headers::parse(
        "--header",
        remote.header.iter().map(String::as_str),
        env,
    )?);
    Ok(all)
}

fn header_file(path: &Path, env: &Env<'_>) -> Result<HeaderMap, Fatal> {
    let source = format!("--header-file {}", path.display());
    let text = std::fs::read_to_string(path).map_err(|wrong| {
        Fatal::usage(
            format!("cannot read {source}: {wrong}"),
            "check the path and who may read it",
        )
    })?;
    headers::parse(&source, text.lines(), env)
}
