//! `config.toml` and the environment: what is set is an option that exists, with the values that were written.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use mcp_tether::config::{Known, Setting, Takes, from_environment, from_file};
use mcp_tether_fuzz::Pick;
use toml::{Table, Value};

const KNOWN: [(&str, Takes); 5] = [
    ("insecure", Takes::Nothing),
    ("read-only", Takes::Nothing),
    ("transport", Takes::One),
    ("grace", Takes::One),
    ("ignore-tool", Takes::Many),
];

fuzz_target!(|data: &[u8]| {
    let mut pick = Pick(data);
    let name = *pick.of(&["a", "b.c", ""]);
    let Some(value) = pick.text() else { return };
    let Ok(text) = std::str::from_utf8(pick.0) else {
        return;
    };
    let known: Vec<Known> = KNOWN
        .iter()
        .map(|(name, takes)| Known {
            name: (*name).to_owned(),
            takes: *takes,
        })
        .collect();
    environment(&known, value);
    file(&known, name, text);
});

/// Every flag is one of these options, and no value becomes a flag of its own.
fn flags(settings: &[Setting]) {
    for setting in settings {
        let option = KNOWN.iter().find(|(name, _)| *name == setting.name);
        let (name, takes) = option.expect("it is an option");
        assert!(!setting.source.is_empty());
        for flag in &setting.flags {
            let value = flag
                .strip_prefix(&format!("--{name}"))
                .expect("its own flag");
            match takes {
                Takes::Nothing => assert_eq!(value, ""),
                Takes::One | Takes::Many => assert!(value.starts_with('=')),
            }
        }
        assert!(*takes == Takes::Many || setting.flags.len() <= 1);
    }
    for (at, one) in settings.iter().enumerate() {
        assert!(settings[..at].iter().all(|other| other.name != one.name));
    }
}

fn environment(known: &[Known], value: &str) {
    for (option, _) in KNOWN {
        let variable = option.to_ascii_uppercase().replace('-', "_");
        let variable = format!("MCP_TETHER_{variable}");
        let env = |name: &str| (name == variable).then(|| value.to_owned());
        match from_environment(known, env) {
            Ok(settings) => {
                assert_eq!(settings.len(), 1);
                assert_eq!(settings[0].name, option);
                flags(&settings);
            }
            Err(wrong) => assert!(wrong.message.contains(&variable)),
        }
    }
}

fn file(known: &[Known], name: &str, text: &str) {
    let commands = ["run".to_owned()];
    let path = Path::new("config.toml");
    let plain = from_file(path, text, known, &commands, None);
    let named = from_file(path, text, known, &commands, Some(name));
    let Ok(read) = text.parse::<Table>() else {
        assert!(plain.is_err() && named.is_err());
        return;
    };
    let place = |message: &str| {
        let line = message.strip_prefix("config.toml:").expect("the file");
        let (line, _) = line.split_once(':').expect("the line");
        let line: usize = line.parse().expect("a number");
        assert!(
            (1..=text.lines().count().max(1)).contains(&line),
            "{message}"
        );
    };
    let Ok(plain) = plain else {
        let wrong = named.expect_err("the whole file is checked");
        let same = plain.expect_err("it is wrong");
        assert_eq!(wrong.message, same.message);
        assert!(same.hint.is_some());
        place(&same.message);
        return;
    };
    flags(&plain.settings);
    let defaults = read.get("defaults").and_then(Value::as_table);
    compare(&plain.settings, defaults, None);
    assert!(read.keys().all(|key| key == "defaults" || key == "servers"));

    let server = read.get("servers").and_then(|all| all.get(name));
    match (named, server.and_then(Value::as_table)) {
        (Ok(found), Some(server)) => {
            assert_eq!(
                found.url.as_deref(),
                server.get("url").and_then(Value::as_str)
            );
            assert!(found.url.is_some());
            flags(&found.settings);
            compare(&found.settings, Some(server), defaults);
        }
        (Err(wrong), None) => assert!(wrong.hint.is_some()),
        (found, server) => panic!("{found:?} {server:?}"),
    }
}

/// The settings are those of the tables, the first of which counts more.
fn compare(settings: &[Setting], first: Option<&Table>, second: Option<&Table>) {
    for (option, takes) in KNOWN {
        let of = |table: Option<&Table>| table.and_then(|table| table.get(option)).cloned();
        let written = of(first).or_else(|| of(second));
        let found = settings.iter().find(|setting| setting.name == option);
        let found = found.map(|setting| setting.flags.clone());
        let Some(written) = written else {
            assert_eq!(found, None);
            continue;
        };
        let scalar = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Integer(number) => Some(number.to_string()),
            // Written as it was.
            _ => None,
        };
        let values: Option<Vec<String>> = match (takes, &written) {
            (Takes::Nothing, Value::Boolean(on)) => {
                let wanted = on.then(|| format!("--{option}"));
                assert_eq!(found, Some(wanted.into_iter().collect()));
                continue;
            }
            (Takes::Many, Value::Array(all)) => all.iter().map(scalar).collect(),
            (_, value) => scalar(value).map(|one| vec![one]),
        };
        if let Some(values) = values {
            let wanted = values.iter().map(|value| format!("--{option}={value}"));
            assert_eq!(found, Some(wanted.collect()));
        }
    }
}
