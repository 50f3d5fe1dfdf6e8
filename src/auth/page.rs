//! The sign-in page on this machine: the browser that shows it, and the address that it ends at where the user pastes that.

use super::browser::{self, SafeUrl};
use super::loopback::{Response, parse_callback};
use super::options::Browser;
use super::sign_in::Procedure;
use crate::secret::Secret;

impl Procedure<'_> {
    /// Opens the browser once somebody has waited long enough; never returns.
    pub async fn show(&self, url: &SafeUrl) {
        if let Browser::Open(command) = &self.oauth.options.browser {
            let mut waiting = self.oauth.waiting.subscribe();
            tokio::time::sleep_until(self.opens).await;
            let wanted = waiting.wait_for(|count| *count > 0).await.is_ok();
            if wanted && let Err(wrong) = browser::open(url, command.as_deref()).await {
                tracing::warn!("{wrong}; open the address by hand");
            }
        }
        std::future::pending::<()>().await;
    }

    /// The answer of the authorization server, typed in by the user.
    pub async fn pasted(&self, state: &Secret) -> Response {
        let mut pasted = self.oauth.pasted.subscribe();
        while pasted.changed().await.is_ok() {
            let text = pasted.borrow_and_update().clone();
            let Some(text) = text else { continue };
            let query = text.expose().trim();
            let response = parse_callback(query.split_once('?').map_or(query, |(_, query)| query));
            if response.has_state(state) {
                return response;
            }
            tracing::warn!("that is not the address that this sign-in ends at");
        }
        std::future::pending().await
    }
}
