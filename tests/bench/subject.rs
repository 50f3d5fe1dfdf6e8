//! Who is measured: the direct client, our bridge, any other bridge.

use std::time::{Duration, Instant};

use crate::instructions::{of_bridge, of_direct, take_apart};
use crate::options::Launch;
use crate::plan::{Era, Scheme, Work};
use crate::process::as_f64;
use crate::scene::Scene;
use crate::{direct, instructions, through};

/// Somebody who can do the work.
pub enum Subject {
    /// A plain HTTP client inside this process.
    Direct,
    /// Our release binary.
    Ours(Launch),
    /// A bridge given with `--against`.
    Bridge(Launch),
}

impl Subject {
    /// The binary that Cargo built for this run.
    pub fn ours() -> Self {
        let words = [env!("CARGO_BIN_EXE_mcp-tether"), "{url}"];
        Self::Ours(Launch {
            name: "mcp-tether".to_owned(),
            words: words.map(str::to_owned).to_vec(),
        })
    }

    /// The title of the column.
    pub fn name(&self) -> &str {
        match self {
            Self::Direct => "direct",
            Self::Ours(launch) | Self::Bridge(launch) => &launch.name,
        }
    }

    /// Does the work once. One value for each row, in its unit; none where there is nothing to
    /// compare or the platform does not tell.
    pub fn measure(&self, work: Work, scene: &Scene, limit: Duration) -> anyhow::Result<Vec<f64>> {
        match (self, work) {
            (Self::Direct, Work::Mixed(era)) => matched(era, scene, limit),
            (Self::Ours(launch), Work::Mixed(era)) => {
                through::pair(launch, era, other(era), scene, limit)
            }
            (Self::Direct, Work::Instructions) => {
                instructions::count(|load| of_direct(scene, load))
            }
            (Self::Direct, Work::Parts(unit)) => take_apart(|load| of_direct(scene, load), unit),
            (Self::Ours(launch), Work::Instructions) => {
                let run = |load| of_bridge(launch, scene, limit, load);
                let mut counts = instructions::count(run)?;
                counts.push(instructions::count_request(run)?);
                Ok(counts)
            }
            (Self::Ours(launch), Work::Parts(unit)) => {
                take_apart(|load| of_bridge(launch, scene, limit, load), unit)
            }
            (Self::Ours(launch), Work::Size) => size(launch),
            // These are compared with earlier ones of the same program.
            (_, Work::Instructions | Work::Parts(_) | Work::Size) => Ok(Vec::new()),
            // Nobody else translates.
            (Self::Bridge(_), Work::Mixed(_)) => Ok(Vec::new()),
            _ => self.measure_alike(work, scene, limit),
        }
    }

    /// Does work that everybody does.
    fn measure_alike(
        &self,
        work: Work,
        scene: &Scene,
        limit: Duration,
    ) -> anyhow::Result<Vec<f64>> {
        match self {
            Self::Direct => direct::measure(work, scene, limit),
            Self::Ours(launch) if matches!(work, Work::RoundTrip(Scheme::Https)) => {
                through::measure(&with_ca(launch, scene), work, scene, limit)
            }
            Self::Ours(launch) | Self::Bridge(launch) => {
                through::measure(launch, work, scene, limit)
            }
        }
    }
}

/// The size of the program's file, in bytes.
fn size(launch: &Launch) -> anyhow::Result<Vec<f64>> {
    let program = launch.words.first().map(std::fs::metadata);
    program
        .map(|file| Ok(as_f64(file?.len())))
        .into_iter()
        .collect()
}

/// A client of this era, through our bridge, to a server of the same.
fn matched(era: Era, scene: &Scene, limit: Duration) -> anyhow::Result<Vec<f64>> {
    let Subject::Ours(launch) = Subject::ours() else {
        return Ok(Vec::new());
    };
    through::pair(&launch, era, own(era), scene, limit)
}

/// Where the server speaks this.
fn own(era: Era) -> Scheme {
    match era {
        Era::Legacy => Scheme::Http,
        Era::Modern => Scheme::Modern,
    }
}

/// Where it speaks the other one.
fn other(era: Era) -> Scheme {
    match era {
        Era::Legacy => Scheme::Modern,
        Era::Modern => Scheme::Http,
    }
}

/// Our bridge is told about the private CA by its flag, others by the environment.
fn with_ca(launch: &Launch, scene: &Scene) -> Launch {
    let mut launch = launch.clone();
    launch.words.push("--ca-file".to_owned());
    launch.words.push(scene.ca_file().display().to_string());
    launch
}

/// How long small calls are repeated.
pub fn span(scene: &Scene) -> Duration {
    Duration::from_millis(if scene.quick { 300 } else { 1000 })
}

/// How many notifications the stream carries.
pub const EVENTS: usize = 200_000;

/// Calls before the clock starts.
pub const WARM_UP: usize = 200;

/// How many calls are in flight at a time.
pub const IN_FLIGHT: usize = 64;

/// Repeats a call for so long and gives its median and 99th percentile, in seconds.
pub fn percentiles(
    span: Duration,
    mut call: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Vec<f64>> {
    for _ in 0..WARM_UP {
        call()?;
    }
    let mut times = Vec::new();
    let started = Instant::now();
    while started.elapsed() < span {
        let before = Instant::now();
        call()?;
        times.push(before.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times.get(times.len() * percent / 100).copied();
    Ok(at(50).into_iter().chain(at(99)).collect())
}

/// So much in the time since then, in each second.
pub fn per_second(amount: usize, since: Instant) -> f64 {
    amount as f64 / since.elapsed().as_secs_f64()
}
