//! The path of this program that an entry names: absolute, since hosts have a short PATH, and one that stays when the
//! program is renewed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use url::Url;

use crate::cli::connection::Env;
use crate::error::{Exit, Fatal};
use crate::net::guard;

/// The command of an entry.
///
/// # Errors
/// The system does not say where this program is.
pub fn command(env: &Env<'_>) -> Result<String, Fatal> {
    let here = std::env::current_exe().map_err(|wrong| Fatal {
        exit: Exit::Failed,
        message: format!("cannot tell where this program is: {wrong}"),
        hint: None,
    })?;
    let path = env("PATH").unwrap_or_default();
    let stable = stable(&here, std::env::split_paths(&path));
    Ok(stable.to_string_lossy().into_owned())
}

/// The first path of that name on PATH that leads to `here`: a link like that of Homebrew stays when the version changes.
fn stable(here: &Path, folders: impl Iterator<Item = PathBuf>) -> PathBuf {
    let name = here.file_name().unwrap_or(OsStr::new("mcp-tether"));
    let real = here.canonicalize().unwrap_or_else(|_| here.to_owned());
    let mut paths = folders
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name));
    let found = paths.find(|path| path.canonicalize().is_ok_and(|found| found == real));
    found.unwrap_or_else(|| here.to_owned())
}

/// Whether that is a command of ours, whatever its folder and version.
pub fn is_ours(command: &str) -> bool {
    let file = command.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = file.strip_suffix(".exe").unwrap_or(file);
    name == env!("CARGO_PKG_NAME")
}

/// The server in the arguments of an entry of ours, or of mcp-remote: a URL without what may be a secret, or a name of the config
/// file.
pub fn server(args: &[String]) -> Option<String> {
    let mut urls = args.iter().filter_map(|arg| Url::parse(arg).ok());
    let url = urls.find(Url::has_host);
    let name = || {
        let first = args.iter().find(|arg| *arg != "run")?;
        (!first.starts_with('-')).then(|| first.clone())
    };
    url.map(|url| guard::shown(&url)).or_else(name)
}

/// Why the path may lead nowhere one day.
pub fn warning(command: &str) -> Option<&'static str> {
    command.contains("_npx").then_some(
        "mcp-tether runs from the cache of npx, which may be emptied; install it to keep it",
    )
}

#[cfg(all(test, unix))]
mod tests {
    use super::{is_ours, server, stable};
    use std::path::PathBuf;

    #[test]
    fn a_link_on_the_path_is_taken_if_it_leads_here() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let make = |path: &str| {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            path
        };
        let here = make("Cellar/mcp-tether/0.1.0/bin/mcp-tether");
        make("other/mcp-tether");
        let link = folder.join("bin/mcp-tether");
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&here, &link).unwrap();
        let folders = ["other", "bin"].map(|name| folder.join(name));
        let relative = [PathBuf::from("bin")];
        assert_eq!(
            stable(&here, relative.into_iter().chain(folders.clone())),
            link
        );
        assert_eq!(stable(&here, folders.into_iter().take(1)), here);
    }

    #[test]
    fn our_commands_are_known_by_their_name() {
        for ours in [
            "mcp-tether",
            "/opt/bin/mcp-tether",
            "C:\\x y\\mcp-tether.exe",
        ] {
            assert!(is_ours(ours), "{ours}");
        }
        for other in ["npx", "/opt/mcp-tether/npx", "my-mcp-tether", ""] {
            assert!(!is_ours(other), "{other}");
        }
    }

    #[test]
    fn the_server_of_an_entry_is_told_without_secrets() {
        for (args, wanted) in [
            (
                &["https://a.example/mcp?key=s3cret"][..],
                Some("https://a.example/mcp?key=.."),
            ),
            (
                &["run", "https://u:s3cret@a.example/mcp"],
                Some("https://a.example/mcp"),
            ),
            (
                &[
                    "--header",
                    "Authorization: Bearer s3cret",
                    "https://a.example/",
                ],
                Some("https://a.example/"),
            ),
            (&["linear", "--silent"], Some("linear")),
            (&["run", "linear"], Some("linear")),
            (&["--header", "Authorization: Bearer s3cret"], None),
            (&[], None),
        ] {
            let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
            assert_eq!(server(&args).as_deref(), wanted, "{args:?}");
        }
    }
}
