//! Where sign-ins are kept: who else may read there, and whether what is written can be read and deleted again.

use std::time::Duration;

use super::check::Finding;
use super::patient::Patient;
use crate::cli::oauth;
use crate::error::{Exit, Fatal};
use crate::store::{Folders, Kind, Place, StoreError, checkup};

/// The longest that a locked keyring waits for its user here.
const LIMIT: Duration = Duration::from_secs(20);

/// Whether others may read in the folders.
pub fn files(patient: &Patient<'_>) -> Finding {
    let Some(paths) = patient.paths else {
        return Finding::skip("this user has no home folder");
    };
    let folders = oauth::folders(paths);
    if !folders.credentials.exists() && !folders.state.exists() {
        return Finding::ok("nothing is kept yet");
    }
    let open = checkup::open_to_others(&folders);
    let shown: Vec<String> = open.iter().map(|path| path.display().to_string()).collect();
    match shown.first() {
        None => Finding::ok("only this user can read them"),
        Some(first) => {
            let more = match shown.len() {
                1 => String::new(),
                number => format!(" and {} more", number - 1),
            };
            let data = folders.credentials.parent().unwrap_or(&folders.credentials);
            let in_state = open.iter().all(|path| path.starts_with(&folders.state));
            let folder = if in_state { &folders.state } else { data };
            Finding::warn(
                format!("others may read {first}{more}"),
                format!("chmod -R go= {}", folder.display()),
            )
            .fault("open-files")
            .with("open", shown)
        }
    }
}

/// Writes, reads and deletes.
pub async fn round_trip(patient: &mut Patient<'_>) -> Finding {
    let wanted = patient.args.authorization.store;
    let kind = match oauth::store(wanted, patient.paths) {
        Ok(kind) => kind,
        Err(wrong) => {
            patient.store_broken = true;
            return Finding::of_fatal(&wrong);
        }
    };
    let folders = patient.paths.map(oauth::folders);
    let (Some(folders), true) = (folders, kind != Kind::Memory) else {
        return Finding::ok("sign-ins are kept in this process only").with("store", "memory");
    };
    let finding = match kind {
        Kind::Memory => return Finding::ok("sign-ins are kept in this process only"),
        Kind::File => in_files(&folders).await,
        Kind::Keyring => match in_keyring(&folders).await {
            Ok(finding) => finding,
            Err(wrong) => failed(&wrong).fault(fault(&wrong)),
        },
        Kind::Auto => match in_keyring(&folders).await {
            Ok(finding) => finding,
            Err(wrong) => instead(&wrong, in_files(&folders).await),
        },
    };
    patient.store_broken = matches!(finding.outcome, super::check::Outcome::Fail(_));
    finding
}

async fn in_keyring(folders: &Folders) -> Result<Finding, StoreError> {
    let tried = tokio::time::timeout(LIMIT, checkup::round_trip(Place::Keyring, folders)).await;
    // One that hangs has failed by now: this one waits for its user.
    tried.unwrap_or(Err(StoreError::Locked))?;
    Ok(Finding::ok("the keyring keeps what it is given").with("store", "keyring"))
}

async fn in_files(folders: &Folders) -> Finding {
    match checkup::round_trip(Place::File, folders).await {
        Ok(()) => {
            let folder = folders.credentials.display();
            Finding::ok(format!("files in {folder} keep what they are given")).with("store", "file")
        }
        Err(wrong) => failed(&wrong).fault("files"),
    }
}

/// Files in place of a keyring that does not work.
fn instead(wrong: &StoreError, files: Finding) -> Finding {
    if matches!(files.outcome, super::check::Outcome::Fail(_)) {
        return files;
    }
    Finding::warn(
        format!("{wrong}; sign-ins are kept in files that only this user can read"),
        wrong.hint(),
    )
    .fault(fault(wrong))
    .with("store", "file")
}

fn failed(wrong: &StoreError) -> Finding {
    Finding::of_fatal(&Fatal {
        exit: Exit::Store,
        message: wrong.to_string(),
        hint: Some(wrong.hint()),
    })
}

const fn fault(wrong: &StoreError) -> &'static str {
    match wrong {
        StoreError::Absent(_) => "no-keyring",
        StoreError::Locked => "keyring-locked",
        StoreError::TimedOut(_) => "keyring-hangs",
        StoreError::Denied(_) => "keyring-denies",
        StoreError::Corrupt(..) | StoreError::File(..) => "store",
    }
}
