//! `--ignore-tool`, `--only-tool` and `--read-only`: hidden from lists, refused in calls.

use crate::support::launch::Launch;
use crate::support::mcp::Legacy;
use crate::support::rpc::Rpc;
use crate::support::tether::Tether;

const GET: &str = r#"{ "name":"get_item", "x":1.0, "annotations":{"readOnlyHint":true}}"#;
const PUT: &str = r#"{"name":"put_item","big":12345678901234567890}"#;
const DELETE: &str = r#"{"annotations":{"readOnlyHint":false},"name":"delete_\u0069tem"}"#;

fn serve() -> Legacy {
    let mcp = Legacy::new();
    mcp.on("tools/list", |call| async move {
        call.reply(&match call.params()["cursor"].as_str() {
            None => format!(r#"{{"tools":[{PUT},{DELETE}],"nextCursor":""}}"#),
            Some("") => format!(r#"{{"z":1,"tools":[{GET}]}}"#),
            Some(other) => panic!("no cursor {other}"),
        })
    });
    mcp.on("tools/call", |call| async move {
        let name = call.params()["name"].to_string();
        call.reply(&format!(r#"{{"content":[],"called":{name}}}"#))
    });
    mcp
}

fn start(mcp: &Legacy, args: &[&str]) -> Tether {
    let tether = Launch::to(mcp).args(args.iter().copied()).start();
    tether.initialize();
    tether
}

fn list(tether: &Tether, cursor: &str) -> String {
    tether.ask("1", "tools/list", cursor).result.unwrap()
}

fn refused(error: &Rpc, tool: &str) {
    assert_eq!(error.code(), -32602, "{}", error.text);
    assert_eq!(error.error()["data"]["kind"], "filtered");
    assert_eq!(error.error()["data"]["source"], "mcp-tether");
    assert!(error.error()["message"].as_str().unwrap().contains(tool));
}

#[test]
fn an_ignored_tool_is_hidden_and_refused() {
    let mcp = serve();
    let tether = start(&mcp, &["--ignore-tool", "Delete*", "--ignore-tool=x"]);
    let page = list(&tether, "{}");
    assert_eq!(page, format!(r#"{{"tools":[{PUT}],"nextCursor":""}}"#));
    let next = list(&tether, r#"{"cursor":""}"#);
    assert_eq!(next, format!(r#"{{"z":1,"tools":[{GET}]}}"#));
    refused(&tether.call("2", "delete_item", "{}"), "delete_item");
    tether.call("3", "put_item", "{}").result();
    assert_eq!(mcp.calls("tools/call").len(), 1);
    assert_eq!(tether.finish(), 0);
}

#[test]
fn a_call_whose_tool_cannot_be_told_is_refused() {
    let mcp = serve();
    let tether = start(&mcp, &["--ignore-tool", "delete*"]);
    let twice = r#"{"name":"put_item","name":"delete_item"}"#;
    refused(&tether.ask("1", "tools/call", twice), "name");
    refused(&tether.ask("2", "tools/call", "{}"), "name");
    assert!(mcp.calls("tools/call").is_empty());
    assert_eq!(tether.finish(), 0);
}

#[test]
fn a_tool_that_cannot_be_read_is_hidden_and_the_others_are_filtered_still() {
    let mcp = Legacy::new();
    mcp.on("tools/list", |call| async move {
        call.reply(&format!(
            r#"{{"tools":[{DELETE},{{"name":"a","name":"delete_b"}},{PUT},{{"title":"x"}},{{"name":"odd","annotations":7}}]}}"#
        ))
    });
    let tether = start(&mcp, &["--ignore-tool", "delete*"]);
    assert_eq!(
        list(&tether, "{}"),
        format!(r#"{{"tools":[{PUT},{{"name":"odd","annotations":7}}]}}"#)
    );
    assert_eq!(tether.finish(), 0);
}

#[test]
fn only_the_named_tools_are_shown() {
    let mcp = serve();
    let tether = start(&mcp, &["--only-tool", "get_*", "--ignore-tool", "*x*"]);
    let page = list(&tether, "{}");
    assert_eq!(page, r#"{"tools":[],"nextCursor":""}"#);
    assert!(list(&tether, r#"{"cursor":""}"#).contains(GET));
    refused(&tether.call("2", "put_item", "{}"), "put_item");
    // Nobody has listed it, and its name alone decides.
    refused(&tether.call("3", "unheard_of", "{}"), "unheard_of");
    tether.call("4", "get_item", "{}").result();
    assert_eq!(tether.finish(), 0);
}

#[test]
fn read_only_hides_what_is_not_annotated() {
    let mcp = serve();
    let tether = start(&mcp, &["--read-only"]);
    assert_eq!(list(&tether, "{}"), r#"{"tools":[],"nextCursor":""}"#);
    let next = list(&tether, r#"{"cursor":""}"#);
    assert_eq!(next, format!(r#"{{"z":1,"tools":[{GET}]}}"#));
    refused(&tether.call("2", "put_item", "{}"), "put_item");
    refused(&tether.call("3", "delete_item", "{}"), "delete_item");
    tether.call("4", "get_item", "{}").result();
    assert_eq!(tether.finish(), 0);
}

#[test]
fn an_unlisted_tool_under_read_only_lists_all_pages_first() {
    let mcp = serve();
    let tether = start(&mcp, &["--read-only"]);
    tether.call("1", "get_item", "{}").result();
    assert_eq!(mcp.calls("tools/list").len(), 2);
    refused(&tether.call("2", "put_item", "{}"), "put_item");
    assert_eq!(mcp.calls("tools/list").len(), 2, "it is known by now");
    refused(&tether.call("3", "unheard_of", "{}"), "unheard_of");
    assert!(tether.unread().is_empty(), "the lists are our own");
    assert_eq!(mcp.calls("tools/call").len(), 1);
    assert_eq!(tether.finish(), 0);
}

#[test]
fn changed_tools_are_listed_anew() {
    let mcp = crate::support::mcp::LegacyPlan::default().listens().serve();
    mcp.times(1, "tools/list", |call| async move {
        call.reply(&format!(r#"{{"tools":[{GET}]}}"#))
    });
    mcp.on("tools/call", |call| async move { call.reply("{}") });
    let tether = start(&mcp, &["--read-only"]);
    tether.call("1", "get_item", "{}").result();
    mcp.listening(1)
        .event(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
    tether.notification("notifications/tools/list_changed");
    // The default list has no such tool.
    refused(&tether.call("2", "get_item", "{}"), "get_item");
    assert_eq!(mcp.calls("tools/list").len(), 2);
    assert_eq!(tether.finish(), 0);
}
