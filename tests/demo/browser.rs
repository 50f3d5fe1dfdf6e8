//! The browser of the demo: a program that opens one page and goes where it is sent. Nobody sees anything, and no real
//! browser is started.

use anyhow::Context;

/// Opens `url`, follows redirects up to the bridge's own page, and ends.
#[tokio::main(flavor = "current_thread")]
pub async fn visit(url: &str) -> anyhow::Result<()> {
    // `reqwest` wants one although no page of the demo is https.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let browser = reqwest::Client::builder().no_proxy().build()?;
    let page = browser.get(url).send().await.context("open the page")?;
    page.error_for_status().context("read the page")?;
    Ok(())
}
