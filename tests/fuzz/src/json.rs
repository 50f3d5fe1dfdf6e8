//! RFC 8259, read strictly and without recursion.

/// Where the JSON value that begins at `at` ends; `None` when it is none.
fn value_end(text: &[u8], mut at: usize) -> Option<usize> {
    let mut open: Vec<u8> = Vec::new();
    loop {
        at = blanks(text, at);
        // Here a value begins, or an empty array or object ends.
        match *text.get(at)? {
            b'{' => {
                at = blanks(text, at + 1);
                if text.get(at) == Some(&b'}') {
                    at += 1;
                } else {
                    open.push(b'}');
                    at = name_end(text, at)?;
                    continue;
                }
            }
            b'[' => {
                at = blanks(text, at + 1);
                if text.get(at) == Some(&b']') {
                    at += 1;
                } else {
                    open.push(b']');
                    continue;
                }
            }
            b'"' => at = string_end(text, at)?,
            b't' => at = word_end(text, at, b"true")?,
            b'f' => at = word_end(text, at, b"false")?,
            b'n' => at = word_end(text, at, b"null")?,
            _ => at = number_end(text, at)?,
        }
        // A value has ended.
        loop {
            let Some(&close) = open.last() else {
                return Some(at);
            };
            at = blanks(text, at);
            match *text.get(at)? {
                b',' => {
                    at += 1;
                    if close == b'}' {
                        at = name_end(text, blanks(text, at))?;
                    }
                    break;
                }
                byte if byte == close => {
                    open.pop();
                    at += 1;
                }
                _ => return None,
            }
        }
    }
}

/// After the name that begins at `at` and its colon.
fn name_end(text: &[u8], at: usize) -> Option<usize> {
    let end = blanks(text, string_end(text, at)?);
    (text.get(end)? == &b':').then_some(end + 1)
}

fn blanks(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

fn word_end(text: &[u8], at: usize, word: &[u8]) -> Option<usize> {
    text[at..].starts_with(word).then_some(at + word.len())
}

fn string_end(text: &[u8], mut at: usize) -> Option<usize> {
    if text.get(at)? != &b'"' {
        return None;
    }
    at += 1;
    loop {
        match *text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => match *text.get(at + 1)? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                b'u' => {
                    let digits = text.get(at + 2..at + 6)?;
                    if !digits.iter().all(u8::is_ascii_hexdigit) {
                        return None;
                    }
                    at += 6;
                }
                _ => return None,
            },
            0..=0x1f => return None,
            _ => at += 1,
        }
    }
}

fn number_end(text: &[u8], mut at: usize) -> Option<usize> {
    let digits = |mut at: usize| {
        let start = at;
        while text.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        (at > start).then_some(at)
    };
    if text.get(at) == Some(&b'-') {
        at += 1;
    }
    at = if text.get(at) == Some(&b'0') {
        at + 1
    } else {
        digits(at)?
    };
    if text.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1;
        if matches!(text.get(at), Some(b'+' | b'-')) {
            at += 1;
        }
        at = digits(at)?;
    }
    Some(at)
}

/// Whether the text is one JSON value, with blanks around it at most.
pub fn is_valid(text: &str) -> bool {
    let end = value_end(text.as_bytes(), 0);
    end.is_some_and(|end| blanks(text.as_bytes(), end) == text.len())
}

/// The members of an object in their order, each with its decoded name and its raw value; `None` when the text is no object. A
/// name that cannot be decoded only loses its quotes.
pub fn members(text: &str) -> Option<Vec<(String, &str)>> {
    let decoded = |name: &str| serde_json::from_str(name).ok();
    let bare = |name: &str| name[1..name.len() - 1].to_owned();
    let named = |(name, raw)| (decoded(name).unwrap_or_else(|| bare(name)), raw);
    Some(raw_members(text)?.into_iter().map(named).collect())
}

/// The same; `None` also when a name cannot be decoded.
pub fn decoded_members(text: &str) -> Option<Vec<(String, &str)>> {
    let decoded = |(name, raw)| Some((serde_json::from_str(name).ok()?, raw));
    raw_members(text)?.into_iter().map(decoded).collect()
}

/// The raw names and values.
fn raw_members(text: &str) -> Option<Vec<(&str, &str)>> {
    let mut found = Vec::new();
    let bytes = text.as_bytes();
    let mut at = blanks(bytes, 0);
    if !is_valid(text) || bytes.get(at) != Some(&b'{') {
        return None;
    }
    loop {
        // At the brace, or at a comma.
        at = blanks(bytes, at + 1);
        if bytes[at] == b'}' {
            return Some(found);
        }
        let end = string_end(bytes, at)?;
        let start = blanks(bytes, name_end(bytes, at)?);
        let value_end = value_end(bytes, start)?;
        found.push((&text[at..end], &text[start..value_end]));
        at = blanks(bytes, value_end);
        if bytes[at] == b'}' {
            return Some(found);
        }
    }
}

/// The raw elements of an array; `None` when the text is none.
pub fn elements(text: &str) -> Option<Vec<&str>> {
    let mut found = Vec::new();
    let bytes = text.as_bytes();
    let mut at = blanks(bytes, 0);
    if !is_valid(text) || bytes.get(at) != Some(&b'[') {
        return None;
    }
    loop {
        at = blanks(bytes, at + 1);
        if bytes[at] == b']' {
            return Some(found);
        }
        let end = value_end(bytes, at)?;
        found.push(&text[at..end]);
        at = blanks(bytes, end);
        if bytes[at] == b']' {
            return Some(found);
        }
    }
}

/// The raw value of the last member of that name.
pub fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let all = members(text)?;
    let mut last = all.into_iter().rev();
    last.find(|(known, _)| known == name).map(|(_, raw)| raw)
}

/// The same, decoded, where it is a string.
pub fn text_member(text: &str, name: &str) -> Option<String> {
    serde_json::from_str(member(text, name)?).ok()
}

/// Checks that two objects differ in the members of these names alone: the others are there as they were, byte for byte, in
/// their order, and there are no more of them.
///
/// # Panics
/// When they do not.
pub fn assert_same_but(before: &str, after: &str, names: &[&str]) {
    let others = |text: &str| -> Vec<(String, String)> {
        let all = members(text).unwrap_or_else(|| panic!("no object: {text}"));
        all.into_iter()
            .filter(|(name, _)| !names.contains(&name.as_str()))
            .map(|(name, raw)| (name, raw.to_owned()))
            .collect()
    };
    assert_eq!(others(before), others(after), "{before} => {after}");
}
