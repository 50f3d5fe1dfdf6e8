//! Secrets that were typed as arguments: they go into the environment of the entry, where no process list shows them.

use url::Url;

use crate::hosts::Host;
use crate::ui;

/// Arguments without secrets, and the environment that has them instead.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sheltered {
    /// The arguments.
    pub args: Vec<String>,
    /// The variables, by name.
    pub env: Vec<(String, String)>,
    /// Whether one of them is a secret, and not just a text with spaces.
    pub is_secret: bool,
}

/// Moves secrets out of `args`, which are those of the bridge, for an entry of that name.
///
/// A header becomes `Name:${VARIABLE}`, without a space since some hosts break arguments at them. Where the host replaces
/// `${VARIABLE}` itself, from an environment that does not have it, all headers go into `MCP_TETHER_HEADER`.
pub fn sheltered(host: &Host, name: &str, args: &[String]) -> Sheltered {
    let options = options(args);
    let whole = expands_itself(host)
        && options.iter().any(|option| {
            option.name == Some("--header") && header(option.value).is_some_and(moves)
        });
    let mut out = Sheltered::default();
    let mut headers: Vec<&str> = Vec::new();
    for option in options {
        match option.name {
            Some("--header") if whole => {
                out.is_secret |= header(option.value).is_some_and(is_secret);
                headers.push(option.value);
            }
            Some("--header") => match header(option.value).filter(|found| moves(*found)) {
                Some((header, value)) => {
                    out.is_secret |= is_secret((header, value));
                    let variable = out.free(&variable(name, header));
                    out.args.push("--header".to_owned());
                    out.args.push(format!("{header}:${{{variable}}}"));
                    out.env.push((variable, value.to_owned()));
                }
                None => out.args.extend(without_space(&option)),
            },
            Some("--static-oauth-client-info") if !option.value.starts_with('@') => {
                out.is_secret = true;
                out.set("MCP_TETHER_STATIC_OAUTH_CLIENT_INFO", option.value);
            }
            Some("--proxy") if has_password(option.value) => {
                out.is_secret = true;
                out.set("MCP_TETHER_PROXY", option.value);
            }
            _ => out.args.extend(option.words.iter().cloned()),
        }
    }
    if !headers.is_empty() {
        out.set("MCP_TETHER_HEADER", &headers.join("\n"));
    }
    out
}

/// Whether the host replaces `${NAME}` in arguments before our program sees them.
pub fn expands_itself(host: &Host) -> bool {
    host.expands
        .iter()
        .any(|begin| matches!(*begin, "${" | "$"))
}

/// The variables that arguments name as `${NAME}`, and what hosts have in their place.
pub fn variables(args: &[String]) -> Vec<&str> {
    let mut found = Vec::new();
    for arg in args {
        let parts = arg.split("${").skip(1);
        found.extend(
            parts
                .filter_map(|part| part.split_once('}'))
                .map(|(name, _)| name),
        );
    }
    found.sort_unstable();
    found.dedup();
    found
}

impl Sheltered {
    fn set(&mut self, name: &str, value: &str) {
        // The last one counts, as it does among flags.
        self.env.retain(|(key, _)| key != name);
        self.env.push((name.to_owned(), value.to_owned()));
    }

    fn free(&self, name: &str) -> String {
        let mut name = name.to_owned();
        while self.env.iter().any(|(key, _)| *key == name) {
            name.push_str("_2");
        }
        name
    }
}

/// An option with its value, or a word that is none.
struct Given<'a> {
    name: Option<&'a str>,
    value: &'a str,
    words: &'a [String],
}

/// The options that this module has to do with take a value each; of others it does not matter.
fn options(args: &[String]) -> Vec<Given<'_>> {
    let mut options = Vec::new();
    let mut rest = args;
    while let Some((first, after)) = rest.split_first() {
        let taken = match (first.split_once('='), after.first()) {
            (Some((name, value)), _) if name.starts_with("--") => (Some(name), value, 1),
            (_, Some(value)) if takes_value(first) => (Some(first.as_str()), value.as_str(), 2),
            _ => (None, "", 1),
        };
        let (words, after) = rest.split_at_checked(taken.2).unwrap_or((rest, &[]));
        options.push(Given {
            name: taken.0,
            value: taken.1,
            words,
        });
        rest = after;
    }
    options
}

fn takes_value(word: &str) -> bool {
    matches!(word, "--header" | "--static-oauth-client-info" | "--proxy")
}

fn header(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once(':')?;
    Some((name.trim(), value.trim()))
}

/// A header as it was typed, but without the space after its colon if it has no other.
fn without_space(option: &Given<'_>) -> Vec<String> {
    match header(option.value) {
        Some((name, value)) if !value.contains(char::is_whitespace) => {
            vec!["--header".to_owned(), format!("{name}:{value}")]
        }
        _ => option.words.to_vec(),
    }
}

/// Whether it says a secret, or something that a host may break at its spaces. A variable is neither.
fn moves(header: (&str, &str)) -> bool {
    is_secret(header) || (header.1.contains(char::is_whitespace) && !header.1.contains("${"))
}

fn is_secret((name, value): (&str, &str)) -> bool {
    let lower = value.to_ascii_lowercase();
    let is_scheme = lower.starts_with("bearer ") || lower.starts_with("basic ");
    let secret = is_scheme || ui::names_secret(name) || ui::redacted(value) != value;
    !value.contains("${") && !value.is_empty() && secret
}

fn has_password(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| url.password().is_some())
}

fn variable(name: &str, header: &str) -> String {
    let joined = format!("{name}_{header}").to_ascii_uppercase();
    let known = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let variable: String = joined.chars().map(known).collect();
    match variable.chars().next() {
        Some(first) if first.is_ascii_digit() => format!("_{variable}"),
        _ => variable,
    }
}

#[cfg(test)]
mod tests {
    use super::{Sheltered, sheltered, variables};
    use crate::hosts::by_id;

    fn of(host: &str, args: &[&str]) -> (Vec<String>, Vec<(String, String)>) {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let Sheltered { args, env, .. } = sheltered(by_id(host).unwrap(), "my-linear", &args);
        (args, env)
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn a_secret_in_a_header_goes_into_the_environment() {
        for header in [
            &["--header", "Authorization: Bearer x"][..],
            &["--header=Authorization:Bearer x"],
        ] {
            let (args, env) = of("cursor", &[&["https://a"], header, &["--silent"]].concat());
            assert_eq!(
                args,
                [
                    "https://a",
                    "--header",
                    "Authorization:${MY_LINEAR_AUTHORIZATION}",
                    "--silent"
                ]
            );
            assert_eq!(env, [pair("MY_LINEAR_AUTHORIZATION", "Bearer x")]);
        }
        let (_, env) = of("cursor", &["--header", "X-T: Bearer abcdefghijkl"]);
        assert_eq!(env, [pair("MY_LINEAR_X_T", "Bearer abcdefghijkl")]);
        let (_, env) = of(
            "cursor",
            &["--header", "X-Api-Key: 1", "--header", "X-Api-Key: 2"],
        );
        assert_eq!(
            env,
            [
                pair("MY_LINEAR_X_API_KEY", "1"),
                pair("MY_LINEAR_X_API_KEY_2", "2")
            ]
        );
    }

    #[test]
    fn what_is_no_secret_stays_as_it_was_typed() {
        let all = [
            "https://a",
            "--header",
            "X-Team:a",
            "--header",
            "Authorization: Bearer ${T}",
            "--proxy",
            "http://p:1",
        ];
        let (args, env) = of("cursor", &all);
        assert_eq!(args, all);
        assert_eq!(env, []);
        let (args, env) = of("claude-code", &all);
        assert_eq!(args, all);
        assert_eq!(env, []);
    }

    #[test]
    fn a_host_that_replaces_variables_itself_gets_no_variable_in_arguments() {
        let (args, env) = of(
            "claude-code",
            &[
                "https://a",
                "--header",
                "X-Team:a",
                "--header",
                "Authorization: Bearer x",
            ],
        );
        assert_eq!(args, ["https://a"]);
        assert_eq!(
            env,
            [pair(
                "MCP_TETHER_HEADER",
                "X-Team:a\nAuthorization: Bearer x"
            )]
        );
    }

    #[test]
    fn other_secrets_go_into_the_variables_of_their_options() {
        let (args, env) = of(
            "zed",
            &[
                "https://a",
                "--static-oauth-client-info",
                "{\"client_secret\":\"s\"}",
                "--proxy=http://u:p@h:1",
                "--static-oauth-client-info",
                "@/x",
            ],
        );
        assert_eq!(args, ["https://a", "--static-oauth-client-info", "@/x"]);
        let info = pair(
            "MCP_TETHER_STATIC_OAUTH_CLIENT_INFO",
            "{\"client_secret\":\"s\"}",
        );
        assert_eq!(env, [info, pair("MCP_TETHER_PROXY", "http://u:p@h:1")]);
    }

    #[test]
    fn variables_are_found_wherever_they_stand() {
        let args = [
            "a ${B} ${C}".to_owned(),
            "${B}".to_owned(),
            "${input:d}".to_owned(),
            "${".to_owned(),
        ];
        assert_eq!(variables(&args), ["B", "C", "input:d"]);
    }
}
