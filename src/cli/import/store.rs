//! The store of `mcp-remote`: its folders, and what a sign-in in them holds. It is only read. No text of an error repeats
//! anything of a file.

use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::hash::{Generation, Seed};
use crate::auth::Foreign;
use crate::secret::Secret;
use crate::store::{Client, Tokens};

/// No file of a sign-in is longer.
const LONGEST: u64 = 1 << 20;

/// How the file that holds tokens ends; the rest of its name is the sign-in's.
const TOKENS: &str = "_tokens.json";

/// The tokens of one sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The folder.
    pub folder: PathBuf,
    /// What the names of its files begin with.
    pub prefix: String,
    /// The formula behind that.
    pub generation: Generation,
    /// When they were written, in seconds since 1970.
    pub at: u64,
}

/// All that was found.
#[derive(Debug, Default)]
pub struct Stores {
    /// The sign-ins, the newest first.
    pub kept: Vec<Kept>,
    /// What could not be read: why.
    pub wrongs: Vec<String>,
}

impl Stores {
    /// Looks through the folders at `bases`; one that is not there is none.
    pub fn scan<'a>(bases: impl IntoIterator<Item = &'a PathBuf>) -> Self {
        let mut stores = Self::default();
        for base in bases {
            stores.base(base);
        }
        stores
            .kept
            .sort_by_key(|kept| Reverse((kept.at, kept.generation)));
        stores
    }

    fn base(&mut self, base: &Path) {
        for (name, path) in self.entries(base) {
            // A link to a folder counts as one.
            if let Some(generation) = Generation::of_folder(&name).filter(|_| path.is_dir()) {
                self.folder(&path, generation);
            }
        }
    }

    fn folder(&mut self, folder: &Path, generation: Generation) {
        for (name, path) in self.entries(folder) {
            let Some(prefix) = name.strip_suffix(TOKENS) else {
                continue;
            };
            let written = fs::metadata(&path).and_then(|about| about.modified());
            match written {
                Ok(written) => self.kept.push(Kept {
                    folder: folder.to_owned(),
                    prefix: prefix.to_owned(),
                    generation,
                    at: seconds(written),
                }),
                Err(wrong) => self.wrongs.push(unreadable(&path, &wrong)),
            }
        }
    }

    fn entries(&mut self, folder: &Path) -> Vec<(String, PathBuf)> {
        let read = match fs::read_dir(folder) {
            Ok(read) => read,
            Err(wrong) if wrong.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
            Err(wrong) => {
                self.wrongs.push(unreadable(folder, &wrong));
                return Vec::new();
            }
        };
        let named = |entry: fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?;
            Some((name, entry.path()))
        };
        let mut entries: Vec<_> = read.flatten().filter_map(named).collect();
        entries.sort();
        entries
    }

    /// The sign-ins that any of these seeds stands for, the newest first.
    pub fn of<'a>(&'a self, seeds: &'a [Seed]) -> impl Iterator<Item = &'a Kept> {
        self.kept.iter().filter(|kept| {
            seeds
                .iter()
                .any(|seed| seed.prefixes(kept.generation).contains(&kept.prefix))
        })
    }
}

impl Kept {
    /// The file that holds the tokens.
    pub fn path(&self) -> PathBuf {
        self.file(TOKENS)
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}{ending}", self.prefix))
    }

    /// What it holds.
    ///
    /// # Errors
    /// A file cannot be read or is damaged: which, and why.
    pub fn read(&self) -> Result<Foreign, String> {
        let path = self.path();
        let tokens = object(&path)?.ok_or_else(|| format!("{} is gone", path.display()))?;
        let path = self.file("_client_info.json");
        let registered = object(&path)?;
        let client = match &registered {
            Some(registered) => Some(
                client(registered)
                    .ok_or_else(|| format!("{} is damaged: it has no client_id", path.display()))?,
            ),
            None => None,
        };
        let issuer = text(&tokens, "issuer")
            .or_else(|| text(registered.as_ref()?, "issuer"))
            .map(str::to_owned);
        let asked_scope = text(&tokens, "requested_scope").map(str::to_owned);
        let tokens = self.tokens(&tokens).ok_or_else(|| {
            format!(
                "{} is damaged: it has no token that we can send",
                self.path().display()
            )
        })?;
        Ok(Foreign {
            tokens,
            client,
            issuer,
            asked_scope,
        })
    }

    fn tokens(&self, read: &Value) -> Option<Tokens> {
        let secret = |name: &str| Some(Secret::new(text(read, name)?.to_owned()));
        let kind = text(read, "token_type").unwrap_or("Bearer");
        if !kind.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let mut tokens = Tokens::new(secret("access_token")?, "Bearer".to_owned(), self.at);
        tokens.refresh = secret("refresh_token");
        tokens.id_token = secret("id_token");
        tokens.scope = text(read, "scope").map(str::to_owned);
        // In milliseconds, where a version wrote it; else the file is as old as the token.
        let exact = number(read, "expires_at").map(|at| at / 1000);
        let reckoned = || Some(self.at.saturating_add(number(read, "expires_in")?));
        tokens.expires_at = exact.or_else(reckoned);
        Some(tokens)
    }
}

fn client(registered: &Value) -> Option<Client> {
    let mut client = Client::public(text(registered, "client_id")?.to_owned(), String::new());
    client.client_secret =
        text(registered, "client_secret").map(|text| Secret::new(text.to_owned()));
    // 0 stands for never.
    client.secret_expires_at = number(registered, "client_secret_expires_at").filter(|at| *at != 0);
    client.redirect_uri = registered
        .get("redirect_uris")
        .and_then(|uris| uris.get(0)?.as_str())
        .map(str::to_owned);
    // What is left out leaves the choice to whoever sends it.
    let method = text(registered, "token_endpoint_auth_method");
    method
        .unwrap_or_default()
        .clone_into(&mut client.auth_method);
    Some(client)
}

/// A member that is a text and not empty.
fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// A member that is a number; some servers write it as a text.
fn number(object: &Value, name: &str) -> Option<u64> {
    let value = object.get(name)?;
    let number = value
        .as_f64()
        .or_else(|| value.as_str()?.trim().parse().ok())?;
    // Saturates; what is below zero has long ended.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast of a float saturates, and parts of a second do not matter"
    )]
    let whole = number.max(0.0) as u64;
    Some(whole)
}

/// The object in a file; `None` when there is no file.
fn object(path: &Path) -> Result<Option<Value>, String> {
    match fs::metadata(path) {
        Ok(about) if about.len() > LONGEST => {
            return Err(format!("{} is too long for a sign-in", path.display()));
        }
        Err(wrong) if wrong.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        _ => {}
    }
    let bytes = fs::read(path).map_err(|wrong| unreadable(path, &wrong))?;
    let damaged = |place: String| format!("{} is damaged{place}", path.display());
    let value: Value = serde_json::from_slice(&bytes).map_err(|wrong| {
        damaged(format!(
            " at line {}, column {}",
            wrong.line(),
            wrong.column()
        ))
    })?;
    if value.is_object() {
        Ok(Some(value))
    } else {
        Err(damaged(": it is no JSON object".to_owned()))
    }
}

fn unreadable(path: &Path, wrong: &std::io::Error) -> String {
    format!("{} cannot be read: {wrong}", path.display())
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

#[cfg(test)]
mod tests;
