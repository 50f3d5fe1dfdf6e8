//! The cookies of the remote server's origin, which no other sees.

use http::HeaderValue;
use reqwest::cookie::{CookieStore, Jar};
use url::Url;

use super::guard;

/// Cookies for one origin: what another host sets or would get is left out.
#[derive(Debug)]
pub(super) struct OriginJar {
    pub origin: Url,
    pub jar: Jar,
}

impl CookieStore for OriginJar {
    fn set_cookies(&self, headers: &mut dyn Iterator<Item = &HeaderValue>, url: &Url) {
        if guard::same_origin(&self.origin, url) {
            self.jar.set_cookies(headers, url);
        }
    }

    fn cookies(&self, url: &Url) -> Option<HeaderValue> {
        guard::same_origin(&self.origin, url).then(|| self.jar.cookies(url))?
    }
}
