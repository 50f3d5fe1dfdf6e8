//! The TLS of the server. Whether it is accepted is for the bridge's own client to say, which sends the first request; what the
//! server shows is seen in a handshake of our own that believes anything and sends nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

use super::chain;
use super::check::Finding;
use super::contact::{Contact, NoContact};
use super::patient::Patient;
use super::proxy::Hop;
use crate::error::Exit;
use crate::net::client::Verify;
use crate::net::guard;

/// What the server showed.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its certificates and the version, as far as it came to them.
    pub shown: Shown,
    /// Whether the handshake came to its end.
    pub ended: bool,
    /// The time the handshake took.
    pub took: Duration,
}

/// The server's part in a handshake.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// Its certificates, its own first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The version of TLS.
    pub version: Option<&'static str>,
}

/// Looks at the certificates, and sends the first request.
pub async fn check(patient: &mut Patient<'_>) -> Finding {
    if let Some(why) = patient.no_ground() {
        return Finding::skip(why);
    }
    let Some(url) = patient.url.clone() else {
        return Finding::skip("not tried: there is no URL");
    };
    let limit = patient.network(&url).connect_timeout;
    let stream = patient.stream.take();
    if url.scheme() == "http" {
        // Nothing is known of what is asked first.
        drop(stream);
        patient.contact = Some(Contact::make(patient, &url).await);
        let told = if guard::is_loopback(&url) {
            "plain http, on this machine"
        } else {
            "plain http: anybody on the way can read along"
        };
        return Finding::skip(told).took(Duration::ZERO);
    }
    let seen = match stream {
        Some(stream) => Some(look(&url, stream, limit).await),
        None => None,
    };
    let took = match &seen {
        Some(Ok(seen)) => seen.took,
        _ => Duration::ZERO,
    };
    if let Some(Err(why)) = seen {
        patient.stopped = Some("tls");
        return no_tls(&url, &why);
    }
    patient.seen = seen.and_then(Result::ok);
    let contact = Contact::make(patient, &url).await;
    let finding = judged(patient, &url, &contact);
    if matches!(finding.outcome, super::check::Outcome::Fail(_)) {
        patient.stopped = Some("tls");
    }
    patient.contact = Some(contact);
    finding.took(took)
}

fn judged(patient: &Patient<'_>, url: &Url, contact: &Result<Contact, NoContact>) -> Finding {
    let host = url.host_str().unwrap_or_default();
    let shown = patient.seen.as_ref().map(|seen| &seen.shown);
    let chain = shown.map_or(&[][..], |shown| &shown.chain);
    let finding = match contact {
        Err(NoContact { tls: Some(wrong), .. }) => chain::fault(wrong, chain, host),
        Err(_) if patient.seen.as_ref().is_some_and(|seen| !seen.ended) => chain::broken_off(),
        _ if patient.network(url).verify == Verify::Nothing => Finding::warn(
            "certificates are not checked (--insecure): anybody on the way can read and change everything",
            "give the authority's certificate with --ca-file FILE in place of --insecure",
        )
        .fault("insecure"),
        _ => match (shown, &patient.hop, contact) {
            (Some(shown), _, _) => {
                let version = shown.version.unwrap_or("TLS");
                Finding::ok(format!("{version}, {}", chain::told(chain, host)))
            }
            (None, Hop::Proxy, Ok(_)) => Finding::ok("accepted, through the proxy"),
            (None, ..) => Finding::skip("not seen: there was no connection"),
        },
    };
    let finding = match shown.and_then(|shown| shown.version) {
        Some(version) => finding.with("version", version),
        None => finding,
    };
    finding.with("chain", chain::details(chain))
}

/// What is there does not speak TLS, or not with us.
fn no_tls(url: &Url, why: &str) -> Finding {
    let mut plain = url.clone();
    // Both schemes have the same parts.
    let _ = plain.set_scheme("http");
    Finding::fail(
        Exit::Unreachable,
        format!("no TLS handshake: {why}"),
        format!(
            "check the port in the URL; if the server speaks plain http, the URL begins with http://{}",
            guard::host_shown(&plain)
        ),
    )
    .fault("no-tls")
}

/// Looks at the handshake of the server. It need not come to its end: a server may want a certificate of the client, and this
/// shows none.
///
/// # Errors
/// Why nothing was seen of one.
pub async fn look(url: &Url, stream: TcpStream, limit: Duration) -> Result<Seen, String> {
    let host = url.host_str().unwrap_or_default();
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let name = ServerName::try_from(host).map_err(|wrong| wrong.to_string())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let recorder = Arc::new(Recorder {
        provider: Arc::clone(&provider),
        shown: Mutex::default(),
    });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|wrong| wrong.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&recorder) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let begun = Instant::now();
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let ended = tokio::time::timeout(limit, connecting).await;
    let shown = recorder.shown().clone();
    let is_whole = matches!(ended, Ok(Ok(_)));
    match ended {
        Ok(Err(wrong)) if shown.chain.is_empty() => not_tls(&wrong)?,
        Err(_) => return Err(format!("nothing came for {} s", limit.as_secs_f64())),
        Ok(_) => {}
    }
    Ok(Seen {
        shown,
        ended: is_whole,
        took: begun.elapsed(),
    })
}

/// Whether a handshake without certificates was one at all.
fn not_tls(wrong: &std::io::Error) -> Result<(), String> {
    match wrong.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(rustls::Error::InvalidMessage(_)) => Err("what answers does not speak TLS".to_owned()),
        Some(_) => Ok(()),
        None => Err(super::network::told(wrong)),
    }
}

/// Believes any certificate and keeps what it was shown. Nothing is ever sent over its connections.
#[derive(Debug)]
struct Recorder {
    provider: Arc<CryptoProvider>,
    shown: Mutex<Shown>,
}

impl Recorder {
    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let all = std::iter::once(own).chain(others);
        let all = all.map(|certificate| certificate.clone().into_owned());
        self.shown().chain = all.collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.shown().version = Some("TLS 1.2");
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.shown().version = Some("TLS 1.3");
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let known = &self.provider.signature_verification_algorithms;
        known.supported_schemes()
    }
}
