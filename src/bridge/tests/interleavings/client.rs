//! The client of a case: it speaks one dialect, does what its steps say, and notes what it must not hear.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::server::params;
use super::steps::{Goes, Step};
use super::{ENVELOPE, Hello, Plan, Wrongs};
use crate::bridge::End;
use crate::bridge::tests::rig::Rig;
use crate::era::detect::Era;
use crate::jsonrpc::{Id, Kind, Message};

/// A request, and what came of it.
#[derive(Debug)]
struct Request {
    method: String,
    params: Value,
    cancelled: Option<Instant>,
    answers: usize,
}

impl Request {
    fn waits(&self) -> bool {
        self.answers == 0 && self.cancelled.is_none_or(|at| at == Instant::now())
    }
}

/// A round that can be gone on with.
#[derive(Debug, Clone)]
struct Round {
    method: String,
    params: Value,
    result: Value,
}

pub(super) struct Client {
    plan: Arc<Plan>,
    rig: Rig,
    wrongs: Wrongs,
    /// The requests, by their raw ids, and the ids in their order.
    requests: BTreeMap<String, Request>,
    order: Vec<String>,
    questions: Vec<String>,
    asked: BTreeSet<String>,
    rounds: Vec<Round>,
    /// How far each token has come.
    progress: BTreeMap<String, f64>,
    opened: bool,
}

impl Client {
    pub fn new(plan: Arc<Plan>, rig: Rig, wrongs: Wrongs) -> Self {
        Self {
            plan,
            rig,
            wrongs,
            requests: BTreeMap::new(),
            order: Vec::new(),
            questions: Vec::new(),
            asked: BTreeSet::new(),
            rounds: Vec::new(),
            progress: BTreeMap::new(),
            opened: false,
        }
    }

    fn is_modern(&self) -> bool {
        self.plan.client == Era::Modern
    }

    fn capabilities(&self) -> Value {
        let mut all = json!({ "elicitation": {}, "roots": {} });
        if self.plan.samples {
            all["sampling"] = json!({});
        }
        all
    }

    /// The handshake, where there is one; a client that fails at it begins anew.
    pub async fn begin(&mut self) {
        if self.is_modern() {
            return;
        }
        let lost = matches!(self.plan.hello, Hello::Lost(_));
        for _ in 0..4 {
            let params = json!({ "protocolVersion": "2025-11-25", "capabilities": self.capabilities(), "clientInfo": { "name": "c", "version": "1" } });
            let id = self.request("initialize", params).await;
            // One that is sure of its server does not wait.
            while lost && self.requests[&id].waits() {
                self.listen(Duration::from_millis(500)).await;
            }
            if !lost || self.opened {
                break;
            }
        }
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        self.rig.send(&initialized.to_string()).await;
    }

    pub async fn step(&mut self, step: &Step) {
        match step {
            Step::Request(at) => {
                let methods = self.methods();
                let (method, params) = methods[at % methods.len()].clone();
                self.request(method, params).await;
            }
            Step::Answer(agrees) => self.answer(*agrees).await,
            Step::Retry(goes, last) if !self.rounds.is_empty() => {
                let at = if *last { self.rounds.len() - 1 } else { 0 };
                let round = self.rounds.remove(at);
                let native = self.plan.server == Era::Modern;
                self.retry(&round, if native { Goes::On } else { *goes })
                    .await;
            }
            Step::Retry(..) => {}
            Step::Cancel(at) => {
                let open = self.order.iter().rev();
                let open = open.filter(|id| self.requests[*id].waits()).nth(*at);
                if let Some(id) = open.cloned() {
                    self.cancel(&id).await;
                }
            }
            Step::Stray => {
                let stray = r#"{"jsonrpc":"2.0","id":"stray","result":{}}"#;
                self.rig.send(stray).await;
            }
            Step::Notify if self.is_modern() => {}
            Step::Notify => {
                let changed = r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#;
                self.rig.send(changed).await;
            }
        }
    }

    /// The requests that a client of its dialect makes.
    fn methods(&self) -> Vec<(&'static str, Value)> {
        let uri = json!({ "uri": "file:///a" });
        let mut methods = vec![
            ("tools/call", json!({ "name": "x", "arguments": {} })),
            ("tools/list", json!({})),
            (
                "tools/call",
                json!({ "name": "x", "arguments": { "n": 1 } }),
            ),
            ("resources/read", uri.clone()),
            ("prompts/get", json!({ "name": "p" })),
        ];
        if self.is_modern() {
            let wanted =
                json!({ "toolsListChanged": true, "resourceSubscriptions": ["file:///a"] });
            let logs =
                json!({ "name": "x", "_meta": { "io.modelcontextprotocol/logLevel": "info" } });
            methods.push(("server/discover", json!({})));
            methods.push(("subscriptions/listen", json!({ "notifications": wanted })));
            methods.push(("tools/call", logs));
            if self.plan.server == Era::Legacy {
                methods.push(("ping", json!({})));
            }
        } else {
            methods.push(("ping", json!({})));
            methods.push(("logging/setLevel", json!({ "level": "info" })));
            methods.push(("resources/subscribe", uri.clone()));
            methods.push(("resources/unsubscribe", uri));
        }
        methods
    }

    async fn request(&mut self, method: &str, mut params: Value) -> String {
        let number = self.order.len();
        let id = if number % 3 == 2 {
            json!(format!("r{number}"))
        } else {
            json!(number)
        };
        if method != "initialize" {
            params["_meta"]["progressToken"] = json!(format!("t{number}"));
        }
        if self.is_modern() {
            let meta = &mut params["_meta"];
            meta[format!("{ENVELOPE}protocolVersion")] = "2026-07-28".into();
            meta[format!("{ENVELOPE}clientCapabilities")] = self.capabilities();
        }
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let id = id.to_string();
        self.order.push(id.clone());
        let method = method.to_owned();
        let kept = Request {
            method,
            params,
            cancelled: None,
            answers: 0,
        };
        self.requests.insert(id.clone(), kept);
        self.rig.send(&request.to_string()).await;
        id
    }

    async fn answer(&mut self, agrees: bool) {
        if self.questions.is_empty() {
            return;
        }
        let id = self.questions.remove(0);
        let outcome = if agrees {
            r#""result":{"action":"accept","content":{}}"#
        } else {
            r#""error":{"code":-1,"message":"no"}"#
        };
        self.rig
            .send(&format!(r#"{{"jsonrpc":"2.0","id":{id},{outcome}}}"#))
            .await;
    }

    async fn retry(&mut self, round: &Round, goes: Goes) {
        let mut params = round.params.clone();
        let asked = round.result["inputRequests"].as_object();
        let answers = asked.into_iter().flatten();
        let answers = answers.map(|(key, _)| (key.clone(), json!({ "action": "accept" })));
        let answers: serde_json::Map<_, _> = answers.collect();
        params.as_object_mut().unwrap().remove("inputResponses");
        if !answers.is_empty() {
            params["inputResponses"] = answers.into();
        }
        params["requestState"] = round.result["requestState"].clone();
        match goes {
            Goes::Astray => params["requestState"] = "no such state".into(),
            Goes::Elsewhere => params["name"] = "another".into(),
            Goes::On | Goes::Twice => {}
        }
        self.request(&round.method, params.clone()).await;
        if goes == Goes::Twice {
            self.request(&round.method, params).await;
        }
    }

    async fn cancel(&mut self, id: &str) {
        let request = self.requests.get_mut(id).unwrap();
        if request.method != "initialize" {
            request.cancelled.get_or_insert_with(Instant::now);
        }
        let cancelled = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
        );
        self.rig.send(&cancelled).await;
    }

    /// Every other client cancels all that waits before it leaves: the bridge must take its own questions back then.
    pub async fn settle(&mut self) {
        if self.plan.steps.len().is_multiple_of(2) {
            return;
        }
        for id in self.order.clone() {
            if self.requests[&id].waits() {
                self.cancel(&id).await;
            }
        }
        self.listen(Duration::from_millis(1)).await;
        let left_over = self.plan.mixed() && !self.questions.is_empty();
        let questions = &self.questions;
        self.wrongs.check(!left_over, || {
            format!("nobody waits for {questions:?} any more")
        });
    }

    /// Hears what comes for so long.
    pub async fn listen(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while let Ok(Some(message)) = tokio::time::timeout_at(until, self.rig.output.recv()).await {
            self.hear(&message).await;
        }
    }

    /// Ends the input and hears the rest.
    pub async fn leave(mut self) -> End {
        self.rig.input = None;
        while let Some(message) = self.rig.output.recv().await {
            self.hear(&message).await;
        }
        for (id, request) in &self.requests {
            let right = request.answers == 1 || request.cancelled.is_some();
            self.wrongs
                .check(right, || format!("{id} ({}) has no answer", request.method));
        }
        self.rig.end.await.unwrap()
    }

    async fn hear(&mut self, message: &Message) {
        let text = String::from_utf8(message.line().to_vec()).unwrap();
        if !self.is_modern() {
            let modern = [ENVELOPE, "resultType", "inputRequests", "requestState"];
            let foreign = modern.iter().any(|word| text.contains(word));
            self.wrongs.check(!foreign, || format!("foreign: {text}"));
        }
        match message.kind() {
            Kind::Result | Kind::Error => self.answered(message, &text),
            Kind::Request => self.asked(message, &text).await,
            Kind::Notification => self.told(message, &text),
        }
    }

    fn answered(&mut self, message: &Message, text: &str) {
        let id = message.id().map(Id::raw).unwrap_or_default();
        let Some(request) = self.requests.get_mut(id) else {
            return self.wrongs.add(format!("nobody asked: {text}"));
        };
        let right = request.waits();
        request.answers += 1;
        self.wrongs
            .check(right, || format!("no answer is due: {text}"));
        if message.kind() == Kind::Error {
            return;
        }
        self.opened |= request.method == "initialize";
        if self.plan.client == Era::Legacy {
            return;
        }
        let result = params(message);
        let round = Round {
            method: request.method.clone(),
            params: request.params.clone(),
            result,
        };
        match round.result["resultType"].as_str() {
            Some("complete") => {}
            Some("input_required") => {
                let may = matches!(
                    round.method.as_str(),
                    "tools/call" | "prompts/get" | "resources/read"
                );
                self.wrongs.check(may && self.may_ask(&round.result), || {
                    format!("may not ask: {text}")
                });
                self.rounds.push(round);
            }
            _ => self.wrongs.add(format!("no type: {text}")),
        }
    }

    /// Whether a round asks only for what the client offers; a server of its own dialect answers for itself.
    fn may_ask(&self, result: &Value) -> bool {
        let asked = result["inputRequests"].as_object();
        let mut asked = asked.into_iter().flat_map(|asked| asked.values());
        !self.plan.mixed()
            || self.plan.samples
            || asked.all(|request| request["method"] != "sampling/createMessage")
    }

    async fn asked(&mut self, message: &Message, text: &str) {
        let id = message.id().unwrap().raw().to_owned();
        let offered = self.plan.samples || message.method() != "sampling/createMessage";
        let new = self.asked.insert(id.clone());
        let right = !self.is_modern() && new && (offered || !self.plan.mixed());
        self.wrongs.check(right, || format!("may not ask: {text}"));
        self.questions.push(id);
    }

    fn told(&mut self, message: &Message, text: &str) {
        let params = params(message);
        match message.method() {
            "notifications/progress" => {
                let token = params["progressToken"].as_str().unwrap_or_default();
                let number: Option<usize> = token.trim_start_matches('t').parse().ok();
                let id = number.and_then(|number| self.order.get(number));
                let waits = id.is_some_and(|id| self.requests[id].waits());
                let progress = params["progress"].as_f64().unwrap();
                let before = self.progress.insert(token.to_owned(), progress);
                let rises = before.is_none_or(|before| before < progress);
                // A server that gets a request twice begins anew.
                let right = waits && (rises || !self.plan.mixed());
                self.wrongs.check(right, || format!("no progress: {text}"));
            }
            "notifications/cancelled" => {
                let id = params["requestId"].to_string();
                let known = self.asked.contains(&id);
                self.wrongs.check(known, || format!("nobody asked: {text}"));
                self.questions.retain(|asked| *asked != id);
            }
            "notifications/subscriptions/acknowledged" => {
                let id = params["_meta"][format!("{ENVELOPE}subscriptionId")].to_string();
                let known = self.requests.get(&id).is_some_and(Request::waits);
                self.wrongs
                    .check(known, || format!("not asked for: {text}"));
            }
            _ => {}
        }
    }
}
