//! One case: an operation is killed before one of its steps, then done again, and what is left is looked at.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::operation::{Operation, Stage, files};
use crate::support::launch::Output;
use crate::talk;
use crate::tracer::{self, Step};

/// When it is done again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Again {
    /// After the kill.
    After,
    /// By a second program that starts while the first is in the middle of it.
    Beside,
}

/// A case.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What is done.
    pub operation: Operation,
    /// When it is done again.
    pub again: Again,
    /// The step before which it is killed, counted from 0.
    pub at: usize,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let again = match self.again {
            Again::After => "after",
            Again::Beside => "beside",
        };
        write!(f, "{}/{again}/{}", self.operation, self.at)
    }
}

/// What may go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// An account that was signed in is not any more.
    SignedOut,
    /// A file is neither what it was nor what it should be, or its backup is missing.
    Corrupt,
    /// A lock cannot be had, or the operation cannot be done again.
    Blocked,
    /// A file stays that nobody will ever use or remove.
    Leftover,
}

/// All kinds, in the order of the table.
pub const WRONGS: [Wrong; 4] = [
    Wrong::SignedOut,
    Wrong::Corrupt,
    Wrong::Blocked,
    Wrong::Leftover,
];

/// What came of a case.
pub struct Outcome {
    /// Which.
    pub case: Case,
    /// It was killed, and not done before.
    pub killed: bool,
    /// The server had already spent what the user had, and what it gave instead was not on the disk yet: no client can
    /// do better.
    pub by_nature: bool,
    /// What went wrong.
    pub wrong: Vec<(Wrong, String)>,
    /// The step before which it was killed, or the last one.
    pub step: Option<Step>,
}

/// The steps of an operation that nobody disturbs.
pub fn rehearse(operation: Operation) -> Vec<Step> {
    let stage = Stage::set(operation);
    let child = stage.launch().stopped();
    let story = tracer::follow(child, operation.lines(), None, || {});
    let (code, out, err) = (story.code, &story.stdout, &story.stderr);
    assert!(
        stage.is_done(code, out, err),
        "{operation}: {code:?}\n{out}\n{err}"
    );
    story.steps
}

/// Tries a case.
pub fn run(case: Case) -> Outcome {
    let tried = catch_unwind(AssertUnwindSafe(|| attempt(case)));
    tried.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| Some((*panic.downcast_ref::<&str>()?).to_owned()));
        Outcome {
            case,
            killed: false,
            by_nature: false,
            wrong: vec![(Wrong::Blocked, text.unwrap_or_default())],
            step: None,
        }
    })
}

fn attempt(case: Case) -> Outcome {
    let stage = Stage::set(case.operation);
    let kept = records(&stage);
    let child = stage.launch().stopped();
    let mut second = None;
    let story = tracer::follow(child, case.operation.lines(), Some(case.at), || {
        if case.again == Again::Beside {
            second = Some(start(&stage));
        }
    });
    let mut look = Look {
        stage: &stage,
        wrong: Vec::new(),
    };
    let spent = case.operation == Operation::RefreshSpent
        && stage.scene.auth.refreshes() == 1
        && records(&stage) == kept;
    let host = stage.host_text();
    if second.is_none() {
        look.locks();
        look.status();
    }
    look.files();
    look.keeps_account();
    let output = second
        .unwrap_or_else(|| start(&stage))
        .join()
        .expect("it ends");
    if !stage.is_done(output.code, &output.stdout, &output.stderr) {
        look.add(Wrong::Blocked, format!("{output:?}"));
    }
    let signed_in = stage.authorizations();
    look.host(host.as_deref());
    look.files();
    look.locks();
    look.accounts();
    look.leftovers();
    let by_nature = spent && signed_in > 0;
    if signed_in > 0 && case.operation.is_silent() && !by_nature {
        look.add(Wrong::SignedOut, "somebody had to sign in again".to_owned());
    }
    let wrong = look.wrong;
    if spent {
        // That it was used twice is what this is about.
        stage.scene.auth.faults().take();
    }
    Outcome {
        case,
        killed: story.killed,
        by_nature,
        wrong,
        step: story.steps.last().cloned(),
    }
}

/// Does it, or does it again, undisturbed.
fn start(stage: &Stage) -> std::thread::JoinHandle<Output> {
    let (launch, lines) = (stage.launch(), stage.operation.lines());
    std::thread::spawn(move || talk::run(&launch, lines))
}

/// The bytes of the sign-ins.
fn records(stage: &Stage) -> Vec<(PathBuf, Vec<u8>)> {
    let mut paths = stage.scene.records();
    paths.sort();
    let read = |path: PathBuf| fs::read(&path).map(|bytes| (path, bytes)).ok();
    paths.into_iter().filter_map(read).collect()
}

/// Looks at what is there.
struct Look<'a> {
    stage: &'a Stage,
    wrong: Vec<(Wrong, String)>,
}

impl Look<'_> {
    fn add(&mut self, kind: Wrong, what: String) {
        self.wrong.push((kind, what));
    }

    /// Each document is whole.
    fn files(&mut self) {
        let mut all = Vec::new();
        files(&self.stage.scene.home(), &mut all);
        for path in all {
            let is_document = path.extension().is_some_and(|own| own == "json");
            let text = fs::read(&path).unwrap_or_else(|_| b"null".to_vec());
            if is_document && serde_json::from_slice::<Value>(&text).is_err() {
                self.add(Wrong::Corrupt, path.display().to_string());
            }
        }
    }

    /// Each lock is free.
    fn locks(&mut self) {
        let mut all = Vec::new();
        files(&self.stage.scene.home(), &mut all);
        for path in all {
            let is_lock = path.extension().is_some_and(|own| own == "lock");
            if is_lock && File::open(&path).unwrap().try_lock().is_err() {
                self.add(Wrong::Blocked, path.display().to_string());
            }
        }
    }

    /// Whoever was signed in and did not log out is shown as such.
    fn status(&mut self) {
        let shown = self.stage.status();
        for account in self.stage.accounts() {
            let was = *account == "other" || self.stage.operation.keeps_account();
            if was && !shown.iter().any(|own| own["profile"] == *account) {
                self.add(Wrong::SignedOut, format!("status does not show {account}"));
            }
        }
    }

    /// A tool can be called by the account that the operation is about. A refresh is such a call itself.
    fn keeps_account(&mut self) {
        let operation = self.stage.operation;
        let calls = operation.keeps_account() && !operation.is_refresh();
        if calls && !self.stage.calls("default") {
            self.add(Wrong::SignedOut, "its own account cannot call".to_owned());
        }
    }

    /// Everybody is signed in who is to be.
    fn accounts(&mut self) {
        let before = self.stage.authorizations();
        for account in self.stage.accounts() {
            if !self.stage.calls(account) || self.stage.authorizations() > before {
                self.add(Wrong::SignedOut, format!("{account} has to sign in again"));
            }
        }
        let shown = self.stage.status().len();
        if shown != self.stage.accounts().len() {
            self.add(Wrong::Leftover, format!("{shown} sign-ins"));
        }
    }

    /// The host's file was what it had been or what it is now, and then what it had been is kept beside it.
    fn host(&mut self, killed: Option<&str>) {
        let (before, after) = (self.stage.before.as_deref(), self.stage.host_text());
        let backups = self.stage.backups();
        let kept: Vec<String> = backups
            .iter()
            .map(|path| fs::read_to_string(path).unwrap())
            .collect();
        if killed != before && killed != after.as_deref() {
            self.add(Wrong::Corrupt, format!("{killed:?}"));
        }
        if kept.iter().any(|text| Some(text.as_str()) != before) {
            self.add(Wrong::Corrupt, format!("a backup: {kept:?}"));
        }
        if before.is_some() && after.as_deref() != before && kept.is_empty() {
            self.add(Wrong::Corrupt, "there is no backup".to_owned());
        }
        let is_changed = after.as_deref() != before;
        if is_changed != self.stage.operation.changes_host() {
            self.add(Wrong::Blocked, format!("the host has {after:?}"));
        }
    }

    /// No draft is there, and no record that is not on the list, or the reverse.
    fn leftovers(&mut self) {
        let mut all = Vec::new();
        files(&self.stage.home(), &mut all);
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        // A program may end while it keeps what is of no weight; the next write removes that draft.
        let drafts = all.iter().filter(|path| name(path).starts_with('.'));
        if drafts.count() > 1 {
            self.add(Wrong::Leftover, "drafts".to_owned());
        }
        let index = fs::read(self.stage.scene.home().join("state/index.json"));
        let index: Value = serde_json::from_slice(&index.unwrap_or_default()).unwrap_or_default();
        let listed = index["logins"].as_object().cloned().unwrap_or_default();
        let listed: BTreeSet<String> = listed.keys().map(|own| format!("{own}.json")).collect();
        let records = self.stage.scene.records();
        let found: BTreeSet<String> = records.iter().map(|path| name(path)).collect();
        for odd in listed.symmetric_difference(&found) {
            self.add(Wrong::Leftover, format!("listed or kept only: {odd}"));
        }
    }
}
