use std::collections::HashMap;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use url::Url;

use super::tokens::{NoToken, read_refusal, read_tokens};
use super::{Attempt, Extras, PkceCheck, Tokens};
use crate::auth::discovery::{Discovered, Source};
use crate::auth::dpop::Demand;
use crate::auth::http::{Answer, OauthHttp};
use crate::auth::leniency::token_answer;
use crate::auth::loopback::{Response, parse_callback};
use crate::auth::registration::AuthMethod;
use crate::error::Failure;
use crate::net::addresses::Reach;
use crate::net::client::{Cookies, Family, NamedBy, Options, Proxy, Verify};
use crate::secret::Secret;
use crate::store::Client;

fn discovered(more: &Value) -> Discovered {
    let mut document = json!({
        "issuer": "https://as",
        "authorization_endpoint": "https://as/authorize?tenant=1",
        "token_endpoint": "https://as/token",
        "code_challenge_methods_supported": ["S256"],
    });
    document
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    Discovered {
        resource: "https://h/mcp".to_owned(),
        scopes: None,
        demand: Demand::default(),
        issuer: "https://as".to_owned(),
        metadata: serde_json::from_value(document).unwrap(),
        source: Source::Document,
    }
}

fn client() -> Client {
    let mut client = Client::public("c".to_owned(), "https://as".to_owned());
    client.redirect_uri = Some("http://127.0.0.1:5000/oauth/callback".to_owned());
    client
}

fn extras() -> Extras {
    Extras {
        resource: Some("https://h/mcp".to_owned()),
        scope: Some("a b".to_owned()),
        parameters: vec![("audience".to_owned(), "x&y".to_owned())],
    }
}

fn begin(more: &Value) -> Result<(Attempt, Url), Failure> {
    Attempt::begin(discovered(more), client(), extras(), PkceCheck::Required)
}

fn from(iss: Option<&str>) -> Response {
    let iss = iss.map(|iss| format!("&iss={iss}")).unwrap_or_default();
    parse_callback(&format!("code=code{iss}"))
}

#[test]
fn the_request_has_all_that_the_rules_ask_for_once() {
    let (attempt, url) = begin(&json!({})).unwrap();
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let by_name: HashMap<_, _> = pairs.iter().cloned().collect();
    assert_eq!(pairs.len(), by_name.len(), "{pairs:?}");
    let expected = [
        ("tenant", "1"),
        ("response_type", "code"),
        ("client_id", "c"),
        ("redirect_uri", "http://127.0.0.1:5000/oauth/callback"),
        ("code_challenge_method", "S256"),
        ("resource", "https://h/mcp"),
        ("scope", "a b"),
        ("audience", "x&y"),
    ];
    for (name, value) in expected {
        assert_eq!(by_name.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert_eq!(&by_name["state"], attempt.state().expose());
    assert!(by_name["state"].len() >= 40, "256 random bits");
    assert_eq!(by_name["code_challenge"].len(), 43);
    assert!(!url.as_str().contains(attempt.verifier.expose()));
}

#[test]
fn two_sign_ins_have_nothing_secret_in_common() {
    let (one, _) = begin(&json!({})).unwrap();
    let (other, _) = begin(&json!({})).unwrap();
    assert_ne!(one.state(), other.state());
    assert_ne!(one.verifier, other.verifier);
}

#[test]
fn a_server_that_says_nothing_of_pkce_is_refused_unless_the_user_vouches_for_it() {
    for methods in [json!(null), json!([]), json!(["plain"])] {
        let more = json!({ "code_challenge_methods_supported": methods });
        assert!(
            begin(&more)
                .unwrap_err()
                .hint()
                .unwrap()
                .contains("--allow-missing-pkce-metadata")
        );
        assert!(Attempt::begin(discovered(&more), client(), extras(), PkceCheck::Ignored).is_ok());
    }
}

#[test]
fn the_issuer_of_the_answer_is_compared_letter_by_letter() {
    let (silent, _) = begin(&json!({})).unwrap();
    let (named, _) =
        begin(&json!({ "authorization_response_iss_parameter_supported": true })).unwrap();
    assert!(silent.code(&from(None)).is_ok());
    assert!(silent.code(&from(Some("https://as"))).is_ok());
    assert!(named.code(&from(Some("https://as"))).is_ok());
    assert!(named.code(&from(None)).is_err());
    for other in [
        "https://as/",
        "HTTPS://as",
        "https://as:443",
        "https://evil",
        "",
    ] {
        assert!(silent.code(&from(Some(other))).is_err(), "{other}");
        assert!(named.code(&from(Some(other))).is_err(), "{other}");
    }
}

#[test]
fn the_words_of_a_stranger_are_not_shown() {
    let (attempt, _) = begin(&json!({})).unwrap();
    let refused = |iss: &str| {
        parse_callback(&format!(
            "error=access_denied&error_description=EVIL&iss={iss}"
        ))
    };
    let told = |iss: &str| Failure::from(attempt.code(&refused(iss)).unwrap_err()).to_string();
    let stranger = told("https://evil");
    assert!(
        !stranger.contains("EVIL") && !stranger.contains("refused"),
        "{stranger}"
    );
    assert!(told("https://as").contains("refused"));
    assert!(
        attempt
            .code(&parse_callback("code=x&error=y&iss=https://as"))
            .is_err()
    );
    assert!(attempt.code(&parse_callback("")).is_err());
}

#[test]
fn a_server_without_metadata_has_no_issuer_to_compare() {
    let assumed = Discovered {
        source: Source::Assumed,
        ..discovered(&json!({}))
    };
    let (attempt, _) = Attempt::begin(assumed, client(), extras(), PkceCheck::Required).unwrap();
    assert!(attempt.code(&from(Some("https://any"))).is_ok() && attempt.code(&from(None)).is_ok());
}

#[test]
fn offline_access_asks_for_consent() {
    let extras = Extras {
        scope: Some("a offline_access".to_owned()),
        ..extras()
    };
    let (_, url) = Attempt::begin(
        discovered(&json!({})),
        client(),
        extras,
        PkceCheck::Required,
    )
    .unwrap();
    assert!(
        url.query_pairs()
            .any(|(name, value)| name == "prompt" && value == "consent")
    );
}

/// A token endpoint that answers once, and what it was sent: the head and the form.
async fn token_endpoint(
    answer: &'static str,
) -> (
    Url,
    tokio::task::JoinHandle<(String, HashMap<String, String>)>,
) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/token", listener.local_addr().unwrap())).unwrap();
    let sent = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = String::new();
        let mut reader = BufReader::new(&mut stream);
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut head).await.unwrap(), 0);
        }
        let head = head.to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).unwrap();
        let length = length.split("\r\n").next().unwrap().parse().unwrap();
        let mut body = vec![0; length];
        reader.read_exact(&mut body).await.unwrap();
        let text = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{answer}",
            answer.len()
        );
        stream.write_all(text.as_bytes()).await.unwrap();
        (
            head,
            url::form_urlencoded::parse(&body).into_owned().collect(),
        )
    });
    (url, sent)
}

async fn exchange(
    client: Client,
    answer: &'static str,
) -> (Result<Tokens, Failure>, String, HashMap<String, String>) {
    let (token_endpoint, sent) = token_endpoint(answer).await;
    let mut found = discovered(&json!({}));
    found.metadata.token_endpoint = token_endpoint.clone();
    let (attempt, _) = Attempt::begin(found, client, extras(), PkceCheck::Required).unwrap();
    let http = OauthHttp::new(client_options(token_endpoint), Reach::Anywhere);
    let code = attempt.code(&from(None)).unwrap();
    let tokens = attempt.exchange(&http, &code).await.map_err(Failure::from);
    let (head, form) = sent.await.unwrap();
    assert_eq!(form.get("code_verifier"), Some(attempt.verifier.expose()));
    (tokens, head, form)
}

fn client_options(url: Url) -> Options {
    Options {
        url,
        proxy: Proxy::Direct,
        ca_file: None,
        client_cert: None,
        client_key: None,
        verify: Verify::Certificates,
        family: Family::Any,
        connect_timeout: std::time::Duration::from_secs(5),
        cookies: Cookies::Off,
        named_by: NamedBy::User,
    }
}

#[test]
fn an_array_is_no_refusal() {
    let mut answer = ::http::Response::new(br#"["invalid_grant"]"#.to_vec());
    *answer.status_mut() = ::http::StatusCode::BAD_REQUEST;
    assert_eq!(read_refusal(&answer).code(), Some(""));
}

#[test]
fn a_token_that_cannot_be_sent_is_none() {
    let http = OauthHttp::new(
        client_options(Url::parse("https://h/mcp").unwrap()),
        Reach::Anywhere,
    );
    for token in ["", "a\nb", "a\u{7f}", "\u{e4}"] {
        let body = json!({"access_token": token, "refresh_token": ""});
        let answer = token_answer(Answer {
            status: ::http::StatusCode::OK,
            media_type: String::new(),
            body: body.to_string().into(),
        });
        let answer = ::http::Response::new(answer.body.to_vec());
        let failure = Failure::from(read_tokens(&http, &answer, None).unwrap_err());
        assert_eq!(
            failure.to_string(),
            "the authorization server's answer is no token"
        );
    }
}

#[tokio::test]
async fn a_code_is_exchanged_with_all_that_the_request_had() {
    let answer = r#"{"access_token":"at","refresh_token":"rt","id_token":"it","expires_in":"60","scope":["a"]}"#;
    let (tokens, head, form) = exchange(client(), answer).await;
    let tokens = tokens.unwrap();
    assert_eq!(tokens.access.expose(), "at");
    assert_eq!(tokens.refresh.unwrap().expose(), "rt");
    assert_eq!(tokens.id.unwrap().expose(), "it");
    assert_eq!(tokens.scope.as_deref(), Some("a"));
    assert_eq!(tokens.lifetime.unwrap().as_secs(), 60);
    let expected = [
        ("grant_type", "authorization_code"),
        ("code", "code"),
        ("redirect_uri", "http://127.0.0.1:5000/oauth/callback"),
        ("client_id", "c"),
        ("resource", "https://h/mcp"),
    ];
    for (name, value) in expected {
        assert_eq!(form.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(
        !head.contains("authorization:"),
        "a public client has nothing to prove"
    );
}

#[tokio::test]
async fn a_secret_goes_one_way_only() {
    let secret = |method: AuthMethod| {
        let mut client = client();
        client.client_secret = Some(Secret::new("s:1".to_owned()));
        client.auth_method = method.name().to_owned();
        client
    };
    let answer = r#"{"access_token":"at"}"#;
    let (tokens, head, form) = exchange(secret(AuthMethod::Basic), answer).await;
    assert_eq!(
        tokens.unwrap().scope.as_deref(),
        Some("a b"),
        "as asked for where the server does not say"
    );
    assert!(head.contains("authorization: basic") && !form.contains_key("client_secret"));
    let (_, head, form) = exchange(secret(AuthMethod::Post), answer).await;
    assert!(!head.contains("authorization:"));
    assert_eq!(form.get("client_secret").map(String::as_str), Some("s:1"));
}

#[tokio::test]
async fn a_refused_code_is_told_and_an_unreadable_answer_not_shown() {
    let (tokens, ..) = exchange(
        client(),
        r#"{"error":"invalid_grant","error_description":"used"}"#,
    )
    .await;
    assert!(
        tokens
            .unwrap_err()
            .to_string()
            .contains("invalid_grant used")
    );
    let (tokens, ..) = exchange(client(), r#"{"access_token":{"s3cret":1}}"#).await;
    assert!(!tokens.unwrap_err().to_string().contains("s3cret"));
    let (tokens, ..) = exchange(client(), r#"{"access_token":"s3cret","token_type":"mac"}"#).await;
    assert!(!tokens.unwrap_err().to_string().contains("s3cret"));
}

#[test]
fn a_status_that_speaks_of_the_moment_is_no_refusal() {
    let table = [
        (400, true),
        (404, true),
        (408, false),
        (429, false),
        (503, false),
    ];
    for (status, refused) in table {
        let answer = ::http::Response::builder().status(status);
        let answer = answer.body(b"<p>no</p>".to_vec()).unwrap();
        let read = read_refusal(&answer);
        assert_eq!(matches!(read, NoToken::Refused(..)), refused, "{status}");
    }
}
