//! The time that a server takes, without the time that the user takes.

use std::time::Duration;

use super::pump::Shared;
use crate::auth::Oauth;

/// Waits until nothing came for that long, during which the user had nothing to do; gives the limit. Without a limit it never
/// returns.
pub async fn silent_for(
    limit: Option<Duration>,
    oauth: Option<&Oauth>,
    shared: &Shared,
) -> Duration {
    let Some(limit) = limit else {
        return std::future::pending().await;
    };
    let mut asked = shared.asked();
    let mut sign_in = oauth.map(Oauth::status);
    loop {
        // Whoever is asked may take their time.
        let _ = asked.wait_for(|count| *count == 0).await;
        if let Some(sign_in) = &mut sign_in {
            let _ = sign_in.wait_for(|status| !status.is_running()).await;
        }
        let signs_in = async {
            let changed = match &mut sign_in {
                Some(sign_in) => sign_in.changed().await.is_ok(),
                None => false,
            };
            if !changed {
                std::future::pending::<()>().await;
            }
        };
        let is_asked = async {
            if asked.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = tokio::time::sleep(limit) => return limit,
            () = signs_in => {}
            () = is_asked => {}
        }
    }
}
