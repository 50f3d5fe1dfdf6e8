//! Where files are: the platform's folders, or all of it under `MCP_TETHER_HOME`.

use std::path::PathBuf;

use directories::ProjectDirs;

/// The folders of this user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// `config.toml`.
    pub config: PathBuf,
    /// What is remembered between runs, locks, logs.
    pub state: PathBuf,
    /// Sign-ins in files, where no keyring keeps them.
    pub credentials: PathBuf,
}

impl Paths {
    /// Finds the folders; `None` when the user has no home and `MCP_TETHER_HOME` is not set.
    pub fn find(env: impl Fn(&str) -> Option<String>) -> Option<Self> {
        if let Some(home) = env("MCP_TETHER_HOME").filter(|home| !home.is_empty()) {
            let home = PathBuf::from(home);
            return Some(Self {
                config: home.join("config.toml"),
                state: home.join("state"),
                credentials: home.join("credentials"),
            });
        }
        let folders = ProjectDirs::from("", "", "mcp-tether")?;
        // Only Linux has a folder for state.
        let state = folders
            .state_dir()
            .unwrap_or_else(|| folders.data_local_dir());
        Some(Self {
            config: folders.config_dir().join("config.toml"),
            state: state.to_owned(),
            credentials: folders.data_local_dir().join("credentials"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Paths;
    use std::path::Path;

    #[test]
    fn all_of_it_is_under_the_folder_that_was_named() {
        let env = |name: &str| (name == "MCP_TETHER_HOME").then(|| "home".to_owned());
        let home = Path::new("home");
        let wanted = Paths {
            config: home.join("config.toml"),
            state: home.join("state"),
            credentials: home.join("credentials"),
        };
        assert_eq!(Paths::find(env), Some(wanted));
    }

    #[test]
    fn sign_ins_are_apart_from_what_may_be_deleted() {
        // A user without a home has no folders.
        let Some(paths) = Paths::find(|_| None) else {
            return;
        };
        assert!(paths.credentials.ends_with("credentials"));
        assert_ne!(paths.credentials, paths.state);
        assert!(!paths.state.starts_with(&paths.credentials));
        assert_eq!(Paths::find(|_| Some(String::new())), Some(paths));
    }
}
