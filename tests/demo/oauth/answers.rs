//! The forms that answers take.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION,
    REFERRER_POLICY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use url::Url;

/// The type of answer that the MCP server of `rmcp` gives as well.
pub type Answer = Response<BoxBody<Bytes, Infallible>>;

/// The consent page, with names in braces where something is filled in.
const CONSENT: &str = include_str!("consent.html");

/// No scripts, nothing from elsewhere, and in nobody's frame, where a click could be stolen. There is no `form-action`:
/// browsers hold it against the redirect that follows the click, too.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";

/// A document.
pub fn json(status: StatusCode, value: &Value) -> Answer {
    answer(status, "application/json", value.to_string())
}

/// A refusal to the client (RFC 6749 §5.2).
pub fn refused((error, why): (&str, &str)) -> Answer {
    let status = match error {
        "invalid_client" => StatusCode::UNAUTHORIZED,
        _ => StatusCode::BAD_REQUEST,
    };
    json(status, &json!({"error": error, "error_description": why}))
}

/// A sentence for a person.
pub fn text(status: StatusCode, sentence: &str) -> Answer {
    answer(status, "text/plain; charset=utf-8", sentence.to_owned())
}

/// The door stays shut.
pub fn unauthorized(challenge: &str) -> Answer {
    let answer = text(StatusCode::UNAUTHORIZED, "sign in first");
    with(answer, WWW_AUTHENTICATE, challenge)
}

/// Sends the browser elsewhere. 303 makes a GET of whatever brought it here.
pub fn redirect(url: &Url) -> Answer {
    with(text(StatusCode::SEE_OTHER, ""), LOCATION, url.as_str())
}

/// The page that asks the user. It shows where the answer goes: any program may call itself by any name.
pub fn consent_page(client: &str, redirect_uri: &str, resource: &str, request: &str) -> Answer {
    let url = Url::parse(redirect_uri).ok();
    let host = match url.as_ref().and_then(Url::host_str).unwrap_or_default() {
        host @ ("127.0.0.1" | "[::1]" | "localhost") => {
            format!("A program on this computer ({host})")
        }
        host => host.to_owned(),
    };
    // What others wrote goes in last, so that braces in it stay what they are.
    let page = CONSENT
        .replace("{request}", request)
        .replace("{resource}", &escaped(resource))
        .replace("{host}", &escaped(&host))
        .replace("{client}", &escaped(client));
    let page = answer(StatusCode::OK, "text/html; charset=utf-8", page);
    with(page, CONTENT_SECURITY_POLICY, POLICY)
}

/// Text as HTML writes it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Codes and tokens are in some answers, so none is kept by a cache or shows up in a `Referer`.
fn answer(status: StatusCode, kind: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::from(body).boxed());
    *answer.status_mut() = status;
    let headers = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in headers {
        answer
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    answer
}

fn with(mut answer: Answer, name: HeaderName, value: &str) -> Answer {
    match HeaderValue::from_str(value) {
        Ok(value) => {
            answer.headers_mut().insert(name, value);
            answer
        }
        Err(_) => text(
            StatusCode::INTERNAL_SERVER_ERROR,
            "this fits into no header",
        ),
    }
}
