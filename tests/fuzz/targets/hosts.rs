//! Files of hosts: an entry is put in and taken out, and nothing else in the file changes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mcp_tether::hosts::{Entry, Format, Host, all};
use mcp_tether_fuzz::{Pick, json};
use serde_json::Value;

const TEXTS: [&str; 8] = [
    "mcp-tether",
    "https://example.com/mcp?a=b#c",
    "--x=\"quoted\"",
    "C:\\Program Files\\x",
    "a: b",
    "# no comment",
    "${HOME}",
    "\u{4e16}\u{1f600} 'x'",
];

fuzz_target!(|data: &[u8]| {
    let mut pick = Pick(data);
    let hosts: Vec<&Host> = all().collect();
    let host = *pick.of(&hosts);
    let name = *pick.of(&["new", "a", "b.c", "x y", "\"q\""]);
    let entry = Entry {
        name: name.to_owned(),
        command: (*pick.of(&TEXTS)).to_owned(),
        args: vec![(*pick.of(&TEXTS)).to_owned(), (*pick.of(&TEXTS)).to_owned()],
        env: vec![("KEY".to_owned(), (*pick.of(&TEXTS)).to_owned())],
    };
    let Ok(text) = std::str::from_utf8(pick.0) else {
        return;
    };
    let Ok(before) = host.entries(text) else {
        // Where entries should stand is something else: nothing is put there, and there is nothing to take out.
        assert!(host.put(text, &entry).is_err());
        assert!(host.remove(text, name).map_or(true, |after| after == text));
        return;
    };
    let others = |entries: Vec<Entry>| -> Vec<Entry> {
        let others = entries.into_iter().filter(|other| other.name != name);
        others.collect()
    };
    let had = host.has(text, name).expect("it was read");
    let before = others(before);

    if let Ok(after) = host.put(text, &entry) {
        let now = host.entries(&after).expect("it can be read");
        assert!(now.contains(&entry), "{after}");
        assert_eq!(others(now), before);
        assert_eq!(host.put(&after, &entry).as_ref(), Ok(&after));
        one_place(host.format, name, (text, &after));
        if let Ok(gone) = host.remove(&after, name) {
            assert_eq!(host.has(&gone, name), Ok(false));
            assert_eq!(others(host.entries(&gone).expect("it can be read")), before);
            one_place(host.format, name, (text, &gone));
        } else {
            assert!(had, "what was put in cannot be taken out: {after}");
        }
    }
    if let Ok(gone) = host.remove(text, name) {
        assert_eq!(host.has(&gone, name), Ok(false));
        assert_eq!(host.entries(&gone).expect("it can be read"), before);
        if had {
            one_place(host.format, name, (text, &gone));
        } else {
            assert_eq!(gone, text);
        }
    }
});

/// Checks, with other readers than the program's, that two files differ in one place at most.
fn one_place(format: Format, name: &str, (before, after): (&str, &str)) {
    let bare = |text: &str| text.strip_prefix('\u{feff}').unwrap_or(text).to_owned();
    let (before, after) = (bare(before), bare(after));
    match format {
        Format::Json => {
            if json::is_valid(&before) {
                assert!(json::is_valid(&after), "{after}");
                raw(name, &before, &after);
            }
        }
        Format::Toml => {
            let read = |text: &str| text.parse::<toml::Table>().ok();
            if let (Some(before), Some(after)) = (read(&before), read(&after)) {
                let value = |table| serde_json::to_value(toml::Value::Table(table));
                if let (Ok(before), Ok(after)) = (value(before), value(after)) {
                    values(name, &before, &after);
                }
            }
        }
        Format::Yaml => {}
    }
}

/// The same byte for byte but for one member, and in that but for one member, and so on up to the entry.
fn raw(name: &str, before: &str, after: &str) {
    let (Some(before), Some(after)) = (json::members(before), json::members(after)) else {
        return;
    };
    let (short, long) = if before.len() <= after.len() {
        (&before, &after)
    } else {
        (&after, &before)
    };
    let mut long = long.iter().peekable();
    let mut changed = Vec::new();
    for one in short {
        while let Some(other) = long.next_if(|other| other.0 != one.0) {
            changed.push((None, other));
        }
        let other = long.next().expect("a member is gone");
        if other.1 != one.1 {
            changed.push((Some(one.1), other));
        }
    }
    changed.extend(long.map(|other| (None, other)));
    assert!(changed.len() <= 1, "{changed:?}");
    if let Some((Some(one), (known, other))) = changed.first()
        && known != name
    {
        raw(name, one, other);
    }
}

fn values(entry: &str, before: &Value, after: &Value) {
    let (Value::Object(before), Value::Object(after)) = (before, after) else {
        return;
    };
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    names.retain(|name| before.get(*name) != after.get(*name));
    assert!(names.len() <= 1, "{names:?}");
    if let Some(name) = names.first().filter(|name| **name != entry)
        && let (Some(one), Some(other)) = (before.get(*name), after.get(*name))
    {
        values(entry, one, other);
    }
}
