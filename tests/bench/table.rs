//! Prints the results, row by row as they come.

use std::time::Duration;

use crate::plan::{Goal, Measurement, Row, Unit};
use crate::scene::Scene;

/// Width of the column with the titles.
const TITLE: usize = 28;

/// Width of the direct client's column.
const DIRECT: usize = 13;

/// Width of a bridge's column: a value and its ratio.
const BRIDGE: usize = 24;

/// What one subject reached in one measurement.
#[derive(Clone, Default)]
pub struct Cell {
    /// For each round, one value for each row.
    pub rounds: Vec<Vec<f64>>,
    /// How long they took, starting and stopping included.
    pub spent: Duration,
    /// Why there are no more rounds.
    pub failure: Option<String>,
}

/// The table so far.
pub struct Table {
    names: Vec<String>,
    /// What went wrong, to be told at the end.
    notes: Vec<String>,
    /// Goals that ours met, and those that it has.
    met: (usize, usize),
    /// Whether ours failed at anything.
    failed: bool,
}

impl Table {
    /// Prints what is compared, and the titles. The direct client comes first, then ours.
    pub fn open(names: &[&str], scene: &Scene) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (version, os) = (env!("CARGO_PKG_VERSION"), std::env::consts::OS);
        println!(
            "mcp-tether {version} on {os}, {cores} cores; server on loopback, in a process of its own"
        );
        println!(
            "direct = a plain reqwest client doing the same work; for the start, {}",
            scene.empty_name
        );
        println!("            and for mixed pairs, mcp-tether with a server of the client's era");
        println!(
            "values are medians of all rounds; N x = median of the ratios to direct within each round"
        );
        let mut line = format!("\n{:TITLE$}", "");
        for (index, name) in names.iter().enumerate() {
            let width = if index == 0 { DIRECT } else { BRIDGE };
            line += &format!("{name:>width$}");
        }
        println!("{line}   goal of mcp-tether");
        Self {
            names: names.iter().map(|&n| n.to_owned()).collect(),
            notes: Vec::new(),
            met: (0, 0),
            failed: false,
        }
    }

    /// Prints the rows of one measurement.
    pub fn add(&mut self, measurement: &Measurement, cells: &[Cell]) {
        let [direct, bridges @ ..] = cells else {
            return;
        };
        for (index, row) in measurement.rows.iter().enumerate() {
            let value = shown(direct, index, row.unit);
            let mut line = format!("{:TITLE$}{value:>DIRECT$}", row.title);
            for bridge in bridges {
                let value = shown(bridge, index, row.unit);
                // Beside next to nothing a ratio says nothing.
                let ratio = ratio(bridge, direct, index).filter(|r| *r < 1000.0);
                let ratio = ratio.map(|r| format!("{:>9}", times(r)));
                let both = value + &ratio.unwrap_or_else(|| " ".repeat(9));
                line += &format!("{both:>BRIDGE$}");
            }
            let goal = bridges
                .first()
                .map(|ours| self.judge(row, index, ours, direct));
            println!("{line}   {}", goal.unwrap_or_default());
        }
        for (index, (name, cell)) in self.names.iter().zip(cells).enumerate() {
            if let Some(failure) = &cell.failure {
                self.failed |= index == 1;
                self.notes
                    .push(format!("{name} fails at {}: {failure}", measurement.name));
            }
        }
    }

    /// Prints the notes. False if ours failed at anything.
    pub fn close(self) -> bool {
        println!("\n{} of {} goals met", self.met.0, self.met.1);
        for note in &self.notes {
            println!("{note}");
        }
        !self.failed
    }

    /// The goal of a row, and whether ours met it.
    fn judge(&mut self, row: &Row, index: usize, ours: &Cell, direct: &Cell) -> String {
        let ratio = ratio(ours, direct, index);
        let (goal, met) = match row.goal {
            Goal::Open => return String::new(),
            Goal::AtMost(goal) => (format!("<= {goal} x"), ratio.map(|r| r <= goal)),
            Goal::AtLeast(goal) => (format!(">= {goal} x"), ratio.map(|r| r >= goal)),
            Goal::Megabytes(goal) => {
                let value = median(column(ours, index));
                (format!("<= {goal} MB"), value.map(|v| v <= goal * 1e6))
            }
        };
        let verdict = match met.filter(|_| ours.failure.is_none()) {
            Some(true) => "met",
            Some(false) => "MISSED",
            None if ours.failure.is_some() => "FAILS",
            None => return format!("{goal:<10} not measured here"),
        };
        self.met.0 += usize::from(verdict == "met");
        self.met.1 += 1;
        format!("{goal:<10} {verdict}")
    }
}

/// The values of one row over the rounds.
fn column(cell: &Cell, index: usize) -> impl Iterator<Item = f64> {
    cell.rounds
        .iter()
        .filter_map(move |r| r.get(index).copied())
}

/// The median of the ratios within each round. None for a subject that fails.
fn ratio(cell: &Cell, direct: &Cell, index: usize) -> Option<f64> {
    if cell.failure.is_some() {
        return None;
    }
    median(
        column(cell, index)
            .zip(column(direct, index))
            .map(|(a, b)| a / b),
    )
}

/// The value in the middle.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// A cell's value, `fails`, or a dash where there is none.
fn shown(cell: &Cell, index: usize, unit: Unit) -> String {
    if cell.failure.is_some() {
        return "fails".to_owned();
    }
    let Some(value) = median(column(cell, index)) else {
        return "-".to_owned();
    };
    match unit {
        Unit::Seconds if value < 0.001 => format!("{:.0} us", value * 1e6),
        Unit::Seconds => format!("{:.2} ms", value * 1e3),
        Unit::PerSecond => format!("{}/s", thousands(value)),
        Unit::Rate if value < 1e7 => format!("{:.1} MB/s", value / 1e6),
        Unit::Rate => format!("{:.0} MB/s", value / 1e6),
        Unit::Count => thousands(value),
        Unit::Bytes => format!("{:.1} MB", value / 1e6),
    }
}

/// A ratio with three digits or so.
fn times(ratio: f64) -> String {
    if ratio < 0.1 {
        format!("{ratio:.3} x")
    } else if ratio < 10.0 {
        format!("{ratio:.2} x")
    } else {
        format!("{ratio:.0} x")
    }
}

/// A number with separators.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
