//! A sign-in to a server of HTTP+SSE: the transport is found after it, and each request has the token.
#![cfg(unix)]

use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::support::authserver::{AuthServer, Dpop};
use crate::support::browser::Browser;
use crate::support::gate::lock;
use crate::support::http::{Feed, Request, Response};
use crate::support::launch::Launch;
use crate::support::mcp::initialize_result;
use crate::support::proofs::Proofs;
use crate::support::rpc;
use crate::support::server::Server;

const METADATA: &str = "/.well-known/oauth-protected-resource/mcp";

/// A protected server of 2024-11-05 at `/mcp`, which posts to `/messages`.
fn server(auth: &Arc<AuthServer>) -> Server {
    let (auth, feed) = (Arc::clone(auth), Arc::new(Mutex::new(None::<Feed>)));
    let proofs = Proofs::default();
    Server::new(move |request: Request| {
        let base = format!("http://{}", request.header("host").expect("a host"));
        let header = request.header("authorization").unwrap_or_default();
        let (scheme, token) = header.split_once(' ').unwrap_or_default();
        let known = auth.secrets().iter().any(|secret| secret == token);
        let admitted = known
            && match (scheme, auth.state().bound_to(token)) {
                ("Bearer", None) => true,
                ("DPoP", Some(key)) => {
                    let proof = proofs.check(&request, Some(token)).expect("a right proof");
                    assert_eq!(proof.key, key, "a proof of another key");
                    true
                }
                other => panic!("a token with the wrong scheme: {other:?}"),
            };
        let answer = match (request.method.as_str(), request.path.as_str()) {
            ("GET", METADATA) => {
                let document = json!({ "resource": format!("{base}/mcp"), "authorization_servers": [auth.issuer()] });
                Response::json(200, document.to_string())
            }
            _ if !admitted => {
                let challenge = format!("Bearer resource_metadata=\"{base}{METADATA}\"");
                Response::status(401).header("www-authenticate", &challenge)
            }
            ("GET", "/mcp") => {
                let (response, stream) = Response::events();
                stream.send("event: endpoint\ndata: /messages\n\n");
                *lock(&feed) = Some(stream);
                response
            }
            ("POST", "/messages") => {
                let rpc = request.rpc().expect("a message");
                if let Some(id) = rpc.id {
                    let result = match rpc.method.as_deref() {
                        Some("initialize") => initialize_result("2024-11-05"),
                        _ => r#"{"tools":[]}"#.to_owned(),
                    };
                    lock(&feed)
                        .as_ref()
                        .expect("a stream")
                        .event(&rpc::result(&id, &result));
                }
                Response::accepted()
            }
            _ => Response::status(405),
        };
        async move { answer }
    })
}

fn launch(server: &Server, browser: &Browser) -> Launch {
    Launch::new()
        .arg(server.at("/mcp"))
        .args(["--store", "file"])
        .env("BROWSER", browser.command())
}

#[test]
fn a_server_of_http_sse_is_signed_in_to_and_each_request_has_the_token() {
    let auth = Arc::new(AuthServer::new());
    let (server, browser) = (server(&auth), Browser::following());
    let tether = launch(&server, &browser).start();
    assert_eq!(
        tether.initialize().result()["protocolVersion"],
        "2024-11-05"
    );
    assert!(tether.ask("1", "tools/list", "{}").error.is_none());
    assert_eq!(tether.finish(), 0);
    assert_eq!(browser.opened(), 1);
}

#[test]
fn over_http_sse_each_request_has_a_proof_of_its_own_and_so_has_the_stream() {
    let auth = Arc::new(AuthServer::new());
    auth.set(|conduct| conduct.dpop = Dpop::Binds);
    let (server, browser) = (server(&auth), Browser::following());
    let tether = launch(&server, &browser).arg("--dpop").start();
    tether.initialize();
    for id in ["1", "2"] {
        assert!(tether.ask(id, "tools/list", "{}").error.is_none());
    }
    assert_eq!(tether.finish(), 0);
    let sent = server.requests();
    let bound = |method: &str, path: &str| {
        let of = sent.iter().filter(|r| r.method == method && r.path == path);
        of.filter(|r| r.header("dpop").is_some()).count()
    };
    assert!(bound("GET", "/mcp") >= 1, "the stream");
    assert!(bound("POST", "/messages") >= 4, "what is posted");
    assert_eq!(browser.opened(), 1);
}

#[test]
fn after_a_provisional_handshake_the_transport_is_still_found() {
    let auth = Arc::new(AuthServer::new());
    let (server, browser) = (server(&auth), Browser::following());
    let tether = launch(&server, &browser)
        .args(["--initialize-wait", "0.1"])
        .start();
    let provisional = tether.initialize();
    assert!(
        provisional.result()["instructions"]
            .as_str()
            .is_some_and(|text| text.contains("sign_in"))
    );
    let signed_in = tether.call("1", "sign_in", "{}");
    assert!(signed_in.error.is_none(), "{}", signed_in.text);
    tether.notification("notifications/tools/list_changed");
    assert_eq!(
        tether.ask("2", "tools/list", "{}").text,
        rpc::result("2", r#"{"tools":[]}"#)
    );
    assert_eq!(tether.finish(), 0);
}
