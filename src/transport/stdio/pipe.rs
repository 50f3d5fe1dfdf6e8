//! The pipes of a large message. The capacity of one, 64 KiB unless asked for more, makes it a thousand wake-ups on both sides.

use std::io;

/// Bytes of a message, or of what is written in one go, for which the pipe is widened.
pub(super) const LARGE: usize = 1 << 20;

/// Widens a pipe to 1 MiB. That it is no pipe, or may not be widened, costs speed only.
#[cfg(target_os = "linux")]
pub(super) fn widen(pipe: impl std::os::fd::AsFd) {
    if let Err(wrong) = rustix::pipe::fcntl_setpipe_size(pipe, LARGE) {
        tracing::debug!("a pipe keeps its size: {wrong}");
    }
}

/// Other systems size their pipes themselves.
#[cfg(not(target_os = "linux"))]
pub(super) fn widen<T>(_: T) {}

/// stdout without the buffer of the standard library, which looks for a line end in all that passes.
#[cfg(unix)]
pub(super) fn stdout() -> io::Result<impl io::Write> {
    use std::os::fd::AsFd;
    let stdout = io::stdout().as_fd().try_clone_to_owned()?;
    Ok(std::fs::File::from(stdout))
}

/// On other systems a console wants what the library makes of the text.
#[cfg(not(unix))]
pub(super) fn stdout() -> io::Result<impl io::Write> {
    Ok(io::stdout().lock())
}
