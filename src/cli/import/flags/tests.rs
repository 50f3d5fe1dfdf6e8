use super::{Moved, Surroundings, read};

const URL: &str = "https://h.example/mcp";

fn moved_in(words: &[&str], env: &[(&str, &str)]) -> Result<Moved, &'static str> {
    let args: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let env: Vec<(String, String)> = env
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let around = Surroundings {
        env: &env,
        read: &|path| match path {
            "headers" => Some("# no\n\n X-File: 1 \nbad line\n".to_owned()),
            "meta" => Some(r#"{"scope":"a b"}"#.to_owned()),
            _ => None,
        },
        host: "localhost",
    };
    read(&args, &around)
}

fn moved(words: &[&str]) -> Moved {
    moved_in(words, &[]).unwrap()
}

/// What is typed after the URL, what stands there then, and how many notes there are.
#[test]
fn options_keep_their_meaning() {
    let table: &[(&[&str], &[&str], usize)] = &[
        (&[], &[], 0),
        (&["9696"], &["9696"], 0),
        (&["9696xyz", "--debug"], &["9696", "--debug"], 0),
        (&["abc", "--debug"], &["--debug"], 1),
        (&["0"], &[], 1),
        (&["99999"], &[], 1),
        (
            &["--transport", "sse-only", "--allow-http", "9696"],
            &["--transport", "sse-only", "--allow-http"],
            1,
        ),
        (&["--transport", "websocket"], &[], 1),
        (&["--transport", "nonsense"], &[], 1),
        (&["--protocol", "legacy"], &["--protocol", "legacy"], 0),
        (&["--protocol", "modern"], &[], 1),
        (
            &["--host", "127.0.0.1", "--host", "localhost"],
            &["--host", "127.0.0.1"],
            1,
        ),
        (&["--host", "my.local"], &[], 1),
        (&["--callback-path", "cb"], &[], 1),
        (&["--callback-path", "/wait-for-auth"], &[], 1),
        (&["--callback-path", "/cb"], &["--callback-path", "/cb"], 0),
        (&["--auth-timeout", "60"], &["--auth-timeout", "60"], 0),
        (&["--auth-timeout", "soon"], &[], 1),
        (
            &["--auth-timeout", "${LIMIT}"],
            &["--auth-timeout", "${LIMIT}"],
            0,
        ),
        (&["--resource", " "], &["--disable-resource-parameter"], 0),
        (
            &["--resource", "https://r", "--disable-resource-parameter"],
            &["--disable-resource-parameter"],
            1,
        ),
        (
            &["--ignore-tool", "a*", "--ignore-tool", "b"],
            &["--ignore-tool", "a*", "--ignore-tool", "b"],
            0,
        ),
        (&["--ping-interval", "10"], &["--ping-interval", "10"], 0),
        (&["--enable-proxy"], &[], 1),
        (&["--debug", "--silent"], &["--debug"], 1),
        (&["--debug", "--debug"], &["--debug"], 0),
        (&["--header=X: 1"], &[], 1),
        (&["--unknown", "x", "--other=s3cret"], &[], 3),
        (&["--transport", "--debug"], &["--debug"], 1),
        (&["--transport"], &[], 1),
        (
            &[
                "--use-id-token",
                "--device-code",
                "--disable-cookies",
                "--ipv4",
            ],
            &[
                "--use-id-token",
                "--device-code",
                "--disable-cookies",
                "--ipv4",
            ],
            0,
        ),
        (
            &["--static-oauth-client-metadata", "@meta"],
            &["--static-oauth-client-metadata", "@meta", "--scope", "a b"],
            0,
        ),
        (
            &["--static-oauth-client-metadata", r#"{"scope":"c"}"#],
            &[
                "--static-oauth-client-metadata",
                r#"{"scope":"c"}"#,
                "--scope",
                "c",
            ],
            0,
        ),
    ];
    for (typed, expected, notes) in table {
        let moved = moved(&[&[URL], *typed].concat());
        assert_eq!(moved.args[0], URL);
        assert_eq!(&moved.args[1..], *expected, "{typed:?}");
        assert_eq!(moved.notes.len(), *notes, "{typed:?}: {:?}", moved.notes);
        assert!(!format!("{:?}", moved.notes).contains("s3cret"));
    }
}

#[test]
fn headers_stand_anywhere_and_count_for_the_hash_as_typed() {
    let moved = moved(&[
        "--header",
        "X-A:1",
        URL,
        "--header-file",
        "headers",
        "9696",
        "--header",
        "X-B:  ${B} ",
        "--header",
        "bad.name: 1",
        "--header",
        "Content-Type: text/plain",
    ]);
    assert_eq!(
        moved.args,
        [
            URL,
            "9696",
            "--header",
            "X-A:1",
            "--header-file",
            "headers",
            "--header",
            "X-B:  ${B} "
        ]
    );
    let expected = [
        ("X-A", "1"),
        ("X-File", "1"),
        ("X-B", "${B} "),
        ("Content-Type", "text/plain"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(moved.seed.headers, expected);
    assert_eq!(moved.notes.len(), 2, "{:?}", moved.notes);
}

#[test]
fn the_seed_is_what_was_typed() {
    let moved = moved(&[
        &format!(" {URL}/ "),
        "--resource",
        " https://r ",
        "--authorize-param",
        " a =1=2",
        "--client-credentials",
        "--token-endpoint",
        "https://T/x",
        "--static-oauth-client-info",
        r#"{"client_id":"c","client_secret":"${S}"}"#,
    ]);
    let seed = &moved.seed;
    assert_eq!(seed.url, format!(" {URL}/ "));
    assert_eq!(moved.args[0], format!("{URL}/"));
    assert_eq!(seed.resource.as_deref(), Some("https://r"));
    assert_eq!(seed.parameters, [("a".to_owned(), "1=2".to_owned())]);
    assert_eq!(seed.token_endpoint.as_deref(), Some("https://t/x"));
    assert!(moved.notes.is_empty(), "{moved:?}");
}

#[test]
fn the_address_of_a_client_that_somebody_registered_stays() {
    let info = r#"{"client_id":"c"}"#;
    let port = moved(&[URL]).seed.port().to_string();
    let by_hand = moved(&[URL, "--static-oauth-client-info", info, "--debug"]);
    assert_eq!(
        by_hand.args,
        [
            URL,
            &port,
            "--static-oauth-client-info",
            info,
            "--debug",
            "--host",
            "localhost"
        ]
    );
    assert_eq!(by_hand.notes.len(), 1);
    let given = moved(&[
        URL,
        "7000",
        "--client-metadata-url",
        "https://c/m",
        "--host",
        "127.0.0.1",
    ]);
    assert_eq!(given.args[1], "7000");
    assert!(given.notes.is_empty());
    assert!(
        moved(&[URL, "--client-metadata-url", "https://c"])
            .args
            .len()
            == 1
    );
}

#[test]
fn what_node_reads_for_it_becomes_options() {
    let env = [
        ("NODE_EXTRA_CA_CERTS", "/ca.pem"),
        ("NODE_TLS_REJECT_UNAUTHORIZED", "0"),
    ];
    let moved = moved_in(&[URL, "--debug"], &env).unwrap();
    assert_eq!(
        moved.args,
        [URL, "--debug", "--ca-file", "/ca.pem", "--insecure"]
    );
    assert_eq!(moved.notes.len(), 2);
}

#[test]
fn what_never_worked_is_not_moved() {
    assert!(moved_in(&[], &[]).is_err());
    assert!(moved_in(&["--debug", URL], &[]).is_err());
    assert!(moved_in(&["--header", "X: 1"], &[]).is_err());
}
