//! What is measured, in which order, and the goal for each row.

use std::time::Duration;

use crate::options::Options;
use crate::{instructions, parts};
use Goal::{AtLeast, AtMost, Megabytes, Open};
use Unit::{PerSecond, Rate, Seconds};

/// One kind of work that a bridge and the direct client both do.
#[derive(Clone, Copy)]
pub enum Work {
    /// From the start of the process to the answer to `initialize`.
    Start,
    /// Small calls one after the other.
    RoundTrip(Scheme),
    /// The same between a client and a server of different eras, beside a pair that matches.
    Mixed(Era),
    /// Processor time for a small call.
    Cpu,
    /// 64 small calls in flight at any time.
    InFlight,
    /// One call answered by very many notifications.
    Stream,
    /// One large answer, in MiB.
    Answer(usize, Form),
    /// One large request, in MiB.
    Request(usize),
    /// Memory after the handshake.
    Idle,
    /// Peak memory of a process that passed one answer of 32 MiB.
    Peak(Form),
    /// Instructions, as valgrind counts them.
    Instructions,
    /// The same of one of these, by the parts of the program.
    Parts(instructions::Unit),
    /// The size of the program.
    Size,
}

/// What a client speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// 2025-11-25.
    Legacy,
    /// 2026-07-28.
    Modern,
}

/// How the client reaches the server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP/1.1.
    Http,
    /// The same, where the server speaks 2026-07-28.
    Modern,
    /// TLS with a private CA, HTTP/2 where the client offers it.
    Https,
}

/// How the server sends a large answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As a JSON body with its length.
    Json,
    /// As a single event of an event stream.
    Event,
}

/// How a value is written.
#[derive(Clone, Copy)]
pub enum Unit {
    /// Seconds, shown as milli- or microseconds.
    Seconds,
    /// Something each second.
    PerSecond,
    /// Bytes each second.
    Rate,
    /// Bytes.
    Bytes,
    /// A plain count.
    Count,
}

/// What a row has to reach.
#[derive(Clone, Copy)]
pub enum Goal {
    /// Nothing.
    Open,
    /// At most so many times the direct client's value.
    AtMost(f64),
    /// At least so many times the direct client's value.
    AtLeast(f64),
    /// At most so many MB.
    Megabytes(f64),
}

/// One row of the table.
pub struct Row {
    /// Its title.
    pub title: String,
    /// How its values are written.
    pub unit: Unit,
    /// What ours has to reach.
    pub goal: Goal,
}

/// Some work, and the rows that its values fill.
pub struct Measurement {
    /// The name that `--only` takes.
    pub name: &'static str,
    /// What is done.
    pub work: Work,
    /// The rows, in the order of the values.
    pub rows: Vec<Row>,
    /// How often everybody does it.
    rounds: u32,
    /// When a subject is taken to hang.
    pub limit: Duration,
}

impl Measurement {
    /// Adds a row.
    fn row(mut self, title: &str, unit: Unit, goal: Goal) -> Self {
        let title = title.to_owned();
        self.rows.push(Row { title, unit, goal });
        self
    }

    /// How often everybody does it.
    pub fn rounds(&self, quick: bool) -> u32 {
        if quick {
            self.rounds.div_ceil(3)
        } else {
            self.rounds
        }
    }
}

/// The measurements that the options ask for.
pub fn plan(options: &Options) -> Vec<Measurement> {
    let mut plan = all();
    if options.only.is_empty() {
        let asked = |name| name != INSTRUCTIONS && name != PARTS;
        plan.retain(|m| asked(m.name) && (options.large || m.name != GROWTH));
    } else {
        plan.retain(|m| options.only.iter().any(|o| o == m.name));
    }
    plan
}

/// The names that `--only` takes.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = all().iter().map(|m| m.name).collect();
    names.dedup();
    names
}

/// The name of the rows that only `--large` adds.
const GROWTH: &str = "growth";

/// The name of the rows that need valgrind, and to be asked for.
const INSTRUCTIONS: &str = "instructions";

/// The name of the rows that also need to know the source of each instruction.
const PARTS: &str = "parts";

/// Every measurement there is.
fn all() -> Vec<Measurement> {
    let parts = [
        small_calls(),
        large_messages(),
        memory(),
        growth(),
        instructions(),
    ];
    parts.into_iter().flatten().collect()
}

/// What matters most of the time.
fn small_calls() -> Vec<Measurement> {
    vec![
        of("start", Work::Start, 25).row("start to initialize answer", Seconds, AtMost(5.0)),
        of("sequential", Work::RoundTrip(Scheme::Http), 7)
            .row("round trip, p50", Seconds, AtMost(3.0))
            .row("round trip, p99", Seconds, Open),
        of("https", Work::RoundTrip(Scheme::Https), 5)
            .row("over https, p50", Seconds, Open)
            .row("over https, p99", Seconds, Open),
        of("mixed", Work::Mixed(Era::Legacy), 5)
            .row("old client, new server, p50", Seconds, AtMost(1.5))
            .row("old client, new server, p99", Seconds, Open),
        of("mixed", Work::Mixed(Era::Modern), 5)
            .row("new client, old server, p50", Seconds, AtMost(1.5))
            .row("new client, old server, p99", Seconds, Open),
        of("cpu", Work::Cpu, 3).row("processor time for each call", Seconds, Open),
        of("inflight", Work::InFlight, 7).row("64 in flight, calls", PerSecond, AtLeast(0.5)),
    ]
}

/// Much data, in many messages or in one.
fn large_messages() -> Vec<Measurement> {
    let answer = |form| Work::Answer(32, form);
    vec![
        of("stream", Work::Stream, 7)
            .row("one stream, events", PerSecond, Open)
            .row("one stream, bytes", Rate, AtLeast(0.2)),
        of("answer", answer(Form::Json), 7).row("32 MiB answer, JSON", Rate, AtLeast(0.6)),
        of("event", answer(Form::Event), 7).row("32 MiB answer, one event", Rate, AtLeast(0.6)),
        of("request", Work::Request(32), 7).row("32 MiB request", Rate, AtLeast(0.4)),
    ]
}

/// What a host pays for each server in its config.
fn memory() -> Vec<Measurement> {
    let peak = |name, form, title, goal| {
        of(name, Work::Peak(form), 3).row(title, Unit::Bytes, Megabytes(goal))
    };
    vec![
        of("idle", Work::Idle, 3).row("memory, idle", Unit::Bytes, Megabytes(8.0)),
        peak("peak", Form::Json, "memory, peak, 32 MiB JSON", 110.0),
        peak(
            "peak-event",
            Form::Event,
            "memory, peak, 32 MiB event",
            180.0,
        ),
        of("size", Work::Size, 1).row("the program's file", Unit::Bytes, Megabytes(8.0)),
    ]
}

/// Larger and larger answers: a linear cost keeps the rate.
fn growth() -> Vec<Measurement> {
    let mut growth = Vec::new();
    for (form, word) in [(Form::Json, "JSON"), (Form::Event, "one event")] {
        for mib in [64, 128, 256] {
            let title = format!("{mib} MiB answer, {word}");
            growth.push(of(GROWTH, Work::Answer(mib, form), 3).row(&title, Rate, Open));
        }
    }
    growth
}

/// What no noise of a machine touches.
fn instructions() -> Vec<Measurement> {
    let by_part = |unit, name: &str| {
        let measurement = of(PARTS, Work::Parts(unit), 1);
        let titles = parts::titles().map(|part| format!("{name}: {part}"));
        titles.fold(measurement, |all, title| all.row(&title, Unit::Count, Open))
    };
    vec![
        of(INSTRUCTIONS, Work::Instructions, 1)
            .row("instructions: first call", Unit::Count, Open)
            .row("a call", Unit::Count, Open)
            .row("a notification", Unit::Count, Open)
            .row("a KiB of an answer", Unit::Count, Open)
            .row("a KiB of a request", Unit::Count, Open),
        by_part(instructions::Unit::Call, "call"),
        by_part(instructions::Unit::Notification, "event"),
    ]
}

/// A measurement without rows yet.
fn of(name: &'static str, work: Work, rounds: u32) -> Measurement {
    Measurement {
        name,
        work,
        rows: Vec::new(),
        rounds,
        limit: Duration::from_secs(if name == GROWTH { 180 } else { 60 }),
    }
}
