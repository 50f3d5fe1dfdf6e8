//! The options of `mcp-remote` 0.15.1; earlier versions have some of them.

/// What an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Switch,
    /// A value, of which the first counts.
    One,
    /// Any number of values.
    Many,
}

const SWITCHES: [&str; 11] = [
    "allow-http",
    "client-credentials",
    "debug",
    "device-code",
    "disable-cookies",
    "disable-resource-parameter",
    "enable-proxy",
    "ipv4",
    "keep-alive",
    "silent",
    "use-id-token",
];

const VALUES: [&str; 15] = [
    "auth-success-url",
    "auth-timeout",
    "body-timeout",
    "callback-path",
    "client-metadata-url",
    "connect-timeout",
    "headers-timeout",
    "host",
    "ping-interval",
    "protocol",
    "resource",
    "static-oauth-client-info",
    "static-oauth-client-metadata",
    "token-endpoint",
    "transport",
];

const LISTS: [&str; 4] = ["authorize-param", "header", "header-file", "ignore-tool"];

/// What the option of that name takes; `None` for one that it does not have.
pub fn kind(name: &str) -> Option<Kind> {
    let tables: [(&[&str], Kind); 3] = [
        (&SWITCHES, Kind::Switch),
        (&VALUES, Kind::One),
        (&LISTS, Kind::Many),
    ];
    let found = tables.iter().find(|(names, _)| names.contains(&name));
    found.map(|(_, kind)| *kind)
}
