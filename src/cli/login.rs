//! `login`: signs in now, and says who is signed in, for what and for how long.

use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::account::Account;
use super::args::Login;
use super::connection::{self, Env};
use super::paste;
use super::run;
use super::signals::Signals;
use crate::auth::{Oauth, SignIn};
use crate::bridge::{Order, Remote};
use crate::config::Paths;
use crate::error::{Failure, Fatal};
use crate::jsonrpc::{Id, reply};
use crate::net::guard;
use crate::transport::{Http, Outgoing, Sse, Transport, WebSocket};
use crate::ui;

/// The longest that the server may take to ask for a sign-in.
const ASK: Duration = Duration::from_secs(30);

/// How often is looked whom it waits for.
const LOOK: Duration = Duration::from_secs(1);

/// Signs in.
///
/// # Errors
/// The user is not signed in: why.
pub fn login(args: &Login, env: &Env<'_>) -> Result<ExitCode, Fatal> {
    let bridge = &args.bridge;
    let paths = Paths::find(env);
    run::log(bridge, paths.as_ref(), env)?;
    let remote = connection::remote(bridge, paths.as_ref(), env)?;
    let server = guard::shown(remote.exchange.url());
    let Some(oauth) = remote.exchange.authorizer().oauth().cloned() else {
        return Err(Fatal::usage(
            "there is nothing to sign in to: the credentials are given",
            "leave out --auth none, the Authorization header and --header-command",
        ));
    };
    let trip = connection::return_trip(env);
    let ended = run::on_runtime(async {
        let mut signals = Signals::new().map_err(|wrong| run::cannot_start(&wrong))?;
        let help = async {
            tokio::join!(run::tell_address(&oauth, trip), paste::offer(&oauth));
        };
        tokio::select! {
            ended = sign_in(&remote, &oauth) => ended.map_err(|failure| Fatal::from(&failure)).map(Some),
            () = help => Ok(None),
            () = signals.next() => Ok(None),
        }
    })??;
    match ended {
        None => Ok(ExitCode::from(130)),
        Some(Ended::NotNeeded) => {
            ui::note(&format!("{server} asks for no sign-in"));
            if args.json {
                ui::data("null")?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Some(Ended::SignedIn | Ended::Already) => {
            let record = oauth.record();
            let account =
                record.map(|record| Account::of_record(&record, oauth.place(), SystemTime::now()));
            if args.json {
                ui::data(&serde_json::json!(account).to_string())?;
            } else if let Some(account) = account {
                if matches!(ended, Some(Ended::Already)) {
                    ui::note(
                        "already signed in; to use another account, log out first or give --profile NAME",
                    );
                }
                ui::data(&format!("signed in to {}", account.text()))?;
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy)]
enum Ended {
    SignedIn,
    Already,
    NotNeeded,
}

async fn sign_in(remote: &Remote, oauth: &Arc<Oauth>) -> Result<Ended, Failure> {
    if !oauth.grant().needs_person() {
        return alone(remote, oauth).await;
    }
    match patient(knock(remote), || oauth.is_asking())
        .await
        .ok_or_else(silent)?
    {
        Err(Failure::SignInNeeded(_)) => {}
        // It may be the refresh of a former sign-in that failed: a new one does not need it.
        Err(failure) if oauth.record().is_none() => return Err(failure),
        Err(failure) => tracing::debug!("signing in anew: {failure}"),
        Ok(()) if oauth.record().is_some_and(|record| record.tokens.is_some()) => {
            return Ok(Ended::Already);
        }
        // It may want one for what comes later.
        Ok(()) => {}
    }
    oauth.ask();
    let mut status = oauth.sign_in();
    let _waiting = oauth.wait();
    match status
        .wait_for(|status| !status.is_running())
        .await
        .as_deref()
    {
        Ok(SignIn::Failed(Failure::NoSignIn)) => Ok(Ended::NotNeeded),
        Ok(SignIn::Failed(failure)) => Err(failure.clone()),
        Ok(_) => Ok(Ended::SignedIn),
        Err(_) => Err(Failure::Closed),
    }
}

/// Asks for a token, as the options say, and sees whether the server takes it.
async fn alone(remote: &Remote, oauth: &Arc<Oauth>) -> Result<Ended, Failure> {
    let token = |oauth: &Oauth| Some(oauth.record()?.tokens.as_ref()?.access.clone());
    // What was kept before does not count: it is now that the way is to be tried.
    oauth.load().await?;
    let before = token(oauth);
    let knocked = patient(knock(remote), || oauth.is_asking()).await;
    match knocked.unwrap_or_else(|| Err(silent())) {
        // It may want a token for what comes later.
        Ok(()) if token(oauth).is_none() => oauth.sign_in_alone().await.map(|_| ())?,
        Ok(()) if token(oauth) == before => oauth.ask_again().await?,
        other => other?,
    }
    Ok(Ended::SignedIn)
}

/// Waits for `knocked`, which the server may hold up for [`ASK`] at most; `None` when it did. What it takes to get a token, while
/// `is_asking`, is not the server's doing, and has limits of its own.
async fn patient<T>(knocked: impl Future<Output = T>, is_asking: impl Fn() -> bool) -> Option<T> {
    let mut knocked = pin!(knocked);
    let mut silent = Duration::ZERO;
    while silent < ASK {
        if let Ok(outcome) = tokio::time::timeout(LOOK, &mut knocked).await {
            return Some(outcome);
        }
        silent = if is_asking() {
            Duration::ZERO
        } else {
            silent + LOOK
        };
    }
    None
}

fn silent() -> Failure {
    Failure::Unreachable {
        what: format!("the server did not answer within {} s", ASK.as_secs()),
        hint: "check that the URL is that of an MCP server, and try again later",
    }
}

/// Asks the server for a session, so that it says what it wants of us. One that it gives is left at once.
pub(super) async fn knock(remote: &Remote) -> Result<(), Failure> {
    if remote.order == Order::WebSocket {
        let websocket = WebSocket::new(Arc::clone(&remote.exchange));
        let transport = Transport::WebSocket(Arc::new(websocket));
        transport.connect().await?;
        transport.close().await;
        return Ok(());
    }
    let params = format!(
        r#"{{"protocolVersion":"2025-11-25","capabilities":{{}},"clientInfo":{{"name":"mcp-tether","version":"{}"}}}}"#,
        env!("CARGO_PKG_VERSION")
    );
    let hello = reply::request(&Id::text("mcp-tether:login"), "initialize", Some(&params));
    let http = Transport::Http(Arc::new(Http::new(Arc::clone(&remote.exchange))));
    match http.send(&Outgoing::opening(hello)).await {
        Ok(_) => {
            http.begin(Some("2025-11-25"));
            http.close().await;
            Ok(())
        }
        // It may be one of HTTP+SSE.
        Err(Failure::Status(refusal)) if matches!(refusal.status, 400 | 404 | 405) => {
            let sse = Arc::new(Sse::new(Arc::clone(&remote.exchange)));
            match sse.connect().await {
                Err(needed @ Failure::SignInNeeded(_)) => Err(needed),
                Err(_) => Err(Failure::Status(refusal)),
                Ok(()) => {
                    Transport::Sse(sse).close().await;
                    Ok(())
                }
            }
        }
        Err(failure) => Err(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::{ASK, patient};
    use std::time::Duration;
    use tokio::time::{Instant, sleep};

    #[tokio::test(start_paused = true)]
    async fn the_server_is_not_blamed_for_whoever_gives_the_token() {
        let begun = Instant::now();
        let asking = || begun.elapsed() < Duration::from_secs(40);
        let late = async {
            sleep(Duration::from_secs(60)).await;
            "its own words"
        };
        assert_eq!(patient(late, asking).await, Some("its own words"));
        let begun = Instant::now();
        let asking = || begun.elapsed() < Duration::from_secs(40);
        let never = std::future::pending::<()>();
        assert_eq!(patient(never, asking).await, None);
        assert!(begun.elapsed() >= Duration::from_secs(40) + ASK - Duration::from_secs(1));
        let begun = Instant::now();
        assert_eq!(patient(std::future::pending::<()>(), || false).await, None);
        assert_eq!(begun.elapsed(), ASK);
    }
}
