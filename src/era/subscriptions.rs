//! Subscriptions of 2026-07-28: one request says what its sender wants to hear of, and everything that it hears names that
//! request (2026-07-28 subscriptions; SEP-2575).

use std::collections::BTreeSet;

use super::parts::{META, edit_meta, edit_params, meta_of, param, text};
use crate::jsonrpc::{Id, Members, Message, reply};

/// What a server says first of a subscription (2026-07-28 subscriptions §Acknowledgment).
pub const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";

const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
const NOTIFICATIONS: &str = "notifications";

const TOOLS: &str = "toolsListChanged";
const PROMPTS: &str = "promptsListChanged";
const RESOURCES: &str = "resourcesListChanged";
const URIS: &str = "resourceSubscriptions";

/// What a subscription is for (2026-07-28 subscriptions §Notification Filter).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Changes of the list of tools.
    pub tools: bool,
    /// Changes of the list of prompts.
    pub prompts: bool,
    /// Changes of the list of resources.
    pub resources: bool,
    /// Changes of these resources, and of what is below them.
    pub uris: BTreeSet<String>,
}

impl Filter {
    /// What a `subscriptions/listen` request asks for; `None` when that is no object (2026-07-28 subscriptions §Opening a Stream).
    pub fn of_listen(request: &Message) -> Option<Self> {
        Self::read(&param(request, NOTIFICATIONS)?)
    }

    /// What `notifications/subscriptions/acknowledged` grants; `None` when that is no object (2026-07-28 subscriptions
    /// §Acknowledgment).
    pub fn of_acknowledged(notification: &Message) -> Option<Self> {
        Self::read(&param(notification, NOTIFICATIONS)?)
    }

    fn read(raw: &str) -> Option<Self> {
        let wanted = Members::read(raw)?;
        let says = |name| wanted.get(name) == Some("true");
        let uris = wanted.get(URIS);
        let uris = uris.and_then(|raw| serde_json::from_str(raw).ok());
        Some(Self {
            tools: says(TOOLS),
            prompts: says(PROMPTS),
            resources: says(RESOURCES),
            uris: uris.unwrap_or_default(),
        })
    }

    /// The part of it that a server with these raw capabilities offers (2025-11-25 tools, prompts, resources
    /// §Capabilities).
    #[must_use]
    pub fn honoured(&self, capabilities: &str) -> Self {
        let capabilities = Members::read(capabilities).unwrap_or_default();
        let offers = |feature, name| {
            let feature = capabilities.get(feature).and_then(Members::read);
            feature.is_some_and(|feature| feature.get(name) == Some("true"))
        };
        let uris = offers("resources", "subscribe").then(|| self.uris.clone());
        Self {
            tools: self.tools && offers("tools", "listChanged"),
            prompts: self.prompts && offers("prompts", "listChanged"),
            resources: self.resources && offers("resources", "listChanged"),
            uris: uris.unwrap_or_default(),
        }
    }

    /// Whether it is for nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// It as the raw object of a message, with what is wanted alone.
    pub fn raw(&self) -> String {
        let mut raw = Members::default();
        let lists = [
            (TOOLS, self.tools),
            (PROMPTS, self.prompts),
            (RESOURCES, self.resources),
        ];
        for (name, _) in lists.into_iter().filter(|(_, wanted)| *wanted) {
            raw.set(name, "true");
        }
        if !self.uris.is_empty() {
            raw.set(URIS, serde_json::json!(self.uris).to_string());
        }
        raw.to_string()
    }

    /// Whether a notification is one that it is for.
    pub fn wants(&self, notification: &Message) -> bool {
        match notification.method() {
            "notifications/tools/list_changed" => self.tools,
            "notifications/prompts/list_changed" => self.prompts,
            "notifications/resources/list_changed" => self.resources,
            "notifications/resources/updated" => {
                let uri = param(notification, "uri");
                let uri = uri.as_deref().and_then(text);
                uri.is_some_and(|uri| self.uris.iter().any(|known| is_at_or_below(&uri, known)))
            }
            _ => false,
        }
    }
}

/// Whether a resource is `above` or a part of it.
fn is_at_or_below(uri: &str, above: &str) -> bool {
    uri.strip_prefix(above).is_some_and(|rest| {
        rest.is_empty() || above.ends_with('/') || rest.starts_with(['/', '#', '?'])
    })
}

/// The raw params of a `subscriptions/listen` request, yet without an envelope (2026-07-28 subscriptions §Opening a Stream).
pub fn listen_params(filter: &Filter) -> String {
    format!(r#"{{"{NOTIFICATIONS}":{}}}"#, filter.raw())
}

/// The first message of the subscription `id`: what of it is granted (2026-07-28 subscriptions §Acknowledgment).
pub fn acknowledged(id: &Id, filter: &Filter) -> Message {
    let params = format!(
        r#"{{"{META}":{},"{NOTIFICATIONS}":{}}}"#,
        meta(id),
        filter.raw()
    );
    reply::notification(ACKNOWLEDGED, &params)
}

/// The notification as one of the subscription `id` (2026-07-28 subscriptions §Receiving Notifications).
#[must_use]
pub fn tagged(notification: &Message, id: &Id) -> Message {
    edit_params(notification, |params| {
        edit_meta(params, |meta| {
            meta.set(SUBSCRIPTION_ID, id.raw().to_owned());
        });
    })
}

/// The notification as older revisions know it, of no subscription.
#[must_use]
pub fn untagged(notification: &Message) -> Message {
    if meta_of(notification, SUBSCRIPTION_ID).is_none() {
        return notification.clone();
    }
    edit_params(notification, |params| {
        edit_meta(params, |meta| {
            meta.remove(SUBSCRIPTION_ID);
        });
    })
}

/// The subscription that a notification is of (2026-07-28 subscriptions §Receiving Notifications).
pub fn subscription(notification: &Message) -> Option<Id> {
    Id::parse(&meta_of(notification, SUBSCRIPTION_ID)?)
}

/// The raw result that ends the subscription `id` in good order (2026-07-28 subscriptions §Cancellation).
pub fn closed(id: &Id) -> String {
    format!(r#"{{"resultType":"complete","{META}":{}}}"#, meta(id))
}

fn meta(id: &Id) -> String {
    format!(r#"{{"{SUBSCRIPTION_ID}":{id}}}"#)
}

#[cfg(test)]
mod tests;
