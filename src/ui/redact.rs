//! The net below the types: what looks like a credential in text for people or logs is blotted out.

use std::borrow::Cow;

/// What comes right before a secret in a header, in lower case.
const SCHEMES: [&str; 2] = ["bearer ", "basic "];

/// What comes before a secret and a colon or an equals sign, in lower case.
const NAMES: [&str; 6] = [
    "access_token",
    "refresh_token",
    "id_token",
    "client_secret",
    "api_key",
    "mcp-session-id",
];

/// What the name of a header, a variable or a setting has in it when the value is a secret, in lower case.
const SECRET: [&str; 9] = [
    "auth",
    "token",
    "key",
    "secret",
    "cookie",
    "password",
    "credential",
    "session",
    "signature",
];

/// How an option ends when the next argument is a secret.
const OPTIONS: [&str; 4] = ["token", "key", "secret", "password"];

const BLOT: &str = "(redacted)";

/// A value after `bearer` or `basic` that is shorter may be a word of a sentence.
const SHORTEST: usize = 8;

/// The text without the values of credentials.
pub fn text(text: &str) -> Cow<'_, str> {
    let lower = text.to_ascii_lowercase();
    let words = || SCHEMES.iter().chain(&NAMES);
    if !words().any(|word| lower.contains(word)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(rest) = lower.get(at..) {
        let next = words()
            .filter_map(|word| Some((rest.find(word)?, *word)))
            .min();
        let Some((found, word)) = next else { break };
        let from = at + found + word.len();
        let (gap, value) = parted(text.get(from..).unwrap_or_default());
        let length = value.find(|c: char| !is_token(c)).unwrap_or(value.len());
        let (value, _) = value.split_at(length);
        out.push_str(text.get(at..from).unwrap_or_default());
        out.push_str(gap);
        let is_secret = if SCHEMES.contains(&word) {
            length >= SHORTEST && !value.chars().all(|c| c.is_ascii_lowercase())
        } else {
            length > 0 && gap.contains([':', '='])
        };
        out.push_str(if is_secret { BLOT } else { value });
        at = from + gap.len() + length;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    Cow::Owned(out)
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~+/=".contains(c)
}

/// The punctuation between a name and its value, and what follows.
fn parted(after: &str) -> (&str, &str) {
    let value = after.trim_start_matches(['"', '\'', '=', ':', ' ', '\\']);
    after.split_at(after.len() - value.len())
}

/// Whether what has that name is a secret.
pub fn names_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET.iter().any(|part| name.contains(part))
}

/// The text of a config file, or of a change of one, without the values of what is named like a secret. A value that is a
/// variable stays.
pub fn settings(given: &str) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let mut out = String::with_capacity(given.len());
    let mut rest = given;
    while let Some(from) = rest.find(is_name) {
        let named = rest.split_at(from).1;
        let end = named.find(|c| !is_name(c)).unwrap_or(named.len());
        let (name, after) = named.split_at(end);
        let (before, _) = rest.split_at(from + end);
        out.push_str(before);
        rest = after;
        if let Some((gap, length)) = value_of(name, after) {
            out.push_str(gap);
            out.push_str(BLOT);
            rest = after.get(gap.len() + length..).unwrap_or_default();
        }
    }
    out.push_str(rest);
    text(&out).into_owned()
}

/// What stands before the value that belongs to a name, and how long the value is; nothing if it is no secret.
fn value_of<'a>(name: &str, after: &'a str) -> Option<(&'a str, usize)> {
    if !names_secret(name) {
        return None;
    }
    let (mut gap, mut value) = parted(after);
    if !gap.contains([':', '=']) {
        let lower = name.to_ascii_lowercase();
        let is_option = lower.starts_with("--") && OPTIONS.iter().any(|end| lower.ends_with(end));
        // The next argument: in the lines of a change it may be in the next one.
        value = after.trim_start_matches(|c: char| c.is_whitespace() || "\"',+-".contains(c));
        (gap, _) = after.split_at(after.len() - value.len());
        if !is_option || gap.is_empty() || gap.ends_with("--") {
            return None;
        }
    }
    let quote = gap.chars().last().filter(|last| "\"'".contains(*last));
    let is_escaped = gap.contains('\\');
    let mut before = ' ';
    let end = value.find(|c: char| {
        let ends = quote.map_or("\"'".contains(c), |quote| quote == c) && before != '\\';
        before = c;
        ends || "\r\n".contains(c) || (is_escaped && c == '\\')
    });
    let (value, _) = value.split_at(end.unwrap_or(value.len()));
    let is_plain = value.is_empty() || value.starts_with(['{', '[', ',', '}', ']']);
    (!is_plain && !value.contains("${")).then_some((gap, value.len()))
}

#[cfg(test)]
mod tests {
    use super::{settings, text};

    #[test]
    fn blots_out_what_follows_the_name_of_a_secret() {
        let table = [
            ("nothing here", "nothing here"),
            (
                "Authorization: Bearer abc.d-e_f== end",
                "Authorization: Bearer (redacted) end",
            ),
            (
                r#"{"access_token":"abc","x":1}"#,
                r#"{"access_token":"(redacted)","x":1}"#,
            ),
            (
                "a?client_secret=s3&access_token=t",
                "a?client_secret=(redacted)&access_token=(redacted)",
            ),
            ("Mcp-Session-Id: 12-ab", "Mcp-Session-Id: (redacted)"),
            ("bearer \u{e9}", "bearer \u{e9}"),
            ("basic dXNlcjpwYXNz", "basic (redacted)"),
            (
                r#"{\"refresh_token\": \"a\"}"#,
                r#"{\"refresh_token\": \"(redacted)\"}"#,
            ),
        ];
        for (from, to) in table {
            assert_eq!(text(from), to);
        }
    }

    #[test]
    fn words_of_a_sentence_stay() {
        for words in [
            "api_key is missing",
            "the answer has no access_token and no refresh_token",
            "a bearer token is needed, basic authentication is not",
            "client_secret_basic and client_secret_post",
        ] {
            assert_eq!(text(words), words);
        }
    }

    #[test]
    fn the_secrets_of_a_config_file_are_blotted_out() {
        let table = [
            (
                r#"  "OPENAI_API_KEY": "sk-1", "A": "b""#,
                r#"  "OPENAI_API_KEY": "(redacted)", "A": "b""#,
            ),
            (
                r#"["--header", "X-Api-Key: a b", "c"]"#,
                r#"["--header", "X-Api-Key: (redacted)", "c"]"#,
            ),
            (
                "token: a b\nother: c\r\nkey: 'it''s'",
                "token: (redacted)\nother: c\r\nkey: '(redacted)''s'",
            ),
            ("PASSWORD = \"a\\\"b\"", "PASSWORD = \"(redacted)\""),
            (
                r#""{\"client_secret\":\"s\"}""#,
                r#""{\"client_secret\":\"(redacted)\"}""#,
            ),
            (
                "+ \"--access-token\",\n+ \"sbp_1\",",
                "+ \"--access-token\",\n+ \"(redacted)\",",
            ),
            (
                r#""https://a/mcp?key=x", "--e""#,
                r#""https://a/mcp?key=(redacted)", "--e""#,
            ),
            (
                r#""X-Team: Bearer 0123abcd""#,
                r#""X-Team: Bearer (redacted)""#,
            ),
        ];
        for (from, to) in table {
            assert_eq!(settings(from), to);
        }
        for plain in [
            r#""Authorization:${TOKEN}", "Cookie: a=${B}""#,
            r#""auth": {"x": 1}, "keys": ["a"], "token": "", "a": "b""#,
            r#""--use-id-token", "--silent""#,
            r#""--header-file", "/run/secrets/h", "--auth", "none""#,
            "--- /a/key\n+++ /a/key\n@@ -1,2 +1,3 @@",
            "",
        ] {
            assert_eq!(settings(plain), plain);
        }
    }
}
