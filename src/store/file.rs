//! Sign-ins in files that only this user can read: the fallback where there is no keyring. A file is whole or it is not
//! there, also after a crash.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::StoreError;
use super::record::{Key, Record};
use crate::draft::{self, sync_folder};

/// The folder of sign-ins.
#[derive(Debug, Clone)]
pub struct Files {
    folder: PathBuf,
}

impl Files {
    /// Sign-ins in `folder`, which is made when there is something to keep.
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.folder.join(format!("{}.json", key.account()))
    }

    /// The record of `key`, if there is one. A damaged one is an error that names the file.
    pub(super) fn load(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        let path = self.path(key);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(wrong) if wrong.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(wrong) => return Err(StoreError::File(path, wrong)),
        };
        Record::from_text(key, &text)
            .map(Some)
            .map_err(|why| StoreError::Corrupt(path.display().to_string(), why))
    }

    /// Keeps `record`; once this returns it survives a crash. A file in its place that cannot be read is moved aside.
    pub(super) fn save(&self, record: &Record) -> Result<(), StoreError> {
        let path = self.path(&record.key);
        if let Err(StoreError::Corrupt(..)) = self.load(&record.key) {
            let kept = set_aside(&path).map_err(|wrong| StoreError::File(path.clone(), wrong))?;
            tracing::warn!("a sign-in that cannot be read was moved to {kept:?}");
        }
        replace(&path, record.to_text().expose().as_bytes())
            .map_err(|wrong| StoreError::File(path, wrong))
    }

    /// Forgets the record of `key`, and what a process that was killed while it wrote it has left.
    pub(super) fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let path = self.path(key);
        draft::sweep(&self.folder);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(wrong) if wrong.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(wrong) => return Err(StoreError::File(path, wrong)),
        }
        sync_folder(&self.folder).map_err(|wrong| StoreError::File(self.folder.clone(), wrong))
    }
}

/// Replaces the file at `path` by `text`, whole, readable for this user alone. A loss of power may leave it empty, so that it
/// must be of no weight; but nothing waits for the disk.
pub(super) fn replace_loosely(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    private_folder(folder)?;
    let mut draft = draft::begin(folder)?;
    draft.write_all(text)?;
    draft::replace(draft, path)
}

/// The same, durably.
pub(super) fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    private_folder(folder)?;
    let mut draft = draft::begin(folder)?;
    draft.write_all(text)?;
    draft.as_file().sync_all()?;
    draft::replace(draft, path)?;
    sync_folder(folder)
}

/// Makes `folder` if it is missing, for this user alone; one that others may enter is closed.
pub(super) fn private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
        builder.mode(0o700).create(folder)?;
        if fs::metadata(folder)?.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        }
        Ok(())
    }
    // On Windows the user's own folder is closed to others already.
    #[cfg(not(unix))]
    builder.create(folder)
}

/// Moves a file that cannot be read out of the way, to a name that is free, so that nothing in it is lost.
pub(super) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    for number in 1..=1000_u32 {
        let free = path.with_extension(format!("unreadable-{number}"));
        // A link, unlike a rename, never takes the place of another file.
        match fs::hard_link(path, &free) {
            Ok(()) => {
                fs::remove_file(path)?;
                return Ok(free);
            }
            Err(wrong) if wrong.kind() == io::ErrorKind::AlreadyExists => {}
            Err(_) if !free.exists() => {
                // Not every file system has links.
                fs::rename(path, &free)?;
                return Ok(free);
            }
            Err(wrong) => return Err(wrong),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests;
