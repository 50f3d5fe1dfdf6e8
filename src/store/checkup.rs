//! Whether a store keeps what it is given: a sign-in of nobody is written, read and deleted again; and whether others can read
//! what is in its folders.

use std::path::{Path, PathBuf};

use super::record::{Key, Record, Tokens};
use super::{FILES, Files, Folders, Keyring, Lock, Place, SERVICE, StoreError, on_thread};
use crate::secret::Secret;

/// Writes, reads and deletes a sign-in with a random value. The list of sign-ins is left alone.
///
/// # Errors
/// What did not work.
pub async fn round_trip(place: Place, folders: &Folders) -> Result<(), StoreError> {
    // One at a time, so that it can have the same name each time: what is left by a process that is killed goes with the next.
    let _one = Lock::named(&folders.state, "doctor").wait(FILES).await;
    let random = super::hex(&std::array::from_fn::<u8, 16, _>(|_| fastrand::u8(..)));
    let key = Key {
        issuer: "urn:mcp-tether:doctor".to_owned(),
        client_id: "doctor".to_owned(),
        resource: String::new(),
        profile: "doctor".to_owned(),
        grant: None,
    };
    let mut record = Record::new(key.clone());
    record.tokens = Some(Tokens::new(Secret::new(random), "none".to_owned(), 0));
    let read = match place {
        Place::Memory => return Ok(()),
        Place::Keyring => {
            let keyring = Keyring::new(SERVICE);
            keyring.save(&record).await?;
            let read = keyring.load(&key).await;
            let deleted = keyring.delete(&key).await;
            let read = read?;
            deleted?;
            read
        }
        Place::File => {
            let files = Files::new(&folders.credentials);
            let written = record.clone();
            on_thread(FILES, move || {
                files.save(&written)?;
                let read = files.load(&written.key);
                let deleted = files.delete(&written.key);
                let read = read?;
                deleted?;
                Ok(read)
            })
            .await?
        }
    };
    if read.as_ref() == Some(&record) {
        Ok(())
    } else {
        Err(StoreError::Denied(
            "what was written is not what is read".to_owned(),
        ))
    }
}

/// What others than this user may enter or read, of the folders of sign-ins and the files in them. Only Unix has such modes.
#[cfg(unix)]
pub fn open_to_others(folders: &Folders) -> Vec<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let is_open = |path: &Path| {
        std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
    };
    let mut all = vec![folders.credentials.clone()];
    let entries = std::fs::read_dir(&folders.credentials);
    all.extend(
        entries
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path()),
    );
    all.push(folders.state.clone());
    all.retain(|path| is_open(path));
    all
}

/// Other systems have no such modes.
#[cfg(not(unix))]
pub fn open_to_others(_: &Folders) -> Vec<PathBuf> {
    Vec::new()
}
