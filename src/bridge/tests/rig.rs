//! A bridge to a scripted peer.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use url::Url;

use crate::auth::Authorizer;
use crate::bridge::{
    AtEnd, Audience, Begins, Bridge, End, Options, Order, Protocol, Remote, filter,
};
use crate::error::Failure;
use crate::jsonrpc::Message;
use crate::net::client::{self, Client};
use crate::queue::{self, Receiver, Sender};
use crate::transport::scripted::Scripted;
use crate::transport::stdio::Input;
use crate::transport::{Exchange, Limits, Outgoing, Reply, Transport};

/// A bridge to a scripted peer, with the client's ends of its queues.
pub(in crate::bridge) struct Rig {
    pub input: Option<Sender<Input>>,
    pub output: Receiver<Message>,
    pub stop: Option<oneshot::Sender<()>>,
    pub end: JoinHandle<End>,
    pub sent: Arc<Mutex<Vec<Message>>>,
}

type Script = dyn Fn(&Message) -> Result<Reply, Failure> + Send + Sync;

pub(in crate::bridge) fn options() -> Options {
    Options {
        initialize_wait: Duration::from_secs(8),
        request_timeout: None,
        grace: Duration::from_secs(30),
        ping_interval: None,
        max_message_size: 1 << 20,
        filter: filter::Options::default(),
        begins: Begins::Eager,
        at_end: AtEnd::Leave,
        audience: Audience::Program,
        server: "https://server.example/mcp".to_owned(),
    }
}

/// A network with nobody on it.
pub(in crate::bridge) fn network() -> client::Options {
    client::Options {
        url: Url::parse("http://127.0.0.1:1/mcp").unwrap(),
        proxy: client::Proxy::Direct,
        ca_file: None,
        client_cert: None,
        client_key: None,
        verify: client::Verify::Certificates,
        family: client::Family::Any,
        connect_timeout: Duration::from_secs(1),
        cookies: client::Cookies::Off,
        named_by: client::NamedBy::User,
    }
}

/// Requests that nobody answers.
pub(in crate::bridge) fn exchange(authorizer: Authorizer) -> Arc<Exchange> {
    let network = network();
    let url = network.url.clone();
    let client = Client::new(network).unwrap();
    let limits = Limits {
        headers: None,
        body: None,
        message: 1 << 20,
    };
    let headers = http::HeaderMap::new();
    Arc::new(Exchange::new(client, url, headers, authorizer, limits))
}

pub(in crate::bridge) fn remote(
    scripted: Scripted,
    authorizer: Authorizer,
    protocol: Protocol,
) -> Remote {
    remote_of(exchange(authorizer), scripted, protocol)
}

pub(in crate::bridge) fn remote_of(
    exchange: Arc<Exchange>,
    scripted: Scripted,
    protocol: Protocol,
) -> Remote {
    Remote {
        exchange,
        order: Order::HttpFirst,
        protocol,
        verdicts: None,
        scripted: Some(Transport::Scripted(Arc::new(scripted))),
    }
}

impl Rig {
    pub fn new(
        options: Options,
        script: impl Fn(&Message) -> Result<Reply, Failure> + Send + Sync + 'static,
    ) -> Self {
        Self::with(options, Authorizer::None, script)
    }

    pub fn with(
        options: Options,
        authorizer: Authorizer,
        script: impl Fn(&Message) -> Result<Reply, Failure> + Send + Sync + 'static,
    ) -> Self {
        let script: Arc<Script> = Arc::new(script);
        let sent: Arc<Mutex<Vec<Message>>> = Arc::default();
        let log = Arc::clone(&sent);
        let scripted = Scripted::new(move |outgoing: Outgoing| {
            log.lock().unwrap().push(outgoing.message.clone());
            let reply = script(&outgoing.message);
            async move { reply }.boxed()
        });
        let mut rig = Self::over(options, remote(scripted, authorizer, Protocol::Auto));
        rig.sent = sent;
        rig
    }

    /// A bridge to `remote`; what is sent is not noted.
    pub fn over(options: Options, remote: Remote) -> Self {
        let (to_bridge, input) = queue::bounded(1 << 20);
        let (output, from_bridge) = queue::bounded(1 << 20);
        let (stop, stopped) = oneshot::channel();
        let bridge = Bridge::new(options, remote, output);
        let end = tokio::spawn(bridge.run(input, async {
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
        }));
        Self {
            input: Some(to_bridge),
            output: from_bridge,
            stop: Some(stop),
            end,
            sent: Arc::default(),
        }
    }

    pub async fn send(&self, line: &str) {
        let line = Bytes::from(line.to_owned());
        self.input
            .as_ref()
            .unwrap()
            .send(Input::parse(line))
            .await
            .unwrap();
    }

    pub async fn recv(&mut self) -> String {
        let message = self.output.recv().await.expect("a message");
        String::from_utf8(message.line().to_vec()).unwrap()
    }

    /// Waits until a message of this method has been sent.
    pub async fn until_sent(&self, method: &str) {
        while self.sent(method) == 0 {
            tokio::task::yield_now().await;
        }
    }

    pub fn sent(&self, method: &str) -> usize {
        self.sent
            .lock()
            .unwrap()
            .iter()
            .filter(|message| message.method() == method)
            .count()
    }
}
