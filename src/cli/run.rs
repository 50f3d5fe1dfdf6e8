//! `mcp-tether URL`: the bridge between stdin, stdout and the remote server.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use super::args::{self, Bridge as Args};
use super::handles;
use super::signals::Signals;
use crate::auth::{Authorizer, HeaderCommand};
use crate::bridge::filter::{self, Access};
use crate::bridge::{Bridge, End, Options, Order, Remote};
use crate::config::Paths;
use crate::error::Fatal;
use crate::net::client::{self, Client, Cookies, Family, Proxy, Verify};
use crate::net::guard::{self, PlainHttp};
use crate::net::headers;
use crate::queue;
use crate::secret::Secret;
use crate::store::verdicts::Verdicts;
use crate::transport::stdio::{spawn_reader, spawn_writer};
use crate::transport::{Exchange, Limits};
use crate::ui::{self, Color, Format, LogOptions, Verbosity};

/// Bytes that may wait on the way in, and on the way out.
const QUEUE: usize = 64 << 20;

/// The pings of `--keep-alive`.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// How long the last lines may take to be written after a signal.
const LAST_LINES: Duration = Duration::from_millis(300);

/// Runs the bridge until the client leaves.
///
/// # Errors
/// A mistake in the options, which no later attempt can mend.
pub fn run(args: &Args, env: &impl Fn(&str) -> Option<String>) -> Result<ExitCode, Fatal> {
    let paths = Paths::find(env);
    log(args, paths.as_ref(), env)?;
    handles::raise();
    let remote = remote(args, paths.as_ref(), env)?;
    let options = options(args);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|wrong| {
            Fatal::usage(
                format!("cannot start: {wrong}"),
                "free some memory or file handles",
            )
        })?;
    let exit = runtime.block_on(bridge(options, remote));
    // A name look-up or a file read in a thread of its own must not delay the end.
    runtime.shutdown_background();
    exit.map_err(|wrong| {
        Fatal::usage(
            format!("cannot start: {wrong}"),
            "free some memory or file handles",
        )
    })
}

async fn bridge(options: Options, remote: Remote) -> std::io::Result<ExitCode> {
    let mut signals = Signals::new()?;
    let grace = options.grace;
    let (to_bridge, input) = queue::bounded(QUEUE);
    let (output, from_bridge) = queue::bounded(QUEUE);
    spawn_reader(options.max_message_size, to_bridge)?;
    let flushed = tokio::spawn(spawn_writer(from_bridge)?);
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let work = async {
        let end = Bridge::new(options, remote, output)
            .run(input, async {
                let _ = stopped.await;
            })
            .await;
        tracing::debug!("the bridge ended: {end:?}");
        let limit = if end == End::Input { grace } else { LAST_LINES };
        let _ = tokio::time::timeout(limit, flushed).await;
    };
    let interrupted = async {
        signals.next().await;
        tracing::debug!("told to stop");
        let _ = stop.send(());
        signals.next().await;
    };
    tokio::select! {
        () = work => Ok(ExitCode::SUCCESS),
        // Told twice: at once.
        () = interrupted => Ok(ExitCode::from(130)),
    }
}

fn log(
    args: &Args,
    paths: Option<&Paths>,
    env: &impl Fn(&str) -> Option<String>,
) -> Result<(), Fatal> {
    let output = &args.output;
    let color = match output.color {
        args::Color::Auto => Color::Auto,
        args::Color::Always => Color::Always,
        args::Color::Never => Color::Never,
    };
    let own = || Some(paths?.state.join("mcp-tether.log"));
    let options = LogOptions {
        verbosity: match (output.debug, output.silent) {
            (true, _) => Verbosity::Debug,
            (_, true) => Verbosity::Silent,
            _ => Verbosity::Quiet,
        },
        format: match output.log_format {
            args::LogFormat::Text => Format::Text,
            args::LogFormat::Json => Format::Json,
        },
        file: output
            .log_file
            .clone()
            .or_else(|| if output.debug { own() } else { None }),
        color: color.applies(env("NO_COLOR").is_some_and(|value| !value.is_empty())),
    };
    ui::start_log(&options).map_err(|wrong| {
        Fatal::usage(
            format!("cannot {wrong:#}"),
            "give a file that can be written with --log-file",
        )
    })
}

fn options(args: &Args) -> Options {
    let remote = &args.remote;
    Options {
        initialize_wait: remote.initialize_wait.0,
        request_timeout: remote.request_timeout.limit(),
        grace: remote.grace.0,
        ping_interval: remote
            .ping_interval
            .map(|interval| interval.0)
            .or_else(|| remote.keep_alive.then_some(PING_INTERVAL)),
        max_message_size: remote.max_message_size,
        filter: filter::Options {
            ignore: args.filter.ignore_tool.clone(),
            only: args.filter.only_tool.clone(),
            access: if args.filter.read_only {
                Access::ReadOnly
            } else {
                Access::Full
            },
        },
    }
}

fn remote(
    args: &Args,
    paths: Option<&Paths>,
    env: &impl Fn(&str) -> Option<String>,
) -> Result<Remote, Fatal> {
    let plain = if args.network.allow_http {
        PlainHttp::Anywhere
    } else {
        PlainHttp::Loopback
    };
    let url = guard::server_url(args.server.as_deref().unwrap_or_default(), plain)?;
    if args.network.insecure {
        tracing::warn!(
            "--insecure: certificates are not checked, anybody on the way can read and change everything"
        );
    }
    let network = &args.network;
    let client = Client::new(client::Options {
        url: url.clone(),
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
    })?;
    let authorizer = match &args.remote.header_command {
        Some(command) => Authorizer::Command(HeaderCommand::new(command.clone())),
        None => Authorizer::None,
    };
    let limits = Limits {
        headers: network.headers_timeout.limit(),
        body: network.body_timeout.limit(),
        message: args.remote.max_message_size,
    };
    let headers = user_headers(&args.remote, env)?;
    Ok(Remote {
        exchange: Arc::new(Exchange::new(client, url, headers, authorizer, limits)),
        order: match args.remote.transport {
            args::Transport::HttpFirst => Order::HttpFirst,
            args::Transport::SseFirst => Order::SseFirst,
            args::Transport::HttpOnly => Order::HttpOnly,
            args::Transport::SseOnly => Order::SseOnly,
        },
        verdicts: paths.map(|paths| Verdicts::new(&paths.state)),
        #[cfg(test)]
        scripted: None,
    })
}

/// The headers of files, then those of flags, which count more.
fn user_headers(
    remote: &args::Remote,
    env: &impl Fn(&str) -> Option<String>,
) -> Result<HeaderMap, Fatal> {
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

fn header_file(path: &Path, env: &impl Fn(&str) -> Option<String>) -> Result<HeaderMap, Fatal> {
    let source = format!("--header-file {}", path.display());
    let text = std::fs::read_to_string(path).map_err(|wrong| {
        Fatal::usage(
            format!("cannot read {source}: {wrong}"),
            "check the path and who may read it",
        )
    })?;
    headers::parse(&source, text.lines(), env)
}
