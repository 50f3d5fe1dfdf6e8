//! The tables of `tools`.

use serde_json::Value;
use serde_json::value::RawValue;

use super::Offer;
use crate::cli::session::Opened;
use crate::jsonrpc::Members;
use crate::ui;

/// Who the server is, then a table for each list that it announces.
pub fn tables(opened: &Opened, offer: &Offer) -> String {
    let mut parts = vec![server(opened)];
    for (member, items) in &offer.lists {
        let Some(items) = items else { continue };
        let items: Vec<Item<'_>> = items.iter().map(|raw| Item::read(raw)).collect();
        if items.is_empty() {
            // Most servers with resources have no templates.
            if *member != "resourceTemplates" {
                parts.push(format!("no {member}"));
            }
            continue;
        }
        parts.push(match *member {
            "tools" => ui::table(
                ["TOOL", "ARGUMENTS", "DESCRIPTION", "HINTS"],
                &rows(&items, |item| {
                    [item.text("name"), item.schema(), item.about(), item.hints()]
                }),
            ),
            "prompts" => ui::table(
                ["PROMPT", "ARGUMENTS", "DESCRIPTION"],
                &rows(&items, |item| {
                    [item.text("name"), item.arguments(), item.about()]
                }),
            ),
            "resources" => resources("RESOURCE", "uri", &items),
            _ => resources("RESOURCE TEMPLATE", "uriTemplate", &items),
        });
    }
    parts.join("\n\n")
}

fn server(opened: &Opened) -> String {
    let info = opened.server.as_deref().map(Item::read);
    let named = info.as_ref().map_or_else(String::new, |info| {
        let name = info.text("title");
        let name = if name.is_empty() {
            info.text("name")
        } else {
            name
        };
        format!("{name} {}", info.text("version"))
    });
    let named = named.trim();
    let version = ui::line(&opened.version);
    if named.is_empty() {
        format!("MCP {version}")
    } else {
        format!("{named}, MCP {version}")
    }
}

fn resources(head: &str, uri: &str, items: &[Item<'_>]) -> String {
    ui::table(
        [head, "NAME", "TYPE", "DESCRIPTION"],
        &rows(items, |item| {
            [
                item.text(uri),
                item.text("name"),
                item.text("mimeType"),
                item.about(),
            ]
        }),
    )
}

fn rows<const N: usize>(
    items: &[Item<'_>],
    row: impl Fn(&Item<'_>) -> [String; N],
) -> Vec<[String; N]> {
    items.iter().map(row).collect()
}

/// An item of a list, whatever the server made of it.
struct Item<'a> {
    raw: &'a str,
    value: Value,
}

impl<'a> Item<'a> {
    fn read(raw: &'a RawValue) -> Self {
        Self {
            raw: raw.get(),
            value: serde_json::from_str(raw.get()).unwrap_or_default(),
        }
    }

    fn text(&self, name: &str) -> String {
        ui::line(self.value.get(name).and_then(Value::as_str).unwrap_or(""))
    }

    /// The first line of the description, or else the title.
    fn about(&self) -> String {
        let description = self.value.get("description").and_then(Value::as_str);
        let mut lines = description.unwrap_or_default().lines().map(ui::line);
        lines
            .find(|line| !line.is_empty())
            .unwrap_or_else(|| self.text("title"))
    }

    /// The names of a tool's arguments in the order of the schema, `*` at those that it must have.
    fn schema(&self) -> String {
        let Some(tool) = Members::read(self.raw) else {
            return String::new();
        };
        let schema = tool.get("inputSchema").and_then(Members::read);
        let Some(properties) = schema.as_ref().and_then(|schema| schema.get("properties")) else {
            return String::new();
        };
        let required = self.value.pointer("/inputSchema/required");
        let is_required = |name: &str| {
            let required = required.and_then(Value::as_array);
            required.is_some_and(|all| all.iter().any(|one| one == name))
        };
        let names = Members::read(properties).unwrap_or_default();
        let names = names
            .iter()
            .map(|(name, _)| starred(&name, is_required(&name)));
        names.collect::<Vec<_>>().join(" ")
    }

    /// The names of a prompt's arguments.
    fn arguments(&self) -> String {
        let arguments = self.value.get("arguments").and_then(Value::as_array);
        let names = arguments.into_iter().flatten().map(|argument| {
            let required = argument.get("required") == Some(&Value::Bool(true));
            let name = argument.get("name").and_then(Value::as_str);
            starred(name.unwrap_or_default(), required)
        });
        names.collect::<Vec<_>>().join(" ")
    }

    /// What the annotations say that makes a difference to the user.
    fn hints(&self) -> String {
        let is = |name: &str| {
            let hint = self.value.get("annotations").and_then(|all| all.get(name));
            hint == Some(&Value::Bool(true))
        };
        let mut hints = Vec::new();
        if is("readOnlyHint") {
            hints.push("read-only");
        } else if is("destructiveHint") {
            hints.push("destructive");
        }
        if is("idempotentHint") {
            hints.push("idempotent");
        }
        if is("openWorldHint") {
            hints.push("open-world");
        }
        hints.join(", ")
    }
}

fn starred(name: &str, required: bool) -> String {
    let star = if required { "*" } else { "" };
    format!("{}{star}", ui::line(name))
}
