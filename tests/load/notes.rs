//! Many notifications, to the client and to the server: none is lost or comes twice, their order is kept, and memory stays as it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::bridge::Bridge;
use crate::far::{Far, WIRES, Wire};
use crate::options::Options;
use crate::support::mcp::said;
use crate::support::rpc;
use crate::table::Row;
use crate::wait_for;

/// How many a second are offered.
const RATE: usize = 10_000;

/// What leaks grows each time; a full queue does only once.
const ROUNDS: usize = 3;

/// What was taken has arrived by then, however slow a build is: the queues are bounded.
const DRAINED: Duration = Duration::from_secs(600);

#[derive(Clone, Copy, Debug)]
enum Way {
    ToClient,
    ToServer,
}

/// For how long they are offered.
#[derive(Clone, Copy)]
struct Lengths {
    /// Before anything is measured, so that memory is where it will be.
    warm_up: Duration,
    round: Duration,
}

/// A row for each transport and way. Over Streamable HTTP notifications go the same way whatever form answers have.
pub fn run(options: &Options) -> Vec<Row> {
    let lengths = Lengths {
        warm_up: Duration::from_millis(options.pick(300, 3000)),
        round: Duration::from_millis(options.pick(1000, 60_000)),
    };
    let wires = WIRES.iter().filter(|wire| **wire != Wire::Stream);
    let both = wires.flat_map(|wire| [(*wire, Way::ToClient), (*wire, Way::ToServer)]);
    both.map(|(wire, way)| wait_for(flood(wire, way, lengths)))
        .collect()
}

/// A bridge, a server, and the numbers of what was sent and came.
struct Line {
    far: Far,
    bridge: Bridge,
    way: Way,
    sent: usize,
    arrived: usize,
    row: Row,
}

async fn flood(wire: Wire, way: Way, lengths: Lengths) -> Row {
    let far = Far::new(wire).await;
    let mut bridge = Bridge::start(&far.args());
    bridge.hello().await;
    // What comes before the handshake is through waits in another queue.
    bridge.say(&rpc::call("1", "echo", r#"{"text":""}"#)).await;
    assert_eq!(bridge.line().await, rpc::result("1", &said("")));
    let what = match (wire, way) {
        (Wire::Json, Way::ToClient) => "Streamable HTTP, to the client".to_owned(),
        (Wire::Json, Way::ToServer) => "Streamable HTTP, to the server".to_owned(),
        (wire, way) => format!("{wire:?}, {}", way.name()),
    };
    let mut line = Line {
        far,
        bridge,
        way,
        sent: 0,
        arrived: 0,
        row: Row {
            load: format!("notifications over {what}"),
            messages: 0,
            lost: 0,
            twice: 0,
            wrong: 0,
            figures: String::new(),
        },
    };
    let all_came = line.send(lengths.warm_up).await && line.rounds(lengths.round).await;
    line.row.messages = line.sent;
    if all_came {
        line.bridge.finish().await;
    } else {
        let (sent, arrived) = (line.sent, line.arrived);
        line.row.figures = format!("it stopped: {sent} sent, {arrived} arrived");
        let stderr = line.bridge.stderr();
        stderr
            .lines()
            .take(5)
            .for_each(|said| eprintln!("load: it said {said}"));
    }
    line.row
}

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Self::ToClient => "to the client",
            Self::ToServer => "to the server",
        }
    }
}

/// A steady stream.
struct Pace {
    started: Instant,
    length: Duration,
    count: usize,
}

impl Pace {
    /// Waits until it is time for some more, and gives how many; `None` when it is over.
    async fn next(&mut self) -> Option<usize> {
        let due = Duration::from_secs_f64(self.count as f64 / RATE as f64);
        tokio::time::sleep_until((self.started + due).into()).await;
        self.count += RATE / 100;
        (self.started.elapsed() < self.length).then_some(RATE / 100)
    }
}

impl Line {
    /// Sends until memory stays as it is, or has grown each time; whether all came.
    async fn rounds(&mut self, length: Duration) -> bool {
        for round in 1..=ROUNDS {
            let before = self.bridge.memory();
            let (started, sent) = (Instant::now(), self.sent);
            if !self.send(length).await {
                return false;
            }
            let rate = (self.sent - sent) as f64 / started.elapsed().as_secs_f64();
            self.row.figures = format!("{rate:.0} a second");
            let (Some(before), Some(after)) = (before, self.bridge.memory()) else {
                return true;
            };
            self.row.figures += &format!(
                "; {:.1} MB before, {:.1} MB after, round {round}",
                before as f64 / 1024.0,
                after as f64 / 1024.0
            );
            if after * 10 <= before * 11 {
                return true;
            }
        }
        self.row.wrong += 1;
        true
    }

    /// Sends at the rate for so long, as far as the other end keeps up, and waits until all have arrived; whether they did.
    async fn send(&mut self, length: Duration) -> bool {
        let pace = Pace {
            started: Instant::now(),
            length,
            count: 0,
        };
        let first = self.sent;
        let bound = length + DRAINED;
        let came = match self.way {
            Way::ToServer => {
                // Who stops is found out by what is there.
                let _ = timeout(bound, self.up(pace)).await;
                self.far.take_numbers()
            }
            Way::ToClient => {
                let mut came = Vec::new();
                let sent = AtomicUsize::new(self.sent);
                let sent = Arc::new(sent);
                let _ = timeout(bound, self.down(pace, &sent, &mut came)).await;
                self.sent = sent.load(Ordering::SeqCst);
                came
            }
        };
        let mut sorted = came.clone();
        sorted.sort_unstable();
        sorted.dedup();
        let sent = self.sent - first;
        self.arrived += came.len();
        self.row.lost += sent - sorted.len().min(sent);
        self.row.twice += came.len() - sorted.len();
        // The only right order is theirs.
        self.row.wrong += usize::from(!came.iter().copied().eq(first..self.sent));
        sorted.len() == sent
    }

    /// To the server; it ends early when the bridge no longer takes any, or none arrives.
    async fn up(&mut self, mut pace: Pace) {
        while let Some(batch) = pace.next().await {
            let notes = (self.sent..self.sent + batch).map(|number| {
                let params = format!(r#"{{"progressToken":"load","progress":{number}}}"#);
                rpc::notification("notifications/progress", &params) + "\n"
            });
            let notes: String = notes.collect();
            if self.bridge.offer(&notes).await.is_none() {
                return;
            }
            self.sent += batch;
        }
        self.far.until_noted(self.sent).await;
    }

    /// To the client; it ends early when none comes.
    async fn down(&mut self, mut pace: Pace, sent: &Arc<AtomicUsize>, came: &mut Vec<usize>) {
        let listener = self.far.listener().await;
        let counts = Arc::clone(sent);
        // It ends with this.
        let mut sender = JoinSet::new();
        sender.spawn(async move {
            while let Some(batch) = pace.next().await {
                for _ in 0..batch {
                    let number = counts.load(Ordering::SeqCst);
                    listener.send(note(number)).await.expect("it listens");
                    counts.store(number + 1, Ordering::SeqCst);
                }
            }
            // What comes last is known by its number.
            listener.send(note(usize::MAX)).await.expect("it listens");
        });
        while let Some(line) = self.bridge.next_line().await {
            let number = line
                .rsplit_once(':')
                .map(|(_, rest)| rest.trim_end_matches('}'));
            let number = number.and_then(|number| number.parse().ok());
            match number.filter(|number| line == note(*number)) {
                Some(usize::MAX) => return,
                Some(number) => came.push(number),
                None => self.row.wrong += 1,
            }
        }
    }
}

/// A notification to the client.
fn note(number: usize) -> String {
    rpc::notification(
        "notifications/message",
        &format!(r#"{{"level":"info","data":{number}}}"#),
    )
}
