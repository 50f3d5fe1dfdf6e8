use super::{Files, replace};
use crate::store::Record;
use crate::store::StoreError;
use crate::store::contract::{key, record};

#[test]
fn what_a_killed_writer_left_goes_with_the_record() {
    let home = tempfile::tempdir().unwrap();
    let files = Files::new(home.path());
    let (one, other) = (key("one"), key("other"));
    files.save(&Record::new(one.clone())).unwrap();
    files.save(&Record::new(other.clone())).unwrap();
    let unfinished = home.path().join(".mcp-tether-x1y2z3.new");
    std::fs::write(&unfinished, "half a token").unwrap();
    files.delete(&one).unwrap();
    assert!(!unfinished.exists() && files.load(&other).unwrap().is_some());
    std::fs::write(&unfinished, "half a token").unwrap();
    files.delete(&one).unwrap();
    assert!(!unfinished.exists(), "also when the record is gone");
}

#[test]
fn a_damaged_file_is_named_and_never_lost() {
    let home = tempfile::tempdir().unwrap();
    let files = Files::new(home.path());
    let record = record("default");
    let path = files.path(&record.key);
    for n in 1..=2 {
        std::fs::write(&path, format!("damaged {n}")).unwrap();
        let wrong = files.load(&record.key).unwrap_err();
        assert!(wrong.to_string().contains(path.to_str().unwrap()));
        assert!(matches!(wrong, StoreError::Corrupt(..)));
        assert!(path.exists(), "reading leaves it");
        files.save(&record).unwrap();
        let kept = path.with_extension(format!("unreadable-{n}"));
        assert_eq!(
            std::fs::read_to_string(kept).unwrap(),
            format!("damaged {n}")
        );
        assert_eq!(files.load(&record.key).unwrap().unwrap(), record);
    }
}

#[test]
fn nothing_but_the_record_is_left_in_the_folder() {
    let home = tempfile::tempdir().unwrap();
    let files = Files::new(&home.path().join("credentials"));
    let record = record("default");
    files.save(&record).unwrap();
    files.save(&record).unwrap();
    let names = || std::fs::read_dir(&files.folder).unwrap().count();
    assert_eq!(names(), 1);
    files.delete(&record.key).unwrap();
    assert_eq!(names(), 0);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let home = tempfile::tempdir().unwrap();
    let taken = home.path().join("taken");
    std::fs::write(&taken, "").unwrap();
    let wrong = Files::new(&taken).save(&record("default")).unwrap_err();
    assert!(matches!(&wrong, StoreError::File(path, _) if path.starts_with(&taken)));
    assert!(wrong.hint().contains(taken.to_str().unwrap()));
}

#[cfg(unix)]
#[test]
fn a_file_is_0600_and_its_folder_0700() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("open");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    let file = folder.join("file");
    std::fs::write(&file, "old").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
    replace(&file, b"new").unwrap();
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
    let (deep, new) = (home.path().join("a/b"), home.path().join("a/b/new"));
    replace(&new, b"new").unwrap();
    assert_eq!((mode(&deep), mode(&new)), (0o700, 0o600));
}

#[cfg(unix)]
#[test]
fn modes_hold_without_a_umask() {
    // The umask belongs to the whole process, so that another one runs the test above.
    let status = std::process::Command::new("sh")
        .args(["-c", "umask 000; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "store::file::tests::a_file_is_0600_and_its_folder_0700",
        ])
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
}
