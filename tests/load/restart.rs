//! A server that restarts under many bridges: each works again.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::sync::watch;

use crate::HANG;
use crate::bridge::Bridge;
use crate::options::Options;
use crate::support::gate::lock;
use crate::support::http::Response;
use crate::support::mcp::{Legacy, LegacyPlan};
use crate::support::rpc;
use crate::support::server::Peer;
use crate::table::{Row, spread};
use crate::wait_for;

/// One row.
pub fn run(options: &Options) -> Vec<Row> {
    let server = LegacyPlan::default().listens().serve();
    let count = options.pick(40, 200);
    vec![wait_for(under(&server, count))]
}

/// When handshakes were finished.
#[derive(Default)]
struct Handshakes {
    at: Mutex<Vec<Instant>>,
    count: watch::Sender<usize>,
}

impl Handshakes {
    async fn reach(&self, wanted: usize) {
        let mut count = self.count.subscribe();
        let reached = tokio::time::timeout(HANG, count.wait_for(|count| *count >= wanted)).await;
        reached.expect("all come").expect("a sender lives");
    }
}

async fn under(server: &Legacy, count: usize) -> Row {
    let handshakes = Arc::new(Handshakes::default());
    let seen = Arc::clone(&handshakes);
    server.on("notifications/initialized", move |call| {
        lock(&seen.at).push(call.request.at);
        seen.count.send_modify(|count| *count += 1);
        async { Response::accepted() }
    });
    let started = Instant::now();
    let starts = (0..count).map(|_| async {
        let begun = Instant::now();
        let mut bridge = Bridge::start(&[server.url()]);
        bridge.hello().await;
        (bridge, begun.elapsed())
    });
    let (mut bridges, start_up): (Vec<_>, Vec<_>) = join_all(starts).await.into_iter().unzip();
    handshakes.reach(count).await;
    let all_up = started.elapsed();
    // One that never listened has lost nothing that it would miss.
    server.listening(count);
    server.server.stop();
    server.forget_sessions();
    let back = Instant::now();
    server.server.start();
    handshakes.reach(2 * count).await;
    let after = lock(&handshakes.at)[count..].to_vec();
    let after: Vec<Duration> = after.iter().map(|at| at.duration_since(back)).collect();
    let calls = bridges.iter_mut().map(|bridge| async {
        bridge.say(&rpc::call("1", "add", r#"{"a":1,"b":2}"#)).await;
        let wanted = rpc::result("1", r#"{"content":[{"type":"text","text":"3"}]}"#);
        bridge.line().await == wanted
    });
    let right = join_all(calls).await.iter().filter(|right| **right).count();
    join_all(bridges.into_iter().map(Bridge::finish)).await;
    Row {
        load: format!("a restart under {count} bridges"),
        messages: count,
        lost: count - right,
        twice: 0,
        // Nobody had to come back twice.
        wrong: lock(&handshakes.at).len() - 2 * count,
        figures: format!(
            "all up in {:.1} s; first, half, last: start-up {}, back {}; at most {} within 100 ms",
            all_up.as_secs_f64(),
            spread(start_up),
            spread(after.clone()),
            crowd(&after)
        ),
    }
}

/// The most that came within a tenth of a second.
fn crowd(times: &[Duration]) -> usize {
    let near = |first: &Duration| {
        let within =
            |time: &&Duration| **time >= *first && **time < *first + Duration::from_millis(100);
        times.iter().filter(within).count()
    };
    times.iter().map(near).max().unwrap_or_default()
}
