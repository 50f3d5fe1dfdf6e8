//! Answers of token endpoints: mended once and for all, and no token is ever in an error.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use libfuzzer_sys::fuzz_target;
use mcp_tether::auth::flow::{NoToken, read_tokens};
use mcp_tether::auth::http::{Answer, OauthHttp};
use mcp_tether::auth::leniency::token_answer;
use mcp_tether::error::Failure;
use mcp_tether::net::addresses::Reach;
use mcp_tether::net::client::{Cookies, Family, NamedBy, Options, Proxy, Verify};
use mcp_tether_fuzz::{Pick, is_plain};
use serde_json::Value;
use url::Url;

static HTTP: LazyLock<OauthHttp> = LazyLock::new(|| {
    let options = Options {
        url: Url::parse("https://mcp.example").expect("a URL"),
        proxy: Proxy::Direct,
        ca_file: None,
        client_cert: None,
        client_key: None,
        verify: Verify::Certificates,
        family: Family::Any,
        connect_timeout: Duration::from_secs(1),
        cookies: Cookies::Off,
        named_by: NamedBy::User,
    };
    OauthHttp::new(options, Reach::Public)
});

fuzz_target!(|data: &[u8]| {
    let mut pick = Pick(data);
    let status = *pick.of(&[200, 201, 302, 400, 401, 500]);
    let answer = Answer {
        status: StatusCode::from_u16(status).expect("a status"),
        media_type: String::new(),
        body: Bytes::copy_from_slice(pick.0),
    };
    let mended = token_answer(answer.clone());
    let again = token_answer(mended.clone());
    assert_eq!(again.status, mended.status);
    assert_eq!(without_fractions(&again), without_fractions(&mended));
    let said = serde_json::from_slice::<Value>(&mended.body).unwrap_or_default();
    let member = |name: &str| said.get(name).and_then(Value::as_str);
    if member("error").is_some() {
        assert!(!mended.status.is_success());
    } else if !answer.status.is_success() {
        assert_eq!(mended.status, answer.status);
    }
    if let Some(interval) = said
        .get("interval")
        .filter(|_| said.get("device_code").is_some())
        && mended.status.is_success()
    {
        assert!((1..=60).contains(&interval.as_u64().expect("seconds")));
    }

    let mut response = http::Response::new(mended.body.to_vec());
    *response.status_mut() = mended.status;
    match read_tokens(&HTTP, &response, Some("asked")) {
        Ok(tokens) => {
            assert!(mended.status.is_success());
            assert_eq!(
                member("access_token"),
                Some(tokens.access.expose().as_str())
            );
            let sendable = tokens
                .access
                .expose()
                .bytes()
                .all(|byte| (0x20..=0x7e).contains(&byte));
            assert!(
                sendable && !tokens.access.expose().is_empty(),
                "it cannot be sent"
            );
            assert!(
                tokens
                    .refresh
                    .as_ref()
                    .is_none_or(|token| !token.expose().is_empty())
            );
            assert!(tokens.key.is_none() && tokens.scope.is_some());
            assert_eq!(
                tokens.lifetime.map(|life| life.as_secs()),
                said.get("expires_in").and_then(Value::as_u64)
            );
            let kind = member("token_type").unwrap_or_default();
            assert!(kind.eq_ignore_ascii_case("bearer"));
            let shown = format!("{tokens:?}");
            hides(&shown, &said);
        }
        Err(none) => {
            if let NoToken::Refused(code, _) = &none {
                assert!(code.is_empty() || member("error") == Some(code.as_str()));
            }
            let failure = Failure::from(none);
            let text = failure.to_string();
            assert!(is_plain(&text) && text.chars().count() < 400, "{text:?}");
            if member("error").is_none() {
                hides(&text, &said);
            }
        }
    }
});

/// No secret of an answer is in a text for people.
fn hides(text: &str, said: &Value) {
    for name in ["access_token", "refresh_token", "id_token"] {
        let secret = said.get(name).and_then(Value::as_str).unwrap_or_default();
        // Short ones are in it by chance.
        let long = secret.len() > 12 && !"the authorization server asked redacted".contains(secret);
        let elsewhere = said.get("scope").and_then(Value::as_str);
        if long && elsewhere.is_none_or(|scope| !scope.contains(secret)) {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

/// What an answer says, but for numbers that are no integers: those may lose their last digit each time they are read.
fn without_fractions(answer: &Answer) -> Result<Value, Bytes> {
    fn cut(value: &mut Value) {
        match value {
            Value::Number(number) if number.is_f64() => *value = Value::Null,
            Value::Array(items) => items.iter_mut().for_each(cut),
            Value::Object(members) => members.values_mut().for_each(cut),
            _ => {}
        }
    }
    let mut said: Value = serde_json::from_slice(&answer.body).map_err(|_| answer.body.clone())?;
    cut(&mut said);
    Ok(said)
}
