//! `doctor`: each step of the way to a server in its order, what was found there, and what to do about it. It signs nobody in,
//! opens no browser and registers nothing.

mod answer;
mod callback;
mod chain;
mod check;
mod contact;
mod network;
mod pac;
mod patient;
mod proxy;
mod report;
mod show;
mod sign_in;
mod store;
mod talk;
mod tls;

use std::process::ExitCode;

use self::check::Finding;
use self::patient::Patient;
use self::show::Screen;
use super::args::Doctor;
use super::connection::{self, Env};
use super::run;
use super::signals::Signals;
use crate::config::Paths;
use crate::error::Fatal;
use crate::net::guard;
use crate::ui;

/// Checks the way to a server.
///
/// # Errors
/// The report cannot be written, or the program cannot run. What is wrong with the server is no error but a finding.
pub fn doctor(args: &Doctor, env: &Env<'_>) -> Result<ExitCode, Fatal> {
    let paths = Paths::find(env);
    run::log(&args.bridge, paths.as_ref(), env)?;
    let mut patient = Patient::new(&args.bridge, env, paths.as_ref());
    let mut screen = Screen::new(&args.bridge.output, args.json, env);
    let ended = run::on_runtime(async {
        let mut signals = Signals::new().map_err(|wrong| run::cannot_start(&wrong))?;
        tokio::select! {
            () = examine(&mut patient, &mut screen) => Ok::<_, Fatal>(true),
            () = signals.next() => Ok(false),
        }
    })??;
    if !ended {
        return Ok(ExitCode::from(130));
    }
    let document = show::document(&patient.shown(), &screen.checks);
    let end = screen.end();
    screen.written?;
    if args.json {
        ui::data(&document.to_string())?;
    } else {
        ui::painted(&end)?;
    }
    if let Some(path) = &args.report {
        report::write(path, args, &patient, &document)?;
        ui::note(&format!(
            "the report is in {}; read it before you pass it on",
            path.display()
        ));
    }
    Ok(ExitCode::from(show::exit(&screen.checks)))
}

/// All checks, in their order. What has no ground is skipped and says so.
async fn examine(patient: &mut Patient<'_>, screen: &mut Screen) {
    let mut addresses = Vec::new();
    screen.run("url", async { url(patient) }).await;
    screen.run("options", async { options(patient) }).await;
    screen.run("proxy", proxy::check(patient)).await;
    screen
        .run("dns", network::dns(patient, &mut addresses))
        .await;
    screen.run("tcp", network::tcp(patient, &addresses)).await;
    screen.run("tls", tls::check(patient)).await;
    screen.run("http", answer::http(patient)).await;
    screen.run("clock", async { answer::clock(patient) }).await;
    screen.run("files", async { store::files(patient) }).await;
    screen.run("store", store::round_trip(patient)).await;
    screen.run("metadata", sign_in::metadata(patient)).await;
    screen
        .run("client", async { sign_in::client(patient) })
        .await;
    screen.run("callback", callback::port(patient)).await;
    screen.run("login", sign_in::login(patient)).await;
    screen.run("listen", talk::listen(patient)).await;
    talk::converse(patient, screen).await;
}

/// The URL.
fn url(patient: &mut Patient<'_>) -> Finding {
    match connection::server_url(patient.args) {
        Ok(url) => {
            let shown = guard::shown(&url);
            patient.url = Some(url);
            Finding::ok(shown)
        }
        Err(wrong) => {
            patient.stopped = Some("url");
            Finding::of_fatal(&wrong)
        }
    }
}

/// The options and the files that they name.
fn options(patient: &mut Patient<'_>) -> Finding {
    if let Some(why) = patient.no_ground() {
        return Finding::skip(why);
    }
    match connection::remote(patient.args, patient.paths, patient.env) {
        Ok(remote) => {
            patient.oauth = remote.exchange.authorizer().oauth().cloned();
            patient.remote = Some(remote);
            Finding::ok("they fit together, and the files they name can be read")
        }
        Err(wrong) => {
            patient.stopped = Some("options");
            Finding::of_fatal(&wrong)
        }
    }
}
