//! Instructions, counted by valgrind. Unlike times they hardly differ between machines, so that a cost which comes back
//! shows on any of them.

use std::time::Duration;

use anyhow::Context;

use crate::bridge::Bridge;
use crate::options::Launch;
use crate::plan::{Form, Scheme};
use crate::process::as_f64;
use crate::scene::Scene;
use crate::{payload, through};

/// Calls, and notifications of a stream, that are counted.
const MANY: usize = 10_000;

/// MiB of the large messages.
const LARGE: usize = 8;

/// Counts the start with the handshake and a first call; then a further call, a notification of a stream, and a KiB of a
/// large answer and of a large request, each as the difference of two runs.
pub fn count(launch: &Launch, scene: &Scene, limit: Duration) -> anyhow::Result<Vec<f64>> {
    let run = |work: &dyn Fn(&mut Bridge) -> anyhow::Result<()>| run(launch, scene, limit, work);
    let calls = |count| move |bridge: &mut Bridge| (0..count).try_for_each(|_| bridge.echo());
    let stream = |events| move |bridge: &mut Bridge| through::stream(bridge, events).map(drop);
    let start = run(&|_| Ok(()))?;
    // The first of its kind also fills buffers.
    let (one, many) = (run(&calls(1))?, run(&calls(1 + MANY))?);
    let (first, all) = (run(&stream(1))?, run(&stream(1 + MANY))?);
    let answer = run(&|bridge| through::answer(bridge, LARGE, Form::Json).map(drop))?;
    let request = run(&|bridge| through::request(bridge, LARGE).map(drop))?;
    let each = |more, less, amount| (more - less) / amount;
    let (amount, kib) = (MANY as f64, payload::text_len(LARGE) as f64 / 1024.0);
    Ok(vec![
        start,
        each(many, one, amount),
        each(all, first, amount),
        each(answer, start, kib),
        each(request, start, kib),
    ])
}

/// The instructions of a bridge from its start to its end.
fn run(
    launch: &Launch,
    scene: &Scene,
    limit: Duration,
    work: &dyn Fn(&mut Bridge) -> anyhow::Result<()>,
) -> anyhow::Result<f64> {
    let valgrind = [
        "valgrind",
        "--tool=callgrind",
        "--callgrind-out-file=/dev/null",
    ];
    let words = valgrind.iter().map(|&word| word.to_owned());
    let counted = Launch {
        name: launch.name.clone(),
        words: words.chain(launch.words.iter().cloned()).collect(),
    };
    let mut bridge = Bridge::ready(&counted, scene, Scheme::Http, limit)?;
    work(&mut bridge).map_err(|error| bridge.explain(error))?;
    let log = bridge.finish()?;
    let count = log.lines().find_map(|line| line.split_once("Collected : "));
    let (_, count) = count.context("valgrind counted nothing")?;
    count.trim().parse().map(as_f64).context("read the count")
}
