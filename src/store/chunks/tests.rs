use super::{Items, SIZE, Text, delete, join, read, split, write};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// Items in memory; the process "is killed" after a number of changes.
#[derive(Default)]
struct Scripted {
    items: RefCell<BTreeMap<String, Vec<u8>>>,
    left: Cell<Option<u32>>,
}

impl Scripted {
    fn step(&self) -> Result<(), ()> {
        match self.left.get() {
            Some(0) => Err(()),
            Some(left) => {
                self.left.set(Some(left - 1));
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Items for Scripted {
    type Error = ();

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, ()> {
        Ok(self.items.borrow().get(name).cloned())
    }

    fn set(&self, name: &str, bytes: &[u8]) -> Result<(), ()> {
        assert!(bytes.len() <= SIZE);
        self.step()?;
        self.items
            .borrow_mut()
            .insert(name.to_owned(), bytes.to_owned());
        Ok(())
    }

    fn delete(&self, name: &str) -> Result<(), ()> {
        self.step()?;
        self.items.borrow_mut().remove(name);
        Ok(())
    }
}

proptest! {
    #[test]
    fn parts_join_to_the_text(text in proptest::collection::vec(any::<u8>(), 0..3 * SIZE)) {
        let (header, parts) = split(&text, 7);
        let parts: Vec<Vec<u8>> = parts.map(<[u8]>::to_vec).collect();
        prop_assert!(parts.iter().all(|part| part.len() <= SIZE));
        prop_assert_eq!(join(&header, &parts), Some(text));
    }
}

#[test]
fn parts_that_are_not_those_of_the_header_are_refused() {
    let text = vec![b'x'; SIZE + 1];
    let (header, parts) = split(&text, 1);
    let mut parts: Vec<Vec<u8>> = parts.map(<[u8]>::to_vec).collect();
    assert_eq!(parts.len(), 2);
    assert_eq!(join(&header, &parts[..1]), None);
    parts[1] = b"y".to_vec();
    assert_eq!(join(&header, &parts), None);
}

#[test]
fn a_writer_killed_at_any_point_leaves_the_old_or_the_new_record() {
    let old = vec![b'o'; 3 * SIZE];
    let new = vec![b'n'; 2 * SIZE];
    for kill in 0.. {
        let items = Scripted::default();
        write(&items, "a", &old).unwrap();
        items.left.set(Some(kill));
        let whole = write(&items, "a", &new).is_ok();
        items.left.set(None);
        let found = read(&items, "a").unwrap();
        assert!(found == Text::Whole(old.clone()) || found == Text::Whole(new.clone()));
        write(&items, "a", b"next").unwrap();
        assert_eq!(read(&items, "a").unwrap(), Text::Whole(b"next".to_vec()));
        assert_eq!(items.items.borrow().len(), 2, "killed after {kill}");
        if whole {
            break;
        }
    }
}

#[test]
fn a_deletion_killed_at_any_point_leaves_all_or_nothing_and_can_be_repeated() {
    let old = vec![b'o'; 3 * SIZE];
    for kill in 0.. {
        let items = Scripted::default();
        write(&items, "a", &old).unwrap();
        items.left.set(Some(kill));
        let whole = delete(&items, "a").is_ok();
        items.left.set(None);
        let found = read(&items, "a").unwrap();
        assert!(found == Text::Whole(old.clone()) || found == Text::Absent);
        delete(&items, "a").unwrap();
        assert_eq!(read(&items, "a").unwrap(), Text::Absent);
        assert_eq!(items.items.borrow().len(), 0, "killed after {kill}");
        if whole {
            break;
        }
    }
}

#[test]
fn a_header_without_its_parts_is_incomplete_and_can_be_replaced() {
    let items = Scripted::default();
    write(&items, "a", b"text").unwrap();
    items.items.borrow_mut().remove("a/1/0");
    assert_eq!(read(&items, "a").unwrap(), Text::Incomplete);
    write(&items, "a", b"next").unwrap();
    assert_eq!(read(&items, "a").unwrap(), Text::Whole(b"next".to_vec()));
}
