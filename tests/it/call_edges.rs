//! `call` where servers, schemas and outputs are less common.

use crate::call::{call, giving, sent};
use crate::support::launch::{Launch, run};
use crate::support::mcp::{Legacy, WebSocket};
use crate::support::server::Peer;

#[test]
fn a_websocket_server_is_called_like_any_other() {
    let server = WebSocket::new();
    let http = server.http_url();
    for words in [&[][..], &["--json"]] {
        let args = [&["add", "a=1", "b=2.5"], words].concat();
        let output = call(&server, &args);
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
        assert!(output.stdout.contains("3.5"), "{output:?}");
    }
    let launch = Launch::new().args(["call", &http, "--transport", "websocket"]);
    let output = launch.args(["echo", "text=hello"]).run("");
    assert_eq!(output.stdout, "hello\n", "{output:?}");
    server.on("tools/call", |call| async move {
        Some(call.error(-32603, "not today"))
    });
    let output = call(&server, &["echo", "text=x"]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("not today"), "{output:?}");
    server.on("tools/call", |call| async move {
        Some(call.result(r#"{"content":[{"type":"text","text":"no"}],"isError":true}"#))
    });
    let output = call(&server, &["echo", "text=x"]);
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (Some(1), "no\n"),
        "{output:?}"
    );
}

#[test]
fn a_choice_that_says_nothing_leaves_the_type() {
    let mcp = giving(r#"{"content":[]}"#);
    mcp.on("tools/list", |call| async move {
        call.reply(r#"{"tools":[{"name":"make","inputSchema":{"type":"object","properties":{"n":{"type":"integer","anyOf":[{"minimum":3},{"maximum":1}]},"text":{"type":"string","oneOf":[{"enum":["a"]},{"pattern":"^[0-9]+$"}]}},"anyOf":[{"required":["n"]},{"required":["text"]}]}}]}"#)
    });
    let output = call(&mcp, &["make", "n=one"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.stderr.contains("n must be an integer"), "{output:?}");
    assert_eq!(call(&mcp, &["make", "text=12", "n=5"]).code, Some(0));
    assert!(
        sent(&mcp).contains(r#"{"text":"12","n":5}"#),
        "{}",
        sent(&mcp)
    );
}

#[test]
fn a_result_without_files_is_told_where_files_were_asked_for() {
    let mcp = giving(r#"{"content":[{"type":"text","text":"x"}]}"#);
    let output = call(&mcp, &["make", "n=1", "--json", "--output", "out"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(
        output.stderr.contains("--output saved nothing"),
        "{output:?}"
    );
}

#[test]
fn a_folder_for_the_result_is_refused_before_the_call() {
    let mcp = giving(r#"{"content":[]}"#);
    mcp.server.allow_idle();
    for folder in [".", "./", ".."] {
        let output = call(&mcp, &["make", "n=1", "--output", folder]);
        assert_eq!(output.code, Some(2), "{output:?}");
        assert!(output.stderr.contains("is a folder"), "{output:?}");
    }
    assert!(mcp.calls("tools/call").is_empty());
}

#[test]
fn https_to_a_server_without_it_says_what_to_write() {
    let mcp = Legacy::new();
    mcp.server.allow_idle();
    let url = mcp.url().replacen("http:", "https:", 1);
    let output = run(&["tools", &url, "--initialize-wait", "0"], "");
    assert_eq!(output.code, Some(4), "{output:?}");
    for wanted in ["does not speak TLS", "write the URL with http://"] {
        assert!(output.stderr.contains(wanted), "{output:?}");
    }
}
