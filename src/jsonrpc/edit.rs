//! Splices: a few bytes of a line are replaced, the rest stays as it is.

use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};

/// `line` with the bytes of `span` replaced.
pub fn replace(line: &Bytes, span: Range<usize>, with: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(line.len() + with.len());
    out.put_slice(line.get(..span.start).unwrap_or_default());
    out.put_slice(with);
    out.put_slice(line.get(span.end..).unwrap_or_default());
    out.freeze()
}

/// The JSON object `line` with one member more, put first. `value` is raw JSON.
pub fn insert_member(line: &Bytes, name: &str, value: &str) -> Bytes {
    let rest = line.get(1..).unwrap_or_default();
    let empty = rest.trim_ascii_start().first() == Some(&b'}');
    let comma = if empty { "" } else { "," };
    let member = format!("{{\"{name}\":{value}{comma}");
    replace(line, 0..1, member.as_bytes())
}

/// The same JSON on one line: blanks around it dropped, raw line ends turned into spaces. JSON strings cannot hold a raw
/// line end, so this never touches a value.
pub(super) fn one_line(bytes: Bytes) -> Bytes {
    let text = bytes.trim_ascii();
    let line = if text.len() == bytes.len() {
        bytes
    } else {
        bytes.slice_ref(text)
    };
    if memchr::memchr2(b'\n', b'\r', &line).is_none() {
        return line;
    }
    // In place when nobody else holds the memory, so that a large pretty-printed answer is not copied.
    let mut line = line
        .try_into_mut()
        .unwrap_or_else(|shared| BytesMut::from(shared.as_ref()));
    for byte in line.iter_mut() {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    line.freeze()
}
