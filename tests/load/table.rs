//! What came of a load, as a row of the table.

use std::fmt;
use std::time::Duration;

/// The head of the table.
pub const TITLES: &str =
    "| load | messages | lost | twice | wrong | figures |\n|---|---|---|---|---|---|";

/// One row. What is not 0 in `lost`, `twice` and `wrong` is a failure.
pub struct Row {
    /// What was done.
    pub load: String,
    /// Messages that had to arrive.
    pub messages: usize,
    /// Those that did not.
    pub lost: usize,
    /// Those that came again.
    pub twice: usize,
    /// Anything else that must not be.
    pub wrong: usize,
    /// What was measured.
    pub figures: String,
}

impl Row {
    /// The row of a load that did not come to its end.
    pub fn broken(name: &str) -> Self {
        Self {
            load: name.to_owned(),
            messages: 0,
            lost: 0,
            twice: 0,
            wrong: 1,
            figures: "it did not come to its end".to_owned(),
        }
    }

    /// Whether all was as it should be.
    pub fn is_right(&self) -> bool {
        self.lost + self.twice + self.wrong == 0
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            load,
            messages,
            lost,
            twice,
            wrong,
            figures,
        } = self;
        write!(
            f,
            "| {load} | {messages} | {lost} | {twice} | {wrong} | {figures} |"
        )
    }
}

/// The first, the middle and the last of some times, in seconds.
pub fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |index: usize| times[index].as_secs_f64();
    format!(
        "{:.2}, {:.2}, {:.2} s",
        at(0),
        at(times.len() / 2),
        at(times.len() - 1)
    )
}
