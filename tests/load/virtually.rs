//! What takes hours, or more bridges than a machine holds: tests of the library under a virtual clock, in a process of their own.

use std::process::Command;

use crate::options::Options;
use crate::table::Row;

/// A row for each.
pub fn run(options: &Options) -> Vec<Row> {
    let bridges = options.pick(1000, 100_000);
    vec![
        test("bridge::tests::herd", bridges, options),
        test("bridge::tests::idle", bridges, options),
    ]
}

fn test(name: &str, bridges: usize, options: &Options) -> Row {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["test", "--quiet", "--lib", "--", "--nocapture", name])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("MCP_TETHER_BRIDGES", bridges.to_string());
    if let Some(file) = &options.plot {
        cargo.env("MCP_TETHER_PLOT", file);
    }
    let ended = cargo.output().expect("run cargo");
    let (right, said) = (
        ended.status.success(),
        String::from_utf8_lossy(&ended.stdout),
    );
    let table = said.lines().filter(|line| !right || line.starts_with('|'));
    table.for_each(|line| println!("{line}"));
    if !right {
        eprintln!("{}", String::from_utf8_lossy(&ended.stderr));
    }
    Row {
        load: format!("{name}, {bridges} bridges, virtual clock"),
        messages: 0,
        lost: 0,
        twice: 0,
        wrong: usize::from(!right),
        figures: "above".to_owned(),
    }
}
