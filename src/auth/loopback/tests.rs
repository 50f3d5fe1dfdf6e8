use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use url::Url;

use super::{Announced, Callback, End, Host, Listener, NotBound, Outcome, Port};
use crate::error::Failure;
use crate::secret::Secret;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

fn state() -> Secret {
    Secret::new("s3cret".to_owned())
}

async fn listener() -> Listener {
    Listener::bind(Host::Ipv4, Port::Any, "/cb").await.unwrap()
}

async fn connect(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).await.unwrap()
}

async fn read(mut stream: TcpStream) -> String {
    let mut text = String::new();
    let read = stream.read_to_string(&mut text);
    timeout(LONG, read).await.unwrap().unwrap();
    text
}

/// Sends bytes and does not wait for the answer.
async fn send(port: u16, request: &str) -> TcpStream {
    let mut stream = connect(port).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn ask(port: u16, request: &str) -> String {
    read(send(port, request).await).await
}

fn get(port: u16, target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/html\r\n\r\n")
}

fn check_headers(answer: &str) {
    for header in [
        "Connection: close",
        "Cache-Control: no-store",
        "Referrer-Policy: no-referrer",
        "X-Content-Type-Options: nosniff",
        "Content-Security-Policy: default-src 'none'; style-src 'sha256-",
    ] {
        assert!(
            answer.contains(&format!("\r\n{header}")),
            "{header}: {answer}"
        );
    }
    assert!(!answer.contains("s3cret"), "{answer}");
}

/// Waits for the callback while a browser asks for `query`; gives both ends.
async fn meet(listener: &mut Listener, query: &str) -> (Callback, TcpStream) {
    let request = get(listener.port(), &format!("/cb?{query}"));
    let browser = send(listener.port(), &request).await;
    let callback = timeout(LONG, listener.callback(&state())).await.unwrap();
    (callback, browser)
}

fn is_pending(browser: &TcpStream) -> bool {
    let read = browser.try_read(&mut [0]);
    read.is_err_and(|wrong| wrong.kind() == ErrorKind::WouldBlock)
}

#[tokio::test]
async fn the_page_says_success_only_when_told_so() {
    let mut listener = listener().await;
    let uri = format!("http://127.0.0.1:{}/cb", listener.port());
    assert_eq!(listener.redirect_uri(), uri);
    let (callback, browser) = meet(&mut listener, "code=c0de&state=s3cret").await;
    let outcome = callback.response().outcome("x", Announced::No);
    assert_eq!(outcome, Ok(&Outcome::Code(Secret::new("c0de".to_owned()))));
    assert!(is_pending(&browser));
    callback.succeed(None).await;
    // What was written is there even when the listener goes at once.
    drop(listener);
    let answer = read(browser).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("You are signed in"));
    assert!(!answer.contains("c0de"));
    check_headers(&answer);
}

#[tokio::test]
async fn success_may_lead_elsewhere() {
    let mut listener = listener().await;
    let (callback, browser) = meet(&mut listener, "code=c0de&state=s3cret").await;
    let page = Url::parse("https://app.example/done").unwrap();
    callback.succeed(Some(&page)).await;
    let answer = read(browser).await;
    assert!(answer.starts_with("HTTP/1.1 303 See Other\r\n"), "{answer}");
    assert!(answer.contains("\r\nLocation: https://app.example/done\r\n"));
    check_headers(&answer);
}

#[tokio::test]
async fn refusal_and_failure_are_shown_without_the_servers_words() {
    for (end, shown) in [
        (Some(End::Refused), "Access was not given"),
        (Some(End::Failed), "The sign-in did not work"),
        (None, "The sign-in did not work"),
    ] {
        let mut listener = listener().await;
        let query = "error=access_denied&error_description=%3Cb%3Enope&state=s3cret";
        let (callback, browser) = meet(&mut listener, query).await;
        match end {
            Some(end) => callback.fail(end).await,
            None => drop(callback),
        }
        let answer = read(browser).await;
        assert!(answer.contains(shown), "{answer}");
        assert!(!answer.contains("access_denied") && !answer.contains("nope"));
        check_headers(&answer);
    }
}

#[tokio::test]
async fn a_wrong_state_does_not_end_the_wait() {
    let mut listener = listener().await;
    let port = listener.port();
    let strangers = async {
        for query in [
            "",
            "?code=c",
            "?code=c&state=",
            "?code=c&state=s3cre",
            "?code=c&state=s3cret&state=s3cret",
            "?error=e&state=x",
        ] {
            let answer = ask(port, &get(port, &format!("/cb{query}"))).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{query}: {answer}");
            assert!(answer.contains("No sign-in waits"), "{query}");
            check_headers(&answer);
        }
        send(port, &get(port, "/cb?code=right&state=s3cret")).await
    };
    let state = state();
    let (callback, _browser) = timeout(LONG, async {
        tokio::join!(listener.callback(&state), strangers)
    })
    .await
    .unwrap();
    let outcome = callback.response().outcome("x", Announced::No);
    assert_eq!(outcome, Ok(&Outcome::Code(Secret::new("right".to_owned()))));
}

#[tokio::test]
async fn junk_is_refused() {
    let listener = listener().await;
    let port = listener.port();
    let host = format!("Host: 127.0.0.1:{port}");
    let long = "x".repeat(17 * 1024);
    let table = [
        (get(port, "/favicon.ico"), 404),
        (get(port, "/"), 404),
        (get(port, "/cb/"), 404),
        (
            format!("POST /cb HTTP/1.1\r\n{host}\r\nContent-Length: 3\r\n\r\na=b"),
            405,
        ),
        (format!("HEAD /cb HTTP/1.1\r\n{host}\r\n\r\n"), 405),
        (
            "GET /cb HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(),
            400,
        ),
        (
            format!("GET /cb HTTP/1.1\r\nHost: evil.example:{port}\r\n\r\n"),
            400,
        ),
        ("GET /cb HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("\u{16}\u{3}\u{1}\r\n\r\n".to_owned(), 400),
        (format!("GET /cb?{long} HTTP/1.1\r\n{host}\r\n\r\n"), 431),
        (format!("GET /cb HTTP/1.1\r\n{host}\r\nX: {long}"), 431),
    ];
    for (request, status) in table {
        let answer = ask(port, &request).await;
        let line = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&line), "{request:.60}: {answer}");
        check_headers(&answer);
    }
}

#[tokio::test]
async fn silent_connections_are_dropped_and_block_nobody() {
    assert!(super::HEAD_LIMIT < Duration::from_secs(60));
    let limit = Duration::from_millis(300);
    let bound = Listener::bind_within(Host::Ipv4, Port::Any, "/cb", limit).await;
    let mut listener = bound.unwrap();
    let mut silent = Vec::new();
    for sent in ["", "GET /cb HTT", "GET /cb HTTP/1.1\r\n"] {
        silent.push(send(listener.port(), sent).await);
    }
    let (callback, browser) = meet(&mut listener, "code=c&state=s3cret").await;
    callback.succeed(None).await;
    assert!(read(browser).await.contains("You are signed in"));
    for stream in silent {
        assert_eq!(read(stream).await, "");
    }
}

#[tokio::test]
async fn more_silent_connections_than_are_served_block_only_for_a_while() {
    let limit = Duration::from_millis(300);
    let bound = Listener::bind_within(Host::Ipv4, Port::Any, "/cb", limit).await;
    let mut listener = bound.unwrap();
    let mut silent = Vec::new();
    for _ in 0..super::MAX_CONNECTIONS + 5 {
        silent.push(connect(listener.port()).await);
    }
    let (callback, _browser) = meet(&mut listener, "code=c&state=s3cret").await;
    callback.succeed(None).await;
}

#[tokio::test]
async fn a_late_hit_is_told_so_while_the_listener_lives() {
    let mut listener = listener().await;
    let port = listener.port();
    let again = get(port, "/cb?code=c&state=s3cret");
    let (callback, _first) = meet(&mut listener, "code=c&state=s3cret").await;
    let during = ask(port, &again).await;
    callback.succeed(None).await;
    for answer in [during, ask(port, &again).await] {
        assert!(answer.starts_with("HTTP/1.1 410 Gone\r\n"), "{answer}");
        assert!(answer.contains("This link was already used"));
        check_headers(&answer);
    }
    drop(listener);
    // The tasks end when the runtime gets to them.
    tokio::task::yield_now().await;
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
    let again = Listener::bind(Host::Ipv4, Port::Exactly(port), "/cb").await;
    assert_eq!(again.unwrap().port(), port);
}

#[tokio::test]
async fn a_wait_that_was_given_up_goes_on_with_the_same_state() {
    let mut listener = listener().await;
    let port = listener.port();
    let asked = timeout(Duration::ZERO, listener.callback(&state())).await;
    assert!(asked.is_err());
    let _browser = send(port, &get(port, "/cb?code=c&state=s3cret")).await;
    // A second answer proves that the first request was seen.
    let late = ask(port, &get(port, "/cb?code=c&state=x")).await;
    assert!(late.contains("No sign-in waits"));
    let callback = timeout(LONG, listener.callback(&state())).await.unwrap();
    callback.succeed(None).await;
}

#[tokio::test]
async fn another_state_ends_the_wait_for_the_one_before() {
    let mut listener = listener().await;
    let port = listener.port();
    let other = Secret::new("other".to_owned());
    assert!(
        timeout(Duration::ZERO, listener.callback(&other))
            .await
            .is_err()
    );
    let stale = send(port, &get(port, "/cb?code=old&state=other")).await;
    // An answer to a later request shows that this one was seen.
    let late = ask(port, &get(port, "/cb?code=old&state=other")).await;
    assert!(late.contains("already used"));
    let (callback, _browser) = meet(&mut listener, "code=new&state=s3cret").await;
    let outcome = callback.response().outcome("x", Announced::No);
    assert_eq!(outcome, Ok(&Outcome::Code(Secret::new("new".to_owned()))));
    assert!(read(stale).await.contains("did not work"));
}

#[tokio::test]
async fn a_taken_port_is_given_up_unless_it_was_asked_for() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let other = Listener::bind(Host::Ipv4, Port::Preferred(port), "/cb").await;
    assert_ne!(other.unwrap().port(), port);
    for host in [Host::Ipv4, Host::Localhost] {
        let refused = Listener::bind(host, Port::Exactly(port), "/cb").await;
        let said = Failure::from(refused.unwrap_err());
        let told = format!("{said} {}", said.hint().unwrap());
        assert!(told.contains(&format!("{host}:{port}")), "{told}");
        assert!(told.contains("close the program"), "{told}");
    }
    drop(taken);
    let same = Listener::bind(Host::Ipv4, Port::Preferred(port), "/cb").await;
    assert_eq!(same.unwrap().port(), port);
}

#[test]
fn each_reason_has_its_own_remedy() {
    for (kind, remedy) in [
        (ErrorKind::AddrInUse, "close the program"),
        (ErrorKind::PermissionDenied, "above 1023"),
        (ErrorKind::AddrNotAvailable, "--host"),
        (ErrorKind::OutOfMemory, "another callback port"),
    ] {
        let wrong = NotBound::Port {
            at: "127.0.0.1:80".to_owned(),
            why: kind.into(),
        };
        let failure = Failure::from(wrong);
        let hint = failure.hint().unwrap();
        assert!(hint.contains(remedy), "{failure} {hint}");
        let taken = failure.to_string().contains("another program");
        assert_eq!(taken, kind == ErrorKind::AddrInUse, "{failure}");
    }
}

#[tokio::test]
async fn localhost_is_both_families_where_there_are_two() {
    let listener = Listener::bind(Host::Localhost, Port::Any, "/a b").await;
    let listener = listener.unwrap();
    let port = listener.port();
    let uri = format!("http://localhost:{port}/a%20b");
    assert_eq!(listener.redirect_uri(), uri);
    let mut addresses = vec!["127.0.0.1"];
    if TcpListener::bind("[::1]:0").await.is_ok() {
        addresses.push("::1");
    }
    for address in addresses {
        let mut stream = TcpStream::connect((address, port)).await.unwrap();
        let request = format!("GET /a%20b HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        assert!(read(stream).await.contains("No sign-in waits"), "{address}");
    }
}

#[tokio::test]
async fn a_port_taken_in_the_other_family_is_taken() {
    let Ok(taken) = TcpListener::bind("[::1]:0").await else {
        return;
    };
    let port = taken.local_addr().unwrap().port();
    let refused = Listener::bind(Host::Localhost, Port::Exactly(port), "/cb").await;
    assert!(refused.is_err());
    let other = Listener::bind(Host::Localhost, Port::Preferred(port), "/cb").await;
    assert_ne!(other.unwrap().port(), port);
}

#[tokio::test]
async fn a_path_must_be_one() {
    for path in ["", "cb", "http://evil.example/"] {
        assert!(Listener::bind(Host::Ipv4, Port::Any, path).await.is_err());
    }
    assert_eq!("LOCALHOST".parse(), Ok(Host::Localhost));
    assert_eq!("::1".parse(), Ok(Host::Ipv6));
    assert!("0.0.0.0".parse::<Host>().is_err());
}
