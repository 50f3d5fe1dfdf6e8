//! Messages and settings that one reader takes for this and another for that.

use crate::support::http::Response;
use crate::support::launch::Launch;
use crate::support::mcp::Legacy;
use crate::support::scene::{Scene, address, say_hello};
use crate::support::server::Peer;
use crate::support::tether::Tether;
use crate::support::visit;

#[test]
fn a_message_with_a_member_twice_is_no_message() {
    let mcp = Legacy::new();
    mcp.times(1, "tools/call", |_| async {
        Response::json(
            200,
            r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]},"result":{"evil":1}}"#,
        )
    });
    let tether = Tether::to(&mcp);
    tether.initialize();
    assert_eq!(tether.call("1", "any", "{}").code(), -31006);
    for (id, twice) in [
        (
            "7",
            r#""method":"ping","method":"tools/call","params":{"name":"x"}"#,
        ),
        (
            "8",
            r#""method":"ping","\u006dethod":"tools/call","params":{"name":"x"}"#,
        ),
        ("9", r#""method":"ping","params":{},"params":{}"#),
        ("10", r#""method":"ping","id":10"#),
    ] {
        tether.excuse(id);
        tether.send_raw(format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},{twice}}}\n"));
        assert_eq!(tether.answer(id).code(), -32600, "{twice}");
    }
    assert_eq!(mcp.calls("ping").len(), 0);
    assert_eq!(mcp.calls("tools/call").len(), 1);
}

#[test]
fn a_name_given_twice_does_not_pass_the_filter() {
    let mcp = Legacy::new();
    mcp.on("tools/list", |call| async move {
        call.reply(r#"{"tools":[{"name":"good"}],"tools":[{"name":"evil"}]}"#)
    });
    let tether = Launch::to(&mcp).args(["--only-tool", "good"]).start();
    tether.initialize();
    let shown = tether.ask("1", "tools/list", "{}").result;
    assert_eq!(shown.as_deref(), Some(r#"{"tools":[]}"#));
    let names = r#"{"name":"good","name":"evil","arguments":{}}"#;
    assert_eq!(tether.ask("2", "tools/call", names).code(), -32602);
    assert_eq!(mcp.calls("tools/call").len(), 0);
}

#[test]
fn a_variable_is_expanded_once_and_never_in_what_a_server_or_a_command_says() {
    let scene = Scene::new();
    scene.mcp.set(|door| door.challenge = Some("${HUSH}"));
    let launch = scene.launch().args(["--header", "X-Once: ${OUTER} $HUSH"]);
    let launch = launch.env("OUTER", "a${HUSH}b").env("HUSH", "s3cret");
    let tether = launch.start();
    say_hello(&tether);
    let address = address(&tether);
    let scope = visit::parameter(&address, "scope");
    assert_eq!(scope.as_deref(), Some("${HUSH}"));
    let hello = &scene.mcp.mcp.calls("initialize")[0];
    assert_eq!(hello.header("x-once"), Some("a${HUSH}b $HUSH"));
    visit::follow(&address);
    tether.answer("0").result();
    drop(tether);

    let mcp = Legacy::new();
    let launch = Launch::to(&mcp).args(["--header-command", "echo 'X-Said: ${HUSH}'"]);
    let tether = launch.env("HUSH", "s3cret").start();
    tether.initialize();
    let said = &mcp.calls("initialize")[0];
    assert_eq!(said.header("x-said"), Some("${HUSH}"));
}

#[test]
fn a_variable_cannot_add_a_header() {
    let launch = Launch::new().args(["https://x.invalid/mcp", "--header", "X-A: ${LINES}"]);
    let output = launch.env("LINES", "one\r\nX-B: s3cret").run("");
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.stderr.contains("x-a"), "{output:?}");
    assert!(!output.stderr.contains("s3cret"), "{output:?}");
}

#[test]
fn the_password_of_a_proxy_is_in_no_log() {
    let server = Legacy::new();
    server.server.allow_idle();
    let proxy = server.url().replace("http://", "http://me:s3cret@");
    server.server.stop();
    for name in ["HTTP_PROXY", "ALL_PROXY"] {
        let launch = Launch::new().args(["http://mcp.invalid/mcp", "--allow-http", "--debug"]);
        let launch = launch.args(["--initialize-wait", "0", "--log-file", "a.log"]);
        let tether = launch.env(name, &proxy).start();
        let error = tether.ask("0", "initialize", crate::sse::HELLO);
        assert_eq!(error.code(), -31001, "{}", error.text);
        let log = std::fs::read_to_string(tether.home().join("a.log")).unwrap();
        assert!(!log.is_empty());
        for text in [error.text, tether.stderr(), log] {
            assert!(!text.contains("s3cret"), "{text}");
        }
    }
}
