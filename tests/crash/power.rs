//! What a loss of power would do, by the order of the steps: a file must be on the disk before it gets its name, and the name
//! must be there before anything else counts on it.

use std::path::Path;

use crate::tracer::Step;

/// The replaced and removed files that might be gone, half written or back again. Notices to other processes are of no use then.
pub fn at_risk(steps: &[Step]) -> Vec<String> {
    let mut risks = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let name = step.to.as_ref().unwrap_or(&step.about);
        let changes = step.call == "rename" || step.call == "remove";
        if !changes || name.ends_with(".lock.json") {
            continue;
        }
        let (before, after) = steps.split_at(at);
        let last = before
            .iter()
            .rfind(|own| own.about == step.about && !matches!(own.call, "own" | "lock"));
        if step.call == "rename" && last.is_none_or(|own| own.call != "sync") {
            risks.push(format!("{name} is not synced before it is renamed"));
        }
        let folder = Path::new(name).parent();
        let synced = |own: &Step| own.call == "sync" && Some(Path::new(&own.about)) == folder;
        if !after.iter().any(synced) {
            risks.push(format!("the folder of {name} is not synced"));
        }
    }
    risks
}
