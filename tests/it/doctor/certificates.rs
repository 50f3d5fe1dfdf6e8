//! Certificates that are not accepted, each for its own reason.

use super::{at, run, to};
use crate::relay::{Kind, Relay};
use crate::support::mcp::{Legacy, LegacyPlan};
use crate::support::server::{Peer, Plan};
use crate::support::tls::Ca;

fn serve(ca: &Ca) -> Legacy {
    let mcp = LegacyPlan::default().serve_on(Plan::default().tls(ca));
    mcp.server.allow_idle();
    mcp
}

#[test]
fn a_good_chain_is_told_with_its_issuer_and_time() {
    let ca = Ca::new();
    let mcp = serve(&ca);
    let doctor = run(to(&mcp).arg("--ca-file").arg(ca.file()));
    let tls = doctor.is("tls", "ok");
    assert_eq!(tls["details"]["version"], "TLS 1.3");
    assert_eq!(tls["details"]["chain"][0]["issuer"], "mcp-tether test CA");
    assert_eq!(doctor.output.code, Some(0));
}

#[test]
fn an_unknown_authority_is_recognised() {
    let mcp = serve(&Ca::new());
    let doctor = run(to(&mcp));
    doctor.fails("tls", "unknown-authority", 4, "--ca-file");
    let found = doctor.check("tls")["found"].as_str().unwrap();
    assert!(found.contains("mcp-tether test CA"), "{found}");
    doctor.is("http", "skip");
    doctor.is("tools", "skip");
}

#[test]
fn a_certificate_signed_by_itself_is_recognised() {
    let mcp = serve(&Ca::self_signed());
    run(to(&mcp)).fails("tls", "self-signed", 4, "--ca-file");
}

#[test]
fn a_missing_intermediate_is_recognised() {
    let ca = Ca::broken();
    let mcp = serve(&ca);
    // The root is trusted, and yet the chain does not reach it.
    let doctor = run(to(&mcp).arg("--ca-file").arg(ca.file()));
    doctor.fails("tls", "incomplete-chain", 4, "fullchain.pem");
    let missing = &doctor.check("tls")["details"]["missing"];
    assert_eq!(missing, "mcp-tether test intermediate");
}

#[test]
fn an_expired_certificate_is_recognised() {
    let ca = Ca::expired();
    let mcp = serve(&ca);
    let doctor = run(to(&mcp).arg("--ca-file").arg(ca.file()));
    doctor.fails("tls", "expired", 4, "clock");
    let found = doctor.check("tls")["found"].as_str().unwrap();
    assert!(found.contains("2021-01-01"), "{found}");
}

#[test]
fn a_certificate_that_is_not_valid_yet_is_recognised() {
    let ca = Ca::future();
    let mcp = serve(&ca);
    let doctor = run(to(&mcp).arg("--ca-file").arg(ca.file()));
    doctor.fails("tls", "not-yet-valid", 4, "clock");
}

#[test]
fn a_certificate_for_another_host_is_recognised() {
    let ca = Ca::new();
    let mcp = serve(&ca);
    // Only Linux has all of 127/8.
    let Ok(relay) = Relay::on("127.0.0.2", Kind::Plain, mcp.server.address()) else {
        return;
    };
    let url = format!("https://{}/mcp", relay.address);
    let doctor = run(at(&url).arg("--ca-file").arg(ca.file()));
    doctor.fails("tls", "wrong-name", 4, "a host that the certificate names");
    assert_eq!(doctor.check("tls")["details"]["names"][1], "127.0.0.1");
}

#[test]
fn no_check_at_all_is_a_warning() {
    let mcp = serve(&Ca::expired());
    let doctor = run(to(&mcp).arg("--insecure"));
    doctor.warns("tls", "insecure", "--ca-file");
    assert_eq!(doctor.output.code, Some(0));
    assert_eq!(doctor.document["verdict"], "warn");
}

#[test]
fn a_certificate_of_the_client_may_be_wanted() {
    let ca = Ca::new();
    // With TLS 1.2 the handshake ends without one.
    for (plan, version) in [
        (Plan::default().mutual_tls(&ca), "TLS 1.3"),
        (Plan::default().mutual_tls12(&ca), "TLS 1.2"),
    ] {
        let mcp = LegacyPlan::default().serve_on(plan);
        let doctor = run(to(&mcp).arg("--ca-file").arg(ca.file()));
        doctor.fails("tls", "tls-alert", 4, "--client-cert");
        let (cert, key) = ca.client_files();
        let launch = to(&mcp).arg("--ca-file").arg(ca.file());
        let launch = launch.arg("--client-cert").arg(cert);
        let doctor = run(launch.arg("--client-key").arg(key));
        assert_eq!(doctor.output.code, Some(0), "{:#}", doctor.document);
        let tls = doctor.is("tls", "ok");
        assert_eq!(tls["details"]["version"], version);
        assert_eq!(tls["details"]["chain"][0]["issuer"], "mcp-tether test CA");
    }
}

#[test]
fn http_where_https_is_spoken_and_the_reverse_are_recognised() {
    let ca = Ca::new();
    let secure = serve(&ca);
    let url = secure.url().replace("https:", "http:");
    run(at(&url)).fails("http", "wants-https", 4, &secure.url());

    let plain = Legacy::new();
    plain.server.allow_idle();
    let url = plain.url().replace("http:", "https:");
    run(at(&url)).fails("tls", "no-tls", 4, "http://");
}
