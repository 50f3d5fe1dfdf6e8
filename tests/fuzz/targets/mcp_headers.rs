//! What a request says in its headers is what it says in its body (2026-07-28 streamable-http §Custom Headers).
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mcp_tether::era::headers::{is_modern, meta, mismatch, of};
use mcp_tether::jsonrpc::Message;
use mcp_tether::tools::{ParamHeader, param_headers};
use mcp_tether_fuzz::{Pick, json};
use serde_json::{Value, json};

fuzz_target!(|data: &[u8]| {
    let mut pick = Pick(data);
    let method = *pick.of(&["tools/call", "prompts/get", "resources/read", "tasks/get"]);
    let Some(first) = pick.text() else { return };
    let Ok(rest) = std::str::from_utf8(pick.0) else {
        return;
    };
    made(method, first, rest);
    if json::is_valid(rest) {
        read(rest, first);
    }
});

/// Any text can be a name and an argument.
fn made(method: &str, name: &str, text: &str) {
    let member = match method {
        "resources/read" => "uri",
        "tasks/get" => "taskId",
        _ => "name",
    };
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": {
        "_meta": { "io.modelcontextprotocol/protocolVersion": "2026-07-28" },
        member: name,
        "arguments": { "a": { text: text } },
    }});
    let request = Message::parse(Bytes::from(request.to_string())).expect("a request");
    let param = ParamHeader {
        name: "X".to_owned(),
        path: vec!["a".to_owned(), text.to_owned()],
    };
    let headers = of(&request, |_| vec![param]);
    let value = |name: &str| decoded(headers.get(name).expect("it is there"));
    assert_eq!(value("mcp-method"), method);
    assert_eq!(value("mcp-name"), name);
    if method == "tools/call" {
        assert_eq!(value("mcp-param-x"), text);
    }
}

/// Whatever a server and a client say: each header says the same as its argument.
fn read(request: &str, tool: &str) {
    let Ok(message) = Message::parse(Bytes::copy_from_slice(request.as_bytes())) else {
        return;
    };
    let _ = mismatch(&message);
    let learned = param_headers(tool).unwrap_or_default();
    let headers = of(&message, |_| learned.clone());
    assert_eq!(is_modern(&message), !headers.is_empty());
    let own = meta(&message);
    if own.is_some() {
        assert!(is_modern(&message));
    }
    if headers.is_empty() {
        return;
    }
    let params = message.payload().expect("it names its revision");
    let arguments = json::member(params, "arguments");
    let arguments: Value = arguments
        .and_then(|raw| serde_json::from_str(raw).ok())
        .unwrap_or_default();
    for param in &learned {
        let Some(header) = headers.get(format!("mcp-param-{}", param.name.to_ascii_lowercase()))
        else {
            continue;
        };
        let names = param.path.iter();
        let said = names.fold(&arguments, |value, name| &value[name]);
        let header = decoded(header);
        match said {
            Value::String(text) => assert_eq!(&header, text),
            Value::Bool(yes) => assert_eq!(header, yes.to_string()),
            Value::Number(number) => {
                let whole: i64 = header.parse().expect("an integer");
                assert!(whole.unsigned_abs() < 1 << 53);
                let same = number.as_i64() == Some(whole)
                    || number.as_f64().is_some_and(|number| number == whole as f64);
                assert!(same, "{number} {whole}");
            }
            other => panic!("{other} has a header"),
        }
    }
}

fn decoded(value: &http::HeaderValue) -> String {
    let text = value.to_str().expect("visible ASCII");
    assert_eq!(
        text,
        text.trim(),
        "blanks around a value are lost on the way"
    );
    let inner = text.strip_prefix("=?base64?");
    match inner.and_then(|inner| inner.strip_suffix("?=")) {
        Some(inner) => {
            let bytes = STANDARD.decode(inner).expect("base64");
            String::from_utf8(bytes).expect("UTF-8")
        }
        None => text.to_owned(),
    }
}
