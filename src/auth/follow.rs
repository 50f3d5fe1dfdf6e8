//! While another process signs in to the same server: its address is shown, what the user pastes is handed to it, and what
//! comes of it is taken.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use super::browser;
use super::loopback::parse_callback;
use super::oauth::{Oauth, now};
use super::options::Browser;
use super::prompt::Prompt;
use super::refresh;
use super::turn::{Taken, Turn};
use super::user::SignIn;
use crate::error::Failure;
use crate::secret::Secret;
use crate::store::Record;

/// What to do once nobody else signs in.
pub(super) enum Next {
    /// To sign in.
    Ours(Turn),
    /// Nothing: this came of it.
    Done(Box<Record>),
}

/// Waits until nobody else signs in to the server.
pub(super) async fn take_turn(oauth: &Oauth) -> Result<Next, Failure> {
    let Some((lock, board)) = oauth.vault.turn() else {
        return Ok(Next::Ours(Turn::without_lock()));
    };
    let seen = |prompt: Prompt| {
        oauth.status.send_if_modified(|status| {
            let new = !matches!(status, SignIn::Started(known) if *known == prompt);
            *status = SignIn::Started(prompt);
            new
        });
    };
    let taken = tokio::select! {
        taken = Turn::take(&lock, board, seen) => taken,
        () = hand_over_pasted(oauth) => return Err(Failure::Closed),
        () = open_at_once(oauth) => return Err(Failure::Closed),
    };
    let turn = match taken {
        Taken::Had(turn) => turn,
        Taken::Failed(failure) => return Err(failure),
    };
    // Somebody may have signed in since the refusal.
    let refused = oauth
        .record()
        .and_then(|record| Some(record.tokens.as_ref()?.access.clone()));
    if let Ok(Some(record)) = oauth.vault.find().await
        && let Some(tokens) = oauth.usable(Some(&record))
        && Some(&tokens.access) != refused.as_ref()
        && !refresh::is_expired(tokens, now())
    {
        turn.ended(None);
        return Ok(Next::Done(Box::new(record)));
    }
    Ok(Next::Ours(turn))
}

/// Whoever asked for a browser gets one, also where the other process opens none; never returns.
async fn open_at_once(oauth: &Oauth) {
    if let Browser::Open(command) = &oauth.options.browser
        && oauth.browser_delay().is_zero()
    {
        let mut status = oauth.status.subscribe();
        let url = status
            .wait_for(|status| matches!(status, SignIn::Started(_)))
            .await
            .ok()
            .and_then(|status| match &*status {
                SignIn::Started(prompt) => Some(prompt.link().clone()),
                _ => None,
            });
        if let Some(url) = url
            && let Err(wrong) = browser::open(&url, command.as_deref()).await
        {
            tracing::warn!("{wrong}; open the address by hand");
        }
    }
    std::future::pending::<()>().await;
}

/// Gives what the user pastes to the process that waits for it, as the browser would have; never returns.
async fn hand_over_pasted(oauth: &Oauth) {
    let mut pasted = oauth.pasted.subscribe();
    while pasted.changed().await.is_ok() {
        let text = pasted.borrow_and_update().clone();
        let shown = match &*oauth.status.borrow() {
            SignIn::Started(prompt) => Some(prompt.url().as_str().to_owned()),
            _ => None,
        };
        let Some((text, shown)) = text.zip(shown) else {
            continue;
        };
        if hand_over(&shown, &text).await.is_none() {
            tracing::warn!("that is not the address that this sign-in ends at");
        }
    }
    std::future::pending::<()>().await;
}

/// Asks for the redirect address of the sign-in at `shown`, with the query that was pasted. It is on this machine.
async fn hand_over(shown: &str, pasted: &Secret) -> Option<()> {
    let shown = Url::parse(shown).ok()?;
    let parameter = |name: &str| {
        let mut pairs = shown.query_pairs();
        pairs
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.into_owned())
    };
    let (state, redirect) = (Secret::new(parameter("state")?), parameter("redirect_uri")?);
    let query = pasted.expose().trim().split_once('?')?.1;
    if !parse_callback(query).has_state(&state) {
        return None;
    }
    let redirect = Url::parse(&redirect).ok()?;
    let (host, port) = (redirect.host_str()?, redirect.port()?);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let mut stream = TcpStream::connect((bare, port)).await.ok()?;
    let request = format!(
        "GET {}?{query} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n",
        redirect.path()
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    // It answers when it is through.
    let mut page = Vec::new();
    stream.read_to_end(&mut page).await.ok()?;
    Some(())
}
