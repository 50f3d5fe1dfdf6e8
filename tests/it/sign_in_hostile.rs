//! Servers that lie: what they name is not opened, not asked and not believed.
#![cfg(unix)]

use serde_json::json;

use crate::relay::{Kind, Relay};
use crate::support::authserver::{
    AUTHORIZE, AuthServer, Conduct, Iss, METADATA, Metadata, REGISTER, TOKEN,
};
use crate::support::browser::Browser;
use crate::support::http::Response;
use crate::support::launch::Launch;
use crate::support::rpc::Rpc;
use crate::support::scene::{Scene, address, addresses, say_hello};
use crate::support::server::{Peer, Plan, Server};
use crate::support::tether::Tether;
use crate::support::tls::Ca;
use crate::support::visit;

/// The text of the refusal, and that nothing was opened for it.
fn refused(scene: &Scene, tether: &Tether) -> String {
    let answer: Rpc = tether.answer("0");
    let error = answer.error();
    assert_eq!(error["code"], -31004, "{error}");
    assert_eq!(addresses(&tether.stderr()), Vec::<String>::new());
    // A browser would have been opened before the answer.
    assert_eq!(scene.browser.opened(), 0);
    assert_eq!(scene.auth.authorizations().len(), 0);
    format!("{} {}", error["message"], error["data"]["hint"])
}

fn refuses(change: impl FnOnce(&mut Conduct)) -> (Scene, String) {
    let scene = Scene::with(change);
    let tether = scene.launch().start();
    say_hello(&tether);
    let told = refused(&scene, &tether);
    drop(tether);
    (scene, told)
}

#[test]
fn hostile_authorization_endpoints_never_reach_the_browser() {
    for endpoint in [
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "vbscript:x",
        "http://evil.example/authorize",
        "http://10.0.0.1/authorize",
        "ms-settings:x",
        "https://user:password@127.0.0.1/authorize",
        "//evil.example/authorize",
        "",
    ] {
        let (scene, told) = refuses(|conduct| {
            conduct.authorization_endpoint = Some(endpoint.to_owned());
        });
        assert!(told.contains("server"), "{told}");
        assert_eq!(scene.auth.asked(TOKEN), 0, "{endpoint}");
    }
}

#[test]
fn an_address_that_is_opened_holds_nothing_that_a_shell_sees_more_in() {
    let endpoint = "https://evil.example/$(touch${IFS}x)/`y`|z'^\"<>?a=$b;c&d=e f";
    let scene = Scene::with(|c| c.authorization_endpoint = Some(endpoint.to_owned()));
    let tether = scene.launch().start();
    say_hello(&tether);
    let opened = scene.browser.address(1);
    assert!(opened.starts_with("https://evil.example/"), "{opened}");
    let harmless = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@=&+,%!*;".contains(c);
    assert!(opened.chars().all(harmless), "{opened}");
}

#[test]
fn hostile_token_endpoints_get_no_code() {
    for endpoint in [
        "http://evil.example/token",
        "file:///etc/passwd",
        "javascript:x",
    ] {
        let (scene, _) = refuses(|conduct| conduct.token_endpoint = Some(endpoint.to_owned()));
        assert_eq!(scene.auth.asked(TOKEN), 0, "{endpoint}");
    }
}

#[test]
fn metadata_of_another_issuer_is_not_used() {
    let evil = AuthServer::new();
    evil.server.allow_idle();
    for other in [evil.issuer(), "https://as.example".to_owned()] {
        let (scene, told) = refuses(|c| c.metadata = Metadata::OtherIssuer(other.clone()));
        assert!(told.contains("--allow-issuer-mismatch"), "{told}");
        assert_eq!(scene.auth.registrations(), 0);
    }
    // To the byte.
    let scene = Scene::new();
    let other = format!("{}/", scene.auth.issuer());
    scene
        .auth
        .set(|conduct| conduct.metadata = Metadata::OtherIssuer(other));
    let tether = scene.launch().start();
    say_hello(&tether);
    refused(&scene, &tether);
    assert_eq!(scene.auth.registrations(), 0);
}

#[test]
fn allow_issuer_mismatch_uses_it_all_the_same() {
    let scene = Scene::with(|conduct| {
        conduct.metadata = Metadata::OtherIssuer("https://as.example".to_owned());
        conduct.iss = Iss::Absent;
    });
    let tether = scene.sign_in(scene.launch().arg("--allow-issuer-mismatch"));
    tether.call("1", "echo", "{}").result();
}

#[test]
fn metadata_without_pkce_is_refused() {
    let (scene, told) = refuses(|conduct| conduct.pkce = false);
    assert!(told.contains("--allow-missing-pkce-metadata"), "{told}");
    assert_eq!(scene.auth.asked(AUTHORIZE), 0);
}

#[test]
fn allow_missing_pkce_metadata_sends_s256_all_the_same() {
    let scene = Scene::with(|conduct| conduct.pkce = false);
    let launch = scene.launch().arg("--allow-missing-pkce-metadata");
    let _tether = scene.sign_in(launch);
    assert_eq!(
        scene.auth.authorizations()[0]["code_challenge_method"],
        "S256"
    );
}

#[test]
fn an_answer_with_a_wrong_or_missing_iss_gives_no_code_away() {
    let of: [fn(&AuthServer) -> Iss; 4] = [
        |_| Iss::Wrong("https://evil.example".to_owned()),
        |auth| Iss::Wrong(format!("{}/", auth.issuer())),
        |auth| Iss::Wrong(auth.issuer().to_uppercase()),
        |_| Iss::Missing,
    ];
    for iss in of {
        let scene = Scene::new();
        scene.auth.set(|conduct| conduct.iss = iss(&scene.auth));
        let tether = scene.launch().start();
        say_hello(&tether);
        let page = visit::follow(&address(&tether));
        assert_ne!(page.status, 200, "{page}");
        let error = tether.answer("0").error();
        assert_eq!(error["code"], -31004, "{error}");
        assert!(!error.to_string().contains("evil.example"), "{error}");
        assert_eq!(scene.auth.asked(TOKEN), 0);
    }
}

#[test]
fn the_words_of_a_stranger_are_not_repeated() {
    let scene = Scene::new();
    let tether = scene.launch().start();
    say_hello(&tether);
    let address = address(&tether);
    let back = visit::parameter(&address, "redirect_uri").unwrap();
    let state = visit::parameter(&address, "state").unwrap();
    let words = "error=access_denied&error_description=EVILWORDS&error_uri=https://evil.example";
    let url = format!("{back}?{words}&state={state}&iss=https://evil.example");
    let page = visit::request("GET", &url, &[]).unwrap();
    assert!(
        !page.text.contains("EVILWORDS") && !page.text.contains("evil.example"),
        "{page}"
    );
    let error = tether.answer("0").error();
    assert!(!error.to_string().contains("EVILWORDS"), "{error}");
    assert!(!tether.stderr().contains("EVILWORDS"));
}

#[test]
fn an_authorization_server_without_iss_is_believed_when_it_announces_none() {
    let scene = Scene::with(|conduct| conduct.iss = Iss::Absent);
    scene.signed_in().call("1", "echo", "{}").result();
}

#[test]
fn metadata_for_another_resource_stops_before_the_authorization_server() {
    for resource in [
        "https://evil.example/mcp",
        "http://127.0.0.1:9/mcp",
        "/other",
        "/mcp2",
    ] {
        let scene = Scene::new();
        scene.auth.server.allow_idle();
        let resource = match resource.strip_prefix('/') {
            Some(_) => scene.mcp.mcp.server.at(resource),
            None => resource.to_owned(),
        };
        scene.mcp.set(|door| door.resource = Some(resource.clone()));
        let tether = scene.launch().start();
        say_hello(&tether);
        refused(&scene, &tether);
        assert_eq!(scene.auth.server.requests().len(), 0, "{resource}");
    }
}

#[test]
fn metadata_for_the_whole_origin_is_believed_unless_strict() {
    let scene = Scene::with(|conduct| conduct.wants_resource = true);
    let origin = scene.mcp.mcp.server.at("");
    scene.mcp.set(|door| door.resource = Some(origin.clone()));
    let tether = scene.sign_in(scene.launch());
    tether.call("1", "echo", "{}").result();
    assert_eq!(scene.auth.authorizations()[0]["resource"], origin);
    drop(tether);

    let scene = Scene::new();
    scene.auth.server.allow_idle();
    scene
        .mcp
        .set(|door| door.resource = Some(scene.mcp.mcp.server.at("")));
    let tether = scene.launch().arg("--strict-resource").start();
    say_hello(&tether);
    refused(&scene, &tether);
    assert_eq!(scene.auth.server.requests().len(), 0);
}

#[test]
fn resource_and_disable_resource_parameter_are_obeyed() {
    let scene = Scene::with(|conduct| conduct.wants_resource = false);
    let tether = scene.sign_in(scene.launch().arg("--disable-resource-parameter"));
    tether.call("1", "echo", "{}").result();
    assert_eq!(scene.auth.authorizations()[0].get("resource"), None);
    assert_eq!(
        scene.auth.exchanges("authorization_code")[0].get("resource"),
        None
    );
    drop(tether);

    let scene = Scene::new();
    let given = scene.mcp.url();
    let _tether = scene.sign_in(scene.launch().args(["--resource", &given]));
    assert_eq!(scene.auth.authorizations()[0]["resource"], given);
}

#[test]
fn metadata_that_redirects_is_huge_or_never_ends_is_not_used() {
    let evil = Server::new(|_| async { Response::json(200, "{}") });
    evil.allow_idle();
    for metadata in [
        Metadata::Redirect(evil.at("/")),
        Metadata::Huge,
        Metadata::Endless,
    ] {
        let (scene, _) = refuses(|conduct| conduct.metadata = metadata);
        assert!(scene.auth.asked(METADATA) >= 1);
        assert_eq!(scene.auth.asked(REGISTER), 0);
    }
    assert_eq!(evil.requests().len(), 0, "no redirect is followed");
}

#[test]
fn the_users_headers_go_to_the_mcp_server_alone() {
    let scene = Scene::new();
    let launch = scene.launch().args([
        "--header",
        "X-Mine: private",
        "--header",
        "Cookie: a=private",
    ]);
    let tether = scene.sign_in(launch);
    scene.auth.end_access();
    tether.call("1", "echo", "{}").result();
    assert_eq!(scene.auth.refreshes(), 1);
    for request in scene.auth.server.requests() {
        assert_eq!(request.header("x-mine"), None, "{request}");
        assert_eq!(request.header("cookie"), None, "{request}");
        assert_eq!(request.header("authorization"), None, "{request}");
        assert_eq!(request.header("mcp-session-id"), None, "{request}");
    }
    for request in scene.mcp.mcp.server.requests() {
        let metadata = request.path != "/mcp";
        assert_eq!(request.header("x-mine").is_none(), metadata, "{request}");
    }
}

/// A server on the internet whose sign-in page is at `page`. A proxy stands for the internet.
fn on_the_internet(page: &str) -> (Server, Relay) {
    let origin = "https://mcp.invalid";
    let resource = json!({
        "resource": format!("{origin}/mcp"),
        "authorization_servers": [origin],
    });
    let metadata = json!({
        "issuer": origin,
        "authorization_endpoint": page,
        "token_endpoint": format!("{origin}/token"),
        "device_authorization_endpoint": format!("{origin}/device"),
        "code_challenge_methods_supported": ["S256"],
    });
    let code = json!({
        "device_code": "d",
        "user_code": "ABCD",
        "verification_uri": page,
        "expires_in": 60,
    });
    let server = Plan::default().tls(&Ca::new()).serve(move |request| {
        let document = match request.path.as_str() {
            "/device" => Some(&code),
            path if path.contains("protected-resource") => Some(&resource),
            path if path.contains("authorization-server") => Some(&metadata),
            _ => None,
        };
        let answer = match document {
            Some(document) => Response::json(200, document.to_string()),
            None => Response::status(401).header("www-authenticate", "Bearer"),
        };
        async { answer }
    });
    let relay = Relay::new(Kind::Http, server.address());
    (server, relay)
}

#[test]
fn a_server_on_the_internet_sends_nobody_to_what_is_private() {
    let browser = Browser::new();
    let run = |args: &[&str], page: &str| {
        let (server, relay) = on_the_internet(page);
        let launch = Launch::new()
            .args(args.iter().copied())
            .args(["https://mcp.invalid/mcp", "--client-id", "us"])
            .args(["--insecure", "--store", "file", "--proxy"])
            .arg(format!("http://{}", relay.address))
            .env("BROWSER", browser.command());
        launch.watch(&server).run("")
    };
    for page in [
        "https://127.0.0.1:9/authorize",
        "http://localhost:9/authorize",
        "http://[::1]:9/authorize",
        "https://10.0.0.1/authorize",
        "https://192.168.1.1/authorize",
    ] {
        for args in [&["login"][..], &["login", "--device-code"], &["doctor"]] {
            let output = run(args, page);
            assert_eq!(output.code, Some(3), "{output:?}");
            // Lines may be folded.
            let told = format!("{}{}", output.stdout, output.stderr);
            let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
            let why = "private network, and the MCP server is not";
            assert!(told.contains(why), "{output:?}");
            assert!(told.contains("misuse this machine"), "{output:?}");
        }
    }
    assert_eq!(browser.opened(), 0);
    let public = run(&["doctor"], "https://mcp.invalid/authorize");
    assert!(public.stdout.contains("nobody is signed in"), "{public:?}");
}
