//! The net below the types: what looks like a credential in text for people or logs is blotted out.

use std::borrow::Cow;

/// What comes right before a secret, in lower case.
const BEFORE: [&str; 8] = [
    "bearer ",
    "basic ",
    "access_token",
    "refresh_token",
    "id_token",
    "client_secret",
    "api_key",
    "mcp-session-id",
];

/// The text without the values of credentials.
pub fn text(text: &str) -> Cow<'_, str> {
    let lower = text.to_ascii_lowercase();
    if !BEFORE.iter().any(|word| lower.contains(word)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(rest) = lower.get(at..) {
        let next = BEFORE
            .iter()
            .filter_map(|word| Some((rest.find(word)?, word.len())))
            .min();
        let Some((found, length)) = next else { break };
        let from = at + found + length;
        // Past the punctuation between a name and its value.
        let gap = lower.get(from..).unwrap_or_default();
        let gap = gap.len()
            - gap
                .trim_start_matches(['"', '\'', '=', ':', ' ', '\\'])
                .len();
        let value = lower.get(from + gap..).unwrap_or_default();
        let length = value.find(|c: char| !is_token(c)).unwrap_or(value.len());
        out.push_str(text.get(at..from + gap).unwrap_or_default());
        if length > 0 {
            out.push_str("(redacted)");
        }
        at = from + gap + length;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    Cow::Owned(out)
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~+/=".contains(c)
}

#[cfg(test)]
mod tests {
    use super::text;

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
        ];
        for (from, to) in table {
            assert_eq!(text(from), to);
        }
    }
}
