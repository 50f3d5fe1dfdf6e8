//! Plans for files, where a real host would have to be quick: files that change under them.

use std::time::{Duration, SystemTime};

use crate::hosts::file::{Plan, Refused, read};

#[test]
fn a_file_that_its_host_wrote_meanwhile_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mcp.json");
    std::fs::write(&path, "theirs").unwrap();
    let plan = Plan {
        path: path.clone(),
        before: Some("old".to_owned()),
        after: "ours".to_owned(),
    };
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    assert!(matches!(plan.write(now), Err(Refused::Changed(_))));
    let new = Plan {
        before: None,
        ..plan
    };
    assert!(matches!(new.write(now), Err(Refused::Changed(_))));
    assert_eq!(read(&path).unwrap().as_deref(), Some("theirs"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_change_that_changes_nothing_shows_nothing() {
    let plan = Plan {
        path: "mcp.json".into(),
        before: Some("same\n".to_owned()),
        after: "same\n".to_owned(),
    };
    assert_eq!(plan.diff(), "");
}

#[test]
fn backups_of_one_second_stand_beside_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mcp.json");
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    let mut before = None;
    let mut names = Vec::new();
    for after in ["a", "b", "c", "c"] {
        let after = after.to_owned();
        let plan = Plan {
            path: path.clone(),
            before,
            after: after.clone(),
        };
        let backup = plan.write(now).unwrap();
        names.push(backup.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()));
        before = Some(after);
    }
    let name = |again: &str| Some(format!("mcp.json.mcp-tether-1970-01-01T000001Z{again}.bak"));
    assert_eq!(names, [None, name(""), name("-2"), None]);
}
