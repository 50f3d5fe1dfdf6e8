//! The bridge with a scripted server, under tokio's paused clock.

mod broken;
mod flood;
mod herd;
mod idle;
mod interleavings;
mod keep_alive;
mod rig;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{End, Options};
use crate::error::Failure;
use crate::jsonrpc::{Id, Kind, Message, reply};
use crate::transport::{Events, Reply};
pub(super) use rig::{Rig, network, options};

fn call(id: u64) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"x"}}}}"#)
}

/// A stream that the test feeds.
fn stream() -> (
    mpsc::Sender<Result<Message, Failure>>,
    Result<Reply, Failure>,
) {
    let (sender, receiver) = mpsc::channel(8);
    (sender, Ok(Reply::Many(Events::Scripted(receiver))))
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_request_is_never_answered_and_its_stream_is_kept_30_seconds() {
    let (feed, reply) = stream();
    let reply = Mutex::new(Some(reply));
    let rig = Rig::new(options(), move |message| match message.kind() {
        Kind::Request => reply.lock().unwrap().take().unwrap(),
        _ => Ok(Reply::Accepted),
    });
    let mut rig = rig;
    rig.send(&call(1)).await;
    rig.until_sent("tools/call").await;
    rig.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#)
        .await;
    let cancelled = Instant::now();
    feed.send(Ok(Message::parse(r#"{"id":1,"result":{}}"#.into()).unwrap()))
        .await
        .unwrap();
    rig.input = None;
    assert_eq!(rig.end.await.unwrap(), End::Input);
    assert!(
        rig.output.recv().await.is_none(),
        "a cancelled request gets no answer"
    );
    assert!(
        cancelled.elapsed() < Duration::from_secs(30),
        "leaving does not wait for it"
    );
}

#[tokio::test(start_paused = true)]
async fn the_stream_of_a_cancelled_request_ends_after_30_seconds() {
    let (feed, reply) = stream();
    let reply = Mutex::new(Some(reply));
    let rig = Rig::new(options(), move |message| match message.kind() {
        Kind::Request => reply.lock().unwrap().take().unwrap(),
        _ => Ok(Reply::Accepted),
    });
    rig.send(&call(1)).await;
    rig.until_sent("tools/call").await;
    rig.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#)
        .await;
    let cancelled = Instant::now();
    feed.closed().await;
    assert_eq!(cancelled.elapsed().as_secs(), 30);
    assert_eq!(rig.sent("notifications/cancelled"), 1);
}

#[tokio::test(start_paused = true)]
async fn running_requests_have_the_grace_to_finish() {
    let (feed, reply) = stream();
    let reply = Mutex::new(Some(reply));
    let mut rig = Rig::new(options(), move |_| reply.lock().unwrap().take().unwrap());
    rig.send(&call(1)).await;
    rig.input = None;
    let ended = Instant::now();
    assert!(rig.recv().await.contains("-31008"));
    assert_eq!(ended.elapsed().as_secs(), 30);
    assert_eq!(rig.end.await.unwrap(), End::Input);
    drop(feed);
}

#[tokio::test(start_paused = true)]
async fn a_signal_answers_what_is_running_at_once() {
    let (feed, reply) = stream();
    let reply = Mutex::new(Some(reply));
    let mut rig = Rig::new(options(), move |_| reply.lock().unwrap().take().unwrap());
    rig.send(&call(1)).await;
    tokio::task::yield_now().await;
    let told = Instant::now();
    rig.stop.take().unwrap().send(()).unwrap();
    assert!(rig.recv().await.contains("-31008"));
    assert!(told.elapsed() < Duration::from_millis(1500));
    assert_eq!(rig.end.await.unwrap(), End::Stopped);
    drop(feed);
}

#[tokio::test(start_paused = true)]
async fn a_request_over_its_time_is_answered_and_cancelled() {
    let options = Options {
        request_timeout: Some(Duration::from_secs(5)),
        ..options()
    };
    let feeds = Mutex::new(Vec::new());
    let mut rig = Rig::new(options, move |message| match message.kind() {
        Kind::Request => {
            let (feed, reply) = stream();
            feeds.lock().unwrap().push(feed);
            reply
        }
        _ => Ok(Reply::Accepted),
    });
    let started = Instant::now();
    rig.send(&call(1)).await;
    assert!(rig.recv().await.contains("-31002"));
    assert_eq!(started.elapsed().as_secs(), 5);
    rig.input = None;
    let sent = Arc::clone(&rig.sent);
    rig.end.await.unwrap();
    let sent = sent.lock().unwrap();
    let cancelled = sent
        .iter()
        .find(|message| message.method() == "notifications/cancelled")
        .unwrap();
    assert!(cancelled.payload().unwrap().contains(r#""requestId":1"#));
}

#[tokio::test(start_paused = true)]
async fn a_handshake_of_our_own_takes_no_longer_than_a_request() {
    let options = Options {
        request_timeout: Some(Duration::from_secs(5)),
        ..options()
    };
    let feeds = Mutex::new(Vec::new());
    let counts = Mutex::new([0, 0]);
    let mut rig = Rig::new(options, move |message| {
        let agreed = r#"{"protocolVersion":"2025-11-25","capabilities":{}}"#;
        let Some(id) = message.id() else {
            return Ok(Reply::Accepted);
        };
        let opens = message.method() == "initialize";
        let mut counts = counts.lock().unwrap();
        let count = &mut counts[usize::from(opens)];
        *count += 1;
        match (opens, *count) {
            (false, 1) => Err(Failure::SessionGone {
                generation: 1,
                refusal: None,
            }),
            (true, 2) => {
                let (feed, reply) = stream();
                feeds.lock().unwrap().push(feed);
                reply
            }
            _ => Ok(Reply::One(reply::result(id, agreed))),
        }
    });
    rig.send(r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#)
        .await;
    assert!(rig.recv().await.contains("2025-11-25"));
    rig.send(&call(1)).await;
    assert!(rig.recv().await.contains("-31002"));
    rig.send(&call(2)).await;
    assert!(rig.recv().await.contains("result"));
    assert_eq!(rig.sent("initialize"), 3);
}

#[tokio::test(start_paused = true)]
async fn what_the_client_does_not_mark_as_json_rpc_is_for_the_server_to_judge() {
    let mut rig = Rig::new(options(), |message| {
        Ok(Reply::One(reply::error(message.id(), -32600, "no", None)))
    });
    let line = r#"{"id":1,"method":"tools/call"}"#;
    rig.send(line).await;
    assert!(rig.recv().await.contains("-32600"));
    assert_eq!(rig.sent.lock().unwrap()[0].line(), line);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_message_gets_no_answer_under_an_id_in_flight() {
    let (feed, reply) = stream();
    let reply = Mutex::new(Some(reply));
    let mut rig = Rig::new(options(), move |_| reply.lock().unwrap().take().unwrap());
    rig.send(&call(1)).await;
    rig.until_sent("tools/call").await;
    rig.send(r#"{"jsonrpc":"2.0","id":1,"method":7}"#).await;
    rig.send(&format!("[{}]", call(1))).await;
    rig.input = None;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let answer = reply::result(&Id::parse("1").unwrap(), "{}");
    feed.send(Ok(answer)).await.unwrap();
    assert!(rig.recv().await.contains("result"));
    assert!(rig.output.recv().await.is_none(), "one answer");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_waits_for_the_client_to_read_is_in_time() {
    let options = Options {
        request_timeout: Some(Duration::from_secs(5)),
        ..options()
    };
    let large = format!("\"{}\"", "x".repeat(1 << 20));
    let mut rig = Rig::new(options, move |message| {
        let id = message.id().unwrap();
        Ok(Reply::One(reply::result(id, &large)))
    });
    rig.send(&call(1)).await;
    rig.send(&call(2)).await;
    rig.until_sent("tools/call").await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    for _ in 0..2 {
        assert!(rig.recv().await.contains("result"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_without_end_is_refused() {
    let asked =
        (0..=4096).map(|id| reply::request(&Id::parse(&id.to_string()).unwrap(), "x", None));
    let asked = Mutex::new(Some(asked.collect()));
    let mut rig = Rig::new(options(), move |message| match message.kind() {
        Kind::Request => Ok(Reply::Many(Events::Ready(
            asked.lock().unwrap().take().unwrap(),
        ))),
        _ => Ok(Reply::Accepted),
    });
    rig.send(&call(1)).await;
    for _ in 0..4096 {
        assert!(rig.recv().await.contains("\"x\""));
    }
    // Its reply held no answer.
    assert!(rig.recv().await.contains("-31006"));
    let refused = || {
        let sent = rig.sent.lock().unwrap();
        let payloads = sent.iter().filter_map(Message::payload);
        payloads.filter(|text| text.contains("-31008")).count()
    };
    while refused() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(refused(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_silent_initialize_is_answered_after_60_seconds() {
    let (feed, reply) = stream();
    let reply = Mutex::new(Some(reply));
    let mut rig = Rig::new(options(), move |_| reply.lock().unwrap().take().unwrap());
    let started = Instant::now();
    rig.send(r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#)
        .await;
    // The handshake holds it up, and its failure lets it go.
    rig.send(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#)
        .await;
    assert_eq!(rig.recv().await, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    assert_eq!(started.elapsed().as_secs(), 0);
    assert!(rig.recv().await.contains("-31002"));
    assert_eq!(started.elapsed().as_secs(), 60);
    drop(feed);
}

/// What the server does with one request.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Answer,
    AnswerTwice,
    Accept,
    OtherId,
    Stream,
    StreamEnds,
    StreamBreaks,
    Lost,
    Unreachable,
    NamelessError,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        Just(Deed::Answer),
        Just(Deed::AnswerTwice),
        Just(Deed::Accept),
        Just(Deed::OtherId),
        Just(Deed::Stream),
        Just(Deed::StreamEnds),
        Just(Deed::StreamBreaks),
        Just(Deed::Lost),
        Just(Deed::Unreachable),
        Just(Deed::NamelessError),
    ]
}

fn perform(deed: Deed, message: &Message) -> Result<Reply, Failure> {
    let Some(id) = message.id().filter(|_| message.kind() == Kind::Request) else {
        return Ok(Reply::Accepted);
    };
    let answer = reply::result(id, "{}");
    let progress = reply::notification("notifications/progress", "{}");
    Ok(match deed {
        Deed::Answer => Reply::One(answer),
        Deed::AnswerTwice => Reply::Many(Events::Ready([answer.clone(), answer].into())),
        Deed::Accept => Reply::Accepted,
        Deed::OtherId => Reply::One(reply::result(&Id::text("other"), "{}")),
        Deed::Stream => Reply::Many(Events::Ready([progress.clone(), progress, answer].into())),
        Deed::StreamEnds => Reply::Many(Events::Ready([progress].into())),
        Deed::StreamBreaks => {
            let (feed, receiver) = mpsc::channel(2);
            feed.try_send(Err(Failure::Lost("cut".to_owned()))).unwrap();
            Reply::Many(Events::Scripted(receiver))
        }
        Deed::Lost => return Err(Failure::Lost("reset".to_owned())),
        Deed::Unreachable => {
            return Err(Failure::Unreachable {
                what: "down".to_owned(),
                hint: "up",
            });
        }
        Deed::NamelessError => Reply::One(reply::error(None, -1, "nameless", None)),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn each_request_gets_exactly_one_answer_whatever_the_server_does(
        deeds in proptest::collection::vec((deed(), prop_oneof![Just("tools/call"), Just("tools/list"), Just("initialize")]), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let answers = runtime.block_on(async {
            let script = deeds.clone();
            let mut rig = Rig::new(options(), move |message| {
                let index = message.id().and_then(|id| id.raw().parse::<usize>().ok());
                perform(index.map_or(Deed::Answer, |index| script[index].0), message)
            });
            for (index, (_, method)) in deeds.iter().enumerate() {
                rig.send(&format!(r#"{{"jsonrpc":"2.0","id":{index},"method":"{method}"}}"#)).await;
            }
            rig.input = None;
            let mut answers = Vec::new();
            while let Some(message) = rig.output.recv().await {
                if let Some(id) = message.id().filter(|_| message.is_response()) {
                    answers.push(id.raw().parse::<usize>().unwrap());
                }
            }
            answers
        });
        let mut answers = answers;
        answers.sort_unstable();
        prop_assert_eq!(answers, (0..deeds.len()).collect::<Vec<_>>());
    }
}
