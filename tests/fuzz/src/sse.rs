//! Server-sent events by the words of WHATWG HTML §9.2.6, from the whole stream at once.

/// A block of the stream: the lines up to a blank one.
pub struct Block {
    /// Its bytes, line ends included.
    pub size: usize,
    /// Whether it has a comment, or is not UTF-8: what the program drops early, and cannot join.
    pub has_comment: bool,
    /// Whether all of it is UTF-8.
    pub is_text: bool,
    /// The value of `event`.
    pub name: Vec<u8>,
    /// The values of `data`.
    pub data: Vec<Vec<u8>>,
    /// The values of `id` that count.
    pub ids: Vec<Vec<u8>>,
    /// The values of `retry` that are digits.
    pub retries: Vec<Vec<u8>>,
}

/// The blocks that have ended.
pub fn blocks(stream: &[u8]) -> Vec<Block> {
    let stream = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    let mut all = Vec::new();
    let mut lines: Vec<&[u8]> = Vec::new();
    let (mut at, mut from) = (0, 0);
    while let Some(length) = stream[at..].iter().position(|b| matches!(b, b'\n' | b'\r')) {
        let line = &stream[at..at + length];
        at += length;
        at += if stream[at..].starts_with(b"\r\n") {
            2
        } else {
            1
        };
        if line.is_empty() {
            all.push(block(&lines, at - from));
            lines.clear();
            from = at;
        } else {
            lines.push(line);
        }
    }
    all
}

fn block(lines: &[&[u8]], size: usize) -> Block {
    let mut block = Block {
        size,
        has_comment: false,
        is_text: lines.iter().all(|line| std::str::from_utf8(line).is_ok()),
        name: Vec::new(),
        data: Vec::new(),
        ids: Vec::new(),
        retries: Vec::new(),
    };
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value).to_vec();
        match field {
            b"" => block.has_comment = true,
            b"event" => block.name = value,
            b"data" => block.data.push(value),
            b"id" if !value.contains(&0) => block.ids.push(value),
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                block.retries.push(value);
            }
            _ => {}
        }
    }
    block
}
