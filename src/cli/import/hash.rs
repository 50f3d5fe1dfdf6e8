//! The names of files in the store of `mcp-remote`: a digest of what its user typed. Its formula changed twice, and each
//! folder of the store was written by one of them.

use md5::{Digest, Md5};

/// Which formula a folder was written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Generation {
    /// Up to 0.1.29: the URL alone.
    Url,
    /// 0.1.30 and later: the resource and the headers as well.
    Headers,
    /// Folders that all later versions share: at first as the one before, then with all that tells sign-ins apart.
    Shared,
}

impl Generation {
    /// The generation of a folder `mcp-remote-<version>`; `None` for other names.
    pub fn of_folder(name: &str) -> Option<Self> {
        let version = name.strip_prefix("mcp-remote-")?;
        if version.starts_with('v') {
            return Some(Self::Shared);
        }
        // A pre-release counts as what it leads to.
        let release = version.split('-').next().unwrap_or_default();
        let parts: Option<Vec<u32>> = release.split('.').map(|part| part.parse().ok()).collect();
        let parts = parts.filter(|parts| parts.len() == 3)?;
        Some(if parts.as_slice() < [0, 1, 30].as_slice() {
            Self::Url
        } else {
            Self::Headers
        })
    }
}

/// What goes into the digest, as it was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seed {
    /// The server's URL.
    pub url: String,
    /// `--resource`, unless that is switched off.
    pub resource: Option<String>,
    /// `--authorize-param`, of two with one name the later.
    pub parameters: Vec<(String, String)>,
    /// `--header` and the lines of `--header-file`, before variables are replaced; of two with one name the later.
    pub headers: Vec<(String, String)>,
    /// `--client-metadata-url`.
    pub metadata_url: Option<String>,
    /// `--token-endpoint`, as a URL is written.
    pub token_endpoint: Option<String>,
}

impl Seed {
    /// The prefixes of this sign-in's files in a folder of that generation, the likeliest first.
    pub fn prefixes(&self, generation: Generation) -> Vec<String> {
        let headers = || {
            digest(&[
                Some(&self.url),
                self.resource.as_ref(),
                json(&self.headers).as_ref(),
            ])
        };
        match generation {
            Generation::Url => vec![digest(&[Some(&self.url)])],
            Generation::Headers => vec![headers()],
            Generation::Shared => {
                let (whole, headers) = (self.whole(), headers());
                if whole == headers {
                    vec![whole]
                } else {
                    vec![whole, headers]
                }
            }
        }
    }

    fn whole(&self) -> String {
        digest(&[
            Some(&self.url),
            self.resource.as_ref(),
            json(&self.parameters).as_ref(),
            json(&self.headers).as_ref(),
            self.metadata_url.as_ref(),
            self.token_endpoint.as_ref(),
        ])
    }

    /// The port that `mcp-remote` lets the browser come back to where none was given.
    pub fn port(&self) -> u16 {
        let prefix = self.whole();
        let number = prefix
            .get(..4)
            .and_then(|digits| u16::from_str_radix(digits, 16).ok());
        // At most 49150.
        3335 + number.unwrap_or_default() % 45816
    }

    /// The same with what `change` makes of each text, as hosts that replace variables do.
    pub fn map(&self, change: impl Fn(&str) -> String) -> Self {
        let pairs = |pairs: &[(String, String)]| {
            let changed = pairs
                .iter()
                .map(|(name, value)| (name.clone(), change(value)));
            changed.collect()
        };
        Self {
            url: change(&self.url),
            resource: self.resource.as_deref().map(&change),
            parameters: pairs(&self.parameters),
            headers: pairs(&self.headers),
            metadata_url: self.metadata_url.as_deref().map(&change),
            token_endpoint: self.token_endpoint.as_deref().map(&change),
        }
    }
}

/// MD5 of the parts that there are, with a bar between them, in lower-case hexadecimal digits.
fn digest(parts: &[Option<&String>]) -> String {
    let parts: Vec<&str> = parts.iter().flatten().map(|part| part.as_str()).collect();
    crate::store::hex(&Md5::digest(parts.join("|").as_bytes()))
}

/// An object as JavaScript writes it, its names in JavaScript's order; `None` for none.
fn json(pairs: &[(String, String)]) -> Option<String> {
    let mut sorted: Vec<&(String, String)> = Vec::new();
    for pair in pairs {
        sorted.retain(|(name, _)| *name != pair.0);
        sorted.push(pair);
    }
    sorted.sort_by_key(|(name, _)| name.encode_utf16().collect::<Vec<_>>());
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let members: Vec<String> = sorted
        .iter()
        .map(|(name, value)| format!("{}:{}", text(name), text(value)))
        .collect();
    (!members.is_empty()).then(|| format!("{{{}}}", members.join(",")))
}

#[cfg(test)]
mod tests;
