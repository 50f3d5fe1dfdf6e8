//! The net below the types: what looks like a credential in text for people or logs is blotted out.

use std::borrow::Cow;
use std::ops::Range;

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
const SECRET: [&str; 10] = [
    "auth",
    "token",
    "key",
    "secret",
    "cookie",
    "passw",
    "passphrase",
    "credential",
    "session",
    "signature",
];

/// How such a name may end, in lower case.
const SECRET_ENDS: [&str; 3] = ["pass", "_pat", "-pat"];

/// How an option ends when the next argument is a secret.
const OPTIONS: [&str; 5] = ["token", "key", "secret", "password", "passphrase"];

const BLOT: &str = "(redacted)";

/// A value after `bearer` or `basic` that is shorter may be a word of a sentence, and a number that is shorter may be a limit.
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
            let before = text.get(..at + found).unwrap_or_default().trim_end();
            let is_header = length > 0 && before.ends_with([':', '=', '"', '\'']);
            is_header || (length >= SHORTEST && !value.chars().all(|c| c.is_ascii_lowercase()))
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
    let value = after.trim_start_matches(['"', '\'', '=', ':', ' ', '\t', '\\']);
    after.split_at(after.len() - value.len())
}

/// Whether what has that name is a secret.
pub fn names_secret(name: &str) -> bool {
    // Who wrote something is no secret, what authorizes is.
    let name = name.to_ascii_lowercase().replace("authori", "auth");
    let name = name.replace("author", "");
    SECRET.iter().any(|part| name.contains(part))
        || SECRET_ENDS.iter().any(|end| name.ends_with(end))
}

/// The text of a config file without the values of what is named like a secret and without the passwords of URLs. A value
/// that is a variable stays.
pub fn settings(given: &str) -> String {
    let given = &without_passwords(given);
    text(&blotted(given, secrets(given))).into_owned()
}

/// The same of a change as `diff -u` shows it, where a value may stand below its name: each side is read for itself.
pub fn change(diff: &str) -> String {
    let given = &without_passwords(diff);
    let mut found = sided(given, '-');
    found.extend(sided(given, '+'));
    found.sort_by_key(|range| range.start);
    text(&blotted(given, found)).into_owned()
}

/// Where the secrets of one side of a change stand, which has all lines but those that begin with the other sign.
fn sided(diff: &str, sign: char) -> Vec<Range<usize>> {
    let mut side = String::with_capacity(diff.len());
    let mut lines = Vec::new();
    let mut at = 0;
    for line in diff.split_inclusive('\n') {
        if line.starts_with(sign) || !line.starts_with(['+', '-']) {
            lines.push((side.len()..side.len() + line.len(), at));
            side.push_str(line);
        }
        at += line.len();
    }
    let mut found = Vec::new();
    for secret in secrets(&side) {
        for (line, at) in &lines {
            let (from, to) = (secret.start.max(line.start), secret.end.min(line.end));
            let part = side.get(from..to).unwrap_or_default();
            // The sign and what is indented stay where a secret goes over several lines.
            let begins = from == line.start;
            let kept = part.trim_start_matches(|c: char| begins && " +-".contains(c));
            let from = at + from - line.start + part.len() - kept.len();
            if !kept.trim_end().is_empty() {
                found.push(from..from + kept.trim_end().len());
            }
        }
    }
    found
}

/// The text with a blot for each of these ranges, which are sorted; what two have in common is blotted once.
fn blotted(given: &str, ranges: Vec<Range<usize>>) -> String {
    let mut out = String::with_capacity(given.len());
    let mut at = 0;
    for range in ranges {
        if range.start >= at {
            out.push_str(given.get(at..range.start).unwrap_or_default());
            out.push_str(BLOT);
        }
        at = at.max(range.end);
    }
    out.push_str(given.get(at..).unwrap_or_default());
    out
}

/// Where the values of what is named like a secret stand, in order.
fn secrets(given: &str) -> Vec<Range<usize>> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let mut found = Vec::new();
    let mut rest = given;
    while let Some(from) = rest.find(is_name) {
        let (line, named) = given.split_at(given.len() - rest.len() + from);
        let end = named.find(|c| !is_name(c)).unwrap_or(named.len());
        let (name, after) = named.split_at(end);
        rest = after;
        if let Some((gap, length)) = value_of(line, name, after) {
            let from = given.len() - after.len() + gap.len();
            found.push(from..from + length);
            rest = given.get(from + length..).unwrap_or_default();
        }
    }
    found
}

/// The text with a blot for what stands between `://user:` and `@`.
fn without_passwords(given: &str) -> String {
    let ends = |c: char| c.is_whitespace() || "/?#\"'\\".contains(c);
    let mut out = String::with_capacity(given.len());
    for (at, part) in given.split("://").enumerate() {
        let authority = part.split(ends).next().unwrap_or_default();
        let userinfo = authority.rsplit_once('@').map(|(userinfo, _)| userinfo);
        let password = userinfo.and_then(|userinfo| userinfo.split_once(':'));
        out.push_str(if at > 0 { "://" } else { "" });
        match password.filter(|(_, word)| at > 0 && !word.is_empty() && !word.contains("${")) {
            Some((user, word)) => {
                out.push_str(user);
                out.push(':');
                out.push_str(BLOT);
                out.push_str(part.get(user.len() + 1 + word.len()..).unwrap_or_default());
            }
            None => out.push_str(part),
        }
    }
    out
}

/// What stands before the value that belongs to a name, and how long the value is; nothing if it is no secret. `before` is
/// what stands before the name.
fn value_of<'a>(before: &str, name: &str, after: &'a str) -> Option<(&'a str, usize)> {
    let line = before.rsplit('\n').next().unwrap_or_default();
    if !names_secret(name) || in_host(line) {
        return None;
    }
    let gap = gap_of(name, after)?;
    let (_, value) = after.split_at(gap.len());
    let quote = gap.chars().last().filter(|last| "\"'".contains(*last));
    if quote.is_none() {
        if let Some(length) = block(line, value) {
            return Some((gap, length));
        }
        if let Some(literal) = literal(gap, value) {
            let is_plain = !literal.starts_with(|c: char| c.is_ascii_digit())
                || (literal.len() < SHORTEST && !name.to_ascii_lowercase().contains("pass"));
            return (!is_plain).then_some((gap, literal.len()));
        }
    }
    let three = gap.get(gap.len().saturating_sub(3)..).unwrap_or_default();
    let length = if ["\"\"\"", "'''"].contains(&three) {
        value.find(three)
    } else {
        let is_escaped = gap.contains('\\');
        let mut before = ' ';
        value.find(|c: char| {
            let ends = quote.map_or("\"'".contains(c), |quote| quote == c) && before != '\\';
            before = c;
            ends || "\r\n".contains(c) || (is_escaped && c == '\\')
        })
    };
    let (value, rest) = value.split_at(length.unwrap_or(value.len()));
    // In the next line it may be a name.
    let is_name = gap.contains('\n')
        && gap.contains([':', '='])
        && rest
            .trim_start_matches(['"', '\'', ' '])
            .starts_with([':', '=']);
    let is_plain = is_name || value.is_empty() || value.starts_with(['{', '[', ',', '}', ']']);
    (!is_plain && !value.contains("${")).then_some((gap, value.len()))
}

/// Whether a line ends within the host of a URL.
fn in_host(line: &str) -> bool {
    let after = line.rsplit_once("://").map(|(_, after)| after);
    after.is_some_and(|after| !after.contains(|c: char| c.is_whitespace() || "/?#\"',".contains(c)))
}

/// What stands between a name and its value. In the lines of a change the value may be in the next one.
fn gap_of<'a>(name: &str, after: &'a str) -> Option<&'a str> {
    let (gap, value) = parted(after);
    let up_to = |value: &str| Some(after.split_at(after.len() - value.len()).0);
    if !gap.contains([':', '=']) {
        // The next argument.
        let lower = name.to_ascii_lowercase();
        let is_option = lower.starts_with("--")
            && lower != "--use-id-token"
            && OPTIONS.iter().any(|end| lower.ends_with(end));
        let value = after.trim_start_matches(|c: char| c.is_whitespace() || "\"',+-".contains(c));
        return up_to(value).filter(|gap| is_option && !gap.is_empty() && !gap.ends_with("--"));
    }
    if value.starts_with(['\r', '\n']) && gap.ends_with([':', '=', ' ', '\t']) {
        let next = value.trim_start_matches(|c: char| c.is_whitespace() || "+-".contains(c));
        if let Some(quoted) = next.strip_prefix(['"', '\'']) {
            return up_to(quoted);
        }
    }
    Some(gap)
}

/// How long a block scalar of YAML is: the lines that are indented more than the one of its name.
fn block(line: &str, value: &str) -> Option<usize> {
    let mut lines = value.split_inclusive('\n');
    let head = lines.next()?;
    let style = head.trim_end();
    if !style.starts_with(['|', '>']) || style.len() > 3 || style.len() == head.len() {
        return None;
    }
    let indent = |line: &str| line.find(|c| !" +-".contains(c)).unwrap_or(line.len());
    let own = indent(line);
    let inside = lines.take_while(|line| indent(line) > own || line.trim().is_empty());
    let length = head.len() + inside.map(str::len).sum::<usize>();
    Some(value.get(..length)?.trim_end().len())
}

/// A number, `true`, `false` or `null` that is not part of a text.
fn literal<'a>(gap: &str, value: &'a str) -> Option<&'a str> {
    let end = value.find(|c: char| ",}]\r\n\"'\\".contains(c));
    let (bare, rest) = value.split_at(end.unwrap_or(value.len()));
    let bare = bare.trim_end();
    let is_number = !bare.is_empty() && bare.chars().all(|c| c.is_ascii_digit() || c == '.');
    let is_literal = is_number || matches!(bare, "true" | "false" | "null");
    // `name=1` and `Name:1` are parts of texts.
    (is_literal && gap.len() > 1 && !rest.starts_with(['"', '\'', '\\'])).then_some(bare)
}

#[cfg(test)]
mod tests;
