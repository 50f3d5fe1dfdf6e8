//! The HTTP client for one remote server: TLS, proxies, addresses, cookies, time limits of a connection.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use reqwest::cookie::Jar;
use reqwest::redirect::Policy;
use reqwest::{Certificate, ClientBuilder, Identity};
use url::Url;

use super::addresses::{PublicOnly, Reach};
use super::cookies::OriginJar;
use super::failure::cause;
use super::guard::{self, Following};
use crate::error::Fatal;
use crate::secret::Secret;

/// Idle connections are dropped before the 5 s after which Node and uvicorn close them: a request that meets a closing
/// connection fails although the server is well, and a tool call must not be sent twice.
const POOL_IDLE: Duration = Duration::from_secs(4);

/// HTTP/2 pings while requests wait, and TCP keep-alive probes: a dead peer is noticed within a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// A wall clock that ran this far ahead of the monotonic one: the machine slept, and its connections are dead.
const SLEPT: Duration = Duration::from_secs(10);

/// Which proxy to use.
#[derive(Debug, Clone, Default)]
pub enum Proxy {
    /// The one of the environment or system, never for loopback.
    #[default]
    Environment,
    /// None.
    Direct,
    /// This one, loopback included; its URL may hold a password.
    Url(Secret<String>),
}

/// Which addresses to connect to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Family {
    /// Both, IPv6 first, the other after 300 ms (RFC 8305).
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

/// Whether certificates are checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Verify {
    /// As they should be.
    #[default]
    Certificates,
    /// Not at all (`--insecure`).
    Nothing,
}

/// Whether cookies are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cookies {
    /// In memory, for the server's origin.
    #[default]
    Memory,
    /// Dropped.
    Off,
}

/// How to reach the remote server.
#[derive(Debug, Clone)]
pub struct Options {
    /// The server.
    pub url: Url,
    /// Which proxy to use.
    pub proxy: Proxy,
    /// A PEM file of authorities to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// A PEM file with the client's certificate, and its key unless `client_key` is given.
    pub client_cert: Option<PathBuf>,
    /// A PEM file with the client's key.
    pub client_key: Option<PathBuf>,
    /// Whether certificates are checked.
    pub verify: Verify,
    /// Which addresses to connect to.
    pub family: Family,
    /// The limit for one connect, TLS included.
    pub connect_timeout: Duration,
    /// Whether cookies are kept.
    pub cookies: Cookies,
    /// Who named the URL.
    pub named_by: NamedBy,
}

impl Options {
    /// The same network for a URL that a server named: no cookies, no redirects, no client certificate, and private
    /// addresses only within `reach`.
    #[must_use]
    pub fn for_named(&self, url: Url, reach: Reach) -> Self {
        Self {
            url,
            cookies: Cookies::Off,
            client_cert: None,
            client_key: None,
            named_by: NamedBy::Server(reach),
            ..self.clone()
        }
    }
}

/// Who named a URL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NamedBy {
    /// The user, who may reach anything.
    #[default]
    User,
    /// A server, which may lie: no redirect is followed, and addresses are checked.
    Server(Reach),
}

/// Which versions of HTTP may be spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Versions {
    All,
    /// Only HTTP/1.1 has the upgrade that WebSocket begins with.
    One,
}

/// The client; it makes itself anew after the machine slept.
#[derive(Debug)]
pub struct Client {
    options: Options,
    versions: Versions,
    kept: Kept,
    current: Mutex<Current>,
}

/// What outlives a renewal of the client.
#[derive(Debug)]
struct Kept {
    jar: Option<Arc<OriginJar>>,
    following: Following,
}

#[derive(Debug)]
struct Current {
    http: reqwest::Client,
    used: Instant,
    used_wall: SystemTime,
}

impl Client {
    /// Builds the client.
    ///
    /// # Errors
    /// A usage error that names the file, proxy or option that cannot be used.
    pub fn new(options: Options) -> Result<Self, Fatal> {
        Self::with(options, Versions::All)
    }

    /// Builds a client that speaks HTTP/1.1 only, for connections that are to be upgraded.
    ///
    /// # Errors
    /// A usage error that names the file, proxy or option that cannot be used.
    pub fn for_upgrades(options: Options) -> Result<Self, Fatal> {
        Self::with(options, Versions::One)
    }

    fn with(options: Options, versions: Versions) -> Result<Self, Fatal> {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let jar = match options.cookies {
            Cookies::Memory => Some(Arc::new(OriginJar {
                origin: options.url.clone(),
                jar: Jar::default(),
            })),
            Cookies::Off => None,
        };
        let kept = Kept {
            jar,
            following: Following::default(),
        };
        let http = build(&options, versions, &kept)?;
        Ok(Self {
            options,
            versions,
            kept,
            current: Mutex::new(Current {
                http,
                used: Instant::now(),
                used_wall: SystemTime::now(),
            }),
        })
    }

    /// The limit for one connect.
    pub const fn connect_timeout(&self) -> Duration {
        self.options.connect_timeout
    }

    /// Who follows redirects.
    pub const fn following(&self) -> &Following {
        &self.kept.following
    }

    /// The client to send with now.
    pub fn http(&self) -> reqwest::Client {
        let (now, wall) = (Instant::now(), SystemTime::now());
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if slept(
            now - current.used,
            wall.duration_since(current.used_wall).unwrap_or_default(),
        ) {
            tracing::debug!("the machine slept: dropping old connections");
            match build(&self.options, self.versions, &self.kept) {
                Ok(http) => current.http = http,
                Err(wrong) => tracing::warn!("cannot renew the HTTP client: {wrong}"),
            }
        }
        current.used = now;
        current.used_wall = wall;
        current.http.clone()
    }
}

fn slept(monotonic: Duration, wall: Duration) -> bool {
    wall.saturating_sub(monotonic) > SLEPT
}

fn build(options: &Options, versions: Versions, kept: &Kept) -> Result<reqwest::Client, Fatal> {
    let extra = match &options.ca_file {
        None => Vec::new(),
        Some(path) => authorities(path)?,
    };
    let identity = identity(options)?;
    let base = || -> Result<ClientBuilder, Fatal> {
        let mut builder = transport(options, &kept.following)?;
        if versions == Versions::One {
            builder = builder.http1_only();
        }
        if let Some(jar) = &kept.jar {
            builder = builder.cookie_provider(Arc::clone(jar));
        }
        if let Some(identity) = &identity {
            builder = builder.identity(identity.clone());
        }
        Ok(builder)
    };
    // Reading the system's authorities takes milliseconds; plain http, which never turns into https, needs none.
    let first = if options.url.scheme() == "http" {
        base()?.tls_certs_only([])
    } else {
        base()?.tls_certs_merge(extra.iter().cloned())
    };
    first
        .build()
        .or_else(|wrong| {
            tracing::debug!("no usable system authorities ({wrong}): taking the built-in ones");
            let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS
                .iter()
                .filter_map(|root| Certificate::from_der(root).ok());
            base()
                .map_err(anyhow::Error::new)?
                .tls_certs_only(roots.chain(extra))
                .build()
                .map_err(anyhow::Error::new)
        })
        .map_err(|wrong| {
            Fatal::usage(
                format!("cannot set up HTTP: {}", cause(wrong.as_ref())),
                "check the proxy and certificate options",
            )
        })
}

/// All but certificates.
fn transport(options: &Options, following: &Following) -> Result<ClientBuilder, Fatal> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("mcp-tether/", env!("CARGO_PKG_VERSION")))
        .redirect(match options.named_by {
            NamedBy::User => guard::redirects(following.clone()),
            NamedBy::Server(_) => Policy::none(),
        })
        .referer(false)
        .connect_timeout(options.connect_timeout)
        .pool_idle_timeout(POOL_IDLE)
        .tcp_keepalive(KEEP_ALIVE)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .http2_keep_alive_timeout(KEEP_ALIVE)
        // The default windows of 64 KiB would bound a large answer to one window a round trip.
        .http2_adaptive_window(true)
        .tls_danger_accept_invalid_certs(options.verify == Verify::Nothing);
    if options.named_by == NamedBy::Server(Reach::Public) {
        builder = builder.dns_resolver(PublicOnly);
    }
    builder = match options.family {
        Family::Any => builder,
        Family::V4 => builder.local_address(std::net::IpAddr::from([0, 0, 0, 0])),
        Family::V6 => builder.local_address(std::net::IpAddr::from([0u16; 8])),
    };
    match &options.proxy {
        Proxy::Environment if guard::is_loopback(&options.url) => Ok(builder.no_proxy()),
        Proxy::Environment => Ok(builder),
        Proxy::Direct => Ok(builder.no_proxy()),
        Proxy::Url(url) => reqwest::Proxy::all(url.expose().as_str())
            .map(|proxy| builder.no_proxy().proxy(proxy))
            .map_err(|_| {
                Fatal::usage(
                    "--proxy is not a proxy URL",
                    "write it like http://proxy.example:3128 or socks5h://127.0.0.1:1080",
                )
            }),
    }
}

fn authorities(path: &Path) -> Result<Vec<Certificate>, Fatal> {
    let found =
        read(path).and_then(|pem| Certificate::from_pem_bundle(&pem).context("not a PEM bundle"));
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(unusable("--ca-file", path, "it holds no certificate")),
        Err(wrong) => Err(unusable("--ca-file", path, &format!("{wrong:#}"))),
    }
}

fn identity(options: &Options) -> Result<Option<Identity>, Fatal> {
    let Some(cert) = &options.client_cert else {
        return match &options.client_key {
            None => Ok(None),
            Some(_) => Err(Fatal::usage(
                "--client-key without --client-cert",
                "give the certificate with --client-cert as well",
            )),
        };
    };
    let mut pem =
        read(cert).map_err(|wrong| unusable("--client-cert", cert, &format!("{wrong:#}")))?;
    if let Some(key) = &options.client_key {
        pem.push(b'\n');
        pem.extend(
            read(key).map_err(|wrong| unusable("--client-key", key, &format!("{wrong:#}")))?,
        );
    }
    let identity = Identity::from_pem(&pem).map_err(|_| {
        unusable(
            "--client-cert",
            cert,
            "it needs a certificate and its private key, both in PEM form",
        )
    })?;
    Ok(Some(identity))
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).context("cannot read it")
}

fn unusable(option: &str, path: &Path, why: &str) -> Fatal {
    Fatal::usage(
        format!("{option} {} is not usable: {why}", path.display()),
        "give the path of a PEM file that this user can read",
    )
}

#[cfg(test)]
mod tests {
    use super::slept;
    use std::time::Duration;

    #[test]
    fn only_a_jump_of_the_wall_clock_means_sleep() {
        let seconds = Duration::from_secs;
        assert!(!slept(seconds(3600), seconds(3605)));
        assert!(slept(seconds(5), seconds(16)));
        assert!(
            !slept(seconds(60), seconds(0)),
            "a clock set back is no sleep"
        );
    }
}
