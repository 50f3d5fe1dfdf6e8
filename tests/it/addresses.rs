//! Where to connect: plain http for loopback only, address families, the limit of a connect.

use std::net::TcpStream;
use std::time::Duration;

use crate::relay::{Kind, Relay};
use crate::sse::HELLO;
use crate::support::launch::{Launch, run};
use crate::support::mcp::Legacy;
use crate::support::rpc::Rpc;

fn refused_handshake(launch: Launch) -> Rpc {
    let tether = launch.args(["--initialize-wait", "0"]).start();
    let error = tether.ask("0", "initialize", HELLO);
    assert_eq!(error.code(), -31001, "{}", error.text);
    assert_eq!(tether.finish(), 0);
    error
}

#[test]
fn plain_http_to_other_machines_has_to_be_allowed() {
    for url in [
        "http://example.com/mcp",
        "http://10.0.0.1/",
        "http://[fe80::1]/mcp",
    ] {
        let output = run(&[url], "");
        assert_eq!(
            (output.code, output.stdout.as_str()),
            (Some(2), ""),
            "{output:?}"
        );
        assert!(output.stderr.contains("plain http"), "{output:?}");
        assert!(
            output
                .stderr
                .contains("hint: use https, or add --allow-http"),
            "{output:?}"
        );
    }
    // Nothing is connected to before the first message, so the run just ends.
    let output = run(&["http://example.com/mcp", "--allow-http"], "");
    assert_eq!(
        (output.code, output.stderr.as_str()),
        (Some(0), ""),
        "{output:?}"
    );
}

#[test]
fn all_of_loopback_is_allowed() {
    let mcp = Legacy::new();
    mcp.server.allow_idle();
    let port = mcp.server.address().port();
    let mut urls = vec![
        format!("http://localhost:{port}/mcp"),
        format!("http://LocalHost:{port}/mcp"),
    ];
    for host in ["127.0.0.2", "127.255.255.254", "::1"] {
        // Not every machine has these addresses.
        if let Ok(relay) = Relay::on(host, Kind::Plain, mcp.server.address()) {
            urls.push(format!("http://{}/mcp", relay.address));
        }
    }
    for url in urls {
        let tether = Launch::new().arg(&url).watch(&mcp).start();
        tether.initialize();
        assert_eq!(tether.finish(), 0, "{url}");
    }
}

#[test]
fn an_address_family_can_be_chosen() {
    let mcp = Legacy::new();
    let port = mcp.server.address().port();
    let url = format!("http://localhost:{port}/mcp");
    let tether = Launch::new().args([&url, "--ipv4"]).watch(&mcp).start();
    tether.initialize();
    assert_eq!(tether.finish(), 0);
    // The server has no IPv6 address.
    refused_handshake(Launch::new().args([&url, "--ipv6"]).watch(&mcp));
    if let Ok(relay) = Relay::on("::1", Kind::Plain, mcp.server.address()) {
        let url = format!("http://{}/mcp", relay.address);
        let tether = Launch::new().args([&url, "--ipv6"]).watch(&mcp).start();
        tether.initialize();
        assert_eq!(tether.finish(), 0);
    }
    let both = run(&[&url, "--ipv4", "--ipv6"], "");
    assert_eq!(both.code, Some(2), "{both:?}");
}

#[test]
fn a_url_must_hold_no_credentials() {
    let output = run(&["https://user:s3cret@example.com/mcp"], "");
    assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""));
    assert!(!output.stderr.contains("s3cret"), "{output:?}");
    assert!(output.stderr.contains("--header-file"), "{output:?}");
}

#[test]
fn what_is_no_url_is_a_usage_error() {
    for text in [
        "example.com/mcp",
        "ftp://example.com",
        "https://",
        "file:///etc/passwd",
    ] {
        let output = run(&[text], "");
        assert_eq!(
            (output.code, output.stdout.as_str()),
            (Some(2), ""),
            "{text}: {output:?}"
        );
        assert!(output.stderr.contains("hint: "), "{text}: {output:?}");
    }
}

/// Linux lets a connect to a full backlog wait; others refuse it.
#[cfg(target_os = "linux")]
#[test]
fn a_connect_takes_no_longer_than_its_limit() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let listener = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        socket.listen(1).unwrap()
    });
    let address = listener.local_addr().unwrap();
    let mut filling = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        filling.push(stream);
        assert!(filling.len() < 100, "the backlog does not fill");
    }
    let url = format!("http://{address}/mcp");
    let error = refused_handshake(Launch::new().args([&url, "--connect-timeout", "0.3"]));
    let hint = error.error()["data"]["hint"].to_string();
    assert!(hint.contains("--connect-timeout"), "{hint}");
}
