//! What a user's browser does with an address: plain GETs that follow redirects, each by hand, up to the page that stays.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;

use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use url::Url;

use super::DEADLINE;

/// The most redirects of one visit.
const MOST: usize = 5;

/// The page that a visit ended at.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its address.
    pub url: String,
    /// Its status.
    pub status: u16,
    /// Its headers, by name in lower case.
    pub headers: BTreeMap<String, String>,
    /// Its body.
    pub text: String,
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start: String = self.text.chars().take(200).collect();
        write!(f, "{} {} {start}", self.status, self.url)
    }
}

/// One request and its answer, whatever that is. `None` when the connection was refused or broke.
pub fn request(method: &str, url: &str, headers: &[(&str, &str)]) -> Option<Page> {
    block_on(send(method, url, headers, String::new()))
}

/// Posts a body of that media type. Panics when nobody answers.
pub fn post(url: &str, media_type: &str, body: String) -> Page {
    let headers = [("content-type", media_type)];
    let page = block_on(send("POST", url, &headers, body));
    page.unwrap_or_else(|| panic!("nobody answers at {url}"))
}

/// Opens an address and follows it to the page that stays. Panics when there is none.
pub fn follow(url: &str) -> Page {
    block_on(async {
        let mut next = url.to_owned();
        for _ in 0..=MOST {
            let page = send("GET", &next, &[], String::new()).await;
            let page = page.unwrap_or_else(|| panic!("nobody answers at {next}"));
            match page.headers.get("location") {
                Some(location) if page.status / 100 == 3 => {
                    let base = Url::parse(&next).expect("a URL");
                    next = base.join(location).expect("a location").to_string();
                }
                _ => return page,
            }
        }
        panic!("redirected without end: {url}");
    })
}

/// Where an address redirects to, without going there.
pub fn location(url: &str) -> String {
    let page = request("GET", url, &[]).expect("an answer");
    page.headers
        .get("location")
        .cloned()
        .unwrap_or_else(|| panic!("no redirect: {page}"))
}

/// A parameter of an address.
pub fn parameter(url: &str, name: &str) -> Option<String> {
    let url = Url::parse(url).expect("a URL");
    let mut pairs = url.query_pairs();
    pairs
        .find(|(own, _)| own == name)
        .map(|(_, value)| value.into_owned())
}

async fn send(method: &str, url: &str, headers: &[(&str, &str)], body: String) -> Option<Page> {
    // A client without a provider does not start, TLS or not.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .timeout(DEADLINE);
    let client = client.build().expect("a client");
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let mut asked = client.request(method, url);
    for (name, value) in headers {
        asked = asked.header(*name, *value);
    }
    if !body.is_empty() {
        asked = asked.body(body);
    }
    let answer = asked.send().await.ok()?;
    let of = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    };
    Some(Page {
        url: url.to_owned(),
        status: answer.status().as_u16(),
        headers: answer.headers().iter().map(of).collect(),
        text: answer.text().await.ok()?,
    })
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(future)
}
