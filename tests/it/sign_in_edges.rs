//! Sign-ins at the edges: who begins one, who may finish it, when no browser opens, and what passes with time.
#![cfg(unix)]

use crate::support::authserver::{METADATA, Metadata};
use crate::support::browser::Browser;
use crate::support::gate::Gate;
use crate::support::launch::Launch;
use crate::support::protected;
use crate::support::rpc;
use crate::support::scene::{Scene, address, addresses, deny, nth_address, say_hello, welcomed};
use crate::support::server::{Peer, Plan};
use crate::support::tether::Tether;
use crate::support::visit;

/// A bridge whose server leaves the handshake open, so that refusals meet what comes after it.
fn open_handshake(scene: &Scene, launch: Launch) -> Tether {
    let open = ["initialize", "notifications/initialized"];
    scene.mcp.set(|door| door.open.extend(open));
    let tether = launch.start();
    tether.initialize();
    tether
}

/// A bridge that is signed in for `read`; the tool `add` needs `write`.
fn reader(scene: &Scene, launch: Launch) -> Tether {
    scene.mcp.set(|door| {
        door.challenge = Some("read");
        door.scopes.insert("add", "write");
    });
    scene.sign_in(launch)
}

/// A call of `add` is refused for its scope, at once and without a sign-in.
fn lacks_scope(tether: &Tether, id: &str) {
    let before = addresses(&tether.stderr()).len();
    let error = tether.call(id, "add", "{}").error();
    assert_eq!(error["data"]["httpStatus"], 403, "{error}");
    assert_eq!(addresses(&tether.stderr()).len(), before);
}

#[test]
fn a_call_to_a_tool_that_the_filter_does_not_know_yet_begins_the_sign_in() {
    for begins in ["eager", "on-demand"] {
        for tool in ["echo", "slow"] {
            let scene = Scene::new();
            let launch = scene.launch().args(["--read-only", "--sign-in", begins]);
            let tether = open_handshake(&scene, launch);
            tether.send(&rpc::call("1", tool, r#"{"text":"x"}"#));
            assert_eq!(visit::follow(&address(&tether)).status, 200);
            let answer = tether.answer("1");
            // The one of them only reads.
            assert_eq!(answer.error.is_none(), tool == "echo", "{}", answer.text);
            let sent = scene.mcp.with_token("tools/call").len();
            assert_eq!(sent, usize::from(tool == "echo"));
            assert_eq!(scene.auth.authorizations().len(), 1);
        }
    }
}

#[test]
fn metadata_that_cannot_be_had_for_a_moment_is_asked_for_again() {
    for (status, whose) in [
        (502, "resource"),
        (429, "resource"),
        (502, "issuer"),
        (408, "issuer"),
    ] {
        let scene = Scene::new();
        if whose == "resource" {
            scene.mcp.set(|door| door.metadata = Some(status));
        } else {
            scene
                .auth
                .set(|conduct| conduct.metadata = Metadata::Fails(status));
        }
        let tether = scene.launch().start();
        say_hello(&tether);
        if whose == "resource" {
            scene.mcp.log().wait("the metadata", |log| {
                log.iter()
                    .any(|request| request.path == protected::METADATA)
                    .then_some(())
            });
            scene.mcp.set(|door| door.metadata = None);
        } else {
            scene.auth.wait_asked(METADATA, 1);
            scene.auth.set(|conduct| conduct.metadata = Metadata::Right);
        }
        assert_eq!(visit::follow(&address(&tether)).status, 200);
        welcomed(&tether);
    }
}

#[test]
fn a_sign_in_that_fails_for_want_of_metadata_is_begun_again_by_the_next_request() {
    let scene = Scene::with(|conduct| conduct.metadata = Metadata::Fails(502));
    let tether = open_handshake(&scene, scene.launch());
    let error = tether.ask("1", "tools/list", "{}").error();
    assert_ne!(error["data"]["kind"], "auth", "{error}");
    assert!(
        error["message"].as_str().unwrap().contains("502"),
        "{error}"
    );
    scene.auth.set(|conduct| conduct.metadata = Metadata::Right);
    tether.send(&rpc::request("2", "tools/list", "{}"));
    assert_eq!(visit::follow(&address(&tether)).status, 200);
    tether.answer("2").result();
}

#[test]
fn where_the_user_gives_the_scope_a_403_is_told_and_no_sign_in() {
    let scene = Scene::new();
    let launch = scene.launch().args(["--scope", "read"]);
    let tether = reader(&scene, launch);
    for id in ["1", "2"] {
        lacks_scope(&tether, id);
    }
    tether.call("3", "echo", "{}").result();
    assert_eq!(scene.auth.authorizations().len(), 1);
    assert_eq!((scene.auth.refreshes(), scene.browser.opened()), (0, 0));
}

#[test]
fn the_same_scope_is_not_asked_for_twice() {
    for denied in [false, true] {
        let scene = Scene::with(|conduct| conduct.narrows = Some("read"));
        let tether = reader(&scene, scene.launch());
        tether.send(&rpc::call("1", "add", "{}"));
        let shown = nth_address(&tether, 2);
        if denied {
            assert_eq!(deny(&shown).status, 403);
        } else {
            assert_eq!(visit::follow(&shown).status, 200);
        }
        tether.answer("1").error();
        for id in ["2", "3"] {
            lacks_scope(&tether, id);
        }
        tether.call("4", "echo", "{}").result();
        assert_eq!(scene.auth.authorizations().len(), 2, "denied: {denied}");
        assert_eq!(tether.finish(), 0);
        if !denied {
            // The next process knows it from the store.
            let again = scene.again();
            lacks_scope(&again, "1");
            assert_eq!(scene.auth.authorizations().len(), 2);
        }
    }
}

#[test]
fn a_request_that_is_cancelled_before_the_browser_opens_opens_none() {
    let scene = Scene::new();
    let launch = scene.launch().args(["--auth-timeout", "2", "--debug"]);
    let tether = open_handshake(&scene, launch);
    tether.send(&rpc::call("1", "echo", "{}"));
    scene.auth.wait_asked(METADATA, 1);
    tether.notify("notifications/cancelled", r#"{"requestId":1}"#);
    // It ends long after a browser would have been opened.
    tether.wait_stderr("the sign-in failed");
    assert_eq!(addresses(&tether.stderr()).len(), 1, "{}", tether.stderr());
    assert_eq!(scene.browser.opened(), 0);
    tether.send(&rpc::call("2", "echo", "{}"));
    assert_eq!(scene.browser.address(1), nth_address(&tether, 2));
    tether.answer("2").error();
}

#[test]
fn what_is_pasted_to_login_finishes_the_sign_in_of_a_running_bridge_too() {
    let scene = Scene::new();
    let bridge = scene.launch().arg("--no-browser").start();
    say_hello(&bridge);
    let shown = address(&bridge);
    let login = scene.command("login").arg("--no-browser").start();
    assert_eq!(address(&login), shown);
    login.send_raw("nonsense\n");
    login.send_raw(format!("{}\n", visit::location(&shown)));
    assert_eq!(login.wait(), 0, "{}", login.stderr());
    // What it prints is for people.
    login.wait_hung_up();
    login.forgive();
    welcomed(&bridge);
    bridge.call("1", "echo", "{}").result();
    assert_eq!(scene.auth.authorizations().len(), 1);
    assert_eq!(scene.auth.exchanges("authorization_code").len(), 1);
    assert_eq!(scene.browser.opened(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_keyring_that_is_wanted_and_is_not_there_ends_the_bridge_with_6() {
    let scene = Scene::new();
    scene.auth.server.allow_idle();
    scene.mcp.mcp.server.allow_idle();
    for launch in [scene.launch(), scene.command("login")] {
        let output = launch
            .args(["--store", "keyring"])
            .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
            .run("");
        assert_eq!(
            (output.code, output.stdout.as_str()),
            (Some(6), ""),
            "{output:?}"
        );
        assert!(output.stderr.contains("keyring"), "{output:?}");
        assert!(output.stderr.contains("hint: "), "{output:?}");
    }
    assert_eq!(scene.auth.registrations(), 0);
    assert_eq!(scene.browser.opened(), 0);
}
#[test]
fn login_opens_the_address_that_a_bridge_without_a_browser_waits_at() {
    let scene = Scene::following();
    let bridge = scene.launch().arg("--no-browser").start();
    say_hello(&bridge);
    let shown = address(&bridge);
    let output = scene.command("login").run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(scene.browser.opened_with(), [shown]);
    assert_eq!(scene.browser.page(1).status, 200);
    welcomed(&bridge);
}

#[test]
fn a_code_that_is_being_exchanged_when_stdin_ends_is_not_lost() {
    for end in ["eof", "TERM"] {
        let scene = Scene::of(Plan::default(), Browser::following());
        let gate = Gate::new();
        scene.auth.set(|conduct| conduct.hold = Some(gate.clone()));
        let mut tether = scene.launch().start();
        say_hello(&tether);
        scene.auth.wait_asked("/token", 1);
        if end == "TERM" {
            tether.signal(end);
        } else {
            tether.close_stdin();
        }
        gate.open();
        let answer = tether.answer("0");
        assert_eq!(answer.error.is_none(), end == "eof", "{}", answer.text);
        assert_eq!(tether.wait(), 0);
        scene.auth.set(|conduct| conduct.hold = None);
        let again = scene.again();
        assert_eq!(again.stderr(), "", "{end}");
        assert_eq!(scene.browser.opened(), 1);
    }
}
