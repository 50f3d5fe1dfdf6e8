//! Sessions that the bridge gives up while the server still has them are ended
//! (2025-11-25 transports §Session Management).

use crate::support::gate::Gate;
use crate::support::http::{Request, Response};
use crate::support::mcp::{LATEST, Legacy};
use crate::support::modern::params;
use crate::support::rpc;
use crate::support::tether::Tether;

const SESSION: &str = "mcp-session-id";

fn hello() -> String {
    format!(r#"{{"protocolVersion":"{LATEST}","capabilities":{{}},"clientInfo":{{}}}}"#)
}

/// The sessions that were ended, in that order.
fn ended(mcp: &Legacy) -> Vec<String> {
    let session = |request: &Request| request.header(SESSION).unwrap_or_default().to_owned();
    mcp.calls("DELETE").iter().map(session).collect()
}

#[test]
fn a_client_that_speaks_both_eras_leaves_no_session_behind() {
    let mcp = Legacy::new();
    let tether = Tether::to(&mcp);
    tether.ask("1", "server/discover", &params("")).result();
    assert_eq!(mcp.sessions(), ["session-1"]);
    tether.initialize();
    let delete = &mcp.wait_calls("DELETE", 1)[0];
    assert_eq!(delete.header(SESSION), Some("session-1"));
    assert_eq!(delete.header("mcp-protocol-version"), Some(LATEST));
    tether.call("2", "echo", "{}").result();
    assert_eq!(mcp.sessions(), ["session-2"]);
    assert_eq!(tether.finish(), 0);
    assert_eq!(ended(&mcp), ["session-1", "session-2"]);
}

#[test]
fn the_other_way_round_there_is_one_session() {
    let mcp = Legacy::new();
    let tether = Tether::to(&mcp);
    tether.initialize();
    tether.ask("1", "server/discover", &params("")).result();
    tether.call("2", "echo", "{}").result();
    assert_eq!(mcp.calls("initialize").len(), 1);
    assert_eq!(tether.finish(), 0);
    assert_eq!(ended(&mcp), ["session-1"]);
}

#[test]
fn a_session_is_ended_when_its_last_call_is_answered_and_nobody_waits_for_that() {
    let mcp = Legacy::new();
    let gate = Gate::new();
    let opened = gate.clone();
    mcp.times(1, "tools/call", move |call| {
        let gate = opened.clone();
        async move {
            gate.opened().await;
            Response::json(200, call.says("done"))
        }
    });
    mcp.on("DELETE", |_| async { Response::stall() });
    let tether = Tether::to(&mcp);
    tether.initialize();
    tether.send(&rpc::call("1", "any", "{}"));
    mcp.wait_calls("tools/call", 1);
    tether.ask("2", "initialize", &hello()).result();
    tether.call("3", "echo", "{}").result();
    assert!(ended(&mcp).is_empty(), "it is in use");
    gate.open();
    let answer = tether.answer("1").result();
    assert_eq!(answer["content"][0]["text"], "done");
    mcp.wait_calls("DELETE", 1);
    tether.call("4", "echo", "{}").result();
    assert_eq!(ended(&mcp), ["session-1"]);
}

#[test]
fn a_client_that_leaves_at_once_leaves_no_session_behind() {
    let mcp = Legacy::new();
    let mut tether = Tether::to(&mcp);
    tether.ask("1", "server/discover", &params("")).result();
    tether.send(&rpc::request("2", "initialize", &hello()));
    tether.close_stdin();
    tether.answer("2").result();
    assert_eq!(tether.wait(), 0);
    assert!(mcp.sessions().is_empty(), "{:?}", mcp.sessions());
}

#[test]
fn a_renewal_that_goes_wrong_half_way_leaves_no_session_behind() {
    let mcp = Legacy::new();
    let tether = Tether::to(&mcp);
    tether.initialize();
    mcp.wait_calls("GET", 1);
    mcp.forget_sessions();
    mcp.times(1, "notifications/initialized", |_| async {
        Response::status(503)
    });
    tether.call("1", "echo", "{}").result();
    mcp.wait_calls("DELETE", 1);
    assert_eq!(ended(&mcp), ["session-2"], "one that is lost is left alone");
    assert_eq!(mcp.sessions(), ["session-3"]);
}
