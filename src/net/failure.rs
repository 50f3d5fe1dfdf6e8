//! What a failed HTTP request means, in words for people.

use std::error::Error;
use std::io;

use rustls::{CertificateError, InvalidMessage};

use crate::error::Failure;

/// What a failed request means. `server` is its URL for people.
pub fn classify(error: &reqwest::Error, server: &str) -> Failure {
    let tls = tls_error(error);
    if !(error.is_connect() || tls.is_some()) {
        return Failure::Lost(cause(error));
    }
    let hint = match &tls {
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            "if the server uses a private authority, give its certificate with --ca-file"
        }
        Some(rustls::Error::InvalidCertificate(_)) => {
            "check the host in the URL and this machine's clock, or tell the server's owner"
        }
        Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
            "if the server speaks plain http there, write the URL with http://"
        }
        Some(rustls::Error::AlertReceived(_)) => {
            "if the server wants a client certificate, give it with --client-cert"
        }
        _ if error.is_timeout() => "check the address and the network, or raise --connect-timeout",
        _ => "check that the server is running, and the URL, network and proxy settings",
    };
    let what = match &tls {
        Some(rustls::Error::InvalidCertificate(wrong)) => certificate(wrong),
        Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
            "what answers does not speak TLS".to_owned()
        }
        _ => cause(error),
    };
    Failure::Unreachable {
        what: format!("cannot reach {server}: {what}"),
        hint,
    }
}

/// The innermost cause, which says the most.
pub fn cause(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match innermost.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(io::ErrorKind::UnexpectedEof) => "the connection was closed".to_owned(),
        _ => innermost.to_string(),
    }
}

fn certificate(wrong: &CertificateError) -> String {
    let what = match wrong {
        CertificateError::UnknownIssuer => "it is signed by an authority that is not trusted here",
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another host"
        }
        CertificateError::Revoked => "it was revoked",
        CertificateError::Other(inner) => {
            return format!("the server's certificate is not usable: {}", inner.0);
        }
        _ => return format!("the server's certificate is not usable: {wrong}"),
    };
    format!("the server's certificate is not accepted: {what}")
}

/// The TLS error somewhere inside. An `io::Error` hides what it wraps from `source`, and may wrap another one.
pub fn tls_error(error: &(dyn Error + 'static)) -> Option<rustls::Error> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(tls.clone());
    }
    let wrapped = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    match wrapped {
        Some(wrapped) => tls_error(wrapped),
        None => error.source().and_then(tls_error),
    }
}
