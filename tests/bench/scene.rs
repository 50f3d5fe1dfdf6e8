//! Everything that stands ready before the first measurement: a folder, the server's process, a
//! program that does nothing.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use tempfile::TempDir;

use crate::plan::Scheme;

/// What the measurements share.
pub struct Scene {
    /// Deleted at the end; also the home of every bridge.
    folder: TempDir,
    /// The server. It leaves when its stdin is closed, so never outlives this process.
    server: Child,
    http: String,
    https: String,
    modern: String,
    /// How to run a program that does nothing.
    pub empty: Vec<PathBuf>,
    /// What the empty program is.
    pub empty_name: &'static str,
    /// Fewer rounds, shorter ones.
    pub quick: bool,
}

impl Scene {
    /// Starts the server and builds the empty program.
    pub fn set(quick: bool) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("create a folder")?;
        let this = std::env::current_exe().context("find this program")?;
        let mut server = Command::new(&this)
            .arg("--serve")
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start the server")?;
        let stdout = server.stdout.take().context("no stdout")?;
        let mut lines = BufReader::new(stdout).lines();
        let mut url = || lines.next().context("the server did not start");
        let (http, https, modern) = (url()??, url()??, url()??);
        let (empty, empty_name) = match compile_empty(folder.path()) {
            Ok(program) => (vec![program], "an empty Rust program"),
            Err(_) => (vec![this, "--empty".into()], "this program doing nothing"),
        };
        Ok(Self {
            folder,
            server,
            http,
            https,
            modern,
            empty,
            empty_name,
            quick,
        })
    }

    /// The server's address.
    pub fn url(&self, scheme: Scheme) -> &str {
        match scheme {
            Scheme::Http => &self.http,
            Scheme::Https => &self.https,
            Scheme::Modern => &self.modern,
        }
    }

    /// A folder for whatever a bridge wants to keep.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The certificate of the private CA, as PEM.
    pub fn ca_file(&self) -> PathBuf {
        ca_file(self.folder.path())
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        drop(self.server.stdin.take());
        let _ = self.server.wait();
    }
}

/// Where the server leaves its CA certificate.
pub fn ca_file(folder: &Path) -> PathBuf {
    folder.join("ca.pem")
}

/// Compiles the smallest program, to compare starts with.
fn compile_empty(folder: &Path) -> anyhow::Result<PathBuf> {
    let source = folder.join("empty.rs");
    let program = folder.join("empty");
    std::fs::write(&source, "fn main() {}")?;
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let status = Command::new(rustc)
        .arg("-O")
        .arg("-o")
        .args([&program, &source])
        .stderr(Stdio::null())
        .status()?;
    anyhow::ensure!(status.success(), "rustc failed");
    Ok(program)
}
