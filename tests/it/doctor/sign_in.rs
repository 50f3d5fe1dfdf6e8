//! What signing in needs. Nobody is signed in, nothing is registered, and no browser is opened.

use std::net::TcpListener;

use super::{Doctor, run};
use crate::support::authserver::{Exchange, Metadata, Refresh};
use crate::support::http::Response;
use crate::support::scene::Scene;
use crate::support::server::{Peer, Server};

/// A doctor that leaves all as it was.
fn doctor(scene: &Scene, args: &[&str]) -> Doctor {
    let (opened, registered) = (scene.browser.opened(), scene.auth.registrations());
    let asked = scene.auth.authorizations().len();
    let doctor = run(scene.command("doctor").args(args.iter().copied()));
    assert_eq!(scene.browser.opened(), opened, "no browser is opened");
    assert_eq!(
        scene.auth.registrations(),
        registered,
        "nothing is registered"
    );
    assert_eq!(
        scene.auth.authorizations().len(),
        asked,
        "nobody is signed in"
    );
    for secret in scene.auth.secrets() {
        assert!(
            !doctor.output.stdout.contains(&secret),
            "{:#}",
            doctor.document
        );
    }
    doctor
}

fn signed_in(scene: &Scene) {
    let output = scene.command("login").run("");
    assert_eq!(output.code, Some(0), "{output:?}");
}

#[test]
fn who_is_not_signed_in_is_told_what_to_type() {
    let scene = Scene::new();
    let doctor = doctor(&scene, &[]);
    doctor.is("http", "ok");
    assert_eq!(
        doctor.is("metadata", "ok")["details"]["issuer"],
        scene.auth.issuer()
    );
    doctor.is("client", "ok");
    doctor.is("callback", "ok");
    doctor.fails(
        "login",
        "signed-out",
        3,
        &format!("mcp-tether login {}", scene.mcp.url()),
    );
    doctor.is("session", "skip");
    doctor.is("tools", "skip");
}

#[test]
fn a_sign_in_that_is_kept_goes_on_to_the_tools() {
    let scene = Scene::following();
    signed_in(&scene);
    let doctor = doctor(&scene, &[]);
    assert_eq!(doctor.output.code, Some(0), "{:#}", doctor.document);
    assert_eq!(doctor.is("login", "ok")["details"]["refreshable"], true);
    let client = doctor.is("client", "ok")["found"].as_str().unwrap();
    assert!(client.contains("before"), "{client}");
    doctor.is("session", "ok");
    assert_eq!(doctor.is("tools", "ok")["details"]["count"], 3);
}

#[test]
fn a_token_that_has_ended_is_renewed_and_one_that_cannot_be_is_told() {
    let scene = Scene::following();
    signed_in(&scene);
    scene.expire();
    let found = doctor(&scene, &[]);
    assert_eq!(found.output.code, Some(0), "{:#}", found.document);

    let scene = Scene::following();
    scene
        .auth
        .set(|conduct| conduct.exchange = Exchange::AccessOnly);
    signed_in(&scene);
    scene.expire();
    doctor(&scene, &[]).fails("login", "login-expired", 3, "mcp-tether login");

    let scene = Scene::following();
    signed_in(&scene);
    scene.expire();
    scene
        .auth
        .set(|conduct| conduct.refresh = Refresh::Refused("invalid_grant"));
    doctor(&scene, &[]).fails("login", "login-refused", 3, "mcp-tether login");
}

#[test]
fn metadata_that_cannot_be_believed_is_recognised() {
    let scene = Scene::with(|conduct| {
        conduct.metadata = Metadata::OtherIssuer("https://other.example".to_owned());
    });
    let found = doctor(&scene, &[]);
    found.fails("metadata", "wrong-issuer", 3, "--allow-issuer-mismatch");
    found.is("login", "fail");

    let scene = Scene::new();
    scene.auth.server.allow_idle();
    scene
        .mcp
        .set(|door| door.resource = Some("https://other.example/mcp".to_owned()));
    doctor(&scene, &[]).fails("metadata", "wrong-resource", 3, "--header-file");

    let scene = Scene::with(|conduct| conduct.pkce = false);
    doctor(&scene, &[]).fails("metadata", "no-pkce", 3, "--allow-missing-pkce-metadata");
    let found = doctor(&scene, &["--allow-missing-pkce-metadata"]);
    found.is("metadata", "ok");
}

#[test]
fn a_server_that_registers_nobody_is_recognised() {
    let scene = Scene::with(|conduct| conduct.registration = false);
    let found = doctor(&scene, &[]);
    found.fails("client", "no-registration", 3, "--client-id");
    let found = doctor(&scene, &["--client-id", "mine"]);
    found.is("client", "ok");
    found.fails("login", "signed-out", 3, "mcp-tether login");
}

#[test]
fn a_401_without_metadata_is_recognised() {
    let server = Server::new(|request| async move {
        if request.path == "/mcp" {
            Response::status(401).header("www-authenticate", "Bearer")
        } else {
            Response::status(404)
        }
    });
    let found = run(super::to(&server));
    found.fails("metadata", "no-metadata", 3, "--header-file");
    let _ = server.url();
}

#[test]
fn a_401_without_a_sign_in_is_told_as_what_it_is() {
    let scene = Scene::new();
    scene.auth.server.allow_idle();
    for (args, told, remedy) in [
        (
            &[][..],
            "--auth none leaves it out",
            "take --auth none away",
        ),
        (
            &["--header", "X-Key: 1"][..],
            "given headers",
            "check the token",
        ),
    ] {
        let found = doctor(&scene, &[&["--auth", "none"], args].concat());
        found.fails("metadata", "unauthorized", 3, remedy);
        let said = found.check("metadata")["found"].as_str().unwrap();
        assert!(said.contains(told), "{said}");
    }
}

#[test]
fn a_port_that_this_user_may_not_have_is_not_told_as_taken() {
    let denied = TcpListener::bind("127.0.0.1:1").map_err(|wrong| wrong.kind());
    if !matches!(denied, Err(std::io::ErrorKind::PermissionDenied)) {
        // Root may have any.
        return;
    }
    let scene = Scene::new();
    let found = doctor(&scene, &["1"]);
    found.fails("callback", "port-denied", 3, "above 1023");
}

#[test]
fn a_port_that_is_taken_is_recognised() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let scene = Scene::new();
    let found = doctor(&scene, &[&port]);
    found.fails("callback", "port-taken", 3, &port);

    // The one that is registered is only wished for.
    let scene = Scene::following();
    signed_in(&scene);
    scene.change_records(|record| {
        let port = taken.local_addr().unwrap().port();
        record["client"]["redirect_uri"] = format!("http://127.0.0.1:{port}/oauth/callback").into();
    });
    let found = doctor(&scene, &[]);
    found.warns("callback", "port-taken", &port);
    assert_eq!(found.output.code, Some(0));
}

#[test]
fn a_token_that_the_server_no_longer_takes_is_recognised() {
    let scene = Scene::following();
    signed_in(&scene);
    scene.auth.end_grants();
    doctor(&scene, &[]).fails("login", "login-refused", 3, "mcp-tether login");
}
