//! What a client gets while its user has not signed in yet: a handshake with the address in it, one tool that waits for the
//! user, an answer to everything else, and the real server afterwards.
#![cfg(unix)]

use serde_json::{Value, json};

use crate::support::launch::Launch;
use crate::support::rpc;
use crate::support::scene::{Scene, address, addresses, deny, nth_address, say_hello, welcomed};
use crate::support::tether::Tether;
use crate::support::visit;

const LISTS: [&str; 3] = ["tools", "resources", "prompts"];

fn hasty(scene: &Scene) -> Launch {
    scene.launch().args(["--initialize-wait", "1"])
}

/// A bridge whose handshake was answered without the server; the address that it waits at.
fn provisional(scene: &Scene) -> (Tether, String) {
    let tether = hasty(scene).start();
    say_hello(&tether);
    let address = address(&tether);
    welcomed(&tether);
    (tether, address)
}

fn text(answer: &Value) -> &str {
    answer["content"][0]["text"].as_str().unwrap_or_default()
}

fn tools(tether: &Tether, id: &str) -> Vec<String> {
    let answer = tether.ask(id, "tools/list", "{}").result();
    let tools = answer["tools"].as_array().unwrap();
    let names = tools.iter().map(|tool| tool["name"].as_str().unwrap());
    names.map(str::to_owned).collect()
}

fn changed(tether: &Tether) {
    for list in LISTS {
        tether.notification(&format!("notifications/{list}/list_changed"));
    }
}

#[test]
fn initialize_is_answered_here_when_the_user_takes_longer_than_initialize_wait() {
    let scene = Scene::new();
    let tether = hasty(&scene).start();
    say_hello(&tether);
    let hello = welcomed(&tether).result();
    assert_eq!(hello["protocolVersion"], "2025-11-25");
    for list in LISTS {
        assert_eq!(hello["capabilities"][list]["listChanged"], true, "{hello}");
    }
    let instructions = hello["instructions"].as_str().unwrap();
    assert_eq!(addresses(instructions), [address(&tether)]);
    assert!(instructions.contains("sign_in"), "{instructions}");
    assert_eq!(hello["serverInfo"]["name"], "mcp-tether");
    assert_eq!(scene.mcp.mcp.calls("initialize").len(), 1);
}

#[test]
fn the_revision_that_the_client_asks_for_is_the_one_it_gets() {
    for version in ["2025-03-26", "2025-06-18"] {
        let scene = Scene::new();
        let tether = hasty(&scene).start();
        let hello = tether.initialize_as(version, "{}").result();
        assert_eq!(hello["protocolVersion"], version);
        visit::follow(&address(&tether));
        changed(&tether);
        tether.call("1", "echo", "{}").result();
        let call = scene.mcp.mcp.calls("tools/call").remove(0);
        let sent = call.header("mcp-protocol-version");
        assert!(sent.is_none_or(|sent| sent == version), "{call}");
    }
}

#[test]
fn there_is_one_tool_and_all_other_lists_are_empty() {
    let scene = Scene::new();
    let (tether, _) = provisional(&scene);
    let asked = scene.mcp.mcp.server.requests().len();
    assert_eq!(tools(&tether, "1"), ["sign_in"]);
    for (id, method, name) in [
        ("2", "resources/list", "resources"),
        ("3", "resources/templates/list", "resourceTemplates"),
        ("4", "prompts/list", "prompts"),
    ] {
        assert_eq!(tether.ask(id, method, "{}").result(), json!({ name: [] }));
    }
    assert_eq!(tether.ask("5", "ping", "{}").result(), json!({}));
    assert_eq!(scene.mcp.mcp.server.requests().len(), asked);
}

#[test]
fn sign_in_gives_the_address_and_waits_and_then_the_server_is_there() {
    let scene = Scene::new();
    let (tether, address) = provisional(&scene);
    let params = r#"{"name":"sign_in","arguments":{},"_meta":{"progressToken":"p"}}"#;
    tether.send(&rpc::request("1", "tools/call", params));
    let progress = tether.notification("notifications/progress").params();
    assert_eq!(progress["progressToken"], "p");
    let shown = addresses(progress["message"].as_str().unwrap());
    assert_eq!(shown, std::slice::from_ref(&address));
    assert_eq!(visit::follow(&address).status, 200);
    let answer = tether.answer("1").result();
    assert!(text(&answer).starts_with("Signed in"), "{answer}");
    assert_eq!(answer.get("isError"), None);
    changed(&tether);
    assert_eq!(tools(&tether, "2"), ["echo", "add", "slow"]);
    tether.call("3", "echo", "{}").result();
    let again = tether.call("4", "sign_in", "{}").result();
    assert!(text(&again).contains("signed in"), "{again}");
    assert_eq!(scene.mcp.with_token("initialize").len(), 1);
    assert_eq!(scene.mcp.with_token("notifications/initialized").len(), 1);
    assert_eq!(scene.auth.authorizations().len(), 1);
}

#[test]
fn the_lists_change_without_any_call_when_the_user_signs_in() {
    let scene = Scene::new();
    let (tether, address) = provisional(&scene);
    visit::follow(&address);
    changed(&tether);
    assert_eq!(tools(&tether, "1"), ["echo", "add", "slow"]);
    let hello = scene.mcp.with_token("initialize").remove(0);
    let info = hello.json()["params"]["clientInfo"].clone();
    assert_eq!(info["name"], "it", "the client's own handshake");
}

#[test]
fn every_request_in_between_is_answered() {
    let scene = Scene::new();
    let (tether, address) = provisional(&scene);
    tether.send(&rpc::call("1", "echo", r#"{"text":"early"}"#));
    tether.send(&rpc::request(
        "2",
        "logging/setLevel",
        r#"{"level":"info"}"#,
    ));
    tether.send(&rpc::request(
        "3",
        "resources/subscribe",
        r#"{"uri":"x://a"}"#,
    ));
    tether.send(&rpc::call("4", "sign_in", "{}"));
    tether.notify("notifications/roots/list_changed", "{}");
    visit::follow(&address);
    let early = tether.answer("1").result();
    assert_eq!(text(&early), "early");
    for id in ["2", "3", "4"] {
        tether.answer(id).result();
    }
    assert!(tether.waiting().is_empty());
    changed(&tether);
}

#[test]
fn a_refused_sign_in_says_so_and_the_next_sign_in_starts_again() {
    let scene = Scene::new();
    let (tether, first) = provisional(&scene);
    tether.send(&rpc::call("1", "sign_in", "{}"));
    deny(&first);
    let answer = tether.answer("1").result();
    assert_eq!(answer["isError"], true, "{answer}");
    assert!(text(&answer).contains("refused"), "{answer}");
    assert_eq!(tools(&tether, "2"), ["sign_in"]);
    tether.send(&rpc::call("3", "sign_in", "{}"));
    visit::follow(&nth_address(&tether, 2));
    let answer = tether.answer("3").result();
    assert!(text(&answer).starts_with("Signed in"), "{answer}");
    changed(&tether);
    assert_eq!(tools(&tether, "4"), ["echo", "add", "slow"]);
}

#[test]
fn what_the_server_said_last_time_is_what_the_client_gets_first() {
    let scene = Scene::new();
    let real = {
        let tether = scene.launch().start();
        say_hello(&tether);
        visit::follow(&address(&tether));
        let real = welcomed(&tether).result();
        // It is kept beside other work.
        let kept = (1..1000).any(|id| {
            tether.call(&id.to_string(), "echo", "{}").result();
            let record = std::fs::read_to_string(&scene.records()[0]);
            record.unwrap().contains("initialize_result")
        });
        assert!(kept, "nothing is remembered");
        assert_eq!(tether.finish(), 0);
        real
    };
    scene.auth.end_grants();
    let tether = hasty(&scene).start();
    say_hello(&tether);
    let hello = welcomed(&tether).result();
    assert_eq!(hello["serverInfo"], real["serverInfo"]);
    assert_eq!(hello["capabilities"]["logging"], json!({}));
    assert_eq!(hello["capabilities"]["tools"]["listChanged"], true);
    assert_eq!(hello["capabilities"]["resources"]["subscribe"], true);
    assert_eq!(
        addresses(hello["instructions"].as_str().unwrap()),
        [address(&tether)]
    );
}

#[test]
fn the_filter_does_not_hide_sign_in() {
    let scene = Scene::new();
    let launch = hasty(&scene).args(["--only-tool", "echo", "--read-only"]);
    let tether = launch.start();
    say_hello(&tether);
    let address = address(&tether);
    welcomed(&tether);
    assert_eq!(tools(&tether, "1"), ["sign_in"]);
    tether.send(&rpc::call("2", "sign_in", "{}"));
    visit::follow(&address);
    tether.answer("2").result();
    changed(&tether);
    assert_eq!(tools(&tether, "3"), ["echo"]);
}

#[test]
fn the_end_of_stdin_ends_the_sign_in_and_answers_what_waits() {
    let scene = Scene::new();
    let open = ["initialize", "notifications/initialized"];
    scene.mcp.set(|door| door.open.extend(open));
    let mut tether = scene.launch().start();
    tether.initialize();
    tether.send(&rpc::call("1", "echo", "{}"));
    let address = address(&tether);
    tether.close_stdin();
    let error = tether.answer("1").error();
    assert_eq!(error["code"], -31004, "{error}");
    assert!(
        error["data"]["hint"]
            .as_str()
            .unwrap()
            .contains("mcp-tether login http"),
        "{error}"
    );
    assert_eq!(tether.wait(), 0);
    let back = visit::parameter(&address, "redirect_uri").unwrap();
    assert!(
        visit::request("GET", &back, &[]).is_none(),
        "the listener is gone"
    );
}

#[test]
fn the_end_of_stdin_while_initialize_waits_answers_it() {
    let scene = Scene::new();
    let mut tether = scene.launch().start();
    say_hello(&tether);
    address(&tether);
    tether.close_stdin();
    let error = tether.answer("0").error();
    assert_eq!(error["code"], -31004, "{error}");
    assert_eq!(tether.wait(), 0);
}

#[test]
fn the_end_of_stdin_while_sign_in_waits_answers_it() {
    let scene = Scene::new();
    let (mut tether, _) = provisional(&scene);
    tether.send(&rpc::call("1", "sign_in", "{}"));
    // What is answered in order shows that the call was taken up.
    assert_eq!(tether.ask("2", "ping", "{}").result(), json!({}));
    tether.close_stdin();
    let answer = tether.answer("1");
    assert!(answer.text.contains("mcp-tether login"), "{}", answer.text);
    assert_eq!(tether.wait(), 0);
}

#[test]
fn a_host_that_only_looks_and_leaves_opens_no_browser() {
    let scene = Scene::new();
    let mut tether = scene.launch().start();
    say_hello(&tether);
    tether.close_stdin();
    tether.answer("0").error();
    assert_eq!(tether.wait(), 0);
    assert_eq!(scene.browser.opened(), 0);
    scene.auth.server.allow_idle();
}

#[test]
fn on_demand_only_a_tool_call_starts_it() {
    for tool in ["sign_in", "echo"] {
        let scene = Scene::new();
        let tether = scene.launch().args(["--sign-in", "on-demand"]).start();
        let hello = tether.initialize().result();
        assert_eq!(addresses(&hello.to_string()), Vec::<String>::new());
        assert!(
            hello["instructions"].as_str().unwrap().contains("sign_in"),
            "{hello}"
        );
        assert_eq!(tools(&tether, "1"), ["sign_in"]);
        tether.ask("2", "prompts/list", "{}").result();
        assert_eq!(scene.auth.server.requests().len(), 0);
        tether.send(&rpc::call("3", tool, r#"{"text":"x"}"#));
        let opened = scene.browser.address(1);
        assert_eq!(opened, address(&tether));
        visit::follow(&opened);
        let answer = tether.answer("3").result();
        assert_eq!(text(&answer) == "x", tool == "echo", "{answer}");
        changed(&tether);
    }
}

#[test]
fn ping_and_discover_never_start_one() {
    let scene = Scene::new();
    scene.auth.server.allow_idle();
    let open = ["initialize", "notifications/initialized"];
    scene.mcp.set(|door| door.open.extend(open));
    let tether = scene.launch().start();
    tether.initialize();
    // In this order: a ping that comes before the end of the handshake is answered here.
    for (id, method) in [("1", "server/discover"), ("2", "ping")] {
        assert_eq!(tether.ask(id, method, "{}").code(), -31004, "{method}");
    }
    assert_eq!(scene.auth.server.requests().len(), 0);
    assert_eq!(tether.stderr(), "");
}

#[test]
fn a_client_that_shows_addresses_itself_is_asked_to_and_no_browser_opens() {
    let scene = Scene::new();
    let open = ["initialize", "notifications/initialized"];
    scene.mcp.set(|door| door.open.extend(open));
    let tether = scene.launch().start();
    tether.initialize_as("2025-11-25", r#"{"elicitation":{"form":{},"url":{}}}"#);
    tether.send(&rpc::call("1", "echo", "{}"));
    let asked = tether.request("elicitation/create");
    let params = asked.params();
    assert_eq!(params["mode"], "url");
    let url = params["url"].as_str().unwrap();
    assert_eq!(url, address(&tether));
    tether.send(&rpc::result(
        asked.id.as_deref().unwrap(),
        r#"{"action":"accept"}"#,
    ));
    visit::follow(url);
    let done = tether.notification("notifications/elicitation/complete");
    assert_eq!(done.params()["elicitationId"], params["elicitationId"]);
    tether.answer("1").result();
    assert_eq!(scene.browser.opened(), 0);
}
