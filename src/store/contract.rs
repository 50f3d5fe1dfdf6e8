//! What each store has to do, as one test for all of them.

use std::fmt::Write as _;

use super::{Client, Key, Record, Store, Tokens};
use crate::secret::Secret;

/// The key of one profile.
pub(super) fn key(profile: &str) -> Key {
    Key {
        issuer: "https://as.example.com".to_owned(),
        client_id: "client".to_owned(),
        resource: "https://example.com/mcp".to_owned(),
        profile: profile.to_owned(),
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
    let mut listed: Vec<Key> = Vec::new();
    listed.extend(
        store
            .list()
            .await
            .unwrap()
            .into_iter()
            .map(|login| login.key),
    );
    assert!(listed.contains(&one.key) && listed.contains(&two.key));

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
    check(&Store::Memory(super::memory::Memory::default())).await;
}

#[tokio::test]
async fn file() {
    let home = tempfile::tempdir().unwrap();
    let folders = super::Folders {
        credentials: home.path().join("data/credentials"),
        state: home.path().join("state"),
    };
    let store = Store::open(super::Kind::File, &folders).await.unwrap();
    check(&store).await;
    let index = std::fs::read_to_string(home.path().join("state/index.json")).unwrap();
    assert!(!index.contains("access-"), "{index}");
}
