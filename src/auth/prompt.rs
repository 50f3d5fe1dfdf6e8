//! Where the user is sent to sign in: an address, and the code to enter there where the sign-in has one (RFC 8628 §3.3).

use std::fmt;

use super::browser::{SafeUrl, Unsafe};
use crate::store::Notice;

/// The longest code that a user is asked to enter, in characters.
const LONGEST: usize = 32;

/// What the user is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    url: SafeUrl,
    code: Option<Code>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Code {
    text: String,
    /// The address with the code in it.
    filled_in: Option<SafeUrl>,
}

/// Why the user cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// The address must not be opened.
    Address(Unsafe),
    /// The code is none that a person can enter.
    Code,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(wrong) => wrong.fmt(f),
            Self::Code => f.write_str("the code to sign in with is none that a person can enter"),
        }
    }
}

impl From<SafeUrl> for Prompt {
    fn from(url: SafeUrl) -> Self {
        Self { url, code: None }
    }
}

impl Prompt {
    /// An address where `code` is to be entered; `filled_in` is the same with the code in it, and left out where it is not to be
    /// opened.
    ///
    /// # Errors
    /// The server chose something that must be neither opened nor shown: a terminal and a model read it.
    pub fn with_code(url: &str, code: &str, filled_in: Option<&str>) -> Result<Self, Unusable> {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
        let code = code.trim();
        if code.is_empty() || code.chars().count() > LONGEST || !code.chars().all(plain) {
            return Err(Unusable::Code);
        }
        Ok(Self {
            url: SafeUrl::new(url).map_err(Unusable::Address)?,
            code: Some(Code {
                text: code.to_owned(),
                filled_in: filled_in.and_then(|url| SafeUrl::new(url).ok()),
            }),
        })
    }

    /// The address as somebody types it.
    pub const fn url(&self) -> &SafeUrl {
        &self.url
    }

    /// The code to enter there.
    pub fn code(&self) -> Option<&str> {
        self.code.as_ref().map(|code| code.text.as_str())
    }

    /// The address for those who need not type it: it has the code in it where the server gives such a one.
    pub fn link(&self) -> &SafeUrl {
        let filled_in = self.code.as_ref().and_then(|code| code.filled_in.as_ref());
        filled_in.unwrap_or(&self.url)
    }

    /// What the user has to do, to be read after a verb: `open ... in a browser`.
    pub fn task(&self) -> String {
        let opened = format!("open {} in a browser", self.link());
        match &self.code {
            None => opened,
            Some(code) if code.filled_in.is_some() => {
                format!("{opened} and check that it shows the code {}", code.text)
            }
            Some(code) => format!("{opened} and enter the code {}", code.text),
        }
    }

    /// For the other processes.
    pub(super) fn notice(&self) -> Notice {
        let filled_in = self.code.as_ref().and_then(|code| code.filled_in.as_ref());
        Notice::Open {
            url: self.url.as_str().to_owned(),
            code: self.code().map(str::to_owned),
            link: filled_in.map(|url| url.as_str().to_owned()),
        }
    }

    /// What another process tells.
    pub(super) fn of_notice(notice: &Notice) -> Option<Self> {
        let Notice::Open { url, code, link } = notice else {
            return None;
        };
        match code {
            Some(code) => Self::with_code(url, code, link.as_deref()).ok(),
            None => SafeUrl::new(url).ok().map(Self::from),
        }
    }
}

impl fmt::Display for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)?;
        if let Some(code) = &self.code {
            write!(f, " with the code {}", code.text)?;
            if let Some(filled_in) = &code.filled_in {
                write!(f, ", or at {filled_in}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Prompt, Unusable};
    use crate::auth::browser::SafeUrl;

    const URL: &str = "https://as.example/device";

    #[test]
    fn the_user_is_told_all_that_it_takes() {
        let page = Prompt::from(SafeUrl::new(URL).unwrap());
        assert_eq!(page.to_string(), URL);
        assert_eq!(page.task(), format!("open {URL} in a browser"));
        let typed = Prompt::with_code(URL, "WDJB-MJHT", None).unwrap();
        assert_eq!(typed.to_string(), format!("{URL} with the code WDJB-MJHT"));
        assert!(typed.task().ends_with("and enter the code WDJB-MJHT"));
        let link = format!("{URL}?user_code=WDJB-MJHT");
        let filled_in = Prompt::with_code(URL, " WDJB-MJHT ", Some(&link)).unwrap();
        assert_eq!(
            filled_in.to_string(),
            format!("{URL} with the code WDJB-MJHT, or at {link}")
        );
        assert_eq!(
            (filled_in.url().as_str(), filled_in.link().as_str()),
            (URL, link.as_str())
        );
        for prompt in [page, typed, filled_in] {
            assert_eq!(Prompt::of_notice(&prompt.notice()), Some(prompt));
        }
    }

    #[test]
    fn nothing_is_shown_that_a_terminal_or_a_model_would_obey() {
        let long = "A".repeat(33);
        for code in [
            "",
            " ",
            "A\u{1b}[31m",
            "A\nB",
            "open <b>",
            &long,
            "\u{202e}AB",
            "a/b?c",
        ] {
            let told = Prompt::with_code(URL, code, None);
            assert_eq!(told, Err(Unusable::Code), "{code:?}");
        }
        for url in [
            "javascript:alert(1)",
            "http://as.example/device",
            "file:///x",
            "no",
        ] {
            let told = Prompt::with_code(url, "A", None);
            assert!(matches!(told, Err(Unusable::Address(_))), "{url}");
            let link = Prompt::with_code(URL, "A", Some(url)).unwrap();
            assert_eq!(link.link().as_str(), URL);
        }
    }
}
