//! What the fuzz targets share: readers that are written anew and simply, to compare the program's own with.

pub mod expect;
pub mod json;
pub mod sse;

/// Takes choices off the front of an input, so that the rest of it stays readable text.
pub struct Pick<'a>(pub &'a [u8]);

impl<'a> Pick<'a> {
    /// The next byte; 0 when there is none.
    pub fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&byte, rest)) => {
                self.0 = rest;
                byte
            }
            None => 0,
        }
    }

    /// One of these.
    pub fn of<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[usize::from(self.byte()) % all.len()]
    }

    /// Up to the next line feed, without it.
    pub fn line(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|byte| *byte == b'\n');
        let (line, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest.get(1..).unwrap_or_default();
        line
    }

    /// Up to the next line feed, if that is text.
    pub fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.line()).ok()
    }
}

/// Whether a text may go to a terminal: nothing in it is obeyed there.
pub fn is_plain(text: &str) -> bool {
    !text.chars().any(char::is_control)
}
