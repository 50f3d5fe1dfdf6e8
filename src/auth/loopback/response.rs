//! What an authorization server's redirect says (RFC 6749 §4.1.2, RFC 9207). Pure.
//!
//! The order is state, then issuer, then the rest: the outcome can be had only by comparing the issuer, because an answer
//! from the wrong server must be neither acted on nor shown.

use std::fmt;
use std::hint;

use url::form_urlencoded;

use crate::secret::Secret;

/// The longest `error_description` that is kept, in characters.
const MAX_DESCRIPTION: usize = 300;

/// The answer to an authorization request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    state: Option<Secret>,
    iss: Option<String>,
    outcome: Result<Outcome, Malformed>,
}

/// What the server decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A code for the token endpoint.
    Code(Secret),
    /// A refusal.
    Error {
        /// Its code, such as `access_denied`.
        error: String,
        /// Printable text from the server, at most 300 characters.
        description: Option<String>,
    },
}

/// Why an answer cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// This parameter is there twice (RFC 6749 §3.1).
    Duplicate(&'static str),
    /// A code and an error.
    Both,
    /// Neither a code nor an error.
    Neither,
}

/// Why [`Response::outcome`] refuses an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejected {
    /// The server announced `iss` and did not send it.
    IssuerMissing,
    /// `iss` is another server.
    IssuerMismatch,
    /// It breaks the protocol.
    Malformed(Malformed),
}

/// Whether the server's metadata has `authorization_response_iss_parameter_supported`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announced {
    /// It is literally `true`.
    Yes,
    /// It is absent, or anything else.
    No,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IssuerMissing => {
                f.write_str("the sign-in answer does not say which server it is from")
            }
            Self::IssuerMismatch => {
                f.write_str("the sign-in answer is from another server than the one asked")
            }
            Self::Malformed(Malformed::Duplicate(name)) => {
                write!(f, "the sign-in answer has {name} more than once")
            }
            Self::Malformed(Malformed::Both) => {
                f.write_str("the sign-in answer has a code and an error")
            }
            Self::Malformed(Malformed::Neither) => {
                f.write_str("the sign-in answer has neither a code nor an error")
            }
        }
    }
}

impl std::error::Error for Rejected {}

/// Reads the query of a redirect. Unknown parameters do not matter.
pub fn parse_callback(query: &str) -> Response {
    const NAMES: [&str; 5] = ["state", "iss", "code", "error", "error_description"];
    let mut values: [Option<String>; 5] = [const { None }; 5];
    let mut twice = [false; 5];
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let slots = NAMES.iter().zip(values.iter_mut().zip(&mut twice));
        for (_, (slot, twice)) in slots.filter(|(known, _)| **known == name) {
            *twice |= slot.replace(value.clone().into_owned()).is_some();
        }
    }
    let duplicate = NAMES.iter().zip(twice).find(|(_, twice)| *twice);
    let [state, iss, code, error, description] = values;
    // One without a value counts as left out (RFC 6749 §3.1).
    let code = code.filter(|code| !code.is_empty());
    let error = error.filter(|error| !error.is_empty());
    let outcome = match (duplicate, code, error) {
        (Some((name, _)), ..) => Err(Malformed::Duplicate(name)),
        (None, Some(code), None) => Ok(Outcome::Code(Secret::new(code))),
        (None, None, Some(error)) => Ok(Outcome::Error {
            error: printable(&error),
            description: description.map(|text| printable(&text)),
        }),
        (None, Some(_), Some(_)) => Err(Malformed::Both),
        (None, None, None) => Err(Malformed::Neither),
    };
    Response {
        // Two are as good as none.
        state: state
            .filter(|_| twice.first() == Some(&false))
            .map(Secret::new),
        iss,
        outcome,
    }
}

/// What may be shown in a terminal.
fn printable(text: &str) -> String {
    let visible = text.chars().filter(|c| !c.is_control());
    visible.take(MAX_DESCRIPTION).collect()
}

impl Response {
    /// Whether it answers the request with this state.
    pub fn has_state(&self, state: &Secret) -> bool {
        let wanted = state.expose().as_bytes();
        self.state
            .as_ref()
            .is_some_and(|given| !wanted.is_empty() && same(given.expose().as_bytes(), wanted))
    }

    /// The issuer that it names, decoded and otherwise as it came.
    pub fn iss(&self) -> Option<&str> {
        self.iss.as_deref()
    }

    /// What the server decided, if the answer is from `issuer` (RFC 9207 §2.4): compared as a plain string, in errors too.
    ///
    /// # Errors
    /// The answer is not from there, or breaks the protocol.
    pub fn outcome(&self, issuer: &str, announced: Announced) -> Result<&Outcome, Rejected> {
        match (&self.iss, announced) {
            (Some(iss), _) if iss != issuer => return Err(Rejected::IssuerMismatch),
            (None, Announced::Yes) => return Err(Rejected::IssuerMissing),
            _ => {}
        }
        self.outcome
            .as_ref()
            .map_err(|wrong| Rejected::Malformed(*wrong))
    }
}

/// Compares in a time that tells nothing but the length.
fn same(left: &[u8], right: &[u8]) -> bool {
    let differ = left
        .iter()
        .zip(right)
        .fold(0, |all, (a, b)| hint::black_box(all | (a ^ b)));
    left.len() == right.len() && differ == 0
}

#[cfg(test)]
mod tests {
    use super::{Announced, Malformed, Outcome, Rejected, parse_callback};
    use crate::secret::Secret;

    const ISSUER: &str = "https://as.example/a";

    fn code(text: &str) -> Outcome {
        Outcome::Code(Secret::new(text.to_owned()))
    }

    fn error(error: &str, description: Option<&str>) -> Outcome {
        let (error, description) = (error.to_owned(), description.map(str::to_owned));
        Outcome::Error { error, description }
    }

    #[test]
    fn there_is_exactly_one_of_code_and_error() {
        let malformed = |wrong| Err(Rejected::Malformed(wrong));
        let twice = |name| malformed(Malformed::Duplicate(name));
        let table = [
            ("code=a%2Bb+c&state=s", Ok(code("a+b c"))),
            ("error=access_denied", Ok(error("access_denied", None))),
            (
                "error=a&error_description=n%1b%0Ao",
                Ok(error("a", Some("no"))),
            ),
            ("code=&error=a", Ok(error("a", None))),
            ("code=a&error=", Ok(code("a"))),
            ("code=a&x=1&x=2", Ok(code("a"))),
            ("code=a&error_description=b", Ok(code("a"))),
            ("code=a&error=b", malformed(Malformed::Both)),
            ("", malformed(Malformed::Neither)),
            ("code=", malformed(Malformed::Neither)),
            ("Code=a", malformed(Malformed::Neither)),
            ("code=a&code=a", twice("code")),
            ("code=&code=a", twice("code")),
            ("error=a&error=b", twice("error")),
            ("code=a&state=s&state=s", twice("state")),
            (
                "code=a&iss=https://as.example/a&iss=https://as.example/a",
                twice("iss"),
            ),
            (
                "error=a&error_description=b&error_description=c",
                twice("error_description"),
            ),
        ];
        for (query, wanted) in table {
            let response = parse_callback(query);
            let outcome = response.outcome(ISSUER, Announced::No);
            assert_eq!(outcome.cloned(), wanted, "{query}");
        }
    }

    #[test]
    fn rfc_9207_the_issuer_is_compared_before_anything_else() {
        use Announced::{No, Yes};
        let table = [
            ("iss=https%3A%2F%2Fas.example%2Fa", Yes, None),
            ("iss=https://as.example/a", No, None),
            ("", No, None),
            ("", Yes, Some(Rejected::IssuerMissing)),
            ("iss=", No, Some(Rejected::IssuerMismatch)),
            (
                "iss=https://as.example/a/",
                Yes,
                Some(Rejected::IssuerMismatch),
            ),
            (
                "iss=https://AS.example/a",
                No,
                Some(Rejected::IssuerMismatch),
            ),
            (
                "iss=https://as.example:443/a",
                No,
                Some(Rejected::IssuerMismatch),
            ),
            (
                "iss=https://as.example/%2561",
                No,
                Some(Rejected::IssuerMismatch),
            ),
        ];
        for (query, announced, wanted) in table {
            for rest in ["code=c", "error=e&error_description=d"] {
                let response = parse_callback(&format!("{query}&{rest}"));
                let outcome = response.outcome(ISSUER, announced);
                assert_eq!(outcome.err(), wanted, "{query}&{rest}");
            }
        }
        let lies = parse_callback("iss=https://evil.example&code=a&error=b");
        assert_eq!(lies.outcome(ISSUER, No), Err(Rejected::IssuerMismatch));
        assert_eq!(lies.iss(), Some("https://evil.example"));
    }

    #[test]
    fn the_state_must_be_the_same_and_there_once() {
        let state = Secret::new("s+1".to_owned());
        assert!(parse_callback("state=s%2B1&code=a").has_state(&state));
        for query in [
            "",
            "state",
            "state=",
            "state=s",
            "state=S%2B1",
            "state=s+1",
            "state=s%2B12",
            "state=s%2B1&state=s%2B1",
        ] {
            assert!(!parse_callback(query).has_state(&state), "{query}");
        }
        assert!(!parse_callback("state=").has_state(&Secret::new(String::new())));
    }

    #[test]
    fn debug_shows_neither_code_nor_state() {
        let shown = format!("{:?}", parse_callback("code=hunter2&state=hunter3"));
        assert!(!shown.contains("hunter"), "{shown}");
    }
}
