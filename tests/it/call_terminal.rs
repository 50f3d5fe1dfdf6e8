//! `tools` and `call` at a terminal: tables that fit, a bar for progress, questions of the server's, and nothing that moves the
//! cursor.

use std::sync::{Arc, Mutex};

use crate::support::browser::Browser;
use crate::support::gate::lock;
use crate::support::golden::golden;
use crate::support::http::{Feed, Response};
use crate::support::launch::Launch;
use crate::support::mcp::{ANSWER, Call, Legacy};
use crate::support::pty::Pty;
use crate::support::rpc;
use crate::support::scene::{Scene, addresses};
use crate::support::server::Peer;
use crate::support::visit;

const DOWN: &str = "\u{1b}[B";

fn launch(mcp: &Legacy, command: &str) -> Launch {
    let launch = Launch::new().watch(mcp).env("MCP_TETHER_STORE", "file");
    launch.args([command.to_owned(), mcp.url()])
}

fn start(mcp: &Legacy, args: &[&str]) -> Pty {
    let args = args.iter().copied();
    launch(mcp, "call").args(args).on_terminal()
}

/// A server whose only answer is what the user answered, as raw JSON.
pub fn asking(params: &str) -> Legacy {
    let mcp = Legacy::new();
    let open: Arc<Mutex<Option<(Call, Feed)>>> = Arc::default();
    let (asked, answered) = (Arc::clone(&open), open);
    let question = rpc::request(r#""q1""#, "elicitation/create", params);
    mcp.on("tools/call", move |call| {
        let (response, feed) = Response::events();
        feed.event(&question);
        *lock(&asked) = Some((call, feed));
        async { response }
    });
    mcp.on(ANSWER, move |answer| {
        if let Some((call, feed)) = lock(&answered).take() {
            let result = answer.rpc.and_then(|rpc| rpc.result).unwrap_or_default();
            feed.event(&call.says(&result));
            feed.end();
        }
        async { Response::accepted() }
    });
    mcp
}

#[test]
fn tables_fit_the_terminal() {
    let (code, text) = launch(&crate::tools::rich(), "tools").on_terminal().end();
    assert_eq!(code, 0, "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    golden("tools/80-columns.txt", &text);
}

#[test]
fn what_a_terminal_would_obey_is_taken_out() {
    let mcp = crate::call::giving(
        r#"{"content":[{"type":"text","text":"\u001b[2Jsafe\u0007\u009b31m \u202eend"}]}"#,
    );
    let (code, text) = start(&mcp, &["make", "n=1"]).end();
    assert_eq!((code, text.as_str()), (0, "safe end\n"));
}

#[test]
fn progress_is_a_bar_that_goes_away() {
    let mcp = Legacy::new();
    let open: Arc<Mutex<Option<(Call, Feed)>>> = Arc::default();
    let shared = Arc::clone(&open);
    mcp.on("tools/call", move |call| {
        let (response, feed) = Response::events();
        feed.event(&call.progress(1, 4).expect("a token"));
        *lock(&shared) = Some((call, feed));
        async { response }
    });
    let pty = start(&mcp, &["slow"]);
    pty.wait(" 25%");
    let (call, feed) = lock(&open).take().unwrap();
    feed.event(&rpc::notification(
        "notifications/message",
        r#"{"level":"info","data":"half way"}"#,
    ));
    pty.wait("info: half way");
    feed.event(&call.says("done"));
    feed.end();
    let (code, text) = pty.end();
    assert_eq!(code, 0, "{text}");
    assert!(text.ends_with("done\n"), "{text}");
    assert!(!text.contains("/1000"), "{text}");
}

#[test]
fn a_form_is_asked_field_by_field() {
    let mcp = asking(
        r#"{"message":"Who are \u001b[31myou?","requestedSchema":{"type":"object","required":["name","age"],"properties":{
            "name":{"type":"string","title":"Your name","minLength":2},
            "age":{"type":"integer","minimum":0},
            "color":{"type":"string","enum":["r","g"],"enumNames":["Red","Green"],"default":"g"},
            "agree":{"type":"boolean","default":true},
            "mail":{"type":"string","format":"email","description":"Where to write to"},
            "days":{"type":"array","items":{"anyOf":[{"const":"mo","title":"Monday"},{"const":"tu","title":"Tuesday"}]}}}}}"#,
    );
    let pty = start(&mcp, &["echo"]);
    pty.wait("asks: Who are you?").wait("cancel");
    pty.press("\r");
    pty.wait("Your name");
    pty.keys("A\n");
    pty.wait("must have at least 2 characters")
        .wait("Your name");
    pty.keys("Ada\n");
    pty.wait("age");
    pty.keys("36.5\n");
    pty.wait("must be an integer");
    pty.keys("36\n");
    pty.wait("color (optional)").wait("(leave out)");
    pty.press("\r");
    pty.wait("agree (optional)");
    pty.press("\r");
    pty.wait("Where to write to").wait("mail (optional)");
    pty.keys("\n");
    pty.wait("days (optional)").wait("Tuesday");
    pty.press(&format!("{DOWN} \r"));
    let (code, text) = pty.end();
    assert_eq!(code, 0, "{text}");
    let wanted = r#"{"action":"accept","content":{"name":"Ada","age":36,"color":"g","agree":true,"days":["tu"]}}"#;
    assert!(text.ends_with(&format!("{wanted}\n")), "{text}");
}

#[test]
fn a_question_can_be_declined_and_put_off() {
    let question =
        r#"{"mode":"form","message":"Sure?","requestedSchema":{"type":"object","properties":{}}}"#;
    for (keys, action) in [
        ("\r".to_owned(), r#"{"action":"accept","content":{}}"#),
        (format!("{DOWN}\r"), r#"{"action":"decline"}"#),
        (format!("{DOWN}{DOWN}\r"), r#"{"action":"cancel"}"#),
        ("q".to_owned(), r#"{"action":"cancel"}"#),
    ] {
        let mcp = asking(question);
        let pty = start(&mcp, &["echo"]);
        pty.wait("Sure?").wait("cancel");
        pty.press(&keys);
        let (code, text) = pty.end();
        assert_eq!(code, 0, "{text}");
        assert!(text.ends_with(&format!("{action}\n")), "{text}");
    }
}

#[test]
fn an_address_is_shown_and_opened_only_when_the_user_agrees() {
    let question = |url: &str| {
        format!(r#"{{"mode":"url","elicitationId":"7","message":"Pay here","url":"{url}"}}"#)
    };
    for (keys, opened, action) in [
        ("\r".to_owned(), 1, "accept"),
        (format!("{DOWN}\r"), 0, "decline"),
    ] {
        let browser = Browser::new();
        let mcp = asking(&question("https://pay.example/1?x=2"));
        let launch = launch(&mcp, "call").env("BROWSER", browser.command());
        let pty = launch.arg("echo").on_terminal();
        pty.wait("Pay here")
            .wait("https://pay.example/1?x=2")
            .wait("cancel");
        assert_eq!(browser.opened(), 0);
        pty.press(&keys);
        let (code, text) = pty.end();
        assert_eq!(code, 0, "{text}");
        assert!(
            text.ends_with(&format!("{{\"action\":\"{action}\"}}\n")),
            "{text}"
        );
        assert_eq!(browser.opened(), opened);
    }
    let (_, text) = start(&asking(&question("file:///etc/passwd")), &["echo"]).end();
    assert!(text.contains("not safe: declined"), "{text}");
}

#[test]
fn ctrl_c_at_a_question_leaves_the_terminal_as_it_was() {
    let question = r#"{"message":"Sure?","requestedSchema":{"type":"object","properties":{"x":{"type":"string"}}}}"#;
    let mcp = asking(question);
    let pty = start(&mcp, &["echo"]);
    pty.wait("Sure?").wait("cancel");
    pty.press("\u{3}");
    assert_eq!(pty.end().0, 130);
    mcp.wait_calls("notifications/cancelled", 1);

    let pty = start(&mcp, &["echo"]);
    pty.wait("Sure?").wait("cancel");
    pty.signal("TERM");
    assert_eq!(pty.end().0, 130);
}

#[test]
fn a_server_that_does_not_wait_for_the_answer_leaves_the_terminal_as_it_was() {
    let mcp = Legacy::new();
    let open: Arc<Mutex<Option<(Call, Feed)>>> = Arc::default();
    let shared = Arc::clone(&open);
    mcp.on("tools/call", move |call| {
        let (response, feed) = Response::events();
        feed.event(&rpc::request(
            r#""q""#,
            "elicitation/create",
            r#"{"message":"Sure?"}"#,
        ));
        *lock(&shared) = Some((call, feed));
        async { response }
    });
    let pty = start(&mcp, &["echo"]);
    pty.wait("Sure?").wait("cancel");
    let (call, feed) = lock(&open).take().unwrap();
    feed.event(&call.says("too late"));
    feed.end();
    let (code, text) = pty.end();
    assert_eq!(code, 0, "{text}");
    assert!(text.ends_with("too late\n"), "{text}");
}

#[test]
fn the_address_of_a_sign_in_can_be_pasted() {
    let scene = Scene::new();
    let launch = scene
        .command("call")
        .args(["echo", "text=hi", "--no-browser"]);
    let pty = launch.on_terminal();
    pty.wait("sign in at ")
        .wait("paste the address that it ends at");
    let address = addresses(&pty.text()).remove(0);
    let back = visit::location(&address);
    pty.keys(&format!("{back}\n"));
    let (code, text) = pty.end();
    assert_eq!(code, 0, "{text}");
    assert!(text.ends_with("hi\n"), "{text}");
}
