//! Many bridges on one server with one sign-in: the user signs in once, and each token that ends is refreshed once for all,
//! whether a bridge has used it already or not.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::HANG;
use crate::options::Options;
use crate::support::scene::{Scene, say_hello};
use crate::support::tether::Tether;
use crate::table::Row;

/// Bridges on the server.
const BRIDGES: usize = 24;

/// One row.
pub fn run(options: &Options) -> Vec<Row> {
    let calls = options.pick(20, 200);
    let scene = Scene::following();
    let wait = ["--initialize-wait", "60"];
    let tethers: Vec<Tether> = (0..BRIDGES)
        .map(|_| scene.launch().args(wait).start())
        .collect();
    tethers.iter().for_each(say_hello);
    let done = AtomicUsize::new(0);
    let right: usize = std::thread::scope(|scope| {
        let work = |tether| {
            let (done, scene) = (&done, &scene);
            scope.spawn(move || calls_of(tether, calls, || count_off(done, calls, scene)))
        };
        let all: Vec<_> = tethers.iter().map(work).collect();
        let ended = all
            .into_iter()
            .map(|one| one.join().expect("its calls end"));
        ended.sum()
    });
    for tether in tethers {
        assert_eq!(tether.finish(), 0);
    }
    let (signed_in, refreshed) = (scene.auth.authorizations().len(), scene.auth.refreshes());
    let reuses = scene.auth.reuses();
    let wrong = signed_in.abs_diff(1) + refreshed.abs_diff(2) + reuses;
    vec![Row {
        load: format!("{BRIDGES} bridges with one sign-in"),
        messages: BRIDGES * calls,
        lost: BRIDGES * calls - right,
        // The books of each bridge fail it otherwise.
        twice: 0,
        wrong,
        figures: format!(
            "{signed_in} sign-in, {refreshed} refreshes, {reuses} refresh tokens used twice"
        ),
    }]
}

/// Ends the token as soon as there is one, when most have not used it yet, and when half of all is done.
fn count_off(done: &AtomicUsize, calls: usize, scene: &Scene) {
    if [0, BRIDGES * calls / 2].contains(&done.fetch_add(1, Ordering::SeqCst)) {
        scene.auth.end_access();
    }
}

/// Calls all the time; how many answers were right.
fn calls_of(tether: &Tether, calls: usize, after_each: impl Fn()) -> usize {
    tether.answer_within(HANG, "0").result();
    tether.notify("notifications/initialized", "{}");
    let right = |number: usize| {
        let (id, text) = ((number + 1).to_string(), format!("call-{number}"));
        tether.send(&crate::support::rpc::call(
            &id,
            "echo",
            &format!(r#"{{"text":"{text}"}}"#),
        ));
        let answer = tether.answer_within(HANG, &id);
        after_each();
        answer.error.is_none() && answer.result()["content"][0]["text"] == text.as_str()
    };
    (0..calls).filter(|number| right(*number)).count()
}
