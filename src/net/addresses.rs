//! Which addresses a URL that a server named may lead to. A server must not make this machine talk to the network behind it
//! (RFC 9728 §7.7, MCP security best practices §SSRF); names are checked by what they resolve to, when it is dialled.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// How far a URL that a server named may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Anywhere: the MCP server that the user named is itself private.
    Anywhere,
    /// To public addresses only.
    Public,
}

impl Reach {
    /// What the MCP server at `address` may name.
    pub fn of(address: IpAddr) -> Self {
        if is_public(address) {
            Self::Public
        } else {
            Self::Anywhere
        }
    }

    /// What the MCP server at `url` may name: anything, if it is itself on a private network.
    pub async fn of_url(url: &Url) -> Self {
        let host = url.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        // A name that only a proxy can resolve is none of the network here.
        let found = tokio::net::lookup_host((host, 0)).await;
        if found.is_ok_and(|mut all| all.all(|address| !is_public(address.ip()))) {
            Self::Anywhere
        } else {
            Self::Public
        }
    }

    /// Whether an address given as such in the URL is out of reach. Names are checked when they are resolved.
    pub fn forbids(self, url: &Url) -> bool {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            _ => return false,
        };
        self == Self::Public && !is_public(address)
    }
}

/// Whether the name in `url` is one of this machine, or of its link: there are the metadata of clouds. A name that is not known
/// here is not.
pub async fn leads_here(url: &Url) -> bool {
    let Some(Host::Domain(name)) = url.host() else {
        return false;
    };
    let found = tokio::net::lookup_host((name, 0)).await;
    found.is_ok_and(|mut all| all.any(|address| is_here(address.ip())))
}

fn is_here(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_link_local() || address.is_unspecified()
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unicast_link_local() || address.is_unspecified()
        }
    }
}

/// Whether an address belongs to the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_public_v4(mapped),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let benchmark = a == 198 && (18..20).contains(&b);
    // Protocol assignments (RFC 6890 §2.2.2); a cloud has its metadata there.
    let assigned = matches!(address.octets(), [192, 0, 0, _]);
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || shared
        || benchmark
        || assigned)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    // NAT64, 6to4 and Teredo carry an IPv4 address that may be private; site-local addresses are private of old.
    let [first, second, ..] = address.segments();
    let carrier = matches!(
        (first, second),
        (0x64, 0xff9b) | (0x2001, 0) | (0x2002 | 0xfec0..=0xfeff, _)
    );
    !(address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        || carrier)
}

/// Resolves names to their public addresses.
#[derive(Debug, Clone, Copy)]
pub struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let name = name.as_str().to_owned();
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                let told = format!("{name} is on a private network, and the MCP server is not");
                return Err(io::Error::other(told).into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{PublicOnly, Reach, is_here, is_public, leads_here};
    use reqwest::dns::Resolve;
    use url::Url;

    #[test]
    fn tells_the_internet_from_what_is_behind_us() {
        for public in [
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        let private = [
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "::1",
            "::",
            "fc00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001:0:a00:1::1",
            "fec0::1",
            "192.0.0.192",
        ];
        for address in private {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn a_public_server_cannot_name_a_private_address() {
        let public = Reach::of("8.8.8.8".parse().unwrap());
        let private = Reach::of("127.0.0.1".parse().unwrap());
        let metadata = Url::parse("http://169.254.169.254/latest").unwrap();
        assert!(public.forbids(&metadata));
        assert!(!private.forbids(&metadata));
        assert!(!public.forbids(&Url::parse("https://as.example/").unwrap()));
        assert!(public.forbids(&Url::parse("http://[::1]:8080/").unwrap()));
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_told_from_one_of_the_network() {
        for here in [
            "127.0.0.1",
            "127.9.8.7",
            "0.0.0.0",
            "169.254.169.254",
            "::1",
            "::",
            "fe80::1",
            "::ffff:127.0.0.1",
        ] {
            assert!(is_here(here.parse().unwrap()), "{here}");
        }
        for there in [
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "fd00::1",
            "8.8.8.8",
        ] {
            assert!(!is_here(there.parse().unwrap()), "{there}");
        }
        for (url, here) in [
            ("https://localhost/authorize", true),
            ("https://login.invalid/authorize", false),
        ] {
            assert_eq!(leads_here(&Url::parse(url).unwrap()).await, here, "{url}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_not_dialled() {
        let found = PublicOnly.resolve("localhost".parse().unwrap()).await;
        let told = found.err().unwrap().to_string();
        assert!(told.contains("private network"), "{told}");
    }
}
