//! One sign-in, from the store of `mcp-remote` to ours. The server is asked for what that program did not write down; the
//! tokens themselves go nowhere but into our store.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use super::hash::Seed;
use super::store::Stores;
use super::variables::expanded;
use crate::auth::{Foreign, Oauth, Taken};
use crate::bridge::Remote;
use crate::cli::args::{self, Bridge, Command};
use crate::cli::connection::{self, Env};
use crate::cli::login::knock;
use crate::cli::resolve::{self, Unresolved};
use crate::config::Paths;
use crate::error::{Failure, Kind};

/// How long a server may take to say what it wants.
const ASK: Duration = Duration::from_secs(20);

/// A sign-in that is looked for.
pub struct Wanted {
    /// What this program is started with.
    pub source: Source,
    /// What is added to its environment.
    pub env: Vec<(String, String)>,
    /// What `mcp-remote` was started with.
    pub seeds: Vec<Seed>,
    /// Whose words these are.
    pub trust: Trust,
}

/// Who wrote what a sign-in is to be used with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The user.
    User,
    /// Whoever wrote the project that the user is in. Such a file must not lead a sign-in astray.
    Project,
}

/// The server that a sign-in is for.
struct To {
    remote: Remote,
    /// Whose sign-in it is, where it needs one.
    oauth: Option<Arc<Oauth>>,
    /// Whether it is believed on other grounds than those of the system.
    open: bool,
}

/// Where the options stand.
pub enum Source {
    /// They were typed.
    Typed,
    /// In an entry: the URL and the options.
    Entry(Vec<String>),
}

/// Whether anything is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// All of it.
    Do,
    /// It is only told (`--dry-run`).
    Show,
}

/// What became of a sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignIn {
    /// There is none.
    None,
    /// It is ours now, or would be; the folder that it is from.
    Moved(String),
    /// Ours is as new.
    Known,
    /// It has ended and cannot be renewed.
    Ended,
    /// The entry gives its credentials by itself.
    NotNeeded,
    /// It stays where it is.
    Failed(Stays),
}

/// Why a sign-in was not moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stays {
    /// Why.
    pub what: String,
    /// What to do.
    pub hint: Option<String>,
    /// What kind of reason it is.
    pub reason: Reason,
}

/// Whether the same command may do better at another time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It may: a network, say, is not there.
    Passing,
    /// Our store cannot be used.
    Store,
    /// It will not.
    Lasting,
}

/// What all of them have in common.
pub struct Move<'a> {
    /// The store of `mcp-remote`.
    pub stores: &'a Stores,
    /// What was typed for this run.
    pub typed: &'a Bridge,
    /// The environment of this run.
    pub env: &'a Env<'a>,
    /// Whether anything is done.
    pub mode: Mode,
    /// Seconds since 1970.
    pub now: u64,
}

impl Move<'_> {
    /// Moves the newest sign-in that was made for those arguments, if it is newer than ours.
    pub async fn take(&self, wanted: &Wanted) -> SignIn {
        let mut wrong = None;
        let mut found = None;
        for kept in self.stores.of(&wanted.seeds) {
            match kept.read() {
                Ok(foreign) => {
                    found = Some((kept, foreign));
                    break;
                }
                Err(why) => wrong = wrong.or(Some((why, kept.at))),
            }
        }
        if found.is_none() && wrong.is_none() {
            return SignIn::None;
        }
        let own = |name: &str| {
            let own = wanted.env.iter().find(|(own, _)| own == name);
            own.map(|(_, value)| expanded(value, self.env))
                .or_else(|| (self.env)(name))
        };
        let to = match self.to(wanted, &own) {
            Ok(to) => to,
            Err(stays) => return SignIn::Failed(stays),
        };
        let adopted = match (&found, wrong) {
            (Some((kept, foreign)), _) => {
                let moved = self.adopt(&to, foreign, wanted.trust).await;
                moved.map(|moved| match moved {
                    SignIn::Moved(_) => SignIn::Moved(kept.folder.display().to_string()),
                    other => other,
                })
            }
            (None, Some(damaged)) => Self::without(&to, damaged).await,
            (None, None) => return SignIn::None,
        };
        adopted.unwrap_or_else(SignIn::Failed)
    }

    /// What there is to say where a sign-in cannot be read: nothing, where ours is newer.
    async fn without(to: &To, (what, at): (String, u64)) -> Result<SignIn, Stays> {
        let newer = match &to.oauth {
            Some(oauth) => oauth.has_since(at).await.map_err(|wrong| failed(&wrong))?,
            None => return Ok(SignIn::NotNeeded),
        };
        if newer {
            return Ok(SignIn::Known);
        }
        let hint = "sign in anew with mcp-tether login and the server's URL";
        Err(lasting(what, Some(hint.to_owned())))
    }

    /// The server that a sign-in is for, as a bridge would reach it.
    fn to(&self, wanted: &Wanted, env: &impl Fn(&str) -> Option<String>) -> Result<To, Stays> {
        let entry;
        let bridge = match &wanted.source {
            Source::Typed => self.typed,
            Source::Entry(args) => {
                entry = self.bridge(args, env)?;
                &entry
            }
        };
        // Where sign-ins are kept is no matter of a file that somebody else may have written.
        let paths = match wanted.trust {
            Trust::User => Paths::find(env),
            Trust::Project => Paths::find(self.env),
        };
        let remote = connection::remote(bridge, paths.as_ref(), env);
        let remote = remote.map_err(|wrong| lasting(wrong.message, wrong.hint))?;
        let oauth = remote.exchange.authorizer().oauth().cloned();
        Ok(To {
            oauth: oauth.filter(|oauth| oauth.grant().needs_person()),
            remote,
            open: bridge.network.insecure || bridge.network.ca_file.is_some(),
        })
    }

    async fn adopt(&self, to: &To, foreign: &Foreign, trust: Trust) -> Result<SignIn, Stays> {
        let Some(oauth) = &to.oauth else {
            return Ok(SignIn::NotNeeded);
        };
        let at = foreign.tokens.obtained_at;
        if oauth.has_since(at).await.map_err(|wrong| failed(&wrong))? {
            return Ok(SignIn::Known);
        }
        let over = foreign.tokens.expires_at.is_some_and(|end| end <= self.now);
        if over && foreign.tokens.refresh.is_none() {
            return Ok(SignIn::Ended);
        }
        if to.open && trust == Trust::Project {
            let what =
                "an entry that somebody else may have written trusts another authority than yours";
            let hint =
                "type mcp-tether import, the server's URL and the options, if you trust it, too";
            return Err(lasting(what.to_owned(), Some(hint.to_owned())));
        }
        if self.mode == Mode::Show {
            return Ok(SignIn::Moved(String::new()));
        }
        let taken = self
            .ask(&to.remote, oauth, foreign)
            .await
            .map_err(|wrong| failed(&wrong))?;
        Ok(match taken {
            Taken::Kept => SignIn::Moved(String::new()),
            Taken::Known => SignIn::Known,
        })
    }

    async fn ask(
        &self,
        remote: &Remote,
        oauth: &Arc<Oauth>,
        foreign: &Foreign,
    ) -> Result<Taken, Failure> {
        match tokio::time::timeout(ASK, knock(remote)).await {
            // Its challenge says where its metadata is.
            Ok(Err(Failure::SignInNeeded(_)) | Ok(())) => {}
            Ok(Err(failure @ Failure::Unreachable { .. })) => return Err(failure),
            Ok(Err(failure)) => tracing::debug!("the server was asked in vain: {failure}"),
            Err(_) => {
                return Err(Failure::Unreachable {
                    what: format!("the server did not answer within {} s", ASK.as_secs()),
                    hint: "try again when the server can be reached",
                });
            }
        }
        oauth.take_over(foreign.clone()).await
    }

    /// What names the files of sign-ins that were made with the arguments of an entry of ours, as they stand and as the host
    /// may hand them over.
    pub fn seeds(&self, args: &[String], env: &[(String, String)]) -> Vec<Seed> {
        let own = |name: &str| {
            let own = env.iter().find(|(own, _)| own == name);
            own.map(|(_, value)| value.clone())
                .or_else(|| (self.env)(name))
        };
        let words = std::iter::once("mcp-tether".to_owned()).chain(args.iter().cloned());
        let words: Vec<OsString> = words.map(OsString::from).collect();
        let Ok(Command::Run(bridge)) = resolve::resolve(&words, &own) else {
            return Vec::new();
        };
        let seed = Seed::of(&bridge);
        let replaced = seed.map(|text| expanded(text, own));
        vec![seed, replaced]
    }

    /// The options as a bridge of those arguments has them.
    fn bridge(
        &self,
        args: &[String],
        env: &impl Fn(&str) -> Option<String>,
    ) -> Result<Bridge, Stays> {
        let mut words = vec![OsString::from("mcp-tether")];
        let mut args = args.iter().map(|arg| expanded(arg, env)).peekable();
        while let Some(arg) = args.next() {
            let header = arg == "--header" && args.peek().is_some_and(|value| value.contains("${"));
            if header {
                // Only the host knows its value.
                args.next();
            } else {
                words.push(arg.into());
            }
        }
        let command = resolve::resolve(&words, env).map_err(|wrong| match wrong {
            Unresolved::Wrong(fatal) => lasting(fatal.message, fatal.hint),
            Unresolved::Said(told) => {
                let told = told.to_string();
                let first = told.lines().next().unwrap_or_default();
                lasting(first.trim_start_matches("error: ").to_owned(), None)
            }
        })?;
        let Command::Run(mut bridge) = command else {
            return Err(lasting(
                "its arguments are those of a command".to_owned(),
                None,
            ));
        };
        if bridge.authorization.store == args::Store::Auto {
            bridge.authorization.store = self.typed.authorization.store;
        }
        Ok(bridge)
    }
}

fn lasting(what: String, hint: Option<String>) -> Stays {
    Stays {
        what,
        hint,
        reason: Reason::Lasting,
    }
}

fn failed(failure: &Failure) -> Stays {
    let reason = match (failure, failure.kind()) {
        (Failure::Store { .. }, _) => Reason::Store,
        (_, Kind::Unreachable | Kind::Timeout) => Reason::Passing,
        _ => Reason::Lasting,
    };
    Stays {
        what: failure.to_string(),
        hint: failure.hint(),
        reason,
    }
}
