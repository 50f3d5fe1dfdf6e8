//! One field of a form: a prompt by its type, and whether what was typed fits it.

use std::io::Write;

use dialoguer::theme::SimpleTheme;
use dialoguer::{Confirm, Input, MultiSelect, Select};
use serde_json::{Value, json};

use crate::cli::call::schema::{Schema, plain};
use crate::cli::call::values::{quoted, typed};
use crate::ui;

/// One field of a form.
pub struct Field<'a> {
    pub name: &'a str,
    pub schema: &'a Value,
    pub required: bool,
}

impl Field<'_> {
    /// The value as raw JSON; `None` when it is left out.
    pub fn ask(&self) -> dialoguer::Result<Option<String>> {
        if let Some(about) = self.text("description") {
            let _ = writeln!(std::io::stderr(), "{}", ui::line(about));
        }
        if let Some(choices) = choices(self.schema) {
            return self.one_of(&choices);
        }
        match self.text("type") {
            Some("boolean") => self.yes_or_no(),
            Some("array") => self.some_of(),
            _ => self.typed(),
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.schema.get(name).and_then(Value::as_str)
    }

    fn default(&self) -> Option<&Value> {
        self.schema.get("default").filter(|value| !value.is_null())
    }

    fn label(&self) -> String {
        let label = ui::line(self.text("title").unwrap_or(self.name));
        if self.required {
            label
        } else {
            format!("{label} (optional)")
        }
    }

    fn yes_or_no(&self) -> dialoguer::Result<Option<String>> {
        let default = self.default().and_then(Value::as_bool);
        if !self.required && default.is_none() {
            let yes = Choice::new(&json!(true), "yes");
            return self.one_of(&[yes, Choice::new(&json!(false), "no")]);
        }
        let mut prompt = Confirm::with_theme(&SimpleTheme).with_prompt(self.label());
        if let Some(default) = default {
            prompt = prompt.default(default);
        }
        Ok(Some(prompt.interact()?.to_string()))
    }

    fn one_of(&self, choices: &[Choice]) -> dialoguer::Result<Option<String>> {
        let default = self.default().map(Value::to_string);
        let default = choices
            .iter()
            .position(|one| Some(&one.json) == default.as_ref());
        let mut labels: Vec<&str> = choices.iter().map(|one| one.label.as_str()).collect();
        if !self.required {
            labels.push("(leave out)");
        }
        let chosen = Select::with_theme(&SimpleTheme)
            .with_prompt(self.label())
            .items(labels)
            .default(default.unwrap_or(0))
            .interact()?;
        Ok(choices.get(chosen).map(|one| one.json.clone()))
    }

    fn some_of(&self) -> dialoguer::Result<Option<String>> {
        let items = self.schema.get("items").unwrap_or(&Value::Null);
        let Some(choices) = choices(items) else {
            return self.typed();
        };
        let default = self.default().and_then(Value::as_array);
        let checked = |one: &Choice| {
            default.is_some_and(|all| {
                all.iter()
                    .map(Value::to_string)
                    .any(|json| json == one.json)
            })
        };
        let limit = |name: &str, otherwise: u64| {
            self.schema
                .get(name)
                .and_then(Value::as_u64)
                .unwrap_or(otherwise)
        };
        let (least, most) = (limit("minItems", 0), limit("maxItems", u64::MAX));
        loop {
            let chosen = MultiSelect::with_theme(&SimpleTheme)
                .with_prompt(format!("{} (space chooses)", self.label()))
                .items_checked(choices.iter().map(|one| (one.label.as_str(), checked(one))))
                .interact()?;
            let count = chosen.len() as u64;
            if count == 0 && !self.required {
                return Ok(None);
            }
            if (least..=most).contains(&count) {
                let chosen = chosen.iter().filter_map(|at| choices.get(*at));
                let chosen: Vec<&str> = chosen.map(|one| one.json.as_str()).collect();
                return Ok(Some(format!("[{}]", chosen.join(","))));
            }
            let _ = writeln!(std::io::stderr(), "choose {}", range(least, most));
        }
    }

    fn typed(&self) -> dialoguer::Result<Option<String>> {
        let mut prompt = Input::<String>::with_theme(&SimpleTheme)
            .with_prompt(self.label())
            .allow_empty(true)
            .validate_with(|text: &String| self.check(text).map(|_| ()));
        if let Some(default) = self.default() {
            prompt = prompt.default(ui::line(&plain(default)));
        }
        let text = prompt.interact()?;
        Ok(self.check(&text).unwrap_or_default())
    }

    /// The JSON for what was typed; `None` when it is left out.
    fn check(&self, text: &str) -> Result<Option<String>, String> {
        if text.is_empty() && !self.required {
            return Ok(None);
        }
        let kind = self.text("type").unwrap_or("string");
        if kind == "string" {
            check_text(text, self.schema, self.required)?;
            return Ok(Some(quoted(text)));
        }
        let schema = Schema::new(self.schema);
        let json = typed(text, schema)?;
        if let Ok(number) = json.parse::<f64>() {
            let limit = |name: &str| self.schema.get(name).and_then(Value::as_f64);
            if limit("minimum").is_some_and(|least| number < least)
                || limit("maximum").is_some_and(|most| number > most)
            {
                let bound = |name: &str| self.schema.get(name).map(Value::to_string);
                let (least, most) = (bound("minimum"), bound("maximum"));
                return Err(format!(
                    "must be between {} and {}",
                    least.as_deref().unwrap_or("any"),
                    most.as_deref().unwrap_or("any")
                ));
            }
        }
        Ok(Some(json))
    }
}

/// Whether a text has the length and the form that the schema wants.
fn check_text(text: &str, schema: &Value, required: bool) -> Result<(), String> {
    let limit = |name: &str| schema.get(name).and_then(Value::as_u64);
    let least = limit("minLength").unwrap_or(0);
    let most = limit("maxLength").unwrap_or(u64::MAX);
    let length = text.chars().count() as u64;
    if text.is_empty() && required && least == 0 && limit("minLength").is_none() {
        return Err("is needed".to_owned());
    }
    if !(least..=most).contains(&length) {
        return Err(format!("must have {} characters", range(least, most)));
    }
    let format = schema.get("format").and_then(Value::as_str);
    let fits = match format.unwrap_or_default() {
        "email" => text.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty() && !host.is_empty() && !text.contains(char::is_whitespace)
        }),
        "uri" => url::Url::parse(text).is_ok(),
        "date" => is_date(text),
        "date-time" => text
            .split_once(['T', 't', ' '])
            .is_some_and(|(date, time)| {
                is_date(date) && time.len() >= 5 && time.get(2..3) == Some(":")
            }),
        _ => true,
    };
    if fits {
        Ok(())
    } else {
        let example = match format.unwrap_or_default() {
            "email" => "name@example.com",
            "uri" => "https://example.com/",
            "date" => "2026-01-31",
            _ => "2026-01-31T12:00:00Z",
        };
        Err(format!("must be like {example}"))
    }
}

fn is_date(text: &str) -> bool {
    let form: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    form == "0000-00-00"
}

fn range(least: u64, most: u64) -> String {
    match (least, most) {
        (least, u64::MAX) => format!("at least {least}"),
        (0, most) => format!("at most {most}"),
        (least, most) if least == most => format!("{least}"),
        (least, most) => format!("{least} to {most}"),
    }
}

/// One value of several.
struct Choice {
    json: String,
    label: String,
}

impl Choice {
    fn new(value: &Value, label: &str) -> Self {
        Self {
            json: value.to_string(),
            label: ui::line(label),
        }
    }
}

/// The values to choose from, with their titles (`enum`, `enumNames`, and `const` with `title`).
fn choices(schema: &Value) -> Option<Vec<Choice>> {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let names = schema.get("enumNames").and_then(Value::as_array);
        let named = values.iter().enumerate().map(|(at, value)| {
            let name = names.and_then(|names| names.get(at)?.as_str());
            Choice::new(value, &name.map_or_else(|| plain(value), str::to_owned))
        });
        return Some(named.collect()).filter(|all: &Vec<Choice>| !all.is_empty());
    }
    let titled = schema
        .get("oneOf")
        .or_else(|| schema.get("anyOf"))?
        .as_array()?;
    let named = titled.iter().filter_map(|one| {
        let value = one.get("const")?;
        let title = one.get("title").and_then(Value::as_str);
        Some(Choice::new(
            value,
            &title.map_or_else(|| plain(value), str::to_owned),
        ))
    });
    Some(named.collect()).filter(|all: &Vec<Choice>| !all.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Field;

    #[test]
    fn what_is_typed_is_checked_by_the_type_of_the_field() {
        let table = [
            (
                json!({ "type": "integer", "minimum": 1, "maximum": 5 }),
                "3",
                Ok(Some("3")),
            ),
            (
                json!({ "type": "integer", "minimum": 1, "maximum": 5 }),
                "9",
                Err("must be between 1 and 5"),
            ),
            (json!({ "type": "number" }), "1.50", Ok(Some("1.50"))),
            (
                json!({ "type": "number" }),
                "x",
                Err("must be a number, not \"x\""),
            ),
            (
                json!({ "type": "string", "maxLength": 2 }),
                "abc",
                Err("must have at most 2 characters"),
            ),
            (
                json!({ "type": "string", "format": "email" }),
                "a@b",
                Ok(Some("\"a@b\"")),
            ),
            (
                json!({ "type": "string", "format": "email" }),
                "ab",
                Err("must be like name@example.com"),
            ),
            (
                json!({ "type": "string", "format": "uri" }),
                "ab",
                Err("must be like https://example.com/"),
            ),
            (
                json!({ "type": "string", "format": "date" }),
                "2026-11-21",
                Ok(Some("\"2026-11-21\"")),
            ),
            (
                json!({ "type": "string", "format": "date-time" }),
                "today",
                Err("must be like 2026-01-31T12:00:00Z"),
            ),
            (json!({ "type": "string" }), "", Ok(None)),
        ];
        for (schema, text, wanted) in table {
            let field = Field {
                name: "x",
                schema: &schema,
                required: false,
            };
            let found = field.check(text);
            let found = found.as_ref().map(Option::as_deref).map_err(String::as_str);
            assert_eq!(found, wanted, "{schema} {text}");
        }
        let schema = json!({ "type": "string" });
        let field = Field {
            name: "x",
            schema: &schema,
            required: true,
        };
        assert_eq!(field.check(""), Err("is needed".to_owned()));
    }
}
