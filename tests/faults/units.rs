//! Cuts what a client sends into its messages: HTTP requests with their bodies, WebSocket frames after an upgrade. It must not
//! change a byte.

/// The bytes of a client so far that are not a whole message yet.
#[derive(Default)]
pub struct Units {
    bytes: Vec<u8>,
    upgraded: bool,
}

/// One message of a client.
pub struct Unit {
    /// All of it, as it was sent.
    pub bytes: Vec<u8>,
    /// What it says: the same, or a frame's text without its mask.
    pub said: Vec<u8>,
    /// It is a WebSocket frame.
    pub frame: bool,
}

impl Units {
    /// Adds what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// What is left when nothing more comes.
    pub fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// The next whole message.
    pub fn next(&mut self) -> Option<Unit> {
        let len = if self.upgraded {
            frame_len(&self.bytes)?
        } else {
            request_len(&self.bytes)?
        };
        if self.bytes.len() < len {
            return None;
        }
        let rest = self.bytes.split_off(len);
        let bytes = std::mem::replace(&mut self.bytes, rest);
        let frame = self.upgraded;
        if !frame && contains(&bytes, b"\r\nupgrade: websocket") {
            self.upgraded = true;
        }
        let said = if frame {
            unmasked(&bytes)
        } else {
            bytes.clone()
        };
        Some(Unit { bytes, said, frame })
    }
}

/// Whether these bytes are in there; ASCII letters may be of either case.
pub fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    let mut windows = bytes.windows(wanted.len());
    windows.any(|window| window.eq_ignore_ascii_case(wanted))
}

/// Where the head of an HTTP message ends.
pub fn head_len(bytes: &[u8]) -> Option<usize> {
    Some(bytes.windows(4).position(|end| end == b"\r\n\r\n")? + 4)
}

/// The length that a head promises for its body.
pub fn body_len(head: &[u8]) -> Option<usize> {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let (_, value) = head.split_once("\r\ncontent-length:")?;
    value.lines().next()?.trim().parse().ok()
}

fn request_len(bytes: &[u8]) -> Option<usize> {
    let head = head_len(bytes)?;
    Some(head + body_len(&bytes[..head]).unwrap_or(0))
}

/// How long the first frame is (RFC 6455 §5.2), and where its content begins.
fn frame_parts(bytes: &[u8]) -> Option<(usize, usize)> {
    let second = *bytes.get(1)?;
    let (extended, len) = match second & 0x7f {
        126 => {
            let given: [u8; 2] = bytes.get(2..4)?.try_into().ok()?;
            (2, usize::from(u16::from_be_bytes(given)))
        }
        127 => {
            let given: [u8; 8] = bytes.get(2..10)?.try_into().ok()?;
            (8, usize::try_from(u64::from_be_bytes(given)).ok()?)
        }
        short => (0, usize::from(short)),
    };
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    let start = 2 + extended + mask;
    Some((start + len, start))
}

/// How long the first frame is.
pub fn frame_len(bytes: &[u8]) -> Option<usize> {
    frame_parts(bytes).map(|(len, _)| len)
}

/// Where the parts of a frame end: its two bytes, its length, its mask, its content.
pub fn frame_marks(bytes: &[u8]) -> Vec<usize> {
    let Some((len, start)) = frame_parts(bytes) else {
        return Vec::new();
    };
    vec![1, 2, start.saturating_sub(4).max(2), start, len]
}

fn unmasked(bytes: &[u8]) -> Vec<u8> {
    let Some((_, start)) = frame_parts(bytes) else {
        return Vec::new();
    };
    let mask = &bytes[start.saturating_sub(4)..start];
    let content = bytes[start..].iter().enumerate();
    content.map(|(at, byte)| byte ^ mask[at % 4]).collect()
}
