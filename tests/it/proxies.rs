//! Proxies: by option, by environment, never from the environment for loopback.

use crate::relay::{Kind, Relay};
use crate::sse::HELLO;
use crate::support::launch::Launch;
use crate::support::mcp::{Legacy, LegacyPlan};
use crate::support::server::{Peer, Plan};
use crate::support::tether::Tether;
use crate::support::tls::Ca;

fn works(launch: Launch) {
    let tether = launch.start();
    tether.initialize();
    tether.call("1", "echo", r#"{"text":"x"}"#).result();
    assert_eq!(tether.stderr(), "");
    assert_eq!(tether.finish(), 0);
}

fn proxied(mcp: &Legacy, proxy: &str) -> Launch {
    Launch::to(mcp).args(["--initialize-wait", "0", "--proxy", proxy])
}

/// A bridge to a server whose name only a proxy can know.
fn to_name(mcp: &Legacy) -> Launch {
    let url = format!("http://mcp.invalid:{}/mcp", mcp.server.address().port());
    Launch::new()
        .args([&url, "--allow-http", "--initialize-wait", "0"])
        .watch(mcp)
}

fn fails(tether: &Tether, code: i64) -> String {
    let error = tether.ask("0", "initialize", HELLO);
    assert_eq!(error.code(), code, "{}", error.text);
    error.text
}

#[test]
fn plain_http_goes_through_the_proxy_loopback_included() {
    let mcp = Legacy::new();
    let relay = Relay::new(Kind::Http, mcp.server.address());
    works(proxied(&mcp, &format!("http://{}", relay.address)));
    let heard = relay.heard();
    let whole = format!("POST {} HTTP/1.1\r\n", mcp.url());
    assert!(heard[0].starts_with(&whole), "{heard:?}");
    assert_eq!(heard.len(), mcp.server.connections());
}

#[test]
fn https_goes_through_a_tunnel() {
    let ca = Ca::new();
    let mcp = LegacyPlan::default().serve_on(Plan::default().tls(&ca));
    let relay = Relay::new(Kind::Http, mcp.server.address());
    works(
        proxied(&mcp, &format!("http://{}", relay.address))
            .arg("--ca-file")
            .arg(ca.file()),
    );
    let heard = relay.heard();
    let connect = format!("CONNECT {} HTTP/1.1\r\n", mcp.server.address());
    assert!(
        heard.iter().all(|head| head.starts_with(&connect)),
        "{heard:?}"
    );
    assert_eq!(heard.len(), mcp.server.connections());
}

#[test]
fn the_proxy_gets_its_credentials_and_not_the_servers_headers() {
    let ca = Ca::new();
    let mcp = LegacyPlan::default().serve_on(Plan::default().tls(&ca));
    let relay = Relay::new(Kind::Http, mcp.server.address());
    let proxy = format!("http://user:pass@{}", relay.address);
    let launch = proxied(&mcp, &proxy).args(["--header", "X-Api-Key: k3y"]);
    works(launch.arg("--ca-file").arg(ca.file()));
    let head = relay.heard()[0].to_ascii_lowercase();
    // user:pass in base64.
    assert!(
        head.contains("proxy-authorization: basic dxnlcjpwyxnz"),
        "{head}"
    );
    assert!(!head.contains("k3y"), "{head}");
    let calls = mcp.calls("tools/call");
    assert_eq!(calls[0].header("x-api-key"), Some("k3y"));
    assert_eq!(calls[0].header("proxy-authorization"), None);
}

#[test]
fn a_proxy_that_refuses_makes_the_server_unreachable() {
    let ca = Ca::new();
    let mcp = LegacyPlan::default().serve_on(Plan::default().tls(&ca));
    mcp.server.allow_idle();
    let relay = Relay::new(Kind::HttpRefusing, mcp.server.address());
    let proxy = format!("http://user:s3cret@{}", relay.address);
    let tether = proxied(&mcp, &proxy).start();
    let text = fails(&tether, -31001);
    assert!(!text.contains("s3cret"), "{text}");
    assert!(text.contains("prox"), "{text}");
    assert!(!tether.stderr().contains("s3cret"));
    assert_eq!(tether.finish(), 0);
}

#[test]
fn socks_proxies_take_addresses_and_names() {
    let mcp = Legacy::new();
    let relay = Relay::new(Kind::Socks, mcp.server.address());
    works(proxied(&mcp, &format!("socks5://{}", relay.address)));
    assert_eq!(relay.heard()[0], mcp.server.address().to_string());
    let before = relay.heard().len();
    let proxy = format!("socks5h://{}", relay.address);
    works(to_name(&mcp).args(["--proxy", &proxy]));
    let name = format!("mcp.invalid:{}", mcp.server.address().port());
    assert_eq!(relay.heard()[before], name);
}

#[test]
fn the_environments_proxy_is_never_for_loopback() {
    let mcp = Legacy::new();
    let relay = Relay::new(Kind::Http, mcp.server.address());
    let proxy = format!("http://{}", relay.address);
    let localhost = format!("http://localhost:{}/mcp", mcp.server.address().port());
    for url in [mcp.url(), localhost] {
        let mut launch = Launch::new().arg(url).watch(&mcp);
        for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
            launch = launch.env(name, &proxy);
        }
        works(launch);
    }
    assert!(relay.heard().is_empty(), "{:?}", relay.heard());
}

#[test]
fn the_environments_proxy_is_used_elsewhere_unless_switched_off() {
    let mcp = Legacy::new();
    let relay = Relay::new(Kind::Http, mcp.server.address());
    let proxy = format!("http://{}", relay.address);
    works(to_name(&mcp).env("HTTP_PROXY", &proxy));
    works(
        to_name(&mcp)
            .env("HTTP_PROXY", &proxy)
            .arg("--enable-proxy"),
    );
    let used = relay.heard().len();
    assert!(used >= 2, "{:?}", relay.heard());
    let tether = to_name(&mcp)
        .env("HTTP_PROXY", &proxy)
        .arg("--no-proxy")
        .start();
    fails(&tether, -31001);
    assert_eq!(tether.finish(), 0);
    let tether = to_name(&mcp)
        .env("HTTP_PROXY", &proxy)
        .env("NO_PROXY", "mcp.invalid")
        .start();
    fails(&tether, -31001);
    assert_eq!(tether.finish(), 0);
    assert_eq!(relay.heard().len(), used);
}

#[test]
fn a_proxy_that_is_none_is_a_usage_error() {
    let url = "https://mcp.invalid/mcp";
    let output = Launch::new()
        .args([url, "--proxy", "http://user:s3cret@ x:y"])
        .run("");
    assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""));
    assert!(output.stderr.contains("--proxy"), "{output:?}");
    assert!(!output.stderr.contains("s3cret"), "{output:?}");
    let both = Launch::new()
        .args([url, "--proxy", "http://x:1", "--no-proxy"])
        .run("");
    assert_eq!(both.code, Some(2), "{both:?}");
}
