//! `status` and `logout`: the sign-ins that are kept, and the end of them.

use std::process::ExitCode;
use std::time::SystemTime;

use serde_json::json;
use url::Url;

use super::account::Account;
use super::args::{Bridge as Args, Logout, Status, Store};
use super::connection::{self, Env};
use super::{grant, oauth, run};
use crate::auth::account::{self, Revoked};
use crate::auth::options::server_name;
use crate::config::Paths;
use crate::error::{Exit, Fatal};
use crate::store::{Folders, Login, Place, StoreError, logins};
use crate::ui;

/// Prints the sign-ins.
///
/// # Errors
/// The list cannot be read.
pub fn status(args: &Status, env: &Env<'_>) -> Result<ExitCode, Fatal> {
    let (folders, chosen) = chosen(&args.bridge, Scope::Profiles, env)?;
    let accounts = run::on_runtime(async {
        let mut accounts = Vec::new();
        for login in &chosen {
            accounts.push(match account::record(login, &folders).await {
                Ok(Some(record)) => Account::of_record(&record, login.place, SystemTime::now()),
                Ok(None) => Account::unreadable(login, "it is no longer there".to_owned()),
                Err(wrong) => Account::unreadable(login, wrong.to_string()),
            });
        }
        // What only registered a client is no sign-in. Of what cannot be read nobody knows.
        accounts.retain(|account| {
            account.signed_in || (account.unreadable.is_some() && !account.servers.is_empty())
        });
        accounts
    })?;
    if args.json {
        ui::data(&json!(accounts).to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    if accounts.is_empty() {
        ui::note(&match &args.bridge.server {
            Some(_) => {
                "not signed in there; hint: mcp-tether login and the server's URL".to_owned()
            }
            None => "no sign-ins; hint: mcp-tether login and the server's URL".to_owned(),
        });
    }
    let texts: Vec<String> = accounts.iter().map(Account::text).collect();
    if !texts.is_empty() {
        ui::data(&texts.join("\n\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Revokes and forgets sign-ins.
///
/// # Errors
/// One cannot be deleted, or the list cannot be read.
pub fn logout(args: &Logout, env: &Env<'_>) -> Result<ExitCode, Fatal> {
    let scope = if args.all {
        Scope::Everything
    } else {
        Scope::Profile
    };
    let (folders, chosen) = chosen(&args.bridge, scope, env)?;
    let key = grant::key(&args.bridge.authorization)?;
    let ended = run::on_runtime(async {
        let mut ended = Vec::new();
        for login in &chosen {
            // Which server it is makes no difference to how others are reached.
            let Ok(issuer) = Url::parse(&login.key.issuer) else {
                continue;
            };
            let network = connection::network(&args.bridge, issuer);
            let revoked = account::end(login, &folders, &network, key.as_ref())
                .await
                .map_err(|wrong| store_failed(&wrong))?;
            ended.push((login, revoked));
        }
        Ok::<_, Fatal>(ended)
    })??;
    let mut shown = Vec::new();
    for (login, revoked) in &ended {
        let servers: Vec<&String> = login.servers.iter().collect();
        let told = told(revoked);
        let is_revoked = matches!(revoked, Revoked::Yes);
        if args.json {
            shown.push(json!({ "servers": servers, "issuer": login.key.issuer, "profile": login.key.profile, "revoked": is_revoked, "told": told }));
        } else {
            let name = servers.first().map_or(&login.key.resource, |name| name);
            let name = name.split('#').next().unwrap_or_default();
            ui::data(&format!("{name}: {told}"))?;
            if let Some(hint) = hint(revoked) {
                ui::note(hint);
            }
        }
    }
    if args.json {
        ui::data(&json!(shown).to_string())?;
    } else if ended.is_empty() {
        ui::note("there was no sign-in");
    }
    Ok(ExitCode::SUCCESS)
}

/// How a sign-in ended, for people.
fn told(revoked: &Revoked) -> String {
    let why = match revoked {
        Revoked::Yes => return "revoked and forgotten".to_owned(),
        Revoked::Nothing => return "forgotten; there was no token to revoke".to_owned(),
        Revoked::NotOffered => "the server offers no revocation".to_owned(),
        Revoked::NoKey => "that takes the client's key".to_owned(),
        Revoked::NoClient => "a workload without --client-id cannot ask for it".to_owned(),
        Revoked::Failed(why) => why.to_string(),
    };
    format!("forgotten, but not revoked: {why}")
}

/// What may be done about it.
const fn hint(revoked: &Revoked) -> Option<&'static str> {
    Some(match revoked {
        Revoked::NoKey => "hint: next time, give --private-key-file to logout as well",
        Revoked::NotOffered | Revoked::NoClient => "hint: the token is good until it ends",
        Revoked::Yes | Revoked::Nothing | Revoked::Failed(_) => return None,
    })
}

/// Which sign-ins are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Those of the given profile.
    Profile,
    /// Those of all profiles, unless one is given.
    Profiles,
    /// All of them.
    Everything,
}

fn chosen(args: &Args, scope: Scope, env: &Env<'_>) -> Result<(Folders, Vec<Login>), Fatal> {
    let paths = Paths::find(env);
    run::log(args, paths.as_ref(), env)?;
    let Some(paths) = paths else {
        return Err(Fatal {
            exit: Exit::Store,
            message: "there are no sign-ins: this user has no home folder".to_owned(),
            hint: Some("set MCP_TETHER_HOME to a folder".to_owned()),
        });
    };
    let folders = oauth::folders(&paths);
    let server = match &args.server {
        Some(_) => Some(server_name(&connection::server_url(args)?)),
        None => None,
    };
    let given = &args.authorization;
    let mut all = run::on_runtime(logins(&folders))?.map_err(|wrong| store_failed(&wrong))?;
    all.retain(|login| {
        let profile = match scope {
            Scope::Profile => login.key.profile == given.profile,
            Scope::Profiles => given.profile == "default" || login.key.profile == given.profile,
            Scope::Everything => true,
        };
        let kept = match given.store {
            Store::Auto => true,
            Store::Keyring => login.place == Place::Keyring,
            Store::File => login.place == Place::File,
            Store::Memory => false,
        };
        let here = server
            .as_ref()
            .is_none_or(|server| login.servers.contains(server));
        profile && kept && here
    });
    Ok((folders, all))
}

fn store_failed(wrong: &StoreError) -> Fatal {
    Fatal {
        exit: Exit::Store,
        message: wrong.to_string(),
        hint: Some(wrong.hint()),
    }
}
