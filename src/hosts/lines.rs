//! What an edit has done to the lines of a file.

use diffy::{DiffOptions, Hunk, Line};

/// Every line of both texts, with its end, in order: kept, gone or new.
pub(super) fn changes<'a>(before: &'a str, after: &'a str) -> Vec<Line<'a, str>> {
    let mut old = before.split_inclusive('\n');
    let mut new = after.split_inclusive('\n');
    if before == after {
        return old.map(Line::Context).collect();
    }
    let mut all = DiffOptions::new();
    // No text has more lines than bytes.
    all.set_context_len(before.len());
    let patch = all.create_patch(before, after);
    let lines = patch.hunks().iter().flat_map(Hunk::lines);
    lines
        .filter_map(|line| {
            Some(match line {
                Line::Context(_) => {
                    old.next();
                    Line::Context(new.next()?)
                }
                Line::Delete(_) => Line::Delete(old.next()?),
                Line::Insert(_) => Line::Insert(new.next()?),
            })
        })
        .collect()
}
