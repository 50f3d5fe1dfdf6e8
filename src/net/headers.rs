//! Headers: those that the user gives, by flag, file or command, and what a response says of its body.

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use crate::error::Fatal;

/// Headers that belong to the protocol or to HTTP itself; set by hand they would break one or the other.
const OWN: [&str; 9] = [
    "accept",
    "connection",
    "content-length",
    "content-type",
    "last-event-id",
    "mcp-protocol-version",
    "mcp-session-id",
    "transfer-encoding",
    "upgrade",
];

/// The media type of a message without its parameters, in lower case; empty where none is given.
pub fn media_type(headers: &HeaderMap) -> String {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = value
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// Reads lines of the form `Name: value` or `Name:value`. `${VARIABLE}` in a value is replaced by what `env` gives. Of
/// two with one name the later one counts. Blank lines and lines that start with `#` are passed over.
///
/// # Errors
/// A usage error that names `source` and the line or variable that is wrong, never a value.
pub fn parse<'a>(
    source: &str,
    lines: impl IntoIterator<Item = &'a str>,
    env: impl Fn(&str) -> Option<String>,
) -> Result<HeaderMap, Fatal> {
    let mut headers = HeaderMap::new();
    for (number, line) in lines.into_iter().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let place = format!("{source}, header {}", number + 1);
        let (name, value) = parse_one(&place, line, &env)?;
        headers.insert(name, value);
    }
    Ok(headers)
}

fn parse_one(
    place: &str,
    line: &str,
    env: impl Fn(&str) -> Option<String>,
) -> Result<(HeaderName, HeaderValue), Fatal> {
    let form = "write it as 'Name: value'";
    let (name, value) = line
        .split_once(':')
        .ok_or_else(|| Fatal::usage(format!("{place} has no colon"), form))?;
    let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| {
        Fatal::usage(
            format!("{place}: {:?} is not a header name", name.trim()),
            form,
        )
    })?;
    if OWN.contains(&name.as_str()) {
        return Err(Fatal::usage(
            format!("{place}: {name} is set by mcp-tether itself"),
            "leave it out",
        ));
    }
    let value = expand(place, value.trim(), env)?;
    let mut value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| {
        Fatal::usage(
            format!("{place}: the value of {name} has a character that HTTP does not allow"),
            "look for a line end or another control character in it",
        )
    })?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// Replaces each `${VARIABLE}`.
///
/// # Errors
/// A usage error that names `place` and a variable that is not set.
pub fn expand(
    place: &str,
    value: &str,
    env: impl Fn(&str) -> Option<String>,
) -> Result<String, Fatal> {
    let mut out = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else {
            break;
        };
        let text = env(name).ok_or_else(|| {
            Fatal::usage(
                format!("{place}: the environment variable {name} is not set"),
                format!("set {name} in the \"env\" of the server's entry, or export it"),
            )
        })?;
        out.push_str(before);
        out.push_str(text.trim());
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn headers(lines: &[&str]) -> Result<Vec<(String, String)>, String> {
        let env = |name: &str| (name == "TOKEN").then(|| "s3cret\n".to_owned());
        parse("--header", lines.iter().copied(), env)
            .map(|map| {
                map.iter()
                    .map(|(name, value)| {
                        (
                            name.to_string(),
                            String::from_utf8(value.as_bytes().to_vec()).unwrap(),
                        )
                    })
                    .collect()
            })
            .map_err(|fatal| fatal.message)
    }

    #[test]
    fn reads_both_forms_and_expands_variables() {
        let read = headers(&["A:1", "# no", "", "b-c:  Bearer ${TOKEN}x", "D:", "a: 2"]).unwrap();
        let pairs = [("a", "2"), ("b-c", "Bearer s3cretx"), ("d", "")];
        assert_eq!(
            read,
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        assert_eq!(headers(&["A: $HOME ${open"]).unwrap()[0].1, "$HOME ${open");
    }

    #[test]
    fn what_is_wrong_is_an_error_without_the_value() {
        let wrong = [
            "no colon s3cret",
            "bad name: s3cret",
            ": s3cret",
            "A: s3cret\u{1}",
            "Content-Length: 5",
            "A: ${UNSET}",
        ];
        for line in wrong {
            let message = headers(&["X: 1", line]).unwrap_err();
            assert!(message.starts_with("--header, header 2"), "{message}");
            assert!(!message.contains("s3cret"), "{message}");
        }
        assert!(headers(&["A: ${UNSET}"]).unwrap_err().contains("UNSET"));
    }
}
