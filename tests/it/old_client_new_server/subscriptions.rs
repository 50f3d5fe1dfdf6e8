//! What a client of an earlier revision hears of without asking comes on one `subscriptions/listen`, which is replaced when the
//! client subscribes to a resource.

use serde_json::json;

use super::plain;
use crate::support::mcp::{HELD, Modern, REFUSED};
use crate::support::modern::reply;
use crate::support::rpc::{self, Rpc};
use crate::support::tether::Tether;

fn subscribe(tether: &Tether, id: &str, uri: &str) -> Rpc {
    tether.ask(id, "resources/subscribe", &format!(r#"{{"uri":"{uri}"}}"#))
}

#[test]
fn changes_of_lists_are_heard_after_the_handshake() {
    let server = plain();
    let tether = Tether::to(&server);
    tether.initialize();
    let listen = server.listen(1);
    assert_eq!(
        listen.wanted,
        json!({"toolsListChanged": true, "resourcesListChanged": true}),
        "what the server tells of"
    );
    listen.tell("notifications/tools/list_changed", json!({}));
    let told = tether.notification("notifications/tools/list_changed");
    assert!(!told.text.contains("subscriptionId"), "{}", told.text);
    assert!(
        tether.unread().is_empty(),
        "the acknowledgement is not told"
    );
    assert_eq!(tether.finish(), 0);
    listen.feed.gone().wait("the end of the stream");
}

#[test]
fn nothing_is_listened_to_where_the_server_tells_nothing() {
    let server = Modern::new(r#"{"tools":{}}"#, |request| reply(request, "{}"));
    let tether = Tether::to(&server);
    tether.initialize();
    tether.ask("1", "tools/list", "{}");
    assert_eq!(tether.finish(), 0);
    assert_eq!(server.listened(), 0);
}

#[test]
fn a_resource_that_is_subscribed_to_replaces_the_stream() {
    let server = plain();
    let tether = Tether::to(&server);
    tether.initialize();
    let first = server.listen(1);
    let uri = format!(r#"{{"uri":"{HELD}"}}"#);
    tether.send(&rpc::request("1", "resources/subscribe", &uri));
    let second = server.listen(2);
    assert_eq!(second.wanted["resourceSubscriptions"], json!([HELD]));
    assert_eq!(second.wanted["toolsListChanged"], true);
    assert_ne!(first.id, second.id);
    // Until the new one is acknowledged the old one goes on.
    first.tell("notifications/tools/list_changed", json!({}));
    tether.notification("notifications/tools/list_changed");
    assert!(!first.feed.gone().is_open());
    assert_eq!(tether.waiting(), ["1"]);
    second.acknowledge();
    assert_eq!(tether.answer("1").result(), json!({}));
    first.feed.gone().wait("the end of the old stream");
    second.tell("notifications/resources/updated", json!({"uri": HELD}));
    let told = tether.notification("notifications/resources/updated");
    assert_eq!(told.params(), json!({"uri": HELD}));

    tether.ask("2", "resources/unsubscribe", &uri);
    let third = server.listen(3);
    assert!(third.wanted.get("resourceSubscriptions").is_none());
    second.feed.gone().wait("the end of the old stream");
    assert!(server.calls("resources/subscribe").is_empty());
    assert!(server.calls("resources/unsubscribe").is_empty());
}

#[test]
fn a_resource_that_the_server_does_not_honour_is_an_error() {
    let server = plain();
    let tether = Tether::to(&server);
    tether.initialize();
    server.listen(1);
    let good = subscribe(&tether, "1", "file:///a");
    assert_eq!(good.result(), json!({}));
    assert!(subscribe(&tether, "2", REFUSED).error.is_some());
    // The one that is honoured is not lost by it.
    let last = server.listen(4);
    assert_eq!(last.wanted["resourceSubscriptions"], json!(["file:///a"]));
    assert!(!last.feed.gone().is_open());
}

#[test]
fn a_server_without_subscriptions_is_not_asked_for_any() {
    let server = Modern::new(r#"{"resources":{}}"#, |request| reply(request, "{}"));
    let tether = Tether::to(&server);
    tether.initialize();
    assert!(subscribe(&tether, "1", "file:///a").error.is_some());
    assert_eq!(server.listened(), 0);
}

#[test]
fn a_stream_that_is_lost_is_opened_again() {
    let server = plain();
    let tether = Tether::to(&server);
    tether.initialize();
    server.listen(1);
    subscribe(&tether, "1", "file:///a");
    server.listen(2).feed.cut();
    let third = server.listen(3);
    assert_eq!(third.wanted["resourceSubscriptions"], json!(["file:///a"]));
    third.feed.end();
    let fourth = server.listen(4);
    fourth.tell(
        "notifications/resources/updated",
        json!({"uri": "file:///a/b"}),
    );
    tether.notification("notifications/resources/updated");
}
