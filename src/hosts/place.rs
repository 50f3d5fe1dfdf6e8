//! Where hosts keep their files. The system, the home folder and the environment come in, so that each system can be told
//! on any other.

use std::path::{Path, PathBuf};

/// An operating system, as far as hosts make a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Os {
    /// macOS.
    Mac,
    /// Linux, and whatever else follows it.
    Linux,
    /// Windows.
    Windows,
}

impl Os {
    /// The one that this program was built for.
    pub const fn here() -> Self {
        if cfg!(target_os = "macos") {
            Self::Mac
        } else if cfg!(windows) {
            Self::Windows
        } else {
            Self::Linux
        }
    }
}

/// What the folders of hosts depend on.
#[derive(Clone, Copy)]
pub struct Places<'a> {
    /// The system.
    pub os: Os,
    /// The user's home folder.
    pub home: &'a Path,
    /// The environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
}

impl Places<'_> {
    fn var(&self, name: &str) -> Option<PathBuf> {
        let value = (self.env)(name).filter(|value| !value.is_empty());
        value.map(PathBuf::from)
    }
}

/// What a path begins with.
#[derive(Debug, Clone, Copy)]
enum Base {
    Home,
    /// `$XDG_CONFIG_HOME`, or `.config` at home.
    Config,
    /// `%APPDATA%`.
    Roaming,
    /// `Library/Application Support` at home.
    Support,
    /// The folder that a variable names: if it is set, the host looks nowhere else.
    Var(&'static str),
    /// A folder that a variable names, where the host may look too.
    Perhaps(&'static str),
}

/// A place where a file can be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot(Base, &'static str);

/// Under the home folder.
pub(super) const fn home(path: &'static str) -> Spot {
    Spot(Base::Home, path)
}

/// Under `$XDG_CONFIG_HOME`.
pub(super) const fn config(path: &'static str) -> Spot {
    Spot(Base::Config, path)
}

/// Under `%APPDATA%`.
pub(super) const fn roaming(path: &'static str) -> Spot {
    Spot(Base::Roaming, path)
}

/// Under `Library/Application Support`.
pub(super) const fn support(path: &'static str) -> Spot {
    Spot(Base::Support, path)
}

/// Under the folder that a variable names, which then decides.
pub(super) const fn named_by(variable: &'static str, path: &'static str) -> Spot {
    Spot(Base::Var(variable), path)
}

/// Under the folder that a variable names, if something is there.
pub(super) const fn perhaps(variable: &'static str, path: &'static str) -> Spot {
    Spot(Base::Perhaps(variable), path)
}

impl Spot {
    /// Whether the host looks nowhere else.
    pub(super) fn decides(self, places: &Places<'_>) -> bool {
        matches!(self.0, Base::Var(name) if places.var(name).is_some())
    }

    /// The path, and the folder above it that everybody has, if there is one.
    pub(super) fn resolve(self, places: &Places<'_>) -> Option<(PathBuf, PathBuf)> {
        let Self(base, path) = self;
        let under = match base {
            Base::Home => places.home.to_owned(),
            Base::Config => places
                .var("XDG_CONFIG_HOME")
                .filter(|path| path.is_absolute())
                .unwrap_or_else(|| places.home.join(".config")),
            Base::Roaming => places
                .var("APPDATA")
                .unwrap_or_else(|| places.home.join("AppData").join("Roaming")),
            Base::Support => places.home.join("Library").join("Application Support"),
            Base::Var(name) | Base::Perhaps(name) => {
                return Some((join(&places.var(name)?, path), PathBuf::new()));
            }
        };
        Some((join(&under, path), under))
    }
}

/// A path of a table, which has `/` on every system.
pub(super) fn join(under: &Path, path: &str) -> PathBuf {
    let mut joined = under.to_owned();
    joined.extend(path.split('/'));
    joined
}
