//! `mcp-tether URL`: the bridge between stdin, stdout and the remote server.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::args::{self, Bridge as Args};
use super::connection::{self, Env, ReturnTrip};
use super::handles;
use super::signals::Signals;
use crate::auth::{Oauth, SignIn};
use crate::bridge::filter::{self, Access};
use crate::bridge::{AtEnd, Audience, Begins, Bridge, End, Options, Remote};
use crate::config::Paths;
use crate::error::Fatal;
use crate::net::guard;
use crate::queue;
use crate::transport::stdio::{spawn_reader, spawn_writer};
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
pub fn run(args: &Args, env: &Env<'_>) -> Result<ExitCode, Fatal> {
    let paths = Paths::find(env);
    log(args, paths.as_ref(), env)?;
    handles::raise();
    let remote = connection::remote(args, paths.as_ref(), env)?;
    let options = options(args, &remote);
    let tell = if args.output.silent {
        None
    } else {
        Some(connection::return_trip(env))
    };
    let work = async {
        if let Some(oauth) = remote.exchange.authorizer().oauth() {
            // Without the keyring that the user insists on it can never work.
            oauth
                .check_store()
                .await
                .map_err(|wrong| Fatal::from(&wrong))?;
        }
        bridge(options, remote, tell)
            .await
            .map_err(|wrong| cannot_start(&wrong))
    };
    on_runtime(work)?
}

/// Runs `work` to its end on a runtime of this thread.
///
/// # Errors
/// The system refuses what a runtime needs.
pub fn on_runtime<T>(work: impl Future<Output = T>) -> Result<T, Fatal> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|wrong| cannot_start(&wrong))?;
    let outcome = runtime.block_on(work);
    // A name look-up or a file read in a thread of its own must not delay the end.
    runtime.shutdown_background();
    Ok(outcome)
}

/// The system refuses what the program needs to run.
pub fn cannot_start(wrong: &std::io::Error) -> Fatal {
    Fatal::usage(
        format!("cannot start: {wrong}"),
        "free some memory or file handles",
    )
}

/// Prints the address of each sign-in, for as long as it is polled.
pub async fn tell_address(oauth: &Oauth, trip: ReturnTrip) {
    let mut status = oauth.status();
    let mut last = None;
    loop {
        if let SignIn::Started(prompt) = &*status.borrow_and_update()
            && last.as_ref() != Some(prompt)
        {
            let hint = trip.hint(prompt.url().as_str());
            ui::sign_in(&prompt.to_string(), hint.as_deref());
            last = Some(prompt.clone());
        }
        if status.changed().await.is_err() {
            return;
        }
    }
}

async fn bridge(
    options: Options,
    remote: Remote,
    tell: Option<ReturnTrip>,
) -> std::io::Result<ExitCode> {
    if let (Some(trip), Some(oauth)) = (tell, remote.exchange.authorizer().oauth()) {
        let oauth = Arc::clone(oauth);
        tokio::spawn(async move { tell_address(&oauth, trip).await });
    }
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

/// Starts the log as the options say.
///
/// # Errors
/// The log file cannot be written.
pub fn log(args: &Args, paths: Option<&Paths>, env: &Env<'_>) -> Result<(), Fatal> {
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

/// How the bridge is to behave for a client program.
pub fn options(args: &Args, to: &Remote) -> Options {
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
        begins: match args.authorization.sign_in {
            args::SignIn::Eager => Begins::Eager,
            args::SignIn::OnDemand => Begins::OnDemand,
        },
        at_end: if std::io::stderr().is_terminal() {
            AtEnd::Stay(args.authorization.auth_timeout.0)
        } else {
            AtEnd::Leave
        },
        audience: Audience::Program,
        server: guard::shown(to.exchange.url()),
    }
}
