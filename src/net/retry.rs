//! Waits and repeats: growing, capped, jittered waits; `Retry-After`; which requests only read.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::RETRY_AFTER;

/// The longest wait before a reconnect that a server may ask for.
pub const MAX_RECONNECT_WAIT: Duration = Duration::from_secs(60);

/// The wait that a server asks for before a reconnect, within bounds that harm neither side.
pub fn reconnect_wait(asked: Duration) -> Duration {
    asked.clamp(Duration::from_millis(10), MAX_RECONNECT_WAIT)
}

/// A stream that lived this long served well.
const LASTING: Duration = Duration::from_secs(5);

/// A server that restarts ends the streams of all its clients at one moment. They come back within this time, not at one.
const APART: Duration = Duration::from_secs(2);

/// Waits that double up to a cap. Jitter takes up to half off, so that many copies do not return as one.
#[derive(Debug, Clone)]
pub struct Backoff {
    next: Duration,
    first: Duration,
    cap: Duration,
}

impl Backoff {
    /// Starts at `first` and never waits longer than `cap`.
    pub const fn new(first: Duration, cap: Duration) -> Self {
        Self {
            next: first,
            first,
            cap,
        }
    }

    /// The next wait; `random` is evenly spread over 0..1.
    pub fn wait(&mut self, random: f64) -> Duration {
        let wait = self.next.min(self.cap);
        self.next = wait.saturating_mul(2).min(self.cap);
        wait.mul_f64(1.0 - random.clamp(0.0, 1.0) / 2.0)
    }

    /// The wait before a stream is opened again that lived for so long: one that served well soon, and not with all others.
    pub fn after(&mut self, lived: Duration, random: f64) -> Duration {
        if lived < LASTING {
            return self.wait(random);
        }
        self.reset();
        APART.mul_f64(random.clamp(0.0, 1.0))
    }

    /// Starts over, after a success.
    pub const fn reset(&mut self) {
        self.next = self.first;
    }
}

/// The wait of a `Retry-After` header, in seconds or as a date (RFC 9110 §10.2.3), counted from `now`.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// Whether a request of this method only reads, so that doing it twice does no harm.
pub fn reads(method: &str) -> bool {
    matches!(
        method,
        "prompts/get"
            | "tasks/get"
            | "server/discover"
            | "ping"
            | "completion/complete"
            | "subscriptions/listen"
            | "logging/setLevel"
            | "resources/subscribe"
            | "resources/unsubscribe"
    ) || method.ends_with("/list")
        || method.ends_with("/read")
}

#[cfg(test)]
mod tests {
    use super::{Backoff, reads, retry_after};
    use http::{HeaderMap, HeaderValue, header::RETRY_AFTER};
    use proptest::prelude::*;
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        let table = [
            ("2", Some(2)),
            ("0", Some(0)),
            ("Sun, 06 Nov 1994 08:49:40 GMT", Some(3)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ];
        for (text, seconds) in table {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            assert_eq!(
                retry_after(&headers, now),
                seconds.map(Duration::from_secs),
                "{text}"
            );
        }
        assert_eq!(retry_after(&HeaderMap::new(), SystemTime::now()), None);
    }

    #[test]
    fn only_reads_may_be_done_twice() {
        for method in [
            "tools/list",
            "resources/read",
            "resources/templates/list",
            "ping",
            "tasks/get",
        ] {
            assert!(reads(method), "{method}");
        }
        for method in [
            "tools/call",
            "initialize",
            "tasks/cancel",
            "x/listen",
            "sampling/createMessage",
        ] {
            assert!(!reads(method), "{method}");
        }
    }

    #[test]
    fn a_stream_that_served_well_is_opened_soon_and_not_by_all_at_once() {
        let second = Duration::from_secs(1);
        let mut backoff = Backoff::new(second, second * 30);
        assert_eq!(backoff.after(second * 4, 0.0), second);
        assert_eq!(backoff.after(second * 4, 0.0), second * 2);
        for (random, wait) in [(0.0, 0), (0.5, 1000), (1.0, 2000)] {
            assert_eq!(
                backoff.after(second * 5, random),
                Duration::from_millis(wait)
            );
        }
        assert_eq!(backoff.wait(0.0), second, "it begins anew");
    }

    proptest! {
        #[test]
        fn waits_grow_and_stay_under_the_cap(randoms in proptest::collection::vec(0.0..1.0f64, 1..200)) {
            let (first, cap) = (Duration::from_millis(250), Duration::from_secs(30));
            let mut backoff = Backoff::new(first, cap);
            let mut full = first;
            for random in randoms {
                let wait = backoff.wait(random);
                prop_assert!(wait <= full && wait >= full.mul_f64(0.499));
                full = (full * 2).min(cap);
            }
            backoff.reset();
            prop_assert_eq!(backoff.wait(0.0), first);
        }
    }
}
