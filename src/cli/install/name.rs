//! The name of an entry that was not named: from the server's address.

use url::Url;

/// What stands before the country in addresses of some countries.
const SECOND_LEVEL: [&str; 7] = ["ac", "co", "com", "edu", "gov", "net", "org"];

/// The name, for a URL or a name of the config file.
pub fn default(server: &str) -> String {
    let Ok(url) = Url::parse(server) else {
        return clean(server);
    };
    let Some(url::Host::Domain(host)) = url.host() else {
        return clean(url.host_str().unwrap_or_default());
    };
    let labels: Vec<&str> = host.trim_end_matches('.').split('.').collect();
    let own = match labels.as_slice() {
        [.., own, second, country] if country.len() == 2 && SECOND_LEVEL.contains(second) => own,
        [.., own, _] => own,
        _ => host,
    };
    clean(own)
}

fn clean(text: &str) -> String {
    let known = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let name: String = text.chars().map(known).collect();
    let name = name.trim_matches('-');
    if name.is_empty() {
        "server".to_owned()
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::default;

    #[test]
    fn a_name_is_the_part_of_the_address_that_people_say() {
        let table = [
            ("https://mcp.linear.app/mcp", "linear"),
            ("https://api.githubcopilot.com/mcp/", "githubcopilot"),
            ("https://mcp.notion.com:8443/mcp", "notion"),
            ("https://mcp.example.co.uk/mcp", "example"),
            ("https://example.com./mcp", "example"),
            ("http://localhost:3000/mcp", "localhost"),
            ("http://127.0.0.1:3000/mcp", "127-0-0-1"),
            ("http://[::1]:3000/mcp", "1"),
            ("wss://ws.a-b.io", "a-b"),
            ("My_Server", "my-server"),
        ];
        for (server, wanted) in table {
            assert_eq!(default(server), wanted, "{server}");
        }
    }
}
