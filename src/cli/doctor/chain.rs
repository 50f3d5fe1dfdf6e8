//! What is wrong with a chain of certificates, by name and with a remedy.

use rustls::CertificateError;
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::time::ASN1Time;

use super::check::Finding;
use crate::error::Exit;

/// The fault of a chain that was not accepted for `host`.
pub fn fault(wrong: &rustls::Error, chain: &[CertificateDer<'_>], host: &str) -> Finding {
    let certificates = read(chain);
    let rustls::Error::InvalidCertificate(wrong) = wrong else {
        return other(wrong);
    };
    match wrong {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            out_of_date(&certificates, "expired", |certificate| {
                let end = certificate.validity().not_after;
                (end < ASN1Time::now()).then(|| format!("expired on {}", day(end)))
            })
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            out_of_date(&certificates, "not-yet-valid", |certificate| {
                let begin = certificate.validity().not_before;
                let now = ASN1Time::now();
                (begin > now).then(|| {
                    format!("is not valid before {}, and this machine's clock says {}", day(begin), day(now))
                })
            })
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            wrong_name(&certificates, host)
        }
        CertificateError::Revoked => Finding::fail(
            Exit::Unreachable,
            "the server's certificate was revoked",
            "tell the server's owner; do not go on with --insecure",
        )
        .fault("revoked"),
        _ if self_signed(&certificates) => Finding::fail(
            Exit::Unreachable,
            "the server's certificate is signed by itself, which proves nothing",
            "if the server is yours, give its certificate with --ca-file FILE; it must be an authority's (CA:TRUE) for that",
        )
        .fault("self-signed"),
        CertificateError::UnknownIssuer => unknown(&certificates),
        other => Finding::fail(
            Exit::Unreachable,
            format!("the server's certificate is not usable: {other}"),
            "tell the server's owner",
        )
        .fault("certificate"),
    }
}

/// A handshake that had begun and did not come to its end.
pub fn broken_off() -> Finding {
    failed("the connection ended before the handshake did")
}

fn failed(why: &str) -> Finding {
    Finding::fail(
        Exit::Unreachable,
        format!("the TLS handshake failed: {why}"),
        "tell the server's owner; mcp-tether speaks TLS 1.2 and 1.3",
    )
    .fault("tls")
}

fn other(wrong: &rustls::Error) -> Finding {
    match wrong {
        rustls::Error::AlertReceived(alert) => Finding::fail(
            Exit::Unreachable,
            format!("the server ended the TLS handshake ({alert:?})"),
            "if it wants a certificate of the client, give it with --client-cert FILE and --client-key FILE",
        )
        .fault("tls-alert"),
        other => failed(&other.to_string()),
    }
}

fn out_of_date(
    certificates: &[X509Certificate<'_>],
    fault: &str,
    told: impl Fn(&X509Certificate<'_>) -> Option<String>,
) -> Finding {
    let mut all = certificates.iter().enumerate();
    let found = all.find_map(|(place, certificate)| {
        let whose = match place {
            0 => "the server's certificate".to_owned(),
            _ => format!(
                "the certificate of its authority {:?}",
                name(certificate.subject())
            ),
        };
        Some(format!("{whose} {}", told(certificate)?))
    });
    let found = found.unwrap_or_else(|| "a certificate is out of date".to_owned());
    Finding::fail(
        Exit::Unreachable,
        found,
        "check this machine's date and clock; if they are right, tell the server's owner to renew the certificate",
    )
    .fault(fault)
}

fn wrong_name(certificates: &[X509Certificate<'_>], host: &str) -> Finding {
    let names = certificates.first().map(names).unwrap_or_default();
    let told = if names.is_empty() {
        "it names no host at all".to_owned()
    } else {
        format!("it is for {}", names.join(", "))
    };
    Finding::fail(
        Exit::Unreachable,
        format!("the server's certificate is not for {host}: {told}"),
        "give the URL with a host that the certificate names, or tell the server's owner",
    )
    .fault("wrong-name")
    .with("names", names)
}

/// Nobody who is trusted has signed it.
fn unknown(certificates: &[X509Certificate<'_>]) -> Finding {
    let last = certificates.last();
    let issuer = last.map_or_else(|| "nobody".to_owned(), |last| name(last.issuer()));
    let ends_itself = last.is_some_and(|last| last.subject() == last.issuer());
    // It says itself where the certificate of its issuer is to be had: then that is not one that all have.
    let fetchable = last.is_some_and(names_its_issuer);
    if !ends_itself && fetchable {
        return Finding::fail(
            Exit::Unreachable,
            format!("the chain is broken: the certificate of {issuer:?}, which signed the last one, is missing"),
            "tell the server's owner to send the whole chain (fullchain.pem); till then give the missing certificate with --ca-file FILE",
        )
        .fault("incomplete-chain")
        .with("missing", issuer);
    }
    let sent = match certificates.len() {
        0 | 1 => "",
        _ => ", at the end of the chain",
    };
    Finding::fail(
        Exit::Unreachable,
        format!("the server's certificate is signed by {issuer:?}{sent}, whom this machine does not trust"),
        "if that is your company's or your own authority, give its certificate with --ca-file FILE; if not, somebody is listening in",
    )
    .fault("unknown-authority")
    .with("authority", issuer)
}

fn self_signed(certificates: &[X509Certificate<'_>]) -> bool {
    matches!(certificates, [only] if only.subject() == only.issuer())
}

/// Whether the certificate says where its issuer's is to be had (RFC 5280 §4.2.2.1).
fn names_its_issuer(certificate: &X509Certificate<'_>) -> bool {
    certificate.extensions().iter().any(|extension| {
        matches!(extension.parsed_extension(), ParsedExtension::AuthorityInfoAccess(access)
            if access.accessdescs.iter().any(|one| one.access_method.to_id_string() == "1.3.6.1.5.5.7.48.2"))
    })
}

/// A chain that was accepted, in few words.
pub fn told(chain: &[CertificateDer<'_>], host: &str) -> String {
    let certificates = read(chain);
    let Some(own) = certificates.first() else {
        return "accepted".to_owned();
    };
    let end = own.validity().not_after.timestamp();
    let left = (end - ASN1Time::now().timestamp()) / (24 * 3600);
    let days = if left == 1 { "day" } else { "days" };
    format!(
        "a certificate for {host} by {}, good for {left} {days}",
        name(own.issuer())
    )
}

/// The chain for scripts.
pub fn details(chain: &[CertificateDer<'_>]) -> Vec<Value> {
    let certificates = read(chain);
    let shown = certificates.iter().map(|certificate| {
        json!({
            "subject": name(certificate.subject()),
            "issuer": name(certificate.issuer()),
            "notBefore": day(certificate.validity().not_before),
            "notAfter": day(certificate.validity().not_after),
            "names": names(certificate),
        })
    });
    shown.collect()
}

fn read<'a>(chain: &'a [CertificateDer<'_>]) -> Vec<X509Certificate<'a>> {
    let parsed = chain
        .iter()
        .map(|certificate| X509Certificate::from_der(certificate.as_ref()));
    parsed.filter_map(|parsed| Some(parsed.ok()?.1)).collect()
}

/// The common name, or all of it where there is none.
fn name(of: &x509_parser::x509::X509Name<'_>) -> String {
    let mut common = of.iter_common_name();
    let common = common.next().and_then(|name| name.as_str().ok());
    common.map_or_else(|| of.to_string(), str::to_owned)
}

/// The hosts that a certificate is for.
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(all)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let names = all
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress([a, b, c, d]) => Some(format!("{a}.{b}.{c}.{d}")),
            GeneralName::IPAddress(bytes) => {
                let bytes: [u8; 16] = (*bytes).try_into().ok()?;
                Some(std::net::Ipv6Addr::from(bytes).to_string())
            }
            _ => None,
        });
    names.collect()
}

fn day(time: ASN1Time) -> String {
    let seconds = u64::try_from(time.timestamp()).unwrap_or_default();
    let at = std::time::UNIX_EPOCH.checked_add(std::time::Duration::from_secs(seconds));
    let text = at.map(|at| humantime::format_rfc3339_seconds(at).to_string());
    text.unwrap_or_default()
}
