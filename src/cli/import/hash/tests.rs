use super::{Generation, Seed};

const URL: &str = "https://mcp.example.com/mcp";

fn seed() -> Seed {
    Seed {
        url: URL.to_owned(),
        ..Seed::default()
    }
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    owned.collect()
}

#[test]
fn folders_are_of_the_generation_that_wrote_them() {
    use Generation::{Headers, Shared, Url};
    let table = [
        ("mcp-remote-0.0.22", Some(Url)),
        ("mcp-remote-0.1.0-2", Some(Url)),
        ("mcp-remote-0.1.29", Some(Url)),
        ("mcp-remote-0.1.30", Some(Headers)),
        ("mcp-remote-0.1.37", Some(Headers)),
        ("mcp-remote-0.2.0", Some(Headers)),
        ("mcp-remote-v1", Some(Shared)),
        ("mcp-remote-v2", Some(Shared)),
        ("mcp-remote", None),
        ("mcp-remote-latest", None),
        ("mcp-remote-0.1", None),
        ("other", None),
    ];
    for (name, expected) in table {
        assert_eq!(Generation::of_folder(name), expected, "{name}");
    }
}

/// The digests are what Node made of the formula of 0.15.1.
#[test]
fn the_digest_is_that_of_javascript() {
    assert_eq!(seed().whole(), "94baabe3c3fadb285b26c035e4e86046");
    assert_eq!(seed().port(), 41409);
    let resource = Seed {
        resource: Some("https://r/".to_owned()),
        ..seed()
    };
    assert_eq!(resource.whole(), "409b31fbd23539c532eb5140ccf98a17");
    let headers = Seed {
        headers: pairs(&[
            ("X-b", "an earlier one"),
            ("Authorization", "Bearer x"),
            ("X-b", "${TOKEN} ü \"q\" \\ \u{1}\u{7f}\u{2028}"),
            ("x-B", ""),
        ]),
        ..seed()
    };
    assert_eq!(headers.whole(), "8e17c0f0b52a1129932c1e1a1db045a6");
    let typed = Seed {
        url: format!(" {URL}/ "),
        ..Seed::default()
    };
    assert_eq!(typed.whole(), "c373af3998533613e0475eec85fd5997");
}

#[test]
fn each_generation_has_a_formula_of_its_own() {
    let everything = Seed {
        resource: Some("https://r/".to_owned()),
        parameters: pairs(&[
            ("z", "1"),
            ("ü", "2"),
            ("\u{1f600}", "3"),
            ("\u{ffff}", "4"),
            ("10", "5"),
            ("9", "6"),
        ]),
        headers: pairs(&[("a", "1")]),
        metadata_url: Some("https://c/m".to_owned()),
        token_endpoint: Some("https://t/x".to_owned()),
        ..seed()
    };
    let (url, headers, whole) = (
        "94baabe3c3fadb285b26c035e4e86046",
        "23f3b0afbede0fd56ebd2feede46d2dc",
        "4612ba6cf97712cec6a83edc8ce926e0",
    );
    let table = [
        (Generation::Url, vec![url]),
        (Generation::Headers, vec![headers]),
        (Generation::Shared, vec![whole, headers]),
    ];
    for (generation, expected) in table {
        assert_eq!(everything.prefixes(generation), expected);
        assert_eq!(seed().prefixes(generation), [url], "there is nothing else");
    }
}
