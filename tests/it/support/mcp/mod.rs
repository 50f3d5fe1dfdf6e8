//! Scripted MCP servers. This file holds what those of the legacy revisions share: the
//! hooks, a call as a hook sees it, and the answers when no hook is set.

mod legacy;
mod modern;
mod rules;
mod sse;
mod websocket;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

pub use self::legacy::{Legacy, LegacyPlan};
pub use self::modern::{HELD, Modern, REFUSED};
pub use self::sse::Sse;
pub use self::websocket::WebSocket;
use super::gate::lock;
use super::http::{Feed, Request, Response};
use super::rpc::{self, Rpc};

/// The hook name for answers that the client POSTs to the server's own requests.
pub const ANSWER: &str = "(answer)";

/// The newest legacy revision.
pub const LATEST: &str = "2025-11-25";

/// The tools of the scripted servers, as raw JSON.
pub const TOOLS: &str = r#"{"tools":[{"name":"echo","description":"Gives its arguments back","inputSchema":{"type":"object","properties":{"text":{"type":"string"}}},"annotations":{"readOnlyHint":true}},{"name":"add","description":"Adds a and b","inputSchema":{"type":"object","properties":{"a":{"type":"number"},"b":{"type":"number"}},"required":["a","b"]},"annotations":{"readOnlyHint":true}},{"name":"slow","description":"Takes ms milliseconds in steps","inputSchema":{"type":"object","properties":{"ms":{"type":"integer"},"steps":{"type":"integer"}}}}]}"#;

/// One message from the client, as a hook sees it.
#[derive(Clone)]
pub struct Call {
    /// The HTTP request that brought it.
    pub request: Request,
    /// The message. For the hooks `GET` and `DELETE` there is none.
    pub rpc: Option<Rpc>,
    /// The session's event stream, on HTTP+SSE.
    pub feed: Option<Feed>,
}

impl Call {
    /// The id's raw text; `null` when there is none.
    pub fn id(&self) -> &str {
        let id = self.rpc.as_ref().and_then(|rpc| rpc.id.as_deref());
        id.unwrap_or("null")
    }

    /// The params as a value.
    pub fn params(&self) -> Value {
        self.rpc.as_ref().map_or(Value::Null, Rpc::params)
    }

    /// The text of the answer with that raw result.
    pub fn result(&self, result: &str) -> String {
        rpc::result(self.id(), result)
    }

    /// The text of the error answer.
    pub fn error(&self, code: i64, message: &str) -> String {
        rpc::error(self.id(), code, message)
    }

    /// The text of the answer with one text block.
    pub fn says(&self, text: &str) -> String {
        self.result(&said(text))
    }

    /// The answer as a 200 JSON response.
    pub fn reply(&self, result: &str) -> Response {
        Response::json(200, self.result(result))
    }

    /// The error answer as a 200 JSON response.
    pub fn refuse(&self, code: i64, message: &str) -> Response {
        Response::json(200, self.error(code, message))
    }

    /// The text of a progress notification for this call, if it asked for progress.
    pub fn progress(&self, done: u64, total: u64) -> Option<String> {
        #[derive(Deserialize)]
        struct Params {
            #[serde(rename = "_meta")]
            meta: Option<Meta>,
        }
        #[derive(Deserialize)]
        struct Meta {
            #[serde(rename = "progressToken")]
            token: Option<Box<RawValue>>,
        }
        let params = self.rpc.as_ref()?.params.as_deref()?;
        let params: Params = serde_json::from_str(params).ok()?;
        let token = params.meta?.token?;
        let params = format!(r#"{{"progressToken":{token},"progress":{done},"total":{total}}}"#);
        Some(rpc::notification("notifications/progress", &params))
    }
}

type Hooked<R> = Pin<Box<dyn Future<Output = R> + Send>>;
type Hook<R> = Arc<dyn Fn(Call) -> Hooked<R> + Send + Sync>;

/// A hook and how often it may still be used; `usize::MAX` is without end.
type Counted<R> = (usize, Hook<R>);

/// What a test put in the place of the default answers, by method.
struct Hooks<R>(Mutex<HashMap<String, Vec<Counted<R>>>>);

impl<R> Default for Hooks<R> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<R> Hooks<R> {
    /// Adds a hook for the next `times` calls that no earlier hook takes.
    fn add<H, F>(&self, times: usize, method: &str, hook: H)
    where
        H: Fn(Call) -> F + Send + Sync + 'static,
        F: Future<Output = R> + Send + 'static,
    {
        let hook: Hook<R> = Arc::new(move |call| Box::pin(hook(call)));
        let mut hooks = lock(&self.0);
        hooks
            .entry(method.to_owned())
            .or_default()
            .push((times, hook));
    }

    /// Takes away all hooks of a method.
    fn clear(&self, method: &str) {
        lock(&self.0).remove(method);
    }

    /// The hook for the next call, counted off.
    fn take(&self, method: &str) -> Option<Hook<R>> {
        let mut hooks = lock(&self.0);
        let (left, hook) = hooks
            .get_mut(method)?
            .iter_mut()
            .find(|(left, _)| *left > 0)?;
        *left = left.saturating_sub(usize::from(*left != usize::MAX));
        Some(Arc::clone(hook))
    }
}

/// The raw result that holds one text block.
pub fn said(text: &str) -> String {
    let text = Value::from(text);
    format!(r#"{{"content":[{{"type":"text","text":{text}}}]}}"#)
}

/// The raw `InitializeResult` of that revision.
pub fn initialize_result(version: &str) -> String {
    format!(
        r#"{{"protocolVersion":"{version}","capabilities":{{"tools":{{"listChanged":true}},"resources":{{"subscribe":true}},"prompts":{{}},"logging":{{}}}},"serverInfo":{{"name":"scripted","version":"1.0.0"}}}}"#
    )
}

/// The default answer's text to a request other than `initialize`. Progress goes to `progress`.
async fn answer(call: &Call, progress: impl Fn(&str)) -> String {
    let method = call.rpc.as_ref().and_then(|rpc| rpc.method.as_deref());
    match method.unwrap_or_default() {
        "ping" | "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe" => {
            call.result("{}")
        }
        "tools/list" => call.result(TOOLS),
        "resources/list" => call.result(r#"{"resources":[]}"#),
        "resources/templates/list" => call.result(r#"{"resourceTemplates":[]}"#),
        "prompts/list" => call.result(r#"{"prompts":[]}"#),
        "tools/call" => call_tool(call, progress).await,
        other => call.error(-32601, &format!("no method {other}")),
    }
}

async fn call_tool(call: &Call, progress: impl Fn(&str)) -> String {
    #[derive(Deserialize)]
    struct Params {
        name: String,
        arguments: Option<Box<RawValue>>,
    }
    let raw = call.rpc.as_ref().and_then(|rpc| rpc.params.as_deref());
    let Ok(params) = serde_json::from_str::<Params>(raw.unwrap_or_default()) else {
        return call.error(-32602, "no tool name");
    };
    let raw = params.arguments.as_deref().map_or("{}", RawValue::get);
    let arguments: Value = serde_json::from_str(raw).expect("raw JSON is JSON");
    match params.name.as_str() {
        "echo" => {
            let text = Value::from(arguments["text"].as_str().unwrap_or_default());
            // The raw arguments, so that a test can compare bytes after the way there and back.
            call.result(&format!(
                r#"{{"content":[{{"type":"text","text":{text}}}],"structuredContent":{raw}}}"#
            ))
        }
        "add" => {
            let number = |name: &str| arguments[name].as_f64().unwrap_or_default();
            call.says(&(number("a") + number("b")).to_string())
        }
        "slow" => {
            let steps = arguments["steps"].as_u64().unwrap_or(1).max(1);
            let pause = arguments["ms"].as_u64().unwrap_or(0) / steps;
            for step in 1..=steps {
                tokio::time::sleep(Duration::from_millis(pause)).await;
                if let Some(note) = call.progress(step, steps) {
                    progress(&note);
                }
            }
            call.says("done")
        }
        other => call.error(-32602, &format!("no tool {other}")),
    }
}
