//! The work, done through a bridge.

use std::time::{Duration, Instant};

use anyhow::{bail, ensure};

use crate::bridge::{Bridge, check_length, check_received};
use crate::lines::id_in;
use crate::options::Launch;
use crate::plan::{Era, Form, Scheme, Work};
use crate::scene::Scene;
use crate::subject::{EVENTS, IN_FLIGHT, WARM_UP, per_second, percentiles, span};
use crate::{payload, process};

/// How long a bridge is left alone before its idle memory is read.
const SETTLE: Duration = Duration::from_millis(500);

/// Does the work once, with a bridge of its own.
pub fn measure(
    launch: &Launch,
    work: Work,
    scene: &Scene,
    limit: Duration,
) -> anyhow::Result<Vec<f64>> {
    if let Work::Start = work {
        return start(launch, scene, limit);
    }
    let scheme = match work {
        Work::RoundTrip(scheme) => scheme,
        _ => Scheme::Http,
    };
    let mut bridge = Bridge::ready(launch, scene, scheme, limit)?;
    let values = match work {
        Work::Start | Work::Mixed(_) | Work::Instructions | Work::Parts(_) | Work::Size => {
            Ok(Vec::new())
        }
        Work::RoundTrip(_) => percentiles(span(scene), || bridge.echo()),
        Work::Cpu => cpu(&mut bridge, span(scene)),
        Work::InFlight => in_flight(&mut bridge, span(scene)),
        Work::Stream => stream(&mut bridge, EVENTS),
        Work::Answer(mib, form) => answer(&mut bridge, mib, form),
        Work::Request(mib) => request(&mut bridge, mib),
        Work::Idle => idle(&bridge),
        Work::Peak(form) => peak(&mut bridge, form),
    };
    values.map_err(|error| bridge.explain(error))
}

/// Small calls of a client of this era, one after the other, to a server of whatever era.
pub fn pair(
    launch: &Launch,
    client: Era,
    server: Scheme,
    scene: &Scene,
    limit: Duration,
) -> anyhow::Result<Vec<f64>> {
    let mut bridge = match client {
        Era::Legacy => Bridge::ready(launch, scene, server, limit)?,
        Era::Modern => Bridge::ready_modern(launch, scene, server, limit)?,
    };
    let values = percentiles(span(scene), || bridge.echo());
    values.map_err(|error| bridge.explain(error))
}

/// From the start of the process to the answer to `initialize`.
fn start(launch: &Launch, scene: &Scene, limit: Duration) -> anyhow::Result<Vec<f64>> {
    let started = Instant::now();
    let mut bridge = Bridge::start(launch, scene, Scheme::Http, limit)?;
    let done = bridge.initialize();
    let taken = started.elapsed().as_secs_f64();
    match done {
        Ok(()) => Ok(vec![taken]),
        Err(error) => Err(bridge.explain(error)),
    }
}

/// Processor time for a small call, of the bridge and what it started.
fn cpu(bridge: &mut Bridge, span: Duration) -> anyhow::Result<Vec<f64>> {
    for _ in 0..WARM_UP {
        bridge.echo()?;
    }
    let Some(before) = process::cpu_seconds(bridge.pid()) else {
        return Ok(Vec::new());
    };
    let (mut calls, started) = (0, Instant::now());
    while started.elapsed() < span * 2 {
        bridge.echo()?;
        calls += 1;
    }
    let after = process::cpu_seconds(bridge.pid()).unwrap_or(before);
    Ok(vec![(after - before) / f64::from(calls)])
}

/// Keeps calls in flight for a while: each answer is followed by a new request.
fn in_flight(bridge: &mut Bridge, span: Duration) -> anyhow::Result<Vec<f64>> {
    let first = bridge.next_id();
    let mut answered: Vec<bool> = Vec::new();
    let mut open = 0_usize;
    let mut due = IN_FLIGHT;
    let (mut out, mut wrong) = (Vec::new(), 0);
    let started = Instant::now();
    while open > 0 || due > 0 {
        out.clear();
        for _ in 0..due {
            let id = first + answered.len() as u64;
            answered.push(false);
            out.extend_from_slice(payload::echo(id).as_bytes());
            out.push(b'\n');
        }
        open += due;
        due = 0;
        if !out.is_empty() {
            bridge.write(&out)?;
        }
        bridge.lines.batch(|line| {
            let slot = id_in(line).and_then(|id| usize::try_from(id.checked_sub(first)?).ok());
            let slot = slot.and_then(|s| answered.get_mut(s)).filter(|a| !**a);
            match slot {
                Some(slot) => *slot = true,
                None => wrong += 1,
            }
            open = open.saturating_sub(1);
            due += 1;
        })?;
        if started.elapsed() >= span {
            due = 0;
        }
    }
    ensure!(wrong == 0, "{wrong} answers that nobody waited for");
    Ok(vec![per_second(answered.len(), started)])
}

/// Reads one stream of so many notifications and counts what comes out.
pub fn stream(bridge: &mut Bridge, count: usize) -> anyhow::Result<Vec<f64>> {
    let id = bridge.next_id();
    let bytes = payload::stream_len(count);
    let started = Instant::now();
    bridge.send(payload::stream(id, count).into_bytes())?;
    let (mut events, mut done) = (0, false);
    while !done {
        bridge.lines.batch(|line| {
            let progress = memchr::memmem::find(line, b"notifications/progress").is_some();
            events += usize::from(progress);
            done |= !progress && id_in(line) == Some(id);
        })?;
    }
    let values = vec![per_second(count, started), per_second(bytes, started)];
    if events != count {
        bail!("{events} of {count} events came through");
    }
    Ok(values)
}

/// One large answer.
pub fn answer(bridge: &mut Bridge, mib: usize, form: Form) -> anyhow::Result<Vec<f64>> {
    let id = bridge.next_id();
    let call = payload::big(id, mib, form == Form::Event);
    let started = Instant::now();
    let line = bridge.ask(id, call.into_bytes())?;
    let value = per_second(payload::text_len(mib), started);
    check_length(line.len, payload::text_len(mib))?;
    Ok(vec![value])
}

/// One large request.
pub fn request(bridge: &mut Bridge, mib: usize) -> anyhow::Result<Vec<f64>> {
    let id = bridge.next_id();
    let call = payload::sink(id, mib);
    let started = Instant::now();
    let line = bridge.ask(id, call)?;
    let value = per_second(payload::text_len(mib), started);
    check_received(&line.head, payload::text_len(mib))?;
    Ok(vec![value])
}

/// Memory of a bridge that has nothing to do.
fn idle(bridge: &Bridge) -> anyhow::Result<Vec<f64>> {
    std::thread::sleep(SETTLE);
    Ok(process::resident(bridge.pid()).into_iter().collect())
}

/// The most memory that one large answer ever took.
fn peak(bridge: &mut Bridge, form: Form) -> anyhow::Result<Vec<f64>> {
    answer(bridge, 32, form)?;
    Ok(process::peak_resident(bridge.pid()).into_iter().collect())
}
