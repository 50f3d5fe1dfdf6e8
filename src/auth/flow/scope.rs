//! Which scope to ask for (2025-11-25 authorization §Scope Selection Strategy; SEP-2207 for `offline_access`; SEP-2350 for a
//! step-up).

use crate::auth::metadata::ServerMetadata;

/// Who wishes for which scope, the first counts most.
#[derive(Debug, Clone, Default)]
pub struct Wishes<'a> {
    /// The user's (`--scope`): taken as it stands.
    pub user: Option<&'a str>,
    /// The challenge's.
    pub challenge: Option<&'a str>,
    /// All that the resource supports.
    pub resource: Option<&'a [String]>,
    /// What was asked for before, when the challenge asks for more.
    pub before: Option<&'a str>,
}

/// The scope to ask for; `None` leaves the parameter out. What the authorization server supports is never asked for as a
/// whole, but `offline_access` is added where it is supported, since it brings the refresh token.
pub fn scope(wishes: &Wishes<'_>, server: &ServerMetadata) -> Option<String> {
    let chosen = |text: &str| {
        text.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    if let Some(user) = wishes.user {
        return Some(chosen(user).join(" ")).filter(|scope| !scope.is_empty());
    }
    let mut scopes = wishes.before.map(chosen).unwrap_or_default();
    let wanted = match (wishes.challenge, wishes.resource) {
        (Some(challenge), _) => chosen(challenge),
        (None, Some(resource)) => resource.to_vec(),
        (None, None) => Vec::new(),
    };
    for scope in wanted {
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    if scopes.is_empty() {
        return None;
    }
    let offline = "offline_access".to_owned();
    if server.scopes_supported.contains(&offline) && !scopes.contains(&offline) {
        scopes.push(offline);
    }
    Some(scopes.join(" "))
}

#[cfg(test)]
mod tests {
    use super::{Wishes, scope};
    use crate::auth::metadata::ServerMetadata;
    use serde_json::json;

    fn server(scopes: &[&str]) -> ServerMetadata {
        let document = json!({
            "issuer": "https://as", "authorization_endpoint": "https://as/a", "token_endpoint": "https://as/t",
            "scopes_supported": scopes,
        });
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn the_user_then_the_challenge_then_the_resource_then_nothing() {
        let resource = ["r1".to_owned(), "r2".to_owned()];
        let table = [
            (
                Wishes {
                    user: Some("u"),
                    challenge: Some("c"),
                    ..Wishes::default()
                },
                Some("u"),
            ),
            (
                Wishes {
                    challenge: Some("c d"),
                    resource: Some(&resource),
                    ..Wishes::default()
                },
                Some("c d"),
            ),
            (
                Wishes {
                    resource: Some(&resource),
                    ..Wishes::default()
                },
                Some("r1 r2"),
            ),
            (
                Wishes {
                    before: Some("a b"),
                    challenge: Some("b c"),
                    ..Wishes::default()
                },
                Some("a b c"),
            ),
            (
                Wishes {
                    user: Some(""),
                    challenge: Some("c"),
                    ..Wishes::default()
                },
                None,
            ),
            (Wishes::default(), None),
        ];
        for (wishes, expected) in table {
            assert_eq!(
                scope(&wishes, &server(&["all", "of", "it"])).as_deref(),
                expected,
                "{wishes:?}"
            );
        }
    }

    #[test]
    fn offline_access_is_asked_for_only_where_it_is_supported() {
        let wishes = Wishes {
            challenge: Some("c"),
            ..Wishes::default()
        };
        assert_eq!(
            scope(&wishes, &server(&["offline_access"])).as_deref(),
            Some("c offline_access")
        );
        assert_eq!(scope(&wishes, &server(&[])).as_deref(), Some("c"));
        assert_eq!(
            scope(&Wishes::default(), &server(&["offline_access"])),
            None
        );
        let pinned = Wishes {
            user: Some("u"),
            ..Wishes::default()
        };
        assert_eq!(
            scope(&pinned, &server(&["offline_access"])).as_deref(),
            Some("u")
        );
    }
}
