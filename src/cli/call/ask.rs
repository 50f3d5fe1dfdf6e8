//! What a server asks the user, on the terminal (2025-11-25 elicitation): one prompt for each field by its type.

mod field;

use std::collections::BTreeSet;
use std::io::Write;

use dialoguer::Select;
use dialoguer::theme::SimpleTheme;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use self::field::Field;
use super::front::Manner;
use super::values::quoted;
use crate::auth::browser::SafeUrl;
use crate::jsonrpc::Members;
use crate::ui;

/// The params of `elicitation/create`.
#[derive(Debug, Deserialize)]
pub struct Question {
    /// `form` or `url`; a form where it is not said.
    #[serde(default)]
    pub mode: Option<String>,
    /// What the user is told.
    #[serde(default)]
    pub message: String,
    /// The address to open.
    #[serde(default)]
    pub url: Option<String>,
    #[serde(default, rename = "requestedSchema")]
    schema: Option<Box<RawValue>>,
}

/// What the user makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The fields, each value raw JSON; `None` where there is no form.
    Accept(Option<Vec<(String, String)>>),
    /// No.
    Decline,
    /// Not now.
    Cancel,
}

impl Answer {
    /// The result of the elicitation.
    pub fn to_json(&self) -> String {
        match self {
            Self::Accept(None) => r#"{"action":"accept"}"#.to_owned(),
            Self::Accept(Some(fields)) => {
                let fields = fields
                    .iter()
                    .map(|(name, json)| format!("{}:{json}", quoted(name)));
                let fields = fields.collect::<Vec<_>>().join(",");
                format!(r#"{{"action":"accept","content":{{{fields}}}}}"#)
            }
            Self::Decline => r#"{"action":"decline"}"#.to_owned(),
            Self::Cancel => r#"{"action":"cancel"}"#.to_owned(),
        }
    }
}

/// Tells what a server asks.
fn tell(message: &str, manner: &Manner) {
    let message = ui::text(message);
    let _ = writeln!(
        std::io::stderr(),
        "{} asks: {}",
        manner.server,
        message.trim_end()
    );
}

/// The choice that every question begins with.
fn begin(first: &str) -> Option<Answer> {
    let choice = Select::with_theme(&SimpleTheme)
        .with_prompt("Your choice")
        .items([first, "decline", "cancel"])
        .default(0)
        .interact_opt();
    match choice {
        Ok(Some(0)) => None,
        Ok(Some(1)) => Some(Answer::Decline),
        _ => Some(Answer::Cancel),
    }
}

/// Shows an address; the user says whether it is to be opened.
pub fn visit(message: &str, url: &SafeUrl, manner: &Manner) -> Answer {
    tell(message, manner);
    let _ = writeln!(std::io::stderr(), "{url}");
    let first = if manner.no_browser {
        "I open it myself"
    } else {
        "open it in the browser"
    };
    begin(first).unwrap_or(Answer::Accept(None))
}

/// Asks for each field of a form.
pub fn form(question: &Question, manner: &Manner) -> Answer {
    tell(&question.message, manner);
    let schema = question.schema.as_deref().map_or("{}", RawValue::get);
    let members = Members::read(schema).unwrap_or_default();
    let fields = members.get("properties").and_then(Members::read);
    let fields = fields.unwrap_or_default();
    let required: BTreeSet<String> = members
        .get("required")
        .and_then(|raw| serde_json::from_str(raw).ok())
        .unwrap_or_default();
    let first = if fields.is_empty() {
        "accept"
    } else {
        "answer"
    };
    if let Some(answer) = begin(first) {
        return answer;
    }
    let mut content = Vec::new();
    for (name, schema) in fields.iter() {
        let schema: Value = serde_json::from_str(schema).unwrap_or_default();
        let field = Field {
            name: &name,
            schema: &schema,
            required: required.contains(&*name),
        };
        match field.ask() {
            Ok(Some(json)) => content.push((name.into_owned(), json)),
            Ok(None) => {}
            Err(_) => return Answer::Cancel,
        }
    }
    Answer::Accept(Some(content))
}

#[cfg(test)]
mod tests {
    use super::Answer;

    #[test]
    fn answers_are_results_of_an_elicitation() {
        let fields = vec![("a \"b".to_owned(), "1.0".to_owned())];
        let table = [
            (
                Answer::Accept(Some(fields)),
                r#"{"action":"accept","content":{"a \"b":1.0}}"#,
            ),
            (Answer::Accept(None), r#"{"action":"accept"}"#),
            (Answer::Decline, r#"{"action":"decline"}"#),
            (Answer::Cancel, r#"{"action":"cancel"}"#),
        ];
        for (answer, wanted) in table {
            assert_eq!(answer.to_json(), wanted);
        }
    }
}
