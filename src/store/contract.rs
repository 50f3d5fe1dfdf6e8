//! What each store has to do, as one test for all of them.

use std::fmt::Write as _;
use std::path::Path;

use super::{Client, Folders, Key, Kind, Login, Place, Record, Store, Tokens, logins};
use crate::secret::Secret;

/// The key of one profile.
pub(super) fn key(profile: &str) -> Key {
    Key {
        issuer: "https://as.example.com".to_owned(),
        client_id: "client".to_owned(),
        resource: "https://example.com/mcp".to_owned(),
        profile: profile.to_owned(),
        grant: None,
    }
}

/// A record of one profile.
pub(super) fn record(profile: &str) -> Record {
    let mut record = Record::new(key(profile));
    let access = Secret::new(format!("access-{profile}"));
    record.tokens = Some(Tokens::new(access, "Bearer".to_owned(), 1000));
    record.client = Some(Client::public(
        "client".to_owned(),
        record.key.issuer.clone(),
    ));
    record
}

fn folders(home: &Path) -> Folders {
    Folders {
        credentials: home.join("data/credentials"),
        state: home.join("state"),
    }
}

/// Runs the contract; `store` has none of its keys before and after.
pub(super) async fn check(store: &Store) {
    let (one, two) = (record("one"), record("zwei \u{1f511} \u{e4}\u{5b57}"));
    for key in [&one.key, &two.key] {
        assert_eq!(store.load(key).await.unwrap(), None, "absent");
        store.delete(key).await.unwrap();
    }
    store.save(&one).await.unwrap();
    store.save(&two).await.unwrap();
    assert_eq!(store.load(&one.key).await.unwrap(), Some(one.clone()));
    assert_eq!(store.load(&two.key).await.unwrap(), Some(two.clone()));
    let mut named = two.clone();
    named.servers.insert("https://example.com/mcp".to_owned());
    for record in [&one, &two, &named, &two] {
        store.save(record).await.unwrap();
        assert_eq!(
            store.load(&record.key).await.unwrap().as_ref(),
            Some(record)
        );
        let listed = store.list().await.unwrap();
        assert!(
            listed.contains(&Login::new(record, store.place())),
            "{listed:?}"
        );
    }

    let mut large = one.clone();
    large.generation += 1;
    let mut text = String::new();
    for n in 0..6000 {
        write!(text, "{n:>9} \u{e4}").unwrap();
    }
    assert!(text.len() > 60 * 1024);
    large.initialize_result = Some(text);
    store.save(&large).await.unwrap();
    assert_eq!(store.load(&one.key).await.unwrap(), Some(large));
    store.save(&one).await.unwrap();
    assert_eq!(
        store.load(&one.key).await.unwrap(),
        Some(one.clone()),
        "shrunk"
    );

    store.delete(&one.key).await.unwrap();
    assert_eq!(store.load(&one.key).await.unwrap(), None, "deleted");
    assert_eq!(
        store.load(&two.key).await.unwrap(),
        Some(two.clone()),
        "kept"
    );
    store.delete(&two.key).await.unwrap();
    let left = store.list().await.unwrap();
    assert!(
        left.iter()
            .all(|login| login.key != one.key && login.key != two.key)
    );
}

#[tokio::test]
async fn memory() {
    let home = tempfile::tempdir().unwrap();
    let folders = folders(home.path());
    for store in [
        Store::open(Kind::Memory, &folders).await.unwrap(),
        Store::at(Place::Memory, &folders),
    ] {
        assert_eq!(store.place(), Place::Memory);
        check(&store).await;
    }
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn file() {
    let home = tempfile::tempdir().unwrap();
    let folders = folders(home.path());
    let store = Store::open(Kind::File, &folders).await.unwrap();
    assert_eq!(store.place(), Place::File);
    check(&store).await;
    let index = std::fs::read_to_string(home.path().join("state/index.json")).unwrap();
    assert!(!index.contains("access-"), "{index}");
}

#[tokio::test]
async fn what_one_process_keeps_another_finds_at_its_place() {
    let home = tempfile::tempdir().unwrap();
    let folders = folders(home.path());
    let mut kept = record("default");
    kept.servers.insert("https://example.com/mcp".to_owned());
    kept.asked_scope = Some("read".to_owned());
    let store = Store::open(Kind::File, &folders).await.unwrap();
    store.save(&kept).await.unwrap();
    let found = logins(&folders).await.unwrap();
    assert_eq!(found, [Login::new(&kept, Place::File)]);
    assert_eq!(found, store.list().await.unwrap());
    let again = Store::at(found[0].place, &folders);
    assert_eq!(again.load(&found[0].key).await.unwrap(), Some(kept));
}

#[test]
fn a_store_at_a_place_is_opened_without_writing() {
    let home = tempfile::tempdir().unwrap();
    for place in [Place::Keyring, Place::File, Place::Memory] {
        assert_eq!(Store::at(place, &folders(home.path())).place(), place);
    }
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}
