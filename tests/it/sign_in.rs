//! The first sign-in, through the real binary and a stub for the browser: what opens, who waits for it, what is kept.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::authserver::{AUTHORIZE, METADATA, Metadata, REGISTER, TOKEN};
use crate::support::browser::Browser;
use crate::support::gate::Gate;
use crate::support::protected;
use crate::support::rpc;
use crate::support::scene::{Scene, address, addresses, say_hello, welcomed};
use crate::support::server::{Peer, Plan};
use crate::support::tether::Tether;
use crate::support::visit;

fn works(tether: &Tether, id: &str) {
    let answer = tether.call(id, "echo", r#"{"text":"x"}"#).result();
    assert_eq!(answer["content"][0]["text"], "x");
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn a_401_opens_the_browser_once_and_initialize_gets_the_real_answer() {
    let scene = Scene::following();
    let tether = scene.launch().start();
    let hello = tether.initialize().result();
    assert_eq!(hello["serverInfo"]["name"], "scripted");
    assert_eq!(hello.get("instructions"), None);
    let page = scene.browser.page(1);
    assert_eq!(page.status, 200, "{page}");
    assert!(page.text.contains("You are signed in"), "{}", page.text);
    works(&tether, "1");
    let shown = addresses(&tether.stderr());
    assert_eq!(shown, [scene.browser.address(1)]);
    assert_eq!(tether.stderr().lines().count(), 1, "{}", tether.stderr());
    assert!(tether.unread().is_empty());
    assert_eq!(tether.finish(), 0);
    assert_eq!(scene.browser.opened(), 1);
    assert_eq!(scene.auth.registrations(), 1);
    assert_eq!(scene.auth.authorizations().len(), 1);
    assert_eq!(scene.auth.exchanges("authorization_code").len(), 1);
    for path in [METADATA, REGISTER, AUTHORIZE, TOKEN] {
        assert_eq!(scene.auth.asked(path), 1, "{path}");
    }
}

#[test]
fn every_request_to_the_server_has_the_token_the_last_one_too() {
    let scene = Scene::new();
    let tether = scene.signed_in();
    works(&tether, "1");
    scene.mcp.mcp.wait_calls("GET", 1);
    assert_eq!(tether.finish(), 0);
    assert_eq!(scene.mcp.mcp.calls("DELETE").len(), 1);
    let mut requests = scene.mcp.mcp.server.requests();
    requests.retain(|request| request.path == "/mcp");
    assert_eq!(requests[0].header("authorization"), None);
    for request in &requests[1..] {
        let header = request.header("authorization").unwrap_or_default();
        assert!(header.starts_with("Bearer access-"), "{request}");
    }
}

#[test]
fn the_second_start_needs_no_browser_and_asks_nobody_else() {
    let scene = Scene::new();
    assert_eq!(scene.signed_in().finish(), 0);
    let asked = scene.auth.server.requests().len();
    let metadata = scene.mcp.mcp.server.requests().len();
    let again = scene.launch().start();
    again.initialize();
    works(&again, "1");
    assert_eq!(again.stderr(), "");
    assert_eq!(again.finish(), 0);
    assert_eq!(scene.auth.authorizations().len(), 1);
    assert_eq!(scene.auth.server.requests().len(), asked);
    let new = scene.mcp.mcp.server.requests().split_off(metadata);
    for request in new {
        assert!(request.header("authorization").is_some(), "{request}");
    }
}

#[test]
fn the_tokens_are_in_a_file_of_this_user_alone() {
    let scene = Scene::new();
    let _tether = scene.signed_in();
    let home = scene.home();
    assert_eq!(mode(&home.join("credentials")), 0o700);
    assert_eq!(mode(&home.join("state")), 0o700);
    let records = scene.records();
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(mode(&records[0]), 0o600);
    let kept = std::fs::read_to_string(&records[0]).unwrap();
    let secrets = scene.auth.secrets();
    let kind = |kind: &str| secrets.iter().find(|secret| secret.starts_with(kind));
    assert!(kept.contains(kind("access").unwrap()), "{kept}");
    assert!(kept.contains(kind("refresh").unwrap()), "{kept}");
    for entry in std::fs::read_dir(home.join("state")).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
        let text = std::fs::read_to_string(&path).unwrap();
        for secret in &secrets {
            assert!(!text.contains(secret), "{}: {text}", path.display());
        }
    }
}

#[test]
fn the_page_says_success_only_after_the_exchange() {
    let scene = Scene::following();
    let gate = Gate::new();
    scene.auth.set(|conduct| conduct.hold = Some(gate.clone()));
    let tether = scene.launch().start();
    say_hello(&tether);
    scene.auth.wait_asked(TOKEN, 1);
    assert!(scene.browser.pages().is_empty(), "the tab still waits");
    gate.open();
    assert_eq!(scene.browser.page(1).status, 200);
    welcomed(&tether);
}

#[test]
fn the_page_is_one_that_nobody_can_misuse() {
    let scene = Scene::following();
    let tether = scene.launch().start();
    tether.initialize();
    let page = scene.browser.page(1);
    let header = |name: &str| {
        page.headers
            .get(name)
            .map(String::as_str)
            .unwrap_or_default()
    };
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    assert_eq!(header("referrer-policy"), "no-referrer");
    assert_eq!(header("cache-control"), "no-store");
    for directive in ["default-src", "frame-ancestors", "form-action", "base-uri"] {
        let forbids = format!("{directive} 'none'");
        assert!(
            header("content-security-policy").contains(&forbids),
            "{forbids}"
        );
    }
    for name in ["code", "state", "iss"] {
        let value = visit::parameter(&page.url, name).unwrap();
        assert!(!page.text.contains(&value), "{name}");
    }
    assert!(!page.text.contains("<script"));
}

#[test]
fn auth_success_url_is_where_the_browser_goes_in_the_end() {
    let scene = Scene::new();
    let success = scene.mcp.mcp.server.at("/done");
    let tether = scene
        .launch()
        .args(["--auth-success-url", &success])
        .start();
    say_hello(&tether);
    let page = visit::follow(&address(&tether));
    assert_eq!(page.url, success);
    welcomed(&tether);
}

#[test]
fn the_authorization_request_has_what_the_rules_want() {
    let scene = Scene::new();
    scene.mcp.set(|door| {
        door.challenge = Some("files:read");
        door.supported = vec!["files:read", "files:write"];
    });
    scene
        .auth
        .set(|conduct| conduct.scopes = vec!["offline_access", "admin"]);
    let launch = scene.launch().args(["--authorize-param", "audience=x&y"]);
    let _tether = scene.sign_in(launch);
    let asked = scene.auth.authorizations().remove(0);
    assert_eq!(asked["scope"], "files:read offline_access");
    assert_eq!(asked["resource"], scene.mcp.url());
    assert_eq!(asked["audience"], "x&y");
    let client = scene.auth.clients().remove(0);
    assert_eq!(
        client.document["redirect_uris"],
        serde_json::json!([asked["redirect_uri"]])
    );
    let exchange = scene.auth.exchanges("authorization_code").remove(0);
    assert_eq!(exchange["resource"], scene.mcp.url());
    assert_eq!(exchange["redirect_uri"], asked["redirect_uri"]);
}

#[test]
fn without_a_scope_anywhere_none_is_asked_for() {
    let scene = Scene::new();
    let _tether = scene.signed_in();
    assert_eq!(scene.auth.authorizations()[0].get("scope"), None);
}

#[test]
fn the_challenge_is_met_on_a_later_request_too() {
    let scene = Scene::following();
    scene.mcp.set(|door| {
        let open = ["initialize", "notifications/initialized", "tools/list"];
        door.open.extend(open);
    });
    let tether = scene.launch().start();
    tether.initialize();
    tether.ask("1", "tools/list", "{}").result();
    assert_eq!(scene.auth.asked(METADATA), 0);
    works(&tether, "2");
    assert_eq!(scene.mcp.mcp.calls("initialize").len(), 1);
    assert_eq!(scene.browser.opened(), 1);
}

#[test]
fn fifty_calls_wait_for_one_sign_in_and_are_all_answered() {
    let scene = Scene::new();
    scene.mcp.set(|door| {
        let open = ["initialize", "notifications/initialized"];
        door.open.extend(open);
    });
    let tether = scene.launch().start();
    tether.initialize();
    let ids: Vec<String> = (1..=50).map(|id: u32| id.to_string()).collect();
    for id in &ids {
        tether.send(&rpc::call(id, "echo", &format!(r#"{{"text":"{id}"}}"#)));
    }
    visit::follow(&address(&tether));
    for id in &ids {
        let answer = tether.answer(id).result();
        assert_eq!(answer["content"][0]["text"], id.as_str());
    }
    assert_eq!(scene.auth.authorizations().len(), 1);
}

#[test]
fn a_secret_of_the_registration_is_used_as_the_server_wants() {
    for method in ["client_secret_basic", "client_secret_post"] {
        let scene = Scene::with(|conduct| conduct.secret = Some(method));
        let tether = scene.signed_in();
        scene.auth.end_access();
        works(&tether, "1");
        assert_eq!(scene.auth.refreshes(), 1);
        let exchange = scene.auth.exchanges("authorization_code").remove(0);
        let posted = exchange.contains_key("client_secret");
        assert_eq!(posted, method == "client_secret_post");
    }
}

#[test]
fn a_client_that_the_user_brings_does_not_register() {
    let scene = Scene::with(|conduct| conduct.registration = false);
    scene
        .auth
        .set(|conduct| conduct.secret = Some("client_secret_post"));
    let port = free_port();
    let back = format!("http://127.0.0.1:{port}/oauth/callback");
    scene.auth.admit_client("brought", Some("hush"), &back);
    let info = r#"{"client_id":"brought","client_secret":"hush"}"#;
    let launch = scene.launch().args([
        port.to_string().as_str(),
        "--static-oauth-client-info",
        info,
    ]);
    let _tether = scene.sign_in(launch);
    assert_eq!(scene.auth.registrations(), 0);
    assert_eq!(scene.auth.authorizations()[0]["client_id"], "brought");
}

#[test]
fn a_metadata_document_is_the_client_where_the_server_takes_one() {
    let document = "https://client.example/mcp.json";
    for documents in [true, false] {
        let scene = Scene::with(|conduct| conduct.documents = documents);
        // The port of the document is one for the whole machine.
        let port = free_port().to_string();
        let launch = scene
            .launch()
            .args([&port, "--client-metadata-url", document]);
        let tether = scene.sign_in(launch);
        works(&tether, "1");
        assert_eq!(scene.auth.registrations(), usize::from(!documents));
        let client = scene.auth.authorizations()[0]["client_id"].clone();
        assert_eq!(client == document, documents, "{client}");
        scene.auth.end_access();
        works(&tether, "2");
        assert_eq!(scene.auth.refreshes(), 1);
    }
}

fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

#[test]
fn metadata_of_openid_connect_does_as_well() {
    let scene = Scene::with(|conduct| conduct.openid = true);
    works(&scene.signed_in(), "1");
}

#[test]
fn an_authorization_server_that_is_down_at_first_is_waited_for() {
    let scene = Scene::of(Plan::default().down(), Browser::following());
    let tether = scene.launch().start();
    say_hello(&tether);
    scene.mcp.mcp.server.log().wait("the metadata", |log| {
        log.iter()
            .any(|request| request.path == protected::METADATA)
            .then_some(())
    });
    scene.auth.server.start();
    welcomed(&tether);
    works(&tether, "1");
}

#[test]
fn an_authorization_server_that_comes_up_after_the_sign_in_failed_is_asked_by_the_next_call() {
    let scene = Scene::with(|conduct| conduct.metadata = Metadata::Absent);
    scene.mcp.set(|door| {
        let open = ["initialize", "notifications/initialized"];
        door.open.extend(open);
    });
    let tether = scene.launch().start();
    tether.initialize();
    assert_eq!(tether.call("1", "echo", "{}").code(), -31004);
    scene.auth.set(|conduct| conduct.metadata = Metadata::Right);
    tether.send(&rpc::call("2", "echo", "{}"));
    visit::follow(&address(&tether));
    tether.answer("2").result();
}

#[test]
fn no_browser_prints_the_address_and_opens_nothing() {
    let scene = Scene::new();
    let launch = scene.launch().arg("--no-browser");
    let tether = launch.start();
    say_hello(&tether);
    let address = address(&tether);
    // What would open it is as late as the provisional answer.
    welcomed(&tether);
    assert_eq!(scene.browser.opened(), 0);
    assert_eq!(visit::follow(&address).status, 200);
    tether.notification("notifications/tools/list_changed");
    assert_eq!(scene.browser.opened(), 0);
}
