//! The books on one bridge: which ids were asked, which were answered, what was wrong on stdout.
//! Ids compare by their raw text. Pure: no process, no waiting.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::rpc::Rpc;

/// Asked and answered, by raw id.
#[derive(Default)]
pub struct Ledger {
    asked: BTreeMap<String, usize>,
    answered: BTreeMap<String, usize>,
    /// Ids that may stay without an answer: cancelled, or excused by the test.
    excused: BTreeSet<String>,
    problems: Vec<String>,
}

impl Ledger {
    /// Books a line that the test sent. What is not JSON-RPC books nothing.
    pub fn sent(&mut self, line: &str) {
        if let Ok(batch) = serde_json::from_str::<Vec<Box<RawValue>>>(line) {
            batch.iter().for_each(|one| self.sent_one(one.get()));
        } else {
            self.sent_one(line);
        }
    }

    fn sent_one(&mut self, line: &str) {
        let Ok(rpc) = Rpc::parse(line) else { return };
        if rpc.is_notification() && rpc.method.as_deref() == Some("notifications/cancelled") {
            let target = rpc.params.as_deref().and_then(cancelled);
            self.excused.extend(target);
        } else if let (true, Some(id)) = (rpc.is_request(), rpc.id) {
            *self.asked.entry(id).or_default() += 1;
        }
    }

    /// Books one line of stdout, without its newline, and gives the message that it is.
    pub fn received(&mut self, line: &str) -> Option<Rpc> {
        let rpc = match Rpc::parse(line) {
            Ok(rpc) => rpc,
            Err(e) => {
                self.problem(&format!("a stdout line is no JSON-RPC message: {e}"), line);
                return None;
            }
        };
        if line.ends_with('\r') {
            self.problem("a stdout line ends with CR", line);
        }
        match (&rpc.id, rpc.is_answer()) {
            (Some(id), true) => {
                let answers = self.answered.entry(id.clone()).or_default();
                *answers += 1;
                let answers = *answers;
                let asked = self.asked.get(id).copied().unwrap_or_default();
                // An id that the test excused may have stood in a line that books nothing.
                if answers > asked.max(usize::from(self.excused.contains(id))) {
                    let what = format!("answer {answers} to an id that was asked {asked} times");
                    self.problem(&what, line);
                }
            }
            (None, true) if rpc.error.is_none() => self.problem("a result without an id", line),
            _ => {}
        }
        Some(rpc)
    }

    /// Lets an id stay without an answer, or be answered although no request carried it.
    pub fn excuse(&mut self, id: &str) {
        self.excused.insert(id.to_owned());
    }

    /// Books something else that was wrong.
    pub fn problem(&mut self, what: &str, line: &str) {
        let start: String = line.chars().take(300).collect();
        self.problems.push(format!("{what}: {start}"));
    }

    /// The ids that still need an answer.
    pub fn waiting(&self) -> Vec<String> {
        let short = |(id, asked): &(&String, &usize)| {
            **asked > self.answered.get(*id).copied().unwrap_or_default()
                && !self.excused.contains(*id)
        };
        let waiting = self.asked.iter().filter(short);
        waiting.map(|(id, _)| id.clone()).collect()
    }

    /// What was wrong so far, apart from what still waits.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// Forgets what was wrong so far: the test looked at it.
    pub fn forgive(&mut self) -> Vec<String> {
        std::mem::take(&mut self.problems)
    }
}

fn cancelled(params: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Params {
        #[serde(rename = "requestId")]
        id: Box<RawValue>,
    }
    let params: Params = serde_json::from_str(params).ok()?;
    Some(params.id.get().to_owned())
}
