//! What a client of 2026-07-28 writes, and a scripted server of it: a closure that gets each request and its id. It must not
//! know what the bridge makes of it.

use serde_json::Value;

use super::http::{Request, Response};
use super::rpc::{self, Rpc};

/// The revision, as a raw string.
pub const REVISION: &str = "2026-07-28";

/// The key in `_meta` that names a subscription.
pub const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// Raw params with an envelope: what the client can do (raw), more keys of `_meta`, and more members. Each of these begins with
/// a comma.
pub fn enveloped(capabilities: &str, keys: &str, more: &str) -> String {
    format!(
        r#"{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"{REVISION}","io.modelcontextprotocol/clientCapabilities":{capabilities}{keys}}}{more}}}"#
    )
}

/// Raw params of a client that can do nothing; `more` begins with a comma.
pub fn params(more: &str) -> String {
    enveloped("{}", "", more)
}

/// The params of a request that goes on with an earlier one: its answers, raw, under the state that it was given.
pub fn going_on(capabilities: &str, more: &str, asked: &Value, responses: &str) -> String {
    let state = &asked["requestState"];
    let more = format!(r#"{more},"inputResponses":{responses},"requestState":{state}"#);
    enveloped(capabilities, "", &more)
}

/// The message in a request.
pub fn said(request: &Request) -> Rpc {
    request.rpc().expect("a JSON-RPC message")
}

/// The id of a request, raw.
pub fn id(request: &Request) -> String {
    said(request).id.expect("an id")
}

/// The answer with that raw result, as JSON.
pub fn reply(request: &Request, result: &str) -> Response {
    Response::json(200, rpc::result(&id(request), result))
}

/// An error answer with that status and code.
pub fn refuse(request: &Request, status: u16, code: i64) -> Response {
    Response::json(status, rpc::error(&id(request), code, "no"))
}

/// An error answer with that status, code and raw data.
pub fn refuse_with(request: &Request, status: u16, code: i64, data: &str) -> Response {
    let id = id(request);
    let error = format!(r#"{{"code":{code},"message":"no","data":{data}}}"#);
    Response::json(
        status,
        format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#),
    )
}

/// The raw `DiscoverResult` of a server with these raw capabilities.
pub fn discovered(capabilities: &str) -> String {
    format!(
        r#"{{"resultType":"complete","supportedVersions":["{REVISION}"],"capabilities":{capabilities},"instructions":"Be kind.","ttlMs":0,"cacheScope":"private","_meta":{{"io.modelcontextprotocol/serverInfo":{{"name":"modern","version":"2.0.0"}}}}}}"#
    )
}
