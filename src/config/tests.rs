use std::path::Path;

use super::{Known, Takes, from_environment, from_file};

fn known() -> Vec<Known> {
    let of = |name: &str, takes| Known {
        name: name.to_owned(),
        takes,
    };
    vec![
        of("insecure", Takes::Nothing),
        of("read-only", Takes::Nothing),
        of("transport", Takes::One),
        of("grace", Takes::One),
        of("ignore-tool", Takes::Many),
    ]
}

fn flags(text: &str, name: Option<&str>) -> Result<Vec<String>, String> {
    let commands = ["run".to_owned()];
    from_file(Path::new("c.toml"), text, &known(), &commands, name)
        .map(|server| {
            server
                .url
                .into_iter()
                .chain(server.settings.into_iter().flat_map(|s| s.flags))
                .collect()
        })
        .map_err(|fatal| format!("{} | {}", fatal.message, fatal.hint.unwrap_or_default()))
}

#[test]
fn the_environment_has_switches_values_and_lines() {
    let env = |name: &str| match name {
        "MCP_TETHER_INSECURE" => Some("1".to_owned()),
        "MCP_TETHER_READ_ONLY" => Some("false".to_owned()),
        "MCP_TETHER_TRANSPORT" => Some("sse-only".to_owned()),
        "MCP_TETHER_IGNORE_TOOL" => Some("a*\n\nb c\n".to_owned()),
        _ => None,
    };
    let settings = from_environment(&known(), env).unwrap();
    let flags: Vec<_> = settings
        .iter()
        .flat_map(|setting| setting.flags.clone())
        .collect();
    assert_eq!(
        flags,
        [
            "--insecure",
            "--transport=sse-only",
            "--ignore-tool=a*",
            "--ignore-tool=b c"
        ]
    );
    assert_eq!(
        settings.len(),
        4,
        "a switch that is off is a setting too: it hides the config file's"
    );
    let wrong = from_environment(&known(), |name| {
        (name == "MCP_TETHER_INSECURE").then(|| "maybe".to_owned())
    });
    assert!(wrong.unwrap_err().message.contains("MCP_TETHER_INSECURE"));
}

#[test]
fn a_named_server_has_its_own_settings_and_the_defaults() {
    let text = "[defaults]\ngrace = 5\ntransport = \"http-only\"\n[servers.a]\nurl = \"https://a\"\ngrace = 1.5\nignore-tool = [\"x\", \"y\"]\ninsecure = true\n[servers.b]\nurl = \"https://b\"\nread-only = false\n";
    let a = flags(text, Some("a")).unwrap();
    assert_eq!(
        a,
        [
            "https://a",
            "--grace=1.5",
            "--ignore-tool=x",
            "--ignore-tool=y",
            "--insecure",
            "--transport=http-only"
        ]
    );
    assert_eq!(
        flags(text, Some("b")).unwrap(),
        ["https://b", "--grace=5", "--transport=http-only"]
    );
    assert_eq!(
        flags(text, None).unwrap(),
        ["--grace=5", "--transport=http-only"]
    );
}

#[test]
fn integers_are_decimal_whatever_their_form() {
    for (written, flag) in [
        ("0x10", "16"),
        ("0o17", "15"),
        ("0b11", "3"),
        ("+1_000", "1000"),
        ("-2", "-2"),
    ] {
        let text = format!("[defaults]\ngrace = {written}\n");
        assert_eq!(flags(&text, None).unwrap(), [format!("--grace={flag}")]);
    }
}

#[test]
fn what_is_wrong_is_named_with_file_line_and_remedy() {
    let table = [
        (
            "[defaults]\ntransprot = \"x\"\n",
            "c.toml:2",
            "\"transport\"",
        ),
        (
            "[servers.a]\nurl = \"u\"\n\nread_only = true\n",
            "c.toml:4",
            "\"read-only\"",
        ),
        ("[server.a]\n", "c.toml:1", "\"servers\""),
        (
            "[defaults]\ninsecure = \"yes\"\n",
            "c.toml:2",
            "true or false",
        ),
        ("[defaults]\n\ngrace = [1]\n", "c.toml:3", "quote"),
        ("[defaults]\ngrace = 0x\n", "c.toml:2", "quote"),
        (
            "[defaults]\ngrace = 99999999999999999999\n",
            "c.toml:2",
            "quote",
        ),
        ("[servers.a]\ngrace = 1\n", "c.toml:1", "url"),
        ("[servers.run]\nurl = \"u\"\n", "c.toml:1", "another name"),
        ("[defaults]\nx = = 1\n", "c.toml:2", "TOML"),
        (
            "[servers.linear]\nurl = \"u\"\n",
            "\"linaer\" is neither",
            "\"linear\"",
        ),
        ("", "\"linaer\" is neither", "https://"),
    ];
    for (text, message, hint) in table {
        let wrong = flags(text, Some("linaer")).unwrap_err();
        assert!(
            wrong.contains(message) && wrong.contains(hint),
            "{text}: {wrong}"
        );
    }
}
