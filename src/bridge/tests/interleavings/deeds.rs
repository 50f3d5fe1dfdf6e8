//! What the server of a case does with a request in its dialect.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::ENVELOPE;
use super::server::{Server, params};
use crate::error::Failure;
use crate::jsonrpc::{Id, Message, reply};
use crate::transport::{Events, Reply};

/// What a server may ask.
const QUESTIONS: [&str; 3] = ["elicitation/create", "roots/list", "sampling/createMessage"];

/// What the server does with one request.
#[derive(Debug, Clone)]
pub(super) enum Deed {
    Answer,
    /// After so many milliseconds.
    Late(u64),
    Refuse(i64),
    /// It tells of its progress, and logs.
    Progress,
    /// It asks this, by place in [`QUESTIONS`], and answers when it knows.
    Ask(Vec<usize>),
    /// It only wants to be asked again, where its revision has that.
    Again,
    Never,
    /// The stream breaks.
    Cut,
    /// The stream ends without an answer.
    Ends,
    /// It was read, and there is no reply.
    Lost,
    /// It was not even read.
    Unreachable,
    Unavailable,
    /// The session is gone, where there was one.
    Gone,
    /// An error that names no request.
    Nameless,
}

pub(super) fn deed() -> impl Strategy<Value = Deed> {
    let codes = prop_oneof![Just(-32602), Just(-32603), Just(-32002), Just(-5)];
    prop_oneof![
        5 => Just(Deed::Answer),
        3 => prop_oneof![1..9_u64, Just(150), Just(21_000)].prop_map(Deed::Late),
        1 => codes.prop_map(Deed::Refuse),
        3 => Just(Deed::Progress),
        6 => proptest::collection::vec(0..QUESTIONS.len(), 1..4).prop_map(Deed::Ask),
        1 => Just(Deed::Again),
        2 => Just(Deed::Never),
        1 => Just(Deed::Cut),
        1 => Just(Deed::Ends),
        1 => Just(Deed::Lost),
        1 => Just(Deed::Unreachable),
        1 => Just(Deed::Unavailable),
        1 => Just(Deed::Gone),
        1 => Just(Deed::Nameless),
    ]
}

impl Server {
    pub fn answer(&self, message: &Message, id: &Id) -> Message {
        let capabilities =
            json!({"tools":{"listChanged":true},"resources":{"subscribe":true},"logging":{}});
        let mut result = match message.method() {
            "initialize" => {
                json!({ "protocolVersion": "2025-11-25", "capabilities": capabilities, "serverInfo": { "name": "s", "version": "1" } })
            }
            "server/discover" => {
                json!({ "supportedVersions": ["2026-07-28"], "capabilities": capabilities })
            }
            "tools/list" => {
                json!({ "tools": [{ "name": "x", "inputSchema": { "type": "object" } }] })
            }
            "tools/call" => json!({ "content": [] }),
            _ => json!({}),
        };
        if self.is_modern() {
            result["resultType"] = "complete".into();
            result["ttlMs"] = 0.into();
            result["cacheScope"] = "private".into();
            result["_meta"] =
                json!({ "io.modelcontextprotocol/serverInfo": { "name": "s", "version": "1" } });
        }
        reply::result(id, &result.to_string())
    }

    /// The messages of a reply, as they come.
    pub fn stream(self: &Arc<Self>, message: &Message, deed: Deed) -> Reply {
        let (feed, events) = mpsc::channel(64);
        let (server, message) = (Arc::clone(self), message.clone());
        tokio::spawn(async move { server.perform(&message, deed, &feed).await });
        Reply::Many(Events::Scripted(events))
    }

    async fn perform(&self, message: &Message, deed: Deed, feed: &Feed) {
        let id = message.id().unwrap();
        let say = async |message| drop(feed.send(Ok(message)).await);
        if listens(message) {
            say(tagged("subscriptions/acknowledged", id)).await;
            say(tagged("tools/list_changed", id)).await;
        }
        match deed {
            Deed::Late(wait) => tokio::time::sleep(Duration::from_millis(wait)).await,
            Deed::Refuse(code) => return say(reply::error(Some(id), code, "no", None)).await,
            Deed::Progress => self.tell(message, feed).await,
            Deed::Never => return feed.closed().await,
            Deed::Cut => return drop(feed.send(Err(Failure::Lost("cut".to_owned()))).await),
            Deed::Ends => return,
            Deed::Ask(_) | Deed::Again if self.is_modern() && asks(message) => {
                self.tell(message, feed).await;
                return say(self.required(id, &deed)).await;
            }
            Deed::Ask(kinds) if !self.is_modern() => self.ask(&kinds, feed).await,
            _ => {}
        }
        say(self.answer(message, id)).await;
    }

    async fn tell(&self, message: &Message, feed: &Feed) {
        let meta = &params(message)["_meta"];
        for progress in 1..4 {
            let token = &meta["progressToken"];
            let params = json!({ "progressToken": token, "progress": progress });
            let note = reply::notification("notifications/progress", &params.to_string());
            if !token.is_null() && feed.send(Ok(note)).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        if !self.is_modern() || meta.get(format!("{ENVELOPE}logLevel")).is_some() {
            let params = r#"{"level":"error","data":"told"}"#;
            let note = reply::notification("notifications/message", params);
            let _ = feed.send(Ok(note)).await;
        }
    }

    /// Asks, and waits until all of it is answered.
    async fn ask(&self, kinds: &[usize], feed: &Feed) {
        let mut waiting = Vec::new();
        for kind in kinds {
            let id = {
                let mut state = self.state();
                let id = Id::text(&format!("q{}", state.questions.len()));
                let (answered, waits) = oneshot::channel();
                state.questions.insert(id.raw().to_owned(), Some(answered));
                waiting.push(waits);
                id
            };
            let question = reply::request(&id, QUESTIONS[*kind], Some(wanted(*kind)));
            let _ = feed.send(Ok(question)).await;
        }
        for waits in waiting {
            let _ = waits.await;
        }
    }

    /// The same as a result. Its state is written so that only its very bytes are it.
    fn required(&self, id: &Id, deed: &Deed) -> Message {
        let kinds: &[usize] = match deed {
            Deed::Ask(kinds) => kinds,
            _ => &[],
        };
        let asked = kinds.iter().enumerate().map(|(at, kind)| {
            let params: Value = serde_json::from_str(wanted(*kind)).unwrap();
            let request = json!({ "method": QUESTIONS[*kind], "params": params });
            (format!("k{at}"), request)
        });
        let asked: serde_json::Map<_, _> = asked.collect();
        let mut state = self.state();
        state.begun += 1;
        let name = format!("st/{}", state.begun);
        let keys = asked.keys().cloned().collect();
        state.rounds.insert(name.clone(), keys);
        let required =
            json!({ "resultType": "input_required", "inputRequests": asked, "requestState": name });
        reply::result(id, &required.to_string().replace("st/", r"st\/"))
    }
}

type Feed = mpsc::Sender<Result<Message, Failure>>;

fn wanted(kind: usize) -> &'static str {
    match kind {
        0 => r#"{"message":"m","requestedSchema":{"type":"object","properties":{}}}"#,
        1 => "{}",
        _ => r#"{"messages":[],"maxTokens":1}"#,
    }
}

fn tagged(method: &str, id: &Id) -> Message {
    let params = format!(
        r#"{{"notifications":{{"toolsListChanged":true}},"_meta":{{"{ENVELOPE}subscriptionId":{id}}}}}"#
    );
    reply::notification(&format!("notifications/{method}"), &params)
}

pub(super) fn listens(message: &Message) -> bool {
    message.method() == "subscriptions/listen"
}

/// Whether a server may ask something before it answers.
fn asks(message: &Message) -> bool {
    matches!(
        message.method(),
        "tools/call" | "prompts/get" | "resources/read"
    )
}
