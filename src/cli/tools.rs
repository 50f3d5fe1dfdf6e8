//! `tools`: what a server has to offer, as tables for people or as one document with what the server sent.

mod show;

use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;
use serde_json::value::RawValue;

use super::args::Tools;
use super::connection::Env;
use super::session::{self, Nobody, Opened, Session};
use crate::error::{Exit, Fatal};
use crate::ui;

/// A list that a server may have: its method, the member of the result that holds it, and the capability that announces it.
const LISTS: [(&str, &str, &str); 4] = [
    ("tools/list", "tools", "tools"),
    ("resources/list", "resources", "resources"),
    ("resources/templates/list", "resourceTemplates", "resources"),
    ("prompts/list", "prompts", "prompts"),
];

/// What a server has to offer: for each of [`LISTS`] its items, where the server announces it.
#[derive(Debug)]
pub struct Offer {
    lists: Vec<(&'static str, Option<Vec<Box<RawValue>>>)>,
    /// A list could not be had.
    is_partial: bool,
}

/// Prints what a server has to offer.
///
/// # Errors
/// There is no session, or the tools cannot be had.
pub fn tools(args: &Tools, env: &Env<'_>) -> Result<ExitCode, Fatal> {
    let ended = session::with(
        &args.bridge,
        env,
        Arc::new(Nobody),
        async |session, opened| {
            let offer = ask(session, opened).await?;
            ui::data(&if args.json {
                document(opened, &offer)
            } else {
                show::tables(opened, &offer)
            })?;
            Ok(if offer.is_partial {
                ExitCode::from(Exit::Failed as u8)
            } else {
                ExitCode::SUCCESS
            })
        },
    )?;
    Ok(ended.unwrap_or(ExitCode::from(130)))
}

async fn ask(session: &Session, opened: &Opened) -> Result<Offer, Fatal> {
    let mut offer = Offer {
        lists: Vec::new(),
        is_partial: false,
    };
    for (method, member, capability) in LISTS {
        let items = if opened.has(capability) {
            match session.list(method, member).await {
                Ok(items) => Some(items),
                // It need not have templates only because it has resources.
                Err(trouble) if trouble.is_unknown_method() => Some(Vec::new()),
                Err(trouble) if member == "tools" => return Err(trouble.into()),
                Err(trouble) => {
                    ui::note(&format!("no {member}: {trouble}"));
                    offer.is_partial = true;
                    None
                }
            }
        } else {
            None
        };
        offer.lists.push((member, items));
    }
    Ok(offer)
}

/// One document: what the server sent, as it sent it.
fn document(opened: &Opened, offer: &Offer) -> String {
    let server = opened.server.as_ref().map_or("null", |server| server.get());
    let mut text = format!(
        r#"{{"server":{server},"protocolVersion":{}"#,
        json!(opened.version)
    );
    for (member, items) in &offer.lists {
        let items: Vec<&str> = items.iter().flatten().map(|item| item.get()).collect();
        text.push_str(&format!(r#","{member}":[{}]"#, items.join(",")));
    }
    text.push('}');
    text
}
