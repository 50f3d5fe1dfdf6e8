//! What the client of a case does.

use proptest::prelude::*;

/// What the client does next.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// It makes a request, by place in the methods of its dialect.
    Request(usize),
    /// It answers the oldest question of the server's, or refuses to.
    Answer(bool),
    /// It goes on with a round, the oldest or the newest.
    Retry(Goes, bool),
    /// It cancels a request that has no answer yet, counted from the newest.
    Cancel(usize),
    /// It sends an answer that nobody waits for.
    Stray,
    /// It tells of changed roots, where its revision has that.
    Notify,
}

/// How it goes on with a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goes {
    On,
    /// With another state, with other params, twice: where the bridge has to see to it.
    Astray,
    Elsewhere,
    Twice,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let goes = prop_oneof![
        6 => Just(Goes::On),
        1 => Just(Goes::Astray),
        1 => Just(Goes::Elsewhere),
        1 => Just(Goes::Twice),
    ];
    prop_oneof![
        8 => (0..12_usize).prop_map(Step::Request),
        4 => prop::bool::weighted(0.7).prop_map(Step::Answer),
        4 => (goes, any::<bool>()).prop_map(|(goes, last)| Step::Retry(goes, last)),
        4 => (0..4_usize).prop_map(Step::Cancel),
        1 => Just(Step::Stray),
        1 => Just(Step::Notify),
    ]
}
