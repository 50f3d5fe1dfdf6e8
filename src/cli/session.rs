//! A client in this process: it drives a bridge through its two queues, as stdin and stdout do for a host, so that signing in,
//! eras, retries and the filter are the same code for commands that talk to a server themselves.

mod person;
mod pump;
mod trouble;

use std::collections::HashSet;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use self::pump::Shared;
pub use self::pump::{Answer, Front, Nobody};
pub use self::trouble::Trouble;
use super::args::Bridge as Args;
use super::connection::{self, Env};
use super::paste;
use super::run;
use super::signals::Signals;
use crate::auth::Oauth;
use crate::bridge::{AtEnd, Audience, Begins, Bridge, End, Options, Remote};
use crate::config::Paths;
use crate::error::{Failure, Fatal};
use crate::jsonrpc::{Id, Kind, Message, reply};
use crate::queue::{self, Sender};
use crate::transport::stdio::Input;

/// The revision that this client speaks.
const VERSION: &str = "2025-11-25";

/// Bytes that may wait on the way in, and on the way out.
const QUEUE: usize = 64 << 20;

/// The longest that the server may take to answer `initialize` and lists where no limit is given.
const OPENING: Duration = Duration::from_secs(60);

/// The longest that a server which is not up is waited for: a person sees what was mistyped.
const PATIENCE: Duration = Duration::from_secs(2);

/// The longest that leaving may take.
const LEAVING: Duration = Duration::from_secs(3);

/// The longest that what still goes on may take when the user ended it: a cancellation is to reach the server.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Pages of one list at most.
const PAGES: usize = 1000;

/// A session with the server.
#[derive(Debug)]
pub struct Session {
    to_bridge: Sender<Input>,
    shared: Arc<Shared>,
    bridge: JoinHandle<End>,
    stop: oneshot::Sender<()>,
    /// The longest that a request may take, the time not counted in which a person is waited for.
    limit: Option<Duration>,
    last_id: AtomicU64,
    oauth: Option<Arc<Oauth>>,
}

/// What the server said of itself.
#[derive(Debug, Clone, Deserialize)]
pub struct Opened {
    /// The revision that is spoken.
    #[serde(default, rename = "protocolVersion")]
    pub version: String,
    /// What it can do.
    #[serde(default)]
    pub capabilities: Value,
    /// `serverInfo`, as it came.
    #[serde(default, rename = "serverInfo")]
    pub server: Option<Box<RawValue>>,
}

impl Opened {
    /// Whether the server has that capability.
    pub fn has(&self, capability: &str) -> bool {
        self.capabilities
            .get(capability)
            .is_some_and(|found| !found.is_null())
    }
}

/// How the bridge is to behave for a person who waits for the answers of a command.
pub fn options(args: &Args, remote: &Remote) -> Options {
    let options = run::options(args, remote);
    Options {
        initialize_wait: options.initialize_wait.min(PATIENCE),
        begins: Begins::Eager,
        at_end: AtEnd::Leave,
        audience: Audience::Person,
        ..options
    }
}

/// Opens a session with the server that the options name, does `work` with it and leaves it; `None` when the user ended it. The user
/// signs in where that is needed.
///
/// # Errors
/// A mistake in the options, no session, or what `work` gives.
pub fn with<T>(
    args: &Args,
    env: &Env<'_>,
    front: Arc<dyn Front>,
    work: impl AsyncFnOnce(&Session, &Opened) -> Result<T, Fatal>,
) -> Result<Option<T>, Fatal> {
    let paths = Paths::find(env);
    run::log(args, paths.as_ref(), env)?;
    let remote = connection::remote(args, paths.as_ref(), env)?;
    let options = options(args, &remote);
    let trip = connection::return_trip(env);
    run::on_runtime(async {
        let mut signals = Signals::new().map_err(|wrong| run::cannot_start(&wrong))?;
        let oauth = remote.exchange.authorizer().oauth().cloned();
        if let Some(oauth) = &oauth {
            oauth
                .check_store()
                .await
                .map_err(|wrong| Fatal::from(&wrong))?;
        }
        let session = Session::start(options, remote, front);
        let help = async {
            match &oauth {
                // What else comes on stdin is for the call, or for whoever started us.
                Some(oauth) if std::io::stdin().is_terminal() => {
                    tokio::join!(run::tell_address(oauth, trip), paste::offer(oauth));
                }
                Some(oauth) => run::tell_address(oauth, trip).await,
                None => std::future::pending().await,
            }
        };
        let done = tokio::select! {
            done = async {
                let opened = session.open().await?;
                work(&session, &opened).await
            } => Some(done),
            () = help => None,
            () = signals.next() => None,
        };
        let leaving = async {
            if done.is_some() {
                session.leave().await;
            } else {
                session.abandon().await;
            }
        };
        tokio::select! {
            () = leaving => {}
            () = signals.next() => {}
        }
        done.transpose()
    })?
}

impl Session {
    /// Starts a bridge to `remote` and nothing more. Must be called inside a runtime.
    pub fn start(options: Options, remote: Remote, front: Arc<dyn Front>) -> Self {
        let oauth = remote.exchange.authorizer().oauth().cloned();
        if let Some(oauth) = &oauth {
            // Whoever typed the command waits for the browser.
            oauth.ask();
        }
        // A person may take longer than any limit: it is kept here.
        let limit = options.request_timeout;
        let options = Options {
            request_timeout: None,
            ..options
        };
        let (to_bridge, input) = queue::bounded(QUEUE);
        let (output, from_bridge) = queue::bounded(QUEUE);
        let bridge = Bridge::new(options, remote, output);
        let (stop, stopped) = oneshot::channel();
        let bridge = tokio::spawn(bridge.run(input, async {
            // Without a word, the end of the input says it.
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
        }));
        let shared = Arc::new(Shared::new(front));
        tokio::spawn(pump::run(
            from_bridge,
            to_bridge.clone(),
            Arc::clone(&shared),
        ));
        Self {
            to_bridge,
            shared,
            bridge,
            stop,
            limit,
            last_id: AtomicU64::new(0),
            oauth,
        }
    }

    /// The handshake, with the sign-in that it may need.
    ///
    /// # Errors
    /// Why there is no session.
    pub async fn open(&self) -> Result<Opened, Trouble> {
        let params = json!({
            "protocolVersion": VERSION,
            "capabilities": { "elicitation": { "form": {}, "url": {} } },
            "clientInfo": {
                "name": env!("CARGO_PKG_NAME"),
                "title": "MCP Tether",
                "version": env!("CARGO_PKG_VERSION"),
            },
        });
        let limit = self.limit.unwrap_or(OPENING);
        let params = params.to_string();
        let asked = self.ask("initialize", Some(&params), Some(limit));
        let result = asked.await.map_err(Trouble::at_the_opening)?;
        let opened = serde_json::from_str(&result).map_err(|_| Trouble::no_server())?;
        self.notify("notifications/initialized", "{}");
        Ok(opened)
    }

    /// Asks the server, and gives its result as raw JSON; `params` is raw JSON.
    ///
    /// # Errors
    /// The server's error, or why there is no answer.
    pub async fn request(&self, method: &str, params: Option<&str>) -> Result<String, Trouble> {
        self.ask(method, params, self.limit).await
    }

    /// All pages of a list, whose result holds it in `member`; each item is its own text.
    ///
    /// # Errors
    /// The server's error, or why there is no answer.
    pub async fn list(&self, method: &str, member: &str) -> Result<Vec<Box<RawValue>>, Trouble> {
        let mut items = Vec::new();
        let mut cursor: Option<Box<RawValue>> = None;
        let mut seen = HashSet::new();
        loop {
            let params = cursor.map(|cursor| format!(r#"{{"cursor":{cursor}}}"#));
            let limit = self.limit.unwrap_or(OPENING);
            let result = self.ask(method, params.as_deref(), Some(limit)).await?;
            let mut page: std::collections::HashMap<String, Box<RawValue>> =
                serde_json::from_str(&result).map_err(|_| Trouble::unreadable(method))?;
            let list = page.remove(member).unwrap_or_default();
            let list: Vec<Box<RawValue>> =
                serde_json::from_str(list.get()).map_err(|_| Trouble::unreadable(method))?;
            items.extend(list);
            cursor = page
                .remove("nextCursor")
                .filter(|cursor| cursor.get() != "null");
            let Some(next) = &cursor else {
                return Ok(items);
            };
            if !seen.insert(next.get().to_owned()) || seen.len() == PAGES {
                return Err(Trouble::from(&Failure::NotMcp {
                    what: format!("the server's answers to {method} never end"),
                    excerpt: None,
                }));
            }
        }
    }

    /// Tells the server something; `params` is raw JSON.
    pub fn notify(&self, method: &str, params: &str) {
        // The bridge takes all of it, for as long as it is there.
        let _ = self
            .to_bridge
            .push(Input::Message(reply::notification(method, params)));
    }

    /// Leaves the session and waits for the end, but not long.
    pub async fn leave(self) {
        self.end(LEAVING).await;
    }

    /// Tells the server that nobody waits for the answers that are still to come, and leaves.
    pub async fn abandon(self) {
        for id in self.shared.take_all() {
            self.cancel(&id, "the user ended it");
        }
        self.end(LAST_WORDS).await;
    }

    fn cancel(&self, id: &Id, why: &str) {
        let params = format!(r#"{{"requestId":{id},"reason":{}}}"#, json!(why));
        self.notify("notifications/cancelled", &params);
    }

    /// What still goes on may go on for `grace`.
    async fn end(mut self, grace: Duration) {
        self.to_bridge.end();
        if tokio::time::timeout(grace, &mut self.bridge).await.is_err() {
            let _ = self.stop.send(());
            let _ = tokio::time::timeout(LEAVING, self.bridge).await;
        }
    }

    async fn ask(
        &self,
        method: &str,
        params: Option<&str>,
        limit: Option<Duration>,
    ) -> Result<String, Trouble> {
        let number = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let Some(id) = Id::parse(&number.to_string()) else {
            return Err(Trouble::from(&Failure::Closed));
        };
        let answer = self.shared.expect(&id);
        let request = reply::request(&id, method, params);
        if self.to_bridge.send(Input::Message(request)).await.is_err() {
            return Err(Trouble::from(&Failure::Closed));
        }
        let answer: Message = tokio::select! {
            answer = answer => answer.map_err(|_| Trouble::from(&Failure::Closed))?,
            limit = person::silent_for(limit, self.oauth.as_deref(), &self.shared) => {
                self.shared.forget(&id);
                self.cancel(&id, "the time limit of the request passed");
                return Err(Trouble::from(&Failure::Timeout {
                    what: format!("the server did not answer {method} within {} s", limit.as_secs_f64()),
                    option: "--request-timeout",
                }));
            }
        };
        match answer.kind() {
            Kind::Result => Ok(answer.payload().unwrap_or("null").to_owned()),
            _ => Err(Trouble::of_answer(&answer, method)),
        }
    }
}
