//! For tests in virtual time: a wall clock that goes with tokio's and can jump, as it does when a machine sleeps, and a token
//! endpoint without a network. Both are those of the thread that asked for them.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use ::http::StatusCode;
use reqwest::RequestBuilder;
use serde_json::json;
use tokio::time::Instant;

use super::http::Answer;
use super::oauth::{self, Oauth};
use crate::secret::Secret;
use crate::store::{Client, Key, Record, Tokens};

const ISSUER: &str = "http://127.0.0.1:1";

type Endpoint = Box<dyn Fn(&str) -> String>;

thread_local! {
    static NOW: RefCell<Option<(Instant, Duration, Endpoint)>> = const { RefCell::new(None) };
}

/// Holds the clock and the endpoint in place.
pub struct Stage;

impl Stage {
    /// From now on it is some day in virtual time, and `endpoint` answers the forms that are posted for tokens.
    pub fn new(endpoint: impl Fn(&str) -> String + 'static) -> Self {
        let day = Duration::from_secs(1_800_000_000);
        NOW.set(Some((Instant::now(), day, Box::new(endpoint))));
        Self
    }

    /// The machine sleeps: only the wall clock goes on.
    pub fn sleep(&self, length: Duration) {
        NOW.with_borrow_mut(|stage| stage.as_mut().unwrap().1 += length);
    }

    /// The time on the wall, in seconds since 1970.
    pub fn now() -> u64 {
        now().unwrap()
    }

    /// Keeps the tokens `access-0` and `refresh-0` as those of a sign-in.
    pub async fn signed_in(&self, oauth: &Arc<Oauth>, lifetime: u64) {
        let mut record = Record::new(Key {
            issuer: ISSUER.to_owned(),
            client_id: "c".to_owned(),
            resource: oauth.options.server.to_string(),
            profile: "default".to_owned(),
            grant: None,
        });
        let mut tokens = Tokens::new(
            Secret::new("access-0".to_owned()),
            "Bearer".to_owned(),
            oauth::now(),
        );
        tokens.refresh = Some(Secret::new("refresh-0".to_owned()));
        tokens.expires_at = Some(oauth::now() + lifetime);
        record.tokens = Some(tokens);
        record.client = Some(Client::public("c".to_owned(), ISSUER.to_owned()));
        record.servers.insert(oauth.vault.server().to_owned());
        record.server_metadata = Some(json!({
            "issuer": ISSUER,
            "authorization_endpoint": format!("{ISSUER}/authorize"),
            "token_endpoint": format!("{ISSUER}/token"),
            "code_challenge_methods_supported": ["S256"],
        }));
        oauth.vault.save(&record).await;
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        NOW.set(None);
    }
}

/// The time on the wall, where a test has set it.
pub(super) fn now() -> Option<u64> {
    NOW.with_borrow(|stage| {
        let (begun, day, _) = stage.as_ref()?;
        Some((*day + begun.elapsed()).as_secs())
    })
}

/// The answer to a request, where a test gives it.
pub(super) fn answer(request: &RequestBuilder) -> Option<Answer> {
    NOW.with_borrow(|stage| {
        let (_, _, endpoint) = stage.as_ref()?;
        let request = request.try_clone()?.build().ok()?;
        let form = String::from_utf8_lossy(request.body()?.as_bytes()?).into_owned();
        Some(Answer {
            status: StatusCode::OK,
            media_type: "application/json".to_owned(),
            body: endpoint(&form).into(),
        })
    })
}
