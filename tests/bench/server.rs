//! The remote side, in a process of its own: a Streamable HTTP server that costs
//! little, so that what is measured is the client in front of it.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::answers::{self, MODERN_PATH, PATH};
use crate::scene;

/// Serves http and https on loopback, prints the URLs, and ends when stdin does. The CA's
/// certificate is left in `folder`.
#[tokio::main(flavor = "current_thread")]
pub async fn run(folder: &Path) -> anyhow::Result<()> {
    let tls = TlsAcceptor::from(Arc::new(certificate(folder)?));
    let plain = TcpListener::bind("127.0.0.1:0").await?;
    let secure = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}{PATH}", plain.local_addr()?);
    println!("https://{}{PATH}", secure.local_addr()?);
    println!("http://{}{MODERN_PATH}", plain.local_addr()?);
    let (gone, parent_gone) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read(&mut [0]);
        gone.send(())
    });
    tokio::select! {
        _ = parent_gone => Ok(()),
        failed = accept(plain, None) => failed,
        failed = accept(secure, Some(tls)) => failed,
    }
}

/// A certificate for loopback, signed by a CA that nobody knows.
fn certificate(folder: &Path) -> anyhow::Result<rustls::ServerConfig> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let name = &mut params.distinguished_name;
    name.push(DnType::CommonName, "mcp-tether benchmark CA");
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    std::fs::write(scene::ca_file(folder), ca.pem()).context("write the CA certificate")?;
    let names = ["127.0.0.1", "localhost"].map(str::to_owned);
    let key = KeyPair::generate()?;
    let leaf = CertificateParams::new(names)?.signed_by(&key, &ca)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Accepts connections for ever.
async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>) -> anyhow::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        // A connection that fails is the client's business, and shows there.
        tokio::spawn(connection(stream, tls.clone()));
    }
}

/// Serves one connection: HTTP/2 if the client chose it in the TLS handshake.
async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>) -> anyhow::Result<()> {
    let service = service_fn(answers::answer);
    let Some(tls) = tls else {
        let http1 = http1::Builder::new();
        return Ok(http1
            .serve_connection(TokioIo::new(stream), service)
            .await?);
    };
    let stream = tls.accept(stream).await?;
    let chosen = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let stream = TokioIo::new(stream);
    if chosen {
        let http2 = http2::Builder::new(TokioExecutor::new());
        Ok(http2.serve_connection(stream, service).await?)
    } else {
        let http1 = http1::Builder::new();
        Ok(http1.serve_connection(stream, service).await?)
    }
}
