//! The official `everything` server as the peer, over both transports. Each scenario runs twice:
//! against the server's own stdio, which shows that the scenario itself is right, and through the
//! bridge; what it noted must then be equal byte for byte. `tests/everything/preload.cjs` stops
//! the server's clock, so nothing is normalised.

mod asking;
mod calls;
mod process;
mod server;

use serde_json::Value;

use crate::support::launch::Launch;
use crate::support::mcp::LATEST;
use crate::support::rpc::Rpc;
use crate::support::tether::Tether;
use server::{CAPABILITIES, Mode, Server, node};

/// What a scenario noted: texts that must not depend on the way they came.
type Notes = Vec<String>;

/// Runs a scenario on the server's stdio, then through the bridge, and compares.
fn compare(mode: Mode, scenario: fn(&Tether) -> Notes) {
    let mut direct = Launch::program("node").args(node("stdio")).start();
    let wanted_answer = direct.initialize_as(LATEST, CAPABILITIES);
    let wanted = scenario(&direct);
    direct.kill();
    let server = Server::start(mode);
    let (bridge, answer) = server.bridge();
    assert_eq!(answer.text, wanted_answer.text);
    let got = scenario(&bridge);
    assert_eq!(got.len(), wanted.len());
    for (got, wanted) in got.iter().zip(&wanted) {
        assert_eq!(got, wanted);
    }
    server.leave(bridge);
}

/// Runs a test that has nothing to compare with.
fn alone(mode: Mode, test: fn(&mut Server)) {
    test(&mut Server::start(mode));
}

/// Makes two tests of each function.
macro_rules! over_both {
    ($run:ident, $file:ident: $($name:ident),* $(,)?) => {
        $(mod $name {
            use super::{$file, $run, Mode};
            #[test]
            #[ignore = "needs npm ci in tests/everything"]
            fn over_streamable_http() {
                $run(Mode::Http, $file::$name);
            }
            #[test]
            #[ignore = "needs npm ci in tests/everything"]
            fn over_http_sse() {
                $run(Mode::Sse, $file::$name);
            }
        })*
    };
}

over_both!(compare, calls: plain_requests, many_calls_at_once, progress, subscriptions, logging);
over_both!(compare, asking: sampling, elicitation, url_elicitation, roots, tasks);
over_both!(alone, process: a_restarted_server, a_cancelled_call, the_end_of_input, a_shell_pipe, read_only_tools);

fn text(answer: &Rpc) -> String {
    let result = answer.result();
    result["content"][0]["text"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn names(list: &Value) -> Vec<&str> {
    let items = list.as_array().expect("a list");
    items
        .iter()
        .filter_map(|item| item["name"].as_str())
        .collect()
}

/// The log message of the server that contains that text.
fn log_message(client: &Tether, wanted: &str) -> String {
    loop {
        let text = client.notification("notifications/message").text;
        if text.contains(wanted) {
            return text;
        }
    }
}
