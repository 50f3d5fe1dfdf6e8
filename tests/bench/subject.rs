//! Who is measured: the direct client, our bridge, any other bridge.

use std::time::{Duration, Instant};

use crate::options::Launch;
use crate::plan::Work;
use crate::scene::Scene;
use crate::{direct, through};

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
        match self {
            Self::Direct => direct::measure(work, scene, limit),
            Self::Ours(launch) => through::measure(&with_ca(launch, scene), work, scene, limit),
            Self::Bridge(launch) => through::measure(launch, work, scene, limit),
        }
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
