//! Which cases there are: a rehearsal of each leg tells how long its messages are and where their frames end.

use std::collections::BTreeSet;

use crate::case::{Access, Case, Era, FAULTS, Fault, Leg, Setting, Side, Transport, settings};
use crate::harness::{Extent, Options};
use crate::lane;
use crate::stage::{Stage, whole};
use crate::units::frame_marks;

/// A handshake or an exchange about tokens needs a bridge of its own. Every so manieth byte of it is tried where both sides are
/// legacy and nobody signs in.
const PLAIN_STEP: usize = 4;

/// And elsewhere.
const OTHER_STEP: usize = 64;

/// All cases of the options, in their order: lists of what is run together.
pub async fn plan(options: &Options) -> Vec<Vec<Case>> {
    let mut all = Vec::new();
    for setting in settings() {
        if !options.concerns(&setting.to_string()) {
            continue;
        }
        for leg in setting.legs() {
            if !options.concerns(&format!("{setting}/{}", format!("{leg:?}").to_lowercase())) {
                continue;
            }
            for (side, bytes) in rehearse(setting, leg).await {
                all.extend(of_side(options, setting, leg, (side, &bytes)));
            }
        }
    }
    // What takes longest begins first, and then what every promise is about.
    all.sort_by_key(|cases| {
        let first = cases.first();
        first.map(|case| (case.fault != Fault::Dead, case.leg.is_fresh()))
    });
    all
}

fn of_side(
    options: &Options,
    setting: Setting,
    leg: Leg,
    (side, bytes): (Side, &[u8]),
) -> Vec<Vec<Case>> {
    let framed = setting.transport == Transport::WebSocket && matches!(leg, Leg::Call | Leg::Hello);
    let frames: BTreeSet<usize> = if framed {
        frame_marks(bytes).into_iter().collect()
    } else {
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        ends.map(|(at, _)| at + 1).collect()
    };
    let plain = (Era::Legacy, Era::Legacy, Access::Open);
    let is_plain = (setting.client, setting.server, setting.access) == plain;
    let (step, frames) = match (leg.is_fresh(), is_plain) {
        (false, _) => (1, frames),
        (true, true) => (PLAIN_STEP, frames),
        (true, false) => (OTHER_STEP, BTreeSet::new()),
    };
    let mut all = Vec::new();
    for (nth, fault) in FAULTS.into_iter().enumerate() {
        if !fault.fits(setting, leg) {
            continue;
        }
        let places = fault.places(bytes.len(), &frames, step);
        let cases = places.into_iter().map(|at| Case {
            setting,
            leg,
            side,
            fault,
            at,
        });
        let mut cases: Vec<Case> = cases
            .filter(|case| options.wants(&case.to_string()))
            .collect();
        if options.extent == Extent::Sample && options.only.is_empty() {
            cases = sample(&cases, nth);
        }
        let together = match (leg.is_fresh(), fault) {
            // It may take minutes until a dead connection is noticed.
            (_, Fault::Dead) => 1,
            (true, _) => 12,
            (false, _) => 60,
        };
        all.extend(cases.chunks(together).map(<[Case]>::to_vec));
    }
    all
}

/// A few of them, spread over the whole length, not the same for each fault.
fn sample(cases: &[Case], nth: usize) -> Vec<Case> {
    let one = |case: &Case| case.leg.is_fresh() || case.fault == Fault::Dead;
    let count = if cases.first().is_some_and(one) { 1 } else { 4 };
    let len = cases.len();
    let places: BTreeSet<usize> = (0..count)
        .map(|part| (len * part + len * (nth + 1) / (FAULTS.len() + 1)) / count)
        .collect();
    places
        .into_iter()
        .filter_map(|at| cases.get(at).copied())
        .collect()
}

/// Plays a leg without any fault and gives what was said on each side.
async fn rehearse(setting: Setting, leg: Leg) -> Vec<(Side, Vec<u8>)> {
    let mut stage = Stage::set(setting, &[]).await;
    let text = "call-000000-000000";
    let arm = if leg.is_fresh() {
        let arm = stage.look(leg, text);
        let ready = lane::ready(&mut stage).await;
        ready.unwrap_or_else(|how| panic!("{setting} {leg:?}, without a fault: {how}"));
        arm
    } else {
        let ready = lane::ready(&mut stage).await;
        let mut bridge =
            ready.unwrap_or_else(|how| panic!("{setting} {leg:?}, without a fault: {how}"));
        if leg == Leg::Renew {
            stage.far.revoke();
        }
        let arm = stage.look(leg, text);
        let id = bridge.call(text).await;
        let answer = bridge.answer(&id).await;
        assert!(answer.is_some(), "{setting} {leg:?}: no answer");
        arm
    };
    let mut all = Vec::new();
    for side in setting.sides(leg) {
        let bytes = whole(&arm, side).await;
        assert!(!bytes.is_empty(), "{setting} {leg:?} {side:?}: not a byte");
        all.push((side, bytes));
    }
    all
}
