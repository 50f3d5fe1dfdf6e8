//! Sign-ins in files that only this user can read: the fallback where there is no keyring. A file is whole or it is not
//! there, also after a crash.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::StoreError;
use super::record::{Key, Record};

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
        remove_unfinished(&path);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(wrong) if wrong.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(wrong) => return Err(StoreError::File(path, wrong)),
        }
        sync_folder(&self.folder).map_err(|wrong| StoreError::File(self.folder.clone(), wrong))
    }
}

/// Replaces the file at `path` by `text`, whole and durably, readable for this user alone.
pub(super) fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    private_folder(folder)?;
    // The temporary file has mode 0600 whatever the umask, and keeps it.
    let mut temporary = tempfile::Builder::new()
        .prefix(&unfinished(path))
        .tempfile_in(folder)?;
    temporary.write_all(text)?;
    temporary.as_file().sync_all()?;
    persist(temporary, path)?;
    sync_folder(folder)
}

/// What the names of unfinished versions of a file begin with.
fn unfinished(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!(".{name}.")
}

fn remove_unfinished(path: &Path) {
    let prefix = unfinished(path);
    let entries = path.parent().and_then(|folder| fs::read_dir(folder).ok());
    for entry in entries.into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            // Somebody else may have been faster.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// How often a replacement is tried where another program may have the file open: virus scanners on Windows do.
const TRIES: u32 = if cfg!(windows) { 5 } else { 1 };

/// Gives `temporary` the name `path`, in place of the file that has it.
pub(super) fn persist(mut temporary: tempfile::NamedTempFile, path: &Path) -> io::Result<()> {
    let mut tries = 1;
    loop {
        match temporary.persist(path) {
            Ok(_) => return Ok(()),
            Err(wrong) if tries == TRIES => return Err(wrong.error),
            Err(wrong) => temporary = wrong.file,
        }
        tries += 1;
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
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

/// Makes a rename in `folder` survive a crash, where folders can be opened.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
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
