//! What has to be known of a tool before it is called: whether the filter lets it through, and which headers it asks for.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Pairing, Request};
use crate::bridge::filter::Verdict;
use crate::era::headers::meta;
use crate::error::Failure;
use crate::tools;

impl Request {
    /// Whether the filter lets the tool be called.
    pub async fn allowed(&self) -> Result<(), Failure> {
        #[derive(Deserialize)]
        struct Call {
            name: String,
        }
        let filter = &self.core.filter;
        if filter.hides_nothing() {
            return Ok(());
        }
        let Some(Call { name }) = self.message.read() else {
            // A name given twice, say, of which the server may take the other one.
            return Err(Failure::Filtered {
                tool: "(no readable name)".to_owned(),
            });
        };
        if filter.judge(&name) == Verdict::Unlisted {
            self.list_tools().await?;
        }
        match filter.judge(&name) {
            Verdict::Allowed => Ok(()),
            Verdict::Hidden | Verdict::Unlisted => Err(Failure::Filtered { tool: name }),
        }
    }

    /// Lists all pages of tools, so that it is known what they are.
    pub async fn list_tools(&self) -> Result<(), Failure> {
        /// More pages than any server has; a cursor that never ends must not hold the call for ever.
        const PAGES: usize = 1000;
        let meta = self.meta();
        let mut cursor: Option<Value> = None;
        for _ in 0..PAGES {
            let members = [("_meta", meta.clone()), ("cursor", cursor.take())];
            let params: Map<String, Value> = members
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)))
                .collect();
            let params = (!params.is_empty()).then(|| Value::Object(params).to_string());
            let mut answer = self.core.ask("tools/list", params.as_deref()).await?;
            let page = answer.payload().and_then(tools::page);
            let next = page.and_then(|page| page.next_cursor);
            cursor = next.and_then(|raw| serde_json::from_str(raw.get()).ok());
            if meta.is_some() {
                answer = self.core.learned.page(answer);
            }
            self.core.filter.page(answer);
            if cursor.is_none() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The `_meta` that a request of the bridge's own needs which goes along with this one.
    fn meta(&self) -> Option<Value> {
        match self.pairing() {
            Pairing::Direct => meta(&self.core.link.replay.declaring(self.message.clone())),
            Pairing::Up => {
                let envelope = self.core.link.replay.envelope()?;
                serde_json::from_str(&envelope.meta()).ok()
            }
            Pairing::Down => None,
        }
    }
}
