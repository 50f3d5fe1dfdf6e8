//! Request ids by their raw text.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A JSON-RPC id: a string or a number, kept as it was written. `"7"` is not `7`; two spellings of one string
/// (`"a/b"`, `"a\/b"`) or of one whole number (`7`, `7.0`) are the same id, since a peer may write it anew.
#[derive(Clone)]
pub struct Id {
    raw: Arc<str>,
    /// The plain spelling, where `raw` is another one.
    plain: Option<Arc<str>>,
}

impl Id {
    /// Reads the raw JSON of an id; `None` unless it is a string or a number.
    pub fn parse(raw: &str) -> Option<Self> {
        let plain = match raw.as_bytes().first()? {
            b'"' if raw.contains('\\') => {
                let text: String = serde_json::from_str(raw).ok()?;
                Some(serde_json::to_string(&text).ok()?)
            }
            b'"' => None,
            b'-' | b'0'..=b'9' if raw.contains(['.', 'e', 'E']) => whole(raw),
            b'-' | b'0'..=b'9' => None,
            _ => return None,
        };
        Some(Self {
            raw: Arc::from(raw),
            plain: plain.filter(|text| text != raw).map(Arc::from),
        })
    }

    /// A string id from its text.
    pub fn text(text: &str) -> Self {
        let raw = serde_json::Value::from(text).to_string();
        Self {
            raw: Arc::from(raw),
            plain: None,
        }
    }

    /// The id exactly as its sender wrote it, quotes included.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    fn plain(&self) -> &str {
        self.plain.as_deref().unwrap_or(&self.raw)
    }
}

/// A number like `7.0` or `1e2` as a whole number's digits, where a double holds it exactly.
fn whole(raw: &str) -> Option<String> {
    let value: f64 = raw.parse().ok()?;
    (value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0).then(|| format!("{value:.0}"))
}

impl PartialEq for Id {
    fn eq(&self, other: &Self) -> bool {
        self.plain() == other.plain()
    }
}

impl Eq for Id {}

impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.plain().hash(state);
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}
