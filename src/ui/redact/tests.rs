use super::{change, settings, text};

#[test]
fn blots_out_what_follows_the_name_of_a_secret() {
    let table = [
        ("nothing here", "nothing here"),
        (
            "Authorization: Bearer abc.d-e_f== end",
            "Authorization: Bearer (redacted) end",
        ),
        (
            r#"{"access_token":"abc","x":1}"#,
            r#"{"access_token":"(redacted)","x":1}"#,
        ),
        (
            "a?client_secret=s3&access_token=t",
            "a?client_secret=(redacted)&access_token=(redacted)",
        ),
        ("Mcp-Session-Id: 12-ab", "Mcp-Session-Id: (redacted)"),
        ("bearer \u{e9}", "bearer \u{e9}"),
        (
            "Authorization: Bearer changeme",
            "Authorization: Bearer (redacted)",
        ),
        ("a \"Basic abc\"", "a \"Basic (redacted)\""),
        ("basic dXNlcjpwYXNz", "basic (redacted)"),
        (
            r#"{\"refresh_token\": \"a\"}"#,
            r#"{\"refresh_token\": \"(redacted)\"}"#,
        ),
    ];
    for (from, to) in table {
        assert_eq!(text(from), to);
    }
}

#[test]
fn words_of_a_sentence_stay() {
    for words in [
        "api_key is missing",
        "the answer has no access_token and no refresh_token",
        "a bearer token is needed, basic authentication is not",
        "client_secret_basic and client_secret_post",
    ] {
        assert_eq!(text(words), words);
    }
}

#[test]
fn the_secrets_of_a_config_file_are_blotted_out() {
    let table = [
        (
            r#"  "OPENAI_API_KEY": "sk-1", "A": "b""#,
            r#"  "OPENAI_API_KEY": "(redacted)", "A": "b""#,
        ),
        (
            r#"["--header", "X-Api-Key: a b", "c"]"#,
            r#"["--header", "X-Api-Key: (redacted)", "c"]"#,
        ),
        (
            "token: a b\nother: c\r\nkey: 'it''s'",
            "token: (redacted)\nother: c\r\nkey: '(redacted)''s'",
        ),
        ("PASSWORD = \"a\\\"b\"", "PASSWORD = \"(redacted)\""),
        (
            r#""{\"client_secret\":\"s\"}""#,
            r#""{\"client_secret\":\"(redacted)\"}""#,
        ),
        (
            "+ \"--access-token\",\n+ \"sbp_1\",",
            "+ \"--access-token\",\n+ \"(redacted)\",",
        ),
        (
            r#""https://a/mcp?key=x", "--e""#,
            r#""https://a/mcp?key=(redacted)", "--e""#,
        ),
        (
            "\"API_KEY\":\t\"sk-x\", \"GITHUB_PAT\": \"p\", \"PGPASS\": \"p\"",
            "\"API_KEY\":\t\"(redacted)\", \"GITHUB_PAT\": \"(redacted)\", \"PGPASS\": \"(redacted)\"",
        ),
        (
            "+ \"API_KEY\":\n+   \"sk-x\",\n+ \"A\": \"b\"",
            "+ \"API_KEY\":\n+   \"(redacted)\",\n+ \"A\": \"b\"",
        ),
        (
            "+  key: |\n+    -----BEGIN\n+    abc\n+  other: c\n",
            "+  key: (redacted)\n+  other: c\n",
        ),
        (
            "key = \"\"\"\nabc\n\"\"\"\n",
            "key = \"\"\"(redacted)\"\"\"\n",
        ),
        (
            r#"["postgresql://user:hunter2@localhost/db", "http://:p:q@h"]"#,
            r#"["postgresql://user:(redacted)@localhost/db", "http://:(redacted)@h"]"#,
        ),
        (
            r#"{"PIN_KEY": 1234567890123, "password": 123, "a": 1}"#,
            r#"{"PIN_KEY": (redacted), "password": (redacted), "a": 1}"#,
        ),
        ("?key=1234", "?key=(redacted)"),
        (
            r#""X-Team: Bearer 0123abcd""#,
            r#""X-Team: Bearer (redacted)""#,
        ),
    ];
    for (from, to) in table {
        assert_eq!(settings(from), to);
    }
    for plain in [
        r#""Authorization:${TOKEN}", "Cookie: a=${B}""#,
        r#""auth": {"x": 1}, "keys": ["a"], "token": "", "a": "b""#,
        r#""--use-id-token", "--silent""#,
        r#""--header-file", "/run/secrets/h", "--auth", "none""#,
        "--- /a/key\n+++ /a/key\n@@ -1,2 +1,3 @@",
        r#"{"max_tokens": 4096, "author": "Ann", "key": true, "tokens":12}"#,
        "- --use-id-token\n  timeout: 300\nmax_tokens: 300\n",
        "https://auth.corp.example:8443/mcp",
        "https://me@auth.corp.example:8443/mcp",
        "http://a:${TOKEN_WORD}@b",
        "auth:\n  \"x\": 1\n",
        "",
    ] {
        assert_eq!(settings(plain), plain);
    }
}

#[test]
fn both_sides_of_a_change_are_blotted_where_the_name_stands_above() {
    let table = [
        (
            " - --client-key\n-- a1\n+- b1\n   timeout: 300\n",
            " - --client-key\n-- (redacted)\n+- (redacted)\n   timeout: 300\n",
        ),
        (
            " \"API_KEY\":\n-  \"a1\",\n-  \"x\": 1\n+  \"b1\"\n }",
            " \"API_KEY\":\n-  \"(redacted)\",\n-  \"x\": 1\n+  \"(redacted)\"\n }",
        ),
        (
            "-\"API_KEY\":\n+\"API_TOKEN\":\n   \"a1\"\n",
            "-\"API_KEY\":\n+\"API_TOKEN\":\n   \"(redacted)\"\n",
        ),
        (
            "   key: |\n-    a1\n-    a2\n+    b1\n   other: c\n",
            "   key: (redacted)\n-    (redacted)\n-    (redacted)\n+    (redacted)\n   other: c\n",
        ),
        (
            " key = \"\"\"\n-a1\n+b1\n \"\"\"\n",
            " key = \"\"\"\n-(redacted)\n+(redacted)\n \"\"\"\n",
        ),
        (
            "-\"key\": \"a1\"\n+\"key\": \"b1\", \"x\": \"http://u:p@h\"\n",
            "-\"key\": \"(redacted)\"\n+\"key\": \"(redacted)\", \"x\": \"http://u:(redacted)@h\"\n",
        ),
    ];
    for (from, to) in table {
        assert_eq!(change(from), to);
    }
    for plain in [
        "--- /a/key\n+++ /a/key\n@@ -1,2 +1,3 @@\n",
        " - --use-id-token\n-  timeout: 300\n+  timeout: 30\n",
        " \"auth\":\n-  \"x\": 1\n+  \"y\": 2\n",
        "",
    ] {
        assert_eq!(change(plain), plain);
    }
}
