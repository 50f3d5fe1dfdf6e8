//! Why a sign-in could not be read or kept, and what the user can do about it.

use std::path::PathBuf;
use std::time::Duration;
use std::{error, fmt, io};

use super::record::Unreadable;

/// Why a store failed.
#[derive(Debug)]
pub enum StoreError {
    /// This system has no keyring, or nothing answers for it; what the system said.
    Absent(String),
    /// The keyring is locked and was not unlocked.
    Locked,
    /// The keyring, or the folder, refuses this program; what the system said.
    Denied(String),
    /// The keyring gave no answer within this time.
    TimedOut(Duration),
    /// A record is there and cannot be read; where it is, and why. It is left as it is.
    Corrupt(String, Unreadable),
    /// Reading or writing a file failed.
    File(PathBuf, io::Error),
}

impl StoreError {
    /// What to do about it, as one line for people.
    pub fn hint(&self) -> String {
        match self {
            Self::Absent(_) => {
                "start a keyring such as gnome-keyring, or keep sign-ins in files with --store file"
                    .to_owned()
            }
            Self::Locked => {
                "unlock the keyring, or keep sign-ins in files with --store file".to_owned()
            }
            Self::Denied(_) => {
                "allow mcp-tether to use the keyring, or keep sign-ins in files with --store file"
                    .to_owned()
            }
            Self::TimedOut(_) => {
                "look for a prompt of the keyring, or keep sign-ins in files with --store file"
                    .to_owned()
            }
            Self::Corrupt(_, Unreadable::Newer(_)) => "update mcp-tether".to_owned(),
            Self::Corrupt(..) => "sign in again with mcp-tether login".to_owned(),
            Self::File(path, _) => format!("make {} writable for this user", path.display()),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(said) => write!(f, "no keyring answers: {said}"),
            Self::Locked => f.write_str("the keyring is locked"),
            Self::Denied(said) => write!(f, "the keyring refused: {said}"),
            Self::TimedOut(limit) => write!(f, "the keyring did not answer in {limit:?}"),
            Self::Corrupt(place, why) => write!(f, "the stored sign-in in {place} {why}"),
            Self::File(path, wrong) => write!(f, "cannot use {}: {wrong}", path.display()),
        }
    }
}

impl error::Error for StoreError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::File(_, wrong) => Some(wrong),
            _ => None,
        }
    }
}
