//! What the lists of a server of 2026-07-28 say about its tools: which parameters are sent as headers, and which tools are
//! invalid and must not be offered (2026-07-28 streamable-http §Custom Headers).

use std::sync::{Mutex, MutexGuard, PoisonError};

use http::HeaderMap;

use super::listed::Listed;
use super::request::LISTEN;
use crate::era::headers;
use crate::jsonrpc::Message;
use crate::tools::{self, ParamHeader};
use crate::transport::Outgoing;

/// The headers of parameters, by tool: of those that have any.
#[derive(Debug, Default)]
pub(super) struct Learned(Mutex<Listed<Vec<ParamHeader>>>);

impl Learned {
    fn lock(&self) -> MutexGuard<'_, Listed<Vec<ParamHeader>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message of the session with the headers that go with it: none, unless it is of 2026-07-28.
    pub fn outgoing(&self, message: Message) -> Outgoing {
        let headers = self.headers(&message);
        Outgoing {
            headers,
            lasts: message.is(LISTEN),
            ..Outgoing::new(message)
        }
    }

    fn headers(&self, message: &Message) -> HeaderMap {
        headers::of(message, |tool| {
            self.lock().get(tool).cloned().unwrap_or_default()
        })
    }

    fn learn(&self, tool: &str, headers: Vec<ParamHeader>) {
        if headers.is_empty() {
            return self.lock().remove(tool);
        }
        let bytes = headers.iter().map(|header| {
            let texts = header.path.iter().chain([&header.name]);
            let texts: usize = texts.map(|text| size_of::<String>() + text.len()).sum();
            size_of::<ParamHeader>() + texts
        });
        let bytes = bytes.sum();
        self.lock().insert(tool, headers, bytes);
    }

    /// Learns from a page of tools; it is given on without those that are invalid.
    pub fn page(&self, answer: Message) -> Message {
        let found = answer
            .payload()
            .and_then(|result| Some((result, tools::page(result)?)));
        let Some((result, page)) = found else {
            return answer;
        };
        let mut kept = Vec::new();
        for tool in &page.tools {
            let name = tool.name.as_deref().unwrap_or_default();
            match tools::param_headers(tool.raw) {
                Ok(headers) => {
                    self.learn(name, headers);
                    kept.push(tool.raw);
                }
                Err(why) => tracing::warn!("the tool {name:?} is left out: {why}"),
            }
        }
        if kept.len() == page.tools.len() {
            return answer;
        }
        answer.with_payload(page.with_only(result, &kept).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::Learned;
    use crate::jsonrpc::Message;

    #[test]
    fn invalid_tools_are_left_out_and_the_others_keep_their_bytes() {
        let learned = Learned::default();
        let page = r#"{"id":1,"result":{"tools":[{"name":"a","x":1.0,"inputSchema":{"properties":{"r":{"type":"string","x-mcp-header":"R"}}}},{"name":"b","inputSchema":{"x-mcp-header":"B"}}],"z":1}}"#;
        let kept = learned.page(Message::parse(page.into()).unwrap());
        assert_eq!(
            std::str::from_utf8(kept.line()).unwrap(),
            r#"{"id":1,"result":{"tools":[{"name":"a","x":1.0,"inputSchema":{"properties":{"r":{"type":"string","x-mcp-header":"R"}}}}],"z":1}}"#
        );
        let call = r#"{"id":2,"method":"tools/call","params":{"name":"a","arguments":{"r":"eu"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
        let outgoing = learned.outgoing(Message::parse(call.into()).unwrap());
        assert_eq!(outgoing.headers["mcp-param-r"], "eu");
        assert_eq!(outgoing.headers["mcp-method"], "tools/call");
    }

    #[test]
    fn tools_that_are_listed_no_more_are_forgotten_and_what_is_listed_is_not() {
        let learned = Learned::default();
        let listed = |names: std::ops::Range<usize>| {
            let tool = |name| {
                format!(
                    r#"{{"name":"{name}","inputSchema":{{"properties":{{"r":{{"type":"string","x-mcp-header":"R"}}}}}}}}"#
                )
            };
            let long = "x".repeat(2000);
            let mut tools: Vec<String> = names.map(|n| tool(format!("{long}{n}"))).collect();
            tools.insert(0, tool("kept".to_owned()));
            let page = format!(r#"{{"id":1,"result":{{"tools":[{}]}}}}"#, tools.join(","));
            learned.page(Message::parse(page.into()).unwrap());
        };
        let is_known = |name: &str| {
            let call = format!(
                r#"{{"id":2,"method":"tools/call","params":{{"name":"{name}","arguments":{{"r":"eu"}},"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}}}}"#
            );
            let outgoing = learned.outgoing(Message::parse(call.into()).unwrap());
            outgoing.headers.contains_key("mcp-param-r")
        };
        for round in 0..100 {
            listed(round * 100..(round + 1) * 100);
        }
        let long = "x".repeat(2000);
        assert!(!is_known(&format!("{long}0")), "listed long ago");
        for recent in 9000..10000 {
            assert!(is_known(&format!("{long}{recent}")));
        }
        assert!(is_known("kept"), "listed first, and again each time");
    }
}
