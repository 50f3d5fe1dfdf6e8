//! The threats of the security model that no other test shows, and the page itself: each test that it names is there.

mod bombs;
#[cfg(unix)]
mod files;
mod messages;
mod page;
#[cfg(unix)]
mod terminal;
