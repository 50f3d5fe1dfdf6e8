//! What token endpoints really send, turned into what RFC 6749 §5 says, so that a strict parser can read it. Seen in the wild:
//! no `token_type`, `expires_in` as a string or with decimals, `scope` as a list, status 201, an error with status 200, any
//! media type, and form-encoded answers.

use ::http::StatusCode;
use bytes::Bytes;
use serde_json::{Map, Number, Value};
use url::form_urlencoded;

use super::http::Answer;

/// How long a code for another device lasts whose server does not say it, in seconds.
const DEVICE_LIFETIME: u64 = 900;

/// The longest between two questions whether the user has signed in, in seconds.
const LONGEST_INTERVAL: u64 = 60;

/// The same answer in the form of RFC 6749. One that is beyond reading stays as it is.
#[must_use]
pub fn token_answer(answer: Answer) -> Answer {
    let Some(mut members) = members(&answer) else {
        return answer;
    };
    let failed = members.get("error").is_some_and(Value::is_string);
    let status = match (failed, answer.status) {
        (true, status) if status.is_success() => StatusCode::BAD_REQUEST,
        (false, status) if status.is_success() => StatusCode::OK,
        (_, status) => status,
    };
    if !failed {
        mend(&mut members);
    }
    Answer {
        status,
        media_type: "application/json".to_owned(),
        body: Bytes::from(Value::Object(members).to_string()),
    }
}

fn members(answer: &Answer) -> Option<Map<String, Value>> {
    match serde_json::from_slice(&answer.body) {
        Ok(Value::Object(members)) => return Some(members),
        Ok(_) => return None,
        Err(_) => {}
    }
    let pairs = form_urlencoded::parse(&answer.body);
    let members: Map<String, Value> = pairs
        .map(|(name, value)| (name.into_owned(), Value::from(value)))
        .collect();
    let usable = members.contains_key("access_token") || members.contains_key("error");
    usable.then_some(members)
}

fn mend(members: &mut Map<String, Value>) {
    // Absent and null are the same to everybody but strict parsers; a token of no characters is none.
    members.retain(|name, value| {
        let is_empty_token = name.ends_with("_token") && *value == "";
        !value.is_null() && !is_empty_token
    });
    members
        .entry("token_type")
        .or_insert_with(|| "Bearer".into());
    match members.get("expires_in").map(seconds) {
        Some(Some(seconds)) => {
            members.insert("expires_in".to_owned(), Value::from(seconds));
        }
        // An unreadable lifetime is an unknown one.
        Some(None) => {
            members.remove("expires_in");
        }
        None => {}
    }
    if members.contains_key("device_code") {
        mend_device(members);
    }
    if let Some(Value::Array(scopes)) = members.get("scope") {
        let scopes: Vec<&str> = scopes.iter().filter_map(Value::as_str).collect();
        let scopes = scopes.join(" ");
        members.insert("scope".to_owned(), scopes.into());
    }
}

/// The times of an answer with a code for another device (RFC 8628 §3.2): one without an end gets one, and no server makes us
/// ask without a pause, or once an hour.
fn mend_device(members: &mut Map<String, Value>) {
    members
        .entry("expires_in")
        .or_insert_with(|| DEVICE_LIFETIME.into());
    match members.get("interval").map(seconds) {
        Some(Some(seconds)) => {
            let interval = seconds.clamp(1, LONGEST_INTERVAL);
            members.insert("interval".to_owned(), interval.into());
        }
        // It is 5 s where the server does not say.
        Some(None) => {
            members.remove("interval");
        }
        None => {}
    }
}

/// A number of seconds, whatever its form.
fn seconds(value: &Value) -> Option<u64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse::<Number>().ok()?.as_f64(),
        _ => None,
    }?;
    let whole = number.trunc();
    // Up to a thousand years; what is more is a mistake.
    (0.0..=3.2e10)
        .contains(&whole)
        .then(|| format!("{whole:.0}").parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::{Answer, token_answer};
    use ::http::StatusCode;
    use serde_json::{Value, json};

    fn read(status: u16, body: &str) -> (u16, Option<Value>) {
        let answer = token_answer(Answer {
            status: StatusCode::from_u16(status).unwrap(),
            media_type: "text/html".to_owned(),
            body: body.to_owned().into(),
        });
        (
            answer.status.as_u16(),
            serde_json::from_slice(&answer.body).ok(),
        )
    }

    #[test]
    fn the_pause_between_two_questions_is_neither_none_nor_without_end() {
        for (interval, expected) in [
            ("1", Some(1)),
            ("\"7\"", Some(7)),
            ("0", Some(1)),
            ("0.9", Some(1)),
            ("1e9", Some(60)),
            // It is then 5 s.
            ("-1", None),
            ("\"soon\"", None),
            ("[]", None),
            ("1e99", None),
        ] {
            let body = format!(r#"{{"device_code":"d","interval":{interval}}}"#);
            let (_, answer) = read(200, &body);
            let answer = answer.unwrap();
            assert_eq!(
                answer.get("interval").and_then(Value::as_u64),
                expected,
                "{interval}"
            );
            assert_eq!(answer["expires_in"], 900);
        }
    }

    #[test]
    fn mends_what_servers_really_send() {
        let table = [
            (
                200,
                r#"{"access_token":"a","token_type":"bearer"}"#,
                json!({"access_token":"a","token_type":"bearer"}),
            ),
            (
                201,
                r#"{"access_token":"a"}"#,
                json!({"access_token":"a","token_type":"Bearer"}),
            ),
            (
                200,
                r#"{"access_token":"a","expires_in":"3600","refresh_token":null,"token_type":null}"#,
                json!({"access_token":"a","expires_in":3600,"token_type":"Bearer"}),
            ),
            (
                200,
                r#"{"access_token":"a","refresh_token":"","id_token":""}"#,
                json!({"access_token":"a","token_type":"Bearer"}),
            ),
            (
                200,
                r#"{"access_token":"a","expires_in":3599.7}"#,
                json!({"access_token":"a","expires_in":3599,"token_type":"Bearer"}),
            ),
            (
                200,
                r#"{"access_token":"a","expires_in":-5}"#,
                json!({"access_token":"a","token_type":"Bearer"}),
            ),
            (
                200,
                r#"{"access_token":"a","expires_in":"soon"}"#,
                json!({"access_token":"a","token_type":"Bearer"}),
            ),
            (
                200,
                r#"{"access_token":"a","scope":["x","y"],"other":1}"#,
                json!({"access_token":"a","scope":"x y","other":1,"token_type":"Bearer"}),
            ),
            (
                200,
                "access_token=a%2Bb&scope=repo%2Cgist&token_type=bearer&expires_in=10",
                json!({"access_token":"a+b","scope":"repo,gist","token_type":"bearer","expires_in":10}),
            ),
        ];
        for (status, body, expected) in table {
            assert_eq!(read(status, body), (200, Some(expected)), "{body}");
        }
    }

    #[test]
    fn an_error_is_an_error_whatever_its_status() {
        let error = json!({"error":"invalid_grant"});
        assert_eq!(
            read(200, r#"{"error":"invalid_grant"}"#),
            (400, Some(error.clone()))
        );
        assert_eq!(
            read(401, r#"{"error":"invalid_grant"}"#),
            (401, Some(error))
        );
        assert_eq!(read(200, "error=bad_verification_code&x=y").0, 400);
    }

    #[test]
    fn what_is_beyond_reading_stays_as_it_is() {
        assert_eq!(read(500, "<html>oops</html>"), (500, None));
        assert_eq!(read(200, "[]"), (200, Some(json!([]))));
        assert_eq!(read(200, ""), (200, None));
    }
}
