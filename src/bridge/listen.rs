//! What the server sends by itself: the stream is kept open for as long as the session lasts, however often it breaks.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::core::{Core, OWN_LIMIT};
use super::link::{Phase, Status};
use crate::error::Failure;
use crate::net::retry::{Backoff, MAX_RECONNECT_WAIT, reconnect_wait};
use crate::transport::events::Cursor;
use crate::transport::{Events, Listening, Transport};

/// The first wait before the stream is opened again, where the server names none, and the longest.
const FIRST: Duration = Duration::from_secs(1);
const CAP: Duration = Duration::from_secs(30);

/// Listens until the task is aborted.
pub(super) async fn run(core: Arc<Core>) {
    let mut status = core.link.status();
    let mut backoff = Backoff::new(FIRST, CAP);
    let mut doubted = None;
    loop {
        let Ok(now) = status
            .wait_for(|status| status.listening)
            .await
            .map(|status| status.clone())
        else {
            return;
        };
        let Some(transport) = core.link.transport() else {
            return;
        };
        if core.link.is_modern() && !transport.shares_one_stream() {
            until_replaced(&core, &now, super::up::keep_subscriptions(&core)).await;
        } else if transport.shares_one_stream() {
            shared_stream(&core, &transport, &now, &mut backoff).await;
        } else {
            own_stream(&core, &transport, &now, &mut doubted).await;
        }
    }
}

/// A stream that all messages share: when it ends, or the session on it could not be had, that is renewed, for ever. Requests do
/// not wait here: they renew the session themselves, and then the new stream is read at once, since answers would wait behind
/// what nobody takes.
async fn shared_stream(
    core: &Arc<Core>,
    transport: &Transport,
    now: &Status,
    backoff: &mut Backoff,
) {
    let opened = Instant::now();
    let mut broken = false;
    hear(core, transport, backoff, &mut broken).await;
    let wait = if broken {
        backoff.wait(fastrand::f64())
    } else {
        backoff.after(opened.elapsed(), fastrand::f64())
    };
    let renew = async {
        tokio::time::sleep(wait).await;
        // If it fails there is no stream to read, and this begins again.
        let _ = core.link.renew(now.generation).await;
    };
    let mut status = core.link.status();
    tokio::select! {
        () = renew => {}
        _ = status.wait_for(|status| status.generation != now.generation) => {}
    }
}

/// Reads a shared stream until it ends; where there is none, there is nothing to mend either.
async fn hear(
    core: &Arc<Core>,
    transport: &Transport,
    backoff: &mut Backoff,
    is_broken: &mut bool,
) {
    let Ok(Listening::Stream(mut events)) = transport.listen(Cursor::default()).await else {
        return;
    };
    core.link.hears(true);
    let mut opened = core.link.status();
    let subscriptions = async {
        // A server of 2026-07-28 tells only what it is asked for.
        let asks = |_: &Status| core.link.is_modern() && core.link.replay.envelope().is_some();
        if opened.wait_for(asks).await.is_ok() {
            super::up::keep_subscriptions(core).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = subscriptions => {}
        () = mend(core, backoff, is_broken) => {}
        _ = pass_on(core, &mut events) => tracing::debug!("the server's event stream ended"),
    }
}

/// Renews the session of a stream that is open, each time that it could not be had. The client may say hello on that stream
/// meanwhile: then there is nothing to renew. `is_broken` says whether there is no session on it as yet: such a stream serves
/// nobody, however long it lives.
async fn mend(core: &Arc<Core>, backoff: &mut Backoff, is_broken: &mut bool) {
    let broken = |status: &Status| matches!(status.phase, Phase::Broken(_));
    let mut status = core.link.status();
    while status.wait_for(broken).await.is_ok() {
        *is_broken = true;
        let wait = backoff.wait(fastrand::f64());
        let mended = tokio::time::timeout(wait, status.wait_for(|status| !broken(status)));
        if mended.await.is_err() {
            let _ = core.link.ready().await;
        }
        let settled = status.wait_for(|status| !matches!(status.phase, Phase::Renewing));
        if settled.await.is_ok_and(|status| !broken(&status)) {
            *is_broken = false;
            backoff.reset();
        }
    }
}

/// A GET stream beside the POSTs: opened again until the session is another one.
async fn own_stream(
    core: &Arc<Core>,
    transport: &Transport,
    now: &Status,
    doubted: &mut Option<u64>,
) {
    until_replaced(core, now, keep_open(core, transport, doubted)).await;
}

/// Listens until the session is another one.
async fn until_replaced(core: &Arc<Core>, now: &Status, listen: impl Future<Output = ()>) {
    let mut status = core.link.status();
    let listen = async {
        listen.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = listen => {}
        _ = status.wait_for(|status| status.generation != now.generation || !status.listening) => {}
    }
}

/// Returns only when the server offers no such stream. `doubted` is the session whose first stream was not found.
async fn keep_open(core: &Arc<Core>, transport: &Transport, doubted: &mut Option<u64>) {
    let mut cursor = Cursor::default();
    let mut backoff = Backoff::new(FIRST, CAP);
    let mut refused = 0;
    let mut offered = false;
    loop {
        let mut lived = Duration::ZERO;
        match transport.listen(cursor.clone()).await {
            Ok(Listening::NotOffered) => return not_offered(core),
            Ok(Listening::Stream(mut events)) => {
                (offered, *doubted) = (true, None);
                core.link.hears(true);
                let opened = Instant::now();
                let any = pass_on(core, &mut events).await;
                lived = opened.elapsed();
                cursor = events.cursor();
                refused = 0;
                if any {
                    backoff.reset();
                }
            }
            Err(failure) => {
                refused = u32::min(refused + 1, 16);
                tracing::debug!("no listening stream: {failure}");
                match failure {
                    Failure::SessionGone { generation, .. } if offered => {
                        let _ = core.link.renew(generation).await;
                    }
                    failure
                        if !offered
                            && is_not_found(&failure)
                            && is_for_good(core, &failure, doubted).await =>
                    {
                        return not_offered(core);
                    }
                    _ => {}
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(wait(&cursor, refused, &mut backoff, lived)) => {}
            () = core.signed_in() => {}
        }
    }
}

fn is_not_found(failure: &Failure) -> bool {
    failure
        .refusal()
        .is_some_and(|refusal| refusal.status == 404)
}

/// Whether there is no stream since the first one was not found. A session that was lost has another one in its place, which is
/// asked once.
async fn is_for_good(core: &Arc<Core>, failure: &Failure, doubted: &mut Option<u64>) -> bool {
    let session = match failure {
        Failure::SessionGone { generation, .. } => Some(*generation),
        _ => None,
    };
    let before = std::mem::replace(doubted, session);
    if session.is_none() || before.is_some_and(|before| Some(before) != session) {
        return true;
    }
    let stands = stands(core).await;
    if stands {
        *doubted = None;
    }
    stands
}

/// Whether the session stands whose first stream was not found: a lost one shows as 404 (transports §Session Management), but a server
/// without such streams may say so too. A ping tells, and opens a lost session anew.
async fn stands(core: &Arc<Core>) -> bool {
    match core.ask_within(OWN_LIMIT, "ping", None).await {
        Ok(_) => true,
        // Some servers refuse what they do not know; one that is busy or wants a sign-in says nothing about the session.
        Err(Failure::Status(refusal)) => {
            refusal.message.is_some() && refusal.status < 500 && refusal.status != 429
        }
        Err(_) => false,
    }
}

fn not_offered(core: &Core) {
    tracing::debug!("the server offers no listening stream");
    core.link.hears(false);
}

/// The wait before the stream is opened again that lived for so long, after so many refusals in a row.
fn wait(cursor: &Cursor, refused: u32, backoff: &mut Backoff, lived: Duration) -> Duration {
    let Some(retry) = cursor.retry else {
        return backoff.after(lived, fastrand::f64());
    };
    // The server's own wait, but one that is down is not asked at that rate for ever, and not by all at one moment.
    reconnect_wait(retry)
        .saturating_mul(2u32.pow(refused))
        .min(MAX_RECONNECT_WAIT)
        .mul_f64(1.0 + fastrand::f64() / 2.0)
        .min(MAX_RECONNECT_WAIT)
}

/// Passes messages on until the stream ends; whether there were any.
async fn pass_on(core: &Arc<Core>, events: &mut Events) -> bool {
    let mut any = false;
    while let Ok(Some(message)) = events.next().await {
        any = true;
        core.from_server(message).await;
    }
    any
}
