//! `call`: one call of a tool from a shell.

mod arguments;
mod ask;
mod front;
mod output;
mod schema;
mod tty;
mod values;

use std::process::ExitCode;
use std::sync::Arc;

use serde_json::Value;

use self::arguments::Typed;
use self::front::{Manner, TOKEN, Terminal};
use self::output::{Outcome, Wanted};
use self::schema::Schema;
use super::args::Call;
use super::connection::{self, Env};
use super::session::{self, Opened, Session, Trouble};
use crate::config::nearest;
use crate::error::{Exit, Fatal};
use crate::jsonrpc::Members;
use crate::net::guard;
use crate::ui;

/// Calls a tool.
///
/// # Errors
/// The call cannot be made, or the server does not answer it.
pub fn call(args: &Call, env: &Env<'_>) -> Result<ExitCode, Fatal> {
    let url = connection::server_url(&args.bridge)?;
    let server = guard::shown(&url);
    let Some(tool) = &args.tool else {
        return Err(Fatal::usage(
            "no tool given",
            format!("see what there is: mcp-tether tools {server}"),
        ));
    };
    if let Some(folder) = args.output.as_deref().filter(|path| path.is_dir()) {
        return Err(Fatal::usage(
            format!("{} is a folder", folder.display()),
            "give the name of a file in it with --output",
        ));
    }
    let typed = arguments::read(&args.arguments, &mut std::io::stdin().lock())?;
    let terminal = Arc::new(Terminal::new(Manner {
        silent: args.bridge.output.silent,
        debug: args.bridge.output.debug,
        browser: env("BROWSER").filter(|command| !command.trim().is_empty()),
        no_browser: args.bridge.authorization.no_browser,
        server: server.clone(),
    }));
    let front = Arc::clone(&terminal);
    let tty = tty::Kept::new();
    let ended = session::with(&args.bridge, env, front, async |session, opened| {
        let request = request(session, opened, (tool, typed), &server).await?;
        let token = terminal.shows().then_some(TOKEN);
        let params = request.params(token);
        let answer = session.request("tools/call", Some(&params)).await;
        terminal.clear();
        tty.restore();
        show(args, &answer?)
    });
    terminal.clear();
    drop(tty);
    Ok(ended?.unwrap_or(ExitCode::from(130)))
}

/// What is sent.
struct Request {
    name: String,
    arguments: String,
}

impl Request {
    fn params(&self, token: Option<&str>) -> String {
        let name = Value::from(self.name.as_str());
        let meta = token.map_or_else(String::new, |token| {
            format!(r#","_meta":{{"progressToken":{token}}}"#)
        });
        format!(r#"{{"name":{name},"arguments":{}{meta}}}"#, self.arguments)
    }
}

/// Makes the request by what the server says of the tool.
async fn request(
    session: &Session,
    opened: &Opened,
    (name, typed): (&str, Typed),
    server: &str,
) -> Result<Request, Fatal> {
    let tools = if opened.has("tools") {
        match session.list("tools/list", "tools").await {
            Ok(tools) => Some(tools),
            // It can call what it does not list.
            Err(trouble) if trouble.is_unknown_method() => None,
            Err(trouble) => return Err(trouble.into()),
        }
    } else {
        Some(Vec::new())
    };
    let mut found = None;
    if let Some(tools) = tools {
        let tools: Vec<Value> = tools
            .iter()
            .map(|tool| serde_json::from_str(tool.get()).unwrap_or_default())
            .collect();
        let named = |tool: &Value| tool.get("name").and_then(Value::as_str) == Some(name);
        found = tools.iter().find(|tool| named(tool)).cloned();
        if found.is_none() {
            let names = tools.iter().filter_map(|tool| tool.get("name")?.as_str());
            return Err(Fatal::usage(
                format!("the server has no tool {name:?}"),
                match nearest(name, names) {
                    Some(near) => format!("did you mean {}?", ui::line(near)),
                    None => format!("see what there is: mcp-tether tools {server}"),
                },
            ));
        }
    }
    let schema = found.as_ref().and_then(Schema::of_tool);
    let arguments = arguments::arguments(typed, schema)
        .map_err(|wrong| Fatal::usage(ui::line(&wrong), usage(name, schema, server)))?;
    Ok(Request {
        name: name.to_owned(),
        arguments,
    })
}

/// What the tool takes.
fn usage(name: &str, schema: Option<Schema<'_>>, server: &str) -> String {
    let Some(schema) = schema else {
        return format!("see mcp-tether tools {server}");
    };
    let required = schema.required();
    let mut names = schema.names();
    names.sort_by_key(|name| !required.contains(name));
    let words = names.iter().map(|name| {
        let star = if required.contains(name) { "*" } else { "" };
        format!("{}{star}", ui::line(name))
    });
    let words: Vec<String> = words.collect();
    if words.is_empty() {
        return format!("{} takes no arguments", ui::line(name));
    }
    format!("{} takes {}", ui::line(name), words.join(" "))
}

fn show(args: &Call, raw: &str) -> Result<ExitCode, Fatal> {
    let wanted = Wanted {
        file: args.output.as_deref(),
        json: args.json,
    };
    let outcome = Outcome::read(raw).filter(|_| Members::read(raw).is_some());
    let Some(outcome) = outcome else {
        return Err(Trouble::unreadable("tools/call").into());
    };
    outcome.show(raw, wanted)?;
    if outcome.is_error() {
        ui::note("the tool says that it failed");
        return Ok(ExitCode::from(Exit::Failed as u8));
    }
    Ok(ExitCode::SUCCESS)
}
