//! Rounds of input in which the user alone has a part, at an address that they open: to sign in, or because an older server
//! wants it. A request of 2026-07-28 ends with such a round; when the client makes it again, it is as if it were new (2026-07-28
//! mrtr, elicitation §URL Mode).

use serde_json::json;

use super::{Request, Step};
use crate::era::MISSING_CAPABILITY;
use crate::era::envelope::Envelope;
use crate::era::mrtr::{self, Input};
use crate::jsonrpc::{Members, Message, reply};

/// The state of such a round: there is nothing to find again.
const AGAIN: &str = "mcp-tether:again";

impl Request {
    /// Takes the marks of such a round off the request; it gives the answer where the user has not agreed.
    pub(super) fn made_again(&mut self) -> Option<Message> {
        if !self.modern {
            return None;
        }
        let retry = mrtr::retry(&self.message).filter(|retry| retry.state == AGAIN)?;
        if !retry.responses.iter().all(|(_, result)| accepts(result)) {
            let told = "the user has not opened the address that the server wants opened";
            return Some(self.failed_answer(told));
        }
        self.message = mrtr::next_round(&self.message, &[], None);
        self.again = true;
        None
    }

    /// Asks the user through the client to sign in; `None` where that is not possible, or not needed any more.
    pub(super) async fn ask_to_sign_in(&self) -> Option<Step> {
        let eligible = matches!(
            self.message.method(),
            "tools/call" | "prompts/get" | "resources/read"
        );
        if !self.modern || !eligible {
            return None;
        }
        let envelope = Envelope::of(&self.message).ok()?;
        let method = "elicitation/create";
        let probe = r#"{"mode":"url"}"#;
        if !mrtr::may_ask(&envelope.capabilities, method, Some(probe)) {
            return None;
        }
        let params = self.core.sign_in_invitation(&self.message).await?;
        let input = Input {
            key: "sign-in".to_owned(),
            method: method.to_owned(),
            params: Some(params.to_string()),
        };
        Some(Step::Here(self.round_of_addresses(&[input])))
    }

    /// The answer that has the client show these addresses, if it can.
    pub fn url_elicitations(&self, inputs: &[Input]) -> Message {
        let may = Envelope::of(&self.message).is_ok_and(|envelope| {
            let capabilities = &envelope.capabilities;
            inputs
                .iter()
                .all(|input| mrtr::may_ask(capabilities, &input.method, input.params.as_deref()))
        });
        if may {
            return self.round_of_addresses(inputs);
        }
        let data = json!({ "requiredCapabilities": { "elicitation": { "url": {} } } });
        let told = "the server wants the user to open an address, which the client has not offered";
        reply::error(Some(&self.id), MISSING_CAPABILITY, told, Some(data))
    }

    fn round_of_addresses(&self, inputs: &[Input]) -> Message {
        reply::result(&self.id, &mrtr::input_required(inputs, AGAIN))
    }
}

/// Whether the user agreed to an elicitation, given its raw result.
fn accepts(result: &str) -> bool {
    let result = Members::read(result);
    result.is_some_and(|result| result.get("action") == Some(r#""accept""#))
}
