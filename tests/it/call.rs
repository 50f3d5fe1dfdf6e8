//! `call`: one call from a shell, with its arguments, its result and its exit code.

use serde_json::{Value, json};

use crate::support::http::{Request, Response};
use crate::support::launch::{Launch, Output};
use crate::support::mcp::{Legacy, LegacyPlan, Modern, Sse};
use crate::support::modern::{reply, said};
use crate::support::rpc::{self, Rpc};
use crate::support::scene::Scene;
use crate::support::server::{Peer, Plan};

const TOOL: &str = r#"{"tools":[{"name":"make","inputSchema":{"type":"object","properties":{"n":{"type":"integer"},"x":{"type":"number"},"where":{"type":"object","properties":{"city":{"type":"string"}}},"tags":{"type":"array","items":{"type":"string"}},"text":{"type":"string"}},"required":["n"],"additionalProperties":false}}]}"#;

fn launch(peer: &impl Peer, more: &[&str]) -> Launch {
    let launch = Launch::new()
        .watch(peer)
        .args(["call".to_owned(), peer.url()]);
    launch.args(more.iter().copied())
}

/// Runs `call` with these words after the URL.
pub fn call(peer: &impl Peer, more: &[&str]) -> Output {
    launch(peer, more).run("")
}

/// A server with one tool, which gives that raw result.
pub fn giving(result: &str) -> Legacy {
    let mcp = Legacy::new();
    let result = result.to_owned();
    mcp.on("tools/list", |call| async move { call.reply(TOOL) });
    mcp.on("tools/call", move |call| {
        let answer = call.reply(&result);
        async move { answer }
    });
    mcp
}

/// The params of the first call that the server got.
pub fn sent(mcp: &Legacy) -> String {
    let calls = mcp.calls("tools/call");
    calls[0].rpc().unwrap().params.unwrap()
}

#[test]
fn the_text_of_the_result_goes_to_stdout() {
    for args in [
        &["echo", "text=hello"][..],
        &["echo", r#"{"text":"hello"}"#],
        &["--silent", "echo", "text:=\"hello\""],
    ] {
        let output = call(&Legacy::new(), args);
        assert_eq!(
            (output.code, output.stdout.as_str(), output.stderr.as_str()),
            (Some(0), "hello\n", "")
        );
    }
    let output = launch(&Legacy::new(), &["echo", "text=-"]).run("from\nstdin");
    assert_eq!(output.stdout, "from\nstdin\n", "{output:?}");
    let output = launch(&Legacy::new(), &["echo", "-"]).run(r#"{"text":"x"}"#);
    assert_eq!(output.stdout, "x\n", "{output:?}");
    let output = call(&Legacy::new(), &["add", "a=1", "b=2.5"]);
    assert_eq!(output.stdout, "3.5\n", "{output:?}");
}

#[test]
fn arguments_go_out_as_they_were_typed() {
    let mcp = giving(r#"{"content":[]}"#);
    let args = [
        "make",
        "n=123456789012345678901234567890",
        "x=1.0",
        "where.city=Rome",
        "tags=a",
        "tags=b",
    ];
    let output = call(&mcp, &args);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(
        sent(&mcp),
        r#"{"name":"make","arguments":{"n":123456789012345678901234567890,"x":1.0,"where":{"city":"Rome"},"tags":["a","b"]}}"#
    );
    assert!(output.stderr.contains("gave nothing back"), "{output:?}");

    let mcp = giving(r#"{"content":[]}"#);
    call(
        &mcp,
        &["make", r#" { "n" : 1.0, "where":{"city":"\u0041"} }"#],
    );
    assert_eq!(
        sent(&mcp),
        r#"{"name":"make","arguments":{ "n" : 1.0, "where":{"city":"\u0041"} }}"#
    );
}

#[test]
fn files_can_be_arguments() {
    let mcp = Legacy::new();
    let launch = launch(&mcp, &["echo", "text=@note.txt"]);
    std::fs::write(launch.home().join("note.txt"), "in a\nfile").unwrap();
    let output = launch.run("");
    assert_eq!(output.stdout, "in a\nfile\n", "{output:?}");
}

#[test]
fn what_does_not_fit_is_not_sent() {
    let table: [(&[&str], &str); 8] = [
        (
            &["make", "x=1"],
            "mcp-tether: n is missing\nhint: make takes n* tags text where x\n",
        ),
        (
            &["make", "n=one"],
            "mcp-tether: n must be an integer, not \"one\"\n",
        ),
        (
            &["make", "n=1", "txet=a"],
            "mcp-tether: there is no argument txet; did you mean text?\n",
        ),
        (
            &["make", r#"{"n":1,"q":2}"#],
            "mcp-tether: there is no argument q\n",
        ),
        (
            &["mkae", "n=1"],
            "mcp-tether: the server has no tool \"mkae\"\nhint: did you mean make?\n",
        ),
        (
            &["make", "n"],
            "mcp-tether: \"n\" is neither key=value nor a JSON object\n",
        ),
        (
            &["make", "{"],
            "mcp-tether: the arguments are not valid JSON: ",
        ),
        (
            &[],
            "mcp-tether: no tool given\nhint: see what there is: mcp-tether tools http",
        ),
    ];
    for (args, wanted) in table {
        let mcp = giving("{}");
        mcp.server.allow_idle();
        let output = call(&mcp, args);
        assert_eq!(
            (output.code, output.stdout.as_str()),
            (Some(2), ""),
            "{output:?}"
        );
        assert!(output.stderr.starts_with(wanted), "{output:?}");
        assert!(output.stderr.contains("\nhint: "), "{output:?}");
        assert!(mcp.calls("tools/call").is_empty());
    }
}

#[test]
fn an_unusable_schema_leaves_it_to_the_server() {
    let mcp = giving(r#"{"content":[{"type":"text","text":"ok"}]}"#);
    mcp.on("tools/list", |call| async move {
        call.reply(r#"{"tools":[{"name":"make","inputSchema":true}]}"#)
    });
    let output = call(&mcp, &["make", "n=1", "a.b=x"]);
    assert_eq!(output.stdout, "ok\n", "{output:?}");
    assert!(sent(&mcp).contains(r#""arguments":{"n":1,"a":{"b":"x"}}"#));

    let mcp = giving(r#"{"content":[{"type":"text","text":"ok"}]}"#);
    mcp.on(
        "tools/list",
        |call| async move { call.refuse(-32601, "none") },
    );
    assert_eq!(call(&mcp, &["make"]).stdout, "ok\n");
}

#[test]
fn a_result_that_is_an_error_keeps_its_text_and_exits_with_1() {
    let mcp = giving(r#"{"content":[{"type":"text","text":"no such day"}],"isError":true}"#);
    let output = call(&mcp, &["make", "n=1"]);
    assert_eq!(
        (output.code, output.stdout.as_str(), output.stderr.as_str()),
        (
            Some(1),
            "no such day\n",
            "mcp-tether: the tool says that it failed\n"
        )
    );
    let output = call(&mcp, &["make", "n=1", "--json"]);
    assert_eq!(output.code, Some(1));
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(document["isError"], true);
}

#[test]
fn json_is_the_whole_result_and_structured_content_stands_in_for_text() {
    let result =
        r#"{"content":[],"structuredContent":{"n":1.0,"big":12345678901234567890123},"x":1}"#;
    let mcp = giving(result);
    let output = call(&mcp, &["make", "n=1", "--json"]);
    assert_eq!(output.stdout, format!("{result}\n"));
    let output = call(&mcp, &["make", "n=1"]);
    assert_eq!(
        output.stdout,
        "{\"n\":1.0,\"big\":12345678901234567890123}\n"
    );
    assert_eq!(output.stderr, "");
}

#[test]
fn piped_text_is_not_touched() {
    let mcp = giving(
        r#"{"content":[{"type":"text","text":"\u001b[31mred\u0007\n"},{"type":"resource","resource":{"uri":"a:b","text":"inside"}},{"type":"resource_link","uri":"file:///x","name":"x","title":"The X"}]}"#,
    );
    let output = call(&mcp, &["make", "n=1"]);
    assert_eq!(
        output.stdout,
        "\u{1b}[31mred\u{7}\ninside\nfile:///x  The X\n"
    );
}

#[test]
fn images_are_saved_where_that_is_asked_for() {
    let result = r#"{"content":[{"type":"text","text":"two"},{"type":"image","mimeType":"image/png","data":"aGVs\nbG8="},{"type":"audio","mimeType":"audio/mpeg","data":"aGk="},{"type":"resource","resource":{"uri":"x:y","mimeType":"application/pdf","blob":"aG8="}}]}"#;
    let mcp = giving(result);
    let output = call(&mcp, &["make", "n=1"]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "two\n"));
    for wanted in [
        "an image (image/png, 5 B), which --output FILE saves",
        "audio (audio/mpeg, 2 B)",
        "a resource (application/pdf, 2 B)",
    ] {
        assert!(output.stderr.contains(wanted), "{output:?}");
    }
    let launch = launch(&mcp, &["make", "n=1", "--output", "out"]);
    let kept = launch.keep_home();
    let output = launch.run("");
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "two\n"));
    let read = |name: &str| std::fs::read_to_string(kept.path().join(name)).unwrap();
    assert_eq!(
        [read("out.png"), read("out-2.mp3"), read("out-3.pdf")],
        ["hello", "hi", "ho"]
    );
    assert!(output.stderr.contains("saved out.png (5 B)"), "{output:?}");

    let output = call(&mcp, &["make", "n=1", "--output", "no/such/folder/x"]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(
        output.stderr.contains("cannot write no/such/folder/x.png"),
        "{output:?}"
    );
}

#[test]
fn servers_of_every_kind_are_called_the_same_way() {
    let streams = LegacyPlan::default().streams().listens().serve();
    let old = LegacyPlan::default()
        .version("2025-03-26")
        .stateless()
        .serve();
    let sse = Sse::new();
    let modern = Modern::new(r#"{"tools":{}}"#, |request| {
        match request.rpc_method().as_deref() {
            Some("tools/list") => reply(request, crate::support::mcp::TOOLS),
            _ => {
                let text = said(request).params()["arguments"]["text"].clone();
                let result = json!({ "resultType": "complete", "content": [{ "type": "text", "text": text }] });
                reply(request, &result.to_string())
            }
        }
    });
    for url in [streams.url(), old.url(), sse.url(), modern.url()] {
        let output = Launch::new()
            .args(["call", &url, "echo", "text=hi"])
            .run("");
        assert_eq!(
            (output.code, output.stdout.as_str(), output.stderr.as_str()),
            (Some(0), "hi\n", ""),
            "{url}"
        );
    }
}

#[test]
fn a_call_signs_in_first_and_waits_for_the_user() {
    let scene = Scene::following();
    let output = scene.command("call").args(["echo", "text=hi"]).run("");
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (Some(0), "hi\n"),
        "{output:?}"
    );
    assert!(
        output.stderr.contains(&scene.browser.address(1)),
        "{output:?}"
    );
    let again = scene.command("call").args(["echo", "text=hi"]).run("");
    assert_eq!((again.stdout.as_str(), again.stderr.as_str()), ("hi\n", ""));
    assert_eq!(scene.browser.opened(), 1);
    let listed = scene.command("tools").arg("--json").run("");
    assert_eq!(listed.code, Some(0), "{listed:?}");
}

#[test]
fn a_sign_in_that_nobody_finishes_exits_with_3() {
    let scene = Scene::new();
    let output = scene
        .command("call")
        .args([
            "echo",
            "text=hi",
            "--auth-timeout",
            "1",
            "--no-browser",
            "--initialize-wait",
            "0.1",
        ])
        .run("");
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (Some(3), ""),
        "{output:?}"
    );
    assert!(
        output.stderr.contains("nobody signed in within 1 s"),
        "{output:?}"
    );
}

#[test]
fn what_the_server_asks_is_declined_without_a_terminal_and_what_it_logs_is_told() {
    let mcp = LegacyPlan::default().serve();
    mcp.on("tools/call", |call| async move {
        let (response, feed) = Response::events();
        feed.event(&rpc::notification(
            "notifications/message",
            r#"{"level":"warning","logger":"db","data":"slow\n\u001b[1mquery"}"#,
        ));
        feed.event(&rpc::notification(
            "notifications/message",
            r#"{"level":"debug","data":"x"}"#,
        ));
        feed.event(&rpc::request(r#""s1""#, "sampling/createMessage", "{}"));
        feed.event(&rpc::request(
            r#""e1""#,
            "elicitation/create",
            r#"{"message":"Sure?","requestedSchema":{"type":"object","properties":{}}}"#,
        ));
        feed.event(&rpc::request(r#""p1""#, "ping", "{}"));
        feed.event(&call.says("done"));
        feed.end();
        response
    });
    let output = call(&mcp, &["slow"]);
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (Some(0), "done\n"),
        "{output:?}"
    );
    assert!(
        output
            .stderr
            .contains("mcp-tether: warning: db: slow query\n"),
        "{output:?}"
    );
    assert!(
        output.stderr.contains("the server asks: Sure?: declined"),
        "{output:?}"
    );
    assert!(!output.stderr.contains("debug"), "{output:?}");
    let answers: Vec<Value> = mcp
        .server
        .requests()
        .iter()
        .filter_map(Request::rpc)
        .filter(Rpc::is_answer)
        .map(|rpc| serde_json::from_str(&rpc.text).unwrap())
        .collect();
    let of = |id: &str| answers.iter().find(|answer| answer["id"] == id).unwrap();
    assert_eq!(of("s1")["error"]["code"], -32601);
    assert_eq!(of("e1")["result"], json!({ "action": "decline" }));
    assert_eq!(of("p1")["result"], json!({}));
}

#[test]
fn errors_and_limits_say_what_happened() {
    let mcp = Legacy::new();
    mcp.on("tools/call", |call| async move {
        call.refuse(-32602, "bad \u{1b}[31mday")
    });
    let output = call(&mcp, &["echo"]);
    assert_eq!(
        (output.code, output.stdout.as_str(), output.stderr.as_str()),
        (
            Some(1),
            "",
            "mcp-tether: the server answered: bad day (-32602)\n"
        )
    );
    mcp.on("tools/call", |_| std::future::pending());
    let output = call(&mcp, &["echo", "--request-timeout", "0.5"]);
    assert_eq!(output.code, Some(4), "{output:?}");
    assert!(
        output
            .stderr
            .contains("did not answer tools/call within 0.5 s"),
        "{output:?}"
    );
    mcp.wait_calls("notifications/cancelled", 1);

    let down = LegacyPlan::default().serve_on(Plan::default().down());
    down.server.allow_idle();
    let output = call(&down, &["echo", "--initialize-wait", "0"]);
    assert_eq!(output.code, Some(4), "{output:?}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_cancels_the_call_and_exits_with_130() {
    let mcp = Legacy::new();
    mcp.on("tools/call", |_| std::future::pending());
    let tether = launch(&mcp, &["echo", "text=x"]).start();
    mcp.wait_calls("tools/call", 1);
    tether.signal("INT");
    assert_eq!(tether.wait(), 130);
    mcp.wait_calls("notifications/cancelled", 1);
    mcp.wait_calls("DELETE", 1);
}
