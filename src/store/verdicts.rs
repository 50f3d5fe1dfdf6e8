//! What servers turned out to speak, so that the next start does not have to find out again. Only what differs from the
//! usual is kept, so the usual case writes nothing. A file that cannot be read or written is no failure; it costs a request.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::file::replace_loosely;

/// How long a verdict counts; the server may move on.
const EXPIRY: Duration = Duration::from_secs(7 * 24 * 3600);

/// What a server turned out to speak.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// HTTP+SSE instead of Streamable HTTP.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sse: bool,
    /// Whether it speaks 2026-07-28, where its client does not or the reverse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modern: Option<bool>,
}

/// A verdict and when it was found, in seconds since 1970.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    #[serde(flatten)]
    verdict: Verdict,
    at: u64,
}

/// The verdicts, by URL without the values of its query.
type File = BTreeMap<String, Kept>;

/// The file that keeps them.
#[derive(Debug, Clone)]
pub struct Verdicts {
    path: PathBuf,
}

impl Verdicts {
    /// Verdicts in the folder `state`, which is made when there is something to keep.
    pub fn new(state: &std::path::Path) -> Self {
        Self {
            path: state.join("servers.json"),
        }
    }

    /// What `server`, its URL without the values of its query, was found to speak lately.
    pub fn of(&self, server: &str, now: SystemTime) -> Verdict {
        let found = self.read().remove(server);
        found
            .filter(|kept| !expired(kept.at, now))
            .map(|kept| kept.verdict)
            .unwrap_or_default()
    }

    /// Changes what is kept of `server`. The usual is not kept.
    pub fn change(&self, server: &str, now: SystemTime, change: impl FnOnce(&mut Verdict)) {
        let mut file = self.read();
        file.retain(|_, kept| !expired(kept.at, now));
        let before = file.remove(server).map(|kept| kept.verdict);
        let before = before.unwrap_or_default();
        let mut verdict = before.clone();
        change(&mut verdict);
        if verdict == before {
            return;
        }
        if verdict != Verdict::default() {
            let at = seconds(now);
            file.insert(server.to_owned(), Kept { verdict, at });
        }
        // It has nothing that JSON cannot say.
        let text = serde_json::to_vec(&file).unwrap_or_default();
        if let Err(wrong) = replace_loosely(&self.path, &text) {
            tracing::debug!("cannot keep what the server speaks: {wrong}");
        }
    }

    fn read(&self) -> File {
        let text = std::fs::read(&self.path).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }
}

fn seconds(now: SystemTime) -> u64 {
    now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The time may be any number: anybody can write to the file.
fn expired(at: u64, now: SystemTime) -> bool {
    seconds(now) >= at.saturating_add(EXPIRY.as_secs())
}

#[cfg(test)]
mod tests {
    use super::{EXPIRY, Verdict, Verdicts};
    use std::time::{Duration, SystemTime};

    #[test]
    fn a_verdict_is_kept_until_it_expires_or_is_taken_back() {
        let home = tempfile::tempdir().unwrap();
        let verdicts = Verdicts::new(&home.path().join("state"));
        let server = "https://example.com/sse?key=..";
        let now = SystemTime::now();
        assert_eq!(verdicts.of(server, now), Verdict::default());
        verdicts.change(server, now, |verdict| verdict.sse = false);
        assert!(!home.path().join("state").exists(), "the usual is not kept");
        verdicts.change(server, now, |verdict| verdict.sse = true);
        verdicts.change(server, now, |verdict| verdict.modern = Some(false));
        let both = Verdict {
            sse: true,
            modern: Some(false),
        };
        assert_eq!(verdicts.of(server, now), both);
        let later = now + EXPIRY + Duration::from_secs(1);
        assert_eq!(verdicts.of(server, later), Verdict::default());
        verdicts.change(server, now, |verdict| *verdict = Verdict::default());
        assert_eq!(verdicts.of(server, now), Verdict::default());
    }

    #[test]
    fn a_time_that_no_clock_shows_is_no_reason_to_end() {
        let home = tempfile::tempdir().unwrap();
        let verdicts = Verdicts::new(home.path());
        let text = format!(r#"{{"x":{{"sse":true,"at":{}}}}}"#, u64::MAX);
        std::fs::write(&verdicts.path, text).unwrap();
        assert!(verdicts.of("x", SystemTime::now()).sse);
    }
}
