//! What a report shows of options, variables and lines of the log: values of what is known to be harmless, and of the rest that
//! it is there.

use url::Url;

use crate::cli::connection::Env;
use crate::net::guard;
use crate::ui;

/// Shorter values would take harmless words out with them.
pub const SHORTEST_SECRET: usize = 4;

/// Options whose values say nothing of anybody.
const HARMLESS: [&str; 33] = [
    "allow-http",
    "auth",
    "auth-timeout",
    "body-timeout",
    "callback-path",
    "callback-port",
    "client-id",
    "color",
    "connect-timeout",
    "grace",
    "headers-timeout",
    "host",
    "idp-client-id",
    "ignore-tool",
    "initialize-wait",
    "json",
    "keep-alive",
    "log-format",
    "max-message-size",
    "only-tool",
    "ping-interval",
    "profile",
    "protocol",
    "provider",
    "read-only",
    "request-timeout",
    "scope",
    "sign-in",
    "signing-algorithm",
    "silent",
    "store",
    "transport",
    "debug",
];

/// Options whose values are URLs.
const URLS: [&str; 7] = [
    "auth-success-url",
    "client-metadata-url",
    "idp-issuer",
    "proxy",
    "resource",
    "server",
    "token-endpoint",
];

/// Options whose values are paths.
const FILES: [&str; 12] = [
    "ca-file",
    "client-cert",
    "client-key",
    "client-secret-file",
    "config",
    "header-file",
    "idp-client-secret-file",
    "idp-id-token-file",
    "log-file",
    "private-key-file",
    "report",
    "workload-token-file",
];

/// Variables that matter beside our own, and whether their values are harmless.
pub const VARIABLES: [(&str, Kind); 27] = [
    ("ALL_PROXY", Kind::Url),
    ("AUTO_PROXY", Kind::Url),
    ("BROWSER", Kind::Secret),
    ("CI", Kind::Plain),
    ("CONTAINER", Kind::Plain),
    ("DBUS_SESSION_BUS_ADDRESS", Kind::Secret),
    ("DISPLAY", Kind::Plain),
    ("HTTPS_PROXY", Kind::Url),
    ("HTTP_PROXY", Kind::Url),
    ("LANG", Kind::Plain),
    ("MCP_TETHER_CONFIG", Kind::Secret),
    ("MCP_TETHER_HOME", Kind::Secret),
    ("NO_COLOR", Kind::Plain),
    ("NO_PROXY", Kind::Secret),
    ("SSH_CONNECTION", Kind::Secret),
    ("SSL_CERT_DIR", Kind::Secret),
    ("SSL_CERT_FILE", Kind::Secret),
    ("TERM", Kind::Plain),
    ("WAYLAND_DISPLAY", Kind::Plain),
    ("WSL_DISTRO_NAME", Kind::Plain),
    ("XDG_CURRENT_DESKTOP", Kind::Plain),
    ("XDG_SESSION_TYPE", Kind::Plain),
    ("all_proxy", Kind::Url),
    ("auto_proxy", Kind::Url),
    ("http_proxy", Kind::Url),
    ("https_proxy", Kind::Url),
    ("no_proxy", Kind::Secret),
];

/// What a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Plain,
    Url,
    Secret,
}

/// What stands in place of a value.
pub const REDACTED: &str = "(redacted)";

/// What is shown of an option's value.
pub fn option(name: &str, value: &str, env: &Env<'_>) -> String {
    if HARMLESS.contains(&name) {
        return value.to_owned();
    }
    if URLS.contains(&name) {
        return url(value);
    }
    if FILES.contains(&name) {
        return without_home(value, env);
    }
    match name {
        "header" => format!("{}: (redacted)", before(value, ':')),
        "authorize-param" => format!("{}=(redacted)", before(value, '=')),
        _ if matches!(value, "true" | "false") => value.to_owned(),
        _ => REDACTED.to_owned(),
    }
}

/// The name in front of a value; nothing where there is no name.
fn before(value: &str, mark: char) -> &str {
    value
        .split_once(mark)
        .map_or(REDACTED, |(name, _)| name.trim())
}

/// A URL of a kind that is known; of others nothing is shown.
pub fn url(text: &str) -> String {
    let known = [
        "http", "https", "ws", "wss", "socks4", "socks4a", "socks5", "socks5h",
    ];
    match Url::parse(text.trim()) {
        Ok(url) if known.contains(&url.scheme()) && url.has_host() => guard::shown(&url),
        _ => REDACTED.to_owned(),
    }
}

/// A path in the home folder does not name its owner.
pub fn without_home(text: &str, env: &Env<'_>) -> String {
    let home = env("HOME").or_else(|| env("USERPROFILE"));
    match home.filter(|home| home.len() >= SHORTEST_SECRET) {
        Some(home) => text.replace(&home, "~"),
        None => text.to_owned(),
    }
}

/// A line of the log, from which credentials are taken out once more.
pub fn line(line: &str) -> String {
    queries_out(&ui::redacted(line))
}

/// The same without what stands behind the question marks of URLs.
fn queries_out(line: &str) -> String {
    let words = line
        .split(' ')
        .map(|word| match (word.contains("://"), word.split_once('?')) {
            (true, Some((address, _))) => format!("{address}?(redacted)"),
            _ => word.to_owned(),
        });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{HARMLESS, option, queries_out, url};

    #[test]
    fn shows_values_of_harmless_options_only() {
        let env = |name: &str| (name == "HOME").then(|| "/home/somebody".to_owned());
        let table = [
            ("transport", "sse-only", "sse-only"),
            ("header", "X-Api-Key: s3cret", "X-Api-Key: (redacted)"),
            ("header", "s3cret", "(redacted): (redacted)"),
            ("header-command", "echo s3cret", "(redacted)"),
            (
                "proxy",
                "http://user:s3cret@proxy:3128",
                "http://proxy:3128/",
            ),
            ("proxy", "user:s3cret@proxy:3128", "(redacted)"),
            ("server", "https://h/mcp?key=s3cret", "https://h/mcp?key=.."),
            ("ca-file", "/home/somebody/ca.pem", "~/ca.pem"),
            (
                "static-oauth-client-info",
                r#"{"client_secret":"s3cret"}"#,
                "(redacted)",
            ),
            ("something-new", "s3cret", "(redacted)"),
            ("insecure", "true", "true"),
        ];
        for (name, value, shown) in table {
            assert_eq!(option(name, value, &env), shown, "{name}");
        }
        assert_eq!(url("s3cret"), "(redacted)");
    }

    #[test]
    fn options_that_are_known_exist() {
        let command = crate::cli::args::command();
        for name in HARMLESS.iter().chain(&super::URLS).chain(&super::FILES) {
            let positional = ["server", "callback-port"].contains(name);
            let of_command = ["json", "report"].contains(name);
            let known = command
                .get_arguments()
                .any(|arg| arg.get_long() == Some(*name));
            assert!(known || positional || of_command, "{name}");
        }
    }

    #[test]
    fn addresses_in_the_log_lose_their_queries() {
        assert_eq!(
            queries_out("debug: http url=https://h/a?k=v&x=y status=200"),
            "debug: http url=https://h/a?(redacted) status=200"
        );
    }
}
