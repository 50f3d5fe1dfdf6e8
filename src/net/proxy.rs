//! Which proxy is on the way to a URL.

use http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use url::Url;

use super::client::Proxy;
use super::guard;

/// The proxy that requests to `url` go through, if any.
pub fn used(wanted: &Proxy, url: &Url) -> Option<Intercept> {
    let to: Uri = url.as_str().parse().ok()?;
    match wanted {
        Proxy::Direct => None,
        Proxy::Environment if guard::is_loopback(url) => None,
        Proxy::Environment => Matcher::from_system().intercept(&to),
        Proxy::Url(given) => {
            let only = Matcher::builder().all(given.expose().as_str()).build();
            only.intercept(&to)
        }
    }
}
