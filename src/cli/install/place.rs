//! The machine that the command runs on, as far as hosts make a difference.

use std::path::PathBuf;

use directories::BaseDirs;

use crate::cli::connection::Env;
use crate::error::{Exit, Fatal};
use crate::hosts::{Os, Places};

/// Where the user is at home, and where the command was typed.
pub struct Place<'a> {
    /// The folder that the command was typed in.
    pub folder: PathBuf,
    home: PathBuf,
    env: &'a Env<'a>,
}

impl<'a> Place<'a> {
    /// Finds out.
    ///
    /// # Errors
    /// This user has no home folder.
    pub fn find(env: &'a Env<'a>) -> Result<Self, Fatal> {
        let variable = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        let home = env(variable)
            .filter(|home| !home.is_empty())
            .map(PathBuf::from);
        let home = home.or_else(|| Some(BaseDirs::new()?.home_dir().to_owned()));
        Ok(Self {
            home: home.ok_or_else(|| Fatal {
                exit: Exit::Failed,
                message: "this user has no home folder, where hosts have their files".to_owned(),
                hint: Some(format!("set {variable}")),
            })?,
            folder: std::env::current_dir().unwrap_or_default(),
            env,
        })
    }

    /// What the folders of hosts depend on.
    pub fn places(&self) -> Places<'_> {
        Places {
            os: Os::here(),
            home: &self.home,
            env: self.env,
        }
    }
}
