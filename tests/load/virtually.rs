//! What takes hours, or more bridges than a machine holds: tests of the library under a virtual clock, in a process of their own.

use std::process::Command;

use crate::options::Options;
use crate::table::Row;

/// A row for each.
pub fn run(options: &Options) -> Vec<Row> {
    // Of fewer, chance decides how many come at one moment.
    let bridges = options.pick(3000, 100_000);
    let many = format!("{bridges} bridges come back");
    vec![
        test("bridge::tests::herd", &many, bridges, options),
        test("bridge::tests::idle", "eight hours of idling", 1, options),
    ]
}

fn test(name: &str, what: &str, bridges: usize, options: &Options) -> Row {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["test", "--quiet", "--lib", "--", "--nocapture", name])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("MCP_TETHER_BRIDGES", bridges.to_string());
    if let Some(file) = &options.plot {
        cargo.env("MCP_TETHER_PLOT", file);
    }
    let ended = cargo.output().expect("run cargo");
    let said = String::from_utf8_lossy(&ended.stdout);
    // A filter that finds no test passes, too.
    let right = ended.status.success() && !said.contains(" 0 passed");
    let table = said.lines().filter(|line| !right || line.starts_with('|'));
    table.for_each(|line| println!("{line}"));
    if !right {
        eprintln!("{}", String::from_utf8_lossy(&ended.stderr));
    }
    Row {
        load: format!("{what}, virtual clock"),
        messages: 0,
        lost: 0,
        twice: 0,
        wrong: usize::from(!right),
        figures: "above".to_owned(),
    }
}
