//! Tokens that something else provides: a file that a platform keeps fresh, or a command that prints one.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::auth::command;
use crate::error::Failure;
use crate::secret::Secret;

/// The longest that a file may take: it may be a pipe that nobody writes to.
const LIMIT: Duration = Duration::from_secs(30);

/// Bytes that are read; no token is larger.
const MAX: u64 = 1 << 20;

/// The token in a file, as it is now.
///
/// # Errors
/// [`Failure::Credentials`] naming the file, when it cannot be read or holds no JSON Web Token.
pub(super) async fn file(path: &Path, option: &'static str) -> Result<Secret, Failure> {
    let named = format!("{option} {}", path.display());
    let wrong = |what: String| Failure::Credentials {
        what,
        hint: "check the path, who may read it, and that the platform writes a token there",
    };
    let path: PathBuf = path.to_owned();
    let reading = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        std::fs::File::open(path)?
            .take(MAX)
            .read_to_string(&mut text)?;
        Ok::<_, std::io::Error>(text)
    });
    match tokio::time::timeout(LIMIT, reading).await {
        Ok(Ok(Ok(text))) => {
            token(&text).ok_or_else(|| wrong(format!("{named} holds no JSON Web Token")))
        }
        Ok(Ok(Err(why))) => Err(wrong(format!("cannot read {named}: {why}"))),
        Ok(Err(_)) => Err(wrong(format!("cannot read {named}"))),
        Err(_) => Err(wrong(format!(
            "{named} gave nothing for {} s",
            LIMIT.as_secs()
        ))),
    }
}

/// The token that a command prints, now.
///
/// # Errors
/// [`Failure::Credentials`] when it fails or prints no JSON Web Token. What it printed is not repeated.
pub(super) async fn printed(line: &str, option: &'static str) -> Result<Secret, Failure> {
    let wrong = |what: String| Failure::Credentials {
        what,
        hint: "run the command by hand to see what it prints",
    };
    let text = command::output(line, option).await.map_err(wrong)?;
    token(&text).ok_or_else(|| wrong(format!("the {option} prints no JSON Web Token")))
}

/// A signed JSON Web Token in its compact form (RFC 7515 §7.1), and nothing else.
fn token(text: &str) -> Option<Secret> {
    let text = text.trim();
    let parts: Vec<&str> = text.split('.').collect();
    let part = |part: &&str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        !part.is_empty() && part.bytes().all(known)
    };
    (parts.len() == 3 && parts.iter().all(part)).then(|| Secret::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::token;

    #[test]
    fn only_a_token_passes() {
        assert!(token(" a-_.B9.c\n").is_some());
        for text in [
            "",
            "a.b",
            "a.b.",
            "a.b.c.d",
            "a.b.c d",
            "a.b.c\nd",
            "{\"a\":1}",
        ] {
            assert!(token(text).is_none(), "{text}");
        }
    }
}
