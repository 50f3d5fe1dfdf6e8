//! TLS: private authorities, certificates that must not be trusted, certificates of the client,
//! HTTP/2.

use crate::relay::{Kind, Relay};
use crate::sse::HELLO;
use crate::support::launch::Launch;
use crate::support::mcp::{Legacy, LegacyPlan};
use crate::support::server::Plan;
use crate::support::tether::Tether;
use crate::support::tls::Ca;

fn serve(plan: Plan) -> Legacy {
    LegacyPlan::default().serve_on(plan)
}

fn to(mcp: &Legacy) -> Launch {
    Launch::to(mcp).args(["--initialize-wait", "0"])
}

fn works(launch: Launch) -> Tether {
    let tether = launch.start();
    tether.initialize();
    tether.call("1", "echo", "{}").result();
    tether
}

/// The error that the handshake ends with.
fn unreachable(launch: Launch) -> String {
    let tether = launch.start();
    let error = tether.ask("0", "initialize", HELLO);
    assert_eq!(error.code(), -31001, "{}", error.text);
    assert_eq!(error.error()["data"]["kind"], "unreachable");
    assert_eq!(tether.finish(), 0);
    error.text
}

#[test]
fn a_private_authority_is_trusted_when_given() {
    let ca = Ca::new();
    let mcp = serve(Plan::default().tls(&ca));
    let tether = works(to(&mcp).arg("--ca-file").arg(ca.file()));
    assert_eq!(tether.stderr(), "");
    assert_eq!(tether.finish(), 0);
    let hint = unreachable(to(&mcp));
    assert!(hint.contains("--ca-file"), "{hint}");
    unreachable(to(&mcp).arg("--ca-file").arg(Ca::new().file()));
    let tether = works(to(&mcp).env("SSL_CERT_FILE", ca.file()));
    assert_eq!(tether.finish(), 0);
}

#[test]
fn an_expired_certificate_is_refused() {
    let ca = Ca::expired();
    let mcp = serve(Plan::default().tls(&ca));
    mcp.server.allow_idle();
    let hint = unreachable(to(&mcp).arg("--ca-file").arg(ca.file()));
    assert!(hint.contains("clock"), "{hint}");
}

#[test]
fn a_certificate_for_another_host_is_refused() {
    let ca = Ca::new();
    let mcp = serve(Plan::default().tls(&ca));
    mcp.server.allow_idle();
    let relay = Relay::on("127.0.0.2", Kind::Plain, mcp.server.address());
    // Only Linux has all of 127/8.
    let Ok(relay) = relay else { return };
    let url = format!("https://{}/mcp", relay.address);
    let launch = Launch::new().args([&url, "--initialize-wait", "0"]);
    let hint = unreachable(launch.arg("--ca-file").arg(ca.file()));
    assert!(hint.contains("check the host"), "{hint}");
    assert!(!relay.heard().is_empty());
}

#[test]
fn insecure_checks_nothing_and_says_so() {
    let ca = Ca::expired();
    let mcp = serve(Plan::default().tls(&ca));
    let tether = works(to(&mcp).arg("--insecure"));
    let stderr = tether.wait_stderr("--insecure");
    assert!(stderr.contains("warning"), "{stderr}");
    assert_eq!(tether.finish(), 0);
}

#[test]
fn a_server_may_want_a_certificate_of_the_client() {
    let ca = Ca::new();
    let mcp = serve(Plan::default().mutual_tls(&ca));
    let (cert, key) = ca.client_files();
    let with_ca = || to(&mcp).arg("--ca-file").arg(ca.file());
    let tether = works(
        with_ca()
            .arg("--client-cert")
            .arg(&cert)
            .arg("--client-key")
            .arg(&key),
    );
    assert_eq!(tether.finish(), 0);

    let both = ca.file().with_file_name("both.pem");
    let (cert_pem, key_pem) = ca.client();
    std::fs::write(&both, cert_pem + &key_pem).unwrap();
    let tether = works(with_ca().arg("--client-cert").arg(&both));
    assert_eq!(tether.finish(), 0);

    let hint = unreachable(with_ca());
    assert!(hint.contains("--client-cert"), "{hint}");
}

#[test]
fn files_that_are_no_use_are_usage_errors() {
    let ca = Ca::new();
    let (cert, key) = ca.client_files();
    let bad = ca.file().with_file_name("bad.pem");
    std::fs::write(&bad, "no PEM").unwrap();
    let missing = ca.file().with_file_name("missing.pem");
    let table = [
        (vec![("--ca-file", &bad)], "bad.pem"),
        (vec![("--ca-file", &missing)], "missing.pem"),
        (vec![("--client-cert", &cert)], "client.pem"),
        (
            vec![("--client-cert", &cert), ("--client-key", &bad)],
            "client",
        ),
        (
            vec![("--client-cert", &cert), ("--client-key", &missing)],
            "missing.pem",
        ),
        (vec![("--client-key", &key)], "--client-cert"),
    ];
    for (options, named) in table {
        let mut launch = Launch::new().arg("https://mcp.invalid/mcp");
        for (option, path) in &options {
            launch = launch.arg(*option).arg(path.as_os_str());
        }
        let output = launch.run("");
        assert_eq!(output.code, Some(2), "{options:?}: {output:?}");
        assert_eq!(output.stdout, "");
        assert!(output.stderr.contains(named), "{options:?}: {output:?}");
        assert!(output.stderr.contains("hint: "), "{options:?}: {output:?}");
    }
}

#[test]
fn http_2_is_used_where_the_server_offers_it() {
    let ca = Ca::new();
    for (plan, version) in [
        (Plan::default().tls(&ca).http2(), http::Version::HTTP_2),
        (Plan::default().tls(&ca), http::Version::HTTP_11),
    ] {
        let mcp = serve(plan);
        let tether = works(to(&mcp).arg("--ca-file").arg(ca.file()));
        assert_eq!(tether.finish(), 0);
        let requests = mcp.server.requests();
        assert!(requests.iter().all(|request| request.version == version));
        if version == http::Version::HTTP_2 {
            assert_eq!(mcp.server.connections(), 1, "one connection carries all");
        }
    }
}
