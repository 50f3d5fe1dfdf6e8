//! The fake server on the wire: streams, breaks, restarts, TLS, and how it fails a test.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, ClientBuilder};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::block_on;
use crate::support::http::{Request, Response};
use crate::support::server::{Plan, Server};
use crate::support::tls::Ca;

fn client() -> ClientBuilder {
    let roots = rustls::RootCertStore::empty();
    Client::builder()
        .no_proxy()
        .tls_backend_preconfigured(tls(roots, None))
}

fn tls(roots: rustls::RootCertStore, identity: Option<(String, String)>) -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    match identity {
        None => config.with_no_client_auth(),
        Some((cert, key)) => {
            let cert = CertificateDer::from_pem_slice(cert.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            config.with_client_auth_cert(vec![cert], key).unwrap()
        }
    }
}

fn trusting(ca: &Ca, identity: Option<(String, String)>) -> Client {
    let mut roots = rustls::RootCertStore::empty();
    let pem = std::fs::read(ca.file()).unwrap();
    roots
        .add(CertificateDer::from_pem_slice(&pem).unwrap())
        .unwrap();
    let mut config = tls(roots, identity);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Client::builder()
        .no_proxy()
        .tls_backend_preconfigured(config)
        .build()
        .unwrap()
}

/// The text of a panic that the closure must end with.
fn panic_of(test: impl FnOnce() + Send + 'static) -> String {
    let panic = std::thread::spawn(test).join().expect_err("it panics");
    *panic.downcast::<String>().expect("a text")
}

#[test]
fn requests_are_logged_with_connection_and_body() {
    let server = Server::new(|request: Request| async move { Response::json(200, request.body) });
    let client = client().build().unwrap();
    let body = block_on(async {
        let post = |n: u8| {
            client
                .post(server.at("/x?q=1"))
                .body(format!("[{n}]"))
                .header("a", "b")
        };
        post(1).send().await.unwrap().bytes().await.unwrap();
        post(2).send().await.unwrap().text().await.unwrap()
    });
    assert_eq!(body, "[2]");
    let log = server.wait_requests(2);
    assert_eq!(
        (log[1].path.as_str(), log[1].query.as_deref()),
        ("/x", Some("q=1"))
    );
    assert_eq!(
        (log[0].text().as_str(), log[0].header("a")),
        ("[1]", Some("b"))
    );
    assert!(log[0].at <= log[1].at);
    assert_eq!((server.connections(), log[1].connection), (1, 1));
}

#[test]
fn a_feed_streams_and_every_break_keeps_what_was_sent() {
    let server = Server::new(|request: Request| async move {
        let (response, feed) = Response::events();
        feed.event_with_id("7", "a\nb");
        // More than any buffer on the way holds.
        feed.send(vec![b'x'; 1 << 20]);
        match request.path.as_str() {
            "/end" => feed.end(),
            "/cut" => feed.cut(),
            "/drop" => drop(feed),
            other => panic!("{other}"),
        }
        response
    });
    let client = client().build().unwrap();
    for (path, clean) in [("/end", true), ("/drop", true), ("/cut", false)] {
        let (bytes, ending) = block_on(async {
            let mut response = client.get(server.at(path)).send().await.unwrap();
            let mut bytes = Vec::new();
            loop {
                match response.chunk().await {
                    Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                    Ok(None) => break (bytes, true),
                    Err(_) => break (bytes, false),
                }
            }
        });
        assert_eq!(ending, clean, "{path}");
        assert!(
            bytes.starts_with(b"id: 7\ndata: a\ndata: b\n\nxxx"),
            "{path}"
        );
        assert_eq!(bytes.len(), 23 + (1 << 20), "{path}");
    }
}

#[test]
fn a_client_that_leaves_opens_the_gate() {
    let (feeds, fed) = std::sync::mpsc::channel();
    let server = Server::new(move |_| {
        let feeds = feeds.clone();
        async move {
            let (response, feed) = Response::events();
            feed.event("1");
            feeds.send(feed).unwrap();
            response
        }
    });
    block_on(async {
        let client = client().build().unwrap();
        let mut response = client.get(server.at("/")).send().await.unwrap();
        assert_eq!(response.chunk().await.unwrap().unwrap(), "data: 1\n\n");
    });
    fed.recv().unwrap().gone().wait("the client to leave");
}

#[test]
fn answers_can_be_missing_reset_or_short() {
    let server = Server::new(|request: Request| async move {
        match request.path.as_str() {
            "/stall" => Response::stall(),
            "/reset" => Response::reset(),
            _ => Response::truncated(200, "{\"half\":", 10),
        }
    });
    let client = client()
        .timeout(Duration::from_millis(300))
        .build()
        .unwrap();
    block_on(async {
        let stall = client.get(server.at("/stall")).send().await.unwrap_err();
        assert!(stall.is_timeout());
        let reset = client.get(server.at("/reset")).send().await.unwrap_err();
        assert!(!reset.is_timeout(), "{reset:?}");
        assert!(format!("{reset:?}").contains("reset"), "{reset:?}");
        let short = client.get(server.at("/short")).send().await.unwrap();
        assert_eq!(short.content_length(), Some(18));
        assert!(!short.bytes().await.unwrap_err().is_timeout());
    });
}

#[test]
fn a_server_stops_and_starts_on_its_port() {
    let server = Plan::default()
        .down()
        .serve(|_| async { Response::accepted() });
    let client = client().build().unwrap();
    let get = || block_on(client.get(server.at("/")).send());
    assert!(get().unwrap_err().is_connect());
    server.start();
    server.start();
    assert_eq!(get().unwrap().status(), 202);
    for _ in 0..3 {
        server.stop();
        assert!(get().unwrap_err().is_connect());
        server.start();
        assert_eq!(get().unwrap().status(), 202);
    }
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn tls_is_trusted_by_its_ca_alone_and_offers_http2_when_asked() {
    let ca = Ca::new();
    let server = Plan::default()
        .tls(&ca)
        .serve(|_| async { Response::html(200, "<p>") });
    let second = Plan::default()
        .tls(&ca)
        .http2()
        .serve(|_| async { Response::accepted() });
    let stranger = client().build().unwrap();
    block_on(async {
        assert!(
            stranger
                .get(server.at("/"))
                .send()
                .await
                .unwrap_err()
                .is_connect()
        );
        let client = trusting(&ca, None);
        let answer = client.get(server.at("/")).send().await.unwrap();
        assert_eq!(answer.version(), reqwest::Version::HTTP_11);
        assert_eq!(answer.text().await.unwrap(), "<p>");
        let answer = client.get(second.at("/")).send().await.unwrap();
        assert_eq!(answer.version(), reqwest::Version::HTTP_2);
    });
}

#[test]
fn mutual_tls_wants_the_clients_certificate() {
    let ca = Ca::new();
    let server = Plan::default()
        .mutual_tls(&ca)
        .serve(|_| async { Response::accepted() });
    block_on(async {
        assert!(
            trusting(&ca, None)
                .get(server.at("/"))
                .send()
                .await
                .is_err()
        );
        let (cert, key) = ca.client_files();
        let identity = (
            std::fs::read_to_string(cert).unwrap(),
            std::fs::read_to_string(key).unwrap(),
        );
        let answer = trusting(&ca, Some(identity))
            .get(server.at("/"))
            .send()
            .await;
        assert_eq!(answer.unwrap().status(), 202);
    });
}

#[test]
fn a_panic_in_a_handler_fails_the_test() {
    let text = panic_of(|| {
        let server = Server::new(|_| async { panic!("boom") });
        let client = client().build().unwrap();
        assert!(block_on(client.get(server.at("/")).send()).is_err());
    });
    assert!(text.contains("handler panicked: boom"), "{text}");
}

#[test]
fn a_server_that_nobody_asks_fails_the_test_unless_it_may_idle() {
    let text = panic_of(|| drop(Server::new(|_| async { Response::accepted() })));
    assert!(text.contains("nobody asked http://127.0.0.1:"), "{text}");
    Server::new(|_| async { Response::accepted() }).allow_idle();
}
