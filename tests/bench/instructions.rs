//! Instructions, counted by valgrind. Unlike times they hardly differ between machines, so that a cost which comes back
//! shows on any of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::bridge::Bridge;
use crate::options::Launch;
use crate::plan::{Form, Scheme};
use crate::process::as_f64;
use crate::scene::Scene;
use crate::{direct, parts, payload, through};

/// Calls, and notifications of a stream, that are counted.
const MANY: usize = 10_000;

/// MiB of the large messages.
const LARGE: usize = 8;

/// What is done after the handshake and a first call.
#[derive(Clone, Copy)]
pub enum Load {
    /// Nothing.
    Nothing,
    /// So many small calls.
    Calls(usize),
    /// A stream of so many notifications.
    Stream(usize),
    /// A large answer, of so many MiB.
    Answer(usize),
    /// A large request, of so many MiB.
    Request(usize),
}

/// What is taken apart.
#[derive(Clone, Copy)]
pub enum Unit {
    /// A small call.
    Call,
    /// A notification of a stream.
    Notification,
}

/// What valgrind counted from a program's start to its end.
pub struct Count {
    total: f64,
    /// By part, where the program says which source it is made of.
    parts: Option<Vec<f64>>,
}

/// Counts the start with the handshake and a first call; then a further call, a notification of a stream, and a KiB of a
/// large answer, each as the difference of two runs.
pub fn count(run: impl Fn(Load) -> anyhow::Result<Count>) -> anyhow::Result<Vec<f64>> {
    let start = run(Load::Nothing)?.total;
    Ok(vec![
        start,
        each(&run, loads(Unit::Call), MANY as f64)?,
        each(&run, loads(Unit::Notification), MANY as f64)?,
        each(&run, [Load::Nothing, Load::Answer(LARGE)], kib())?,
    ])
}

/// Counts a KiB of a large request, which the direct client has to make first.
pub fn count_request(run: impl Fn(Load) -> anyhow::Result<Count>) -> anyhow::Result<f64> {
    each(&run, [Load::Nothing, Load::Request(LARGE)], kib())
}

/// The difference of two runs, for each of so many.
fn each(
    run: &impl Fn(Load) -> anyhow::Result<Count>,
    [less, more]: [Load; 2],
    amount: f64,
) -> anyhow::Result<f64> {
    Ok((run(more)?.total - run(less)?.total) / amount)
}

/// KiB of the large messages.
fn kib() -> f64 {
    as_f64(payload::text_len(LARGE) as u64) / 1024.0
}

/// Counts a further one, by the parts of the program.
pub fn take_apart(
    run: impl Fn(Load) -> anyhow::Result<Count>,
    unit: Unit,
) -> anyhow::Result<Vec<f64>> {
    let counted = |load| {
        let parts = run(load)?.parts;
        parts.context(
            "build with CARGO_PROFILE_BENCH_DEBUG=line-tables-only CARGO_PROFILE_BENCH_STRIP=none",
        )
    };
    let [less, more] = loads(unit).map(counted);
    let both = more?.into_iter().zip(less?);
    Ok(both
        .map(|(more, less)| (more - less) / MANY as f64)
        .collect())
}

/// The difference of these two is so many of them; the first of its kind also fills buffers.
const fn loads(unit: Unit) -> [Load; 2] {
    match unit {
        Unit::Call => [Load::Calls(1), Load::Calls(1 + MANY)],
        Unit::Notification => [Load::Stream(1), Load::Stream(1 + MANY)],
    }
}

/// Counts a bridge.
pub fn of_bridge(
    launch: &Launch,
    scene: &Scene,
    limit: Duration,
    load: Load,
) -> anyhow::Result<Count> {
    let mut words = valgrind(scene);
    words.extend(launch.words.iter().cloned());
    let counted = Launch {
        name: launch.name.clone(),
        words,
    };
    let mut bridge = Bridge::ready(&counted, scene, Scheme::Http, limit)?;
    let done = match load {
        Load::Nothing => Ok(()),
        Load::Calls(calls) => (0..calls).try_for_each(|_| bridge.echo()),
        Load::Stream(events) => through::stream(&mut bridge, events).map(drop),
        Load::Answer(mib) => through::answer(&mut bridge, mib, Form::Json).map(drop),
        Load::Request(mib) => through::request(&mut bridge, mib).map(drop),
    };
    done.map_err(|error| bridge.explain(error))?;
    bridge.finish()?;
    read(scene)
}

/// Counts the direct client, in a process of its own.
pub fn of_direct(scene: &Scene, load: Load) -> anyhow::Result<Count> {
    let (name, amount) = match load {
        Load::Nothing => ("nothing", 0),
        Load::Calls(calls) => ("calls", calls),
        Load::Stream(events) => ("stream", events),
        Load::Answer(mib) => ("answer", mib),
        Load::Request(_) => anyhow::bail!("the direct client makes no large request"),
    };
    let mut words = valgrind(scene).into_iter();
    let mut command = Command::new(words.next().context("an empty command")?);
    command.args(words).arg(std::env::current_exe()?);
    command
        .arg("--direct")
        .arg(format!("{name} {amount} {}", scene.url(Scheme::Http)));
    let status = command
        .stderr(Stdio::null())
        .status()
        .context("run valgrind")?;
    ensure!(status.success(), "the direct client failed");
    read(scene)
}

/// Does what [`of_direct`] counts: `NAME AMOUNT URL`.
pub fn direct(words: &str) -> anyhow::Result<()> {
    let words: Vec<&str> = words.split(' ').collect();
    let [name, amount, url] = *words else {
        anyhow::bail!("--direct takes 'NAME AMOUNT URL'");
    };
    let amount = amount.parse().context("read the amount")?;
    let load = match name {
        "nothing" => Load::Nothing,
        "calls" => Load::Calls(amount),
        "stream" => Load::Stream(amount),
        "answer" => Load::Answer(amount),
        _ => anyhow::bail!("no load {name}"),
    };
    direct::work(load, url)
}

/// The command that counts what follows it.
fn valgrind(scene: &Scene) -> Vec<String> {
    let file = format!("--callgrind-out-file={}", written(scene.folder()).display());
    vec!["valgrind".to_owned(), "--tool=callgrind".to_owned(), file]
}

/// Where the counts are written.
fn written(folder: &Path) -> PathBuf {
    folder.join("callgrind.out")
}

/// Reads the counts.
fn read(scene: &Scene) -> anyhow::Result<Count> {
    let written = fs::read_to_string(written(scene.folder())).context("read valgrind's counts")?;
    let total = written
        .lines()
        .find_map(|line| line.strip_prefix("summary: "));
    let total = total.context("valgrind counted nothing")?.trim().parse();
    Ok(Count {
        total: total.map(as_f64).context("read the count")?,
        parts: parts::sums(&written),
    })
}
