//! The log: warnings on stderr, everything in a file when asked for.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{self as layers, FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use super::{plain, redact};

/// A log file over this many bytes is put aside as `.1`, and a new one begun.
const ROTATE: u64 = 8 << 20;

/// What goes to stderr.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Verbosity {
    /// Nothing but the reason of an end.
    Silent,
    /// Warnings.
    #[default]
    Quiet,
    /// Everything.
    Debug,
}

/// How lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What to log, and where.
#[derive(Debug, Clone, Default)]
pub struct LogOptions {
    /// What goes to stderr.
    pub verbosity: Verbosity,
    /// How lines look.
    pub format: Format,
    /// A file that gets everything.
    pub file: Option<PathBuf>,
    /// Whether stderr gets colour.
    pub color: bool,
}

type Boxed = Box<dyn Layer<Registry> + Send + Sync>;

/// Starts the log of this process.
///
/// # Errors
/// When the file cannot be opened.
pub fn start(options: &LogOptions) -> anyhow::Result<()> {
    let level = match options.verbosity {
        Verbosity::Silent => LevelFilter::OFF,
        Verbosity::Quiet => LevelFilter::WARN,
        Verbosity::Debug => LevelFilter::DEBUG,
    };
    let mut all: Vec<Boxed> = vec![layer(options, Stderr, level, Stamp::None)];
    if let Some(path) = &options.file {
        let file =
            LogFile::open(path).with_context(|| format!("open the log file {}", path.display()))?;
        all.push(layer(options, file, LevelFilter::DEBUG, Stamp::Time));
    }
    // A second start in one process, as in tests of the library, keeps the first log.
    let _ = tracing_subscriber::registry().with(all).try_init();
    Ok(())
}

fn layer<W>(options: &LogOptions, writer: W, level: LevelFilter, stamp: Stamp) -> Boxed
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // Other crates may log what we would not: headers, say.
    let ours = tracing_subscriber::filter::filter_fn(|metadata| {
        metadata.target().starts_with("mcp_tether")
    });
    let base = layers::layer().with_writer(writer);
    match options.format {
        Format::Json => base
            .json()
            .flatten_event(true)
            .with_filter(level)
            .with_filter(ours)
            .boxed(),
        Format::Text => {
            let line = Line {
                stamp,
                color: options.color && matches!(stamp, Stamp::None),
            };
            base.event_format(line)
                .with_filter(level)
                .with_filter(ours)
                .boxed()
        }
    }
}

/// What a line begins with.
#[derive(Debug, Clone, Copy)]
enum Stamp {
    /// The program's name, as on stderr.
    None,
    /// Time and process, as in a file that several copies write.
    Time,
}

/// One line for people.
struct Line {
    stamp: Stamp,
    color: bool,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        match self.stamp {
            Stamp::None => write!(out, "mcp-tether: ")?,
            Stamp::Time => {
                let now = httpdate::HttpDate::from(std::time::SystemTime::now());
                write!(out, "{now} [{}] ", std::process::id())?;
            }
        }
        let (word, colour) = match *event.metadata().level() {
            Level::ERROR | Level::WARN => ("warning: ", "\x1b[33m"),
            Level::INFO => ("", ""),
            Level::DEBUG | Level::TRACE => ("debug: ", "\x1b[2m"),
        };
        if self.color && !colour.is_empty() {
            write!(out, "{colour}{word}\x1b[0m")?;
        } else {
            write!(out, "{word}")?;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        // A server's words must neither begin a line of their own nor move a cursor.
        writeln!(out, "{}{}", plain::line(&fields.message), fields.rest)
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    rest: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            let value = plain::line(&format!("{value:?}"));
            self.rest.push_str(&format!(" {}={value}", field.name()));
        }
    }
}

/// stderr, a whole line at a time.
struct Stderr;

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = Redacting<io::Stderr>;

    fn make_writer(&'a self) -> Self::Writer {
        Redacting(io::stderr())
    }
}

/// Removes what looks like a secret from what passes: the net below the types that hide them.
struct Redacting<W: Write>(W);

impl<W: Write> Write for Redacting<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let line_text = String::from_utf8_lossy(line);
        let line_text = redact::text(&line_text);
        self.0.write_all(plain::json(&line_text).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A log file that is put aside when it has grown too large.
struct LogFile {
    path: PathBuf,
    state: Mutex<(File, u64)>,
}

impl LogFile {
    fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            make(folder)?;
        }
        let file = append(path)?;
        let size = file.metadata()?.len();
        Ok(Self {
            path: path.to_owned(),
            state: Mutex::new((file, size)),
        })
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.1 > ROTATE {
            let mut aside = self.path.clone().into_os_string();
            aside.push(".1");
            fs::rename(&self.path, aside)?;
            *state = (append(&self.path)?, 0);
        }
        state.0.write_all(text.as_bytes())?;
        state.1 += text.len() as u64;
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogFile {
    type Writer = Redacting<&'a Self>;

    fn make_writer(&'a self) -> Self::Writer {
        Redacting(self)
    }
}

impl Write for &LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        LogFile::write(self, &String::from_utf8_lossy(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes a folder that only this user can enter; one that is there stays as it is.
fn make(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Opens a file that only this user can read.
fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::{LogFile, ROTATE};

    #[test]
    fn a_full_log_is_put_aside() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("logs/a.log");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::File::create(&path)
            .unwrap()
            .set_len(ROTATE + 1)
            .unwrap();
        let log = LogFile::open(&path).unwrap();
        log.write("first\n").unwrap();
        log.write("second\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "first\nsecond\n");
        assert!(path.with_extension("log.1").exists());
    }
}
