//! What the user sees while a call runs, on stderr: how far it is, what the server logs, what it asks.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Deserialize;
use serde_json::Value;

use super::ask::{self, Question};
use crate::cli::session::{Answer, Front};
use crate::jsonrpc::Message;
use crate::ui;

/// The token of the call's progress: there is one call.
pub const TOKEN: &str = r#""call""#;

/// Steps of the bar: progress is any number.
const STEPS: f64 = 1000.0;

/// How the user wants it.
#[derive(Debug, Clone)]
pub struct Manner {
    /// No notes.
    pub silent: bool,
    /// Log messages of the level `debug`, too.
    pub debug: bool,
    /// The command of `$BROWSER`.
    pub browser: Option<String>,
    /// Addresses are shown and not opened.
    pub no_browser: bool,
    /// The server, as it is called in what people read.
    pub server: String,
}

/// A person at a terminal, or none.
#[derive(Debug)]
pub struct Terminal {
    manner: Arc<Manner>,
    /// Somebody sees the bar.
    shows: bool,
    /// Somebody can be asked.
    asks: bool,
    bar: Mutex<Bar>,
    /// One question at a time.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Bar {
    drawn: Option<ProgressBar>,
    /// The terminal belongs to a question.
    hidden: bool,
}

#[derive(Deserialize)]
struct Progress {
    #[serde(rename = "progressToken")]
    token: Value,
    progress: f64,
    #[serde(default)]
    total: Option<f64>,
    #[serde(default)]
    message: Option<String>,
}

#[derive(Deserialize)]
struct Logged {
    level: String,
    #[serde(default)]
    logger: Option<String>,
    #[serde(default)]
    data: Value,
}

impl Terminal {
    /// Of this process.
    pub fn new(manner: Manner) -> Self {
        let shows = std::io::stderr().is_terminal();
        Self {
            shows: shows && !manner.silent,
            asks: shows && std::io::stdin().is_terminal(),
            manner: Arc::new(manner),
            bar: Mutex::default(),
            turn: tokio::sync::Mutex::new(()),
        }
    }

    /// Whether progress is worth asking for.
    pub const fn shows(&self) -> bool {
        self.shows
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        if let Some(bar) = self.bar().drawn.take() {
            bar.finish_and_clear();
        }
    }

    fn bar(&self) -> MutexGuard<'_, Bar> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn progress(&self, progress: &Progress) {
        let mut bar = self.bar();
        if !self.shows || bar.hidden || progress.token != TOKEN.trim_matches('"') {
            return;
        }
        let total = progress.total.filter(|total| *total > 0.0);
        let drawn = bar.drawn.get_or_insert_with(|| {
            ProgressBar::with_draw_target(Some(STEPS as u64), ProgressDrawTarget::stderr())
        });
        let message = ui::line(progress.message.as_deref().unwrap_or_default());
        match total {
            Some(total) => {
                // The style first: whatever follows draws.
                drawn.set_style(style("[{bar:30}] {percent:>3}% {wide_msg}"));
                drawn.set_position((progress.progress / total * STEPS).clamp(0.0, STEPS) as u64);
                drawn.set_message(message);
            }
            None => {
                drawn.set_style(style("{spinner} {wide_msg}"));
                drawn.set_message(format!("{} {message}", progress.progress));
                drawn.tick();
            }
        }
    }

    fn logged(&self, logged: &Logged) {
        if self.manner.silent || (logged.level == "debug" && !self.manner.debug) {
            return;
        }
        let text = match &logged.data {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let logger = logged.logger.as_ref();
        let logger = logger.map_or_else(String::new, |logger| format!("{logger}: "));
        self.note(&ui::line(&format!("{}: {logger}{text}", logged.level)));
    }

    fn note(&self, text: &str) {
        let bar = self.bar();
        match &bar.drawn {
            Some(drawn) => drawn.suspend(|| ui::note(text)),
            None => ui::note(text),
        }
    }

    /// Asks in a thread of its own, since the answer takes its time.
    async fn ask(&self, question: Question) -> String {
        let _turn = self.turn.lock().await;
        self.clear();
        self.bar().hidden = true;
        let manner = Arc::clone(&self.manner);
        let answer = tokio::task::spawn_blocking(move || ask::form(&question, &manner)).await;
        self.bar().hidden = false;
        let answer = answer.unwrap_or(ask::Answer::Cancel);
        answer.to_json()
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
        .tick_strings(&["|", "/", "-", "\\", " "])
}

impl Front for Terminal {
    fn told(&self, notification: &Message) {
        match notification.method() {
            "notifications/progress" => {
                if let Some(progress) = notification.read() {
                    self.progress(&progress);
                }
            }
            "notifications/message" => {
                if let Some(logged) = notification.read() {
                    self.logged(&logged);
                }
            }
            _ => {}
        }
    }

    fn asked<'a>(&'a self, params: &'a str) -> Answer<'a> {
        Box::pin(async move {
            let question: Option<Question> = serde_json::from_str(params).ok();
            let Some(question) = question else {
                self.note("the server asks something that cannot be shown: declined");
                return ask::Answer::Decline.to_json();
            };
            if !self.asks {
                self.note(&format!(
                    "the server asks: {}: declined, since there is no terminal to answer at",
                    ui::line(&question.message)
                ));
                return ask::Answer::Decline.to_json();
            }
            match question.url.clone() {
                Some(url) if question.mode.as_deref() == Some("url") => {
                    self.visit(&question, &url).await
                }
                _ => self.ask(question).await,
            }
        })
    }
}

impl Terminal {
    /// Shows an address, and opens it when the user wants that (2025-11-25 elicitation §URL Mode).
    async fn visit(&self, question: &Question, url: &str) -> String {
        use crate::auth::browser::{self, SafeUrl};
        let Ok(url) = SafeUrl::new(url) else {
            self.note("the server asks to open an address that is not safe: declined");
            return ask::Answer::Decline.to_json();
        };
        let _turn = self.turn.lock().await;
        self.clear();
        self.bar().hidden = true;
        let (message, shown) = (question.message.clone(), url.clone());
        let manner = Arc::clone(&self.manner);
        let asked = tokio::task::spawn_blocking(move || ask::visit(&message, &shown, &manner));
        let answer = asked.await.unwrap_or(ask::Answer::Cancel);
        self.bar().hidden = false;
        if matches!(answer, ask::Answer::Accept(_))
            && !self.manner.no_browser
            && let Err(wrong) = browser::open(&url, self.manner.browser.as_deref()).await
        {
            self.note(&format!("{wrong}; open the address by hand"));
        }
        answer.to_json()
    }
}
