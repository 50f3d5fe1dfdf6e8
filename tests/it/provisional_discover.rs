//! What a client of 2026-07-28 gets while its user has not signed in yet: a discovery at once, a list that begins the sign-in,
//! subscriptions that last, and the real server afterwards, whatever it speaks.
#![cfg(unix)]

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::http::Response;
use crate::support::launch::Launch;
use crate::support::mcp::{Call, LegacyPlan, TOOLS};
use crate::support::modern::{SUBSCRIPTION, discovered, enveloped, going_on, params};
use crate::support::protected::Protected;
use crate::support::rpc;
use crate::support::scene::{Scene, address, addresses, say_hello, welcomed};
use crate::support::tether::Tether;
use crate::support::visit;

fn hasty(scene: &Scene) -> Launch {
    scene.launch().args(["--initialize-wait", "1"])
}

/// The sign-in of a server of that plan.
fn with(plan: LegacyPlan) -> Scene {
    let mut scene = Scene::new();
    scene.mcp.mcp.server.allow_idle();
    scene.mcp = Protected::with(&scene.auth, plan);
    scene
}

/// The sign-in of a server that speaks 2026-07-28 alone.
fn modern() -> Scene {
    let scene = with(LegacyPlan::default().stateless().lenient());
    let mcp = &scene.mcp.mcp;
    mcp.on("initialize", |call| async move {
        Response::json(400, call.error(-32022, "no"))
    });
    mcp.on("server/discover", |call| async move {
        call.reply(&discovered(r#"{"tools":{"listChanged":true}}"#))
    });
    mcp.on("tools/list", |call| async move {
        let tools = TOOLS.replacen('{', r#"{"resultType":"complete","#, 1);
        call.reply(&tools)
    });
    mcp.on("tools/call", |call| async move {
        call.reply(r#"{"resultType":"complete","content":[{"type":"text","text":"hi"}]}"#)
    });
    mcp.on("subscriptions/listen", |call| async move { listen(&call) });
    scene
}

/// Acknowledges a subscription, tells of a change, and keeps it open.
fn listen(call: &Call) -> Response {
    let (response, feed) = Response::events();
    let params = format!(
        r#"{{"_meta":{{"{SUBSCRIPTION}":{}}},"notifications":{}}}"#,
        call.id(),
        call.params()["notifications"]
    );
    feed.event(&rpc::notification(
        "notifications/subscriptions/acknowledged",
        &params,
    ));
    feed.event(&rpc::notification(
        "notifications/tools/list_changed",
        &format!(r#"{{"_meta":{{"{SUBSCRIPTION}":{}}}}}"#, call.id()),
    ));
    feed.keep_open();
    response
}

fn names(list: &Value) -> Vec<&str> {
    let tools = list["tools"].as_array().expect("tools");
    tools
        .iter()
        .map(|tool| tool["name"].as_str().expect("a name"))
        .collect()
}

fn list(tether: &Tether, id: &str) -> Value {
    tether.ask(id, "tools/list", &params("")).result()
}

#[test]
fn discover_is_answered_at_once_and_opens_no_browser() {
    for scene in [Scene::new(), modern()] {
        let begun = Instant::now();
        let tether = scene.launch().start();
        let found = tether.ask("1", "server/discover", &params("")).result();
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "it does not wait for the user"
        );
        assert_eq!(found["resultType"], "complete");
        assert_eq!(found["supportedVersions"], json!(["2026-07-28"]));
        assert_eq!(found["capabilities"]["tools"]["listChanged"], true);
        assert_eq!(found["ttlMs"], 0);
        let info = &found["_meta"]["io.modelcontextprotocol/serverInfo"];
        assert_eq!(info["name"], "mcp-tether");
        assert_eq!(tether.finish(), 0);
        scene.auth.server.allow_idle();
        assert!(scene.auth.authorizations().is_empty());
        assert_eq!(scene.browser.opened(), 0);
        assert_eq!(scene.mcp.mcp.calls("initialize").len(), 0);
    }
}

#[test]
fn a_list_begins_the_sign_in_and_has_one_tool_meanwhile() {
    for scene in [Scene::new(), modern()] {
        let tether = hasty(&scene).start();
        tether.ask("1", "server/discover", &params("")).result();
        assert!(addresses(&tether.stderr()).is_empty());
        let meanwhile = list(&tether, "2");
        assert_eq!(names(&meanwhile), ["sign_in"]);
        assert_eq!(meanwhile["resultType"], "complete");
        assert_eq!(meanwhile["ttlMs"], 0);
        let address = address(&tether);
        let called = r#","name":"sign_in","arguments":{}"#;
        tether.send(&rpc::request("3", "tools/call", &params(called)));
        visit::follow(&address);
        let signed_in = tether.answer("3").result();
        assert_eq!(signed_in["resultType"], "complete");
        let text = signed_in["content"][0]["text"].as_str().expect("text");
        assert!(text.starts_with("Signed in"), "{text}");
        assert_eq!(names(&list(&tether, "4")), ["echo", "add", "slow"]);
        assert_eq!(scene.auth.authorizations().len(), 1);
    }
}

#[test]
fn a_user_who_is_quick_gets_the_tools_at_once() {
    for scene in [Scene::new(), modern()] {
        let tether = scene.launch().start();
        tether.ask("1", "server/discover", &params("")).result();
        tether.send(&rpc::request("2", "tools/list", &params("")));
        visit::follow(&address(&tether));
        assert_eq!(names(&tether.answer("2").result()), ["echo", "add", "slow"]);
    }
}

#[test]
fn a_subscription_is_acknowledged_meanwhile_and_hears_of_the_tools() {
    for (scene, server) in [
        (with(LegacyPlan::default().listens()), "scripted"),
        (modern(), "modern"),
    ] {
        let tether = hasty(&scene).start();
        tether.ask("1", "server/discover", &params("")).result();
        let wanted = params(r#","notifications":{"toolsListChanged":true}"#);
        tether.send(&rpc::request("2", "subscriptions/listen", &wanted));
        let method = "notifications/subscriptions/acknowledged";
        let acknowledged = tether.notification(method).params();
        assert_eq!(acknowledged["_meta"][SUBSCRIPTION], 2);
        assert_eq!(
            acknowledged["notifications"],
            json!({"toolsListChanged": true})
        );
        assert!(
            addresses(&tether.stderr()).is_empty(),
            "it begins no sign-in"
        );
        list(&tether, "3");
        visit::follow(&address(&tether));
        let changed = tether.notification("notifications/tools/list_changed");
        assert_eq!(changed.params()["_meta"][SUBSCRIPTION], 2);
        assert_eq!(names(&list(&tether, "4")), ["echo", "add", "slow"]);
        let found = tether.ask("5", "server/discover", &params("")).result();
        let info = &found["_meta"]["io.modelcontextprotocol/serverInfo"];
        assert_eq!(info["name"], server);
        let called = params(r#","name":"echo","arguments":{"text":"hi"}"#);
        let called = tether.ask("6", "tools/call", &called).result();
        assert_eq!(called["content"][0]["text"], "hi");
        assert_eq!(tether.waiting(), ["2"], "the subscription lasts");
        if server == "scripted" {
            let feed = scene.mcp.mcp.listening(1);
            feed.event(&rpc::notification("notifications/tools/list_changed", "{}"));
        } else {
            scene.mcp.wait_admitted("subscriptions/listen", 1);
        }
        let changed = tether.notification("notifications/tools/list_changed");
        assert_eq!(changed.params()["_meta"][SUBSCRIPTION], 2);
        let unread = tether.unread();
        assert!(unread.is_empty(), "acknowledged once: {unread:?}");
    }
}

#[test]
fn a_handshake_that_was_answered_here_may_meet_a_server_without_one() {
    let scene = modern();
    let tether = hasty(&scene).start();
    say_hello(&tether);
    let address = address(&tether);
    let hello = welcomed(&tether).result();
    assert_eq!(hello["serverInfo"]["name"], "mcp-tether");
    visit::follow(&address);
    tether.notification("notifications/tools/list_changed");
    let tools = tether.ask("1", "tools/list", "{}").result();
    assert_eq!(names(&tools), ["echo", "add", "slow"]);
    assert!(tools.get("resultType").is_none());
    let resources = tether.ask("2", "resources/list", "{}").result();
    assert_eq!(
        resources,
        json!({"resources": []}),
        "it was announced and is not there"
    );
    let called = tether.call("3", "echo", "{}").result();
    assert_eq!(called, json!({"content": [{"type": "text", "text": "hi"}]}));
    scene.mcp.wait_admitted("subscriptions/listen", 1);
    assert_eq!(scene.mcp.with_token("initialize").len(), 1);
    assert_eq!(scene.mcp.with_token("server/discover").len(), 1);
    assert!(scene.mcp.with_token("notifications/initialized").is_empty());
}

const SHOWS: &str = r#"{"elicitation":{"url":{}}}"#;
const HI: &str = r#","name":"echo","arguments":{"text":"hi"}"#;

#[test]
fn a_client_that_shows_addresses_is_asked_to_with_a_round_of_input() {
    for scene in [Scene::new(), modern()] {
        let tether = scene.launch().start();
        tether.ask("1", "server/discover", &params("")).result();
        let call = enveloped(SHOWS, "", HI);
        let asked = tether.ask("2", "tools/call", &call).result();
        assert_eq!(asked["resultType"], "input_required");
        let input = &asked["inputRequests"]["sign-in"];
        assert_eq!(input["method"], "elicitation/create");
        assert_eq!(input["params"]["mode"], "url");
        let url = input["params"]["url"].as_str().expect("an address");
        assert_eq!(url, address(&tether));
        visit::follow(url);
        let accepted = r#"{"sign-in":{"action":"accept"}}"#;
        let again = going_on(SHOWS, HI, &asked, accepted);
        let answer = tether.ask("3", "tools/call", &again).result();
        assert_eq!(answer["resultType"], "complete", "{answer}");
        assert_eq!(answer["content"][0]["text"], "hi");
        assert_eq!(tether.finish(), 0);
        assert_eq!(scene.browser.opened(), 0);
        for sent in scene.mcp.mcp.calls("tools/call") {
            assert!(!sent.text().contains("requestState"), "{sent}");
        }
    }
}

#[test]
fn a_user_who_does_not_want_to_sign_in_ends_the_call() {
    let scene = Scene::new();
    let tether = scene.launch().start();
    tether.ask("1", "server/discover", &params("")).result();
    let call = enveloped(SHOWS, "", HI);
    let asked = tether.ask("2", "tools/call", &call).result();
    let declined = r#"{"sign-in":{"action":"decline"}}"#;
    let again = going_on(SHOWS, HI, &asked, declined);
    let answer = tether.ask("3", "tools/call", &again).result();
    assert_eq!(answer["isError"], true, "{answer}");
    scene.auth.server.allow_idle();
}
