use super::{Index, Login, Place, logins};
use crate::store::contract::{key, record};
use crate::store::{Folders, StoreError};

#[test]
fn eight_writers_lose_nothing() {
    let home = tempfile::tempdir().unwrap();
    let index = Index::new(home.path());
    std::thread::scope(|scope| {
        for n in 0..8 {
            let index = index.clone();
            scope.spawn(move || index.add(&Login::new(&record(&n.to_string()), Place::File)));
        }
    });
    assert_eq!(index.list().unwrap().len(), 8);
    index.remove(&key("3"));
    assert_eq!(index.list().unwrap().len(), 7);
}

#[test]
fn what_is_on_the_list_already_takes_no_lock() {
    let home = tempfile::tempdir().unwrap();
    let index = Index::new(home.path());
    let mut login = Login::new(&record("default"), Place::Keyring);
    index.add(&login);
    let lock = index.lock.path();
    std::fs::remove_file(lock).unwrap();
    index.add(&login);
    assert!(!lock.exists());
    login.place = Place::File;
    index.add(&login);
    assert!(lock.exists());
    assert_eq!(index.list().unwrap(), [login]);
}

#[test]
fn a_damaged_list_is_told_and_begun_anew_without_losing_it() {
    let home = tempfile::tempdir().unwrap();
    let index = Index::new(home.path());
    for (n, damaged) in (1..).zip(["{", "", "[]", r#"{"logins":{"hunter":2}}"#]) {
        std::fs::write(&index.path, damaged).unwrap();
        let wrong = index.list().unwrap_err();
        assert!(matches!(wrong, StoreError::Corrupt(..)), "{wrong:?}");
        assert!(!format!("{wrong} {wrong:?}").contains("hunter"));
        let login = Login::new(&record("default"), Place::Keyring);
        index.add(&login);
        assert_eq!(index.list().unwrap(), [login]);
        let kept = index.path.with_extension(format!("unreadable-{n}"));
        assert_eq!(std::fs::read_to_string(kept).unwrap(), damaged);
    }
}

#[test]
fn a_list_from_before_there_were_servers_is_read() {
    let home = tempfile::tempdir().unwrap();
    let index = Index::new(home.path());
    let mut old = serde_json::to_value(Login::new(&record("default"), Place::File)).unwrap();
    old.as_object_mut().unwrap().remove("servers").unwrap();
    let old = serde_json::json!({"logins": {key("default").account(): old}});
    std::fs::write(&index.path, old.to_string()).unwrap();
    let listed = index.list().unwrap();
    assert_eq!(listed, [Login::new(&record("default"), Place::File)]);
    assert!(listed[0].servers.is_empty());
}

#[tokio::test]
async fn without_a_list_there_are_no_logins_and_nothing_is_written() {
    let home = tempfile::tempdir().unwrap();
    let folders = Folders {
        credentials: home.path().join("credentials"),
        state: home.path().join("state"),
    };
    assert_eq!(logins(&folders).await.unwrap(), []);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_damaged_list_is_an_error_and_stays_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let folders = Folders {
        credentials: home.path().join("credentials"),
        state: home.path().to_owned(),
    };
    let path = home.path().join("index.json");
    std::fs::write(&path, "{").unwrap();
    let wrong = logins(&folders).await.unwrap_err();
    assert!(matches!(wrong, StoreError::Corrupt(..)), "{wrong:?}");
    assert!(wrong.to_string().contains(path.to_str().unwrap()));
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1);
    assert_eq!(std::fs::read_to_string(path).unwrap(), "{");
}
