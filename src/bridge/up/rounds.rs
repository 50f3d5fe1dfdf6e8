//! What a server of 2026-07-28 wants to know before it answers is asked of the client with requests, as earlier revisions have
//! them; with the answers the request is made once more (2026-07-28 mrtr).

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use crate::bridge::core::Core;
use crate::bridge::inflight::Sent;
use crate::bridge::request::{Course, Request, Step};
use crate::era::mrtr::{self, Input, InputRequired};
use crate::error::Failure;
use crate::jsonrpc::{Id, Kind, Message, reply};

/// Rounds of one request at most.
const ROUNDS: u32 = 10;

/// Questions of one round at most.
const INPUTS: usize = 64;

/// The wait before a round for which nobody was asked, times the rounds before it.
const PAUSE: Duration = Duration::from_millis(100);

/// A question to the client, which is taken back when nobody waits for the answer any more.
struct Question {
    core: Arc<Core>,
    id: Id,
    answered: bool,
}

impl Drop for Question {
    fn drop(&mut self) {
        if !self.answered {
            self.core.take_question_back(&self.id);
        }
    }
}

impl Request {
    /// Asks the client what the server wants to know, and prepares the next round.
    pub(super) async fn round(
        &self,
        course: &mut Course,
        required: &InputRequired,
        capabilities: &str,
    ) -> Result<Step, Failure> {
        // The server has nothing of it in hand: a cancel ends all of it.
        self.core.inflight.set_sent(&self.id, self.serial, Sent::No);
        course.rounds += 1;
        if course.rounds > ROUNDS {
            let told = format!("the server wanted to know more than {ROUNDS} times");
            return Ok(self.failed(&told));
        }
        if required.inputs.len() > INPUTS {
            let told = format!("the server wanted to know more than {INPUTS} things at once");
            return Ok(self.failed(&told));
        }
        if required.inputs.is_empty() {
            tokio::time::sleep(PAUSE * course.rounds).await;
        }
        let inputs = required.inputs.iter();
        let answers = join_all(inputs.map(|input| self.input(input, capabilities))).await;
        let mut responses = Vec::new();
        for (input, answer) in required.inputs.iter().zip(answers) {
            match answer {
                Ok(result) => responses.push((input.key.clone(), result)),
                Err(told) => return Ok(self.failed(&told)),
            }
        }
        course.message = mrtr::next_round(&self.message, &responses, required.state.as_deref());
        course.id = self.core.link.own_id();
        Ok(Step::Again)
    }

    /// The client's raw result for one input, or why there is none. An elicitation always has one.
    async fn input(&self, input: &Input, capabilities: &str) -> Result<String, String> {
        let Input { method, params, .. } = input;
        let refused = |why: &str| match method.as_str() {
            "elicitation/create" => Ok(r#"{"action":"cancel"}"#.to_owned()),
            _ => Err(format!("the server asked for {method}: {why}")),
        };
        if !mrtr::may_ask(capabilities, method, params.as_deref()) {
            return refused("the client has not offered it");
        }
        let id = self.core.link.own_id();
        let params = mrtr::for_legacy(input, id.raw().trim_matches('"'));
        let request = reply::request(&id, method, params.as_deref());
        let mut question = Question {
            core: Arc::clone(&self.core),
            id,
            answered: false,
        };
        let answer = self.core.ask_client_ourselves(request).await;
        question.answered = true;
        match answer {
            Some(answer) if answer.kind() == Kind::Result => {
                Ok(answer.payload().unwrap_or("{}").to_owned())
            }
            Some(error) => refused(&said(&error)),
            None => refused("the client has left"),
        }
    }
}

fn said(error: &Message) -> String {
    #[derive(serde::Deserialize)]
    struct Error {
        message: String,
    }
    let error: Option<Error> = error.read();
    error.map_or_else(
        || "the client refused".to_owned(),
        |error| format!("the client answered: {}", error.message),
    )
}
