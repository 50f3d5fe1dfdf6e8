//! New versions of files, until they take the place of the old ones: nobody ever sees half of one, also after a crash, and those
//! that killed processes have left are removed.

use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use tempfile::NamedTempFile;

/// How the name of a draft begins and ends; so many letters or digits stand between.
const NAME: (&str, &str, usize) = (".mcp-tether-", ".new", 6);

/// The age of a draft that was left, where no lock tells: one is written in a moment.
const OLD: Duration = Duration::from_secs(3600);

/// How often a draft is begun again that another process took for one that was left.
const BEGUN: u32 = 10;

/// How often a replacement is tried where another program may have the file open: virus scanners on Windows do.
const TRIES: u32 = if cfg!(windows) { 5 } else { 1 };

/// A draft in `folder`, of mode 0600 whatever the umask.
///
/// # Errors
/// It cannot be made there.
pub fn begin(folder: &Path) -> io::Result<NamedTempFile> {
    fs::metadata(folder)?;
    sweep(folder);
    for _ in 0..BEGUN {
        let (begins, ends, random) = NAME;
        let mut builder = tempfile::Builder::new();
        builder.prefix(begins).suffix(ends).rand_bytes(random);
        // Its words would have the draft's own name, which nobody knows.
        let draft = builder.tempfile_in(folder).map_err(|wrong| wrong.kind())?;
        // The system frees it when this process ends, however it ends.
        let locked =
            !cfg!(unix) || !matches!(draft.as_file().try_lock(), Err(TryLockError::WouldBlock));
        if locked && draft.path().exists() {
            return Ok(draft);
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

/// Removes the drafts in `folder` that no process works on: those that nobody has locked, and where there are no locks, those that are
/// old.
pub fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if is_draft(&entry.file_name())
            && File::options()
                .read(true)
                .write(true)
                .open(&path)
                .is_ok_and(|file| is_left(&file))
        {
            // Somebody else may have been faster.
            let _ = fs::remove_file(path);
        }
    }
}

/// Whether no process works on the draft `file`. On Windows a lock would keep others from reading.
fn is_left(file: &File) -> bool {
    if !cfg!(unix) {
        return is_old(file);
    }
    match file.try_lock() {
        Ok(()) => true,
        Err(TryLockError::WouldBlock) => false,
        Err(TryLockError::Error(_)) => is_old(file),
    }
}

/// Whether nobody has written to `file` for so long that nobody will.
fn is_old(file: &File) -> bool {
    let written = file.metadata().and_then(|known| known.modified());
    let age = written.map(|written| written.elapsed().unwrap_or_default());
    age.is_ok_and(|age| age > OLD)
}

fn is_draft(name: &OsStr) -> bool {
    let (begins, ends, random) = NAME;
    let name = name
        .to_str()
        .and_then(|name| name.strip_prefix(begins)?.strip_suffix(ends));
    name.is_some_and(|name| {
        name.len() == random && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// Gives `draft` the name `path`, in place of the file that has it.
///
/// # Errors
/// The file stays as it is.
pub fn replace(mut draft: NamedTempFile, path: &Path) -> io::Result<()> {
    let mut tries = 1;
    loop {
        match draft.persist(path) {
            Ok(_) => return Ok(()),
            Err(wrong) if tries == TRIES => return Err(wrong.error),
            Err(wrong) => draft = wrong.file,
        }
        tries += 1;
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Makes what has been renamed in `folder` survive a loss of power, where folders can be opened.
///
/// # Errors
/// The disk says no.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{OLD, begin, is_old, replace, sweep};
    use std::time::{Duration, SystemTime};

    fn names(folder: &tempfile::TempDir) -> Vec<String> {
        let entries = std::fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[cfg(unix)]
    #[test]
    fn what_a_killed_process_left_goes_and_what_another_works_on_stays() {
        let folder = tempfile::tempdir().unwrap();
        let theirs = begin(folder.path()).unwrap();
        let left = folder.path().join(".mcp-tether-x1Y2z3.new");
        std::fs::write(&left, "half a token").unwrap();
        for other in [
            ".mcp-tether-abcdef",
            ".mcp-tether-x1Y2z3..new",
            "mcp.json",
            ".mcp-tether-notes.new2",
        ] {
            std::fs::write(folder.path().join(other), "").unwrap();
        }
        let ours = begin(folder.path()).unwrap();
        assert!(!left.exists() && theirs.path().exists());
        replace(theirs, &folder.path().join("theirs")).unwrap();
        replace(ours, &folder.path().join("ours")).unwrap();
        assert_eq!(
            names(&folder),
            [
                ".mcp-tether-abcdef",
                ".mcp-tether-notes.new2",
                ".mcp-tether-x1Y2z3..new",
                "mcp.json",
                "ours",
                "theirs"
            ]
        );
    }

    #[test]
    fn without_locks_a_draft_is_left_when_it_is_old() {
        let draft = tempfile::tempfile().unwrap();
        assert!(!is_old(&draft));
        let now = SystemTime::now();
        let minute = Duration::from_secs(60);
        for (written, old) in [
            (now - OLD + minute, false),
            (now - OLD - minute, true),
            (now + OLD, false),
        ] {
            draft.set_modified(written).unwrap();
            assert_eq!(is_old(&draft), old, "{written:?}");
        }
    }

    #[test]
    fn writers_that_know_nothing_of_each_other_all_come_through() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            for _ in 0..50 {
                let draft = begin(folder.path()).unwrap();
                replace(draft, &folder.path().join(name)).unwrap();
            }
        };
        std::thread::scope(|scope| {
            for name in ["file-0", "file-1", "file-2", "file-3"] {
                scope.spawn(|| write(name));
            }
        });
        sweep(folder.path());
        assert_eq!(names(&folder), ["file-0", "file-1", "file-2", "file-3"]);
    }
}
