//! `subscriptions/listen` of a client, in terms of one session: each subscription has its own copies, and a resource is
//! subscribed to for as long as one of them wants it.

use serde_json::{Value, json};

use crate::support::http::Feed;
use crate::support::mcp::{Legacy, LegacyPlan};
use crate::support::modern::{SUBSCRIPTION, params};
use crate::support::rpc::{self, Rpc};
use crate::support::tether::Tether;

const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";

/// Begins a subscription; what the server promises.
fn listen(tether: &Tether, id: &str, wanted: &str) -> Value {
    let params = params(&format!(r#","notifications":{wanted}"#));
    tether.send(&rpc::request(id, "subscriptions/listen", &params));
    let acknowledged = tether.notification(ACKNOWLEDGED).params();
    assert_eq!(acknowledged["_meta"][SUBSCRIPTION].to_string(), id);
    acknowledged["notifications"].clone()
}

fn cancel(tether: &Tether, id: &str) {
    let params = format!(r#"{{"requestId":{id}}}"#);
    tether.notify("notifications/cancelled", &params);
}

/// The subscriptions that the next `count` notifications of that method are for.
fn told(tether: &Tether, method: &str, count: usize) -> Vec<String> {
    let of = |rpc: Rpc| rpc.params()["_meta"][SUBSCRIPTION].to_string();
    let mut told: Vec<String> = (0..count)
        .map(|_| of(tether.notification(method)))
        .collect();
    told.sort();
    told
}

fn updated(feed: &Feed, uri: &str) {
    let params = format!(r#"{{"uri":"{uri}"}}"#);
    feed.event(&rpc::notification(
        "notifications/resources/updated",
        &params,
    ));
}

#[test]
fn subscriptions_get_tagged_copies_and_share_what_the_server_is_asked() {
    let server = LegacyPlan::default().listens().serve();
    let mut tether = Tether::to(&server);
    let all = r#"{"toolsListChanged":true,"promptsListChanged":true,"resourceSubscriptions":["file:///a"]}"#;
    assert_eq!(
        listen(&tether, "1", all),
        json!({"toolsListChanged":true,"resourceSubscriptions":["file:///a"]}),
        "the server does not tell of changed prompts"
    );
    let one = r#"{"resourceSubscriptions":["file:///a"]}"#;
    listen(&tether, "\"two\"", one);
    assert_eq!(server.calls("resources/subscribe").len(), 1);

    let feed = server.listening(1);
    updated(&feed, "file:///a");
    let method = "notifications/resources/updated";
    assert_eq!(told(&tether, method, 2), ["\"two\"", "1"]);
    feed.event(&rpc::notification("notifications/tools/list_changed", "{}"));
    let method = "notifications/tools/list_changed";
    assert_eq!(told(&tether, method, 1), ["1"]);

    cancel(&tether, "1");
    tether.ask("3", "tools/list", &params(""));
    updated(&feed, "file:///a");
    let method = "notifications/resources/updated";
    assert_eq!(told(&tether, method, 1), ["\"two\""]);
    assert!(server.calls("resources/unsubscribe").is_empty());
    cancel(&tether, "\"two\"");
    let left = server.wait_calls("resources/unsubscribe", 1);
    assert_eq!(left[0].json()["params"]["uri"], "file:///a");

    listen(&tether, "4", r#"{"toolsListChanged":true}"#);
    tether.close_stdin();
    let ended = tether.answer("4").result();
    assert_eq!(ended["_meta"][SUBSCRIPTION], 4);
    assert_eq!(ended["resultType"], "complete");
    assert_eq!(tether.wait(), 0);
    assert!(tether.unread().is_empty());
}

#[test]
fn nothing_is_promised_without_a_stream_that_could_bring_it() {
    let server = Legacy::new();
    let tether = Tether::to(&server);
    let all = r#"{"toolsListChanged":true,"resourceSubscriptions":["file:///a"]}"#;
    assert_eq!(listen(&tether, "1", all), json!({}));
    assert!(server.calls("resources/subscribe").is_empty());
    cancel(&tether, "1");
}

#[test]
fn a_resource_that_the_server_refuses_is_not_promised() {
    let server = LegacyPlan::default().listens().serve();
    server.on("resources/subscribe", |call| async move {
        match call.params()["uri"].as_str() {
            Some("file:///no") => call.refuse(-32602, "no"),
            _ => call.reply("{}"),
        }
    });
    let tether = Tether::to(&server);
    let both = r#"{"resourceSubscriptions":["file:///no","file:///yes"]}"#;
    assert_eq!(
        listen(&tether, "1", both),
        json!({"resourceSubscriptions":["file:///yes"]})
    );
    cancel(&tether, "1");
    server.wait_calls("resources/unsubscribe", 1);
}

#[test]
fn a_subscription_without_a_filter_is_refused() {
    let server = LegacyPlan::default().listens().serve();
    let tether = Tether::to(&server);
    tether.ask("1", "server/discover", &params(""));
    let answer = tether.ask("2", "subscriptions/listen", &params(""));
    assert_eq!(answer.code(), -32602);
}

#[test]
fn subscriptions_outlive_a_session() {
    let server = LegacyPlan::default().listens().serve();
    let tether = Tether::to(&server);
    listen(&tether, "1", r#"{"resourceSubscriptions":["file:///a"]}"#);
    server.listening(1);
    server.forget_sessions();
    tether.ask("2", "tools/list", &params(""));
    let again = server.wait_calls("resources/subscribe", 2);
    assert_eq!(again[1].json()["params"]["uri"], "file:///a");
    updated(&server.listening(2), "file:///a");
    let method = "notifications/resources/updated";
    assert_eq!(told(&tether, method, 1), ["1"]);
    cancel(&tether, "1");
    server.wait_calls("resources/unsubscribe", 1);
}
