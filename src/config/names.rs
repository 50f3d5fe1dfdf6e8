//! The names in `config.toml`, for a shell that completes them.

use toml::de::{DeTable, DeValue};

/// The servers of the config file and their URLs. What is wrong with the file is told when it is used, not here.
pub fn names(text: &str) -> Vec<(String, Option<String>)> {
    let Ok(file) = DeTable::parse(text) else {
        return Vec::new();
    };
    let Some(DeValue::Table(servers)) = file.get_ref().get("servers").map(toml::Spanned::get_ref)
    else {
        return Vec::new();
    };
    let named = servers.iter().map(|(name, server)| {
        let url = match server.get_ref().get("url").map(toml::Spanned::get_ref) {
            Some(DeValue::String(url)) => Some(url.to_string()),
            _ => None,
        };
        (name.get_ref().to_string(), url)
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn servers_are_listed_and_mistakes_are_nobodys_business() {
        let text = "[defaults]\ngrace = 1\n[servers.b]\nurl = \"https://b\"\n[servers.\"a c\"]\n";
        let mut found = names(text);
        found.sort();
        let wanted = [
            ("a c".to_owned(), None),
            ("b".to_owned(), Some("https://b".to_owned())),
        ];
        assert_eq!(found, wanted);
        for text in ["", "servers = 1", "[servers]\na = 1", "not toml"] {
            assert!(names(text).iter().all(|(_, url)| url.is_none()), "{text}");
        }
    }
}
