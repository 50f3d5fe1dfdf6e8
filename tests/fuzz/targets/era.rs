//! Messages of one era as those of the other: each result is JSON, and members that are not named keep their bytes.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mcp_tether::era::detect::{Asked, Verdict, asks_again, era, speaks_for_sse};
use mcp_tether::era::envelope::{self, Envelope};
use mcp_tether::era::mrtr::{self, Input, InputRequired};
use mcp_tether::era::subscriptions::{self, Filter};
use mcp_tether::era::{down, up};
use mcp_tether::jsonrpc::{Id, Kind, Message};
use mcp_tether_fuzz::json::{self, assert_same_but, elements, is_valid, member, members};
use mcp_tether_fuzz::{Pick, expect};

const METHODS: [&str; 5] = [
    "tools/list",
    "tools/call",
    "server/discover",
    "resources/read",
    "x",
];

const KEYS: [&str; 4] = [
    "io.modelcontextprotocol/protocolVersion",
    "io.modelcontextprotocol/clientCapabilities",
    "io.modelcontextprotocol/clientInfo",
    "io.modelcontextprotocol/logLevel",
];

const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

fuzz_target!(|data: &[u8]| {
    let mut pick = Pick(data);
    let (what, method) = (pick.byte(), *pick.of(&METHODS));
    let (Some(other), Ok(text)) = (pick.text(), std::str::from_utf8(pick.0)) else {
        return;
    };
    // Messages are on one line.
    let (text, other) = (text.replace(['\r', '\n'], " "), other.replace('\r', " "));
    let (text, other) = (text.trim_ascii(), other.trim_ascii());
    if !is_valid(text) {
        return;
    }
    let message = Message::parse(Bytes::copy_from_slice(text.as_bytes())).ok();
    match what % 8 {
        0 => result_up(method, text),
        1 => result_down(method, text, other),
        2 => opening(text, other),
        _ => {
            let Some(message) = message else { return };
            match (message.kind(), what % 8) {
                (Kind::Error, _) => errors(&message),
                (Kind::Request, 3) => request_down(&message),
                (Kind::Request, 4) => envelopes(&message, other),
                (Kind::Request, 5) => rounds(&message, other),
                (Kind::Request | Kind::Notification, 6) => tokens(&message, other),
                (Kind::Notification, _) => notifications(&message),
                _ => detection(&message),
            }
        }
    }
});

fn result_up(method: &str, result: &str) {
    let asked = InputRequired::read(result);
    let complete = match up::outcome(method, result) {
        up::Outcome::Complete(complete) => complete,
        up::Outcome::InputRequired(required) => {
            assert_eq!(Some(required), asked);
            return;
        }
        up::Outcome::Unknown(_) => return,
    };
    if members(result).is_none() {
        assert_eq!(complete, result);
        return;
    }
    let gone = ["resultType", "ttlMs", "cacheScope"];
    let mut names = gone.to_vec();
    names.push("_meta");
    match method {
        "tools/call" => names.push("structuredContent"),
        "tools/list" => names.push("tools"),
        _ => {}
    }
    assert_same_but(result, &complete, &names);
    assert!(gone.iter().all(|name| member(&complete, name).is_none()));
    meta_same_but(result, &complete, &[SERVER_INFO]);
    if method == "tools/call" {
        let structured = member(&complete, "structuredContent");
        assert!(structured.is_none_or(|raw| raw.starts_with('{')));
    }
    tools_same_but(result, &complete, "outputSchema");
}

fn result_down(method: &str, result: &str, info: &str) {
    let info = members(info).map(|_| info);
    let done = down::result(method, result, info);
    if members(result).is_none() {
        assert_eq!(done, result);
        return;
    }
    let added = ["resultType", "ttlMs", "cacheScope", "content"];
    let mut names = added.to_vec();
    names.push("_meta");
    if method == "tools/list" {
        names.push("tools");
    }
    assert_same_but(result, &done, &names);
    for name in added {
        if let Some(before) = member(result, name) {
            assert_eq!(member(&done, name), Some(before));
        }
    }
    assert!(member(&done, "resultType").is_some());
    meta_same_but(result, &done, &[SERVER_INFO]);
    tools_same_but(result, &done, "execution");
}

fn meta_same_but(before: &str, after: &str, names: &[&str]) {
    match (member(before, "_meta"), member(after, "_meta")) {
        (Some(before), Some(after)) if members(before).is_some() => {
            assert_same_but(before, after, names);
        }
        (Some(before), Some(after)) => assert_eq!(before, after),
        (Some(before), None) => assert_same_but(before, "{}", names),
        (None, Some(after)) => assert_same_but("{}", after, names),
        (None, None) => {}
    }
}

fn tools_same_but(before: &str, after: &str, name: &str) {
    let all = |text| elements(member(text, "tools")?);
    let (Some(before), Some(after)) = (all(before), all(after)) else {
        return;
    };
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(&after) {
        match members(before) {
            Some(_) => assert_same_but(before, after, &[name]),
            None => assert_eq!(before, after),
        }
    }
}

fn opening(text: &str, other: &str) {
    let initialize = format!(r#"{{"id":1,"method":"initialize","params":{text}}}"#);
    let initialize = Message::parse(Bytes::from(initialize)).expect("a request");
    let discovered = if is_valid(other) { other } else { "{}" };

    let result = up::initialize_result(&initialize, discovered);
    for name in ["protocolVersion", "capabilities", "serverInfo"] {
        assert!(member(&result, name).is_some(), "{result}");
    }
    capabilities(
        member(discovered, "capabilities"),
        member(&result, "capabilities"),
    );

    let result = down::discover_result(text);
    for name in ["resultType", "supportedVersions", "capabilities"] {
        assert!(member(&result, name).is_some(), "{result}");
    }
    capabilities(
        member(text, "capabilities"),
        member(&result, "capabilities"),
    );

    let envelope = Envelope::of_initialize(&initialize);
    let id = Id::text("x");
    let sent = down::initialize(&id, &envelope);
    expect::whole(&sent);
    assert_eq!(sent.id(), Some(&id));
    let declared = envelope.declaring("a/b");
    let all = member(&declared.capabilities, "extensions").expect("extensions");
    assert!(member(all, "a/b").is_some());
}

fn capabilities(before: Option<&str>, after: Option<&str>) {
    let after = after.expect("capabilities");
    match before.filter(|raw| members(raw).is_some()) {
        Some(before) => assert_same_but(before, after, &["tasks", "extensions"]),
        None => assert_eq!(after, "{}"),
    }
    assert!(member(after, "tasks").is_none());
}

fn errors(message: &Message) {
    let payload = message.payload().expect("an error");
    let raised = up::error(message.clone());
    expect::whole(&raised);
    assert_eq!(raised.id(), message.id());
    assert_same_but(
        payload,
        raised.payload().expect("one"),
        &["code", "message"],
    );
    match down::error(message.clone()) {
        down::Refusal::Error(lowered) => {
            expect::whole(&lowered);
            assert_eq!(lowered.id(), message.id());
            assert_same_but(payload, lowered.payload().expect("one"), &["code", "data"]);
        }
        down::Refusal::UrlElicitations(inputs) => {
            let all = mrtr::input_required(&inputs, "s");
            let read = InputRequired::read(&all).expect("it asks for something");
            assert_eq!(read.inputs, inputs);
        }
    }
    detection(message);
}

fn request_down(request: &Message) {
    let id = Id::text("mcp-tether:1");
    let sent = down::request(request, &id);
    let (before, after) = (expect::whole(request), expect::whole(&sent));
    assert_eq!(sent.id(), Some(&id));
    assert_eq!(sent.method(), request.method());
    assert_same_but(before, after, &["id", "params"]);
    params_same_but(request, &sent, &["_meta", "inputResponses", "requestState"]);
    if let Some(meta) = sent.payload().and_then(|raw| member(raw, "_meta")) {
        assert!(KEYS.iter().all(|key| member(meta, key).is_none()));
    }
    if let Some(refused) = down::refused(request) {
        expect::whole(&refused);
        assert_eq!(refused.id(), request.id());
    }
    if let Some(up::Here::Answer(raw)) = up::here(request) {
        assert!(is_valid(raw));
    }
}

fn params_same_but(before: &Message, after: &Message, names: &[&str]) {
    let raw = |message: &Message| {
        let raw = message.payload().filter(|raw| *raw != "null");
        raw.unwrap_or("{}").to_owned()
    };
    let (before, after) = (raw(before), raw(after));
    if members(&before).is_none() {
        assert_eq!(before, after);
        return;
    }
    assert_same_but(&before, &after, names);
}

fn envelopes(request: &Message, client: &str) {
    let params = if is_valid(client) { client } else { "{}" };
    let initialize = format!(r#"{{"id":1,"method":"initialize","params":{params}}}"#);
    let initialize = Message::parse(Bytes::from(initialize)).expect("a request");
    let envelope = Envelope::of_initialize(&initialize);
    let sent = envelope.put_in(request);
    assert_same_but(expect::whole(request), expect::whole(&sent), &["params"]);
    params_same_but(request, &sent, &["_meta", "task"]);
    let bare = envelope::stripped(request);
    params_same_but(request, &bare, &["_meta"]);
    let raw = request.payload().filter(|raw| *raw != "null");
    if raw.is_some_and(|raw| members(raw).is_none()) {
        return;
    }
    let read = Envelope::of(&sent).expect("it has an envelope");
    assert_eq!(read.capabilities, envelope.capabilities);
    assert_eq!(read.client_info, envelope.client_info);
    let back = envelope::stripped(&sent);
    params_same_but(&bare, &back, &["task"]);
    let meta = envelope.meta();
    assert_same_but(&meta, "{}", &KEYS);
}

fn rounds(request: &Message, answer: &str) {
    let answer = if is_valid(answer) { answer } else { "{}" };
    let responses = [("a\"\n".to_owned(), answer.to_owned())];
    let next = mrtr::next_round(request, &responses, Some("\"s\\n\""));
    assert_same_but(expect::whole(request), expect::whole(&next), &["params"]);
    params_same_but(request, &next, &["inputResponses", "requestState"]);
    let raw = request.payload().filter(|raw| *raw != "null");
    if raw.is_none_or(|raw| members(raw).is_some()) {
        let read = mrtr::retry(&next).expect("it goes on");
        assert_eq!(read.state, "s\n");
        assert_eq!(read.responses, responses);
        assert_eq!(mrtr::bound(request), mrtr::bound(&next));
    }
    let _ = mrtr::retry(request);
    if let Some(params) = raw {
        if let Some(required) = InputRequired::read(params) {
            again(&required);
        }
        for method in ["elicitation/create", "sampling/createMessage", "roots/list"] {
            let input = Input {
                key: "k".to_owned(),
                method: method.to_owned(),
                params: Some(params.to_owned()),
            };
            let legacy = mrtr::for_legacy(&input, "e").expect("it has params");
            if members(params).is_some() {
                assert_same_but(params, &legacy, &["elicitationId"]);
            }
            let _ = mrtr::may_ask(answer, method, Some(params));
        }
    }
}

fn again(required: &InputRequired) {
    let Some(state) = &required.state else { return };
    let Ok(state) = serde_json::from_str::<String>(state) else {
        return;
    };
    let written = mrtr::input_required(&required.inputs, &state);
    let read = InputRequired::read(&written).expect("it asks for something");
    let keys = |all: &InputRequired| -> Vec<(String, String)> {
        let all = all.inputs.iter();
        all.map(|one| (one.key.clone(), one.method.clone()))
            .collect()
    };
    assert_eq!(keys(&read), keys(required));
}

fn tokens(message: &Message, token: &str) {
    let token = if is_valid(token) { token } else { "7" };
    let had = envelope::progress_token(message).is_some();
    let changed = envelope::with_progress_token(message, token);
    assert_same_but(expect::whole(message), expect::whole(&changed), &["params"]);
    params_same_but(message, &changed, &["_meta", "progressToken"]);
    match had {
        true => assert_eq!(envelope::progress_token(&changed).as_deref(), Some(token)),
        false => assert_eq!(changed.line(), message.line()),
    }
}

fn notifications(notification: &Message) {
    let id = Id::text("s");
    let tagged = subscriptions::tagged(notification, &id);
    assert_same_but(
        expect::whole(notification),
        expect::whole(&tagged),
        &["params"],
    );
    params_same_but(notification, &tagged, &["_meta"]);
    let raw = notification.payload().filter(|raw| *raw != "null");
    if raw.is_none_or(|raw| members(raw).is_some()) {
        assert_eq!(subscriptions::subscription(&tagged), Some(id));
        let plain = subscriptions::untagged(&tagged);
        assert_eq!(subscriptions::subscription(&plain), None);
        params_same_but(notification, &plain, &["_meta"]);
    }
    for level in ["debug", "error", "x"] {
        let _ = down::log_passes(level, notification);
    }
    if let Some(filter) = Filter::of_acknowledged(notification) {
        let written = subscriptions::acknowledged(&Id::text("x"), &filter);
        expect::whole(&written);
        assert_eq!(Filter::of_acknowledged(&written), Some(filter.clone()));
        let offered = filter.honoured(raw.unwrap_or("{}"));
        assert!(offered.uris.is_subset(&filter.uris) && (filter.tools || !offered.tools));
        let _ = filter.wants(notification);
    }
}

fn detection(message: &Message) {
    for status in [None, Some(400), Some(401), Some(404), Some(500)] {
        for asked in [
            Asked::Initialize,
            Asked::OwnInitialize,
            Asked::Discover,
            Asked::Modern,
        ] {
            let verdict = era(asked, status, Some(message));
            if matches!(status, Some(401 | 500)) {
                assert_eq!(verdict, Verdict::Unclear);
            }
        }
        assert_eq!(era(Asked::Legacy, status, Some(message)), Verdict::Unclear);
        if let Some(status) = status {
            let speaks = speaks_for_sse(status, Some(message), message.id());
            assert!(!speaks || message.id().is_none());
        }
    }
    let _ = asks_again(message);
    assert!(json::is_valid(expect::whole(message)));
}
