//! Nothing secret of a sign-in is in a log, on stderr or in an argument, whatever the level, and whatever goes wrong.
#![cfg(unix)]

use std::path::{Path, PathBuf};

use crate::support::authserver::Refresh;
use crate::support::rpc;
use crate::support::scene::{Scene, address, deny, nth_address, say_hello};
use crate::support::visit;

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push(path);
        }
    }
    all
}

fn none_in(scene: &Scene, place: &str, text: &str) {
    let secrets = scene.auth.secrets();
    assert!(secrets.len() >= 4, "{secrets:?}");
    for secret in secrets {
        assert!(!text.contains(&secret), "{secret} in {place}: {text}");
    }
}

#[test]
fn no_token_code_verifier_or_secret_is_in_any_log_at_any_level() {
    for format in ["text", "json"] {
        let scene = Scene::with(|conduct| conduct.secret = Some("client_secret_post"));
        let log = scene.home().join("the.log");
        std::fs::create_dir_all(scene.home()).unwrap();
        let launch = scene
            .launch()
            .args(["--debug", "--log-format", format, "--log-file"]);
        let tether = scene.sign_in(launch.arg(&log));
        tether.call("1", "echo", "{}").result();
        scene.auth.end_access();
        tether.call("2", "echo", "{}").result();
        scene
            .auth
            .set(|conduct| conduct.refresh = Refresh::Refused("invalid_grant"));
        scene.auth.end_access();
        tether.send(&rpc::call("3", "echo", "{}"));
        deny(&nth_address(&tether, 2));
        tether.answer("3").error();
        tether.send(&rpc::call("4", "echo", "{}"));
        visit::follow(&nth_address(&tether, 3));
        tether.answer("4").result();
        for secret in scene.browser.opened_with() {
            none_in(&scene, "an argument of the browser", &secret);
        }
        let arguments = std::fs::read(format!("/proc/{}/cmdline", tether.pid()));
        let arguments = arguments.unwrap_or_default();
        none_in(
            &scene,
            "its arguments",
            &String::from_utf8_lossy(&arguments),
        );
        none_in(&scene, "stderr", &tether.stderr());
        let written = std::fs::read_to_string(&log).unwrap();
        assert!(written.lines().count() > 10, "{written}");
        none_in(&scene, "the log", &written);
        for path in files(&scene.home()) {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            if !path.starts_with(scene.home().join("credentials")) {
                none_in(&scene, &path.display().to_string(), &text);
            }
        }
    }
}

#[test]
fn the_address_of_the_callback_is_in_no_log() {
    let scene = Scene::new();
    let tether = scene.launch().arg("--debug").start();
    say_hello(&tether);
    let address = address(&tether);
    let back = visit::location(&address);
    visit::request("GET", &back, &[]).unwrap();
    tether.answer("0").result();
    assert!(!tether.stderr().contains(&back));
    none_in(&scene, "stderr", &tether.stderr());
}

#[test]
fn errors_repeat_nothing_secret() {
    let scene = Scene::new();
    let tether = scene.signed_in();
    let refusals = [
        Refresh::Fails(503),
        Refresh::Refused("invalid_request"),
        Refresh::Refused("invalid_grant"),
    ];
    for (id, refusal) in ["1", "2", "3"].into_iter().zip(refusals) {
        scene.auth.end_access();
        scene.auth.set(|conduct| conduct.refresh = refusal);
        tether.send(&rpc::call(id, "echo", "{}"));
        if refusal == Refresh::Fails(503) {
            none_in(&scene, "an error", &tether.answer(id).text);
        } else {
            tether.excuse(id);
        }
    }
    none_in(&scene, "stderr", &tether.stderr());
}

#[test]
fn secrets_that_the_user_gives_are_in_no_log_either() {
    let scene = Scene::new();
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port().to_string()
    };
    let back = format!("http://127.0.0.1:{port}/oauth/callback");
    scene
        .auth
        .set(|conduct| conduct.secret = Some("client_secret_post"));
    scene
        .auth
        .admit_client("brought", Some("hush-hush-hush"), &back);
    std::fs::create_dir_all(scene.home()).unwrap();
    let file = scene.home().join("secret");
    std::fs::write(&file, "hush-hush-hush\n").unwrap();
    let launch = scene
        .launch()
        .args([port.as_str(), "--debug", "--client-id", "brought"]);
    let tether = scene.sign_in(launch.arg("--client-secret-file").arg(&file));
    tether.call("1", "echo", "{}").result();
    none_in(&scene, "stderr", &tether.stderr());
}
