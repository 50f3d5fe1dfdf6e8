use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use super::{Kept, Stores};
use crate::cli::import::hash::Seed;

const URL: &str = "https://mcp.example.com/mcp";
/// The digest of the URL alone.
const PREFIX: &str = "94baabe3c3fadb285b26c035e4e86046";

fn seed() -> Seed {
    Seed {
        url: URL.to_owned(),
        ..Seed::default()
    }
}

fn write(base: &Path, folder: &str, name: &str, text: &str, at: u64) {
    let folder = base.join(folder);
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{PREFIX}_{name}"));
    fs::write(&path, text).unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(at))
        .unwrap();
}

fn only(base: &Path) -> Kept {
    Stores::scan(&[base.to_owned()]).kept.remove(0)
}

#[test]
fn the_newest_of_all_versions_comes_first() {
    let base = tempfile::tempdir().unwrap();
    for (folder, at) in [
        ("mcp-remote-0.1.29", 10),
        ("mcp-remote-v1", 20),
        ("mcp-remote-0.1.37", 30),
        ("other", 40),
        ("mcp-remote-0.0.22", 5),
    ] {
        write(base.path(), folder, "tokens.json", "{}", at);
        write(base.path(), folder, "client_info.json", "{}", at);
    }
    fs::write(base.path().join("mcp-remote-0.1.5"), "a file").unwrap();
    let missing = base.path().join("none");
    let stores = Stores::scan(&[missing, base.path().to_owned()]);
    assert_eq!(stores.wrongs, Vec::<String>::new());
    let seeds = [seed()];
    let times: Vec<u64> = stores.of(&seeds).map(|kept| kept.at).collect();
    assert_eq!(times, [30, 20, 10, 5]);
}

#[test]
fn with_headers_only_the_oldest_folders_go_by_the_url_alone() {
    let base = tempfile::tempdir().unwrap();
    for folder in ["mcp-remote-0.1.29", "mcp-remote-0.1.30", "mcp-remote-v1"] {
        write(base.path(), folder, "tokens.json", "{}", 10);
    }
    let stores = Stores::scan(&[base.path().to_owned()]);
    let with_headers = [Seed {
        headers: vec![("X".to_owned(), "1".to_owned())],
        ..seed()
    }];
    let folders: Vec<_> = stores
        .of(&with_headers)
        .map(|kept| kept.folder.clone())
        .collect();
    assert_eq!(folders, [base.path().join("mcp-remote-0.1.29")]);
}

#[test]
fn files_of_0_15_are_read_whole() {
    let base = tempfile::tempdir().unwrap();
    let tokens = r#"{"access_token":"a","token_type":"bearer","expires_in":60,"refresh_token":"r","id_token":"i",
        "scope":"s","issuer":"https://as","expires_at":2000500,"requested_scope":"s t"}"#;
    let client = r#"{"client_id":"c","client_secret":"k","client_secret_expires_at":0,
        "redirect_uris":["http://localhost:5000/oauth/callback"],"token_endpoint_auth_method":"client_secret_post"}"#;
    write(base.path(), "mcp-remote-v1", "tokens.json", tokens, 1990);
    write(
        base.path(),
        "mcp-remote-v1",
        "client_info.json",
        client,
        1000,
    );
    let foreign = only(base.path()).read().unwrap();
    let read = &foreign.tokens;
    let shown = |secret: &Option<crate::secret::Secret>| secret.as_ref().unwrap().expose().clone();
    assert_eq!(
        (read.access.expose().as_str(), read.token_type.as_str()),
        ("a", "Bearer")
    );
    assert_eq!(
        (shown(&read.refresh), shown(&read.id_token)),
        ("r".to_owned(), "i".to_owned())
    );
    assert_eq!((read.expires_at, read.obtained_at), (Some(2000), 1990));
    assert_eq!(foreign.issuer.as_deref(), Some("https://as"));
    assert_eq!(foreign.asked_scope.as_deref(), Some("s t"));
    let client = foreign.client.unwrap();
    assert_eq!(
        (client.client_id.as_str(), client.auth_method.as_str()),
        ("c", "client_secret_post")
    );
    assert_eq!(
        (shown(&client.client_secret), client.secret_expires_at),
        ("k".to_owned(), None)
    );
    assert_eq!(
        client.redirect_uri.as_deref(),
        Some("http://localhost:5000/oauth/callback")
    );
}

#[test]
fn files_of_old_versions_are_as_old_as_their_tokens() {
    let base = tempfile::tempdir().unwrap();
    let tokens = r#"{"access_token":"a","token_type":"Bearer","expires_in":"60"}"#;
    write(base.path(), "mcp-remote-0.1.5", "tokens.json", tokens, 1000);
    let foreign = only(base.path()).read().unwrap();
    assert_eq!(foreign.tokens.expires_at, Some(1060));
    assert!(foreign.issuer.is_none() && foreign.client.is_none());
    let endless = r#"{"access_token":"a","token_type":"Bearer"}"#;
    write(
        base.path(),
        "mcp-remote-0.1.5",
        "tokens.json",
        endless,
        1000,
    );
    assert_eq!(only(base.path()).read().unwrap().tokens.expires_at, None);
}

#[test]
fn what_is_damaged_is_named_without_its_text() {
    for text in [
        "",
        "[]",
        "{\"access_token\": \"s3cret",
        "{\"access_token\":\"\"}",
        "{\"refresh_token\":\"s3cret\"}",
        r#"{"access_token":"s3cret","token_type":"mac"}"#,
        "\"s3cret\"",
    ] {
        let base = tempfile::tempdir().unwrap();
        write(base.path(), "mcp-remote-v1", "tokens.json", text, 1000);
        let wrong = only(base.path()).read().unwrap_err();
        assert!(wrong.contains("tokens.json is damaged"), "{wrong}");
        assert!(!wrong.contains("s3cret"), "{wrong}");
    }
    let base = tempfile::tempdir().unwrap();
    let tokens = r#"{"access_token":"a","token_type":"Bearer"}"#;
    write(base.path(), "mcp-remote-v1", "tokens.json", tokens, 1000);
    write(base.path(), "mcp-remote-v1", "client_info.json", "{}", 1000);
    assert!(
        only(base.path())
            .read()
            .unwrap_err()
            .contains("client_info.json")
    );
}
