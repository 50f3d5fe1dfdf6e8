//! Several copies of the bridge with one home: one browser, one registration, one refresh, and nothing that a killed one
//! leaves behind holds up the next.
#![cfg(unix)]

use crate::support::authserver::{REGISTER, Refresh, TOKEN};
use crate::support::gate::Gate;
use crate::support::http::Response;
use crate::support::rpc;
use crate::support::scene::{Scene, address, addresses, deny, nth_address, say_hello, welcomed};
use crate::support::tether::Tether;
use crate::support::visit;

fn works(tether: &Tether, id: &str) {
    tether.call(id, "echo", r#"{"text":"x"}"#).result();
}

/// Two bridges that both wait for the sign-in at one address. The first one leads.
fn two_that_wait(scene: &Scene) -> (Tether, Tether, String) {
    let leader = scene.launch().start();
    say_hello(&leader);
    let shown = address(&leader);
    let follower = scene.launch().start();
    say_hello(&follower);
    assert_eq!(address(&follower), shown, "the live address");
    (leader, follower, shown)
}

#[test]
fn two_processes_on_one_ended_token_refresh_it_once() {
    let scene = Scene::new();
    let one = scene.signed_in();
    let two = scene.again();
    scene.auth.end_access();
    let gate = Gate::new();
    scene.auth.set(|conduct| conduct.hold = Some(gate.clone()));
    one.send(&rpc::call("1", "echo", "{}"));
    two.send(&rpc::call("1", "echo", "{}"));
    scene.mcp.mcp.wait_calls("tools/call", 2);
    scene.auth.wait_asked(TOKEN, 2);
    gate.open();
    one.answer("1").result();
    two.answer("1").result();
    works(&one, "2");
    works(&two, "2");
    assert_eq!((scene.auth.refreshes(), scene.auth.reuses()), (1, 0));
    assert_eq!(addresses(&one.stderr()).len(), 1, "no other sign-in");
    assert_eq!(two.stderr(), "");
}

#[test]
fn a_shared_token_that_ends_before_anybody_has_used_it_is_refreshed_once_for_all() {
    let scene = Scene::new();
    let gate = Gate::new();
    let held = gate.clone();
    scene.mcp.mcp.times(2, "initialize", move |_| {
        let held = held.clone();
        async move {
            held.opened().await;
            Response::status(401).header("www-authenticate", r#"Bearer error="invalid_token""#)
        }
    });
    let (leader, follower, shown) = two_that_wait(&scene);
    assert_eq!(visit::follow(&shown).status, 200);
    scene.mcp.wait_admitted("initialize", 2);
    scene.auth.end_access();
    gate.open();
    for tether in [&leader, &follower] {
        welcomed(tether);
        works(tether, "1");
    }
    assert_eq!((scene.auth.refreshes(), scene.auth.reuses()), (1, 0));
    assert_eq!(scene.auth.authorizations().len(), 1);
}

#[test]
fn a_process_takes_the_tokens_that_another_one_refreshed_long_ago() {
    let scene = Scene::new();
    let one = scene.signed_in();
    let two = scene.again();
    for round in 1..=3 {
        scene.auth.end_access();
        works(&one, &format!("{round}"));
        works(&two, &format!("{round}"));
        assert_eq!(scene.auth.refreshes(), round);
    }
    assert_eq!(scene.auth.reuses(), 0);
}

#[test]
fn eight_processes_on_first_run_open_one_browser_and_register_once() {
    let scene = Scene::following();
    let all: Vec<Tether> = (0..8).map(|_| scene.launch().start()).collect();
    for tether in &all {
        say_hello(tether);
    }
    for tether in &all {
        let hello = welcomed(tether).result();
        assert_eq!(hello["serverInfo"]["name"], "scripted", "{hello}");
        works(tether, "1");
    }
    assert_eq!(scene.browser.opened(), 1);
    assert_eq!(
        (
            scene.auth.registrations(),
            scene.auth.authorizations().len()
        ),
        (1, 1)
    );
    assert_eq!(scene.auth.exchanges("authorization_code").len(), 1);
    assert_eq!(scene.records().len(), 1);
    for tether in all {
        assert_eq!(tether.finish(), 0);
    }
}

#[test]
fn a_follower_shows_the_live_address_and_is_signed_in_with_the_leader() {
    let scene = Scene::new();
    let (leader, follower, shown) = two_that_wait(&scene);
    assert_eq!(visit::follow(&shown).status, 200);
    for tether in [&leader, &follower] {
        welcomed(tether);
        works(tether, "1");
        assert_eq!(addresses(&tether.stderr()), std::slice::from_ref(&shown));
    }
    assert_eq!(scene.auth.authorizations().len(), 1);
}

#[test]
fn the_provisional_answer_of_a_follower_has_the_live_address() {
    let scene = Scene::new();
    let leader = scene.launch().args(["--initialize-wait", "1"]).start();
    say_hello(&leader);
    let shown = address(&leader);
    let follower = scene.launch().args(["--initialize-wait", "2"]).start();
    say_hello(&follower);
    for tether in [&follower, &leader] {
        let hello = welcomed(tether).result();
        assert_eq!(
            addresses(hello["instructions"].as_str().unwrap()),
            std::slice::from_ref(&shown)
        );
    }
    follower.send(&rpc::call("1", "sign_in", "{}"));
    visit::follow(&shown);
    follower.answer("1").result();
    for tether in [&follower, &leader] {
        tether.notification("notifications/tools/list_changed");
        works(tether, "2");
    }
    assert!(scene.browser.opened() <= 1);
}

#[test]
fn the_next_one_takes_over_when_the_leader_is_killed_while_it_waits() {
    let scene = Scene::new();
    let (mut leader, follower, shown) = two_that_wait(&scene);
    leader.kill();
    let other = nth_address(&follower, 2);
    assert_ne!(other, shown);
    assert_eq!(visit::follow(&other).status, 200);
    welcomed(&follower);
    works(&follower, "1");
    drop(leader);
    let third = scene.again();
    works(&third, "1");
    assert_eq!(third.stderr(), "");
}

#[test]
fn the_next_one_takes_over_when_the_leader_leaves_while_it_waits() {
    let scene = Scene::new();
    let (mut leader, follower, _) = two_that_wait(&scene);
    leader.close_stdin();
    leader.answer("0").error();
    assert_eq!(leader.wait(), 0);
    assert_eq!(visit::follow(&nth_address(&follower, 2)).status, 200);
    welcomed(&follower);
}

#[test]
fn a_denial_is_told_by_all_who_wait() {
    let scene = Scene::new();
    let (leader, follower, shown) = two_that_wait(&scene);
    assert_eq!(deny(&shown).status, 403);
    for tether in [&leader, &follower] {
        let error = tether.answer("0").error();
        assert_eq!(error["code"], -31004, "{error}");
        assert!(
            error["message"].as_str().unwrap().contains("refused"),
            "{error}"
        );
    }
    assert_eq!(scene.auth.authorizations().len(), 1);
}

#[test]
fn a_process_that_is_killed_in_the_middle_of_registration_or_exchange_holds_nobody_up() {
    for path in [REGISTER, TOKEN] {
        let scene = Scene::following();
        let gate = Gate::new();
        scene.auth.set(|conduct| conduct.hold = Some(gate.clone()));
        let mut first = scene.launch().start();
        say_hello(&first);
        scene.auth.wait_asked(path, 1);
        first.kill();
        gate.open();
        drop(first);
        scene.auth.set(|conduct| conduct.hold = None);
        let second = scene.launch().start();
        second.initialize();
        works(&second, "1");
    }
}

#[test]
fn a_process_that_is_killed_in_the_middle_of_a_refresh_holds_nobody_up() {
    let scene = Scene::with(|conduct| conduct.refresh = Refresh::Keeps);
    let mut one = scene.signed_in();
    let two = scene.again();
    scene.auth.end_access();
    let gate = Gate::new();
    scene.auth.set(|conduct| conduct.hold = Some(gate.clone()));
    one.send(&rpc::call("1", "echo", "{}"));
    scene.auth.wait_asked(TOKEN, 2);
    two.send(&rpc::call("1", "echo", "{}"));
    scene.mcp.mcp.wait_calls("tools/call", 2);
    scene.auth.set(|conduct| conduct.hold = None);
    one.kill();
    two.answer("1").result();
    gate.open();
    assert_eq!(scene.auth.authorizations().len(), 1);
}

#[test]
fn a_login_elsewhere_is_taken_up_by_a_bridge_that_waits_for_a_call() {
    let scene = Scene::following();
    let launch = scene.launch().args(["--sign-in", "on-demand"]);
    let bridge = launch.start();
    bridge.initialize();
    let login = scene.command("login").run("");
    assert_eq!(login.code, Some(0), "{login:?}");
    let tools = bridge.ask("1", "tools/list", "{}").result();
    assert_eq!(tools["tools"][0]["name"], "echo", "{tools}");
    works(&bridge, "2");
    assert_eq!(scene.auth.authorizations().len(), 1);
}

#[test]
fn a_login_beside_a_bridge_that_waits_shows_the_same_address() {
    let scene = Scene::new();
    let bridge = scene.launch().start();
    say_hello(&bridge);
    let shown = address(&bridge);
    let login = scene.command("login").start();
    assert_eq!(address(&login), shown);
    visit::follow(&shown);
    welcomed(&bridge);
    assert_eq!(login.wait(), 0);
    // What it prints is for people.
    login.wait_hung_up();
    login.forgive();
}

#[test]
fn a_logout_elsewhere_is_not_undone_by_a_bridge_that_runs() {
    let scene = Scene::new();
    let bridge = scene.signed_in();
    works(&bridge, "1");
    let logout = scene.command("logout").run("");
    assert_eq!(logout.code, Some(0), "{logout:?}");
    bridge.send(&rpc::call("2", "echo", "{}"));
    let again = nth_address(&bridge, 2);
    // A registration may be kept by now, but no token is written back.
    for path in scene.records() {
        let kept = std::fs::read_to_string(path).unwrap();
        let secrets = scene.auth.secrets();
        assert!(
            !secrets.iter().any(|secret| kept.contains(secret)),
            "{kept}"
        );
    }
    visit::follow(&again);
    bridge.answer("2").result();
    assert_eq!(scene.records().len(), 1);
}

#[test]
fn two_profiles_are_two_accounts() {
    let scene = Scene::new();
    let one = scene.signed_in();
    let two = scene.sign_in(scene.launch().args(["--profile", "work"]));
    works(&one, "1");
    works(&two, "1");
    let bearer = |nth: usize| {
        let calls = scene.mcp.mcp.calls("tools/call");
        calls[nth].header("authorization").map(str::to_owned)
    };
    assert_ne!(bearer(0), bearer(1));
    assert_eq!(scene.auth.authorizations().len(), 2);
}
