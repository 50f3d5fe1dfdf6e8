//! File handles: over HTTP/1.1 each request in flight holds one, and systems allow 256 or 1,024 unless asked for more.

/// Handles to ask for: more than requests that may be in flight, and no more than macOS ever gives.
#[cfg(unix)]
const WANTED: u64 = 10_240;

/// Raises this process's own limit towards the one that the system sets. Where it cannot be raised, fewer requests fit.
#[cfg(unix)]
pub fn raise() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let allowed = limit.maximum.unwrap_or(u64::MAX).min(WANTED);
    if limit.current.is_some_and(|current| current < allowed) {
        limit.current = Some(allowed);
        if let Err(wrong) = setrlimit(Resource::Nofile, limit) {
            tracing::debug!("the limit of file handles stays: {wrong}");
        }
    }
}

/// Other systems have no such limit.
#[cfg(not(unix))]
pub fn raise() {}
