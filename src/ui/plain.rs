//! What a server sent, on its way to a terminal: nothing of it may move the cursor, colour the screen or turn the direction of
//! the text.

use std::borrow::Cow;

/// The text without escape sequences and control characters; line ends and tabs stay.
pub fn text(text: &str) -> String {
    console::strip_ansi_codes(text)
        .chars()
        .filter(|c| matches!(c, '\n' | '\t') || !is_control(*c))
        .collect()
}

/// The same in one line.
pub fn line(given: &str) -> String {
    text(given).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Control characters, and those that turn the direction of what follows (Unicode `Bidi_Control`).
pub fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// JSON with those characters escaped that JSON itself lets stand in a string. Colours of our own stay.
pub fn json(text: &str) -> Cow<'_, str> {
    let stands = |c: char| c >= '\u{7f}' && is_control(c);
    if !text.contains(stands) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if stands(c) {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::{json, line, text};

    #[test]
    fn a_terminal_has_nothing_to_obey() {
        let table = [
            ("plain\ttext\n", "plain\ttext\n"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("a\u{1b}]0;title\u{7}b", "ab"),
            ("a\u{9b}2Jb\r\u{8}c", "abc"),
            ("\u{202e}abc\u{2066}\u{61c}", "abc"),
            ("\u{e9}\u{1f600}", "\u{e9}\u{1f600}"),
        ];
        for (from, to) in table {
            assert_eq!(text(from), to, "{from:?}");
        }
        assert_eq!(line(" two\n\n  lines\t\u{1b}[1mhere "), "two lines here");
        assert_eq!(
            json("{\"a\":\"\u{9b}2J\u{202e}\u{e9}\"}"),
            r#"{"a":"\u009b2J\u202eé"}"#
        );
    }
}
