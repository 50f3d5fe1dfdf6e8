//! A client that notifies faster than the server takes it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;

use super::rig::{Rig, options, remote};
use crate::auth::Authorizer;
use crate::bridge::{End, Protocol};
use crate::jsonrpc::Message;
use crate::transport::Reply;
use crate::transport::scripted::Scripted;

/// More than may wait, however they are counted.
const MANY: usize = 20_000;

fn note(number: usize) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progress":{number}}}}}"#
    )
}

/// A bridge to a server that takes a millisecond for each message, and the lines that it took.
fn slow() -> (Rig, Arc<Mutex<Vec<Message>>>) {
    let took: Arc<Mutex<Vec<Message>>> = Arc::default();
    let log = Arc::clone(&took);
    let scripted = Scripted::new(move |outgoing| {
        log.lock().unwrap().push(outgoing.message);
        async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(Reply::Accepted)
        }
        .boxed()
    });
    let remote = remote(scripted, Authorizer::None, Protocol::Legacy);
    (Rig::over(options(), remote), took)
}

async fn all_arrive(mut rig: Rig, took: &Mutex<Vec<Message>>, count: usize) {
    rig.input = None;
    assert_eq!(rig.end.await.unwrap(), End::Input);
    let took = took.lock().unwrap();
    assert_eq!(took.len(), count);
    for (number, message) in took.iter().enumerate() {
        assert_eq!(message.line(), note(number).as_bytes());
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_is_noticed_behind_any_number_that_the_server_does_not_take() {
    let scripted = Scripted::new(|_| std::future::pending().boxed());
    let remote = remote(scripted, Authorizer::None, Protocol::Legacy);
    let mut rig = Rig::over(options(), remote);
    for number in 0..MANY {
        rig.send(&note(number)).await;
    }
    let left = Instant::now();
    rig.input = None;
    assert_eq!(rig.end.await.unwrap(), End::Input);
    assert!(left.elapsed() <= options().grace + Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn more_notifications_than_may_wait_all_arrive_in_their_order() {
    let (rig, took) = slow();
    for number in 0..MANY {
        rig.send(&note(number)).await;
    }
    all_arrive(rig, &took, MANY).await;
}
