//! The process: how the bridge outlives the server's restart, ends, and filters.

use super::server::{CAPABILITIES, Server};
use super::{log_message, names, text};
use crate::support::launch::Launch;
use crate::support::mcp::LATEST;
use crate::support::rpc::{self, Rpc};

/// The session dies with the server; the next request has a new one, subscriptions included.
pub fn a_restarted_server(server: &mut Server) {
    let (bridge, _) = server.bridge();
    bridge.ask(
        "1",
        "resources/subscribe",
        r#"{"uri":"demo://resource/dynamic/text/1"}"#,
    );
    log_message(&bridge, "Received Subscribe Resource request");
    server.restart();
    let list = bridge.ask("2", "tools/list", "{}");
    assert!(names(&list.result()["tools"]).contains(&"trigger-sampling-request"));
    server.wait_for_listener(2);
    bridge.call("3", "toggle-subscriber-updates", "{}");
    bridge.notification("notifications/resources/updated");
    server.leave(bridge);
}

/// The server does not answer it, and it keeps nobody from leaving.
pub fn a_cancelled_call(server: &mut Server) {
    let (bridge, _) = server.bridge();
    bridge.send(&rpc::call(
        "1",
        "trigger-long-running-operation",
        r#"{"duration":60,"steps":1}"#,
    ));
    bridge.notify("notifications/cancelled", r#"{"requestId":1}"#);
    let answer = bridge.call("2", "echo", r#"{"message":"still there"}"#);
    assert_eq!(text(&answer), "Echo: still there");
    server.leave(bridge);
}

/// A call that runs when stdin ends still gets its answer.
pub fn the_end_of_input(server: &mut Server) {
    let (mut bridge, _) = server.bridge();
    bridge.send(&rpc::call(
        "1",
        "trigger-long-running-operation",
        r#"{"duration":1,"steps":1}"#,
    ));
    bridge.close_stdin();
    assert!(text(&bridge.answer("1")).starts_with("Long running operation completed"));
    assert_eq!(bridge.wait(), 0);
}

/// `printf ... | mcp-tether URL`: all lines at once, then the end.
pub fn a_shell_pipe(server: &mut Server) {
    let lines = [
        rpc::request(
            "0",
            "initialize",
            &format!(
                r#"{{"protocolVersion":"{LATEST}","capabilities":{{}},"clientInfo":{{"name":"it","version":"1.0.0"}}}}"#
            ),
        ),
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.to_owned(),
        rpc::call("1", "get-sum", r#"{"a":2,"b":3}"#),
    ];
    let output = Launch::new().arg(server.url()).run(lines.join("\n"));
    assert_eq!(output.code, Some(0), "{output:?}");
    let messages = output
        .stdout
        .lines()
        .map(|line| Rpc::parse(line).expect("a message"));
    let answers: Vec<Rpc> = messages.filter(Rpc::is_answer).collect();
    assert_eq!(answers.len(), 2, "{output:?}");
    assert_eq!(
        answers[0].result()["serverInfo"]["name"],
        "mcp-servers/everything"
    );
    assert_eq!(text(&answers[1]), "The sum of 2 and 3 is 5.");
}

/// The filter reads the annotations of a real server.
pub fn read_only_tools(server: &mut Server) {
    let bridge = Launch::new().arg(server.url()).arg("--read-only").start();
    bridge.initialize_as(LATEST, CAPABILITIES);
    let list = bridge.ask("1", "tools/list", "{}").result();
    let shown = names(&list["tools"]);
    assert!(
        shown.contains(&"echo") && !shown.contains(&"trigger-sampling-request"),
        "{shown:?}"
    );
    assert_eq!(
        text(&bridge.call("2", "echo", r#"{"message":"a"}"#)),
        "Echo: a"
    );
    assert_eq!(
        bridge.call("3", "toggle-simulated-logging", "{}").code(),
        -32602
    );
    server.leave(bridge);
}
