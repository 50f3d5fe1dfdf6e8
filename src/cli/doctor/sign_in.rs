//! What signing in needs: the metadata, a client, and a sign-in that is kept. Nothing is registered, and nobody is signed in.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::check::Finding;
use super::contact;
use super::patient::Patient;
use crate::auth::challenge::{challenges, oauth};
use crate::auth::discovery::Source;
use crate::auth::examine::{Examined, Identified};
use crate::auth::loopback::Host;
use crate::auth::{Authorizer, Oauth};
use crate::bridge::Order;
use crate::cli::account::Account;
use crate::cli::args::Bridge as Args;
use crate::error::{Claim, Exit, Failure};
use crate::store::Record;
use crate::transport::{Http, Outgoing, Transport};

/// How long the server may take to look at a token.
const LIMIT: Duration = Duration::from_secs(30);

/// The metadata of the server and of its authorization server.
pub async fn metadata(patient: &mut Patient<'_>) -> Finding {
    if let Some(why) = patient.no_ground() {
        return Finding::skip(why);
    }
    let Some(remote) = &patient.remote else {
        return Finding::skip("not tried: there is no URL");
    };
    let wanted = patient
        .answer()
        .is_some_and(contact::Contact::wants_sign_in);
    if !wanted {
        return Finding::skip("the server asks for no sign-in");
    }
    let oauth_side = match remote.exchange.authorizer() {
        Authorizer::Oauth(oauth) => Arc::clone(oauth),
        other => {
            let finding = refused(other, patient.args);
            patient.stopped = Some("metadata");
            return finding;
        }
    };
    if oauth_side.options().token_endpoint.is_some() {
        return Finding::skip("the token endpoint is given (--token-endpoint)");
    }
    // What is kept may know a client there.
    let _ = oauth_side.load().await;
    let answer = patient.answer();
    let challenge = answer
        .map(|answer| challenges(&answer.headers))
        .unwrap_or_default();
    let named = oauth(&challenge).and_then(|found| found.parameter("resource_metadata"));
    let peer = answer.and_then(|answer| answer.peer);
    match oauth_side.examine(named, peer).await {
        Err(failure) => {
            patient.signed_out = true;
            patient.stopped = Some("metadata");
            unbelieved(&failure)
        }
        Ok(examined) => {
            let finding = documents(&examined, &oauth_side);
            patient.examined = Some(examined);
            finding
        }
    }
}

/// A 401 where no sign-in can help.
fn refused(authorizer: &Authorizer, args: &Args) -> Finding {
    let given = !args.remote.header.is_empty() || !args.remote.header_file.is_empty();
    let finding = match authorizer {
        Authorizer::Command(_) => Finding::fail(
            Exit::Auth,
            "the server refuses the headers that --header-command prints (HTTP 401)",
            "run the command by hand and look at what it prints",
        ),
        _ if given => Finding::fail(
            Exit::Auth,
            "the server refuses the given headers (HTTP 401)",
            "check the token in the Authorization header, or take the header and --auth none away to sign in with the browser",
        ),
        _ => Finding::fail(
            Exit::Auth,
            "the server wants a sign-in (HTTP 401), and --auth none leaves it out",
            "take --auth none away to sign in with the browser, or give the server's token with --header-file FILE",
        ),
    };
    finding.fault("unauthorized")
}

fn unbelieved(failure: &Failure) -> Finding {
    let fault = match failure {
        Failure::NoSignIn => "no-metadata",
        Failure::Mismatch {
            of: Claim::Issuer, ..
        } => "wrong-issuer",
        Failure::Mismatch {
            of: Claim::Resource,
            ..
        } => "wrong-resource",
        Failure::Credentials { .. } => "metadata",
        _ => "metadata-unreachable",
    };
    let mut finding = Finding::of_failure(failure).fault(fault);
    if fault == "no-metadata" {
        finding.found =
            "the server wants a sign-in (HTTP 401) and has no metadata that says where".to_owned();
    }
    finding.or_hint("tell the server's owner, or give a token with --header-file FILE")
}

fn documents(examined: &Examined, oauth: &Oauth) -> Finding {
    let found = &examined.discovered;
    let issuer = &found.issuer;
    let finding = if !examined.pkce && oauth.grant().needs_person() {
        Finding::fail(
            Exit::Auth,
            format!("{issuer} does not say that it knows PKCE with S256"),
            "tell its owner; if you trust it all the same, add --allow-missing-pkce-metadata",
        )
        .fault("no-pkce")
    } else if found.source == Source::Assumed {
        Finding::warn(
            format!(
                "there is no metadata: the addresses of revision 2025-03-26 are assumed at {issuer}"
            ),
            "tell the server's owner if signing in fails",
        )
        .fault("no-metadata")
    } else {
        Finding::ok(format!("sign in at {issuer}"))
    };
    finding
        .with("issuer", issuer.as_str())
        .with("resource", found.resource.as_str())
        .with("scopes", found.scopes.clone().unwrap_or_default())
}

/// Who we are to the authorization server.
pub fn client(patient: &Patient<'_>) -> Finding {
    let (Some(examined), Some(oauth)) = (&patient.examined, patient.oauth()) else {
        return no_sign_in(patient);
    };
    let issuer = &examined.discovered.issuer;
    match &examined.client {
        Identified::Given(id) => Finding::ok(format!("the given client {id}")),
        Identified::Document(url) => Finding::ok(format!("the client metadata document {url}")),
        Identified::Kept(_) => Finding::ok(format!("registered with {issuer} before")),
        Identified::Registers(url) => {
            let shown = crate::net::guard::shown(url);
            Finding::ok(format!("registers by itself at {shown}"))
                .with("registrationEndpoint", shown)
        }
        Identified::ByHand if !oauth.grant().needs_person() => {
            Finding::ok("none is needed: the workload's token says who asks")
        }
        Identified::ByHand => {
            let callback = &oauth.options().callback;
            let host = callback.host.unwrap_or(Host::Ipv4);
            let port = callback
                .port
                .map_or("PORT".to_owned(), |port| port.to_string());
            let redirect = format!("http://{host}:{port}{}", callback.path);
            Finding::fail(
                Exit::Auth,
                format!("{issuer} does not register clients by itself"),
                format!("register one there by hand with the redirect address {redirect}, and give its id with --client-id"),
            )
            .fault("no-registration")
        }
    }
}

/// Why there is nothing to look at.
pub fn no_sign_in(patient: &Patient<'_>) -> Finding {
    Finding::skip(match patient.no_ground() {
        Some(why) => why,
        None => "the server asks for no sign-in".to_owned(),
    })
}

/// The sign-in that is kept, and whether the server takes it.
pub async fn login(patient: &mut Patient<'_>) -> Finding {
    let shown = patient.shown();
    let wanted = patient
        .answer()
        .is_some_and(contact::Contact::wants_sign_in);
    let Some(oauth) = patient.oauth().cloned() else {
        return no_sign_in(patient);
    };
    if patient.stopped.is_some() && patient.stopped != Some("metadata") {
        return no_sign_in(patient);
    }
    if patient.store_broken && !wanted {
        return Finding::skip("not tried: the store does not work");
    }
    let type_login = format!("mcp-tether login {shown}");
    if let Err(failure) = oauth.load().await {
        patient.signed_out = wanted;
        let finding = Finding::of_failure(&failure);
        return if wanted {
            finding
        } else {
            Finding::skip(finding.found)
        };
    }
    let record = oauth.record().filter(|record| record.tokens.is_some());
    let Some(record) = record else {
        if !wanted {
            return Finding::skip("the server asks for no sign-in");
        }
        if !oauth.grant().needs_person() {
            return Finding::ok("none is kept; tokens are had without a person");
        }
        patient.signed_out = true;
        patient.stopped.get_or_insert("login");
        return Finding::fail(Exit::Auth, "nobody is signed in", type_login).fault("signed-out");
    };
    let finding = kept(&record, &oauth, &type_login);
    if matches!(finding.outcome, super::check::Outcome::Fail(_)) {
        patient.signed_out = true;
        patient.stopped.get_or_insert("login");
        return finding;
    }
    match taken(patient).await {
        Ok(()) => finding,
        Err(failure) => {
            patient.signed_out = true;
            patient.stopped.get_or_insert("login");
            let told = match failure {
                Failure::SignInNeeded(_) => {
                    "the server no longer takes the sign-in that is kept".to_owned()
                }
                other => format!("the sign-in that is kept is of no use: {other}"),
            };
            Finding::fail(Exit::Auth, told, type_login).fault("login-refused")
        }
    }
}

/// What a record says of itself.
fn kept(record: &Record, oauth: &Oauth, type_login: &str) -> Finding {
    let account = Account::of_record(record, oauth.place(), SystemTime::now());
    let whose = match &account.account {
        Some(name) => format!("signed in as {name}"),
        None => "signed in".to_owned(),
    };
    let told = format!("{whose}; the token is {}", account.token());
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let ends = record.tokens.as_ref().and_then(|tokens| tokens.expires_at);
    let ended = ends.is_some_and(|at| at <= now);
    let finding = match (ended, account.refreshable) {
        (true, false) => Finding::fail(Exit::Auth, told, type_login).fault("login-expired"),
        (false, false) if ends.is_some() => Finding::ok(told).with("refreshable", false),
        _ => Finding::ok(told).with("refreshable", account.refreshable),
    };
    match account.expires_at {
        Some(at) => finding.with("expiresAt", at),
        None => finding,
    }
}

/// Whether the server takes the tokens, refreshed where that is due. What it makes of the message is another matter.
async fn taken(patient: &Patient<'_>) -> Result<(), Failure> {
    let Some(remote) = &patient.remote else {
        return Ok(());
    };
    if matches!(
        remote.order,
        Order::WebSocket | Order::SseOnly | Order::SseFirst
    ) {
        // They have no first message of that kind; the handshake tells.
        return Ok(());
    }
    let http = Transport::Http(Arc::new(Http::new(Arc::clone(&remote.exchange))));
    let outgoing = Outgoing::opening(contact::hello());
    match tokio::time::timeout(LIMIT, http.send(&outgoing)).await {
        Ok(Ok(_)) => {
            http.begin(Some("2025-11-25"));
            http.close().await;
            Ok(())
        }
        Ok(Err(
            failure @ (Failure::SignInNeeded(_)
            | Failure::Unauthorized(_)
            | Failure::SignIn { .. }
            | Failure::NoSignIn
            | Failure::Credentials { .. }
            | Failure::Mismatch { .. }),
        )) => Err(failure),
        // It read the token and says something else.
        Ok(Err(_)) | Err(_) => Ok(()),
    }
}
