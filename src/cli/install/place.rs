//! The machine that the command runs on, as far as hosts make a difference.

use std::path::PathBuf;

use directories::BaseDirs;

use crate::cli::connection::Env;
use crate::error::{Exit, Fatal};
use crate::hosts::{Host, Os, Places, file};

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

    /// The files of a host for the project in this folder that are there: some hosts have one for each server.
    pub fn project_files(&self, host: &Host) -> Vec<PathBuf> {
        let Some(path) = host.project_file(&self.folder, "*", &file::exists) else {
            return Vec::new();
        };
        if path.file_stem().is_none_or(|stem| stem != "*") {
            return Vec::from_iter(path.exists().then_some(path));
        }
        let folder = path.parent();
        let entries = folder.and_then(|folder| std::fs::read_dir(folder).ok());
        let paths = entries.into_iter().flatten().flatten();
        let mut found: Vec<PathBuf> = paths
            .map(|entry| entry.path())
            .filter(|found| found.extension() == path.extension())
            .collect();
        found.sort();
        found
    }
}
