//! The user at the page of an authorization server: the browser is opened once somebody has waited long enough, and the answer
//! comes back through the listener, or is pasted.

use url::Url;

use super::browser::{self, SafeUrl};
use super::loopback::{Callback, Listener, Response, parse_callback};
use super::options::Browser;
use super::prompt::Prompt;
use super::sign_in::Procedure;
use super::user::SignIn;
use crate::error::Failure;
use crate::secret::Secret;

impl Procedure<'_> {
    /// Shows the user `url` and waits for the answer that carries `state`; with it comes the request of the browser, if it was one.
    pub async fn visit(
        &self,
        listener: &mut Listener,
        state: &Secret,
        url: &Url,
    ) -> Result<(Response, Option<Callback>), Failure> {
        let url = SafeUrl::new(url.as_str()).map_err(|wrong| Failure::Credentials {
            what: wrong.to_string(),
            hint: "tell the server's owner; the address is not opened",
        })?;
        let prompt = Prompt::from(url.clone());
        self.turn.open(&prompt);
        self.oauth.status.send_replace(SignIn::Started(prompt));
        tokio::select! {
            callback = listener.callback(state) => Ok((callback.response().clone(), Some(callback))),
            response = self.pasted(state) => Ok((response, None)),
            () = self.show(&url) => Err(Failure::Closed),
        }
    }

    /// Opens the browser once somebody has waited long enough; never returns.
    async fn show(&self, url: &SafeUrl) {
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
    async fn pasted(&self, state: &Secret) -> Response {
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
