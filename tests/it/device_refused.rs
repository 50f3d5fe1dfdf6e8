//! Sign-ins by device code that the user, the clock or the server would end: each is answered, and none goes on for ever.
#![cfg(unix)]

use std::time::Duration;

use serde_json::json;

use crate::support::authserver::{AUTHORIZE, Consent, DEVICE, DEVICE_GRANT, Device, TOKEN};
use crate::support::launch::Launch;
use crate::support::rpc;
use crate::support::scene::{Scene, address, enter, nth_code, say_hello, welcomed};
use crate::support::tether::Tether;
use crate::support::visit;

fn offering(device: Device) -> Scene {
    Scene::with(|conduct| conduct.device = Some(device))
}

fn forced(scene: &Scene) -> Launch {
    scene.launch().arg("--device-code")
}

/// A bridge whose server leaves the handshake open, so that refusals meet a call.
fn open_handshake(scene: &Scene) -> Tether {
    let open = ["initialize", "notifications/initialized"];
    scene.mcp.set(|door| door.open.extend(open));
    let tether = forced(scene).start();
    tether.initialize();
    tether
}

fn auth_error(tether: &Tether, id: &str) -> String {
    let error = tether.answer(id).error();
    assert_eq!(
        (&error["code"], &error["data"]["kind"]),
        (&(-31004).into(), &"auth".into())
    );
    format!("{} {}", error["message"], error["data"]["hint"])
}

#[test]
fn a_denial_ends_it_and_the_next_call_shows_another_code() {
    let scene = offering(Device::default());
    scene.auth.set(|conduct| conduct.consent = Consent::Denied);
    let tether = open_handshake(&scene);
    tether.send(&rpc::call("1", "echo", "{}"));
    let first = nth_code(&tether, 1);
    enter(&first);
    let told = auth_error(&tether, "1");
    assert!(told.contains("refused"), "{told}");
    scene.auth.set(|conduct| conduct.consent = Consent::Given);
    tether.send(&rpc::request("2", "tools/list", "{}"));
    assert!(auth_error(&tether, "2").contains("refused"));
    tether.send(&rpc::call("3", "echo", "{}"));
    let second = nth_code(&tether, 2);
    assert_ne!(second.1, first.1);
    enter(&second);
    tether.answer("3").result();
    assert_eq!(scene.auth.registrations(), 1);
}

#[test]
fn a_code_that_has_ended_ends_it_by_the_server_or_by_the_clock() {
    let by_server = Device {
        answers: vec!["expired_token"],
        ..Device::default()
    };
    let by_clock = Device {
        lifetime: 1.into(),
        ..Device::default()
    };
    for device in [by_server, by_clock] {
        let scene = offering(device);
        let tether = open_handshake(&scene);
        tether.send(&rpc::call("1", "echo", "{}"));
        let told = auth_error(&tether, "1");
        assert!(told.contains("has ended before anybody used it"), "{told}");
        assert!(told.contains("mcp-tether login"), "{told}");
        assert_eq!(tether.finish(), 0);
    }
    let scene = offering(Device {
        answers: vec!["expired_token"],
        ..Device::default()
    });
    let output = scene.command("login").arg("--device-code").run("");
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (Some(3), ""),
        "{output:?}"
    );
    assert!(output.stderr.contains("has ended"), "{output:?}");
}

#[test]
fn slow_down_means_five_seconds_more() {
    let scene = offering(Device {
        answers: vec!["slow_down"],
        ..Device::default()
    });
    let tether = forced(&scene).start();
    say_hello(&tether);
    enter(&nth_code(&tether, 1));
    welcomed(&tether);
    let polls = scene.auth.polls();
    assert_eq!(polls.len(), 2);
    assert!(polls[1] - polls[0] >= Duration::from_secs(6), "{polls:?}");
}

#[test]
fn a_server_that_wants_no_pause_gets_one_of_a_second() {
    for interval in [json!("0"), json!(0.2)] {
        let scene = offering(Device {
            interval,
            lifetime: json!(null),
            answers: vec!["authorization_pending"],
            ..Device::default()
        });
        let tether = forced(&scene).start();
        say_hello(&tether);
        enter(&nth_code(&tether, 1));
        welcomed(&tether);
        let polls = scene.auth.polls();
        assert!(
            polls[1] - polls[0] >= Duration::from_millis(990),
            "{polls:?}"
        );
    }
}

#[test]
fn a_server_that_is_down_for_a_while_is_asked_less_often_until_it_is_back() {
    let scene = offering(Device {
        answers: vec!["503"],
        ..Device::default()
    });
    let tether = forced(&scene).arg("--debug").start();
    say_hello(&tether);
    let shown = nth_code(&tether, 1);
    tether.wait_stderr("asking again in 2 s");
    scene.auth.server.stop();
    tether.wait_stderr("asking again in 4 s");
    scene.auth.server.start();
    enter(&shown);
    welcomed(&tether);
    for secret in scene.auth.secrets() {
        assert!(!tether.stderr().contains(&secret), "{}", tether.stderr());
    }
}

#[test]
fn a_server_that_stays_down_is_given_up_with_auth_timeout() {
    let scene = offering(Device::default());
    let launch = scene
        .command("login")
        .args(["--device-code", "--auth-timeout", "2"]);
    let tether = launch.start();
    nth_code(&tether, 1);
    scene.auth.server.stop();
    assert_eq!(tether.wait(), 3);
    tether.wait_hung_up();
    assert!(
        tether.stderr().contains("within 2 s"),
        "{}",
        tether.stderr()
    );
}

#[test]
fn the_end_of_input_ends_the_wait() {
    let scene = offering(Device::default());
    let mut tether = open_handshake(&scene);
    tether.send(&rpc::call("1", "echo", "{}"));
    nth_code(&tether, 1);
    scene.auth.wait_asked(TOKEN, 1);
    tether.close_stdin();
    let told = auth_error(&tether, "1");
    assert!(told.contains("mcp-tether login"), "{told}");
    assert_eq!(tether.finish(), 0);
}

#[test]
fn a_server_that_gives_no_code_is_told_of_where_the_user_insists() {
    let scene = Scene::new();
    let output = scene.command("login").arg("--device-code").run("");
    assert_eq!(output.code, Some(3), "{output:?}");
    assert!(
        output.stderr.contains("offers no sign-in by device code"),
        "{output:?}"
    );
    assert!(output.stderr.contains("hint: "), "{output:?}");

    let scene = offering(Device {
        refused: Some("unauthorized_client"),
        ..Device::default()
    });
    let output = scene.command("login").arg("--device-code").run("");
    assert_eq!(output.code, Some(3), "{output:?}");
    assert!(output.stderr.contains("unauthorized_client"), "{output:?}");
    assert_eq!(scene.auth.asked(AUTHORIZE), 0);
}

#[test]
fn a_server_that_gives_no_code_gets_a_browser_where_nobody_insists() {
    let scene = offering(Device {
        refused: Some("unauthorized_client"),
        ..Device::default()
    });
    let tether = scene.launch().arg("--no-browser").start();
    say_hello(&tether);
    assert_eq!(visit::follow(&address(&tether)).status, 200);
    welcomed(&tether);
    assert_eq!(
        (scene.auth.asked(DEVICE), scene.auth.registrations()),
        (1, 1)
    );
    assert!(scene.auth.exchanges(DEVICE_GRANT).is_empty());
}

#[test]
fn what_must_not_be_shown_is_not() {
    let page = Device {
        page: Some("javascript:alert(1)"),
        ..Device::default()
    };
    let code = Device {
        user_code: Some("\u{1b}[31mobey"),
        filled_in: false,
        ..Device::default()
    };
    for device in [page, code] {
        let scene = offering(device);
        let output = scene.command("login").arg("--device-code").run("");
        assert_eq!(output.code, Some(3), "{output:?}");
        for hostile in ["javascript", "obey", "\u{1b}"] {
            assert!(!output.stderr.contains(hostile), "{output:?}");
        }
    }
}
