//! Names, addresses, proxies, redirects, the clock.

use std::time::{Duration, SystemTime};

use super::{at, run, to};
use crate::relay::{Kind, Relay};
use crate::support::http::Response;
use crate::support::launch::Launch;
use crate::support::mcp::{Legacy, LegacyPlan};
use crate::support::server::{Plan, Server};
use crate::support::tls::Ca;

#[test]
fn a_url_that_cannot_be_used_is_a_usage_error() {
    let doctor = run(at("http://mcp.example/mcp"));
    doctor.is("url", "fail");
    assert_eq!(doctor.output.code, Some(2));
    let hint = doctor.check("url")["hint"].as_str().unwrap();
    assert!(hint.contains("--allow-http"), "{hint}");
    doctor.is("tcp", "skip");
    doctor.is("store", "ok");
}

#[test]
fn an_unknown_host_is_recognised() {
    let doctor = run(at("https://nowhere.invalid/mcp"));
    doctor.fails("dns", "unknown-host", 4, "VPN");
    doctor.is("tls", "skip");
}

#[test]
fn a_port_where_nothing_listens_is_recognised() {
    let mcp = LegacyPlan::default().serve_on(Plan::default().down());
    mcp.server.allow_idle();
    let doctor = run(to(&mcp));
    doctor.fails(
        "tcp",
        "refused",
        4,
        &mcp.server.address().port().to_string(),
    );
    doctor.is("session", "skip");
}

#[test]
fn each_address_is_tried_and_told() {
    let mcp = Legacy::new();
    let url = format!("http://localhost:{}/mcp", mcp.server.address().port());
    let doctor = run(at(&url).watch(&mcp));
    let tcp = doctor.is("tcp", "ok");
    let tried = tcp["details"]["addresses"].as_array().unwrap();
    let v4 = tried
        .iter()
        .find(|tried| tried["address"].as_str().unwrap().starts_with("127."));
    assert!(v4.unwrap()["error"].is_null(), "{tcp}");
    // Where there is IPv6, nothing listens there.
    let others = tried.iter().filter(|tried| !tried["error"].is_null());
    assert_eq!(others.count(), tried.len() - 1, "{tcp}");
    assert_eq!(doctor.output.code, Some(0));
}

fn proxied(proxy: &str) -> Launch {
    at("https://mcp.invalid/mcp").args(["--proxy", proxy])
}

/// A proxy that refuses with that challenge.
fn wanting(challenge: &'static str) -> String {
    let nobody = "127.0.0.1:9".parse().unwrap();
    Relay::new(Kind::HttpWants(challenge), nobody)
        .address
        .to_string()
}

#[test]
fn a_proxy_that_wants_a_password_is_recognised() {
    let proxy = wanting("Basic realm=\"p\"");
    let doctor = run(proxied(&format!("http://{proxy}")));
    doctor.fails(
        "proxy",
        "proxy-407",
        4,
        "MCP_TETHER_PROXY=http://USER:PASSWORD@HOST:PORT",
    );
    let doctor = run(proxied(&format!("http://user:s3cret@{proxy}")));
    doctor.fails("proxy", "proxy-407", 4, "correct them");
    assert!(
        !doctor.output.stdout.contains("s3cret"),
        "{:#}",
        doctor.document
    );
}

#[test]
fn a_proxy_of_a_company_is_recognised() {
    for (challenge, name) in [("Negotiate", "Kerberos"), ("NTLM", "NTLM")] {
        let proxy = wanting(challenge);
        let doctor = run(proxied(&format!("http://{proxy}")));
        doctor.fails("proxy", "proxy-kerberos", 4, "px or cntlm");
        let found = doctor.check("proxy")["found"].as_str().unwrap();
        assert!(found.contains(name), "{found}");
    }
}

#[test]
fn a_proxy_of_plain_http_is_asked_as_well() {
    let proxy = wanting("Negotiate");
    let launch = at("http://mcp.invalid/mcp").arg("--allow-http");
    let doctor = run(launch.args(["--proxy", &format!("http://{proxy}")]));
    doctor.fails("proxy", "proxy-kerberos", 4, "cntlm");
}

#[test]
fn a_proxy_that_is_down_is_recognised() {
    let down = Server::new(|_| async { Response::status(500) });
    down.allow_idle();
    down.stop();
    let proxy = format!("http://user:s3cret@{}", down.address());
    let doctor = run(proxied(&proxy));
    doctor.fails("proxy", "proxy-down", 4, "--no-proxy");
    assert!(!doctor.output.stdout.contains("s3cret"));
    let https = at("https://mcp.invalid/mcp").env("HTTPS_PROXY", &proxy);
    run(https).fails("proxy", "proxy-down", 4, "--no-proxy");
}

#[test]
fn what_is_no_proxy_is_recognised() {
    let web = Server::new(|_| async { Response::html(200, "<p>hello</p>") });
    web.allow_idle();
    let doctor = run(proxied(&format!("socks5h://{}", web.address())));
    doctor.is("proxy", "ok");
    assert_eq!(doctor.output.code, Some(4), "{:#}", doctor.document);
}

#[test]
fn scripts_in_place_of_proxies_are_recognised() {
    for (name, value) in [
        ("HTTPS_PROXY", "http://wpad.corp.invalid/proxy.pac"),
        ("https_proxy", "pac+http://wpad.corp.invalid/x"),
        ("ALL_PROXY", "autodetect"),
        ("MCP_TETHER_PROXY", "http://wpad.corp.invalid/wpad.dat"),
    ] {
        let doctor = run(at("https://mcp.invalid/mcp").env(name, value));
        doctor.fails("proxy", "pac", 4, "--proxy http://HOST:PORT");
    }
    let script = "http://u:s3cret@wpad.corp.invalid/proxy.pac?k=s3cret";
    let doctor = run(at("https://mcp.invalid/mcp").env("auto_proxy", script));
    doctor.warns("proxy", "pac", "--proxy http://HOST:PORT");
    assert!(!doctor.output.stdout.contains("s3cret"));
    // For loopback no proxy counts.
    let mcp = Legacy::new();
    let doctor = run(to(&mcp).env("auto_proxy", script));
    doctor.is("proxy", "ok");
}

#[test]
fn a_server_that_no_proxy_names_needs_none() {
    let script = "http://wpad.corp.invalid/proxy.pac";
    for (rules, name) in [("corp.invalid", "NO_PROXY"), ("*", "no_proxy")] {
        let launch = at("https://mcp.corp.invalid/mcp").env(name, rules);
        let launch = launch.env("HTTPS_PROXY", script).env("auto_proxy", script);
        let doctor = run(launch);
        let found = doctor.is("proxy", "ok")["found"].as_str().unwrap();
        assert!(found.contains("NO_PROXY"), "{found}");
        doctor.fails("dns", "unknown-host", 4, "VPN");
    }
    let launch = at("https://mcp.invalid/mcp").env("NO_PROXY", "corp.invalid");
    run(launch.env("HTTPS_PROXY", script)).fails("proxy", "pac", 4, "--no-proxy");
}

// Elsewhere both are one.
#[cfg(unix)]
#[test]
fn of_two_spellings_the_one_that_the_client_takes_is_looked_at() {
    let script = "http://wpad.corp.invalid/proxy.pac";
    let mcp = Legacy::new();
    let relay = Relay::new(Kind::Http, mcp.server.address());
    let proxy = format!("http://{}", relay.address);
    let launch = || at("http://mcp.invalid/mcp").arg("--allow-http").watch(&mcp);
    let doctor = run(launch().env("HTTP_PROXY", &proxy).env("http_proxy", script));
    assert_eq!(doctor.is("proxy", "ok")["details"]["proxy"], proxy);
    assert_eq!(doctor.output.code, Some(0), "{:#}", doctor.document);
    let doctor = run(launch().env("HTTP_PROXY", script).env("http_proxy", &proxy));
    doctor.fails("proxy", "pac", 4, "--no-proxy");
}

#[cfg(target_os = "linux")]
#[test]
fn the_script_of_a_desktop_is_recognised() {
    use std::os::unix::fs::PermissionsExt;
    let launch = at("https://mcp.invalid/mcp").env("XDG_CURRENT_DESKTOP", "GNOME");
    let bin = launch.home().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let program = bin.join("gsettings");
    let script = "#!/bin/sh\ncase $3 in mode) echo \"'auto'\";; *) echo \"'http://wpad.corp.invalid/proxy.pac'\";; esac\n";
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let doctor = run(launch.env("PATH", path));
    doctor.warns("proxy", "pac", "--proxy http://HOST:PORT");
    let found = doctor.check("proxy")["found"].as_str().unwrap();
    assert!(
        found.contains("GNOME") && found.contains("wpad.corp.invalid"),
        "{found}"
    );

    let launch = at("https://mcp.invalid/mcp").env("XDG_CURRENT_DESKTOP", "KDE");
    let config = launch.home().join(".config");
    std::fs::create_dir_all(&config).unwrap();
    let settings =
        "[Proxy Settings]\nProxyType=2\nProxy Config Script=http://wpad.corp.invalid/a.pac\n";
    std::fs::write(config.join("kioslaverc"), settings).unwrap();
    run(launch).warns("proxy", "pac", "--proxy http://HOST:PORT");
}

#[test]
fn all_goes_through_a_proxy_that_works() {
    let ca = Ca::new();
    let mcp = LegacyPlan::default().serve_on(Plan::default().tls(&ca));
    let relay = Relay::new(Kind::Http, mcp.server.address());
    let proxy = format!("http://{}", relay.address);
    let launch = to(&mcp).args(["--proxy", &proxy]);
    let doctor = run(launch.arg("--ca-file").arg(ca.file()));
    assert_eq!(doctor.output.code, Some(0), "{:#}", doctor.document);
    doctor.is("dns", "skip");
    doctor.is("tcp", "skip");
    assert_eq!(doctor.is("tls", "ok")["details"]["version"], "TLS 1.3");
    let plain = Legacy::new();
    let relay = Relay::new(Kind::Http, plain.server.address());
    let doctor = run(to(&plain).args(["--proxy", &format!("http://{}", relay.address)]));
    assert_eq!(doctor.output.code, Some(0), "{:#}", doctor.document);
}

/// A server whose clock is off by that many seconds.
fn off_by(seconds: i64) -> Legacy {
    let mcp = LegacyPlan::default().serve();
    // The first request is the one that counts.
    mcp.times(1, "initialize", move |call| async move {
        let now = SystemTime::now();
        let apart = Duration::from_secs(seconds.unsigned_abs());
        let date = if seconds < 0 {
            now - apart
        } else {
            now + apart
        };
        let result = crate::support::mcp::initialize_result("2025-11-25");
        call.reply(&result)
            .header("date", &httpdate::fmt_http_date(date))
    });
    mcp
}

#[test]
fn a_clock_that_is_off_is_recognised() {
    for (seconds, word) in [(600, "behind"), (-600, "ahead of")] {
        let mcp = off_by(seconds);
        let doctor = run(to(&mcp));
        doctor.warns("clock", "clock", "set this machine's clock");
        let clock = doctor.check("clock");
        let found = clock["found"].as_str().unwrap();
        assert!(found.contains(word) && found.contains("tokens"), "{found}");
        let ahead = clock["details"]["aheadBySeconds"].as_i64().unwrap();
        assert!((ahead + seconds).abs() < 15, "{ahead}");
        assert_eq!(doctor.output.code, Some(0));
    }
    run(to(&off_by(30))).is("clock", "ok");
}

#[test]
fn redirects_to_elsewhere_are_recognised() {
    let other = Server::new(|_| async { Response::status(200) });
    other.allow_idle();
    let to_other = other.at("/mcp?key=s3cret");
    let server = Server::new(move |_| {
        let to = to_other.clone();
        async move { Response::status(308).header("location", &to) }
    });
    let doctor = run(to(&server));
    doctor.fails("http", "redirect-elsewhere", 5, &other.at("/mcp"));
    assert!(!doctor.output.stdout.contains("s3cret"));
    assert!(other.requests().is_empty());

    let server = Server::new(|request| async move {
        let host = request.header("host").unwrap_or_default().to_owned();
        Response::status(301).header("location", &format!("https://{host}/mcp"))
    });
    run(to(&server)).fails(
        "http",
        "wants-https",
        5,
        &server.at("/mcp").replace("http:", "https:"),
    );
}

#[test]
fn a_server_that_says_nothing_is_recognised() {
    let server = Server::new(|_| async { Response::stall() });
    let doctor = run(to(&server).args(["--headers-timeout", "0.2"]));
    doctor.fails("http", "slow", 4, "--headers-timeout");
    let ms = doctor.check("tls")["ms"].as_u64().unwrap();
    assert_eq!(ms, 0, "the wait belongs to no other check");
}
