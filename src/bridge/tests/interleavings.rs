//! Clients and servers of both eras in any order of events: whatever happens, each request has exactly one answer, and nobody
//! hears a word of the other's dialect. The same cases each time.

mod client;
mod deeds;
mod server;
mod steps;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tokio::time::Instant;

use super::rig::{Rig, options, remote};
use crate::auth::Authorizer;
use crate::bridge::{End, Protocol};
use crate::era::detect::Era;
use client::Client;
use deeds::Deed;
use server::Server;
use steps::Step;

/// What only a request of 2026-07-28 has.
const ENVELOPE: &str = "io.modelcontextprotocol/";

/// How the bridge learns what the server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Learns {
    /// The user says it.
    Told,
    /// The server refuses the other dialect, in one of its ways.
    Refused(usize),
}

/// How the server answers the first message in its dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hello {
    Prompt,
    /// After so many milliseconds.
    Late(u64),
    /// After it was lost so many times.
    Lost(u32),
}

/// One case.
#[derive(Debug, Clone)]
struct Plan {
    client: Era,
    server: Era,
    learns: Learns,
    hello: Hello,
    /// Whether the client can be asked to sample.
    samples: bool,
    /// What the server does with one request after the other, from the front again at the end.
    deeds: Vec<Deed>,
    /// What the client does, each with the milliseconds that it waits afterwards.
    steps: Vec<(Step, u64)>,
}

impl Plan {
    fn mixed(&self) -> bool {
        self.client != self.server
    }
}

/// What went wrong, told by either side.
#[derive(Debug, Clone, Default)]
struct Wrongs(Arc<Mutex<Vec<String>>>);

impl Wrongs {
    fn add(&self, wrong: impl Into<String>) {
        let mut wrongs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        wrongs.push(wrong.into());
    }

    fn check(&self, right: bool, wrong: impl FnOnce() -> String) {
        if !right {
            self.add(wrong());
        }
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

fn era() -> impl Strategy<Value = Era> {
    prop_oneof![Just(Era::Legacy), Just(Era::Modern)]
}

fn plan() -> impl Strategy<Value = Plan> {
    let learns = prop_oneof![Just(Learns::Told), (0..5_usize).prop_map(Learns::Refused)];
    let hello = prop_oneof![
        3 => Just(Hello::Prompt),
        1 => prop_oneof![Just(3), Just(900)].prop_map(Hello::Late),
        1 => (1..3_u32).prop_map(Hello::Lost),
    ];
    let wait = prop_oneof![
        4 => Just(0),
        3 => 1..10_u64,
        2 => 20..400_u64,
        1 => Just(20_000),
    ];
    let deeds = proptest::collection::vec(deeds::deed(), 1..16);
    let steps = proptest::collection::vec((steps::step(), wait), 1..28);
    (era(), era(), learns, hello, any::<bool>(), deeds, steps).prop_map(
        |(client, server, learns, hello, samples, deeds, steps)| Plan {
            client,
            server,
            learns,
            hello,
            samples,
            deeds,
            steps,
        },
    )
}

/// Plays a case; what went wrong.
async fn play(plan: Plan) -> Vec<String> {
    let wrongs = Wrongs::default();
    let plan = Arc::new(plan);
    let server = Arc::new(Server::new(Arc::clone(&plan), wrongs.clone()));
    let protocol = match (plan.learns, plan.server) {
        (Learns::Refused(_), _) => Protocol::Auto,
        (Learns::Told, Era::Legacy) => Protocol::Legacy,
        (Learns::Told, Era::Modern) => Protocol::Modern,
    };
    let remote = remote(server::transport(&server), Authorizer::None, protocol);
    let rig = Rig::over(options(), remote);
    let mut client = Client::new(Arc::clone(&plan), rig, wrongs.clone());
    let whole = async {
        client.begin().await;
        for (step, wait) in &plan.steps {
            client.step(step).await;
            client.listen(Duration::from_millis(*wait)).await;
        }
        client.settle().await;
        let left = Instant::now();
        let end = client.leave().await;
        wrongs.check(end == End::Input, || format!("it ended with {end:?}"));
        let taken = left.elapsed();
        wrongs.check(taken <= Duration::from_secs(33), || {
            format!("the end took {taken:?}")
        });
    };
    if tokio::time::timeout(Duration::from_secs(3600), whole)
        .await
        .is_err()
    {
        wrongs.add("the bridge does not end");
    }
    wrongs.all()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        rng_seed: RngSeed::Fixed(20_260_728),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn each_request_has_one_answer_and_nobody_hears_the_other_dialect(plan in plan()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        fastrand::seed(1);
        let wrongs = runtime.block_on(play(plan));
        prop_assert!(wrongs.is_empty(), "{:#?}", wrongs);
    }
}
