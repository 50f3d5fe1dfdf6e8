//! The messages that travel: known to both the server and the clients.

use std::io::Write;

/// Length of a block of text, in bytes of its JSON form. 16 to the MiB leave room for an
/// envelope, so that a message of 256 MiB stays within a limit of 256 MiB.
const BLOCK: usize = LINE * 840;

/// A line of text: 76 letters and an escaped newline, as in a file that a tool returns.
const LINE: usize = 78;

/// How many blocks make (nearly) so many MiB.
pub const fn blocks(mib: usize) -> usize {
    mib * 16
}

/// Bytes of text in so many MiB of blocks.
pub const fn text_len(mib: usize) -> usize {
    blocks(mib) * BLOCK
}

/// So many blocks of text.
pub fn text(blocks: usize) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut seed = 1_u32;
    let mut block = String::with_capacity(BLOCK);
    for _ in 0..BLOCK / LINE {
        for _ in 0..LINE - 2 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let letter = usize::try_from(seed >> 26).unwrap_or_default();
            block.extend(LETTERS.get(letter).copied().map(char::from));
        }
        block.push('\n');
    }
    block.repeat(blocks)
}

/// An `initialize` request.
pub fn initialize(id: u64) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"initialize","params":{{"protocolVersion":"2025-11-25","capabilities":{{}},"clientInfo":{{"name":"bench","version":"1"}}}}}}"#
    )
}

/// A `tools/call` request; `rest` follows the tool's name inside `params`.
pub fn call(id: u64, tool: &str, rest: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}",{rest}}}}}"#
    )
}

/// A small call.
pub fn echo(id: u64) -> String {
    call(id, "echo", r#""arguments":{"text":"hello, far away"}"#)
}

/// What each request of 2026-07-28 says of its sender.
const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}"#;

/// A `server/discover` request.
pub fn discover(id: u64) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"server/discover","params":{{{META}}}}}"#)
}

/// A small call of 2026-07-28.
pub fn modern_echo(id: u64) -> String {
    let arguments = r#""arguments":{"text":"hello, far away"}"#;
    call(id, "echo", &format!("{arguments},{META}"))
}

/// A call that is answered by so many MiB, as a JSON body or as one event.
pub fn big(id: u64, mib: usize, event: bool) -> String {
    let blocks = blocks(mib);
    let arguments = format!(r#""arguments":{{"blocks":{blocks},"event":{event}}}"#);
    call(id, "big", &arguments)
}

/// A call that is answered by a stream of progress notifications.
pub fn stream(id: u64, events: usize) -> String {
    let rest = format!(
        r#""arguments":{{"events":{events}}},"_meta":{{"progressToken":{PROGRESS_TOKEN}}}"#
    );
    call(id, "stream", &rest)
}

/// A call whose argument is so many MiB long.
pub fn sink(id: u64, mib: usize) -> Vec<u8> {
    // Serializing a string cannot fail.
    let data = serde_json::to_string(&text(blocks(mib))).unwrap_or_default();
    let rest = format!(r#""arguments":{{"data":{data}}}"#);
    call(id, "sink", &rest).into_bytes()
}

/// The token that the clients ask progress with, as JSON.
pub const PROGRESS_TOKEN: &str = r#""stream-1""#;

/// Writes an event of the stream that answers `stream`: a notification of about 120 bytes.
pub fn progress_event(body: &mut Vec<u8>, token: &str, n: usize, total: usize) {
    // Writing to a Vec cannot fail.
    let _ = write!(
        body,
        "event: message\ndata: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{{\"progressToken\":{token},\"progress\":{n},\"total\":{total}}}}}\n\n",
    );
}

/// Length of so many of them.
pub fn stream_len(events: usize) -> usize {
    let mut event = Vec::new();
    let length = |n| {
        event.clear();
        progress_event(&mut event, PROGRESS_TOKEN, n, events);
        event.len()
    };
    (1..=events).map(length).sum()
}
