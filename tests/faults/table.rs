//! What came of all cases, as a table in Markdown.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::case::{Fault, Setting};
use crate::lane::{By, Outcome, Wrong};

/// The figures of a row.
#[derive(Clone, Copy, Default)]
struct Row {
    tried: usize,
    by_server: usize,
    by_us: usize,
    again: usize,
    wrong: [usize; 4],
}

/// All rows so far.
#[derive(Default)]
pub struct Table {
    rows: BTreeMap<(Setting, Fault), Row>,
    failed: usize,
}

impl Table {
    /// Adds an outcome.
    pub fn add(&mut self, outcome: &Outcome) {
        let key = (outcome.case.setting, outcome.case.fault);
        let row = self.rows.entry(key).or_default();
        row.tried += 1;
        match outcome.by {
            By::Server => row.by_server += 1,
            By::Us => row.by_us += 1,
            By::Nobody => {}
        }
        row.again += usize::from(outcome.again > 0);
        for kind in [Wrong::Lost, Wrong::Hung, Wrong::Doubled, Wrong::Next] {
            let found = outcome.wrong.iter().any(|(own, _)| *own == kind);
            row.wrong[kind as usize] += usize::from(found);
        }
        self.failed += usize::from(!outcome.wrong.is_empty());
    }

    /// How many cases were tried, and how many of them failed.
    pub fn count(&self) -> (usize, usize) {
        let tried = self.rows.values().map(|row| row.tried).sum();
        (tried, self.failed)
    }

    /// The table: a line for each setting and fault, then one for all.
    pub fn show(&self) -> String {
        let mut text = "| transport | client | server | sign-in | fault | tried | answers by the server | errors by us | next call hit too \
                        | lost | hung | done twice | next call failed |\n"
            .to_owned();
        text += "|---|---|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|\n";
        let mut sum = Row::default();
        for ((setting, fault), row) in &self.rows {
            sum.add(row);
            let Setting {
                transport,
                client,
                server,
                access,
            } = setting;
            let names = [
                transport.name(),
                client.name(),
                server.name(),
                access.name(),
                fault.name(),
            ];
            let _ = writeln!(text, "| {} | {} |", names.join(" | "), row.cells());
        }
        let _ = writeln!(text, "| all | | | | | {} |", sum.cells());
        text
    }
}

impl Row {
    fn add(&mut self, other: &Self) {
        self.tried += other.tried;
        self.by_server += other.by_server;
        self.by_us += other.by_us;
        self.again += other.again;
        for (own, other) in self.wrong.iter_mut().zip(other.wrong) {
            *own += other;
        }
    }

    fn cells(&self) -> String {
        let first = [self.tried, self.by_server, self.by_us, self.again];
        let cells = first.iter().chain(&self.wrong).map(usize::to_string);
        cells.collect::<Vec<_>>().join(" | ")
    }
}
