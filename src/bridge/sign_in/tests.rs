use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::auth::browser::SafeUrl;
use crate::auth::loopback::Host;
use crate::auth::options::{Browser, Callback, Device, Grant, Identity, Options, Request};
use crate::auth::{Authorizer, Oauth, SignIn};
use crate::bridge::tests::{Rig, network, options};
use crate::bridge::{AtEnd, Begins, Options as Bridge};
use crate::error::{Failure, Refusal};
use crate::jsonrpc::{Kind, reply};
use crate::store;
use crate::transport::Reply;

const URL: &str = "https://as.example/authorize?state=s";

/// A server that wants a sign-in until it is told that there was one.
struct Scene {
    rig: Rig,
    oauth: Arc<Oauth>,
    open: Arc<AtomicBool>,
    begun: Instant,
}

pub(in crate::bridge) fn oauth() -> Arc<Oauth> {
    let network = network();
    Arc::new(Oauth::new(Options {
        grant: Grant::Person,
        token_endpoint: None,
        server: network.url.clone(),
        network,
        profile: "default".to_owned(),
        store: store::Kind::Memory,
        folders: None,
        client: Identity::default(),
        request: Request::default(),
        checks: crate::auth::discovery::Checks::default(),
        pkce: crate::auth::flow::PkceCheck::Required,
        callback: Callback {
            host: Some(Host::Ipv4),
            port: None,
            path: "/oauth/callback".to_owned(),
            success: None,
        },
        browser: Browser::None,
        dpop: crate::auth::dpop::Use::WhenAsked,
        sends: crate::auth::options::Sends::AccessToken,
        device: Device::Never,
        timeout: Duration::from_secs(300),
    }))
}

fn refused() -> Failure {
    Failure::SignInNeeded(Box::new(Refusal {
        status: 401,
        retry_after: None,
        excerpt: None,
        message: None,
        location: None,
        authorization_given: false,
    }))
}

impl Scene {
    /// `open` methods need no sign-in.
    fn new(options: Bridge, public: &'static [&'static str]) -> Self {
        let (oauth, open) = (oauth(), Arc::new(AtomicBool::new(false)));
        let is_open = Arc::clone(&open);
        let authorizer = Authorizer::Oauth(Arc::clone(&oauth));
        let rig = Rig::with(options, authorizer, move |message| {
            if !is_open.load(Ordering::Relaxed) && !public.contains(&message.method()) {
                return Err(refused());
            }
            if message.kind() != Kind::Request {
                return Ok(Reply::Accepted);
            }
            let result = match message.method() {
                "initialize" => {
                    r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{}}"#
                }
                "tools/list" => r#"{"tools":[{"name":"real"}]}"#,
                _ => "{}",
            };
            Ok(Reply::One(reply::result(message.id().unwrap(), result)))
        });
        Self {
            rig,
            oauth,
            open,
            begun: Instant::now(),
        }
    }

    fn started(&self) {
        let url = SafeUrl::new(URL).unwrap();
        self.oauth.set_status(SignIn::Started(url.into()));
    }

    fn signed_in(&self) {
        self.open.store(true, Ordering::Relaxed);
        self.oauth.set_status(SignIn::Done);
    }

    async fn ask(&self, id: u64, method: &str, params: &str) {
        let line =
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#);
        self.rig.send(&line).await;
    }

    async fn initialize(&mut self, capabilities: &str) -> Value {
        let params = format!(r#"{{"protocolVersion":"2025-11-25","capabilities":{capabilities}}}"#);
        self.ask(0, "initialize", &params).await;
        let answer = self.recv().await;
        self.rig
            .send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
            .await;
        answer
    }

    async fn recv(&mut self) -> Value {
        serde_json::from_str(&self.rig.recv().await).unwrap()
    }

    fn seconds(&self) -> u64 {
        self.begun.elapsed().as_secs()
    }
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap()
}

#[tokio::test(start_paused = true)]
async fn initialize_waits_8_seconds_and_is_then_answered_with_the_address() {
    let mut scene = Scene::new(options(), &[]);
    scene.started();
    let answer = scene.initialize("{}").await;
    assert_eq!(scene.seconds(), 8);
    let result = &answer["result"];
    assert_eq!(result["protocolVersion"], "2025-11-25");
    assert!(result["instructions"].as_str().unwrap().contains(URL));
    for list in ["tools", "resources", "prompts"] {
        assert_eq!(result["capabilities"][list]["listChanged"], true, "{list}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_within_the_wait_leads_to_the_real_answer() {
    let mut scene = Scene::new(options(), &[]);
    scene.started();
    scene
        .ask(0, "initialize", r#"{"protocolVersion":"2025-11-25"}"#)
        .await;
    tokio::time::sleep(Duration::from_secs(7)).await;
    scene.signed_in();
    assert_eq!(
        scene.recv().await["result"]["protocolVersion"],
        "2025-06-18"
    );
    assert_eq!(scene.rig.sent("initialize"), 2);
}

#[tokio::test(start_paused = true)]
async fn every_request_in_between_is_answered_and_none_of_the_lists_reaches_the_server() {
    let mut scene = Scene::new(options(), &[]);
    scene.started();
    scene.initialize("{}").await;
    for (id, method, member) in [
        (1, "resources/list", "resources"),
        (2, "resources/templates/list", "resourceTemplates"),
        (3, "prompts/list", "prompts"),
        (4, "tools/list", "tools"),
    ] {
        scene.ask(id, method, "{}").await;
        let answer = scene.recv().await;
        let list = answer["result"][member].as_array().unwrap();
        let names: Vec<_> = list.iter().map(|item| &item["name"]).collect();
        if id == 4 {
            assert_eq!(names, ["sign_in"]);
        } else {
            assert!(names.is_empty(), "{method}");
        }
        assert_eq!(scene.rig.sent(method), 0);
    }
    scene.ask(5, "ping", "{}").await;
    assert_eq!(scene.recv().await["result"], serde_json::json!({}));
}

#[tokio::test(start_paused = true)]
async fn the_tool_gives_the_address_after_45_seconds_and_shows_progress_every_5() {
    let mut scene = Scene::new(options(), &[]);
    scene.started();
    scene.initialize("{}").await;
    scene.begun = Instant::now();
    let call = r#"{"name":"sign_in","_meta":{"progressToken":7}}"#;
    scene.ask(1, "tools/call", call).await;
    for step in 0..9 {
        let progress = scene.recv().await;
        assert_eq!(progress["params"]["progressToken"], 7);
        assert!(
            progress["params"]["message"]
                .as_str()
                .unwrap()
                .contains(URL)
        );
        assert_eq!(scene.seconds(), step * 5);
    }
    let answer = scene.recv().await;
    assert_eq!(scene.seconds(), 45);
    assert!(text(&answer).contains(URL) && answer["result"].get("isError").is_none());
}

#[tokio::test(start_paused = true)]
async fn after_the_sign_in_come_the_real_handshake_and_the_lists() {
    let mut scene = Scene::new(options(), &[]);
    scene.started();
    scene.initialize("{}").await;
    scene.ask(1, "tools/call", r#"{"name":"sign_in"}"#).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    scene.signed_in();
    let mut changed = Vec::new();
    for _ in 0..4 {
        let message = scene.recv().await;
        if message["id"] == 1 {
            assert!(text(&message).contains("Signed in"));
        } else {
            changed.push(message["method"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(
        changed,
        ["tools", "resources", "prompts"].map(|list| format!("notifications/{list}/list_changed"))
    );
    assert_eq!(scene.rig.sent("notifications/initialized"), 1);
    scene.ask(2, "tools/list", "{}").await;
    assert_eq!(scene.recv().await["result"]["tools"][0]["name"], "real");
    // Announced, and the server has none.
    scene.ask(3, "prompts/list", "{}").await;
    assert_eq!(
        scene.recv().await["result"]["prompts"],
        serde_json::json!([])
    );
    assert_eq!(scene.rig.sent("prompts/list"), 0);
    scene.ask(4, "tools/call", r#"{"name":"sign_in"}"#).await;
    assert!(text(&scene.recv().await).contains("signed in"));
}

#[tokio::test(start_paused = true)]
async fn a_later_request_waits_45_seconds_and_its_error_names_the_address() {
    let mut scene = Scene::new(options(), &["initialize", "notifications/initialized"]);
    assert_eq!(
        scene.initialize("{}").await["result"]["protocolVersion"],
        "2025-06-18"
    );
    scene.started();
    scene.begun = Instant::now();
    scene.ask(1, "tools/list", "{}").await;
    let answer = scene.recv().await;
    assert_eq!(
        (scene.seconds(), &answer["error"]["code"]),
        (45, &(-31004).into())
    );
    assert!(answer["error"]["message"].as_str().unwrap().contains(URL));
    let hint = answer["error"]["data"]["hint"].as_str().unwrap();
    assert!(hint.contains("mcp-tether login https://server.example/mcp"));
}

#[tokio::test(start_paused = true)]
async fn on_demand_answers_the_handshake_at_once_and_only_a_tool_call_begins() {
    let mut scene = Scene::new(
        Bridge {
            begins: Begins::OnDemand,
            ..options()
        },
        &[],
    );
    scene.initialize("{}").await;
    scene.ask(1, "tools/list", "{}").await;
    assert_eq!(scene.recv().await["result"]["tools"][0]["name"], "sign_in");
    scene.ask(2, "logging/setLevel", "{}").await;
    assert_eq!(scene.recv().await["error"]["code"], -31004);
    assert_eq!(scene.seconds(), 0);
    assert!(matches!(*scene.oauth.status().borrow(), SignIn::Idle));
}

#[tokio::test(start_paused = true)]
async fn a_user_who_said_no_is_not_asked_by_lists_again() {
    let mut scene = Scene::new(options(), &["initialize", "notifications/initialized"]);
    scene.initialize("{}").await;
    scene.oauth.set_status(SignIn::Failed(Failure::SignIn {
        what: "the sign-in was refused".to_owned(),
        hint: String::new(),
    }));
    scene.ask(1, "tools/list", "{}").await;
    let answer = scene.recv().await;
    assert_eq!(answer["error"]["message"], "the sign-in was refused");
    assert!(!scene.oauth.status().borrow().is_running());
}

#[tokio::test(start_paused = true)]
async fn the_end_of_input_ends_the_wait_unless_somebody_is_at_a_terminal() {
    let mut scene = Scene::new(options(), &[]);
    scene.started();
    scene.ask(0, "initialize", "{}").await;
    scene.rig.input = None;
    let answer = scene.recv().await;
    assert_eq!(
        (scene.seconds(), &answer["error"]["code"]),
        (0, &(-31004).into())
    );
    let hint = answer["error"]["data"]["hint"].as_str().unwrap();
    assert!(
        hint.contains("mcp-tether login https://server.example/mcp"),
        "{hint}"
    );

    let mut scene = Scene::new(
        Bridge {
            at_end: AtEnd::Stay(Duration::from_secs(300)),
            ..options()
        },
        &[],
    );
    scene.started();
    scene.ask(0, "initialize", "{}").await;
    scene.rig.input = None;
    tokio::time::sleep(Duration::from_secs(200)).await;
    scene.signed_in();
    assert_eq!(
        scene.recv().await["result"]["protocolVersion"],
        "2025-06-18"
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_shows_addresses_is_asked_once_and_told_when_it_is_done() {
    let mut scene = Scene::new(options(), &["initialize", "notifications/initialized"]);
    scene.initialize(r#"{"elicitation":{"url":{}}}"#).await;
    scene.started();
    scene.ask(1, "tools/list", "{}").await;
    let asked = scene.recv().await;
    assert_eq!(asked["method"], "elicitation/create");
    assert_eq!(
        (&asked["params"]["mode"], &asked["params"]["url"]),
        (&"url".into(), &URL.into())
    );
    let answer = format!(
        r#"{{"jsonrpc":"2.0","id":{},"result":{{"action":"accept"}}}}"#,
        asked["id"]
    );
    scene.rig.send(&answer).await;
    scene.ask(2, "tools/list", "{}").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    scene.signed_in();
    let mut done = 0;
    for _ in 0..3 {
        let message = scene.recv().await;
        if message["method"] == "notifications/elicitation/complete" {
            assert_eq!(
                message["params"]["elicitationId"],
                asked["params"]["elicitationId"]
            );
            done += 1;
        } else {
            assert_eq!(message["result"]["tools"][0]["name"], "real");
        }
    }
    assert_eq!(done, 1);
}

#[tokio::test(start_paused = true)]
async fn a_user_who_declines_ends_the_sign_in() {
    let mut scene = Scene::new(options(), &["initialize", "notifications/initialized"]);
    scene.initialize(r#"{"elicitation":{"url":{}}}"#).await;
    scene.ask(1, "tools/list", "{}").await;
    scene.started();
    let asked = scene.recv().await;
    let answer = format!(
        r#"{{"jsonrpc":"2.0","id":{},"result":{{"action":"decline"}}}}"#,
        asked["id"]
    );
    scene.rig.send(&answer).await;
    let answer = scene.recv().await;
    assert_eq!(answer["error"]["message"], "the user declined to sign in");
}
