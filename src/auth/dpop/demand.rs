//! Whether the tokens of a sign-in are to be bound to a key: what the user, the resource, its challenge and the authorization
//! server say of that. Pure.

use crate::auth::challenge::Challenge;
use crate::error::Failure;

use super::ALGORITHM;

/// When tokens are bound to a key (`--dpop`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Use {
    /// When the server asks for it.
    #[default]
    WhenAsked,
    /// Always: no other token is used.
    Always,
}

/// What a resource says in its metadata (RFC 9728 §2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Demand {
    /// It takes bound tokens only (`dpop_bound_access_tokens_required`).
    pub required: bool,
    /// The algorithms of proofs that it takes, where it says so.
    pub algorithms: Option<Vec<String>>,
}

/// What a challenge says (RFC 9449 §7.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Challenged {
    /// Nothing of proofs that we could make.
    #[default]
    No,
    /// Bound tokens are taken beside others.
    Also,
    /// Bound tokens alone are taken.
    Only,
}

impl Challenged {
    /// What the challenges of one response say together.
    pub fn of(challenges: &[Challenge]) -> Self {
        let takes_ours = |challenge: &Challenge| {
            let algorithms = challenge.parameter("algs");
            algorithms.is_none_or(|all| all.split_whitespace().any(|name| name == ALGORITHM))
        };
        let bound = |challenge: &Challenge| challenge.scheme == "dpop" && takes_ours(challenge);
        match (
            challenges.iter().any(bound),
            challenges.iter().any(|other| other.scheme == "bearer"),
        ) {
            (false, _) => Self::No,
            (true, true) => Self::Also,
            (true, false) => Self::Only,
        }
    }

    /// The same where the tokens in use are `bound`: the server takes such, whatever it says when it refuses one.
    #[must_use]
    pub fn at_least(self, bound: bool) -> Self {
        if bound && self == Self::No {
            return Self::Also;
        }
        self
    }
}

/// Whether a token that is not bound to the key is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Must {
    /// It is of none.
    BeBound,
    /// It will do.
    NotBeBound,
}

/// Whether a sign-in binds its tokens, and must. `server` has the algorithms that the authorization server names, if it names any.
///
/// # Errors
/// [`Failure::Credentials`] when they must be bound and the servers take no proofs of ours.
pub fn decide(
    wish: Use,
    demand: &Demand,
    challenged: Challenged,
    server: Option<&[String]>,
) -> Result<Option<Must>, Failure> {
    let has_ours = |names: &[String]| names.iter().any(|name| name == ALGORITHM);
    let server_knows = server.map(has_ours);
    if wish == Use::Always || demand.required {
        let unfit = match (server_knows, demand.algorithms.as_deref().map(has_ours)) {
            (Some(false), _) => "the authorization server",
            (_, Some(false)) => "the server",
            // One that is silent about it may know it all the same.
            (_, _) => return Ok(Some(Must::BeBound)),
        };
        return Err(Failure::Credentials {
            what: format!("{unfit} takes no DPoP proofs of the kind {ALGORITHM}"),
            hint: if demand.required {
                "tell the server's owner: tokens have to be bound to a key there"
            } else {
                "leave out --dpop"
            },
        });
    }
    Ok(match (challenged, server_knows) {
        (Challenged::Only, Some(true)) => Some(Must::BeBound),
        (Challenged::Also, Some(true)) => Some(Must::NotBeBound),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Challenged, Demand, Must, Use, decide};
    use crate::auth::challenge::challenges;
    use http::header::WWW_AUTHENTICATE;
    use http::{HeaderMap, HeaderValue};

    fn names(all: &[&str]) -> Vec<String> {
        all.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn tokens_are_bound_when_somebody_asks_and_the_authorization_server_can() {
        let (ours, none, others) = (names(&["RS256", "ES256"]), names(&[]), names(&["RS256"]));
        let required = Demand {
            required: true,
            algorithms: None,
        };
        let free = Demand::default();
        let bound = Some(Some(Must::BeBound));
        let table = [
            (
                Use::WhenAsked,
                &free,
                Challenged::No,
                Some(&ours),
                Some(None),
            ),
            (Use::Always, &free, Challenged::No, Some(&ours), bound),
            (Use::Always, &free, Challenged::No, None, bound),
            (Use::Always, &free, Challenged::No, Some(&none), None),
            (
                Use::WhenAsked,
                &required,
                Challenged::No,
                Some(&ours),
                bound,
            ),
            (Use::WhenAsked, &required, Challenged::No, None, bound),
            (
                Use::WhenAsked,
                &required,
                Challenged::No,
                Some(&others),
                None,
            ),
            (Use::WhenAsked, &free, Challenged::Only, Some(&ours), bound),
            (
                Use::WhenAsked,
                &free,
                Challenged::Only,
                Some(&others),
                Some(None),
            ),
            (Use::WhenAsked, &free, Challenged::Only, None, Some(None)),
            (
                Use::WhenAsked,
                &free,
                Challenged::Also,
                Some(&ours),
                Some(Some(Must::NotBeBound)),
            ),
        ];
        for (wish, demand, challenged, server, expected) in table {
            let server = server.map(Vec::as_slice);
            let decided = decide(wish, demand, challenged, server).ok();
            assert_eq!(
                decided, expected,
                "{wish:?} {demand:?} {challenged:?} {server:?}"
            );
        }
        let unfit = Demand {
            required: false,
            algorithms: Some(others),
        };
        let wrong = decide(Use::Always, &unfit, Challenged::No, Some(&ours)).unwrap_err();
        assert_eq!(wrong.hint().as_deref(), Some("leave out --dpop"));
    }

    #[test]
    fn a_challenge_counts_if_it_takes_our_algorithm() {
        for (text, expected) in [
            ("Bearer", Challenged::No),
            ("DPoP", Challenged::Only),
            (r#"DPoP algs="ES384 ES256", error="x""#, Challenged::Only),
            (r#"DPoP algs="RS256""#, Challenged::No),
            (r#"Bearer error="x", DPoP algs="ES256""#, Challenged::Also),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(text));
            assert_eq!(Challenged::of(&challenges(&headers)), expected, "{text}");
        }
    }
}
