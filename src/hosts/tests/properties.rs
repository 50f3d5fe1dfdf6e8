//! Whatever a file says: an entry that is put in and taken out again leaves all of it, and one that is put in changes
//! nothing but itself.

use proptest::prelude::*;

use crate::hosts::{Entry, Host, by_id};

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,6}",
        "[A-Za-z0-9 _:#'\"\\\\{}\\[\\],&*!|>%@`$./-]{1,12}",
        Just("true".to_owned()),
        Just("12".to_owned()),
        Just("null".to_owned()),
        Just("~".to_owned()),
        Just("- x".to_owned()),
        Just("a\nb".to_owned()),
        Just("ä😀".to_owned()),
        Just(" x ".to_owned()),
    ]
}

fn entry() -> impl Strategy<Value = Entry> {
    let args = prop::collection::vec(word(), 0..4);
    let env = prop::collection::btree_map("[A-Z_]{1,8}", word(), 0..3);
    ("[a-zA-Z][a-zA-Z0-9_.-]{0,8}", word(), args, env).prop_map(|(name, command, args, env)| {
        Entry {
            name: format!("new-{name}"),
            command,
            args,
            env: env.into_iter().collect(),
        }
    })
}

/// Lines that may stand between the members of a file, and how it is indented.
fn style() -> impl Strategy<Value = (String, String, bool)> {
    let gap = prop_oneof![
        Just(""),
        Just("\n"),
        Just("COMMENT a\n"),
        Just("\nCOMMENT b\n\n")
    ];
    let indent = prop_oneof![Just("  "), Just("    "), Just("   ")];
    (gap, indent, any::<bool>())
        .prop_map(|(gap, indent, end)| (gap.to_owned(), indent.to_owned(), end))
}

fn check(host: &Host, text: &str, entry: &Entry) -> Result<(), TestCaseError> {
    let before = host
        .entries(text)
        .unwrap_or_else(|broken| panic!("{broken}\n{text}"));
    let after = host
        .put(text, entry)
        .unwrap_or_else(|broken| panic!("{broken}\n{text}\n{entry:?}"));
    let mut wanted = before.clone();
    wanted.push(entry.clone());
    prop_assert_eq!(&host.entries(&after).unwrap(), &wanted, "{}", after);
    prop_assert_eq!(&host.put(&after, entry).unwrap(), &after);
    let other = Entry {
        args: vec!["other".to_owned()],
        env: Vec::new(),
        ..entry.clone()
    };
    let changed = host
        .put(&after, &other)
        .unwrap_or_else(|broken| panic!("{broken}\n{after}\n{other:?}"));
    let found = host.entries(&changed).unwrap();
    prop_assert_eq!(found.last(), Some(&other));
    for text in [&after, &changed] {
        let back = host
            .remove(text, &entry.name)
            .unwrap_or_else(|broken| panic!("{broken}\n{text}"));
        prop_assert_eq!(&host.entries(&back).unwrap(), &before);
    }
    let back = host.remove(&after, &entry.name).unwrap();
    prop_assert_eq!(lines(&back), lines(text), "{}", after);
    let mut left = after.lines();
    let stays =
        |line: &&str| !left.any(|other| other.trim_end_matches(',') == line.trim_end_matches(','));
    prop_assert_eq!(text.lines().find(stays), None, "{}", after);
    Ok(())
}

/// The lines, but for blank ones: those beside an entry may go with it.
fn lines(text: &str) -> Vec<&str> {
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn json_stays((gap, indent, comma) in style(), entry in entry(), comments in any::<bool>()) {
        let gap = if comments { gap.replace("COMMENT", "//") } else { String::new() };
        let (one, two) = (&indent, indent.repeat(2));
        let comma = if comma && comments { "," } else { "" };
        let text = format!(
            "{{\n{gap}{one}\"a\": [1,  2],\n{gap}{one}\"mcpServers\": {{\n{gap}{two}\"x\": {{ \"command\": \"y\" }}{comma}\n{one}}},\n{gap}{one}\"b\": {{}}\n}}\n"
        );
        check(by_id("cursor").unwrap(), &text, &entry)?;
    }

    #[test]
    fn toml_stays((gap, indent, end) in style(), entry in entry()) {
        let gap = gap.replace("COMMENT", "#");
        let end = if end { "[z]\nz = 1\n" } else { "" };
        let text = format!("{gap}a = 1 # a\n{gap}[mcp_servers.x]\n{indent}command = 'y'\n{gap}{end}");
        check(by_id("codex").unwrap(), &text, &entry)?;
    }

    #[test]
    fn yaml_stays((gap, indent, end) in style(), entry in entry()) {
        let gap = gap.replace("COMMENT", "#");
        let end = if end { "z: [1,  2]\n" } else { "" };
        let two = indent.repeat(2);
        let text = format!("{gap}a: 1 # a\nextensions:\n{indent}x: # x\n{two}cmd: y\n{gap}{end}");
        check(by_id("goose").unwrap(), &text, &entry)?;
    }

    #[test]
    fn yaml_lists_stay((gap, indent, end) in style(), entry in entry()) {
        let gap = gap.replace("COMMENT", "#");
        let end = if end { "z: [1,  2]\n" } else { "" };
        let text = format!("{gap}a: 1 # a\nmcpServers:\n{indent}- name: x # x\n{indent}  command: y\n{gap}{end}");
        check(by_id("continue").unwrap(), &text, &entry)?;
    }
}
