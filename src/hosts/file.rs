//! Reads and writes the files of hosts: a backup beside the file, then an atomic replacement that keeps its mode and its
//! owner. A link stays a link, and a file that its host wrote meanwhile is left alone.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use diffy::DiffOptions;
use tempfile::NamedTempFile;

use crate::draft::{self, sync_folder};

/// How many links may follow each other.
const LINKS: usize = 16;

/// Why a file was not read or written.
#[derive(Debug)]
pub enum Refused {
    /// It may not be written.
    ReadOnly(PathBuf),
    /// It is not what it was when it was read.
    Changed(PathBuf),
    /// It is no UTF-8 text.
    NotText(PathBuf),
    /// The system says no.
    Io(PathBuf, io::Error),
}

impl Refused {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::ReadOnly(_) => "make the file writable, or change it where it is made",
            Self::Changed(_) => "type the same command again",
            Self::NotText(_) => "save it as UTF-8 in an editor",
            Self::Io(..) => "check who owns the file and its folder",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadOnly(path) => write!(f, "{} is read-only", path.display()),
            Self::Changed(path) => {
                write!(
                    f,
                    "{} was changed by another program just now",
                    path.display()
                )
            }
            Self::NotText(path) => write!(f, "{} is not UTF-8 text", path.display()),
            Self::Io(path, wrong) => write!(f, "{}: {wrong}", path.display()),
        }
    }
}

impl std::error::Error for Refused {}

/// The file's text; `None` where there is no file.
///
/// # Errors
/// It is there and cannot be read.
pub fn read(path: &Path) -> Result<Option<String>, Refused> {
    match fs::read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(Refused::NotText(path.to_owned())),
        },
        Err(wrong) if wrong.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(wrong) => Err(Refused::Io(path.to_owned(), wrong)),
    }
}

/// Whether something stands at that path.
pub fn exists(path: &Path) -> bool {
    path.exists()
}

/// What is going to be done to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The file.
    pub path: PathBuf,
    /// What it says now; `None` where there is no file.
    pub before: Option<String>,
    /// What it is going to say.
    pub after: String,
}

impl Plan {
    /// Whether it changes anything.
    pub fn is_change(&self) -> bool {
        self.before.as_deref() != Some(self.after.as_str())
    }

    /// The change as `diff -u` shows it; empty where there is none.
    pub fn diff(&self) -> String {
        if !self.is_change() {
            return String::new();
        }
        let name = self.path.display().to_string();
        let before = self.before.as_deref();
        let old = if before.is_some() { &name } else { "/dev/null" };
        let mut options = DiffOptions::new();
        options.set_original_filename(old.to_owned());
        options.set_modified_filename(name.clone());
        let patch = options.create_patch(before.unwrap_or_default(), &self.after);
        patch.to_string()
    }

    /// Writes it, and gives the path of the backup, if there was anything to keep. Nothing is written where nothing
    /// changes. `now` names the backup.
    ///
    /// # Errors
    /// The file stays as it is.
    pub fn write(&self, now: SystemTime) -> Result<Option<PathBuf>, Refused> {
        if !self.is_change() {
            return Ok(None);
        }
        let refused = |wrong| Refused::Io(self.path.clone(), wrong);
        let target = followed(&self.path).map_err(refused)?;
        let folder = target.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(refused)?;
        let known = match fs::metadata(&target) {
            Ok(known) => Some(known),
            Err(wrong) if wrong.kind() == io::ErrorKind::NotFound => None,
            Err(wrong) => return Err(refused(wrong)),
        };
        if known
            .as_ref()
            .is_some_and(|known| known.permissions().readonly())
        {
            return Err(Refused::ReadOnly(self.path.clone()));
        }
        let new = drafted(folder, &self.after, known.as_ref()).map_err(refused)?;
        if read(&target)? != self.before {
            return Err(Refused::Changed(self.path.clone()));
        }
        let backup = match &self.before {
            Some(text) => Some(self.back_up(text, known.as_ref(), now).map_err(refused)?),
            None => None,
        };
        draft::replace(new, &target).map_err(refused)?;
        // It stands there: a file system that cannot sync folders is no reason to say that it does not.
        let _ = sync_folder(folder);
        Ok(backup)
    }

    /// Keeps the text beside the file, under a name that is free.
    fn back_up(
        &self,
        text: &str,
        known: Option<&fs::Metadata>,
        now: SystemTime,
    ) -> io::Result<PathBuf> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let time = humantime::format_rfc3339_seconds(now)
            .to_string()
            .replace(':', "");
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mut kept = drafted(folder, text, known)?;
        let mut number = 1;
        loop {
            let again = if number > 1 {
                format!("-{number}")
            } else {
                String::new()
            };
            let path = self
                .path
                .with_file_name(format!("{name}.mcp-tether-{time}{again}.bak"));
            kept = match kept.persist_noclobber(&path) {
                Ok(_) => {
                    let _ = sync_folder(folder);
                    return Ok(path);
                }
                Err(wrong) if wrong.error.kind() == io::ErrorKind::AlreadyExists => wrong.file,
                Err(wrong) => return Err(wrong.error),
            };
            number += 1;
        }
    }
}

/// A draft of `text` that survives a loss of power, with the mode and the owner of the file that is `known`.
fn drafted(folder: &Path, text: &str, known: Option<&fs::Metadata>) -> io::Result<NamedTempFile> {
    let mut draft = draft::begin(folder)?;
    draft.write_all(text.as_bytes())?;
    if let Some(known) = known {
        keep_owner(draft.as_file(), known);
        draft.as_file().set_permissions(known.permissions())?;
    }
    draft.as_file().sync_all()?;
    Ok(draft)
}

/// Where the path leads, links followed, also where nothing stands at the end.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        match fs::read_link(&path) {
            Ok(to) => path = path.parent().unwrap_or(Path::new("")).join(to),
            // It is no link, or nothing.
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many links follow each other"))
}

#[cfg(unix)]
fn keep_owner(file: &fs::File, known: &fs::Metadata) {
    use std::os::unix::fs::{MetadataExt, fchown};
    // Only root can, and only for root is it different. By its handle: whoever owns the folder could put a link in its place.
    let _ = fchown(file, Some(known.uid()), Some(known.gid()));
}

#[cfg(not(unix))]
fn keep_owner(_: &fs::File, _: &fs::Metadata) {}
