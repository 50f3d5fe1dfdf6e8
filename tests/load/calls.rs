//! Many requests in flight over one bridge: the server answers none before it has them all.

use std::collections::HashMap;
use std::time::Instant;

use crate::bridge::Bridge;
use crate::far::{Far, WIRES, Wire};
use crate::options::Options;
use crate::support::mcp::said;
use crate::support::rpc;
use crate::table::Row;
use crate::wait_for;

/// Requests in flight.
const CALLS: usize = 1000;

/// One row for each transport.
pub fn run(options: &Options) -> Vec<Row> {
    let rounds = options.pick(8, 20);
    let row = |wire: &Wire| wait_for(in_flight(*wire, rounds));
    WIRES.iter().map(row).collect()
}

async fn in_flight(wire: Wire, rounds: usize) -> Row {
    let far = Far::new(wire).await;
    let mut bridge = Bridge::start(&far.args());
    bridge.hello().await;
    let idle = bridge.memory();
    let mut half = None;
    let mut due = HashMap::new();
    let mut row = Row {
        load: format!("{CALLS} calls in flight, {wire:?}"),
        messages: CALLS * rounds,
        lost: 0,
        twice: 0,
        wrong: 0,
        figures: String::new(),
    };
    let started = Instant::now();
    for round in 1..=rounds {
        far.hold(CALLS * round);
        for id in CALLS * round..CALLS * (round + 1) {
            let (id, text) = (id.to_string(), format!("call-{id}"));
            let arguments = format!(r#"{{"text":"{text}"}}"#);
            bridge.send(&rpc::call(&id, "echo", &arguments)).await;
            due.insert(rpc::result(&id, &said(&text)), 0);
        }
        bridge.flush().await;
        for _ in 0..CALLS {
            match due.get_mut(&bridge.line().await) {
                Some(count) => *count += 1,
                None => row.wrong += 1,
            }
        }
        if round == rounds / 2 {
            half = bridge.memory();
        }
    }
    let took = started.elapsed().as_secs_f64() / rounds as f64;
    let after = bridge.memory();
    bridge.finish().await;
    row.lost = due.values().filter(|count| **count == 0).count();
    row.twice = due.values().filter(|count| **count > 1).count();
    let megabytes = |kib: Option<u64>| kib.unwrap_or_default() as f64 / 1024.0;
    row.figures = format!(
        "{took:.2} s for {CALLS}; {:.1} MB idle, {:.1} MB after half, {:.1} MB after all",
        megabytes(idle),
        megabytes(half),
        megabytes(after)
    );
    // What leaks grows each time; what so many took once stays for the next.
    row.wrong += usize::from(after > half.map(|half| half + half / 10));
    row
}
