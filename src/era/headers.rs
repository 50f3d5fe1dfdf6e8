//! The headers of revision 2026-07-28: what a request says in its body it says in its headers as well, so that those on the way
//! need not read it (2026-07-28 streamable-http §Standard Headers, §Custom Headers). Pure.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::jsonrpc::{Kind, Message};
use crate::tools::ParamHeader;

const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// `HeaderMismatch`.
const HEADER_MISMATCH: i64 = -32020;

/// The largest integer that every JSON reader takes for itself, 2^53 - 1.
const SAFE: i64 = (1 << 53) - 1;

#[derive(Deserialize)]
struct Params<'a> {
    #[serde(borrow, rename = "_meta")]
    meta: Meta<'a>,
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    uri: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "taskId")]
    task: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow, rename = "io.modelcontextprotocol/protocolVersion")]
    version: Cow<'a, str>,
}

fn params(message: &Message) -> Option<Params<'_>> {
    let payload = message.payload()?;
    let says = memchr::memmem::find(payload.as_bytes(), b"protocolVersion").is_some();
    if message.kind() != Kind::Request || !says {
        return None;
    }
    message.read()
}

/// Whether a request has the form of 2026-07-28: it names its revision itself.
pub fn is_modern(message: &Message) -> bool {
    params(message).is_some()
}

/// The `_meta` for a request of the bridge's own that goes along with `message`, if that is of this form.
pub fn meta(message: &Message) -> Option<Value> {
    #[derive(Deserialize)]
    struct Whole {
        #[serde(rename = "_meta")]
        meta: Map<String, Value>,
    }
    params(message)?;
    let Whole { mut meta } = message.read()?;
    // Its progress is not that of the other one.
    meta.remove("progressToken");
    Some(Value::Object(meta))
}

/// Whether the server says that headers and body differ: what is known of its tools is out of date.
pub fn mismatch(error: &Message) -> bool {
    #[derive(Deserialize)]
    struct Error {
        code: i64,
    }
    error
        .read()
        .is_some_and(|error: Error| error.code == HEADER_MISMATCH)
}

/// The headers of a request of that form, none for any other. `learned` gives the headers of a tool's parameters.
pub fn of(message: &Message, learned: impl FnOnce(&str) -> Vec<ParamHeader>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some(params) = params(message) else {
        return headers;
    };
    let mut put = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    put(PROTOCOL_VERSION, &params.meta.version);
    put(METHOD, message.method());
    let name = match message.method() {
        "tools/call" | "prompts/get" => params.name.as_deref(),
        "resources/read" => params.uri.as_deref(),
        "tasks/get" | "tasks/update" | "tasks/cancel" => params.task.as_deref(),
        _ => None,
    };
    if let Some(name) = name {
        put(NAME, &encoded(name));
    }
    if let ("tools/call", Some(tool)) = (message.method(), name) {
        let arguments = params.arguments.map_or("{}", RawValue::get);
        let arguments: Value = serde_json::from_str(arguments).unwrap_or_default();
        for param in learned(tool) {
            let header = HeaderName::try_from(format!("mcp-param-{}", param.name));
            if let (Ok(header), Some(value)) = (header, value(&arguments, &param.path)) {
                put(header, &value);
            }
        }
    }
    headers
}

/// The header form of the argument at `path`; `None` when it is absent, null, or nothing that a header can hold.
fn value(arguments: &Value, path: &[String]) -> Option<String> {
    let found = path
        .iter()
        .try_fold(arguments, |value, name| value.get(name))?;
    match found {
        Value::String(text) => Some(encoded(text).into_owned()),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Number(number) => {
            let whole = number.as_i64().or_else(|| integer(number.as_f64()?))?;
            let safe = (-SAFE..=SAFE).contains(&whole);
            safe.then(|| whole.to_string())
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A number like `7.0`, which is an integer to JSON Schema.
fn integer(number: f64) -> Option<i64> {
    if number.fract() != 0.0 || number.abs() > 9_007_199_254_740_991.0 {
        return None;
    }
    format!("{number:.0}").parse().ok()
}

/// A text as a header value: as it is where that is safe, else in base64 between markers.
fn encoded(text: &str) -> Cow<'_, str> {
    let plain = text.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
    let blank = text.starts_with(' ') || text.ends_with(' ');
    let marked = text.starts_with("=?base64?") && text.ends_with("?=");
    if plain && !blank && !marked {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("=?base64?{}?=", STANDARD.encode(text)))
}

#[cfg(test)]
mod tests {
    use super::{encoded, is_modern, of};
    use crate::jsonrpc::Message;
    use crate::tools::ParamHeader;

    const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;

    fn headers(method: &str, params: &str, learned: &[(&str, &[&str])]) -> Vec<(String, String)> {
        let line = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{META}{params}}}}}"#
        );
        let message = Message::parse(line.into()).unwrap();
        assert!(is_modern(&message));
        let learned = learned
            .iter()
            .map(|(name, path)| ParamHeader {
                name: (*name).to_owned(),
                path: path.iter().map(|part| (*part).to_owned()).collect(),
            })
            .collect();
        let headers = of(&message, |_| learned);
        let mut pairs: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        pairs.sort();
        pairs
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn standard_headers_repeat_what_the_body_says() {
        let all = [
            ("tools/list", "", None),
            ("tools/call", r#","name":"x y""#, Some("x y")),
            (
                "prompts/get",
                r#","name":"\u4e16""#,
                Some("=?base64?5LiW?="),
            ),
            ("resources/read", r#","uri":"file:///a""#, Some("file:///a")),
            ("tasks/get", r#","taskId":"t""#, Some("t")),
            ("subscriptions/listen", r#","name":"no""#, None),
        ];
        for (method, params, name) in all {
            let mut wanted = vec![("mcp-method", method)];
            wanted.extend(name.map(|name| ("mcp-name", name)));
            wanted.push(("mcp-protocol-version", "2026-07-28"));
            assert_eq!(headers(method, params, &[]), pairs(&wanted), "{method}");
        }
    }

    #[test]
    fn parameters_have_headers_where_the_tool_says_so() {
        let arguments = r#","name":"t","arguments":{"s":" padded ","n":-7.0,"b":true,"null":null,"f":1.5,"big":9007199254740992,"o":{"in":"x"}}"#;
        let learned: &[(&str, &[&str])] = &[
            ("S", &["s"]),
            ("N", &["n"]),
            ("B", &["b"]),
            ("Null", &["null"]),
            ("F", &["f"]),
            ("Big", &["big"]),
            ("In", &["o", "in"]),
            ("Absent", &["gone"]),
        ];
        let found = headers("tools/call", arguments, learned);
        let found: Vec<_> = found
            .into_iter()
            .filter(|(name, _)| name.starts_with("mcp-param-"))
            .collect();
        let wanted = [
            ("mcp-param-b", "true"),
            ("mcp-param-in", "x"),
            ("mcp-param-n", "-7"),
            ("mcp-param-s", "=?base64?IHBhZGRlZCA=?="),
        ];
        assert_eq!(found, pairs(&wanted));
    }

    #[test]
    fn values_are_encoded_where_a_header_could_not_carry_them() {
        for (text, header) in [
            ("plain, with spaces", "plain, with spaces"),
            (" padded ", "=?base64?IHBhZGRlZCA=?="),
            ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
            ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
            ("", ""),
        ] {
            assert_eq!(encoded(text), header);
        }
    }

    #[test]
    fn other_messages_have_none() {
        for line in [
            r#"{"id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#,
            r#"{"id":1,"method":"tools/list"}"#,
            r#"{"id":1,"method":"tools/list","params":{"_meta":{"progressToken":1}}}"#,
            r#"{"id":1,"method":"protocolVersion","params":[{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}]}"#,
            r#"{"method":"x","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#,
        ] {
            let message = Message::parse(line.into()).unwrap();
            assert!(
                !is_modern(&message) && of(&message, |_| Vec::new()).is_empty(),
                "{line}"
            );
        }
    }
}
