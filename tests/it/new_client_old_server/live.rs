//! What happens around a call: log messages, a cancel, a session that is lost.

use super::{call, hand_over, next};
use crate::support::mcp::{Legacy, LegacyPlan, Sse};
use crate::support::modern::{enveloped, params};
use crate::support::rpc;
use crate::support::server::Peer;
use crate::support::tether::Tether;

const MORE: &str = r#","name":"t","arguments":{}"#;

fn log(level: &str) -> String {
    let params = format!(r#"{{"level":"{level}","data":"x"}}"#);
    rpc::notification("notifications/message", &params)
}

#[test]
fn log_messages_are_for_those_who_ask_from_their_level_on() {
    let server = Legacy::new();
    let calls = hand_over(&server, "tools/call");
    let tether = Tether::to(&server);
    tether.ask("0", "server/discover", &params(""));
    tether.send(&call("1", "{}"));
    let (begun, feed) = next(&calls);
    feed.event(&log("emergency"));
    feed.event(&begun.says("quiet"));
    tether.answer("1");
    assert!(tether.notifications().is_empty());
    assert!(server.calls("logging/setLevel").is_empty());

    let level = r#","io.modelcontextprotocol/logLevel":"warning""#;
    let loud = enveloped("{}", level, MORE);
    tether.send(&rpc::request("2", "tools/call", &loud));
    let (begun, feed) = next(&calls);
    let set = server.calls("logging/setLevel");
    assert_eq!(set.len(), 1);
    assert_eq!(set[0].json()["params"]["level"], "warning");
    feed.event(&log("info"));
    feed.event(&log("error"));
    feed.event(&begun.says("loud"));
    tether.answer("2");
    let told = tether.notifications();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].params()["level"], "error");
}

#[test]
fn a_cancel_reaches_the_server_under_its_own_id() {
    let server = Legacy::new();
    let calls = hand_over(&server, "tools/call");
    let tether = Tether::to(&server);
    tether.ask("0", "server/discover", &params(""));
    tether.send(&call("1", "{}"));
    let (begun, feed) = next(&calls);
    tether.notify(
        "notifications/cancelled",
        r#"{"requestId":1,"reason":"enough"}"#,
    );
    let told = server.wait_calls("notifications/cancelled", 1)[0].json();
    assert_eq!(told["params"]["requestId"].to_string(), begun.id());
    assert_eq!(told["params"]["reason"], "enough");
    feed.event(&begun.says("too late"));
    tether.send(&rpc::request("2", "tools/list", &params("")));
    tether.answer("2");
    assert!(tether.unread().is_empty());
}

#[test]
fn a_lost_session_is_replaced_without_a_word() {
    let server = LegacyPlan::default().listens().serve();
    let tether = Tether::to(&server);
    let listed = tether.ask("1", "tools/list", &params(""));
    server.listening(1);
    server.forget_sessions();
    let again = tether.ask("2", "tools/list", &params(""));
    assert_eq!(again.result(), listed.result());
    assert_eq!(server.calls("initialize").len(), 2);
    assert_eq!(server.calls("notifications/initialized").len(), 2);
    assert!(tether.unread().is_empty());
}

#[test]
fn a_lost_stream_of_http_and_sse_is_replaced_without_a_word() {
    let server = Sse::new();
    let tether = Tether::to(&server);
    tether.ask("1", "tools/list", &params(""));
    server.drop_streams();
    server.stream(2);
    let again = tether.ask("2", "tools/list", &params(""));
    assert!(again.result()["tools"].is_array());
    assert_eq!(
        server
            .log()
            .all()
            .iter()
            .filter(|sent| sent.method == "GET")
            .count(),
        2
    );
    assert!(tether.unread().is_empty());
}
