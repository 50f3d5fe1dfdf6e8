//! The capacity of a pipe: 64 KiB, unless asked for more, makes a large message a thousand wake-ups on both sides.

/// Bytes that a message has at least for the pipe to be widened.
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
