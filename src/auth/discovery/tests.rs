use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use url::Url;

use super::{Checks, Discovered, IssuerCheck, ResourceCheck, Source, discover};
use crate::auth::http::OauthHttp;
use crate::error::Failure;
use crate::net::addresses::Reach;
use crate::net::client::{Cookies, Family, NamedBy, Options, Proxy, Verify};

const RESOURCE: &str = "/.well-known/oauth-protected-resource";
const SERVER: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

/// A server of documents: what is asked for and not there is 404.
struct Documents {
    base: String,
    asked: Arc<Mutex<Vec<String>>>,
    answers: Arc<Mutex<HashMap<String, (u16, String)>>>,
}

impl Documents {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answers: Arc<Mutex<HashMap<String, (u16, String)>>> = Arc::default();
        let (log, table) = (Arc::clone(&asked), Arc::clone(&answers));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = BufReader::new(&mut stream).lines();
                let first = head.next_line().await.unwrap().unwrap_or_default();
                while head
                    .next_line()
                    .await
                    .unwrap()
                    .is_some_and(|line| !line.is_empty())
                {}
                let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
                let found = table.lock().unwrap().get(&path).cloned();
                let (status, body) = found.unwrap_or((404, "no".to_owned()));
                log.lock().unwrap().push(path);
                let more = if status == 307 {
                    format!("location: {body}\r\n")
                } else {
                    String::new()
                };
                let answer = format!(
                    "HTTP/1.1 {status} X\r\n{more}content-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self {
            base,
            asked,
            answers,
        }
    }

    fn put(&self, path: &str, document: &Value) {
        self.put_raw(path, 200, &document.to_string());
    }

    fn put_raw(&self, path: &str, status: u16, body: &str) {
        let answer = (status, body.to_owned());
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    fn resource(&self, path: &str) -> Value {
        json!({ "resource": format!("{}{path}", self.base), "authorization_servers": [self.base], "scopes_supported": ["a"] })
    }

    fn server(&self, path: &str) -> Value {
        let issuer = format!("{}{path}", self.base);
        json!({ "issuer": issuer, "authorization_endpoint": format!("{issuer}/a"), "token_endpoint": format!("{issuer}/t") })
    }

    async fn find(
        &self,
        named: Option<&str>,
        known: &[String],
        checks: Checks,
    ) -> Result<Discovered, Failure> {
        let url = Url::parse(&format!("{}/mcp", self.base)).unwrap();
        let options = Options {
            url: url.clone(),
            proxy: Proxy::Direct,
            ca_file: None,
            client_cert: None,
            client_key: None,
            verify: Verify::Certificates,
            family: Family::Any,
            connect_timeout: Duration::from_secs(5),
            cookies: Cookies::Off,
            named_by: NamedBy::User,
        };
        let http = OauthHttp::new(options, Reach::Anywhere);
        discover(&http, &url, named, known, checks).await
    }

    async fn fails(&self, named: Option<&str>) -> String {
        let failure = self.find(named, &[], Checks::default()).await.unwrap_err();
        format!("{failure} | {}", failure.hint().unwrap_or_default())
    }
}

#[tokio::test]
async fn the_url_of_the_challenge_is_asked_and_nothing_else() {
    let documents = Documents::new().await;
    documents.put("/meta", &documents.resource("/mcp"));
    documents.put(SERVER, &documents.server(""));
    let named = format!("{}/meta", documents.base);
    let found = documents
        .find(Some(&named), &[], Checks::default())
        .await
        .unwrap();
    assert_eq!(found.resource, format!("{}/mcp", documents.base));
    assert_eq!(
        (found.issuer.as_str(), found.source),
        (documents.base.as_str(), Source::Document)
    );
    assert_eq!(documents.asked(), ["/meta", SERVER]);
    documents.put_raw("/meta", 404, "");
    assert!(documents.fails(Some(&named)).await.contains("HTTP 404"));
    assert_eq!(documents.asked(), ["/meta"], "no probing beside it");
}

#[tokio::test]
async fn without_a_challenge_the_path_is_asked_before_the_root() {
    let documents = Documents::new().await;
    documents.put(RESOURCE, &documents.resource(""));
    documents.put(OPENID, &documents.server(""));
    let found = documents.find(None, &[], Checks::default()).await.unwrap();
    assert_eq!(
        found.resource, documents.base,
        "verbatim, without a slash of ours"
    );
    assert_eq!(found.scopes, Some(vec!["a".to_owned()]));
    assert_eq!(
        documents.asked(),
        [&format!("{RESOURCE}/mcp"), RESOURCE, SERVER, OPENID]
    );
}

#[tokio::test]
async fn an_outage_is_not_the_absence_of_metadata() {
    let documents = Documents::new().await;
    documents.put_raw(&format!("{RESOURCE}/mcp"), 503, "");
    assert!(documents.fails(None).await.contains("HTTP 503"));
    assert_eq!(documents.asked().len(), 1);
}

#[tokio::test]
async fn metadata_of_another_resource_is_not_used() {
    let documents = Documents::new().await;
    let mut other = documents.resource("/mcp");
    other["resource"] = "https://evil.example/mcp".into();
    documents.put(&format!("{RESOURCE}/mcp"), &other);
    assert!(documents.fails(None).await.contains("another resource"));
    assert_eq!(
        documents.asked().len(),
        1,
        "the authorization server is not even asked"
    );
    documents.put(&format!("{RESOURCE}/mcp"), &documents.resource(""));
    documents.put(SERVER, &documents.server(""));
    let strict = Checks {
        resource: ResourceCheck::Identical,
        ..Checks::default()
    };
    assert!(documents.find(None, &[], strict).await.is_err());
    assert!(documents.find(None, &[], Checks::default()).await.is_ok());
}

#[tokio::test]
async fn an_issuer_must_be_written_as_it_was_asked_for() {
    let documents = Documents::new().await;
    documents.put(RESOURCE, &documents.resource(""));
    documents.put(SERVER, &documents.server("/"));
    documents.put(OPENID, &documents.server(""));
    assert!(
        documents
            .fails(None)
            .await
            .contains("--allow-issuer-mismatch")
    );
    assert!(
        !documents.asked().contains(&OPENID.to_owned()),
        "no second try after a lie"
    );
    let trusting = Checks {
        issuer: IssuerCheck::Ignored,
        ..Checks::default()
    };
    assert!(documents.find(None, &[], trusting).await.is_ok());
}

#[tokio::test]
async fn of_several_servers_one_with_a_login_comes_first() {
    let documents = Documents::new().await;
    let second = format!("{}/two", documents.base);
    let mut resource = documents.resource("");
    resource["authorization_servers"] = json!([documents.base, second]);
    documents.put(RESOURCE, &resource);
    documents.put(SERVER, &documents.server(""));
    documents.put(&format!("{SERVER}/two"), &documents.server("/two"));
    let found = documents
        .find(None, std::slice::from_ref(&second), Checks::default())
        .await
        .unwrap();
    assert_eq!(found.issuer, second);
    let found = documents.find(None, &[], Checks::default()).await.unwrap();
    assert_eq!(found.issuer, documents.base);
}

#[tokio::test]
async fn a_server_of_2025_03_26_is_its_own_authorization_server() {
    let documents = Documents::new().await;
    let found = documents.find(None, &[], Checks::default()).await.unwrap();
    assert_eq!(found.source, Source::Assumed);
    assert_eq!(
        found.metadata.token_endpoint.as_str(),
        format!("{}/token", documents.base)
    );
    assert_eq!(
        documents.asked(),
        [&format!("{RESOURCE}/mcp"), RESOURCE, SERVER]
    );
    documents.put(SERVER, &documents.server("/"));
    let found = documents.find(None, &[], Checks::default()).await.unwrap();
    assert_eq!(
        found.source,
        Source::Document,
        "a slash more is no lie about a URL that we made up"
    );
}

#[tokio::test]
async fn dangerous_or_endless_documents_are_refused() {
    let documents = Documents::new().await;
    documents.put(RESOURCE, &documents.resource(""));
    let mut server = documents.server("");
    server["authorization_endpoint"] = "javascript:alert(1)".into();
    documents.put(SERVER, &server);
    assert!(
        documents
            .fails(None)
            .await
            .contains("neither https nor on this machine")
    );
    documents.put_raw(SERVER, 200, &"x".repeat(2 << 20));
    assert!(documents.fails(None).await.contains("larger than"));
    documents.put_raw(SERVER, 307, "/elsewhere");
    documents.put("/elsewhere", &documents.server(""));
    documents.asked();
    let _ = documents.find(None, &[], Checks::default()).await;
    assert!(
        !documents.asked().contains(&"/elsewhere".to_owned()),
        "redirects are not followed"
    );
}
