//! The address that a browser on another machine ended at, typed or pasted by the user while a sign-in goes on. What comes on
//! stdin before and after belongs to others.

use std::io::IsTerminal;
use std::sync::Arc;

use crate::auth::{Oauth, SignIn};
use crate::ui;

/// Takes lines from stdin whenever a sign-in waits for the browser; never returns.
pub async fn offer(oauth: &Arc<Oauth>) {
    let mut status = oauth.status();
    loop {
        let waits =
            |status: &SignIn| matches!(status, SignIn::Started(prompt) if prompt.code().is_none());
        if status.wait_for(waits).await.is_err() {
            return std::future::pending().await;
        }
        if std::io::stdin().is_terminal() {
            ui::note(
                "if the browser cannot come back to this machine, paste the address that it ends at",
            );
        }
        let reader = reader::start(Arc::clone(oauth));
        let ended = status.wait_for(|status| !waits(status)).await.map(|_| ());
        drop(reader);
        if ended.is_err() {
            return std::future::pending().await;
        }
    }
}

#[cfg(unix)]
mod reader {
    //! A thread that waits for stdin or for the word to stop, so that it takes nothing that is meant for somebody else.

    use std::io::{PipeReader, PipeWriter};
    use std::sync::Arc;

    use rustix::event::{PollFd, PollFlags, poll};

    use crate::auth::Oauth;

    /// Dropping it stops the thread.
    pub type Reader = Option<PipeWriter>;

    /// Starts to read. Where there can be no thread, there is no pasting.
    pub fn start(oauth: Arc<Oauth>) -> Reader {
        let (stopped, reader) = std::io::pipe().ok()?;
        std::thread::Builder::new()
            .name("paste".to_owned())
            .spawn(move || read(&oauth, &stopped))
            .ok()?;
        Some(reader)
    }

    fn read(oauth: &Oauth, stopped: &PipeReader) {
        let stdin = std::io::stdin();
        let mut held = Vec::new();
        let mut piece = [0; 4096];
        loop {
            let mut waited = [
                PollFd::new(&stdin, PollFlags::IN),
                PollFd::new(stopped, PollFlags::IN),
            ];
            match poll(&mut waited, None) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return,
            }
            let [typed, told] = &waited;
            if !told.revents().is_empty() {
                return;
            }
            if typed.revents().is_empty() {
                continue;
            }
            let read = match rustix::io::read(&stdin, &mut piece) {
                Ok(0) | Err(_) => return,
                Ok(read) => read,
            };
            held.extend_from_slice(piece.get(..read).unwrap_or_default());
            while let Some(end) = memchr::memchr(b'\n', &held) {
                let line: Vec<u8> = held.drain(..=end).collect();
                oauth.paste(String::from_utf8_lossy(&line).trim().to_owned());
            }
        }
    }
}

#[cfg(not(unix))]
mod reader {
    //! A thread that reads stdin for as long as the process lives: here nothing can take it away from there.

    use std::io::BufRead;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use crate::auth::Oauth;

    /// Nothing is stopped by dropping it.
    pub type Reader = ();

    static STARTED: AtomicBool = AtomicBool::new(false);

    /// Starts to read, once.
    pub fn start(oauth: Arc<Oauth>) -> Reader {
        if STARTED.swap(true, Ordering::Relaxed) {
            return;
        }
        let read = move || {
            for line in std::io::stdin().lock().lines() {
                let Ok(line) = line else { return };
                oauth.paste(line);
            }
        };
        // Where there can be no thread, there is no pasting.
        let _ = std::thread::Builder::new()
            .name("paste".to_owned())
            .spawn(read);
    }
}
