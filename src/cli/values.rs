//! Values of options: sizes and spans of time.

use std::str::FromStr;
use std::time::Duration;

/// Longer spans are mistakes, and the longest ones would overflow a clock: ten years.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// A span of time in seconds, with or without decimals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seconds(pub Duration);

impl Seconds {
    /// The span, or `None` for 0, which stands for no limit.
    pub fn limit(self) -> Option<Duration> {
        Some(self.0).filter(|span| !span.is_zero())
    }
}

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds: f64 = text
            .trim()
            .parse()
            .map_err(|_| "not a number of seconds".to_owned())?;
        match Duration::try_from_secs_f64(seconds) {
            Ok(span) if span <= LONGEST => Ok(Self(span)),
            _ => Err("not a usable number of seconds".to_owned()),
        }
    }
}

/// A span of time that is longer than nothing.
pub fn positive_seconds(text: &str) -> Result<Seconds, String> {
    let seconds: Seconds = text.parse()?;
    seconds
        .limit()
        .map(Seconds)
        .ok_or_else(|| "must be more than 0".to_owned())
}

/// A number of bytes, like 1048576, 64MiB or 64M.
pub fn bytes(text: &str) -> Result<usize, String> {
    let size: bytesize::ByteSize = text
        .parse()
        .map_err(|_| "not a size; write it like 64MiB".to_owned())?;
    match usize::try_from(size.as_u64()) {
        Ok(size) if size >= 1024 => Ok(size),
        _ => Err("must be at least 1KiB".to_owned()),
    }
}

/// A parameter, as `name=value`.
pub fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("not of the form name=value".to_owned()),
    }
}

/// A path of a URL.
pub fn path(text: &str) -> Result<String, String> {
    let plain = text.starts_with('/') && !text.contains(['?', '#']);
    plain
        .then(|| text.to_owned())
        .ok_or_else(|| "must begin with / and have neither ? nor #".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{bytes, positive_seconds};

    #[test]
    fn reads_sizes_and_spans() {
        assert_eq!(bytes("256MiB"), Ok(256 << 20));
        assert_eq!(bytes("2048"), Ok(2048));
        assert!(bytes("5").is_err() && bytes("lots").is_err() && bytes("-1").is_err());
        assert_eq!(positive_seconds("0.5").unwrap().0.as_millis(), 500);
        for text in ["0", "-1", "nan", "inf", "1e300", "1e19", "soon"] {
            assert!(positive_seconds(text).is_err(), "{text}");
        }
    }
}
