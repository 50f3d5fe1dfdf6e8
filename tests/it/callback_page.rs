//! The page that a sign-in ends with, in headless Chromium: what it says, that its policy lets its style through, and
//! screenshots in both colour schemes, which stay in `target/tmp`.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use mcp_tether::auth::loopback::{Callback, End, Host, Listener, Port};
use mcp_tether::secret::Secret;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// The longest that Chromium may take for one page.
const LONG: Duration = Duration::from_secs(60);

/// The path of the browser, which CI installs.
fn chromium() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .flat_map(|folder| ["chromium", "google-chrome"].map(|name| folder.join(name)))
        .find(|program| program.is_file())
        .expect("Chromium is installed")
}

/// Starts the browser on an address, with a profile of its own.
fn browse(profile: &Path, options: &[&str], url: &str) -> Child {
    Command::new(chromium())
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--enable-logging=stderr",
            "--window-size=900,640",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(options)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn output(browser: Child) -> Output {
    let output = timeout(LONG, browser.wait_with_output()).await;
    let output = output.expect("the browser ends").unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    assert!(!log.contains("Content Security Policy"), "{log}");
    output
}

/// How the sign-in ends.
#[derive(Clone, Copy)]
enum Ending {
    Success,
    Denial,
    Failure,
    Late,
    Unknown,
}

async fn end(callback: Callback, ending: Ending) {
    match ending {
        Ending::Denial => callback.fail(End::Refused).await,
        Ending::Failure => callback.fail(End::Failed).await,
        Ending::Success | Ending::Late | Ending::Unknown => callback.succeed(None).await,
    }
}

/// Signs in with a browser that has these options; a late tab or an unknown link is a second visit. Gives what the browser
/// of the visit in question wrote.
async fn visit(ending: Ending, options: &[&str]) -> Output {
    let profile = tempfile::tempdir().unwrap();
    let bound = Listener::bind(Host::Ipv4, Port::Any, "/oauth/callback").await;
    let mut listener = bound.unwrap();
    let state = Secret::new("k33p".to_owned());
    let answer = match ending {
        Ending::Denial => "error=access_denied&error_description=n0pe",
        _ => "code=c0de",
    };
    let url = format!("{}?{answer}&state=k33p", listener.redirect_uri());
    let first = browse(profile.path(), options, &url);
    let callback = timeout(LONG, listener.callback(&state)).await;
    end(callback.expect("the browser asks"), ending).await;
    let first = output(first).await;
    let again = match ending {
        Ending::Late => url,
        Ending::Unknown => format!("{}?code=c0de&state=other", listener.redirect_uri()),
        _ => return first,
    };
    output(browse(profile.path(), options, &again)).await
}

async fn check(name: &str, ending: Ending, heading: &str) {
    let output = visit(ending, &["--dump-dom"]).await;
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(page.contains(&format!("<h1>{heading}</h1>")), "{page}");
    for secret in ["c0de", "k33p", "access_denied", "n0pe"] {
        assert!(!page.contains(secret), "{page}");
    }
    let mut pictures = Vec::new();
    for (scheme, setting) in [("light", 1), ("dark", 0)] {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{scheme}.png"));
        let picture = format!("--screenshot={}", file.display());
        let setting = format!("--blink-settings=preferredColorScheme={setting}");
        visit(ending, &[&picture, &setting]).await;
        pictures.push(std::fs::read(&file).unwrap());
    }
    assert_ne!(pictures[0], pictures[1], "dark is not light");
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn success() {
    check("success", Ending::Success, "You are signed in").await;
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn denial() {
    check("denial", Ending::Denial, "Access was not given").await;
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn failure() {
    check("failure", Ending::Failure, "The sign-in did not work").await;
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn late_tab() {
    check("late", Ending::Late, "This link was already used").await;
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn unknown_link() {
    check("unknown", Ending::Unknown, "No sign-in waits for this link").await;
}
