//! A working day on which hardly anything is asked: tokens end, streams drop, the machine sleeps. The clocks are virtual, and there is
//! no network.

use std::process::Command;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use http::Method;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::rig::{Rig, exchange, network, options, remote_of};
use crate::auth::Authorizer;
use crate::auth::stage::Stage;
use crate::bridge::sign_in::tests::oauth;
use crate::bridge::{End, Options, Protocol};
use crate::error::Failure;
use crate::jsonrpc::{Kind, Message, reply};
use crate::transport::scripted::{Scripted, Streams};
use crate::transport::{Events, Listening, Outgoing, Reply, Scope};

/// The life of a token, in seconds. It is renewed a minute before its end.
const LIFE: u64 = 3600;

/// The time between pings, in seconds.
const PING: u64 = 30;

/// The time between drops of the stream, in seconds, and how many there are: eight hours.
const STEP: u64 = 600;
const STEPS: usize = 48;

/// The steps before which the machine sleeps for two hours.
const SLEEPS: [usize; 2] = [18, 36];
const SLEEP: Duration = Duration::from_secs(2 * 3600);

/// The step after which memory is where it will be, since all has been done once, waking too, and how much more it may be in the
/// end, in KiB: about 100 bytes for each ping since.
const SETTLED: usize = 20;
const GROWTH: u64 = 64;

/// Three on the first three hours, then one on each waking, three in the next three hours and two in the last two.
const REFRESHES: usize = 3 + 1 + 3 + 1 + 2;

/// The server, and what it sees.
#[derive(Default)]
struct Server {
    stream: Mutex<Option<mpsc::Sender<Result<Message, Failure>>>>,
    opened: AtomicUsize,
    pings: AtomicUsize,
    /// Sessions so far, and those that it has forgotten.
    sessions: AtomicUsize,
    forgotten: AtomicUsize,
    /// Tokens after the first.
    refreshes: AtomicUsize,
    /// When the token ends, by the clock on the wall.
    until: AtomicU64,
    /// What was shown that was not the token of the moment.
    shown: Mutex<Vec<String>>,
}

impl Server {
    fn is_known(&self) -> bool {
        self.sessions.load(Ordering::SeqCst) > self.forgotten.load(Ordering::SeqCst)
    }

    fn gone(&self) -> Failure {
        Failure::SessionGone {
            generation: self.sessions.load(Ordering::SeqCst) as u64,
            refusal: None,
        }
    }

    fn drop_stream(&self) {
        *self.stream.lock().unwrap() = None;
    }

    fn forget(&self) {
        let sessions = self.sessions.load(Ordering::SeqCst);
        self.forgotten.store(sessions, Ordering::SeqCst);
    }

    fn answer(&self, outgoing: &Outgoing, token: &str) -> Result<Reply, Failure> {
        let refreshes = self.refreshes.load(Ordering::SeqCst);
        let ended = Stage::now() >= self.until.load(Ordering::SeqCst);
        if ended || token != format!("Bearer access-{refreshes}") {
            self.shown.lock().unwrap().push(token.to_owned());
        }
        if outgoing.scope == Scope::Session && !self.is_known() {
            return Err(self.gone());
        }
        let message = &outgoing.message;
        if message.kind() != Kind::Request {
            return Ok(Reply::Accepted);
        }
        let mut result = "{}";
        match message.method() {
            "initialize" => {
                self.sessions.fetch_add(1, Ordering::SeqCst);
                result = r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{}}"#;
            }
            "ping" => {
                self.pings.fetch_add(1, Ordering::SeqCst);
            }
            _ => {}
        }
        Ok(Reply::One(reply::result(message.id().unwrap(), result)))
    }

    /// Opens a stream, and says so on it.
    fn listen(&self) -> Result<Listening, Failure> {
        if !self.is_known() {
            return Err(self.gone());
        }
        let (sender, receiver) = mpsc::channel(1);
        let number = self.opened.fetch_add(1, Ordering::SeqCst) + 1;
        let note = reply::notification("notifications/message", &format!(r#"{{"data":{number}}}"#));
        sender.try_send(Ok(note)).unwrap();
        *self.stream.lock().unwrap() = Some(sender);
        Ok(Listening::Stream(Events::Scripted(receiver)))
    }

    fn transport(self: &Arc<Self>, authorizer: Authorizer) -> Scripted {
        let (asked, opened, authorizer) =
            (Arc::clone(self), Arc::clone(self), Arc::new(authorizer));
        let scripted = Scripted::new(move |outgoing| {
            let (server, authorizer) = (Arc::clone(&asked), Arc::clone(&authorizer));
            async move {
                let url = network().url;
                let credentials = authorizer.credentials(&Method::POST, &url).await?;
                let token = credentials.headers.get("authorization");
                let token = token.and_then(|token| token.to_str().ok());
                server.answer(&outgoing, token.unwrap_or_default())
            }
            .boxed()
        });
        scripted.with_streams(Streams {
            open: Box::new(move || opened.listen()),
            shared: None,
        })
    }
}

/// The token endpoint: each refresh token is good once.
fn endpoint(server: &Server, form: &str) -> String {
    let count = server.refreshes.fetch_add(1, Ordering::SeqCst);
    assert!(
        form.contains(&format!("refresh_token=refresh-{count}")),
        "{form}"
    );
    let next = count + 1;
    server.until.store(Stage::now() + LIFE, Ordering::SeqCst);
    format!(
        r#"{{"access_token":"access-{next}","refresh_token":"refresh-{next}","token_type":"Bearer","expires_in":{LIFE}}}"#
    )
}

async fn call(rig: &mut Rig, id: usize) {
    rig.send(&super::call(id as u64)).await;
    let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#);
    assert_eq!(rig.recv().await, answer);
}

/// Pings go on for ever: who waited without an end for a stream that is not opened again would not notice.
async fn heard(rig: &mut Rig, number: usize) {
    let note = format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"data":{number}}}}}"#
    );
    let came = tokio::time::timeout(Duration::from_secs(1), rig.recv()).await;
    assert_eq!(came.expect("the stream is open"), note);
}

/// Set for a test that has its process for itself.
const ALONE: &str = "MCP_TETHER_ALONE";

/// Memory of its own in KiB, without pages of files, which come and go, where the system tells and this test has its process for itself.
fn memory() -> Option<u64> {
    std::env::var_os(ALONE)?;
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Eight hours; how many tasks there are, first and last.
async fn day(rig: &mut Rig, server: &Server, stage: &Stage) -> usize {
    let metrics = Handle::current().metrics();
    let (mut tasks, mut before) = (0, None);
    for step in 1..=STEPS {
        tokio::time::sleep(Duration::from_secs(STEP) - Duration::from_secs(5)).await;
        if step == 1 {
            tasks = metrics.num_alive_tasks();
        }
        if SLEEPS.contains(&step) {
            stage.sleep(SLEEP);
            server.forget();
        }
        server.drop_stream();
        // It is open again within the two seconds over which bridges come back.
        tokio::time::sleep(Duration::from_secs(5)).await;
        heard(rig, step + 1).await;
        if step % 12 == 0 {
            call(rig, step).await;
        }
        if step == SETTLED {
            before = memory();
        }
    }
    let after = memory();
    if let (Some(before), Some(after)) = (before, after) {
        println!("| 8 h idle | {before} KiB after the first waking | {after} KiB at the end |");
        assert!(after <= before + GROWTH, "memory has grown");
    }
    assert_eq!(metrics.num_alive_tasks(), tasks, "no task is left over");
    tasks
}

#[tokio::test(start_paused = true)]
async fn after_eight_hours_of_drops_ended_tokens_and_sleep_a_call_works_and_nothing_has_grown() {
    let server = Arc::new(Server::default());
    let gives = Arc::clone(&server);
    let stage = Stage::new(move |form| endpoint(&gives, form));
    let oauth = oauth();
    stage.signed_in(&oauth, LIFE).await;
    server.until.store(Stage::now() + LIFE, Ordering::SeqCst);
    let options = Options {
        ping_interval: Some(Duration::from_secs(PING)),
        ..options()
    };
    let transport = server.transport(Authorizer::Oauth(Arc::clone(&oauth)));
    let exchange = exchange(Authorizer::Oauth(oauth));
    let mut rig = Rig::over(options, remote_of(exchange, transport, Protocol::Legacy));
    rig.send(r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{}}}"#)
        .await;
    assert!(rig.recv().await.contains("2025-06-18"));
    rig.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
        .await;
    heard(&mut rig, 1).await;
    let begun = Stage::now();
    let tasks = day(&mut rig, &server, &stage).await;
    let slept = SLEEP.as_secs() * SLEEPS.len() as u64;
    let awake = Stage::now() - begun - slept;
    assert!((28_800..28_830).contains(&awake), "{awake}");
    let count = |what: &AtomicUsize| what.load(Ordering::SeqCst);
    assert_eq!(count(&server.opened), 1 + STEPS, "streams");
    assert_eq!(count(&server.sessions), 1 + SLEEPS.len(), "sessions");
    assert_eq!(count(&server.refreshes), REFRESHES, "refreshes");
    let due = usize::try_from(awake / PING).unwrap();
    assert!(
        (due - 2..=due).contains(&count(&server.pings)),
        "{} pings, not {due}",
        count(&server.pings)
    );
    assert_eq!(*server.shown.lock().unwrap(), [""; 0], "no other token");
    println!(
        "| 8 h idle | {} streams | {} sessions | {} refreshes | {} pings | {tasks} tasks |",
        count(&server.opened),
        count(&server.sessions),
        count(&server.refreshes),
        count(&server.pings),
    );
    rig.input = None;
    assert_eq!(rig.end.await.unwrap(), End::Input);
    assert!(rig.output.recv().await.is_none(), "nothing else was said");
}

/// What other tests do at the same time would count, too.
#[test]
fn alone_in_its_process_memory_does_not_grow_in_eight_hours() {
    let test = "bridge::tests::idle::after_eight_hours_of_drops_ended_tokens_and_sleep_a_call_works_and_nothing_has_grown";
    let mut alone = Command::new(std::env::current_exe().unwrap());
    alone.args(["--exact", test, "--nocapture"]).env(ALONE, "1");
    let ended = alone.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    said.lines()
        .filter(|line| line.contains("KiB"))
        .for_each(|line| println!("{line}"));
    assert!(
        ended.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&ended.stderr)
    );
}
