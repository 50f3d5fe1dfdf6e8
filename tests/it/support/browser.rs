//! A stub for `$BROWSER`: a shell script that hands the address to the test through a named pipe. Many copies may run at
//! once: a line of an address is written whole.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::process::Command;
use std::sync::Arc;
use std::thread::JoinHandle;

use tempfile::TempDir;

use super::gate::Shelf;
use super::visit::{self, Page};

/// Ends the reader.
const OVER: &str = "over";

/// A browser that hands addresses to the test, and may follow them by itself.
pub struct Browser {
    folder: TempDir,
    opened: Arc<Shelf<Address>>,
    pages: Arc<Shelf<Page>>,
    /// Keeps the pipe open for the stubs and for the end.
    pipe: File,
    reader: Option<JoinHandle<()>>,
}

/// An address that was to be opened.
#[derive(Clone)]
struct Address(String);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What becomes of an address.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Habit {
    Waits,
    Follows,
}

impl Browser {
    /// One that waits for the test to do something with the address.
    pub fn new() -> Self {
        Self::with(Habit::Waits)
    }

    /// One that follows each address at once.
    pub fn following() -> Self {
        Self::with(Habit::Follows)
    }

    fn with(habit: Habit) -> Self {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("pipe");
        let made = Command::new("mkfifo")
            .arg(&path)
            .status()
            .expect("run mkfifo");
        assert!(made.success(), "mkfifo: {made}");
        // Opened to read and write, neither end waits for the other, and a reader sees no end.
        let script = format!("printf '%s\\n' \"$1\" 1<>'{}'\n", path.display());
        std::fs::write(folder.path().join("browser.sh"), script).expect("write the script");
        let pipe = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .expect("open the pipe");
        let (opened, pages) = (Arc::default(), Arc::default());
        let shelves = (Arc::clone(&opened), Arc::clone(&pages));
        let end = pipe.try_clone().expect("the pipe again");
        let reader = std::thread::spawn(move || read(end, habit, &shelves));
        Self {
            folder,
            opened,
            pages,
            pipe,
            reader: Some(reader),
        }
    }

    /// The value of `$BROWSER`.
    pub fn command(&self) -> String {
        format!("sh {} %s", self.folder.path().join("browser.sh").display())
    }

    /// How often it was opened so far.
    pub fn opened(&self) -> usize {
        self.opened.with(<[Address]>::len)
    }

    /// The addresses that it was opened with so far.
    pub fn opened_with(&self) -> Vec<String> {
        self.opened
            .with(|all| all.iter().map(|own| own.0.clone()).collect())
    }

    /// The address that it was opened with for the `nth` time, counted from 1. Waits for it.
    pub fn address(&self, nth: usize) -> String {
        let what = format!("the browser to open, {nth} times");
        self.opened
            .wait(&what, |all| Some(all.get(nth - 1)?.0.clone()))
    }

    /// The pages that it ended at so far, if it follows.
    pub fn pages(&self) -> Vec<Page> {
        self.pages.all()
    }

    /// The page that it ended at for the `nth` time, counted from 1, if it follows. Waits for it.
    pub fn page(&self, nth: usize) -> Page {
        let what = format!("page {nth}");
        self.pages.wait(&what, |all| all.get(nth - 1).cloned())
    }
}

impl Default for Browser {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.pipe.write_all(format!("{OVER}\n").as_bytes());
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

fn read(pipe: File, habit: Habit, (opened, pages): &(Arc<Shelf<Address>>, Arc<Shelf<Page>>)) {
    for line in BufReader::new(pipe).lines() {
        let Ok(line) = line else { return };
        if line == OVER {
            return;
        }
        opened.push(Address(line.clone()));
        if habit == Habit::Follows {
            let pages = Arc::clone(pages);
            // A visit lasts as long as the sign-in does.
            std::thread::spawn(move || pages.push(visit::follow(&line)));
        }
    }
}
