//! `WWW-Authenticate`: what the server wants (RFC 9110 §11.6.1, RFC 6750 §3, RFC 9728 §5.1).

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// One challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The scheme, in lower case.
    pub scheme: String,
    /// Its parameters in their order, names in lower case.
    pub parameters: Vec<(String, String)>,
}

impl Challenge {
    /// The first parameter of this name, which is given in lower case.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// All challenges of a response, from any number of headers. What cannot be read is passed over, the rest counts.
pub fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    let values = headers.get_all(WWW_AUTHENTICATE).iter();
    values
        .flat_map(|value| parse(&String::from_utf8_lossy(value.as_bytes())))
        .collect()
}

/// The challenge that OAuth answers: `Bearer`, else `DPoP`.
pub fn oauth(challenges: &[Challenge]) -> Option<&Challenge> {
    let of = |scheme: &str| {
        challenges
            .iter()
            .find(|challenge| challenge.scheme == scheme)
    };
    of("bearer").or_else(|| of("dpop"))
}

/// Whether one of them names this error (RFC 6750 §3.1, RFC 9449 §7.1).
pub fn error(challenges: &[Challenge], code: &str) -> bool {
    challenges
        .iter()
        .any(|challenge| challenge.parameter("error") == Some(code))
}

fn parse(text: &str) -> Vec<Challenge> {
    let mut reader = Reader(text);
    let mut challenges: Vec<Challenge> = Vec::new();
    loop {
        reader.skip(|c| matches!(c, ' ' | '\t' | ','));
        if reader.0.is_empty() {
            return challenges;
        }
        let word = reader.take(is_token);
        if word.is_empty() {
            // No token can begin here: go on after the next comma.
            reader.skip(|c| c != ',');
            continue;
        }
        let before = reader.0;
        reader.skip(is_blank);
        match (reader.0.strip_prefix('='), challenges.last_mut()) {
            (Some(rest), Some(challenge)) => {
                reader.0 = rest;
                reader.skip(is_blank);
                let value = reader.value();
                challenge
                    .parameters
                    .push((word.to_ascii_lowercase(), value));
            }
            // A value that belongs to nothing.
            (Some(_), None) => reader.skip(|c| c != ','),
            (None, _) => {
                challenges.push(Challenge {
                    scheme: word.to_ascii_lowercase(),
                    parameters: Vec::new(),
                });
                reader.0 = before;
                reader.token68();
            }
        }
    }
}

/// What is left to read.
struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    fn take(&mut self, belongs: fn(char) -> bool) -> &'a str {
        let end = self.0.find(|c| !belongs(c)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    fn skip(&mut self, belongs: fn(char) -> bool) {
        self.take(belongs);
    }

    /// A token or a quoted string. A string that never ends goes to the end of the header.
    fn value(&mut self) -> String {
        let Some(mut rest) = self.0.strip_prefix('"').map(str::chars) else {
            // Servers leave quotes out around URLs and scopes.
            return self.take(|c| !matches!(c, ',' | ' ' | '\t')).to_owned();
        };
        let mut value = String::new();
        loop {
            match rest.next() {
                None | Some('"') => break,
                Some('\\') => value.extend(rest.next()),
                Some(c) => value.push(c),
            }
        }
        self.0 = rest.as_str();
        value
    }

    /// Passes over the one opaque value that schemes like Negotiate have instead of parameters.
    fn token68(&mut self) {
        let mut ahead = Reader(self.0);
        ahead.skip(is_blank);
        ahead.skip(|c| is_token(c) || c == '/');
        ahead.skip(|c| c == '=');
        ahead.skip(is_blank);
        if ahead.0.is_empty() || ahead.0.starts_with(',') {
            self.0 = ahead.0;
        }
    }
}

const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
mod tests {
    use super::{Challenge, challenges, oauth, parse};
    use http::{HeaderMap, HeaderValue, header::WWW_AUTHENTICATE};
    use proptest::prelude::*;

    fn challenge(scheme: &str, parameters: &[(&str, &str)]) -> Challenge {
        Challenge {
            scheme: scheme.to_owned(),
            parameters: parameters
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn reads_the_forms_of_rfc_9110() {
        let table = [
            ("Bearer", vec![challenge("bearer", &[])]),
            (
                "bearer realm=\"a, b\", Error = invalid_token",
                vec![challenge(
                    "bearer",
                    &[("realm", "a, b"), ("error", "invalid_token")],
                )],
            ),
            (
                r#"Newauth realm="apps", type=1, title="Login to \"apps\"", Basic realm="simple""#,
                vec![
                    challenge(
                        "newauth",
                        &[
                            ("realm", "apps"),
                            ("type", "1"),
                            ("title", "Login to \"apps\""),
                        ],
                    ),
                    challenge("basic", &[("realm", "simple")]),
                ],
            ),
            (
                "Negotiate YII=, Bearer scope=\"a b\"",
                vec![
                    challenge("negotiate", &[]),
                    challenge("bearer", &[("scope", "a b")]),
                ],
            ),
            (
                "Negotiate, Bearer",
                vec![challenge("negotiate", &[]), challenge("bearer", &[])],
            ),
            (
                ", ,Bearer ,, x=1 ,",
                vec![challenge("bearer", &[("x", "1")])],
            ),
            (
                "Bearer resource_metadata=https://h/.well-known/x?a=b, error=\"e\"",
                vec![challenge(
                    "bearer",
                    &[
                        ("resource_metadata", "https://h/.well-known/x?a=b"),
                        ("error", "e"),
                    ],
                )],
            ),
            (
                "x=1, Bearer a=\"unended",
                vec![challenge("bearer", &[("a", "unended")])],
            ),
            ("\"quoted\", Bearer", vec![challenge("bearer", &[])]),
            ("", vec![]),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn bearer_is_found_among_several_headers() {
        let mut headers = HeaderMap::new();
        headers.append(
            WWW_AUTHENTICATE,
            HeaderValue::from_static("DPoP algs=\"ES256\""),
        );
        headers.append(
            WWW_AUTHENTICATE,
            HeaderValue::from_static("Basic, Bearer scope=x"),
        );
        let all = challenges(&headers);
        assert_eq!(oauth(&all).unwrap().parameter("scope"), Some("x"));
        assert_eq!(oauth(&all[..1]).unwrap().scheme, "dpop");
        assert_eq!(oauth(&all[1..2]), None);
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic_or_hang(text in ".{0,80}") {
            parse(&text);
        }

        #[test]
        fn any_quoted_value_survives(value in "[^\r\n]{0,30}") {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            let read = parse(&format!("Bearer a=\"{quoted}\", b=2"));
            prop_assert_eq!(read, [challenge("bearer", &[("a", &value), ("b", "2")])]);
        }
    }
}
