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
}

impl Paths {
    /// Finds the folders; `None` when the user has no home and `MCP_TETHER_HOME` is not set.
    pub fn find(env: impl Fn(&str) -> Option<String>) -> Option<Self> {
        if let Some(home) = env("MCP_TETHER_HOME").filter(|home| !home.is_empty()) {
            let home = PathBuf::from(home);
            return Some(Self {
                config: home.join("config.toml"),
                state: home.join("state"),
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
        })
    }
}
