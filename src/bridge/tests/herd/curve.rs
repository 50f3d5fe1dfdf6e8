//! How many bridges came back when: as a row of a table, and as a picture.

use std::fmt::Write;
use std::time::Duration;

use super::STEP;

/// The arrivals after one outage.
pub(super) struct Curve {
    pub transport: &'static str,
    pub outage: Duration,
    /// Bridges that came back, for each step after the start.
    pub arrivals: Vec<usize>,
    /// Attempts while the server was away.
    pub knocks: usize,
}

impl Curve {
    /// What stands in a row.
    pub const TITLES: &'static str = "\
| transport | server away | bridges | attempts meanwhile | first back | half back | all back | most in 100 ms |\n\
|---|---|---|---|---|---|---|---|";

    /// The most that came within one step.
    pub fn peak(&self) -> usize {
        self.arrivals.iter().copied().max().unwrap_or_default()
    }

    /// The end of the step by which all were back.
    pub fn last(&self) -> Duration {
        STEP * u32::try_from(self.arrivals.len()).unwrap()
    }

    /// The end of the step by which so many were back, in seconds.
    fn back(&self, wanted: usize) -> f64 {
        let mut sum = 0;
        let reached = self.arrivals.iter().position(|count| {
            sum += count;
            sum >= wanted
        });
        (reached.unwrap_or_default() + 1) as f64 * STEP.as_secs_f64()
    }

    /// A row of a table.
    pub fn row(&self) -> String {
        let count: usize = self.arrivals.iter().sum();
        format!(
            "| {} | {} s | {count} | {} | {:.1} s | {:.1} s | {:.1} s | {} |",
            self.transport,
            self.outage.as_secs(),
            self.knocks,
            self.back(1),
            self.back(count / 2),
            self.back(count),
            self.peak(),
        )
    }
}

/// The size of one diagram, and of the space around it.
const WIDTH: usize = 420;
const HEIGHT: usize = 110;
const SPACE: usize = 50;

/// One diagram for each outage, as SVG: a column for each step.
pub(super) fn picture(curves: &[Curve], count: usize) -> String {
    let full = curves.len() * (HEIGHT + SPACE);
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {full}" font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>"##,
        WIDTH + 2 * SPACE
    );
    for (index, curve) in curves.iter().enumerate() {
        let (top, peak) = (index * (HEIGHT + SPACE) + 30, curve.peak().max(1));
        let bottom = top + HEIGHT;
        let wide = WIDTH as f64 / curve.arrivals.len().max(1) as f64;
        write!(
            svg,
            r##"<text x="{SPACE}" y="{}">{}, server away for {} s: {count} bridges, at most {peak} in 100 ms</text><path d="M{SPACE} {bottom}H{}" stroke="#888"/><text x="{SPACE}" y="{}">0 s</text><text x="{}" y="{}" text-anchor="end">{:.1} s</text><path fill="#36c" d=""##,
            top - 8,
            curve.transport,
            curve.outage.as_secs(),
            SPACE + WIDTH,
            bottom + 13,
            SPACE + WIDTH,
            bottom + 13,
            curve.back(count),
        )
        .unwrap();
        for (step, arrivals) in curve.arrivals.iter().enumerate() {
            let tall = (arrivals * HEIGHT) as f64 / peak as f64;
            let left = SPACE as f64 + wide * step as f64;
            write!(svg, "M{left:.1} {bottom}v-{tall:.1}h{wide:.1}v{tall:.1}").unwrap();
        }
        svg.push_str(r#""/>"#);
    }
    svg + "</svg>\n"
}
