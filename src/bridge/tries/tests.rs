use std::time::Duration;

use tokio::time::Instant;

use super::Tries;
use crate::error::{Failure, Refusal};

fn status(status: u16, retry_after: Option<u64>) -> Failure {
    Failure::Status(Box::new(Refusal {
        status,
        retry_after: retry_after.map(Duration::from_secs),
        excerpt: None,
        message: None,
        location: None,
        authorization_given: false,
    }))
}

fn unreachable() -> Failure {
    Failure::Unreachable {
        what: "cannot reach it".to_owned(),
        hint: "try",
    }
}

/// The waits, in milliseconds, before the request is given up.
fn waits(method: &str, failure: &Failure) -> Vec<u128> {
    let mut now = Instant::now();
    let mut tries = Tries::new(method, now, Duration::from_secs(8));
    std::iter::from_fn(|| {
        let wait = tries.again(failure, now, 0.0)?;
        now += wait;
        Some(wait.as_millis())
    })
    .collect()
}

#[test]
fn what_the_server_has_not_acted_on_is_sent_three_times() {
    assert_eq!(waits("tools/call", &unreachable()), [250, 500]);
    assert_eq!(waits("tools/call", &status(429, Some(2))), [2000, 2000]);
    assert_eq!(waits("tools/call", &status(429, None)), [250, 500]);
}

#[test]
fn waiting_is_bounded_by_30_seconds() {
    assert_eq!(waits("tools/call", &status(429, Some(20))), [20_000]);
    assert_eq!(waits("tools/call", &status(429, Some(31))), [0; 0]);
}

#[test]
fn only_reads_are_sent_again_after_bytes_left() {
    let lost = Failure::Lost("cut".to_owned());
    assert_eq!(waits("tools/call", &lost), [0; 0]);
    assert_eq!(waits("tools/list", &lost), [250, 500]);
    assert_eq!(waits("tools/call", &status(503, Some(1))), [0; 0]);
    assert_eq!(waits("resources/read", &status(503, Some(1))), [1000, 1000]);
    assert_eq!(waits("resources/read", &status(503, None)), [0; 0]);
    assert_eq!(waits("tools/list", &status(500, None)), [0; 0]);
}

#[test]
fn a_handshake_waits_for_the_server_to_come_up() {
    let waits = waits("initialize", &unreachable());
    let total: u128 = waits.iter().sum();
    assert!(waits.iter().all(|wait| *wait <= 1000), "{waits:?}");
    assert!((7000..8000).contains(&total), "{waits:?}");
}
