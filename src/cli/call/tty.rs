//! The state of the terminal: a prompt that nobody answers any more must not leave it as it needed it.

/// The state as it was, put back when this is dropped.
#[derive(Debug)]
pub struct Kept {
    #[cfg(unix)]
    was: Option<rustix::termios::Termios>,
}

impl Kept {
    /// Notes the state of stdin, where that is a terminal.
    pub fn new() -> Self {
        Self {
            #[cfg(unix)]
            was: rustix::termios::tcgetattr(std::io::stdin()).ok(),
        }
    }

    /// Puts it back now.
    pub fn restore(&self) {
        #[cfg(unix)]
        if let Some(was) = &self.was {
            use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
            let now = tcgetattr(std::io::stdin()).ok();
            let changed = now.is_none_or(|now| now.local_modes != was.local_modes);
            if changed {
                let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, was);
            }
            let term = console::Term::stderr();
            if term.is_term() {
                // A list to choose from hides it.
                let _ = term.show_cursor();
            }
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.restore();
    }
}
