use super::{Board, LONGEST, Notice};
use crate::store::Lock;

fn open() -> Notice {
    Notice::Open {
        url: "https://as.example.com/authorize?state=hunter".to_owned(),
        code: Some("hunter".to_owned()),
        link: None,
    }
}

fn failed() -> Notice {
    Notice::Failed {
        what: "hunter was refused".to_owned(),
        at: 1000,
    }
}

fn board(home: &tempfile::TempDir) -> Board {
    let state = home.path().join("state");
    Board::of(&Lock::of_server(
        &state,
        "https://example.com/mcp",
        "default",
    ))
}

#[test]
fn a_notice_is_read_until_it_is_replaced_or_taken_down() {
    let home = tempfile::tempdir().unwrap();
    let board = board(&home);
    assert_eq!(board.read(), None);
    board.clear();
    assert!(!home.path().join("state").exists(), "asking writes nothing");
    for notice in [open(), failed(), open()] {
        board.post(&notice);
        assert_eq!(board.read(), Some(notice));
    }
    let left = std::fs::read_dir(home.path().join("state")).unwrap();
    assert_eq!(left.count(), 1, "no temporary file stays");
    board.clear();
    assert_eq!(board.read(), None);
}

#[test]
fn it_is_plain_json_beside_the_lock() {
    let home = tempfile::tempdir().unwrap();
    let lock = Lock::of_server(home.path(), "https://example.com/mcp", "default");
    let board = Board::of(&lock);
    board.post(&failed());
    let path = format!("{}.json", lock.path().display());
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(
        text,
        r#"{"failed":{"what":"hunter was refused","at":1000}}"#
    );
    assert!(!lock.path().exists());
}

#[test]
fn a_notice_without_a_code_is_one_too() {
    let home = tempfile::tempdir().unwrap();
    let board = board(&home);
    board.post(&open());
    std::fs::write(&board.path, r#"{"open":{"url":"https://as.example.com/"}}"#).unwrap();
    let read = Notice::Open {
        url: "https://as.example.com/".to_owned(),
        code: None,
        link: None,
    };
    assert_eq!(board.read(), Some(read));
}

#[test]
fn what_is_no_notice_is_none() {
    let home = tempfile::tempdir().unwrap();
    let board = board(&home);
    board.post(&open());
    let text = std::fs::read_to_string(&board.path).unwrap();
    let long = format!("{text}{}", " ".repeat(usize::try_from(LONGEST).unwrap()));
    let later = r#"{"later":{"url":"x"}}"#;
    for foreign in [
        "",
        "{",
        "null",
        "{}",
        later,
        r#"{"open":{"url":7}}"#,
        &text[1..],
    ] {
        std::fs::write(&board.path, foreign).unwrap();
        assert_eq!(board.read(), None, "{foreign}");
    }
    std::fs::write(&board.path, b"\xff\xfe").unwrap();
    assert_eq!(board.read(), None);
    std::fs::write(&board.path, long.replace("hunter", &" ".repeat(70_000))).unwrap();
    assert_eq!(board.read(), None, "too long");
    std::fs::remove_file(&board.path).unwrap();
    std::fs::create_dir(&board.path).unwrap();
    assert_eq!(board.read(), None, "a folder");
    board.post(&open());
    board.clear();
    assert_eq!(board.read(), None);
}

#[test]
fn debug_shows_no_contents() {
    let shown = format!("{:?} {:#?}", [open(), failed()], [open(), failed()]);
    assert!(
        !shown.contains("hunter") && !shown.contains("as.example.com"),
        "{shown}"
    );
    assert!(shown.contains("Open") && shown.contains("1000"), "{shown}");
}

#[cfg(unix)]
#[test]
fn a_notice_is_0600_and_its_folder_0700() {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    let home = tempfile::tempdir().unwrap();
    let board = board(&home);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    board.post(&open());
    assert_eq!(mode(&board.path), 0o600);
    assert_eq!(mode(&home.path().join("state")), 0o700);
    std::fs::set_permissions(&board.path, std::fs::Permissions::from_mode(0o666)).unwrap();
    board.post(&failed());
    assert_eq!(mode(&board.path), 0o600);
}

// Elsewhere a file that is being replaced may refuse to be opened.
#[cfg(unix)]
#[test]
fn a_reader_sees_the_old_or_the_new_notice() {
    let home = tempfile::tempdir().unwrap();
    let board = board(&home);
    board.post(&open());
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for _ in 0..200 {
                board.post(&failed());
                board.post(&open());
            }
        });
        while !writer.is_finished() {
            assert!(board.read().is_some());
        }
    });
}
