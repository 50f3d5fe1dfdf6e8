//! A private certificate authority for one test: a server certificate for loopback, a client
//! certificate, and their files.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{ALL_VERSIONS, RootCertStore, ServerConfig, SupportedProtocolVersion};
use tempfile::TempDir;

/// A certificate authority that lives as long as its test, with its files in a private folder.
pub struct Ca {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
    /// What is wrong with its server certificates.
    flaw: Flaw,
}

/// What is wrong with the certificates of servers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    Nothing,
    /// They are out of date.
    Expired,
    /// Their time has not come.
    Future,
    /// They are signed by themselves.
    SelfSigned,
    /// They are signed by an intermediate authority, whose certificate is not sent.
    Broken,
}

impl Default for Ca {
    fn default() -> Self {
        Self::new()
    }
}

impl Ca {
    /// A new authority that nobody trusts yet.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names to refuse");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "mcp-tether test CA");
        let key = KeyPair::generate().expect("a key");
        Self {
            issuer: CertifiedIssuer::self_signed(params, key).expect("a CA certificate"),
            folder: TempDir::new().expect("a folder"),
            flaw: Flaw::Nothing,
        }
    }

    /// A new authority whose server certificates are out of date.
    pub fn expired() -> Self {
        Self::flawed(Flaw::Expired)
    }

    /// A new authority whose server certificates are not valid yet.
    pub fn future() -> Self {
        Self::flawed(Flaw::Future)
    }

    /// A new authority that signs no server certificate: each is signed by itself.
    pub fn self_signed() -> Self {
        Self::flawed(Flaw::SelfSigned)
    }

    /// A new authority below which another one signs, whose certificate servers do not send.
    pub fn broken() -> Self {
        Self::flawed(Flaw::Broken)
    }

    fn flawed(flaw: Flaw) -> Self {
        Self {
            flaw,
            ..Self::new()
        }
    }

    /// The authority's certificate in PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// The path of the authority's certificate, for `--ca-file`.
    pub fn file(&self) -> PathBuf {
        self.write("ca.pem", &self.pem())
    }

    /// The paths of a client's certificate and key, for `--client-cert` and `--client-key`.
    pub fn client_files(&self) -> (PathBuf, PathBuf) {
        let (cert, key) = self.client();
        (
            self.write("client.pem", &cert),
            self.write("client.key", &key),
        )
    }

    /// A client's certificate and key in PEM.
    pub fn client(&self) -> (String, String) {
        let mut params = CertificateParams::new(vec!["client.test".to_owned()]).expect("a name");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key");
        let cert = params.signed_by(&key, &self.issuer).expect("a certificate");
        (cert.pem(), key.serialize_pem())
    }

    /// What a server on loopback needs; `Mutual::Required` refuses clients without a certificate.
    pub(in crate::support) fn server(&self, mutual: Mutual) -> ServerConfig {
        self.server_with(mutual, ALL_VERSIONS)
    }

    /// The same for those versions of TLS alone.
    pub(in crate::support) fn server_with(
        &self,
        mutual: Mutual,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ServerConfig {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).expect("the names");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        match self.flaw {
            Flaw::Expired => {
                params.not_before = rcgen::date_time_ymd(2020, 1, 1);
                params.not_after = rcgen::date_time_ymd(2021, 1, 1);
            }
            Flaw::Future => params.not_before = rcgen::date_time_ymd(2090, 1, 1),
            _ => {}
        }
        let key = KeyPair::generate().expect("a key");
        let cert = match self.flaw {
            Flaw::SelfSigned => params.self_signed(&key).expect("a certificate"),
            Flaw::Broken => {
                let below = intermediate(&self.issuer);
                params.custom_extensions.push(issuer_is_elsewhere());
                params.signed_by(&key, &below).expect("a certificate")
            }
            _ => params.signed_by(&key, &self.issuer).expect("a certificate"),
        };
        let provider = Arc::new(default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .expect("the provider has both versions");
        let config = match mutual {
            Mutual::None => config.with_no_client_auth(),
            Mutual::Required => {
                let mut roots = RootCertStore::empty();
                roots.add(self.issuer.der().clone()).expect("a root");
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .expect("a verifier");
                config.with_client_cert_verifier(verifier)
            }
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a PKCS#8 key");
        config
            .with_single_cert(vec![cert.der().clone()], key)
            .expect("key and certificate match")
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("write a certificate file");
        path
    }
}

/// Whether a TLS server wants a certificate from its client.
#[derive(Clone, Copy)]
pub enum Mutual {
    /// It does not ask.
    None,
    /// It ends the handshake without one.
    Required,
}

/// An authority that another one has signed.
fn intermediate(above: &CertifiedIssuer<'static, KeyPair>) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("no names to refuse");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "mcp-tether test intermediate");
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::signed_by(params, key, above).expect("a CA certificate")
}

/// Says where the issuer's certificate is to be had (RFC 5280 §4.2.2.1).
fn issuer_is_elsewhere() -> CustomExtension {
    let uri = b"http://ca.invalid/below.crt";
    let method = [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x02];
    let tagged = |tag: u8, content: &[u8]| {
        let length = u8::try_from(content.len()).expect("a short form");
        [&[tag, length], content].concat()
    };
    let location = tagged(0x86, uri);
    let description = tagged(0x30, &[&method[..], &location].concat());
    let content = tagged(0x30, &description);
    CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], content)
}
