//! Many notifications, to the client and to the server: none is lost or comes twice, their order is kept, and memory stays as it is.

use std::time::{Duration, Instant};

use crate::bridge::Bridge;
use crate::far::{Far, WIRES, Wire};
use crate::options::Options;
use crate::support::rpc;
use crate::table::Row;
use crate::wait_for;

/// How many a second are offered.
const RATE: usize = 10_000;

/// They go for so long before anything is measured, so that memory is where it will be.
const WARM_UP: Duration = Duration::from_secs(3);

/// What leaks grows each time; a full queue does only once.
const ROUNDS: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Way {
    ToClient,
    ToServer,
}

/// A row for each transport and way. Over Streamable HTTP notifications go the same way whatever form answers have.
pub fn run(options: &Options) -> Vec<Row> {
    let seconds = options.pick(3, 60);
    let wires = WIRES.iter().filter(|wire| **wire != Wire::Stream);
    let both = wires.flat_map(|wire| [(*wire, Way::ToClient), (*wire, Way::ToServer)]);
    both.map(|(wire, way)| wait_for(flood(wire, way, Duration::from_secs(seconds))))
        .collect()
}

/// A bridge, a server, and the numbers of what was sent and came.
struct Line {
    far: Far,
    bridge: Bridge,
    way: Way,
    sent: usize,
    row: Row,
}

async fn flood(wire: Wire, way: Way, length: Duration) -> Row {
    let far = Far::new(wire).await;
    let mut bridge = Bridge::start(&far.args());
    bridge.hello().await;
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
        row: Row {
            load: format!("notifications over {what}"),
            messages: 0,
            lost: 0,
            twice: 0,
            wrong: 0,
            figures: String::new(),
        },
    };
    line.send(WARM_UP).await;
    for round in 1..=ROUNDS {
        let before = line.bridge.memory();
        let (started, sent) = (Instant::now(), line.sent);
        line.send(length).await;
        let rate = (line.sent - sent) as f64 / started.elapsed().as_secs_f64();
        let (Some(before), Some(after)) = (before, line.bridge.memory()) else {
            break;
        };
        line.row.figures = format!(
            "{rate:.0} a second; {:.1} MB before, {:.1} MB after",
            before as f64 / 1024.0,
            after as f64 / 1024.0
        );
        if after * 10 <= before * 11 {
            break;
        }
        line.row.wrong += usize::from(round == ROUNDS);
    }
    line.row.messages = line.sent;
    line.bridge.finish().await;
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
    /// Sends at the rate for so long, as far as the other end keeps up, and waits until all have arrived.
    async fn send(&mut self, length: Duration) {
        let pace = Pace {
            started: Instant::now(),
            length,
            count: 0,
        };
        let first = self.sent;
        let came = match self.way {
            Way::ToServer => self.up(pace).await,
            Way::ToClient => self.down(pace).await,
        };
        let mut sorted = came.clone();
        sorted.sort_unstable();
        sorted.dedup();
        let sent = self.sent - first;
        self.row.lost += sent - sorted.len().min(sent);
        self.row.twice += came.len() - sorted.len();
        // The only right order is theirs.
        self.row.wrong += usize::from(!came.iter().copied().eq(first..self.sent));
    }

    async fn up(&mut self, mut pace: Pace) -> Vec<usize> {
        while let Some(batch) = pace.next().await {
            for number in self.sent..self.sent + batch {
                let params = format!(r#"{{"progressToken":"load","progress":{number}}}"#);
                let note = rpc::notification("notifications/progress", &params);
                self.bridge.send(&note).await;
            }
            self.bridge.flush().await;
            self.sent += batch;
        }
        self.far.until_noted(self.sent).await;
        self.far.take_numbers()
    }

    async fn down(&mut self, mut pace: Pace) -> Vec<usize> {
        let listener = self.far.listener().await;
        let first = self.sent;
        let sender = tokio::spawn(async move {
            let mut next = first;
            while let Some(batch) = pace.next().await {
                for number in next..next + batch {
                    listener.send(note(number)).await.expect("it listens");
                }
                next += batch;
            }
            // What comes last is known by its number.
            listener.send(note(usize::MAX)).await.expect("it listens");
            next
        });
        let mut came = Vec::new();
        loop {
            let line = self.bridge.line().await;
            let number = line
                .rsplit_once(':')
                .map(|(_, rest)| rest.trim_end_matches('}'));
            let number = number.and_then(|number| number.parse().ok());
            match number.filter(|number| line == note(*number)) {
                Some(usize::MAX) => break,
                Some(number) => came.push(number),
                None => self.row.wrong += 1,
            }
        }
        self.sent = sender.await.expect("it sends to the end");
        came
    }
}

/// A notification to the client.
fn note(number: usize) -> String {
    rpc::notification(
        "notifications/message",
        &format!(r#"{{"level":"info","data":{number}}}"#),
    )
}
