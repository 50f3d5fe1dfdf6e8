//! Which tools the client may see and call. Hidden ones are cut out of `tools/list` and refused in `tools/call`; the ones
//! that stay keep every byte.

use std::sync::{Mutex, MutexGuard, PoisonError};

use wildmatch::WildMatch;

use super::listed::Listed;
use crate::jsonrpc::{Kind, Message};
use crate::tools;

/// Whether tools that may change something are offered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Access {
    /// All of them.
    #[default]
    Full,
    /// Only tools annotated `readOnlyHint: true` (`--read-only`).
    ReadOnly,
}

/// What the user hides.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Names to hide; `*` stands for anything, upper and lower case are the same.
    pub ignore: Vec<String>,
    /// If not empty, the only names to show.
    pub only: Vec<String>,
    /// Whether tools that may change something are offered.
    pub access: Access,
}

/// What may be done with a tool.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may be called.
    Allowed,
    /// It is hidden.
    Hidden,
    /// It must be listed first.
    Unlisted,
}

/// The filter, and what it has learned of the tools.
#[doc(hidden)]
#[derive(Debug)]
pub struct Filter {
    ignore: Vec<WildMatch>,
    only: Vec<WildMatch>,
    access: Access,
    /// Whether a tool only reads, by name.
    listed: Mutex<Listed<bool>>,
}

impl Filter {
    /// A filter that has learned nothing yet.
    pub fn new(options: &Options) -> Self {
        let globs = |texts: &[String]| {
            texts
                .iter()
                .map(|text| WildMatch::new_case_insensitive(text))
                .collect()
        };
        Self {
            ignore: globs(&options.ignore),
            only: globs(&options.only),
            access: options.access,
            listed: Mutex::default(),
        }
    }

    fn listed(&self) -> MutexGuard<'_, Listed<bool>> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether every tool may be seen and called.
    pub fn hides_nothing(&self) -> bool {
        self.ignore.is_empty() && self.only.is_empty() && self.access == Access::Full
    }

    fn hides_name(&self, name: &str) -> bool {
        self.ignore.iter().any(|glob| glob.matches(name))
            || (!self.only.is_empty() && !self.only.iter().any(|glob| glob.matches(name)))
    }

    /// The answer to `tools/list` without the tools that are hidden.
    pub fn page(&self, answer: Message) -> Message {
        if self.hides_nothing() {
            return answer;
        }
        let Some((result, page)) = answer
            .payload()
            .and_then(|result| Some((result, tools::page(result)?)))
        else {
            // A list that cannot be read, or has two, cannot be filtered either.
            return match answer.kind() {
                Kind::Result => answer.with_payload(br#"{"tools":[]}"#),
                _ => answer,
            };
        };
        let mut kept = Vec::new();
        {
            let mut listed = self.listed();
            for tool in &page.tools {
                // Whatever cannot be judged is hidden.
                let Some(name) = &tool.name else { continue };
                listed.insert(name, tool.read_only, 0);
                let hidden =
                    self.hides_name(name) || (self.access == Access::ReadOnly && !tool.read_only);
                if !hidden {
                    kept.push(tool.raw);
                }
            }
        }
        if kept.len() == page.tools.len() {
            return answer;
        }
        answer.with_payload(page.with_only(result, &kept).as_bytes())
    }

    /// What may be done with the tool `name`.
    pub fn judge(&self, name: &str) -> Verdict {
        if self.hides_name(name) {
            return Verdict::Hidden;
        }
        if self.access == Access::Full {
            return Verdict::Allowed;
        }
        match self.listed().get(name) {
            Some(true) => Verdict::Allowed,
            Some(false) => Verdict::Hidden,
            None => Verdict::Unlisted,
        }
    }

    /// The server's tools changed: what was learned no longer counts.
    pub fn forget(&self) {
        self.listed().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, Filter, Options, Verdict};
    use crate::jsonrpc::Message;

    const PAGE: &str = r#"{"id":1,"result":{"tools":[{"name":"get_a","x":1.0},{"name":"Delete_b","annotations":{"readOnlyHint":false}},{"name":"get_c","annotations":{"readOnlyHint":true}}],"z":1}}"#;

    fn page(options: &Options) -> String {
        let page = Filter::new(options).page(Message::parse(PAGE.into()).unwrap());
        String::from_utf8(page.line().to_vec()).unwrap()
    }

    #[test]
    fn hidden_tools_are_cut_out_and_the_rest_keeps_its_bytes() {
        assert_eq!(page(&Options::default()), PAGE);
        let ignore = Options {
            ignore: vec!["delete*".into()],
            ..Options::default()
        };
        assert_eq!(
            page(&ignore),
            r#"{"id":1,"result":{"tools":[{"name":"get_a","x":1.0},{"name":"get_c","annotations":{"readOnlyHint":true}}],"z":1}}"#
        );
        let only = Options {
            only: vec!["get_a".into()],
            ..Options::default()
        };
        assert_eq!(
            page(&only),
            r#"{"id":1,"result":{"tools":[{"name":"get_a","x":1.0}],"z":1}}"#
        );
        let read = Options {
            access: Access::ReadOnly,
            ..Options::default()
        };
        assert_eq!(
            page(&read),
            r#"{"id":1,"result":{"tools":[{"name":"get_c","annotations":{"readOnlyHint":true}}],"z":1}}"#
        );
        let none = Options {
            only: vec!["x".into()],
            ..Options::default()
        };
        assert_eq!(page(&none), r#"{"id":1,"result":{"tools":[],"z":1}}"#);
    }

    #[test]
    fn a_list_that_cannot_be_read_shows_nothing() {
        let filter = Filter::new(&Options {
            only: vec!["x".into()],
            ..Options::default()
        });
        let page = |answer: &'static str| filter.page(Message::parse(answer.into()).unwrap());
        for result in [
            r#"{"tools":[{"name":"x"}],"tools":[{"name":"evil"}]}"#,
            r#"{"tools":{"0":{"name":"evil"}}}"#,
            r#"[[{"name":"evil"}],null]"#,
        ] {
            let answer = format!(r#"{{"id":1,"result":{result}}}"#).leak();
            assert_eq!(page(answer).payload(), Some(r#"{"tools":[]}"#), "{result}");
        }
        let error = r#"{"id":1,"error":{"code":-32601,"message":"no"}}"#;
        assert_eq!(page(error).line(), error.as_bytes());
    }

    #[test]
    fn calls_are_judged_by_name_and_by_what_was_listed() {
        let filter = Filter::new(&Options {
            ignore: vec!["*secret*".into()],
            access: Access::ReadOnly,
            ..Options::default()
        });
        assert_eq!(filter.judge("my_SECRET_tool"), Verdict::Hidden);
        assert_eq!(filter.judge("get_c"), Verdict::Unlisted);
        filter.page(Message::parse(PAGE.into()).unwrap());
        assert_eq!(filter.judge("get_c"), Verdict::Allowed);
        assert_eq!(filter.judge("get_a"), Verdict::Hidden);
        filter.forget();
        assert_eq!(filter.judge("get_c"), Verdict::Unlisted);
    }
}
