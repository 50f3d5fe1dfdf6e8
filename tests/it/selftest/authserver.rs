//! The fake authorization server, the protected MCP server and the browser stub, driven by hand.
#![cfg(unix)]

mod hand;

use std::process::Command;

use serde_json::{Value, json};

use self::hand::{Answer, Client, STATE, VERIFIER, form, post};
use crate::support::authserver::{
    AuthServer, Conduct, Consent, Exchange, Iss, METADATA, Metadata, REGISTER, REVOKE, Refresh,
    s256,
};
use crate::support::browser::Browser;
use crate::support::mcp::LegacyPlan;
use crate::support::protected::{self, Protected};
use crate::support::rpc;
use crate::support::server::Peer;
use crate::support::visit::{self, location, parameter};

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn ask(mcp: &Protected, token: Option<&str>, body: &str) -> Answer {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![
        ("accept", "application/json, text/event-stream"),
        ("content-type", "application/json"),
    ];
    headers.extend(
        bearer
            .iter()
            .map(|bearer| ("authorization", bearer.as_str())),
    );
    post(&mcp.url(), &headers, body.to_owned())
}

fn hello() -> String {
    rpc::request("0", "initialize", r#"{"protocolVersion":"2025-11-25"}"#)
}

#[test]
fn the_challenge_is_the_one_of_rfc_7636() {
    // Appendix B.
    assert_eq!(
        s256(VERIFIER),
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    );
}

#[test]
fn a_whole_sign_in_from_the_challenge_to_the_logout() {
    let auth = AuthServer::new();
    let mcp = Protected::new(&auth);
    let refused = ask(&mcp, None, &hello());
    assert_eq!(refused.status, 401);
    let metadata = mcp.mcp.server.at(protected::METADATA);
    assert_eq!(
        refused.challenge,
        format!(r#"Bearer resource_metadata="{metadata}""#)
    );
    let document = visit::request("GET", &metadata, &[]).unwrap().text;
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["resource"], mcp.url());
    assert_eq!(document["authorization_servers"][0], auth.issuer());
    let document = visit::request("GET", &auth.server.at(METADATA), &[])
        .unwrap()
        .text;
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["issuer"], auth.issuer());
    assert_eq!(document["registration_endpoint"], auth.server.at(REGISTER));

    let client = Client::new(&auth, &mcp.url());
    let back = location(&client.address(&[]));
    assert!(back.starts_with(hand::BACK), "{back}");
    assert_eq!(parameter(&back, "state").as_deref(), Some(STATE));
    assert_eq!(parameter(&back, "iss"), Some(auth.issuer()));
    let answer = client.exchange(&[]).body;
    assert_eq!(
        (text(&answer, "scope"), &answer["expires_in"]),
        ("a b".to_owned(), &json!(3600))
    );
    let (access, refresh) = (
        text(&answer, "access_token"),
        text(&answer, "refresh_token"),
    );
    assert_eq!(ask(&mcp, Some(&access), &hello()).status, 200);

    auth.end_access();
    let refused = ask(&mcp, Some(&access), &hello());
    assert_eq!(refused.status, 401);
    assert!(
        refused.challenge.contains(r#"error="invalid_token""#),
        "{}",
        refused.challenge
    );
    let answer = client.refresh(&refresh).body;
    let (access, next) = (
        text(&answer, "access_token"),
        text(&answer, "refresh_token"),
    );
    assert_ne!(next, refresh);
    assert_eq!(ask(&mcp, Some(&access), &hello()).status, 200);

    let revoke = form(&[("token", &next), ("client_id", &client.id)]);
    assert_eq!(post(&auth.server.at(REVOKE), &[], revoke).status, 200);
    assert_eq!(ask(&mcp, Some(&access), &hello()).status, 401);
    assert_eq!(client.refresh(&next).body["error"], "invalid_grant");
    assert_eq!((auth.registrations(), auth.authorizations().len()), (1, 2));
    assert_eq!(
        (auth.exchanges("authorization_code").len(), auth.refreshes()),
        (1, 2)
    );
    assert_eq!(auth.revocations().len(), 1);
    for secret in [&access, &refresh, &next, &VERIFIER.to_owned()] {
        assert!(auth.secrets().contains(secret), "{secret}");
    }
}

#[test]
fn a_refresh_token_that_is_used_twice_ends_its_grant_and_is_an_offence() {
    let auth = AuthServer::new();
    let client = Client::new(&auth, "http://r/mcp");
    let first = text(&client.exchange(&[]).body, "refresh_token");
    let second = client.refresh(&first).body;
    assert_eq!(client.refresh(&first).body["error"], "invalid_grant");
    assert_eq!(client.refresh(&text(&second, "refresh_token")).status, 400);
    let access = text(&second, "access_token");
    assert_eq!(auth.state().admits(&access, "http://r/mcp"), None);
    assert_eq!((auth.reuses(), auth.faults().take().len()), (1, 1));
}

#[test]
fn what_the_rules_forbid_is_refused_and_booked() {
    let auth = AuthServer::new();
    let client = Client::new(&auth, "http://r/mcp");
    let offences = || auth.faults().take().len();
    for (name, value) in [
        ("client_id", "nobody"),
        ("redirect_uri", "http://127.0.0.1:9/other"),
    ] {
        let page = visit::follow(&client.address(&[(name, value)]));
        assert_eq!((page.status, offences()), (400, 1), "{name}");
    }
    for name in [
        "response_type",
        "code_challenge",
        "code_challenge_method",
        "state",
        "resource",
    ] {
        let back = location(&client.address(&[(name, "")]));
        assert_eq!(
            parameter(&back, "error").as_deref(),
            Some("invalid_request"),
            "{name}"
        );
        assert_eq!(offences(), 1, "{name}");
    }
    for (name, value) in [
        ("code_verifier", "wrong"),
        ("redirect_uri", "http://127.0.0.1:10/oauth/callback"),
        ("resource", "http://other/mcp"),
        ("client_secret", "made-up"),
    ] {
        let answer = client.exchange(&[(name, value)]);
        assert_eq!(answer.body.get("access_token"), None, "{name}");
        assert_eq!(offences(), 1, "{name}");
    }
    let web = json!({ "redirect_uris": ["https://example.com/"] }).to_string();
    assert_eq!(post(&auth.server.at(REGISTER), &[], web).status, 400);
    assert_eq!(offences(), 1);
    let code = parameter(&location(&client.address(&[])), "code").unwrap();
    assert!(client.exchange(&[("code", &code)]).status == 200);
    assert_eq!(
        client.exchange(&[("code", &code)]).body["error"],
        "invalid_grant"
    );
}

#[test]
fn a_client_with_a_secret_has_to_show_it() {
    let auth = AuthServer::new();
    auth.set(|conduct| conduct.secret = Some("client_secret_basic"));
    let mut client = Client::new(&auth, "http://r/mcp");
    assert_eq!(client.exchange(&[]).status, 200);
    client.secret = Some("wrong".to_owned());
    let answer = client.exchange(&[]);
    assert_eq!(
        (answer.status, &answer.body["error"]),
        (401, &json!("invalid_client"))
    );
    assert_eq!(auth.faults().take().len(), 1);
    auth.forget_clients();
    assert_eq!(client.refresh("any").body["error"], "invalid_client");
}

#[test]
fn each_switch_does_what_it_says() {
    let auth = AuthServer::new();
    let client = Client::new(&auth, "http://r/mcp");
    let set = |change: fn(&mut Conduct)| {
        auth.set(|conduct| {
            *conduct = Conduct::default();
            change(conduct);
        });
    };
    let document = || visit::request("GET", &auth.server.at(METADATA), &[]).unwrap();
    set(|c| c.consent = Consent::Denied);
    let back = location(&client.address(&[]));
    assert_eq!(parameter(&back, "error").as_deref(), Some("access_denied"));
    set(|c| c.consent = Consent::Never);
    assert_eq!(visit::follow(&client.address(&[])).status, 200);
    set(|c| c.iss = Iss::Wrong("https://evil".to_owned()));
    let back = location(&client.address(&[]));
    assert_eq!(parameter(&back, "iss").as_deref(), Some("https://evil"));
    set(|c| c.iss = Iss::Missing);
    assert_eq!(parameter(&location(&client.address(&[])), "iss"), None);
    set(|c| c.narrows = Some("a"));
    assert_eq!(text(&client.exchange(&[]).body, "scope"), "a");
    set(|c| c.exchange = Exchange::AccessOnly);
    assert_eq!(client.exchange(&[]).body.get("refresh_token"), None);
    set(|c| c.exchange = Exchange::Refused("invalid_grant"));
    assert_eq!(client.exchange(&[]).body["error"], "invalid_grant");
    set(|_| {});
    let refresh = text(&client.exchange(&[]).body, "refresh_token");
    set(|c| c.refresh = Refresh::Fails(503));
    assert_eq!(client.refresh(&refresh).status, 503);
    set(|c| c.refresh = Refresh::Refused("invalid_grant"));
    assert_eq!(client.refresh(&refresh).body["error"], "invalid_grant");
    set(|c| c.refresh = Refresh::Keeps);
    assert_eq!(client.refresh(&refresh).body.get("refresh_token"), None);
    assert_eq!(client.refresh(&refresh).status, 200);
    set(|c| c.pkce = false);
    assert!(!document().text.contains("code_challenge_methods_supported"));
    set(|c| c.registration = false);
    assert!(!document().text.contains(REGISTER));
    set(|c| c.metadata = Metadata::OtherIssuer("https://evil".to_owned()));
    assert!(document().text.contains(r#""issuer":"https://evil""#));
    set(|c| c.metadata = Metadata::Redirect("https://evil/".to_owned()));
    assert_eq!(document().status, 302);
    set(|c| c.metadata = Metadata::Huge);
    assert!(document().text.len() > 1 << 20);
    set(|c| c.openid = true);
    assert_eq!(document().status, 404);
}

#[test]
fn the_door_opens_by_method_and_by_scope() {
    let auth = AuthServer::new();
    let plan = LegacyPlan::default().lenient().stateless();
    let mcp = Protected::with(&auth, plan);
    mcp.set(|door| {
        door.open.insert("initialize");
        door.scopes.insert("add", "c");
        door.challenge = Some("a");
    });
    assert_eq!(ask(&mcp, None, &hello()).status, 200);
    let call = rpc::call("1", "add", "{}");
    let refused = ask(&mcp, None, &call);
    assert!(
        refused.challenge.contains(r#", scope="a""#),
        "{}",
        refused.challenge
    );
    let client = Client::new(&auth, &mcp.url());
    let access = text(&client.exchange(&[]).body, "access_token");
    let refused = ask(&mcp, Some(&access), &call);
    assert_eq!(refused.status, 403);
    let wanted = r#"Bearer error="insufficient_scope", scope="c", resource_metadata="#;
    assert!(
        refused.challenge.starts_with(wanted),
        "{}",
        refused.challenge
    );
    let echo = rpc::call("1", "echo", "{}");
    assert_eq!(ask(&mcp, Some(&access), &echo).status, 200);
    let other = Client::new(&auth, "http://other/mcp");
    let access = text(&other.exchange(&[]).body, "access_token");
    assert_eq!(ask(&mcp, Some(&access), &call).status, 401);
    let new = AuthServer::new();
    new.server.allow_idle();
    mcp.move_to(&new);
    let document = visit::request("GET", &mcp.mcp.server.at(protected::METADATA), &[]).unwrap();
    assert!(document.text.contains(&new.issuer()), "{document}");
}

#[test]
fn eight_stubs_at_once_hand_over_eight_whole_addresses() {
    let browser = Browser::new();
    let url = |n: usize| format!("http://127.0.0.1:9/{n}?x={}", "y".repeat(3000));
    let stubs = (1..=8).map(|n| {
        let command = browser.command().replace("%s", &url(n));
        let mut words = command.split(' ');
        let mut stub = Command::new(words.next().unwrap());
        stub.args(words).spawn().unwrap()
    });
    for mut stub in stubs.collect::<Vec<_>>() {
        assert!(stub.wait().unwrap().success());
    }
    let mut opened: Vec<String> = (1..=8).map(|nth| browser.address(nth)).collect();
    opened.sort();
    assert_eq!(opened, (1..=8).map(url).collect::<Vec<_>>());
    assert_eq!(browser.opened(), 8);
}

#[test]
fn a_stub_that_comes_too_late_ends() {
    let browser = Browser::new();
    let command = browser.command().replace("%s", "http://127.0.0.1:9/");
    drop(browser);
    let mut words = command.split(' ');
    let status = Command::new(words.next().unwrap())
        .args(words)
        .status()
        .unwrap();
    assert!(!status.success());
}

#[test]
fn a_browser_that_follows_ends_where_the_redirects_end() {
    let auth = AuthServer::new();
    auth.set(|conduct| conduct.consent = Consent::Never);
    let browser = Browser::following();
    let client = Client::new(&auth, "http://r/mcp");
    let address = client.address(&[]);
    let command = browser.command();
    let mut words = command.split(' ').map(|word| word.replace("%s", &address));
    let status = Command::new(words.next().unwrap())
        .args(words)
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(browser.address(1), address);
    assert_eq!(browser.page(1).status, 200);
}
