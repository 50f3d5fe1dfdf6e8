//! Which servers turned out to speak HTTP+SSE, so that the next start does not have to find out again. Only that verdict
//! is kept: the usual case writes nothing. A file that cannot be read or written is no failure; it costs one request.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;

/// How long a verdict counts; the server may move on.
const EXPIRY: Duration = Duration::from_secs(7 * 24 * 3600);

/// The verdicts, by URL without the values of its query: seconds since 1970.
type File = BTreeMap<String, u64>;

/// The file that keeps them.
#[derive(Debug, Clone)]
pub struct Verdicts {
    path: PathBuf,
}

impl Verdicts {
    /// Verdicts in the folder `state`, which is made when there is something to keep.
    pub fn new(state: &std::path::Path) -> Self {
        Self {
            path: state.join("http-sse-servers.json"),
        }
    }

    /// Whether `server`, its URL without the values of its query, was found to speak HTTP+SSE lately.
    pub fn is_sse(&self, server: &str, now: SystemTime) -> bool {
        let found = self.read().get(server).copied();
        found.is_some_and(|at| !expired(at, now))
    }

    /// Keeps that `server` speaks HTTP+SSE, or forgets it.
    pub fn set_sse(&self, server: &str, sse: bool, now: SystemTime) {
        let mut file = self.read();
        file.retain(|_, at| !expired(*at, now));
        let key = server.to_owned();
        let changed = if sse {
            file.insert(key, seconds(now)).is_none()
        } else {
            file.remove(&key).is_some()
        };
        if !changed {
            return;
        }
        if let Err(wrong) = self.write(&file) {
            tracing::debug!("cannot keep what the server speaks: {wrong:#}");
        }
    }

    fn read(&self) -> File {
        let text = std::fs::read(&self.path).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    fn write(&self, file: &File) -> anyhow::Result<()> {
        let folder = self.path.parent().context("name the state folder")?;
        std::fs::create_dir_all(folder).context("make the state folder")?;
        let mut temporary =
            tempfile::NamedTempFile::new_in(folder).context("write to the state folder")?;
        temporary.write_all(&serde_json::to_vec(file)?)?;
        temporary.persist(&self.path).context("replace the file")?;
        Ok(())
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
    use super::{EXPIRY, Verdicts};
    use std::time::{Duration, SystemTime};

    #[test]
    fn a_verdict_is_kept_until_it_expires_or_is_taken_back() {
        let home = tempfile::tempdir().unwrap();
        let verdicts = Verdicts::new(&home.path().join("state"));
        let server = "https://example.com/sse?key=..";
        let now = SystemTime::now();
        assert!(!verdicts.is_sse(server, now));
        assert!(!home.path().join("state").exists(), "asking writes nothing");
        verdicts.set_sse(server, true, now);
        assert!(verdicts.is_sse(server, now));
        assert!(!verdicts.is_sse(server, now + EXPIRY + Duration::from_secs(1)));
        verdicts.set_sse(server, false, now);
        assert!(!verdicts.is_sse(server, now));
    }

    #[test]
    fn a_time_that_no_clock_shows_is_no_reason_to_end() {
        let home = tempfile::tempdir().unwrap();
        let verdicts = Verdicts::new(home.path());
        std::fs::write(&verdicts.path, format!(r#"{{"x":{}}}"#, u64::MAX)).unwrap();
        assert!(verdicts.is_sse("x", SystemTime::now()));
    }
}
